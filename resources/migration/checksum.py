"""The SQL that both servers run to say what a unit holds, in a form that two of them can be compared by.

A row's checksum is PostgreSQL's 64-bit hash of its columns' text; that function is the one behind hash partitions,
so its values do not change between versions. A unit's is the sum of its rows': their order does not matter, and
parts add up. NULL and empty text differ, because the row's text is written by ROW(...).
"""

from dataclasses import dataclass

from psycopg import sql

from resources.migration.catalogue import Column, Unit
from resources.migration.plan import Part, within

BUCKETS = 1024
_AS = {"char": "::integer"}
"""A single "char" above 127 is written otherwise from version 16 on."""


@dataclass(frozen=True)
class Sum:
    """What a unit, or a part of one, holds: so many rows, and the sum of their checksums."""

    rows: int = 0
    hash: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        """Return what two parts hold together."""
        return Sum(self.rows + other.rows, self.hash + other.hash)


def of_part(part: Part) -> sql.Composed:
    """Return the query of a part's rows and checksum."""
    return sql.SQL("select count(*), coalesce(sum({}), 0) from {}{}").format(
        _hash(part.unit, _row(part.unit.columns)), part.unit.relation, within(part)
    )


def by_bucket(unit: Unit) -> sql.Composed:
    """Return the query of rows and checksum by bucket of the key, to narrow a difference down."""
    return sql.SQL("select {} & {}, count(*), sum({}) from {} group by 1").format(
        _hash(unit, key(unit)), sql.Literal(BUCKETS - 1), _hash(unit, _row(unit.columns)), unit.relation
    )


def rows_of_buckets(unit: Unit) -> sql.Composed:
    """Return the query of keys (text) and checksums in some buckets (its parameter)."""
    return sql.SQL("select {}, {} from {} where {} & {} = any(%s::bigint[])").format(
        key(unit), _hash(unit, _row(unit.columns)), unit.relation, _hash(unit, key(unit)), sql.Literal(BUCKETS - 1)
    )


def key(unit: Unit) -> sql.Composed:
    """Return the text of a row's primary key; of the whole row where there is none."""
    named = {column.name: column for column in unit.columns}
    return _row(tuple(named[name] for name in unit.key) or unit.columns)


def _hash(unit: Unit, text: sql.Composed) -> sql.Composed:
    if unit.recoded:
        text = sql.SQL("encode(convert_to({}, 'UTF8'), 'hex')").format(text)
    return sql.SQL('hashtextextended({} collate "C", 0)').format(text)


def _row(columns: tuple[Column, ...]) -> sql.Composed:
    values = (sql.Identifier(column.name) + sql.SQL(_cast(column)) for column in columns)
    return sql.SQL("row({})::text").format(sql.SQL(", ").join(values))


def _cast(column: Column) -> str:
    return _AS.get(column.type, "") if column.built_in else ""
