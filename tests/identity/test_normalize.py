"""The cases of docs/identifiers.md, and what holds for every text."""

import re
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.addresses import house_number, street_words
from sonik_assets.identity.normalize.countries import normalize_country, zones
from sonik_assets.identity.normalize.domains import SHARED, normalize_domain
from sonik_assets.identity.normalize.emails import are_roles, normalize_email
from sonik_assets.identity.normalize.event_names import name_hash, series_name, session_marker
from sonik_assets.identity.normalize.event_times import parse_start
from sonik_assets.identity.normalize.instagram import LINK, NOBODY, normalize_instagram
from sonik_assets.identity.normalize.pages import normalize_page
from sonik_assets.identity.normalize.phones import _parse, _short_way, normalize_phone
from sonik_assets.identity.normalize.text import alike, fold, fold_address, fold_name, name_key
from sonik_assets.identity.normalize.words import word_set

HANDLES = st.from_regex(r"[A-Za-z0-9_](?:[A-Za-z0-9_]|\.(?=[A-Za-z0-9_])){0,28}[A-Za-z0-9_]?", fullmatch=True).filter(
    lambda handle: len(handle) <= 30
)


PAGES = word_set("instagram_pages")
SPELLINGS = [
    "@{}", "/{}/", " {} ", "{}.", "{}. ", "https://www.instagram.com/_u/{}", "instagram.com/_u/{}/", "{}?igsh=x",
    "https://m.instagram.com/{}/?igsh=MzRlODBiNWFlZA==", "http://instagr.am/{}", "see https://instagram.com/{}, and",
    "INSTAGRAM.com/{}#top", "//www.instagram.com/@{}/", "https://instagram.com/{}/reels/", "ig: {}", "IG @{}",
    "instagram: @{}", "Insta - {}", "follow @{} please", "https%3A%2F%2Fwww.instagram.com%2F{}%3Figsh%3Dx", "%40{}",
    "https://l.instagram.com/?u=https%3A%2F%2Finstagram.com%2F{}&e=AT", "\u200b@{}\u200e", "\uff20{}",
    "https:\\/\\/instagram.com\\/{}", "[me](https://instagram.com/{})", "instagram://user?username={}",
    "ig.me/m/{}", "https://www.instagram.com/accounts/login/?next=%2F{}%2F", "instagram.com/{0} instagram.com/{0}/",
]  # fmt: skip


@given(HANDLES.filter(lambda h: not h.lower().startswith("www.") and "instagr" not in h.lower()), st.data())
@settings(max_examples=400)
def test_every_spelling_of_a_handle_is_one(handle, data):
    spelling = data.draw(st.sampled_from(SPELLINGS))
    if handle.lower() not in PAGES | NOBODY | SHARED | {"_u", "_n"} and handle.strip("_"):
        assert normalize_instagram(spelling.format(handle)) == f"instagram.com/{handle.lower()}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("instagram.com/tv/abc", "a page, not an account"),
        ("instagram.com/bar/reel/CxYz/", "a page, not an account"),
        ("bar/p/CxYz", "a page, not an account"),
        ("https://help.instagram.com/123", "a page, not an account"),
        ("instagram.com/explore/tags/bar/", "a page, not an account"),
        ("@uno @dos", "several accounts"),
        ("uno / dos", "several accounts"),
        ("instagram.com/uno y instagram.com/dos", "several accounts"),
        ("ana@bar.mx", "an e-mail address"),
        ("facebook.com/bar", "another site"),
        ("https://l.instagram.com/?u=https%3A%2F%2Fbar.com", "another site"),
        ("instagram.com.mx/bar", "another site"),
        ("..", "no account"),
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
        ("notinstagram.com/bar", "another site"),
    ],
)
def test_what_is_no_account_is_refused_with_a_reason(text, reason):
    with pytest.raises(Refused, match=reason):
        normalize_instagram(text)


@given(
    HANDLES,
    st.sampled_from(
        ["ñ", "é", "-", "!x", "-mx", "à", "ß", "字", "q\u0301", "&b", "+b", ":b", "@b", "*b", "\N{EN DASH}b"]
    ),
    st.sampled_from(["{}", "follow {}", "ig: {}", "{} please", "({})"]),
)
def test_a_mention_is_never_cut_at_a_foreign_character(handle, foreign, around):
    with pytest.raises(Refused):
        normalize_instagram(around.format(f"@{handle}{foreign}"))


@given(
    HANDLES,
    st.sampled_from(["tiktok.com/@{}", "https://youtube.com/@{}", "m.facebook.com/x/@{}", "medium.com/@{}/x",
                     "tiktok: @{}", "TikTok @{}", "fb/@{}", "Facebook - @{}", "x: @{}", "twitter @{} @{}", "Live @ {}",
                     "YT @{}, @{}_", "@{}@mastodon.social", "{}@bar.mx"]),
)  # fmt: skip
def test_an_account_elsewhere_is_none_of_instagram(handle, spelling):
    with pytest.raises(Refused):
        normalize_instagram(spelling.format(*[handle] * 2))


@pytest.mark.parametrize(
    ("website", "is_link"),
    [("https://www.instagram.com/bar", True), ("instagram.com/bar", True), ("Instagr.am/bar", True),
     ("ig.me/m/bar", True),
     ("https%3A%2F%2Finstagram.com%2Fbar", True), ("see instagram.com/bar, ok", True),
     ("instagram://user?username=bar", True),
     ("big.menu", False), ("https://zig.media/x", False), ("instagrill.mx", False), ("notinstagram.com/bar", False),
     ("instagram.com.mx/bar", False), ("instagram-bar.com", False), ("big.me/m/x", False)],
)  # fmt: skip
def test_a_link_to_instagram_is_told_by_its_host(website, is_link):
    assert pl.Series([website]).str.contains(LINK).to_list() == [is_link]


ANY = st.text() | st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            [
                "instagram.com/",
                "https://",
                "@",
                "bar",
                ".mx",
                " ",
                "/",
                "?u=",
                "%2F",
                "%",
                "+52",
                "5512345678",
                "#/",
                "fb: ",
            ]
        )
        | st.text(max_size=3)
    ),
)


@given(ANY, st.sampled_from([None, "MX", "BR", "AR", "CO", "US"]))
@example("S:0:S", None)
@example("_N", None)
@settings(max_examples=500, deadline=None)
def test_normalisers_refuse_with_a_reason_or_settle(text, country):
    """A value comes out as it is when it goes in again; anything else is refused, never another error."""
    phone, reasons = partial(normalize_phone, country=country), set()
    for normalizer in (
        normalize_instagram,
        normalize_domain,
        normalize_email,
        normalize_country,
        phone,
        normalize_page,
    ):
        try:
            value = normalizer(text)
        except Refused as refused:
            reasons.add(str(refused))
            continue
        assert normalizer(value) == value
    assert all(re.fullmatch(r"[a-z]+: [a-zA-Z @,-]+", reason) for reason in reasons)
    for folder in (fold, fold_name, name_key, fold_address):
        assert folder(folder(text)) == folder(text)
    for folder in (fold_name, name_key, fold_address):
        assert folder(text) == folder(f" {text} ")
    assert re.fullmatch(r"\d+(-\d+)?", house_number(text) or "0")
    assert street_words(text) == " ".join(sorted(set(street_words(text).split())))


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("http://www.Bar.com.br/x?y=1", "bar.com.br"),
        ("bar.com.", "bar.com"),
        ("https://menu.bar.co:8080/", "bar.co"),
        ("https://www.café.mx", "xn--caf-dma.mx"),
        ("http//bar.com", "bar.com"),
        ("http://http://bar.com", "bar.com"),
        ("bar.com:8080?x=1", "bar.com"),
        ("see https://bar.com/x, ok", "bar.com"),
        ("https://l.instagram.com/?u=https%3A%2F%2Fbar.com%2Fx&e=AT", "bar.com"),
        ("https://user:word@bar.com/x", "bar.com"),
    ],
)
def test_domains(text, domain):
    assert normalize_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "linktr.ee/bar",
        "https://bar.wixsite.com/x",
        "facebook.com/bar",
        "bar.blogspot.com.ar",
        "gmail.com",
        "yelp.com.mx/biz/bar",
        "bar.github.io",
        "https://sites.google.com/view/bar",
    ],
)
def test_shared_hosts_are_nobodys(text):
    with pytest.raises(Refused, match="shared host"):
        normalize_domain(text)
    assert "facebook.com" in SHARED


@pytest.mark.parametrize(
    "text",
    ["bar", "http://10.0.0.1/", "two words.com", "", "N/A", "info@bar.com", "www.a.com www.b.com", "http://[::1]/"],
)
def test_no_domain(text):
    with pytest.raises(Refused):
        normalize_domain(text)


def test_phones_take_the_country_of_the_record():
    assert normalize_phone("(55) 1234-5678", "MX") == "+525512345678"
    assert normalize_phone("+52 55 1234 5678", None) == "+525512345678"
    for text, country, reason in (("55 1234 5678", None, "no country"), ("123", "MX", "no such"), ("x", "MX", "not a")):
        with pytest.raises(Refused, match=reason):
            normalize_phone(text, country)


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("55 1234 5678 ext. 12", "MX", "+525512345678"),
        ("5512345678 / 5587654321", "MX", "+525512345678"),
        ("tel. 55-1234-5678 y 55-8765-4321", "MX", "+525512345678"),
        ("00 52 55 1234 5678", "CO", "+525512345678"),
        ("0057 310 1234567", "CO", "+573101234567"),
        ("https://wa.me/5215512345678", None, "+525512345678"),
        ("https://api.whatsapp.com/send?phone=5511987654321&text=x", None, "+5511987654321"),
        ("tel:+525512345678", None, "+525512345678"),
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("525512345678", None, "+525512345678"),
        ("+54 11 15 5678 1234", None, "+5491156781234"),
        ("011 15 5678-1234", "AR", "+5491156781234"),
        ("(11) 9123-4567", "BR", "+5511991234567"),
        ("+55 11 8123-4567", None, "+5511981234567"),
        ("(11) 3123-4567", "BR", "+551131234567"),
        ("+44 20 7946 0958", "MX", "+442079460958"),
    ],
)
def test_phones_as_people_write_them(text, country, number):
    assert normalize_phone(text, country) == number


def test_placeholders_are_no_phones():
    with pytest.raises(Refused, match="placeholder"):
        normalize_phone("+5511999999999", None)


@given(
    st.sampled_from(["", "+", "00", "+52", "+5255", "+55119", "55", "+549", "54", "57", "+1", "+44", "+34", "0", "("]),
    st.from_regex(r"[0-9]{3}[0-9 ().-]{4,9}", fullmatch=True),
    st.sampled_from(["MX", "BR", "AR", "CO", "CL", "PE", "UY", "EC", "US", "ES"]),
)
@example("+", "055120000000", "MX")
@settings(max_examples=1500, deadline=None)
def test_the_short_way_of_phones_is_the_librarys(prefix, rest, country):
    number = _short_way(prefix + rest, country)
    assert number is None or number == _parse(prefix + rest, country)


def test_emails():
    assert normalize_email(" <Ana.Paz@Bücher.MX> ") == "ana.paz@xn--bcher-kva.mx"
    assert normalize_email("Ana Paz <ana@bar.mx>") == normalize_email("mailto:Ana@bar.mx?subject=x") == "ana@bar.mx"
    assert normalize_email("ana+x@gmail.com") == "ana+x@gmail.com" != normalize_email("ana@gmail.com")
    with pytest.raises(Refused, match="several"):
        normalize_email("ana@bar.mx, bea@bar.mx")
    for text in ("ana", "@bar.mx", "a..b@bar.mx", "ana@bar", "a b@bar.mx", "ana@-bar.mx"):
        with pytest.raises(Refused):
            normalize_email(text)


@pytest.mark.parametrize(
    ("address", "role"),
    [("ventas@bar.mx", True), ("info+x@bar.mx", True), ("contacto2@b.mx", True), ("info.bar@gmail.com", True),
     ("no-reply@b.mx", True), ("reservas_norte@b.mx", True), ("ana@b.mx", False), ("informal@b.mx", False),
     ("ana.info@b.mx", False), ("holanda@b.mx", False)],
)  # fmt: skip
def test_roles(address, role):
    assert are_roles(pl.Series([address, None])).to_list() == [role, None]


def test_names():
    assert fold_name("Club Nébula, S.A. de C.V.") == "club nebula"
    assert name_key("Nebula Club") == name_key("Club Nébula") == "club nebula"
    assert name_key("D.J. Tiësto") == "dj tiesto"
    assert name_key("The") == "the"
    assert fold_address("Av. Insurgentes Sur No. 123, S/N") == fold_address("Avenida Insurgentes Sur 123")
    assert len({name_key(f"O{mark}Brien") for mark in "'`\u2018\u2019\u201b\u00b4\u02bc\u2032\uff07"}) == 1
    assert fold("1° Piso") == fold("1º Piso")
    assert alike(name_key("Teatro Colon"), name_key("Colón"))
    assert not alike(name_key("Hard Rock"), name_key("La Cervecería"))


@pytest.mark.parametrize(
    "text",
    ["Luna, S.A. de C.V.", "Luna SA de CV", "Luna S. de R.L. de C.V.", "Luna S.A.P.I. de C.V.", "Luna Ltda.",
     "LUNA S/A", "Luna LTDA - ME", "Luna EIRELI", "Luna S.A.S.", "Luna LLC",
     "Luna, Inc.", "Luna A.C.", "Luna S.p.A.", "Luna MEI"],
)  # fmt: skip
def test_legal_forms_are_no_part_of_a_name(text):
    assert fold_name(text) == "luna"


def test_words_that_only_look_like_legal_forms_stay():
    assert [fold_name(text) for text in ("Lotus Spa", "AC", "S.A.")] == ["lotus spa", "ac", "sa"]


@pytest.mark.parametrize(
    ("address", "number", "street"),
    [
        ("Calle Hidalgo 938", "938", "hidalgo"),
        ("Rua dos Timbiras, 467", "467", "timbiras"),
        ("Calle 9 # 8-62", "8-62", "9"),
        ("Av. 16 de Septiembre 123", "123", "16 septiembre"),
        ("Cinco de Mayo 12, Piso 3", "12", "5 mayo"),
        ("5 de mayo No. 12", "12", "5 mayo"),
        ("609 W Maple Ave", "609", "maple w"),
        ("688 9th Ave", "688", "9"),
        ("R. Nirson Lobo, 7, QD36-LT 7", "7", "lobo nirson qd36"),
        ("Rua A, S/N", None, "a"),
        ("06700 Roma, Durango 123", "123", "durango roma"),
        ("C. 60 x 57 y 59", None, "57 59 60"),
        ("Calle 60 491 x 57 y 59", "491", "57 59 60"),
        ("Calle 50 e/ 5 y 6 N° 12", "12", "5 50 6"),
        ("Carretera Federal 57 km 12", None, "57 federal"),
        ("Ruta 8 km 50", None, "8 ruta"),
        ("Av. Paulista, 1578 - SP, 01310-200", "1578", "paulista sp"),
        ("Juárez 12, Centro, 01412", "12", "centro juarez"),
        ("Providencia 12, Santiago 8320000", "12", "providencia santiago"),
        ("Providencia No. 8320000", None, "providencia"),
        ("Av Insurgentes Sur No. 123 Int. 4, CP 06700", "123", "insurgentes"),
    ],
)
def test_house_numbers_and_street_words(address, number, street):
    assert (house_number(address), street_words(address)) == (number, street)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hamlet 19.30 hs", "Hamlet 21.30 hs"), ("Hamlet 19.30", "Hamlet 21.30"), ("Hamlet 12.03 hs", "Hamlet"),
     ("Hamlet 10-12 hs", "Hamlet 11-12 hs"), ("Fest 1/2", "Fest 2/2"), ("Parte 1/2", "Parte 2/2"),
     ("Fest Pt. 4/5", "Fest Pt. 5/5"), ("X 45/60", "X 46/60")],
)  # fmt: skip
def test_numbers_that_are_no_dates_keep_events_apart(one, other):
    assert (name_hash(one), session_marker(one)) != (name_hash(other), session_marker(other))


@pytest.mark.parametrize(
    "name",
    ["X 12/03", "12/3: X", "X 12-03-2026", "X 2026.03.12", "X 31.12", "X (05/10)", "X 12.03.26", "X 1º de mayo",
     "X dias 12 y 13 de marzo", "X Days 1 y 2", "X Day 1+2", "X (Day 1 & 2)", "X Day 1-3", "X - Días 1, 2 y 3",
     "X 1/2", "X Parte 1/2", "X 2da parte", "X 1° función",
     "X función nocturna", "X Día 1/2", "X días 25 y 26"],
)  # fmt: skip
def test_dates_days_and_parts_leave_nothing_in_the_hash(name):
    assert name_hash(name) == name_hash("X")


def test_hours_are_one_however_spelt():
    assert len({name_hash(f"Hamlet {time}") for time in ("19.30 hs", "19:30hs", "19.30hrs", "19:30 Hrs", "19.30")}) == 1


@given(
    st.text(max_size=8),
    st.from_regex(r"[0-9]{1,4}[-/.+][0-9]{1,4}([-/.+][0-9]{1,4})?", fullmatch=True),
    st.text(max_size=8),
)
@settings(max_examples=300)
def test_any_numbers_in_a_name_are_read(before, number, after):
    name = f"{before}{number}{after}"
    assert len(name_hash(name)) == 16
    assert re.fullmatch(r"[a-z0-9,+]*", session_marker(name))


def test_every_case_of_the_documentation_holds():
    """Rows of kind, text, value: the texts are those of the table."""
    table = (Path(__file__).parents[2] / "docs" / "identifiers.md").read_text(encoding="utf-8")
    readers = {
        "Instagram": normalize_instagram, "domain": normalize_domain, "e-mail": normalize_email, "name key": name_key,
        "address": fold_address, "house number": house_number, "country": normalize_country,
        "street words": street_words, "page": normalize_page,
        "start in Bogotá": lambda text: parse_start(text, "America/Bogota").local_date,
        "session": lambda text: session_marker(text) or None,
        "series": series_name, "phone in Mexico": partial(normalize_phone, country="MX"),
        "phone of no country": partial(normalize_phone, country=None),
    }  # fmt: skip
    checked = 0
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or cells[0] not in readers:
            continue
        for text in re.findall(r"`([^`]+)`", cells[1]):
            try:
                value = f"`{readers[cells[0]](text)}`"
            except Refused as refused:
                value = str(refused).partition(": ")[2]
            assert value == cells[2], text
            checked += 1
    assert checked > 60


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
