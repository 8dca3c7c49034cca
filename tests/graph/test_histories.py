"""Random histories with merges, splits, deletes and dangling edges: the graph ends as the tables are."""

import pytest
from falkordb import FalkorDB
from psycopg import Connection

from sonik_assets.graph.parity import BUCKETS, falsified, parities
from sonik_assets.graph.schema import parts_of
from sonik_assets.graph.sync import sync
from tests.support.graph_history import History
from tests.support.unified import World

_WAITS_IN_VAIN = """
select count(*) from ops.waiting_edges as w
left join unified.relationships as r on w.edge_id = r.id
where r.id is null or (
    exists (select from unified.entities as e where e.id = r.from_id and initcap(e.entity_type) = r.from_label)
    and exists (select from unified.entities as e where e.id = r.to_id and initcap(e.entity_type) = r.to_label)
)
"""
_FORGOTTEN = """
select count(*) from unified.relationships as r
where not exists (select from ops.waiting_edges as w where w.graph = 'operations' and w.edge_id = r.id) and not (
    exists (select from unified.entities as e where e.id = r.from_id and initcap(e.entity_type) = r.from_label)
    and exists (select from unified.entities as e where e.id = r.to_id and initcap(e.entity_type) = r.to_label)
)
"""


def assert_same(pg: Connection, falkordb: FalkorDB) -> None:
    """The graph is what the tables are: ids, hashes and properties; what waits has a reason to."""
    graph = falkordb.select_graph("operations")
    assert [each for each in parities(pg, graph, "operations") if not each.holds] == []
    assert [id for part in parts_of("operations")[:2] for b in BUCKETS for id in falsified(pg, graph, part, b)] == []
    assert pg.execute(_WAITS_IN_VAIN).fetchall() == [(0,)]
    assert pg.execute(_FORGOTTEN).fetchall() == [(0,)]


@pytest.mark.parametrize("seed", range(6))
def test_the_graph_ends_as_the_tables_are(world: World, falkordb: FalkorDB, database: str, seed: int) -> None:
    history = History(world, seed)
    sync(database, falkordb, "operations")
    for _ in range(12):
        for _ in range(history.dice.randint(1, 6)):
            history.step()
        done = sync(database, falkordb, "operations", batch=history.dice.choice((1, 5, 1000)))
        assert done.rebuilt == ""
        assert_same(world.pg, falkordb)
