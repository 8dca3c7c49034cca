"""Loads what resolution looks at from PostgreSQL: mentions, identifiers, likeness and decisions of the scope.

Shapes only; what is made of them is in `linking.py` and `attaching.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from resources.stores.copy import copy_out
from sonik_assets.identity import claimed, repeats
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.linking import Scene
from sonik_assets.identity.lives import verified_own
from sonik_assets.identity.memory import UNDISPUTED

_TYPES = dict.fromkeys(("entity_type", "scheme", "value"), pl.String)
MENTIONS = {
    **dict.fromkeys((*REF, "ref", "entity_type"), pl.String),
    "embedded": pl.Boolean,
    **dict.fromkeys(("key", "name_key", "city_key", "address", "night", "day", "marker"), pl.String),
    **dict.fromkeys(("latitude", "longitude"), pl.Float64),
    **dict.fromkeys(("first_seen_at", "updated_at"), pl.Datetime("us", "UTC")),
}
_MENTIONS = sql.SQL("""
select
    m.source, m.table_name, m.record_id, m.ref, m.entity_type, m.embedded, m.key,
    p.name_key, p.city_key, p.address, p.night, p.day, p.marker, p.latitude, p.longitude, m.first_seen_at, m.updated_at
from scope
inner join identity.mentions as m on m.ref = scope.ref
inner join identity.profiles as p on p.key = m.key
where not exists (select from identity.repeats as r where r.ref = scope.ref)
order by m.source, m.table_name, m.record_id
""")
_IDENTIFIERS = sql.SQL("""
select scope.ref, i.entity_type, i.scheme, coalesce(a.alias_of, i.value)
from scope
inner join identity.identifiers as i using (source, table_name, record_id)
inner join strong using (entity_type, scheme)
left join identity.aliases as a using (scheme, value)
where i.valid_to is null and {undisputed}
""").format(undisputed=UNDISPUTED)
_CANDIDATES = sql.SQL("""
select c.left_key, c.right_key, c.probability
from identity.candidates as c
where c.entity_type = any({kinds})
    and c.left_key in (select m.key from scope inner join identity.mentions as m on m.ref = scope.ref)
    and c.right_key in (select m.key from scope inner join identity.mentions as m on m.ref = scope.ref)
""")
_DECISIONS = sql.SQL("""
select left_ref, right_ref, judgement, left_entity::text, right_entity::text
from identity.judged_pairs
where decided_by <> 'sonik' and judgement <> 'unsure' and entity_type = any({kinds})
    and (left_ref in (select ref from scope) or right_ref in (select ref from scope))
""")
# Records that share a name with what is named in scope, and what that is like; they may lie outside of the scope.
_NAMESAKES = sql.SQL("""
select distinct o.ref, p.entity_type, p.name_key, p.city_key, e.entity_id::text
from identity.profiles as p
inner join identity.mentions as o on o.key = p.key
left join identity.entity_map as e
    on (e.source, e.table_name, e.record_id) = (o.source, o.table_name, o.record_id)
where not p.embedded and (p.entity_type, p.name_key) in (
    select n.entity_type, n.name_key from scope
    inner join identity.mentions as m on m.ref = scope.ref
    inner join identity.profiles as n on n.key = m.key
    where m.embedded
)
""")
_LIKE = sql.SQL("""
select n.key, o.ref, e.entity_id::text, n.probability
from (
    select c.left_key as key, c.right_key as other, c.probability from identity.candidates as c
    where c.entity_type = any({kinds})
    union all
    select c.right_key, c.left_key, c.probability from identity.candidates as c where c.entity_type = any({kinds})
) as n
inner join identity.mentions as o on o.key = n.other and not o.embedded
left join identity.entity_map as e using (source, table_name, record_id)
where n.key in (
    select m.key from scope inner join identity.mentions as m on m.ref = scope.ref where m.embedded
)
""")

_TWINS = sql.SQL("""
select left_entity::text, right_entity::text
from identity.judged_pairs
where judgement = 'unsure' and decided_by = 'sonik' and not left_attached and not right_attached
    and not (left_ref in (select ref from scope) and right_ref in (select ref from scope))
""")


@dataclass(frozen=True)
class Stage:
    """What is in scope.

    mentions: row and MENTIONS. identifiers: row, entity_type, scheme, value. common: values that link nothing.
    likeness: left_key, right_key, probability. decisions: left_ref, right_ref, judgement, left_entity, right_entity.
    strays: repeats.STRAYS. What repeats is not here: it goes where its speaker goes. claimed: ref, entity_id (as it
    was) of what somebody owns or asks for.
    """

    mentions: pl.DataFrame
    identifiers: pl.DataFrame
    common: pl.DataFrame
    likeness: pl.DataFrame
    decisions: pl.DataFrame
    strays: pl.DataFrame
    claimed: pl.DataFrame


def load(connection: psycopg.Connection, kinds: Sequence[str]) -> Stage:
    """Return what is in the temporary table `scope`."""
    mentions = copy_out(connection, _MENTIONS, MENTIONS).with_row_index("row")
    held = copy_out(connection, _IDENTIFIERS, {"ref": pl.String, **_TYPES}).unique()
    of = sql.Literal(list(kinds))
    return Stage(
        mentions,
        held.join(mentions.select("row", "ref"), on="ref").drop("ref").select("row", *_TYPES),
        copy_out(connection, sql.SQL("select entity_type, scheme, value from common"), _TYPES),
        copy_out(
            connection,
            _CANDIDATES.format(kinds=of),
            {"left_key": pl.String, "right_key": pl.String, "probability": pl.Float64},
        ),
        copy_out(
            connection,
            _DECISIONS.format(kinds=of),
            dict.fromkeys(("left_ref", "right_ref", "judgement", "left_entity", "right_entity"), pl.String),
        ),
        repeats.strays(connection),
        claimed.in_scope(connection),
    )


def verified_handles(stage: Stage) -> pl.DataFrame:
    """Return REF, scheme, value, verified_at of the venues' own handles; see `lives.py`."""
    said = ["row", *REF, "name_key", "latitude", "longitude", "updated_at"]
    return verified_own(stage.identifiers.join(stage.mentions.select(said), on="row").drop("row"))


def standing_scene(stage: Stage, verified: pl.DataFrame) -> Scene:
    """Return the scene of `linking.py`: keys and refs become rows; of a key that many mentions have, the first.

    A venue's handle that is not verified links nothing: it may be the chain's.
    """
    numbers = stage.mentions.select("row", "key", "ref")
    first = numbers.unique("key", keep="first", maintain_order=True)
    pairs = stage.likeness.join(first.select(left_row="row", left_key="key"), on="left_key").join(
        first.select(right_row="row", right_key="key"), on="right_key"
    )
    decided = stage.decisions.join(numbers.select(left_row="row", left_ref="ref"), on="left_ref").join(
        numbers.select(right_row="row", right_ref="ref"), on="right_ref"
    )
    own = verified.join(stage.mentions.select("row", *REF), on=list(REF)).select("row", "scheme", "value")
    handles = (pl.col("entity_type") == "venue") & (pl.col("scheme") == "instagram_url")
    return Scene(
        stage.mentions,
        pl.concat(
            [
                stage.identifiers.filter(~handles),
                stage.identifiers.filter(handles).join(own, on=["row", "scheme", "value"], how="semi"),
            ]
        ),
        stage.common,
        pairs.select("left_row", "right_row", "probability"),
        decided.select("left_row", "right_row", "judgement"),
        numbers.join(stage.claimed, on="ref", how="semi").select("row"),
    )


def namesakes(connection: psycopg.Connection) -> pl.DataFrame:
    """Return ref, entity_type, name_key, city_key, entity_id (as it was) of records that share a name in scope."""
    return copy_out(
        connection,
        _NAMESAKES,
        dict.fromkeys(("ref", "entity_type", "name_key", "city_key", "entity_id"), pl.String),
    )


def like_named(connection: psycopg.Connection, kinds: Sequence[str]) -> pl.DataFrame:
    """Return key, ref, entity_id (as it was), probability: what named profiles in scope are like."""
    columns = {**dict.fromkeys(("key", "ref", "entity_id"), pl.String), "probability": pl.Float64}
    return copy_out(connection, _LIKE.format(kinds=sql.Literal(list(kinds))), columns)


def twins(connection: psycopg.Connection) -> pl.DataFrame:
    """Return entity_id, twin, both ways: entities that a person is asked about, one of them outside of the scope."""
    pairs = copy_out(connection, _TWINS, dict.fromkeys(("entity_id", "twin"), pl.String))
    return pl.concat([pairs, pairs.select(entity_id="twin", twin="entity_id")])
