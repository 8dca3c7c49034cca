"""A small world in PostgreSQL, and settings whose vector tables are in a folder of the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.settings import Settings
from tests.support.searchable import place_in, world_in
from tests.support.unified import World


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with world_in(database) as world:
        yield world


@pytest.fixture
def place(settings: Settings, database: str, tmp_path: Path) -> Settings:
    return place_in(settings, database, tmp_path)
