"""The cases of docs/identity.md, and what holds for every text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.contacts import is_free_mail, normalize_email, normalize_phone
from sonik_assets.identity.normalize.countries import normalize_country, zones
from sonik_assets.identity.normalize.domains import SHARED, normalize_domain
from sonik_assets.identity.normalize.instagram import normalize_instagram
from sonik_assets.identity.normalize.text import alike, fold, fold_address, fold_name, name_key

HANDLES = st.from_regex(r"[A-Za-z0-9_](?:[A-Za-z0-9_]|\.(?=[A-Za-z0-9_])){0,28}[A-Za-z0-9_]?", fullmatch=True).filter(
    lambda handle: len(handle) <= 30
)


@given(HANDLES.filter(lambda h: not h.lower().startswith("www.") and "instagr" not in h.lower()), st.data())
def test_every_spelling_of_a_handle_is_one(handle, data):
    spelling = data.draw(
        st.sampled_from(
            [
                "@{}", "/{}/", " {} ", "{}.", "{}. ", "https://www.instagram.com/_u/{}", "instagram.com/_u/{}/",
                "https://m.instagram.com/{}/?igsh=MzRlODBiNWFlZA==", "http://instagr.am/{}",
                "see https://instagram.com/{}, and",
                "INSTAGRAM.com/{}#top", "//www.instagram.com/@{}/", "https://instagram.com/{}/reels/",
            ]
        )
    )  # fmt: skip
    pages = {"p", "reel", "reels", "tv", "stories", "explore", "s", "share", "web", "api", "direct", "legal", "about"}
    if handle.lower() not in pages:
        assert normalize_instagram(spelling.format(handle)) == f"instagram.com/{handle.lower()}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://instagram.com/p/CxYz/", "a page, not an account"),
        ("instagram.com/reel/abc", "a page, not an account"),
        ("instagram.com/bar/p/CxYz", "a page, not an account"),
        ("instagram.com/stories/bar/1", "a page, not an account"),
        ("https://www.instagram.com/explore/", "a page, not an account"),
        ("instagram.com", "no account"),
        ("@", "no account"),
        ("bar nebula", "illegal characters"),
        ("bar..nebula", "illegal characters"),
        ("ñandú", "illegal characters"),
        ("x" * 31, "too long"),
        ("https://facebook.com/bar", "another site"),
        ("notinstagram.com/bar", "illegal characters"),
    ],
)
def test_what_is_no_account_is_refused_with_a_reason(text, reason):
    with pytest.raises(Refused, match=reason):
        normalize_instagram(text)


@given(st.text())
@settings(max_examples=300)
def test_normalisers_refuse_or_settle(text):
    """A value comes out as it is when it goes in again; anything else is refused, never another error."""
    for normalizer in (normalize_instagram, normalize_domain, normalize_email, normalize_country):
        try:
            value = normalizer(text)
        except Refused:
            continue
        assert normalizer(value) == value
    assert fold(fold(text)) == fold(text)
    for folder in (fold_name, name_key, fold_address):
        assert folder(text) == folder(f" {text}. ")


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("http://www.Bar.com.br/x?y=1", "bar.com.br"),
        ("bar.com.", "bar.com"),
        ("https://menu.bar.co:8080/", "bar.co"),
        ("https://www.café.mx", "xn--caf-dma.mx"),
    ],
)
def test_domains(text, domain):
    assert normalize_domain(text) == domain


@pytest.mark.parametrize(
    "text", ["linktr.ee/bar", "https://bar.wixsite.com/x", "facebook.com/bar", "bar.blogspot.com.ar"]
)
def test_shared_hosts_are_nobodys(text):
    with pytest.raises(Refused, match="shared host"):
        normalize_domain(text)
    assert "facebook.com" in SHARED


@pytest.mark.parametrize("text", ["bar", "http://10.0.0.1/", "two words.com", ""])
def test_no_domain(text):
    with pytest.raises(Refused):
        normalize_domain(text)


def test_phones_take_the_country_of_the_record():
    assert normalize_phone("(55) 1234-5678", "MX") == "+525512345678"
    assert normalize_phone("+52 55 1234 5678", None) == "+525512345678"
    for text, country, reason in (("55 1234 5678", None, "no country"), ("123", "MX", "no such"), ("x", "MX", "not a")):
        with pytest.raises(Refused, match=reason):
            normalize_phone(text, country)


def test_emails():
    assert normalize_email(" <Ana.Paz@Bücher.MX> ") == "ana.paz@xn--bcher-kva.mx"
    assert is_free_mail("ana@gmail.com")
    assert not is_free_mail("ana@bar.mx")
    for text in ("ana", "@bar.mx", "a..b@bar.mx", "ana@bar", "a b@bar.mx", "ana@-bar.mx"):
        with pytest.raises(Refused):
            normalize_email(text)


def test_names():
    assert fold_name("Club Nébula, S.A. de C.V.") == "club nebula"
    assert name_key("Nebula Club") == name_key("Club Nébula") == "club nebula"
    assert name_key("D.J. Tiësto") == "dj tiesto"
    assert name_key("The") == "the"
    assert fold_address("Av. Insurgentes Sur No. 123, S/N") == fold_address("Avenida Insurgentes Sur 123")
    assert alike(name_key("Teatro Colon"), name_key("Colón"))
    assert not alike(name_key("Hard Rock"), name_key("La Cervecería"))


def test_countries():
    assert [normalize_country(text) for text in ("México", "br", "Estados Unidos", "Colombia")] == [
        "MX",
        "BR",
        "US",
        "CO",
    ]
    with pytest.raises(Refused):
        normalize_country("Atlantis")
    assert zones("BR")[0] == "America/Sao_Paulo"
    assert zones("XX") == ()


def test_handles_are_short_lower_case_ascii():
    assert re.fullmatch(r"instagram\.com/[a-z0-9_.]{1,30}", normalize_instagram("The.Bar_1"))
