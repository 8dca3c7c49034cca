"""What is kept, for whom, how long, and that nothing that happens to Redis reaches who asks."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from resources import embedded
from resources.encoders import Vectors
from resources.settings import Settings
from sonik_assets.serving import entries, policies, shelf, single_flight
from sonik_assets.serving.answers import EVERYTHING, Answered, Asked, Made, answer, cited, renewing, warming
from sonik_assets.serving.policies import Policy
from sonik_assets.serving.shelf import Held
from tests.support import query_engine
from tests.support.vectors import unit

ZERO = np.zeros(384, np.float32)


def asked(prompt: str = "techno hoy", kind: str = "search", terms: str = "t", tenant: str = "staff") -> Asked:
    return Asked(kind, prompt, terms, tenant)


def ask(
    place: Settings, question: Asked, value: Any = "new", vector: Vectors = ZERO, cites: tuple[str, ...] = ("a",)
) -> Answered:
    return answer(place, question, lambda: vector, lambda _: Made(value, frozenset(cites)))


def never() -> Any:
    raise AssertionError("nobody needs this")


@pytest.fixture(autouse=True)
def nobody_is_away() -> None:
    shelf._AWAY.clear()


@pytest.fixture
def held(either_place: Settings) -> Held:
    url = embedded.endpoints(either_place).redis
    return shelf.held(either_place, shelf.connect(url, 60))


def test_made_once_then_exact_without_embedding(either_place: Settings) -> None:
    value = {"rows": [1, None, "ñ", {"a": 1.5}]}
    assert ask(either_place, asked(), value, unit()) == (value, "made")
    assert answer(either_place, asked("TECHNO hoy"), never, lambda _: never()) == (value, "exact")


def test_the_maker_has_the_vector_of_kinds_that_are_compared(either_place: Settings) -> None:
    calls, vector, given = [], unit(), []

    def encode() -> Vectors:
        calls.append(1)
        return vector.reshape(1, -1)

    for kind in ("search", "context", "model_answers", "query", "executive_kpis"):
        answer(either_place, asked(kind=kind), encode, lambda v: Made(given.append(v), frozenset()))
    assert [each is None for each in given] == [False, False, False, True, True]
    assert len(calls) == 3


def test_what_means_the_same_has_the_same_answer(either_place: Settings) -> None:
    vector = unit()
    ask(either_place, asked("techno hoy"), "one", vector)
    near = unit(vector, distance=0.05)
    assert ask(either_place, asked("techno para hoy"), "two", near) == ("one", "similar")
    # Once known to mean the same, it is not embedded again.
    assert answer(either_place, asked("techno para hoy"), never, lambda _: never()) == ("one", "similar")
    assert ask(either_place, asked("jazz"), "three", unit(vector, distance=0.12)).how == "made"


@pytest.mark.parametrize(
    "other",
    [asked("b", kind="context"), asked("b", terms="u"), asked("b", tenant="agent"), asked("b 2"), asked("b", "query")],
)
def test_kind_terms_tenant_and_numbers_must_be_equal(either_place: Settings, other: Asked) -> None:
    vector = unit()
    ask(either_place, asked("b"), "one", vector)
    assert ask(either_place, other, "two", vector) == ("two", "made")
    assert ask(either_place, replace(other, prompt="a" + other.prompt), "three", vector).value != "one"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("eventos em 5 de junho", "eventos em 5 de julho"),
        ("quién es Juan Pérez", "quién es Juana Pérez"),
        ("bares con música", "bares sin música"),
        ("bares com música", "bares sem música"),
        ("toca Ana", "no toca Ana"),
        ("cuándo toca Ana", "dónde toca Ana"),
        ("techno hoy", "techno"),
        ("C#", "C++"),
        ("🎉", "🎸"),
    ],
)
@pytest.mark.parametrize("kind", ["search", "model_answers"])
def test_what_a_question_names_must_be_equal(
    place: Settings, client: redis.Redis, kind: str, one: str, other: str
) -> None:
    vector = unit()
    ask(place, asked(one, kind), one, vector)
    assert ask(place, asked(other, kind), other, vector) == (other, "made")
    again = f"¿{' '.join(reversed(one.upper().split()))} en la?"
    if not any(c.isdigit() for c in one):
        assert ask(place, asked(again, kind), "again", vector) == (one, "similar")


def test_an_answer_with_room_cites_everything() -> None:
    assert cited(["a", "b"], 2) == {"a", "b"}
    assert cited(["a"], 2) == cited([], 2) == {EVERYTHING}


def test_an_organizers_answer_falls_with_what_it_owns(place: Settings, client: redis.Redis) -> None:
    held, tenant = shelf.held(place, client), "0198c0de-0000-7000-8000-000000000001"
    ask(place, asked(tenant=tenant), "one", unit())
    assert [each["tenant"] for each in held.entries.drop_cited({tenant})] == [tenant]


@given(*[st.tuples(*[st.text(max_size=8)] * 4)] * 2)
def test_no_two_questions_have_one_key(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    same = (*one[:1], one[1].casefold(), *one[2:]) == (*other[:1], other[1].casefold(), *other[2:])
    assert (Asked(*one).key == Asked(*other).key) == same


def test_the_end_is_set_once(either_place: Settings, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(policies.POLICIES, "short", Policy(1, "semantic", by_meaning=True))  # type: ignore[arg-type]
    vector, question = unit(), asked(kind="short")
    ask(either_place, question, "one", vector)
    time.sleep(0.5)
    assert ask(either_place, question, "two").how == "exact"
    same = replace(question, prompt="techno, hoy")
    assert ask(either_place, same, "two", vector).how == "similar"
    time.sleep(0.6)
    assert [ask(either_place, each, "two", vector).how for each in (same, question)] == ["made", "similar"]


def test_each_kind_ends_when_its_policy_says(either_place: Settings, held: Held) -> None:
    expected = {
        "executive_kpis": 300,
        "call_summaries": 1800,
        "competitive": 3600,
        "model_answers": 7200,
        "search": 1800,
        "else": 1800,
    }
    for kind in expected:
        ask(either_place, asked(kind=kind), vector=unit())
    left = {about["kind"]: seconds for about, seconds in held.entries.about()}
    assert left == pytest.approx(expected, abs=20)
    assert policies.kinds("eager") == ("executive_kpis", "competitive")


def test_dropped_by_what_it_cites(either_place: Settings, held: Held) -> None:
    for prompt, cites in (("one", ("a", "b")), ("two", ("b",)), ("three", ("c",)), ("four", ())):
        ask(either_place, asked(prompt), prompt, unit(), cites)
    held.entries.begin_drop()
    dropped = held.entries.drop_cited({"a", "absent"})
    held.forget(dropped)
    # What cites nothing was made of what is missing: any change may be that.
    assert {each["prompt"] for each in dropped} == {"one", "four"}
    assert [ask(either_place, asked(p), "new", unit()).how for p in ("one", "two", "three")] == [
        "made",
        "exact",
        "exact",
    ]
    assert held.entries.drop_cited(set()) == []


def test_what_means_the_same_falls_with_it(either_place: Settings, held: Held) -> None:
    vector = unit()
    ask(either_place, asked("one"), "old", vector)
    ask(either_place, asked("the one"), "old", unit(vector, distance=0.02))
    held.forget(held.entries.drop_cited({"a"}))
    assert ask(either_place, asked("the one"), "new", vector) == ("new", "made")
    assert held.entries.drop_cited({"a"})[0]["prompt"] == "the one"


def test_more_cites_than_are_kept_are_everything(either_place: Settings, held: Held) -> None:
    ask(either_place, asked("one", "query"), cites=tuple(map(str, range(entries.MOST_CITES + 1))))
    ask(either_place, asked("two", "query"), cites=(EVERYTHING,))
    assert {each["prompt"] for each in held.entries.drop_cited({"nobody"})} == {"one", "two"}


def test_a_document_drops_what_it_may_belong_in(either_place: Settings, held: Held) -> None:
    ask(either_place, asked("one"), vector=unit())
    ask(either_place, asked("one", "query"))
    assert [(each["kind"], each["prompt"]) for each in held.entries.drop_semantic()] == [("search", "one")]
    assert held.entries.counts() == (1, 0)


def test_everything_is_dropped(either_place: Settings, held: Held) -> None:
    for number in range(5):
        ask(either_place, asked(f"q{'x' * number}"), vector=unit())
    assert (len(held.entries.drop_all()), held.entries.about(), held.entries.counts()) == (5, [], (0, 0))


@pytest.mark.parametrize("emptied", [False, True])
def test_an_answer_from_before_a_drop_is_not_kept(either_place: Settings, held: Held, emptied: bool) -> None:  # noqa: FBT001
    def make(_: Vectors | None) -> Made:
        if emptied:
            held.client.delete(f"{held.root}:epoch")
        else:
            held.entries.begin_drop()
        return Made("old", frozenset("a"))

    answer(either_place, asked("race"), unit, make)
    assert ask(either_place, asked("race"), "new", unit()) == ("new", "made")


def test_there_are_never_too_many(either_place: Settings, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST_ENTRIES", 3)
    for kind in ("executive_kpis", *("query" + "x" * n for n in range(5))):
        ask(either_place, asked(kind=kind))
    assert len(held.entries.about()) == 3
    assert "executive_kpis" not in {about["kind"] for about, _ in held.entries.about()}
    monkeypatch.setattr(entries, "MOST_BYTES", 10)
    assert [ask(either_place, asked("long", "query"), "x" * 20).how for _ in range(2)] == ["made", "made"]


def test_not_cached_is_neither_read_nor_kept(either_place: Settings) -> None:
    ask(either_place, asked("one"), "old", unit())
    made = answer(either_place, asked("one"), unit, lambda _: Made("new", frozenset()), cached=False)
    assert made == ("new", "made")
    assert ask(either_place, asked("one"), "newer") == ("old", "exact")


def test_renewing_replaces_and_warming_leaves(either_place: Settings) -> None:
    ask(either_place, asked("one"), "old", unit())
    with warming() as told:
        ask(either_place, asked("one"), "new", unit())
        ask(either_place, asked("two"), "new", unit())
    assert told == {"exact": 1, "made": 1}
    with renewing() as told:
        ask(either_place, asked("one"), "renewed", unit())
    assert told == {"made": 1}
    assert ask(either_place, asked("one"), "newer") == ("renewed", "exact")


# ---- single flight


def test_many_askers_one_maker(either_place: Settings) -> None:
    made, vector = [], unit()

    def make(_: Vectors | None) -> Made:
        made.append(1)
        time.sleep(0.3)
        return Made("one", frozenset("a"))

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: answer(either_place, asked(), lambda: vector, make), range(12)))
    assert len(made) == 1
    assert sorted(each.how for each in found) == ["exact"] * 11 + ["made"]


def test_a_maker_that_is_slow_keeps_its_turn(place: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_flight, "LOCK_MS", 300)
    made = []

    def make(_: Vectors | None) -> Made:
        made.append(1)
        time.sleep(1)
        return Made("one", frozenset("a"))

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: answer(place, asked("slow", "query"), unit, make), range(3)))
    assert (len(made), {each.value for each in found}) == (1, {"one"})


def test_after_a_maker_that_raises_others_try(place: Settings) -> None:
    tried, barrier = [], threading.Barrier(4)

    def make(_: Vectors | None) -> Made:
        tried.append(1)
        time.sleep(0.05)
        if len(tried) < 3:
            raise ZeroDivisionError
        return Made("third", frozenset("a"))

    def one(_: int) -> str:
        barrier.wait()
        try:
            return str(answer(place, asked("raises", "query"), unit, make).value)
        except ZeroDivisionError:
            return "raised"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(4)))
    assert sorted(found) == ["raised", "raised", "third", "third"]
    assert len(tried) == 3


def test_after_a_maker_that_is_killed_others_go_on(place: Settings, client: redis.Redis) -> None:
    context = get_context("spawn")
    began = context.Event()
    maker = context.Process(target=_stuck, args=(place, began))
    maker.start()
    assert began.wait(60)
    maker.kill()
    maker.join()
    started = time.monotonic()
    assert ask(place, asked("killed", "query"), "mine") == ("mine", "made")
    assert time.monotonic() - started < single_flight.LOCK_MS / 1000 + 2


def _stuck(place: Settings, began: Any) -> None:
    def make(_: Vectors | None) -> Made:
        began.set()
        time.sleep(600)
        return Made(None, frozenset())

    answer(place, asked("killed", "query"), lambda: ZERO, make)


# ---- Redis away, full, read-only, or holding something else


def test_without_redis_it_is_made_and_soon_not_even_tried(place: Settings, tmp_path: Path) -> None:
    gone = replace(place, redis_url=f"unix://{tmp_path}/nobody.sock")
    for _ in range(2):
        assert ask(gone, asked("gone"), "made", unit()) == ("made", "made")
    assert shelf.reach(gone).ask(lambda held: held) is None


def test_a_redis_that_does_not_answer_costs_little(place: Settings, tmp_path: Path, client: redis.Redis) -> None:
    with query_engine.redis_server(tmp_path) as url:
        there = replace(place, redis_url=url)
        ask(there, asked("silent"), "one", unit())
        with redis.Redis.from_url(url) as raw:
            raw.execute_command("CLIENT", "PAUSE", 4000, "ALL")
        started = time.monotonic()
        assert [ask(there, asked("silent"), "two", unit()).value for _ in range(3)] == ["two"] * 3
        assert time.monotonic() - started < 2


def test_full_and_read_only(place: Settings, tmp_path: Path) -> None:
    with query_engine.redis_server(tmp_path) as url, redis.Redis.from_url(url) as raw:
        there = replace(place, redis_url=url)
        ask(there, asked("kept", "query"), "kept")
        raw.config_set("maxmemory", "1mb")
        assert [ask(there, asked("full"), "made", unit()).how for _ in range(2)] == ["made", "made"]
        assert ask(there, asked("kept", "query"), "new") == ("kept", "exact")
        raw.config_set("maxmemory", "0")
        raw.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert [ask(there, asked("read only"), "made", unit()).how for _ in range(2)] == ["made", "made"]


def test_a_redis_that_evicts_is_not_used(place: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with query_engine.redis_server(tmp_path, *options) as url:
        there = replace(place, redis_url=url)
        assert [ask(there, asked("evicts"), "made", unit()).how for _ in range(2)] == ["made", "made"]
    assert "set noeviction" in caplog.text


@pytest.mark.parametrize("garbage", ["{", "[]", '"other"', "null", "\xff"])
def test_garbage_in_an_entry_is_no_answer(either_place: Settings, held: Held, garbage: str) -> None:
    question = asked("garbage", "query")
    ask(either_place, question, "one")
    held.client.hset(f"{held.root}:answer:{question.key}", "value", garbage)
    assert ask(either_place, question, "two") == ("two", "made")
    assert ask(either_place, question, "three") == ("two", "exact")


def test_something_else_under_the_key(either_place: Settings, held: Held) -> None:
    question = asked("other", "query")
    held.client.set(f"{held.root}:answer:{question.key}", json.dumps("other"))
    assert [ask(either_place, question, value) for value in ("one", "two")] == [("one", "made"), ("one", "exact")]


def test_an_answer_under_the_key_of_another_is_none(either_place: Settings, held: Held) -> None:
    one, other = asked("one", "query"), asked("other", "query")
    ask(either_place, one, "one")
    there: Any = held.client.hgetall(f"{held.root}:answer:{one.key}")
    held.client.hset(f"{held.root}:answer:{other.key}", mapping=there)
    assert ask(either_place, other, "two") == ("two", "made")


def test_an_answer_that_is_no_json_is_given_and_not_kept(place: Settings, client: redis.Redis) -> None:
    value = {1, 2}
    assert [ask(place, asked("set", "query"), value) for _ in range(2)] == [(value, "made")] * 2
