"""One phase of resolution, for some entity types: remember what is said, score, see how far it reaches, decide, write.

The order only. Within `scope` nothing depends on what lies outside, so a run over a few changed records and a run over
all of them decide the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from sonik_assets.identity import candidates, judgements, memory, repeats, scene, scope, store, verdicts
from sonik_assets.identity.attaching import attach
from sonik_assets.identity.candidates import Matchers
from sonik_assets.identity.differing import differing
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.linking import Linked, link_mentions
from sonik_assets.identity.matchers import ensured
from sonik_assets.identity.profiles import PROFILES, profiles
from sonik_assets.identity.settle import Before, Settled, entity_map, settle


@dataclass(frozen=True)
class Said:
    """What sources say of some entity types: of everything (`full`), or of changed records only.

    `mentions`: row, REF and prepared columns; `identifiers`: row, scheme, value; `held`: holdings.HELD of all that
    changed; `gone`: REF that no source makes any more; `touched`: memory.TOUCHED, unchanged but to be decided anew
    (of other types too).
    """

    kinds: Sequence[str]
    mentions: pl.DataFrame
    identifiers: pl.DataFrame
    held: pl.DataFrame
    gone: pl.DataFrame
    touched: pl.DataFrame
    full: bool

    @property
    def changed(self) -> pl.DataFrame:
        """REF of all that is new, changed or gone."""
        return pl.concat([self.mentions.select(REF), self.gone.select(REF)])


@dataclass(frozen=True)
class Outcome:
    """What a phase did: for the guard, for people, and for the phase after it."""

    settled: Settled
    before: Before
    linked: Linked
    judged: pl.DataFrame
    unresolved: int
    scope: int
    written: dict[str, tables.Counts]
    seconds: dict[str, float]


def run(connection: psycopg.Connection, said: Said, given: Matchers | None = None) -> Outcome:
    """Resolve the types, in the caller's transaction; `given`: other matchers than those in use."""
    clock = _Clock()
    mentions, compared = profiles(said.mentions, said.identifiers)
    matchers = ensured(connection, said.kinds, compared) if given is None else given
    thresholds = {kind: matcher.link for kind, matcher in matchers.items()}
    changed = said.changed if said.full else differing(connection, mentions, compared, said.held, said.gone)
    if not said.full:
        memory.stage_refs(connection, changed)
        scope.note_names(connection)
        repeats.note(connection, afresh=True)
    written = _remember(connection, said, mentions, candidates.blocked(compared, matchers))
    written["repeats"], starting = _repeats(connection, said, changed)
    clock("remember")
    new = None if said.full else memory.keys_of(connection, starting.join(changed, on=list(REF), how="semi"))
    candidates.rescore(connection, matchers, said.kinds, new)
    clock("score")
    if said.full:
        scope.everything(connection, said.kinds)
    else:
        scope.spread(connection, said.kinds, starting, thresholds)
    stage = scene.load(connection, said.kinds)
    before = store.before(connection, stage.claimed)
    clock("load")
    verified = scene.verified_handles(stage)
    linked = link_mentions(scene.standing_scene(stage, verified), thresholds)
    clock("link")
    naming = stage.identifiers.join(linked.weak, on=["entity_type", "scheme", "value"], how="anti")
    settled = settle(before, stage.mentions, linked.members, naming, partial(store.mint, connection), stage.strays)
    attached, doubts, placed = _attach(connection, stage, linked, settled)
    clock("settle")
    judged = _judged(connection, stage, linked, attached, doubts, matchers)
    clock("explain")
    map_ = entity_map(before, stage.mentions, settled, placed, stage.strays)
    written |= store.write(connection, before, store.Decided(map_, settled.entities, settled.moves))
    followed = repeats.follow(connection, said.kinds if said.full else None)
    written["entity_map"] += followed
    marked = memory.mark(connection, linked.weak, verified)
    written["identifiers"] += tables.Counts(updated=marked)
    made, retired = judgements.record_model(connection, said.kinds, judged)
    written["judgements"] = tables.Counts(inserted=made, updated=retired)
    clock("write")
    alone = stage.mentions.join(settled.members, on="row", how="anti").join(placed, on=list(REF), how="anti")["ref"]
    unresolved = alone.len() + repeats.count(connection, alone)
    return Outcome(settled, before, linked, judged, unresolved, stage.mentions.height, written, clock.seconds)


def _remember(
    connection: psycopg.Connection, said: Said, mentions: pl.DataFrame, compared: pl.DataFrame
) -> dict[str, tables.Counts]:
    if said.full:
        within: sql.Composable = memory.of_kinds(said.kinds)
    else:
        memory.stage_refs(connection, said.changed)
        within = memory.IN_CHANGED
    return memory.remember(connection, mentions, compared, said.held, within)


def _repeats(connection: psycopg.Connection, said: Said, changed: pl.DataFrame) -> tuple[tables.Counts, pl.DataFrame]:
    """Find out who repeats whom; return what was written, and REF of the records from which a change spreads."""
    if not said.full:
        touched = said.touched.filter(pl.col("entity_type").is_in(list(said.kinds)))
        memory.stage_refs(connection, pl.concat([changed, touched.select(REF)]))
        repeats.note(connection)
    return repeats.refresh(connection, said.kinds if said.full else None)


def _attach(
    connection: psycopg.Connection, stage: scene.Stage, linked: Linked, settled: Settled
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Place the mentions that stand for nothing themselves; return ATTACHED and DOUBTS of profiles, and the placed.

    The placed: REF, entity_type, entity_id, linked_by.
    """
    open_ = stage.mentions.filter("embedded").join(linked.members, on="row", how="anti")
    named = open_.select("key", "entity_type", "name_key", "city_key", "address").unique("key", maintain_order=True)
    now = settled.members.select(ref=pl.concat_str(*REF, separator="/"), now="entity_id")
    scoped = stage.mentions.select("ref", known=pl.lit(value=True))

    def today(found: pl.DataFrame) -> pl.DataFrame:
        """Give records in scope the entity they have now; those outside keep theirs."""
        both = found.join(now, on="ref", how="left").join(scoped, on="ref", how="left")
        entity = pl.when(pl.col("known").is_not_null()).then("now").otherwise("entity_id")
        return both.with_columns(entity_id=entity).drop("now", "known").filter(pl.col("entity_id").is_not_null())

    decisions = today(_decisions(stage, open_))
    like = scene.like_named(connection, sorted(set(open_["entity_type"])))
    attached, doubts = attach(
        named,
        today(scene.namesakes(connection)),
        today(like).join(named, on="key", how="semi"),
        decisions.drop("named"),
        pl.concat([_twins(linked, settled), scene.twins(connection)]).unique(),
    )
    return attached, doubts, _placed(open_, attached, decisions)


def _twins(linked: Linked, settled: Settled) -> pl.DataFrame:
    """Return entity_id, twin, both ways: entities of which a person shall say whether they are one."""
    ids = settled.members.select("row", "entity_id")
    doubts = linked.judged.filter(pl.col("judgement") == "unsure").select("left_row", "right_row")
    pairs = doubts.join(ids, left_on="left_row", right_on="row").join(
        ids.rename({"entity_id": "twin"}), left_on="right_row", right_on="row"
    )
    both = pairs.select("entity_id", "twin")
    return pl.concat([both, both.select(entity_id="twin", twin="entity_id")]).unique()


def _decisions(stage: scene.Stage, open_: pl.DataFrame) -> pl.DataFrame:
    """Return named, key, ref, entity_id, judgement: what people decided of a named mention and a record."""
    keys = open_.select("key", named="ref")
    sides = [
        stage.decisions.select("judgement", named=f"{side}_ref", ref=f"{other}_ref", entity_id=f"{other}_entity").join(
            keys, on="named"
        )
        for side, other in (("left", "right"), ("right", "left"))
    ]
    return pl.concat(sides).select("named", "key", "ref", "entity_id", "judgement")


def _placed(open_: pl.DataFrame, attached: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the attached mentions; what was decided of a mention itself goes before what holds for its profile."""
    placed = open_.join(attached.select("key", "entity_id", "linked_by"), on="key")
    own = (
        decisions.rename({"named": "ref", "ref": "other"})
        .sort("ref", "other")
        .unique(["ref", "entity_id"], keep="first")
    )
    same = own.filter(pl.col("judgement") == "same").unique("ref", keep="first", maintain_order=True)
    refused = own.filter(pl.col("judgement") == "different").select("ref", "entity_id")
    others = placed.join(refused, on=["ref", "entity_id"], how="anti").join(same, on="ref", how="anti")
    mine = open_.join(same.select("ref", "entity_id", linked_by=pl.lit("decision")), on="ref")
    return pl.concat([part.select(*REF, "entity_type", "entity_id", "linked_by") for part in (others, mine)])


def _judged(
    connection: psycopg.Connection,
    stage: scene.Stage,
    linked: Linked,
    attached: pl.DataFrame,
    doubts: pl.DataFrame,
    matchers: Matchers,
) -> pl.DataFrame:
    pairs = verdicts.likely(stage.mentions, linked.judged, attached, doubts)
    keys = pl.concat([pairs["left_key"], pairs["right_key"]]).unique()
    memory.stage_keys(connection, keys)
    compared = memory.select(connection, "profiles", PROFILES, memory.IN_KEYS)
    exact = verdicts.by_identifier(stage.mentions, linked.judged)
    return pl.concat([exact, verdicts.explained(pairs, compared, matchers)])


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def __call__(self, step: str) -> None:
        now = perf_counter()
        self.seconds[step], self._last = round(now - self._last, 3), now
