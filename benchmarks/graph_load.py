"""The first load of a graph, from PostgreSQL, beside falkordb-bulk-loader, from CSV files of the same rows.

100,000 nodes and 500,000 edges at scale 1, a million and five million at 10. The yardstick need not read
PostgreSQL, and the writing of its files is not counted.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from falkordb import FalkorDB

from benchmarks.metrics import Metric
from resources.embedded.urls import with_database
from resources.stores.falkordb import connect
from sonik_assets.graph import desired, schema
from sonik_assets.graph.bulk import Loaded, rebuild
from tests.support.unified import World

NODES = 100_000
GRAPH, YARDSTICK = schema.OPERATIONS, "bulk_loader"
LOADER = Path(sys.executable).with_name("falkordb-bulk-insert")
_INDEXES = """
create index on unified.relationships (type, from_id);
create index on unified.relationships (type, to_id);
create index on unified.entities (entity_type);
"""
_ENTITIES = """
insert into unified.entities (id, entity_type, name, canonical_id, claim_status, metadata)
select md5(%(label)s || i)::uuid, lower(%(label)s), %(label)s || ' ' || i, md5(i::text), 'unclaimed',
    case %(label)s
        when 'Person' then jsonb_build_object('type', 'fan')
        when 'Artist' then jsonb_build_object('country', 'AR', 'genres', jsonb_build_array('techno', 'house'))
        else jsonb_build_object('latitude', random() - 34, 'longitude', random() - 58, 'city', 'Lima')
    end
from generate_series(0, %(rows)s - 1) as i
"""
_EVENTS = """
insert into unified.events (id, name, starts_at, local_date, status, genres, city)
select md5(%(label)s || i)::uuid, 'Noche ' || i, now(), current_date, 'scheduled',
    case when i %% 4 = 0 then array['techno', 'house'] end, 'Lima'
from generate_series(0, %(rows)s - 1) as i
"""
_SHARES = {"Person": 0.7, "Event": 0.15, "Artist": 0.1, "Venue": 0.05}
_EDGES = (
    ("ATTENDED", "Person", "Event", 3.0),
    ("SHARED", "Person", "Event", 1.0),
    ("PERFORMS_AT", "Artist", "Event", 0.5),
    ("HOSTED_BY", "Event", "Venue", 0.5),
)
"""Type, ends, and how many there are for each node of the graph."""
_EDGE_ROWS = """
insert into unified.relationships
    (id, from_label, from_id, type, to_label, to_id, discriminator, weight, at, source, confidence)
select md5(%(type)s || i)::uuid, %(start)s, md5(%(start)s || floor(random() * %(starts)s)::int8)::uuid, %(type)s,
    %(end)s, md5(%(end)s || floor(power(random(), 3) * %(ends)s)::int8)::uuid, 'd' || i, random(),
    now() - i * interval '1 second', case when i %% 2 = 0 then 'mongo' else 'instagram' end, 1
from generate_series(1, %(rows)s) as i
"""


def load_metrics(postgres: str, url: str, folder: Path) -> Iterator[Metric]:
    """Yield what the load takes beside the yardstick, and where its time goes; the yardstick's graph is gone then."""
    client = connect(url)
    theirs = _bulk_loader(postgres, url, folder)
    ours, done = _ours(postgres, client)
    _same(client)
    client.select_graph(YARDSTICK).delete()
    yield Metric("bulk_vs_bulk_loader", ours, "s", yardstick=theirs)
    yield Metric("bulk_rows_per_second", done.rows / ours, "rows/s", yardstick=done.rows / theirs)
    for step, seconds in done.seconds.items():
        yield Metric(f"bulk_{step}_seconds", seconds, "s")
    again, done = _ours(postgres, client)
    yield Metric("bulk_again_seconds", again, "s", yardstick=ours)
    yield Metric("bulk_swap_seconds_over_a_full_graph", done.seconds["swap"], "s")


def make(server: str, nodes: int) -> str:
    """Make a database with so many nodes and five times as many edges; return its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database graph_load template template0")
    url = with_database(server, "graph_load")
    count = {label: int(share * nodes) for label, share in _SHARES.items()}
    with psycopg.connect(url, autocommit=True) as connection:
        World(connection)
        for label, rows in count.items():
            connection.execute(_EVENTS if label == "Event" else _ENTITIES, {"label": label, "rows": rows})
        for type, start, end, each in _EDGES:
            wanted = {"type": type, "start": start, "end": end, "starts": count[start], "ends": count[end]}
            connection.execute(_EDGE_ROWS, wanted | {"rows": int(each * nodes)})
        connection.execute(_INDEXES)
        connection.execute("vacuum analyze")
    return url


def _ours(postgres: str, client: FalkorDB) -> tuple[float, Loaded]:
    started = time.perf_counter()
    done = rebuild(postgres, client, GRAPH, "0/1")
    return time.perf_counter() - started, done


def _bulk_loader(postgres: str, url: str, folder: Path) -> float:
    """Load the same rows with falkordb-bulk-loader, and the same indexes; its files are there before the clock runs."""
    # Its client gives up after seconds while the server takes in 64 MB.
    patient = f"{url}{'&' if '?' in url else '?'}socket_timeout=600"
    command = [str(LOADER), YARDSTICK, "--server-url", patient, "--id-type", "STRING"]
    for option, name, sql in _queries():
        path = folder / f"{name}.csv"
        if _export(postgres, sql, path):
            command += [option, name, str(path)]
            command += ["--index", f"{name}:id"] if option == "--nodes-with-label" else []
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _queries() -> Iterator[tuple[str, str, str]]:
    for label in schema.labels_of(GRAPH):
        yield "--nodes-with-label", label.name, desired.nodes_sql(label)
    for edge in schema.edge_types_of(GRAPH):
        names = ", ".join(f'"{each.name}"' for each in (*schema.COMMON, *edge.properties))
        rows = " union all ".join(
            f"select from_id, to_id, id, row_hash, {names} from ({desired.edges_sql(edge, ends)}) as d"
            for ends in edge.ends
        )
        yield "--relations-with-type", edge.name, rows


def _export(postgres: str, sql: str, path: Path) -> int:
    """Write the rows to a CSV file; return how many there are."""
    with psycopg.connect(postgres) as connection, connection.cursor() as cursor, path.open("wb") as file:
        with cursor.copy(f"copy ({sql}) to stdout with (format csv, header)") as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount


def _same(client: FalkorDB) -> None:
    for query in ("MATCH (n) RETURN count(n)", "MATCH ()-[e]->() RETURN count(e)"):
        ours, theirs = (client.select_graph(name).query(query).result_set for name in (GRAPH, YARDSTICK))
        assert ours == theirs, (ours, theirs)
