"""What a run's first build does not wait for: dagster-dbt asks by names that are its own, and could change."""

import subprocess
from importlib.metadata import version
from typing import Any

import pytest
from dagster_dbt import DbtCliResource

from sonik_assets.unified.assets import RESOURCES, Dbt


def test_neither_dbts_version_nor_an_adapter_costs_a_process_or_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*command: object, **_: object) -> Any:
        raise AssertionError(f"a process was started: {command}")

    monkeypatch.setattr(subprocess, "Popen", started)
    assert str(RESOURCES["dbt"]._cli_version) == version("dbt-core")
    assert RESOURCES["dbt"]._initialize_dbt_core_adapter([]) is None


@pytest.mark.parametrize("name", ["_cli_version", "_initialize_dbt_core_adapter"])
def test_dagster_dbt_still_asks_by_this_name(name: str) -> None:
    assert name in vars(DbtCliResource)
    assert name in vars(Dbt)
