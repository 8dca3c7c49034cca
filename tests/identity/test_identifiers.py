"""Mentions -> identifiers: by column, what a website says in other schemes, and refusals counted."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sonik_assets.identity.identifiers import MENTIONS, identifiers, prepare
from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.columns import normalize_column
from sonik_assets.identity.normalize.emails import normalize_email, plain_emails
from sonik_assets.identity.normalize.instagram import normalize_instagram, plain_instagram


def mentions(*rows):
    full = [{"source": "s", "table_name": "t", "record_id": str(n), **row} for n, row in enumerate(rows)]
    return prepare(pl.DataFrame(full, schema=MENTIONS))


def known(*rows):
    found, refused = identifiers(mentions(*rows))
    return set(found.rows()), refused


def test_each_column_gives_its_scheme():
    found, refused = known(
        {
            "google_place_id": " ChIJ1 ",
            "instagram": "@Bar",
            "website": "https://www.bar.mx/x",
            "email": "Info@Bar.mx",
            "phone": "55 1234 5678",
            "country": "México",
            "user_id": "u1",
        }
    )
    assert found == {
        (0, "google_places_id", "ChIJ1"),
        (0, "instagram_url", "instagram.com/bar"),
        (0, "domain", "bar.mx"),
        (0, "role_email", "info@bar.mx"),
        (0, "phone", "+525512345678"),
        (0, "source_id", "u1"),
    }
    assert refused == {}


def test_a_website_that_is_a_profile_or_an_address_counts_as_such():
    found, refused = known({"website": "https://instagram.com/bar"}, {"website": "ventas@bar.mx"}, {"website": " "})
    assert found == {(0, "instagram_url", "instagram.com/bar"), (1, "role_email", "ventas@bar.mx")}
    assert refused == {"domain: shared host": 1, "domain: an e-mail address": 1}


def test_two_people_of_one_office_share_no_address_of_their_own():
    found, refused = known(
        {"entity_type": "person", "name": "Ana Paz", "email": "info@barx.mx"},
        {"entity_type": "person", "name": "Bruno Gil", "email": "Info@barx.mx"},
        {"entity_type": "person", "name": "Ana Paz", "email": "ana@barx.mx"},
        {"entity_type": "person", "name": "Carla Mar", "email": "test@test.com"},
    )
    assert found == {(0, "role_email", "info@barx.mx"), (1, "role_email", "info@barx.mx"), (2, "email", "ana@barx.mx")}
    assert refused == {"email: a placeholder": 1}


def test_a_website_whose_name_only_looks_like_instagram_is_a_domain():
    found, _ = known({"website": "big.menu"}, {"website": "https://zig.media/x"}, {"website": "instagrill.mx"})
    assert found == {(0, "domain", "big.menu"), (1, "domain", "zig.media"), (2, "domain", "instagrill.mx")}


def test_refusals_are_counted_by_reason():
    _, refused = known({"phone": "123", "country": "MX"}, {"phone": "124", "country": "MX"}, {"instagram": "a b"})
    assert refused == {"phone: no such number": 2, "instagram: illegal characters": 1}


TEXTS = st.one_of(
    st.text(max_size=30),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(
            ["", "@", "/", " ", "https://", "HTTPS://www.instagram.com/", "instagram.com/_u/", "instagr.am/", "www."]
        ),
        st.from_regex(r"[A-Za-z0-9_.]{0,34}", fullmatch=True)
        | st.sampled_from(["p", "_u", "reels", "instagram.com", "ig", "www.bar", "none", "nan", "facebook", "0", "__"])
        | st.sampled_from(["facebook.com", "x.com", "test", "test2", "noemail", "no-tiene", "info", "xxx", "fb @user"])
        | st.sampled_from(["tiktok.com/@user", "bar-mx"]),
        st.sampled_from(["", "/", ".", "@bar.mx", "@Bar-Uno.mx", "@xn--bar.mx", "@bar", "@test.com", "@test.bar.mx"])
        | st.sampled_from(["@none.mx", "@example.com.mx", "@x.com", "\u2122", "\u00f1"]),
        st.sampled_from(["", " ", "?igsh=Mz==", "/?hl=es", "?u=x", "/p/x", "\u200b"]),
    ),
)


@given(st.lists(TEXTS, max_size=20))
@settings(max_examples=200, deadline=None)
def test_what_is_plain_enough_for_polars_is_what_the_normaliser_says(texts):
    values = pl.Series(texts, dtype=pl.String)
    for normalizer, plain in ((normalize_email, plain_emails), (normalize_instagram, plain_instagram)):
        assert normalize_column(values, normalizer, plain).equals(normalize_column(values, normalizer))
        for text, value in zip(texts, plain(values), strict=True):
            assert value is None or normalizer(text) == value


def test_columns_keep_nulls_blanks_and_order():
    def upper(text):
        if text == "no":
            raise Refused("no")
        return text.upper()

    found = normalize_column(pl.Series(["b", None, " ", "no", "a", "b"]), upper)
    assert found.rows() == [("B", None), (None, None), (None, None), (None, "no"), ("A", None), ("B", None)]


def test_preparing_does_not_hang_on_the_order_of_the_input():
    rows = [{"name": "Club Nébula"}, {"name": "Nebula Club", "city": "Bogotá", "country": "colombia"}]
    frame = mentions(*rows).drop("row", "name_key", "city_key", "country_code")
    assert prepare(frame).equals(prepare(frame.reverse()))
    assert prepare(frame).select("name_key", "city_key", "country_code").rows() == [
        ("club nebula", None, None),
        ("club nebula", "bogota", "CO"),
    ]
