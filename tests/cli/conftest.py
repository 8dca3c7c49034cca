"""`sonik` typed into a database: the review scene that all tests only read, one of a test's own, an empty one."""

import pytest

from resources.embedded import Endpoints
from tests.support.commands import Commands
from tests.support.review_scene import House, house, seen

__all__ = ["house", "seen"]


@pytest.fixture
def sonik(seen: House, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(monkeypatch, endpoints, seen.url)


@pytest.fixture
def deciding(house: House, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(monkeypatch, endpoints, house.url)


@pytest.fixture
def unused(database: str, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A database that no run has seen."""
    return Commands(monkeypatch, endpoints, database)
