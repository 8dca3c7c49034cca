"""A home of its own in which `sonik` is run as a person runs it, and what its stores hold.

Here: the command in a process, and looks into the stores. Not here: any claim about them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lancedb
import psycopg

from resources import embedded
from resources.embedded.urls import with_database
from resources.settings import ROOT, Settings
from resources.stores import falkordb, redis

GRAPHS = ("operations", "knowledge", "agent_memory")
SONIK = str(Path(sys.executable).with_name("sonik"))
Done = subprocess.CompletedProcess[str]


@dataclass
class Demo:
    """A home, the exports it reads, and the Python tree of its knowledge graph."""

    home: Path
    exports: Path
    code: Path
    reports: list[dict[str, Any]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see: nothing of ours that could name other servers."""
        names = {"SONIK_HOME": self.home, "SONIK_EXPORTS": self.exports, "SONIK_CODE_ROOT": self.code}
        return {"PATH": os.environ["PATH"], "COLUMNS": "200", **{name: str(path) for name, path in names.items()}}

    @property
    def settings(self) -> Settings:
        """The same as settings."""
        return Settings.from_env(self.environment)

    def sonik(self, *arguments: str, **variables: str) -> Done:
        """Run a command to its end."""
        return subprocess.run(
            [SONIK, *arguments],
            env=self.environment | variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def start(self) -> subprocess.Popen[bytes]:
        """Start `sonik demo` and return its process."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen([SONIK, "demo"], env=self.environment, cwd=ROOT, stdout=quiet, stderr=quiet)

    def demo(self) -> dict[str, Any]:
        """Run `sonik demo`, which must succeed, and return the report that it wrote."""
        done = self.sonik("demo")
        assert done.returncode == 0, done.stderr
        self.output.append(done.stdout)
        self.reports.append(json.loads((self.home / "demo_report.json").read_text()))
        return self.reports[-1]

    def json(self, *arguments: str) -> Any:
        """Run a reading command with --json and return what it says."""
        done = self.sonik(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(self, query: str, *values: object, database: str = "sonik") -> list[Any]:
        """Return the rows of a query."""
        url = with_database(embedded.endpoints(self.settings).postgres, database)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def graph(self, name: str, query: str) -> list[Any]:
        """Return the rows of a Cypher query."""
        client = falkordb.connect(embedded.endpoints(self.settings).falkordb)
        return list(client.select_graph(name).ro_query(query).result_set)

    def vectors(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """Return these columns of a vector table."""
        found: list[dict[str, Any]] = self._table(name).search().select(list(columns)).to_arrow().to_pylist()
        return found

    def downstream(self) -> dict[str, Any]:
        """Return what tells whether anything was written to graph, vectors or cache."""
        nodes = "MATCH (n) RETURN labels(n)[0], n.id, n.row_hash ORDER BY labels(n)[0], n.id"
        edges = "MATCH (a)-[e]->(b) RETURN type(e), e.id, a.id, b.id, e.row_hash ORDER BY type(e), e.id"
        client = redis.connect(embedded.endpoints(self.settings).redis)
        tables = lancedb.connect(self.settings.lancedb_uri).table_names(limit=100)
        return {
            "nodes": {name: self.graph(name, nodes) for name in GRAPHS},
            "edges": {name: self.graph(name, edges) for name in GRAPHS},
            "versions": {name: self._table(name).version for name in tables},
            "cache": sorted(map(str, client.scan_iter(match="sonik:cache:*", count=1000))),
        }

    def _table(self, name: str) -> Any:
        return lancedb.connect(self.settings.lancedb_uri).open_table(name)


@contextmanager
def demo_home(exports: Path, code: Path) -> Iterator[Demo]:
    """Yield a fresh home; its servers and all of it are gone afterwards."""
    # Not pytest's own folder: that one is closed to the account that PostgreSQL runs as under root.
    demo = Demo(Path(tempfile.mkdtemp(prefix="sonik-test-")), exports, code)
    try:
        yield demo
    finally:
        embedded.delete(demo.settings)
        shutil.rmtree(demo.home, ignore_errors=True)
