"""The pure parts of a search: fusion, reading a question, reranking."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.serving.fusion import K, fuse
from sonik_assets.serving.question import Question
from sonik_assets.serving.reranking import rerank
from sonik_assets.serving.wording import Vocabulary, alike, read, words_of
from sonik_assets.vectors.documents import folded, words

KNOWN = Vocabulary(
    frozenset({"bogota", "ciudad de mexico", "mexico", "sao joao del-rei"}),
    frozenset({"electronica", "funk carioca", "salsa"}),
    frozenset({date(2026, 10, 16), date(2027, 10, 16), date(2026, 3, 1)}),
)
RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=3)
TEXTS = st.text(min_size=1).filter(lambda text: text.replace("\0", "").strip())


@given(RANKINGS)
def test_fusion_ranks_all_and_rewards_agreement(rankings: list[list[str]]) -> None:
    scores = fuse(rankings)
    assert set(scores) == {id for ranking in rankings for id in ranking}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    for id, score in scores.items():
        ranks = [ranking.index(id) + 1 for ranking in rankings if id in ranking]
        assert score == pytest.approx(sum(1 / (K + rank) for rank in ranks))


@given(TEXTS, st.text(), st.text())
def test_terms_differ_with_filters(text: str, city: str, kind: str) -> None:
    one = Question(text, city=city, kind=kind)
    assert one.terms() == Question(text.upper().lower() if text.isascii() else text, city=city, kind=kind).terms()
    assert one.terms() != Question(text, city=city, kind=kind + "x").terms()
    assert one.terms(1) != one.terms(2)


def test_numbers_are_terms() -> None:
    assert Question("el 2 de enero").terms() != Question("el 3 de enero").terms()


@pytest.mark.parametrize(
    ("text", "cities", "genres", "days"),
    [
        ("salsa en Bogotá", {"bogota"}, {"salsa"}, set()),
        ("en Ciudad de México", {"ciudad de mexico"}, set(), set()),
        ("em São João del Rei", {"sao joao del-rei"}, set(), set()),
        ("música eletrônica", set(), {"electronica"}, set()),
        ("FUNK CARIOCA", set(), {"funk carioca"}, set()),
        ("el 16 de octubre", set(), set(), {date(2026, 10, 16), date(2027, 10, 16)}),
        ("on October 16th 2027", set(), set(), {date(2027, 10, 16)}),
        ("1 de março de 2026", set(), set(), {date(2026, 3, 1)}),
        ("2026-03-01", set(), set(), {date(2026, 3, 1)}),
        ("16 personas en mayo", set(), set(), set()),
    ],
)
def test_a_question_is_read(text: str, cities: set[str], genres: set[str], days: set[date]) -> None:
    found = read(text, KNOWN)
    assert (found.cities, found.genres, found.days) == (cities, genres, days)


@given(st.text(), st.sets(st.text(min_size=1), max_size=5))
def test_any_text_can_be_read(text: str, cities: set[str]) -> None:
    found = read(text, Vocabulary(frozenset(cities), frozenset(cities), frozenset()))
    assert set(found.names) <= set(found.words)


# Of the characters that both have: Polars knows letters of a later Unicode than Python.
@given(st.text(st.characters(exclude_categories=["Cn", "Cs"])))
def test_words_are_the_same_where_rows_are_written_and_where_they_are_asked_for(text: str) -> None:
    (written,) = pl.select(words(folded(pl.lit(text)))).to_series()
    assert written == " ".join(words_of(text))


def test_words_that_are_alike() -> None:
    assert alike("mezcal", "mezal")
    assert alike("tropico", "trpoico")
    assert not alike("luna", "lunas")
    assert not alike("negra", "serrana")


def row(id: str, name: str, **more: Any) -> dict[str, Any]:
    parts = [part.strip() for part in more.pop("text", "").lower().split(",")]
    plain = {"kind": "event", "city_key": None, "local_date": None, "genre_keys": None, "near": 0.5, "fused": 0.01}
    words = {"name_words": name.lower(), "parts": [name.lower(), *parts]}
    return {"id": id, "document_id": id.split("#")[0], **words, **plain, **more}


def ranked(text: str, *rows: dict[str, Any]) -> list[str]:
    return [each["id"] for _, each in rerank(read(text, KNOWN), rows)]


def test_who_is_named_in_full_comes_before_who_shares_a_word() -> None:
    rows = row("a", "Luna Trio"), row("b", "Luna"), row("c", "Sol de Luna")
    assert ranked("luna", *rows)[0] == "b"
    assert ranked("luna trio", *rows)[0] == "a"


def test_the_city_that_is_named_comes_first() -> None:
    rows = row("a", "Noche", city_key="lima"), row("b", "Noche", city_key="bogota")
    assert ranked("noche en Bogotá", *rows) == ["b", "a"]


def test_of_a_document_the_best_passage_is_kept() -> None:
    rows = row("a#0", "Guía", text="comida"), row("a#1", "Guía", text="vinilos raros"), row("b", "Otra")
    assert ranked("vinilos raros", *rows) == ["a#1", "b"]


@given(st.permutations(["a", "b", "c", "d#1", "d#0"]))
def test_the_order_does_not_hang_on_how_rows_come(ids: list[str]) -> None:
    assert ranked("igual", *(row(id, "Igual") for id in ids)) == ["a", "b", "c", "d#0"]


def test_nothing_among_nothing() -> None:
    assert rerank(read("x", KNOWN), []) == []
