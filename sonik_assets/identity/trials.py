"""Which matchers a trial uses, and putting one to use with another threshold. What a matcher is: `matching/`.

A matcher never changes: with another threshold it is another one, of a version of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg

from resources.errors import TerminalError
from sonik_assets.identity import matchers

if TYPE_CHECKING:
    from sonik_assets.identity.matching.model import Matcher


@dataclass(frozen=True)
class Tried:
    """A matcher on trial. `kept`: the version to adopt, the matcher's own but for the threshold `link`, if given.

    `trained`: it was made for this trial.
    """

    matcher: "Matcher"
    kept: str
    link: float | None = None
    trained: bool = False


def others(
    connection: psycopg.Connection, links: Mapping[str, float], versions: Sequence[str], train: Sequence[str]
) -> dict[str, Tried]:
    """Return the matchers that are given, by type: other `versions`, those to `train` now, and other thresholds.

    `links`: entity type -> link threshold, of the matcher given or else in use. A trained one is kept.
    Raises TerminalError where there is no such matcher, or a threshold is below its review.
    """
    loaded = [matchers.load(connection, version) for version in versions]
    found = {each.kind: Tried(each, each.version) for each in loaded}
    for kind in train:
        made = matchers.trained(connection, kind)
        found[kind] = Tried(made, made.version, trained=True)
    used = matchers.versions(connection)
    for kind, link in links.items():
        if kind not in found and kind not in used:
            raise TerminalError(f"no matcher of {kind} is in use: `sonik identity train {kind}` makes one")
        base = found.get(kind) or Tried(matchers.load(connection, used[kind]), used[kind])
        found[kind] = replace(base, matcher=linking_from(base.matcher, link), link=link)
    return found


def adopt(connection: psycopg.Connection, version: str, link: float | None = None) -> "Matcher":
    """Put a matcher to use, with another link threshold if one is given; the next run scores everything anew.

    Raises TerminalError as `others`.
    """
    matcher = matchers.load(connection, version)
    if link is not None:
        matcher = linking_from(matcher, link)
        matchers.keep(connection, matcher)
    matchers.adopt(connection, matcher.version)
    return matcher


def linking_from(matcher: "Matcher", link: float) -> "Matcher":
    """Return the matcher with another link threshold. Raises TerminalError where that is below its review."""
    if not matcher.review <= link < 1:
        raise TerminalError(f"{matcher.version} asks people from {matcher.review:g} on: link from there to below 1")
    return replace(matcher, link=link)
