"""Do PostgreSQL and the stores of vectors hold the same documents? Ids are compared as sets, nothing is repaired."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.stores import lancedb
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    import psycopg

    from resources.settings import Settings

_COPIED = "select id from unified.embeddings where table_name = %s"


@dataclass(frozen=True)
class Parity:
    """Ids expected and found; `duplicates` counts rows beyond one an id."""

    expected: int
    found: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    duplicates: int
    sql: str

    @property
    def holds(self) -> bool:
        """True when the stores hold the same ids, each once."""
        return not (self.missing or self.surplus or self.duplicates)


def parity(pg: "psycopg.Connection", settings: "Settings", name: str) -> Parity:
    """Compare the ids of a table's documents with the ids in LanceDB; a missing table holds none."""
    table = lancedb.open_table(lancedb.connect(settings.lancedb_uri), name)
    rows: list[Any] = [] if table is None else table.search().select(["id"]).limit(None).to_arrow()["id"].to_pylist()
    return _compared(pg, name, rows)


def copy_parity(pg: "psycopg.Connection", name: str) -> Parity:
    """Compare the ids of a table's documents with those of `unified.embeddings`, which may not be there."""
    (there,) = pg.execute("select to_regclass('unified.embeddings') is not null").fetchone() or (False,)
    return _compared(pg, name, [row[0] for row in pg.execute(_COPIED, [name])] if there else [])


def _compared(pg: "psycopg.Connection", name: str, rows: list[str]) -> Parity:
    table = TABLES[name]
    sql = f"select id from ({table.sql.format(base=f'unified.{table.base}')}) as d where d.text <> ''"
    expected, found = {row[0] for row in pg.execute(sql)}, set(rows)
    return Parity(
        expected=len(expected),
        found=len(rows),
        missing=tuple(sorted(expected - found)),
        surplus=tuple(sorted(found - expected)),
        duplicates=len(rows) - len(found),
        sql=sql,
    )
