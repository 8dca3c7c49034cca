"""A home of its own for tests that start and break servers."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources import embedded
from tests.support.homes import settings_of


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a folder for a SONIK_HOME; its servers and data are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sonik-home-"))
    yield folder
    embedded.delete(settings_of(folder))
    shutil.rmtree(folder, ignore_errors=True)
