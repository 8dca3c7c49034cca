"""What holds for every catalogued query: limits by the server, parameters that are bound, ages in one place."""

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import SonikError, TerminalError, TransientError
from sonik_assets.graph import cypher
from sonik_assets.serving import decay
from sonik_assets.serving.asking import Answer, Asking
from sonik_assets.serving.catalogue import SCOPES, TIMEOUT_MS, Query, catalogue
from sonik_assets.serving.graph import RUNNERS, asking, query, run
from sonik_assets.serving.scope import Staff
from tests.support.scene import Scene

EVERY = pytest.mark.parametrize("asked", catalogue().values(), ids=lambda each: each.name)
GIVEN = {"organizer": "Crobar", "hops": "4", "half_life_days": "never", "limit": "20"}
NEXT = "UNWIND range(0, 200000) AS a RETURN sum(a) AS total"
SLOW = "UNWIND range(0, 100000) AS a UNWIND range(0, 100000) AS b RETURN sum(a * b) AS total"
# Of these the server is known to ignore the time limit, or to look at all ways there are.
UNBOUNDED = re.compile(r"SPpaths|SSpaths|shortestPath|betweenness|\[:[^\]]*\*(?!\d*\.\.\d)", re.IGNORECASE)
WRITES = re.compile(r"\b(CREATE|MERGE|SET|DELETE|REMOVE|DROP)\b", re.IGNORECASE)
INJECTED = (
    "' OR 1=1 //",
    '" RETURN 1 //',
    "\\",
    '\\" }) MATCH (n) DETACH DELETE n //',
    "x`) DELETE",
    "a\0b",
    "$own",
    "💥\n\r",
    "\udcff",
)
DAY = 86_400_000


@EVERY
def test_every_query_is_bounded_and_describes_itself(asked: Query) -> None:
    assert asked.example.startswith("sonik ")
    assert asked.scopes <= set(SCOPES)
    assert asked.runner in RUNNERS
    assert asked.timeout_ms <= max(TIMEOUT_MS.values())
    assert not UNBOUNDED.search(asked.text)
    assert not WRITES.search(asked.text)
    assert not re.search(r"'[^'\n]*\$", asked.text), "a parameter inside of a text is not bound"
    if asked.runner == "plain":
        assert all(f"${param.name}" in asked.text for param in asked.params)
        branches = asked.text.split("UNION")
        assert all("LIMIT $limit" in branch for branch in branches)
    for param in asked.params:
        assert param.kind != "int" or (param.least is not None and param.most is not None and param.most <= 1_000_000)


@EVERY
def test_the_server_ends_what_takes_too_long(scene: Scene, asked: Query) -> None:
    """Each query's own text is replaced by one that never ends; its limit is shortened so that the test is quick."""

    class Quick(Query):
        @property
        def timeout_ms(self) -> int:
            return asked.timeout_ms // 50

    fields = {name: getattr(asked, name) for name in asked.__dataclass_fields__}
    slow = Asking(scene.pg, scene.client, Staff(), Quick(**fields | {"text": SLOW, "graph": "operations"}), {}, {})
    started = time.monotonic()
    with pytest.raises(TransientError, match="took too long"):
        slow.rows()
    assert time.monotonic() - started < 2 * asked.timeout_ms / 1000


def test_the_whole_limit_of_a_query_holds(scene: Scene) -> None:
    asked = Asking(scene.pg, scene.client, Staff(), replace(catalogue()["who_also_attended"], text=SLOW), {}, {})
    started = time.monotonic()
    with pytest.raises(TransientError, match="took too long"):
        asked.rows()
    assert 0.5 < time.monotonic() - started < 3


def test_a_question_of_many_statements_has_one_limit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asking(scene.pg, scene.client, catalogue()["lead_paths"], GIVEN, Staff())
    sent: list[float] = []

    def endless(timed: Asking) -> Answer:
        while len(sent) < 100:
            timed.rows(NEXT)
            sent.append(time.monotonic())
        return Answer([])

    monkeypatch.setitem(RUNNERS, "lead_paths", endless)
    monkeypatch.setitem(TIMEOUT_MS, "search", 200)
    started = time.monotonic()
    with pytest.raises(TransientError, match="took too long"):
        run(asked)
    assert 0 < len(sent) < 100
    assert time.monotonic() - started < 2


def test_past_the_whole_limit_nothing_is_sent(scene: Scene) -> None:
    asked = replace(asking(scene.pg, scene.client, catalogue()["lead_paths"], GIVEN, Staff()), until=time.monotonic())
    with pytest.raises(TransientError, match="query lead_paths took too long: over 6 s in all"):
        asked.rows(NEXT)


def test_nothing_can_be_written(scene: Scene) -> None:
    asked = Asking(
        scene.pg, scene.client, Staff(), replace(catalogue()["artists_at_venue"], text="CREATE (:X)"), {}, {}
    )
    with pytest.raises(TerminalError, match="read-only"):
        asked.rows()


@pytest.mark.parametrize("text", INJECTED)
@EVERY
def test_what_is_given_is_bound(scene: Scene, asked: Query, text: str) -> None:
    """Whatever the text, the answer is none or a refusal, and the graph is as before."""
    before = _counted(scene)
    for param in asked.params:
        given = {each.name: text if each is param else _some(each.kind, each.default) for each in asked.params}
        try:
            answer = query(scene.pg, scene.client, asked.name, given, Staff())
        except SonikError as error:
            assert not isinstance(error, TransientError) or "not built yet" in str(error)  # noqa: PT017
        else:
            assert answer.rows == []
    assert _counted(scene) == before


def _some(kind: str, default: str | None) -> str:
    return default or {"venue": "Ñandú", "organization": "Crobar", "event": "Noche", "entity": "Ana"}.get(
        kind, "Search"
    )


def _counted(scene: Scene) -> list[list[Any]]:
    return cypher.read(scene.client.select_graph("operations"), "MATCH (n) RETURN count(n), sum(n.row_hash % 97)")


@given(weight=st.floats(0, 1), days=st.floats(0, 5000), half=st.floats(0.1, 1e5))
def test_age_halves_a_weight(scene: Scene, weight: float, days: float, half: float) -> None:
    text = decay.expand("WITH {weight: $weight, timestamp: $at} AS edge RETURN decayed(edge)")
    graph, at = scene.client.select_graph("operations"), 5_000 * DAY - int(days * DAY)
    bound = {"weight": weight, "at": at, "now_ms": 5_000 * DAY}
    ((aged,),) = cypher.read(graph, text, **bound, half_life_days=half)
    ((kept,),) = cypher.read(graph, text, **bound, half_life_days=None)
    ((early,),) = cypher.read(graph, text, **bound | {"at": 6_000 * DAY}, half_life_days=half)
    assert aged == pytest.approx(weight * 0.5 ** (days / half), abs=1e-6)
    assert kept == early == pytest.approx(weight)


def test_age_is_in_one_place() -> None:
    assert [each.name for each in catalogue().values() if "0.5 ^" in each.text and "$now_ms" not in each.text] == []
    for each in catalogue().values():
        asks = any(param.name == "half_life_days" for param in each.params)
        assert asks or "$half_life_days" not in each.text
