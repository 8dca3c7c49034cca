"""Records, their identifiers, their likeness and people's decisions -> clusters and the judgements behind them. Pure.

A record of its own always stands for a thing. A mention inside another record (an event's organizer) stands only by a
strong identifier; otherwise it is left to `attaching.py`. Entities of different types never merge.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations

import polars as pl

from sonik_assets.identity.agglomerate import Rules, Verdicts, agglomerate
from sonik_assets.identity.agreement import agree
from sonik_assets.identity.clusters import BOTH_CLAIMED, CLAIM, Clusters
from sonik_assets.identity.likeness import MOST_NAMES, Likeness, differently_named
from sonik_assets.identity.normalize.text import alike
from sonik_assets.identity.schemes import (
    CANONICAL,
    FORBIDDING,
    LINKING,
    MOST_RECORDS,
    OWN_ID,
    PAGES,
    TICKETS,
    clean_source,
)

MOVED = timedelta(days=14)
"""By so much an event moves while listings still tell its old date. A page of weekly nights is told by a source that
gives it for two of them."""

MEMBERS = {"row": pl.UInt32, "cluster": pl.UInt32, "linked_by": pl.String}
JUDGED = {
    **dict.fromkeys(("left_row", "right_row"), pl.UInt32),
    "judgement": pl.String,
    "score": pl.Float64,
    **dict.fromkeys(("method", "reason", "shared"), pl.String),
}
"""`method`: the scheme shared, or `likeness`; `shared`: the value; `reason`: why a person must look."""


@dataclass(frozen=True)
class Scene:
    """All that linking looks at, one frame each; rows are numbered by `row`, in the order of their refs.

    mentions: row, source, record_id, entity_type, embedded, name_key, latitude, longitude, night, day, marker.
    identifiers: row, entity_type, scheme, value (strong schemes, valid now). common: entity_type, scheme, value that
    link nothing.
    pairs: left_row, right_row, probability. decisions: left_row, right_row, judgement (people's). claimed: row of the
    records that somebody owns or asks for.
    """

    mentions: pl.DataFrame
    identifiers: pl.DataFrame
    common: pl.DataFrame
    pairs: pl.DataFrame
    decisions: pl.DataFrame
    claimed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"row": pl.UInt32}))


@dataclass(frozen=True)
class Linked:
    """`members`: row, cluster (its smallest row), linked_by. `weak`: entity_type, scheme, value. `judged`: JUDGED."""

    members: pl.DataFrame
    weak: pl.DataFrame
    judged: pl.DataFrame


def link_mentions(scene: Scene, thresholds: Mapping[str, float]) -> Linked:
    """Link the mentions type by type; `thresholds`: entity type -> probability from which likeness links."""
    kinds = [kind for kind in LINKING if (scene.mentions["entity_type"] == kind).any()]
    parts = [_Kind(scene, kind).linked(thresholds.get(kind, 2.0)) for kind in kinds]
    empty = Linked(
        pl.DataFrame(schema=MEMBERS),
        pl.DataFrame(schema=dict.fromkeys(("entity_type", "scheme", "value"), pl.String)),
        pl.DataFrame(schema=JUDGED),
    )
    columns = ("members", "weak", "judged")
    return Linked(*(pl.concat([getattr(part, name) for part in (empty, *parts)]) for name in columns))


def canonical_ids(identifiers: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Return `cluster`, `canonical_scheme`, `canonical_id`: the value most records give, then the smallest.

    `identifiers` holds row, entity_type, scheme, value and no weak one, so no two clusters share a value; where a
    person keeps two apart that do, the smaller cluster has it.
    """
    ranks = [(kind, scheme, rank) for kind, all_ in CANONICAL.items() for rank, scheme in enumerate(all_)]
    order = pl.DataFrame(ranks, ["entity_type", "scheme", "rank"], orient="row")
    return (
        identifiers.join(order, on=["entity_type", "scheme"])
        .join(members, on="row")
        .group_by("cluster", "entity_type", "rank", "scheme", "value")
        .agg(pl.len().cast(pl.Int64).neg().alias("fewer"), pl.col("row").min())
        # An event that moved has two keys; the CMS (the first row) knows the date, listings repeat the old one.
        .with_columns(pl.when(pl.col("entity_type") != "event").then("fewer"))
        .sort("cluster", "rank", "fewer", pl.when(pl.col("entity_type") == "event").then("row"), "value")
        .unique(["entity_type", "scheme", "value"], keep="first", maintain_order=True)
        .unique("cluster", keep="first", maintain_order=True)
        .select("cluster", canonical_scheme="scheme", canonical_id="value")
    )


def with_own_id(entities: pl.DataFrame) -> pl.DataFrame:
    """Fill the canonical id of entities that no outside register names with their own id."""
    own = pl.col("canonical_id").is_null()
    return entities.with_columns(
        canonical_scheme=pl.when(own).then(pl.lit(OWN_ID)).otherwise("canonical_scheme"),
        canonical_id=pl.coalesce("canonical_id", "entity_id"),
    )


class _Kind:
    """The records of one type that stand for a thing, numbered anew."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self._kind, self._schemes = kind, LINKING[kind]
        of_kind = scene.mentions.filter(pl.col("entity_type") == kind)
        strong = scene.identifiers.filter((pl.col("entity_type") == kind) & pl.col("scheme").is_in(self._schemes))
        useful = strong.join(scene.common, on=["entity_type", "scheme", "value"], how="anti")
        stands = ~pl.col("embedded") | pl.col("row").is_in(useful["row"].unique().implode())
        self._rows = of_kind.filter(stands).with_row_index("local")
        self._common = strong.join(scene.common, on=["entity_type", "scheme", "value"], how="semi")
        numbers = self._rows.select("row", "local")
        self._strong = useful.join(numbers, on="row").select("local", "scheme", "value")
        self._sources = self._rows.select(pl.when(~pl.col("embedded")).then(clean_source())).to_series().to_list()
        self._names = self._rows["name_key"].fill_null("").to_list()
        self._sessions, self._nights, self._days = (self._rows[name].to_list() for name in ("marker", "night", "day"))
        self._pairs = _renumbered(scene.pairs, numbers)
        self._decisions = _renumbered(scene.decisions, numbers)
        self._claimed = scene.claimed.join(numbers, on="row")["local"].to_list()
        weaker = [scheme for scheme in self._schemes[1:] if scheme in FORBIDDING[kind]]
        self._held = {
            scheme: dict(self._strong.filter(pl.col("scheme") == scheme).group_by("local").agg("value").iter_rows())
            for scheme in weaker
        }
        self._doubts: list[tuple[int, int, float, str, str, str, str]] = []

    def linked(self, link: float) -> Linked:
        clusters = self._decided()
        weak = self._agree(clusters)
        strong = self._strong.join(weak, on=["scheme", "value"], how="anti")
        standing = ~self._rows["embedded"] | self._rows["local"].is_in(strong["local"].unique().implode())
        verdicts = self._agglomerate(clusters, link, self._rows["local"].filter(standing))
        if self._claimed:
            self._doubts += self._claims_met(clusters, strong)
        root = pl.Series(clusters.root, dtype=pl.UInt32)
        placed = self._rows.with_columns(cluster=self._rows["row"].gather(root)).filter(standing)
        every = pl.concat([weak, self._common.select("scheme", "value").unique()]).unique()
        return Linked(
            self._members(placed, strong),
            every.select(pl.lit(self._kind).alias("entity_type"), "scheme", "value"),
            self._judged(strong, root, verdicts),
        )

    def _decided(self) -> Clusters:
        """Return the records as people's decisions leave them: what is the same first, then what is apart."""
        by = {verdict: self._decisions.filter(pl.col("judgement") == verdict) for verdict in ("same", "different")}
        clusters = Clusters.of(self._rows.height, by["different"].select("left", "right").iter_rows())
        for left, right in by["same"].select("left", "right").sort("left", "right").iter_rows():
            if not clusters.are_apart(clusters.find(left), clusters.find(right)):
                clusters.join((left, right))
        if self._claimed:
            clusters.hold(CLAIM, self._claimed)
        return clusters

    def _agree(self, clusters: Clusters) -> pl.DataFrame:
        values = self._strong.group_by("scheme", "value").agg(pl.col("local").sort())
        several = values.filter(pl.col("local").list.len() > 1)
        alone = values.filter(pl.col("local").list.len() == 1)
        likeness = Likeness(self._names, list(_points(self._rows, self._kind)))
        weak = agree(
            clusters,
            {
                scheme: several.filter(pl.col("scheme") == scheme).select("value", "local").rows()
                for scheme in self._schemes
            },
            {
                scheme: alone.filter(pl.col("scheme") == scheme)["local"].list.first().to_list()
                for scheme in self._schemes
            },
            self._schemes,
            FORBIDDING[self._kind],
            lambda scheme, value, groups: (
                self._is_calendar(scheme, groups)
                or likeness.is_shared(scheme, groups)
                or self._is_contradicted(scheme, value, groups)
            ),
        )
        return pl.DataFrame(sorted(weak), {"scheme": pl.String, "value": pl.String}, orient="row")

    def _is_calendar(self, scheme: str, groups: list[list[int]]) -> bool:
        """Tell whether a page is of several events: one source gives it twice, or to unlike names or other sessions."""
        if self._kind != "event" or scheme not in PAGES:
            return False
        if scheme == TICKETS and self._is_tour([record for group in groups for record in group]):
            return True
        told = [source for group in groups for source in {self._sources[record] for record in group} if source]
        names = sorted({self._names[record] for group in groups for record in group})
        unlike = any(not alike(left, right) for left, right in combinations(names[: MOST_NAMES + 1], 2))
        sessions = {marker for group in groups for record in group if (marker := self._sessions[record])}
        return len(told) > len(set(told)) or unlike or len(sessions) > 1

    def _is_tour(self, records: list[int]) -> bool:
        """Tell whether events are at several known venues, or on days further apart than a date moves."""
        venues = {night.partition("|")[0] for record in records if (night := self._nights[record])}
        days = sorted(date.fromisoformat(day) for record in records if (day := self._days[record]))
        return len(venues) > 1 or (bool(days) and days[-1] - days[0] > MOVED)

    def _is_contradicted(self, scheme: str, value: str, groups: list[list[int]]) -> bool:
        """Tell whether unlike named records that share a value contradict each other in a weaker one: for a person."""
        weaker = [other for other in self._schemes[self._schemes.index(scheme) + 1 :] if other in self._held]
        if not weaker or differently_named([{self._names[record] for record in group} for group in groups]) < 2:
            return False
        for other in weaker:
            held = [{value for record in group for value in self._held[other].get(record, ())} for group in groups]
            if any(one.isdisjoint(two) for one, two in combinations(filter(None, held[:MOST_NAMES]), 2)):
                first, *rest = sorted(min(group) for group in groups)
                why = f"named unlike, and each has its own {other}"
                self._doubts += [(first, record, 0.5, "unsure", why, scheme, value) for record in rest]
                return True
        return False

    def _claims_met(self, clusters: Clusters, strong: pl.DataFrame) -> list[tuple[int, int, float, str, str, str, str]]:
        """Return one question for each two claimed clusters that share a value: by that they would be one."""
        held = strong.with_columns(cluster=pl.Series(clusters.root, dtype=pl.UInt32).gather(strong["local"]))
        mine = held.filter(pl.col("cluster").is_in(sorted(clusters.held[CLAIM])))
        first = mine.group_by("cluster", "scheme", "value").agg(pl.col("local").min())
        met = first.join(first, on=["scheme", "value"], suffix="_other").filter(
            pl.col("cluster") < pl.col("cluster_other")
        )
        one = met.sort("cluster", "cluster_other", "scheme", "value").unique(
            ["cluster", "cluster_other"], keep="first", maintain_order=True
        )
        rows = one.select("local", "local_other", "scheme", "value").iter_rows()
        return [
            (min(left, right), max(left, right), 0.5, "unsure", BOTH_CLAIMED, scheme, value)
            for left, right, scheme, value in rows
            if not clusters.are_apart(clusters.find(left), clusters.find(right))
        ]

    def _agglomerate(self, clusters: Clusters, link: float, standing: pl.Series) -> Verdicts:
        rules = Rules(link, FORBIDDING[self._kind], self._sources, (~self._rows["embedded"]).to_list(), MOST_RECORDS)
        among = pl.col("left").is_in(standing.implode()) & pl.col("right").is_in(standing.implode())
        pairs = self._pairs.filter(among).select("left", "right", "probability").iter_rows()
        return agglomerate(clusters, pairs, rules)

    def _members(self, placed: pl.DataFrame, strong: pl.DataFrame) -> pl.DataFrame:
        rank = {scheme: position for position, scheme in enumerate(self._schemes)}
        how = (
            strong.sort(pl.col("scheme").replace_strict(rank, default=None, return_dtype=pl.Int64))
            .unique("local", keep="first", maintain_order=True)
            .select("local", linked_by="scheme")
        )
        named = placed.join(how, on="local", how="left", maintain_order="left")
        return named.with_columns(pl.col("linked_by").fill_null("record")).select(list(MEMBERS)).cast(MEMBERS)  # type: ignore[arg-type]

    def _judged(self, strong: pl.DataFrame, root: pl.Series, verdicts: Verdicts) -> pl.DataFrame:
        """Return one judgement a pair: each record with the first one that shares a value; likely pairs; doubts."""
        rank = {scheme: position for position, scheme in enumerate(self._schemes)}
        held = strong.with_columns(cluster=root.gather(strong["local"]))
        hub = pl.col("local").min().over("cluster", "scheme", "value")
        shared = (
            held.with_columns(left=hub)
            .filter(pl.col("left") != pl.col("local"))
            .sort(pl.col("scheme").replace_strict(rank, default=None, return_dtype=pl.Int64), "value")
            .unique(["left", "local"], keep="first", maintain_order=True)
            .select(
                "left",
                right="local",
                judgement=pl.lit("same"),
                score=pl.lit(1.0),
                method="scheme",
                reason=pl.lit(None),
                shared="value",
            )
        )
        likely: list[tuple[object, ...]] = [(*pair, "same", None, "likeness", None) for pair in verdicts.links]
        likely += [(left, right, p, "unsure", why, "likeness", None) for left, right, p, why in verdicts.doubts]
        likely += [each for each in self._doubts if root[each[0]] != root[each[1]]]
        types = {
            **dict.fromkeys(("left", "right"), pl.UInt32),
            "score": pl.Float64,
            **dict.fromkeys(("judgement", "reason", "method", "shared"), pl.String),
        }
        asked = pl.DataFrame(likely, types, orient="row").select(shared.columns)
        texts = {"reason": pl.String, "shared": pl.String}
        every = pl.concat([shared.cast(texts), asked.cast(texts)])  # type: ignore[arg-type]
        every = every.unique(["left", "right"], keep="first", maintain_order=True)
        numbers = self._rows["row"]
        return every.select(
            numbers.gather(every["left"]).alias("left_row"),
            numbers.gather(every["right"]).alias("right_row"),
            "judgement",
            "score",
            "method",
            "reason",
            "shared",
        ).cast(JUDGED)  # type: ignore[arg-type]


def _renumbered(pairs: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of these records by `left` and `right`, their local numbers, left the smaller."""
    left, right = (numbers.rename({"row": f"{side}_row", "local": side}) for side in ("left", "right"))
    found = pairs.join(left, on="left_row").join(right, on="right_row").filter(pl.col("left") != pl.col("right"))
    return found.with_columns(left=pl.min_horizontal("left", "right"), right=pl.max_horizontal("left", "right")).drop(
        "left_row", "right_row"
    )


def _points(rows: pl.DataFrame, kind: str) -> Iterator[tuple[float, float] | None]:
    """Yield coordinates of venues: other things have none, or move."""
    for latitude, longitude in rows.select("latitude", "longitude").iter_rows():
        known = kind == "venue" and latitude is not None and longitude is not None
        yield (latitude, longitude) if known else None
