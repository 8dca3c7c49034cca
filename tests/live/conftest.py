"""Tests that need an outside server, or install one: only `pytest -m live` looks at them."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if config.option.markexpr == "live" else True
