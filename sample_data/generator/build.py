"""The order in which a world is written.

Here: one call a source. Not here: any record, any option of the command line.
"""

from collections import Counter
from pathlib import Path

from .agents import write_agents, write_claims
from .changes import write_changes
from .crm import write_crm
from .directus import write_directus
from .editorial import write_editorial
from .engagement import write_engagement
from .gazetteer import write_gazetteer
from .mongo import write_users
from .scrapers import write_landing
from .truth import Truth
from .world import World
from .writers import Exports


def build(scale: float, out: Path, *, engagement: bool = True) -> Counter[str]:
    """Write the exports of a world into `out` and return the records of each file.

    Without `engagement`, what fans and agents do is left out: most of a world, and no record of a thing.
    """
    world, exports = World(scale), Exports(out)
    truth = Truth(exports)
    try:
        write_directus(world, exports, truth)
        write_editorial(world, exports)
        write_landing(world, exports, truth)
        write_crm(world, exports, truth)
        write_users(world, exports, truth)
        if engagement:
            write_engagement(world, exports)
        write_changes(world, exports, truth)
        write_claims(world, exports)
        if engagement:
            write_agents(world, exports)
        write_gazetteer(world, exports)
        _things(world, truth)
    finally:
        exports.close()
    return exports.counts


def _things(world: World, truth: Truth) -> None:
    for venue in world.venues:
        truth.venue(venue)
    for artist in world.artists:
        truth.member("artist", artist)
    for organizer in world.organizers:
        truth.member("organization", organizer)
    for brand in world.brands:
        truth.member("brand", brand)
    for person in world.people():
        truth.person(person)
    for night in world.nights():
        truth.event(night)
