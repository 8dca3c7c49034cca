"""Runs `sonik` in this process against a database, as a person at a terminal of 80 columns would."""

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from resources.embedded import Endpoints
from resources.errors import SonikError
from sonik_assets import cli
from sonik_assets.cli import read

__all__ = ["Commands"]


class Commands:
    """Commands on one database; `by`: who sits there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, endpoints: Endpoints, url: str, by: str = "ana") -> None:
        monkeypatch.setattr(read, "_endpoints", lambda: replace(endpoints, postgres=url))
        self._env = {"COLUMNS": "80", "SONIK_USER": by}

    def __call__(self, *words: str) -> str:
        """Return what a command that succeeds prints, its lines no wider than the terminal where they are a table."""
        result = CliRunner().invoke(cli.build(), words, env=self._env)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    def json(self, *words: str) -> Any:
        """Return what --json prints."""
        return json.loads(self(*words, "--json"))

    def fails(self, *words: str) -> str:
        """Return the message of a command that fails (status 1)."""
        with pytest.raises(SonikError) as raised:
            self(*words)
        return str(raised.value)

    def misused(self, *words: str) -> str:
        """Return the help that wrong usage gets (status 2)."""
        result = CliRunner().invoke(cli.build(), words, env=self._env)
        assert result.exit_code == 2, result.output
        return " ".join(result.output.replace("│", " ").split())
