"""Users of FalkorDB, on the real server: what the agent and the reader may do works, all else is refused."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from falkordb import FalkorDB
from redis.backoff import NoBackoff
from redis.retry import Retry

from resources import embedded
from resources.embedded.layout import Layout
from resources.embedded.users import AGENT, LIMITED, READER, User
from resources.settings import Settings
from resources.stores import falkordb as falkordb_store

GRAPHS = ("operations", "knowledge", "agent_memory")
OTHERS = ("operations:next", "agent_memory:next", "agent_memory2", "sonik:positions", "cache:answer", "Operations", "*")
WITHOUT_LOGIN = {"auth", "hello", "quit", "reset"}
"""Redis leaves these to everybody, logged in or not; what they can do is tested below."""
MAY = {"ping", "info", "client|setinfo", "client|setname", "graph.query", "graph.ro_query"}
REFUSED = r"[Nn]o permissions|command not allowed"
"""The second: DEBUG and MODULE are closed to everybody."""
NEITHER = (redis.exceptions.NoPermissionError, redis.exceptions.AuthenticationError)


@pytest.fixture
def graphs(falkordb: FalkorDB) -> Iterator[FalkorDB]:
    """Fill the three graphs and keys that are nobody else's business."""
    for name in (*GRAPHS, "operations:next"):
        falkordb.select_graph(name).query("CREATE (:Venue {id: 'a', name: 'x'})-[:NEAR {id: 'e'}]->(:Venue {id: 'b'})")
    falkordb.connection.hset("sonik:positions", "operations", "0/1")
    falkordb.connection.set("cache:answer", "private")
    yield falkordb
    falkordb.connection.delete("sonik:positions", "cache:answer", "operations:next")


@pytest.fixture(params=LIMITED)
def user(request: pytest.FixtureRequest) -> User:
    """Return the agent, then the reader."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def client(settings: Settings, user: User) -> Iterator[redis.Redis]:
    """Return a plain client of the user."""
    with redis.Redis.from_url(
        embedded.falkordb_url_for(settings, user), decode_responses=True, socket_timeout=5
    ) as client:
        yield client


def contents(owner: FalkorDB) -> dict[str, Any]:
    """Return everything that somebody could have changed."""
    run = owner.connection.execute_command
    held = {
        name: run("GRAPH.RO_QUERY", name, "MATCH (n) OPTIONAL MATCH (n)-[e]->() RETURN n, e ORDER BY id(n)")[:2]
        for name in (*GRAPHS, "operations:next")
    }
    indexes = {name: run("GRAPH.RO_QUERY", name, "CALL db.indexes()")[1] for name in GRAPHS}
    keys = {key for key in owner.connection.scan_iter() if not key.startswith("telemetry")}
    return {
        "held": held,
        "indexes": indexes,
        "keys": keys,
        "users": run("ACL LIST"),
        "config": owner.connection.config_get("*"),
        "graph config": run("GRAPH.CONFIG", "GET", "*"),
        "values": (owner.connection.get("cache:answer"), owner.connection.hgetall("sonik:positions")),
    }


def test_the_agent_works_in_its_graph_and_reads_the_others(graphs: FalkorDB, settings: Settings) -> None:
    agent = falkordb_store.connect(embedded.falkordb_url_for(settings, AGENT))
    memory = agent.select_graph("agent_memory")
    memory.query("CREATE (:Memory {id: $id})", {"id": "m"})
    memory.query("MATCH (m:Memory) SET m.text = 'x'")
    memory.create_node_range_index("Memory", "id")
    assert memory.ro_query("MATCH (m:Memory) RETURN m.id, m.text").result_set == [["m", "x"]]
    memory.query("MATCH (m:Memory) DELETE m")
    for name in GRAPHS:
        assert agent.select_graph(name).ro_query("MATCH (v:Venue) RETURN count(v)").result_set == [[2]]
    assert graphs.select_graph("agent_memory").ro_query("MATCH (n) RETURN count(n)").result_set == [[2]]


def test_the_agent_makes_its_graph_where_there_is_none(falkordb: FalkorDB, settings: Settings) -> None:
    agent = falkordb_store.connect(embedded.falkordb_url_for(settings, AGENT))
    agent.select_graph("agent_memory").query("CREATE (:Memory)")
    assert falkordb.list_graphs() == ["agent_memory"]


def test_the_reader_reads(graphs: FalkorDB, settings: Settings) -> None:
    reader = falkordb_store.connect(embedded.falkordb_url_for(settings, READER))
    for name in GRAPHS:
        assert reader.select_graph(name).ro_query("MATCH (v:Venue) RETURN count(v)").result_set == [[2]]
    with pytest.raises(redis.exceptions.NoPermissionError):
        reader.select_graph("agent_memory").query("CREATE (:Memory)")


@pytest.mark.parametrize("key", ["agent_memory", "operations", "cache:answer"])
def test_every_command_of_the_server_but_six_is_refused(
    graphs: FalkorDB, client: redis.Redis, user: User, key: str
) -> None:
    before = contents(graphs)
    may = MAY - ({"graph.query"} if user == READER else set())
    tried = {name: arity for name, arity in _commands(graphs) if name not in WITHOUT_LOGIN | may}
    assert len(tried) > 400
    not_refused = [name for name, arity in tried.items() if not _refused(client, name.split("|"), arity, key)]
    assert not_refused == []
    assert contents(graphs) == before


def _refused(client: redis.Redis, words: list[str], arity: int, key: str) -> bool:
    arguments = arity - len(words) if arity > 0 else max(-arity - len(words), 3)
    try:
        client.execute_command(*words, *[key] * arguments)
    except redis.ResponseError as error:
        return re.search(REFUSED, str(error)) is not None
    return False


def _commands(owner: FalkorDB) -> Iterator[tuple[str, int]]:
    """Yield name and arity of all commands; a container only where it has no subcommands."""
    for each in owner.connection.execute_command("COMMAND").values():
        yield from ((str(sub[0]).lower(), int(sub[1])) for sub in each["subcommands"])
        if not each["subcommands"]:
            yield each["name"].lower(), each["arity"]


ADMINISTRATION = [
    ("GRAPH.CONFIG", "SET", "TIMEOUT_MAX", "0"),
    ("GRAPH.CONFIG", "SET", "IMPORT_FOLDER", "/"),
    ("GRAPH.DELETE", "agent_memory"),
    ("GRAPH.COPY", "operations", "agent_memory"),
    ("GRAPH.CONSTRAINT", "CREATE", "agent_memory", "UNIQUE", "NODE", "Venue", "PROPERTIES", "1", "id"),
    ("GRAPH.BULK", "agent_memory", "BEGIN", "0", "0", "0", "0"),
    ("GRAPH.PROFILE", "operations", "CREATE (:X)"),
    ("GRAPH.EXPLAIN", "operations", "CREATE (:X)"),
    ("GRAPH.UDF", "LOAD", "lib", "falkor.register('f', () => 1)"),
    ("GRAPH.EFFECT", "operations", "x"),
    ("GRAPH.RESTORE", "operations", "x"),
    ("GRAPH.SLOWLOG", "operations"),
    ("GRAPH.MEMORY", "USAGE", "operations"),
    ("GRAPH.INFO", "operations"),
    ("RENAME", "agent_memory", "operations"),
    ("COPY", "operations", "agent_memory", "REPLACE"),
    ("DUMP", "operations"),
    ("RESTORE", "agent_memory", "0", "x", "REPLACE"),
    ("CONFIG", "SET", "requirepass", ""),
    ("ACL", "SETUSER", "sonik_agent", "allkeys", "allcommands"),
    ("EVAL", "return redis.call('GET', 'cache:answer')", "0"),
    ("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('f', function() return 1 end)"),
    ("MODULE", "LOAD", "/x.so"),
    ("MULTI",),
    ("SUBSCRIBE", "__keyspace@0__:*"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("MIGRATE", "127.0.0.1", "1", "operations", "0", "1"),
    ("SELECT", "1"),
    ("CLIENT", "LIST"),
    ("MONITOR",),
    ("DEBUG", "SLEEP", "0"),
    ("SHUTDOWN",),
    ("FLUSHALL",),
]


@pytest.mark.parametrize("command", ADMINISTRATION, ids=" ".join)
def test_what_breaks_out_with_its_right_arguments_is_refused(
    graphs: FalkorDB, client: redis.Redis, command: tuple[str, ...]
) -> None:
    with pytest.raises(redis.ResponseError, match=REFUSED):
        client.execute_command(*command)
    assert graphs.select_graph("operations").ro_query("RETURN 1").result_set == [[1]]


@pytest.mark.parametrize("key", OTHERS)
def test_other_keys_are_out_of_reach(graphs: FalkorDB, client: redis.Redis, key: str) -> None:
    before = contents(graphs)
    for command in ("GRAPH.QUERY", "GRAPH.RO_QUERY"):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(command, key, "CREATE (:X)")
    assert contents(graphs) == before


WRITES = [
    "CREATE (:X)",
    "MATCH (n) SET n.name = 'x'",
    "MATCH (n) REMOVE n.name",
    "MATCH (n) DETACH DELETE n",
    "MERGE (:X {id: 1})",
    "UNWIND [1] AS i CALL { CREATE (x) RETURN x } RETURN x",
    "MATCH (n) FOREACH (i IN [1] | SET n.name = 'x')",
    "CREATE INDEX FOR (n:Venue) ON (n.name)",
    "DROP INDEX FOR (n:Venue) ON (n.id)",
    "CREATE VECTOR INDEX FOR (n:Venue) ON (n.v) OPTIONS {dimension: 2, similarityFunction: 'cosine'}",
    "CREATE FULLTEXT INDEX FOR (n:Venue) ON (n.name)",
    "CALL db.idx.fulltext.createNodeIndex('Venue', 'name')",
    "CALL db.idx.fulltext.drop('Venue')",
    "CYPHER x=1 CREATE (:X)",
    "RETURN 1; CREATE (:X)",
]


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_cypher_writes_through_a_read(graphs: FalkorDB, client: redis.Redis, graph: str) -> None:
    before = contents(graphs)
    for query in WRITES:
        with pytest.raises(redis.ResponseError, match=r"read-only|more than one statement"):
            client.execute_command("GRAPH.RO_QUERY", graph, query)
    assert contents(graphs) == before


def test_a_read_of_a_graph_that_is_not_there_makes_none(falkordb: FalkorDB, client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        client.execute_command("GRAPH.RO_QUERY", "operations", "MATCH (n) RETURN n")
    with pytest.raises(redis.ResponseError):
        client.execute_command("GRAPH.RO_QUERY", "operations")
    assert falkordb.list_graphs() == []


@pytest.mark.parametrize("graph", GRAPHS)
def test_writes_stop_at_the_agents_graph(graphs: FalkorDB, client: redis.Redis, user: User, graph: str) -> None:
    if user == AGENT and graph == "agent_memory":
        pytest.skip("that one it may write")
    before = contents(graphs)
    for query in WRITES:
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command("GRAPH.QUERY", graph, query)
    assert contents(graphs) == before


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "/../../../etc/passwd", "", "/", "fd/0"])
def test_no_file_of_the_server_is_read(graphs: FalkorDB, client: redis.Redis, path: str) -> None:
    with pytest.raises(redis.ResponseError, match="Error opening CSV"):
        client.execute_command("GRAPH.RO_QUERY", "operations", f"LOAD CSV FROM 'file://{path}' AS line RETURN line")


def test_the_server_connects_to_nobody_for_them(graphs: FalkorDB, client: redis.Redis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        for scheme in ("https", "http", "ftp"):
            query = f"LOAD CSV FROM '{scheme}://localhost:{port}/private' AS line RETURN line"
            try:
                assert client.execute_command("GRAPH.RO_QUERY", "operations", query)[1] == []
            except redis.ResponseError as error:
                assert "Unsupported URI" in str(error)  # noqa: PT017 - either answer will do, a connection will not
        with pytest.raises(TimeoutError):
            listener.accept()


def test_nobody_becomes_somebody_else(graphs: FalkorDB, settings: Settings, client: redis.Redis) -> None:
    for attempt in (
        ("AUTH", ""),
        ("AUTH", "default", ""),
        ("AUTH", "sonik", ""),
        ("HELLO", "2", "AUTH", "default", ""),
    ):
        with pytest.raises(redis.exceptions.AuthenticationError):
            client.execute_command(*attempt)
    assert client.info("server")["redis_mode"] == "standalone"
    pinned = client.client()
    pinned.execute_command("RESET")
    with pytest.raises(NEITHER):
        pinned.execute_command("GRAPH.RO_QUERY", "operations", "RETURN 1")


def test_the_socket_alone_opens_nothing(graphs: FalkorDB, settings: Settings) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=str(Layout(settings.home).redis_socket), retry=once) as anonymous:
        for command in (("PING",), ("INFO",), ("GRAPH.RO_QUERY", "operations", "RETURN 1"), ("ACL", "WHOAMI")):
            with pytest.raises(redis.exceptions.AuthenticationError):
                anonymous.execute_command(*command)


def test_the_servers_own_words_hold_no_query_and_no_secret(graphs: FalkorDB, client: redis.Redis) -> None:
    graphs.select_graph("operations").query("MATCH (n {id: 'very-private'}) RETURN n")
    said = str(client.info("everything")) + str(client.execute_command("HELLO", "2"))
    assert "very-private" not in said
    assert str(graphs.connection.connection_pool.connection_kwargs["password"]) not in said
