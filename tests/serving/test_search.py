from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import embedded
from resources.embedded.urls import as_user
from resources.errors import TerminalError
from resources.settings import Settings
from resources.stores import redis as redis_store
from sonik_assets.serving import answers
from sonik_assets.serving import search as module
from sonik_assets.serving.fusion import K, fuse
from sonik_assets.serving.question import Question
from sonik_assets.serving.search import search
from tests.support.searchable import furnish, place_in, world_in


@pytest.fixture
def furnished(settings: Settings, database: str, tmp_path: Path) -> Iterator[Settings]:
    place = place_in(settings, database, tmp_path)
    with world_in(database) as world:
        furnish(world, place)
        yield place
    client = redis_store.connect(embedded.endpoints(settings).redis)
    keys = list(client.scan_iter(f"{answers.PREFIX}:*"))
    if keys:
        client.delete(*keys)


def names(found: list[dict]) -> list[str]:
    return [row["name"] for row in found]


def test_words_and_meaning_over_all_tables(furnished: Settings) -> None:
    (best, *_) = search(furnished, "cancion", cached=False)
    assert best["name"] == "Canciones de amor en vivo"
    assert (best["kind"], best["city"], best["local_date"]) == ("event", "Bogotá", "2026-06-01")
    assert names(search(furnished, "tiendas de vinilo", cached=False))[0] == "Guía de vinilos"
    assert names(search(furnished, "niceto", limit=1)) == ["Club Niceto"]
    kinds = {row["kind"] for row in search(furnished, "música", limit=20)}
    assert kinds == {"venue", "event", "article", "concept"}


def test_filters(furnished: Settings) -> None:
    assert {row["city"] for row in search(furnished, "música", city="BOGOTA ")} == {"Bogotá"}
    assert names(search(furnished, "música", genre="techno", kind="event")) == ["Noche de techno"]
    may = search(furnished, "música", date_from=date(2026, 5, 1), date_to=date(2026, 5, 2))
    assert set(names(may)) == {"Noche de techno", "Festival de cumbia"}
    assert search(furnished, "música", city="Atlantis") == []


def test_any_text_is_only_text(furnished: Settings) -> None:
    for text in ("' or 1=1 --", 'a"b', "foo:bar AND (", "de la", "%_\\", "🎉", "x" * 5000, "\0a"):
        assert search(furnished, text, cached=False)
        assert search(furnished, "música", city=text, genre=text, kind=text, cached=False) == []


def test_a_question_that_means_the_same_is_answered_from_the_cache(
    furnished: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = search(furnished, "salsa con orquesta en vivo")
    monkeypatch.setattr(module, "answer_of", _never)
    assert search(furnished, "  Salsa con orquesta   en vivo") == first
    assert search(furnished, "orquesta de salsa en vivo") == first
    for other in ({"city": "Lima"}, {"limit": 3}, {"kind": "event"}, {"date_from": date(2026, 1, 1)}):
        with pytest.raises(AssertionError):
            search(furnished, "salsa con orquesta en vivo", **other)


def test_numbers_are_never_similar(furnished: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    search(furnished, "events on 2026-01-02")
    monkeypatch.setattr(module, "answer_of", _never)
    with pytest.raises(AssertionError):
        search(furnished, "events on 2026-01-03")


def _never(*_: object) -> None:
    raise AssertionError("searched although the cache should have answered")


def test_without_redis_the_answer_is_the_same(furnished: Settings, caplog: pytest.LogCaptureFixture) -> None:
    away = replace(furnished, redis_url="redis://127.0.0.1:1")
    assert search(away, "techno") == search(furnished, "techno", cached=False)
    assert "without the cache" in caplog.text


def test_a_cache_that_fails_midway_is_a_miss(furnished: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    want = search(furnished, "techno", cached=False)
    with redis_store.connect(embedded.endpoints(furnished).redis) as client:
        client.execute_command("ACL SETUSER half on >half ~* +ping +get -set")
        try:
            half = replace(furnished, redis_url=as_user(embedded.endpoints(furnished).redis, "half", "half"))
            assert search(half, "techno") == want
        finally:
            client.execute_command("ACL DELUSER half")


def test_every_question_is_logged(furnished: Settings, database: str) -> None:
    search(furnished, "techno en Lima")
    search(furnished, "techno en Lima")
    with psycopg.connect(database) as connection:
        rows = connection.execute("select kind, text, hit, ms > 0 from ops.query_log order by at").fetchall()
    assert rows == [("search", "techno en Lima", False, True), ("search", "techno en Lima", True, True)]


def test_what_cannot_be_searched_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="run `sonik run`"):
        search(replace(settings, lancedb_uri=str(tmp_path)), "techno")
    with pytest.raises(TerminalError, match="nothing to search for"):
        Question(" \n")
    with pytest.raises(TerminalError, match="limit 0"):
        Question("a", limit=0)


RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=3)


@given(RANKINGS)
def test_fusion_ranks_all_and_rewards_agreement(rankings: list[list[str]]) -> None:
    scores = fuse(rankings)
    assert set(scores) == {id for ranking in rankings for id in ranking}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    for id, score in scores.items():
        ranks = [ranking.index(id) + 1 for ranking in rankings if id in ranking]
        assert score == pytest.approx(sum(1 / (K + rank) for rank in ranks))


@given(st.text(min_size=1).filter(lambda text: text.replace("\0", "").strip()), st.text(), st.text())
def test_scope_differs_with_filters(text: str, city: str, kind: str) -> None:
    one = Question(text, city=city, kind=kind)
    assert one.scope == Question(text.upper().lower() if text.isascii() else text, city=city, kind=kind).scope
    assert one.scope != Question(text, city=city, kind=kind + "x").scope
