"""A small scene in PostgreSQL and in the graph, for everything that reads. Nobody changes it for good."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from falkordb import FalkorDB
from psycopg.types.json import Jsonb

from sonik_assets.graph.mend import mend
from tests.support.protected import protect
from tests.support.unified import World


@dataclass
class Scene:
    """The connections and the ids by name."""

    pg: psycopg.Connection[Any]
    client: FalkorDB
    ids: dict[str, str]


PEOPLE = ("Leo", "Mia", "Eva", "Zoe", "Iris")
EDGES = """
Ana PERFORMS_AT Noche; Ana PERFORMS_AT Tarde; Beto PERFORMS_AT Tarde
Noche HOSTED_BY Ñandú; Tarde HOSTED_BY Ñandú
Noche PROMOTED_BY Crobar; Tarde PROMOTED_BY Crobar; Eva WORKS_FOR Crobar; Eva MANAGES Ana; Mia OWNS Ñandú
Leo ATTENDED Noche; Leo ATTENDED Tarde; Mia ATTENDED Noche; Leo SHARED Noche; Leo REFERRED Mia
Leo PURCHASED vip; Iris OWNS Crobar
"""


def build(pg: psycopg.Connection[Any], client: FalkorDB) -> Scene:
    """Write the scene to both stores."""
    world = World(pg)
    labels = {"Ñandú": "Venue", "Crobar": "Organization", "Noche": "Event", "Tarde": "Event"}
    labels |= dict.fromkeys(("Ana", "Beto"), "Artist") | dict.fromkeys(PEOPLE, "Person")
    ids = {name: world.entity(label, name) for name, label in labels.items()}
    pg.execute("update unified.events set local_date = '2026-03-01'")
    ids["vip"] = world.add("unified.tickets", tier="vip", event_id=ids["Noche"])
    labels["vip"] = "Ticket"
    for edge in EDGES.replace("\n", ";").strip(";").split(";"):
        start, type, end = edge.split()
        world.relate((labels[start], ids[start]), type, (labels[end], ids[end]), at=datetime.now(UTC))
    _knowledge(world)
    _marts(world, ids)
    protect(pg)
    for graph in ("operations", "knowledge"):
        mend(pg, client, graph)
    return Scene(pg, client, ids)


def _knowledge(world: World) -> None:
    search = world.add("unified.features", name="Search", suite="discovery", revenue_impact=5)
    revenue = world.add("unified.revenues", name="tickets")
    modules = [world.add("unified.code_modules", path=path, importance=1) for path in ("a.search", "a.text")]
    world.relate(("Feature", search), "IMPACTS", ("Revenue", revenue))
    world.relate(("CodeModule", modules[0]), "IMPLEMENTS", ("Feature", search))
    world.relate(("CodeModule", modules[0]), "DEPENDS_ON", ("CodeModule", modules[1]))


def _marts(world: World, ids: dict[str, str]) -> None:
    world.add(
        "marts.whats_on",
        event_id=ids["Noche"],
        event_name="Noche",
        city="Bogotá",
        local_date=date(2026, 3, 1),
        artists=["Ana"],
        price_min=50,
        starts_at=datetime(2026, 3, 2, 1, tzinfo=UTC),
    )
    sentence = "We sent 847 clicks to your ticket page"
    world.add("marts.organizer_leads", organization_id=ids["Crobar"], name="Crobar", sentence=sentence, score=3)
    world.add("marts.organizer_leads", organization_id=ids["Ana"], name="Nobody", score=None)
    world.add("identity.entity_map", source="directus", table_name="venues", record_id="7", entity_id=ids["Ñandú"])
    world.add("identity.redirects", old_id=OLD, new_id=OLDER)
    world.add("identity.redirects", old_id=OLDER, new_id=ids["Ñandú"], reason="merged")
    world.pg.execute("update unified.entities set metadata = %s where name = 'Ñandú'", [Jsonb({"city": "Lima"})])


OLD, OLDER = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
