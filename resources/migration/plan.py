"""Cutting units into parts and choosing how a unit travels. Pure: no server."""

from dataclasses import dataclass

from psycopg import sql

from resources.migration.catalogue import Unit

PART_PAGES = 4096
"""32 MB: small enough that workers finish together and a killed move repeats little."""
MOST_PARTS = 256
BINARY = frozenset(
    (  # noqa: SIM905 - a list would take sixty lines
        "bool int2 int4 int8 float4 float8 numeric money text varchar bpchar name char bytea uuid date time timetz "
        "timestamp timestamptz interval json jsonb jsonpath inet cidr macaddr macaddr8 bit varbit point line lseg box "
        "path polygon circle tsvector tsquery oid pg_lsn enum int4range int8range numrange daterange tsrange tstzrange "
        "int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange"
    ).split()
)
"""Types whose binary form is the same on every supported version and holds no identifier of one server's catalogue."""


@dataclass(frozen=True)
class Part:
    """A range of a unit's blocks in the source: from `first`, to before `last` or to the end."""

    unit: Unit
    first: int
    last: int | None

    @property
    def whole(self) -> bool:
        """Whether the part is all of its unit."""
        return self.first == 0 and self.last is None


def ranges(pages: int, part_pages: int = PART_PAGES) -> list[tuple[int, int | None]]:
    """Cut so many blocks into ranges that touch; the last is open, for what was added since they were counted."""
    size = max(part_pages, -(-pages // MOST_PARTS))
    starts = list(range(0, max(pages, 1), size))
    return list(zip(starts, [*starts[1:], None], strict=True))


def binary(unit: Unit) -> bool:
    """Tell whether every copied column may travel in binary."""
    return all(column.built_in and column.type.removesuffix("[]") in BINARY for column in unit.copied)


def within(part: Part) -> sql.Composed:
    """Return the WHERE clause of a part's rows; nothing where it is the whole unit."""
    if part.whole:
        return sql.Composed([])
    begin = sql.SQL(" where ctid >= {}::tid").format(sql.Literal(f"({part.first},0)"))
    if part.last is None:
        return begin
    return begin + sql.SQL(" and ctid < {}::tid").format(sql.Literal(f"({part.last},0)"))


def reading(part: Part) -> sql.Composed:
    """Return the COPY that reads a part."""
    return sql.SQL("copy (select {} from {}{}) to stdout (format {})").format(
        _columns(part.unit), part.unit.relation, within(part), _format(part.unit)
    )


def writing(unit: Unit) -> sql.Composed:
    """Return the COPY that takes a part's rows."""
    name = sql.Identifier(unit.schema, unit.name)
    columns = sql.SQL("({})").format(_columns(unit)) if unit.copied else sql.Composed([])
    return sql.SQL("copy {} {} from stdin (format {})").format(name, columns, _format(unit))


def _columns(unit: Unit) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in unit.copied)


def _format(unit: Unit) -> sql.SQL:
    return sql.SQL("binary" if binary(unit) else "text")
