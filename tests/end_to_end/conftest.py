"""One home on which `sonik demo` ran once and twice, over a small cut of the sample."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cutting, hard_cases
from tests.support.demos import Demo, demo_home


@pytest.fixture(scope="session")
def small_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the small exports; only the tests of changes write there, and put back what they changed."""
    folder = cutting.cut(tmp_path_factory.mktemp("exports"))
    hard_cases.add(folder)
    return folder


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python tree that stays as it is while people work on ours."""
    return cutting.write_code(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="session")
def first(small_exports: Path, code: Path) -> Iterator[Demo]:
    """Return a home on which the demo ran once."""
    with demo_home(small_exports, code) as demo:
        demo.demo()
        yield demo


@pytest.fixture(scope="session")
def second(first: Demo) -> Demo:
    """Return the same home after the demo ran again on the same exports."""
    first.demo()
    return first
