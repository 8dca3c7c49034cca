"""Lineage of columns: what a query shows, followed through its parts to its parents."""

from typing import Any

import pytest

from sonik_assets.unified.lineage import lineage_of


def manifest_of(**parents: tuple[str, ...]) -> dict[str, Any]:
    """Return a manifest of a model `m` that reads sources of these columns."""
    return {
        "nodes": {"model.m": {"depends_on": {"nodes": [f"source.{name}" for name in parents]}}},
        "sources": {
            f"source.{name}": {
                "unique_id": f"source.{name}",
                "schema": "raw",
                "identifier": name,
                "columns": {column: {"data_type": "text"} for column in columns},
            }
            for name, columns in parents.items()
        },
    }


CASES = {
    "renamed": ("select a as x from sonik.raw.t", {"x": ["t.a"]}),
    "computed": ("select lower(a) || b as x, 1 as y from sonik.raw.t", {"x": ["t.a", "t.b"], "y": []}),
    "star_of_a_part": ('with p as (select * from "sonik"."raw"."t") select a from p', {"a": ["t.a"]}),
    "joined": (
        "select t.a, u.c from sonik.raw.t as t inner join sonik.raw.u as u on t.b = u.b",
        {"a": ["t.a"], "c": ["u.c"]},
    ),
    "united": ("select a from sonik.raw.t union all select c from sonik.raw.u", {"a": ["t.a", "u.c"]}),
    "united_stars_with_columns_of_no_name": (
        "with p as (select a, b from sonik.raw.t), q as (select null::text, null::text from sonik.raw.u) "
        "select * from p union all select * from q",
        {"a": ["t.a"], "b": ["t.b"]},
    ),
    "conditions_are_left_out": (
        "select a from sonik.raw.t where b in (select id from of_this_session)",
        {"a": ["t.a"]},
    ),
    "in_a_payload": ("select nullif(btrim(a ->> 'name'), '') as x from sonik.raw.t", {"x": ["t.a"]}),
    "elements_of_a_list": (
        "select case jsonb_typeof(a -> 'l') when 'array' "
        "then array(select e.value from jsonb_array_elements_text(a -> 'l') as e) end as x from sonik.raw.t",
        {"x": ["t.a"]},
    ),
    "counted": ("select a, count(*) as n from sonik.raw.t group by a", {"a": ["t.a"], "n": []}),
    "no_query": ("selec a fro m", {}),
}


@pytest.mark.parametrize(("query", "expected"), CASES.values(), ids=CASES)
def test_columns_are_made_of(query: str, expected: dict[str, list[str]]) -> None:
    found = lineage_of(manifest_of(t=("a", "b"), u=("b", "c")), "model.m", query)
    said = {c: [f"{parent.removeprefix('source.')}.{name}" for parent, name in ends] for c, ends in found.items()}
    assert said == expected
