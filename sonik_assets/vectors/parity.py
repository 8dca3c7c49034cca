"""Do PostgreSQL and LanceDB hold the same documents? Ids are compared as sets; nothing is repaired here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.stores import lancedb
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    import psycopg

    from resources.settings import Settings


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
    sql = f"select id from ({TABLES[name].sql}) as d where d.text <> ''"
    expected = {row[0] for row in pg.execute(sql)}
    table = lancedb.open_table(lancedb.connect(settings.lancedb_uri), name)
    rows = [] if table is None else table.search().select(["id"]).to_arrow()["id"].to_pylist()
    found: set[str] = {str(id) for id in rows}
    return Parity(
        expected=len(expected),
        found=len(rows),
        missing=tuple(sorted(expected - found)),
        surplus=tuple(sorted(found - expected)),
        duplicates=len(rows) - len(found),
        sql=sql,
    )
