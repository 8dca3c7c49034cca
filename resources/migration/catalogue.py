"""What there is to copy: tables, their columns and keys, as the source's catalogue tells it.

A unit is what is copied and verified as one: a table or a leaf partition under its own name. A tree of partitions
with a hash level is one unit under its root's name, because a row's hash may differ on another server.
"""

from dataclasses import dataclass

from psycopg import sql

from resources.migration.servers import Session

STATE_SCHEMA = "sonik_migration"


@dataclass(frozen=True)
class Column:
    """A column of a unit; `type` is that of a domain's base, `enum` for any enum, `int4[]` for an array."""

    name: str
    type: str
    built_in: bool
    """The base type is PostgreSQL's own or an enum, and an array holds no type of the database's own."""
    generated: bool


@dataclass(frozen=True)
class Unit:
    """A relation that is copied and verified as one."""

    schema: str
    name: str
    partitioned: bool
    pages: int
    """Blocks in the source; of a partitioned unit, those of its largest leaf."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns of the primary key; empty where there is none."""
    recoded: bool = False
    """The servers keep text in different encodings, so that its bytes differ."""

    @property
    def label(self) -> str:
        """The name for people."""
        return f"{self.schema}.{self.name}"

    @property
    def relation(self) -> sql.Composable:
        """The quoted name as it stands after FROM: without inheriting tables, with partitions."""
        name = sql.Identifier(self.schema, self.name)
        return name if self.partitioned else sql.SQL("only {}").format(name)

    @property
    def copied(self) -> tuple[Column, ...]:
        """The columns that a copy carries; the others are computed by the target."""
        return tuple(column for column in self.columns if not column.generated)


USER_SCHEMAS = f"""
    n.nspname !~ '^pg_' and n.nspname not in ('information_schema', '{STATE_SCHEMA}')
"""
_UNITS = f"""
with recursive trees as (
    -- A root and everything below it.
    select p.partrelid as root, p.partrelid as member from pg_partitioned_table as p
    join pg_class as c on c.oid = p.partrelid where not c.relispartition
    union all
    select t.root, i.inhrelid from trees as t join pg_inherits as i on i.inhparent = t.member
),
hashed as (
    select distinct t.root from trees as t
    join pg_partitioned_table as p on p.partrelid = t.member where p.partstrat = 'h'
),
chosen as (
    select c.oid, c.oid as measured from pg_class as c
    where c.relkind = 'r' and not exists (
        select from trees as t join hashed as h on h.root = t.root where t.member = c.oid
    )
    union all
    select h.root, t.member from hashed as h join trees as t on t.root = h.root
    join pg_class as c on c.oid = t.member where c.relkind = 'r'
)
select
    c.oid::int8, n.nspname, c.relname, c.relkind = 'p',
    max(pg_relation_size(k.measured)) / current_setting('block_size')::int8
from chosen as k
join pg_class as c on c.oid = k.oid
join pg_namespace as n on n.oid = c.relnamespace
where {USER_SCHEMAS} and c.relpersistence <> 't'
    and not exists (
        select from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
group by 1, 2, 3, 4
order by 5 desc, 2, 3
"""  # The largest first, so that no long copy starts last.
_COLUMNS = """
with recursive looked_through as (
    select a.attrelid, a.attnum, t.oid, t.typtype, t.typelem, t.typbasetype, t.typcategory,
        false as in_array, true as portable
    from pg_attribute as a join pg_type as t on t.oid = a.atttypid
    where a.attrelid = any(%s::oid[]) and a.attnum > 0 and not a.attisdropped
    union all
    select l.attrelid, l.attnum, t.oid, t.typtype, t.typelem, t.typbasetype, t.typcategory,
        l.in_array or l.typtype <> 'd',
        -- An array's binary form holds the number of its elements' type, which is another one on each server.
        l.portable and not ((l.in_array or l.typtype <> 'd') and t.oid >= 16384)
    from looked_through as l
    join pg_type as t on t.oid = case when l.typtype = 'd' then l.typbasetype else l.typelem end
    where l.typtype = 'd' or l.typcategory = 'A'
)
select
    a.attrelid::int8, a.attname,
    case l.typtype when 'e' then 'enum' else t.typname end || case when l.in_array then '[]' else '' end,
    l.portable and (l.typtype = 'e' or (n.nspname = 'pg_catalog' and t.oid < 16384)),
    a.attgenerated <> ''
from looked_through as l
join pg_attribute as a on a.attrelid = l.attrelid and a.attnum = l.attnum
join pg_type as t on t.oid = l.oid
join pg_namespace as n on n.oid = t.typnamespace
where l.typtype <> 'd' and l.typcategory <> 'A'
order by a.attrelid, a.attnum
"""
_KEYS = """
select i.indrelid::int8, array_agg(a.attname::text order by k.position)
from pg_index as i
cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indisprimary and i.indrelid = any(%s::oid[]) and k.position <= i.indnkeyatts
group by 1
"""


def units(source: Session, target: Session) -> list[Unit]:
    """Return what is to be copied, the largest first. The target only tells its encoding."""
    query = "select current_setting('server_encoding')"
    recoded = source.execute(query).fetchone() != target.execute(query).fetchone()
    found = source.execute(_UNITS).fetchall()
    oids = [row[0] for row in found]
    columns: dict[object, list[Column]] = {}
    for oid, name, kind, built_in, generated in source.execute(_COLUMNS, (oids,)).fetchall():
        columns.setdefault(oid, []).append(Column(str(name), str(kind), bool(built_in), bool(generated)))
    keys = {oid: tuple(names) for oid, names in source.execute(_KEYS, (oids,)).fetchall()}
    return [
        Unit(schema, name, parted, int(pages), tuple(columns.get(oid, ())), keys.get(oid, ()), recoded)
        for oid, schema, name, parted, pages in found
    ]


def hold(source: Session, found: list[Unit]) -> None:
    """Keep units from being altered or emptied until the transaction ends; rows may come and go."""
    if found:
        names = sql.SQL(", ").join(unit.relation for unit in found)
        source.execute(sql.SQL("lock table {} in access share mode").format(names))
