"""docs/graph.md has the tables that the schema makes, and the docs name every query there is."""

import re

import pytest

from resources.errors import TerminalError
from sonik_assets.graph import schema
from sonik_assets.graph.document import PAGE, edges_table, nodes_table, rewritten
from sonik_assets.serving.catalogue import catalogue

TEXT = PAGE.read_text()


def test_the_tables_are_made_from_the_schema() -> None:
    assert rewritten(TEXT) == TEXT, "run `python -m sonik_assets.graph.document`"


def test_the_tables_name_all_there_is() -> None:
    named = re.findall(r"^\|[^|]*\| `(\w+)` \|", nodes_table() + "\n" + edges_table(), re.MULTILINE)
    assert named == [each.name for each in (*schema.LABELS, *schema.EDGE_TYPES)]
    assert "capacity (integer)" in nodes_table()
    assert "| `SHARED` | Person | Event, Content | channel, times (integer) |" in edges_table()


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(TerminalError, match="no place for its edges"):
        rewritten(TEXT.replace("<!-- end of edges -->", ""))


def test_every_query_is_described() -> None:
    pages = "\n".join(page.read_text() for page in sorted(PAGE.parent.glob("graph*.md")))
    assert set(re.findall(r"^\| `([a-z_]+)` \|", pages, re.MULTILINE)) >= set(catalogue())
