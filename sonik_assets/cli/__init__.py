"""`sonik`: prints what serving and the stages know, decides nothing.

One module a group of commands; each offers `register(app)` and imports what is heavy inside its commands,
because `sonik --help` must answer at once.
"""

import os
import sys

import typer

from resources.errors import SonikError
from sonik_assets.cli import (
    claim,
    demo,
    dlq,
    entity,
    identity,
    loading,
    migrate,
    read,
    review,
    searching,
    servers,
    vectors,
)

GROUPS = (demo, servers, read, searching, entity, claim, review, identity, dlq, vectors, loading, migrate)


def build() -> typer.Typer:
    """Return the application with every group's commands."""
    app = typer.Typer(
        name="sonik",
        help="Latin America's concerts, clubs and festivals as one truth.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for group in GROUPS:
        group.register(app)
    return app


def main() -> None:
    """Run a command; whatever goes wrong is one line on stderr and exit code 1."""
    try:
        build()()
    except SonikError as error:
        _fail(str(error), error)
    except Exception as error:  # noqa: BLE001 - the last resort of a command line
        _fail(f"unexpected {type(error).__name__}: {error} (SONIK_DEBUG=1 shows where)", error)


def _fail(message: str, error: Exception) -> None:
    if os.environ.get("SONIK_DEBUG") == "1":
        raise error
    one_line = " ".join(message.split())
    print(f"sonik: {one_line}", file=sys.stderr)
    sys.exit(1)
