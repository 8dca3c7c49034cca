"""What is compared: words, streets, house numbers, paths; and how common words weigh."""

import polars as pl
import pytest

from sonik_assets.identity.matching.features import house_number, name_words, prepare, street_words, url_path
from sonik_assets.identity.matching.frequencies import EMPTY, Frequencies

from .conftest import VENUE, frame


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Club El Faro", ["club", "faro"]),
        ("River Square II", ["river", "square", "2"]),
        ("La La La", ["la"]),
        ("Promotora Pólvora S.A.S.", ["promotora", "polvora"]),
    ],
)
def test_words_of_a_name(name: str, words: list[str]) -> None:
    assert name_words(name) == words


@pytest.mark.parametrize(
    ("address", "house", "street"),
    [
        ("Avenida Reforma 222, Piso 3", "222", ["reforma"]),
        ("786 Montes Urales Nte.", "786", ["montes", "nte", "urales"]),
        ("760 State Route 35 Ste 1", "760", ["35", "route", "state"]),
        ("1601 N 32nd St", "1601", ["32"]),
        ("5 de Mayo 12", "12", ["5", "mayo"]),
        ("Calle 98 # 64 - 05", "64-5", ["98"]),
        ("Calle 98 64-05 Esq Bogotá", "64-5", ["98", "bogota"]),
        ("東京都新宿区歌舞伎町1丁目11-13", "1-11-13", ["東京都新宿区歌舞伎町1丁目11"]),
        ("Rua das Palmeiras", None, ["palmeiras"]),
    ],
)
def test_house_and_street(address: str, house: str | None, street: list[str]) -> None:
    assert (house_number(address), street_words(address)) == (house, street)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://www.x.example/a/B/?utm=1", "a/b"),
        ("x.example", ""),
        ("HTTP://x.example/#top", ""),
    ],
)
def test_path_of_a_url(url: str, path: str) -> None:
    assert url_path(url) == path


def test_a_common_word_weighs_less_than_a_rare_one() -> None:
    counted = pl.DataFrame({"t": ["club"], "n": [5_000]}, {"t": pl.String, "n": pl.UInt32})
    weights = Frequencies(20_000, counted, EMPTY.common).weight(pl.Series(["club", "umbral"]))
    assert weights[0] < 0.2
    assert weights[1] == 1


def test_a_word_of_the_own_city_says_less() -> None:
    records = frame({**VENUE, "name": "Umbral Lima", "city_key": "lima"})
    tokens = prepare(records, EMPTY)["tokens"].item().to_list()
    assert {token["t"]: round(token["w"], 2) for token in tokens} == {"umbral": 1.0, "lima": 0.35}
