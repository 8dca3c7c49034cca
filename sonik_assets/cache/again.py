"""How kept questions are asked again, by kind: through the functions that people and agents ask them by.

A question says so itself (`Asked.again`: arguments as JSON). Which ones are asked again, and when, is in `warm` and
`renew`.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sonik_assets.serving import scope

if TYPE_CHECKING:
    from resources.settings import Settings
    from sonik_assets.serving.scope import Scope

logger = logging.getLogger(__name__)

type Asker = Callable[["Settings", "Scope", Mapping[str, Any]], object]
"""Asks a question once more. It goes through `answers.answer`, which keeps what comes of it."""


def _search(settings: "Settings", scope: "Scope", arguments: Mapping[str, Any]) -> object:
    from sonik_assets.serving.search import search

    days = {name: date.fromisoformat(value) for name, value in arguments.items() if name in DATES and value}
    return search(settings, scope, **{**arguments, **days})


DATES = ("date_from", "date_to")
_ASKERS: dict[str, Asker] = {"search": _search}


def register(kind: str, asker: Asker) -> None:
    """Say how questions of a kind are asked again."""
    _ASKERS[kind] = asker


def kinds() -> list[str]:
    """Return the kinds that can be asked again."""
    return list(_ASKERS)


def ask(settings: "Settings", kind: str, tenant: str, again: str) -> bool:
    """Ask a question again; False, and a warning, where nobody can or it fails: the next who asks is told why."""
    asker = _ASKERS.get(kind)
    if asker is None or not again:
        return False
    try:
        asker(settings, scope.parse(tenant), json.loads(again))
    except Exception as error:  # noqa: BLE001 - whatever one question meets, the others are asked
        logger.warning("a question of kind %s could not be asked again: %r", kind, error)
        return False
    return True
