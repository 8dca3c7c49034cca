"""docs/graph-queries.md lists the queries as their files have them."""

import pytest

from resources.errors import TerminalError
from sonik_assets.serving.describe import PAGE, rewritten


def test_the_page_lists_every_query_as_it_is() -> None:
    page = PAGE.read_text()
    assert rewritten(page) == page, "run `python -m sonik_assets.serving.describe`"


def test_a_page_without_a_place_for_the_list_is_refused() -> None:
    with pytest.raises(TerminalError, match="no place for the list"):
        rewritten("# Questions")
