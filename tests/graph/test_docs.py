"""docs/graph.md names every label, edge type and query there is."""

import re
from pathlib import Path

from sonik_assets.graph import schema
from sonik_assets.serving.catalogue import catalogue

TEXT = (Path(__file__).parents[2] / "docs" / "graph.md").read_text()


def test_the_documentation_is_complete() -> None:
    named = set(re.findall(r"^\|[^|]*\| `(\w+)` \||^\| `(\w+)` \|", TEXT, re.MULTILINE))
    names = {first or second for first, second in named}
    declared = {label.name for label in schema.LABELS} | {edge.name for edge in schema.EDGE_TYPES}
    assert names == declared | set(catalogue())
