"""A matcher: what was learned from data, frozen under a version; the same bytes score the same pairs for good.

Here: train, freeze, load, and what callers ask of a matcher. How levels are weighed is in `em.py`, how pairs are
scored in `scoring.py`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from math import log2
from typing import Any

import polars as pl

from resources.errors import TerminalError
from sonik_assets.identity.matching import scoring
from sonik_assets.identity.matching.blocking import block_keys
from sonik_assets.identity.matching.comparisons import Comparison
from sonik_assets.identity.matching.em import MAX_PAIRS, starting_model, trained_model
from sonik_assets.identity.matching.features import derive, prepare, weigh
from sonik_assets.identity.matching.frequencies import EMPTY, KEY_CAP, Frequencies, common_keys, count_values
from sonik_assets.identity.matching.kinds import KINDS, Kind
from sonik_assets.identity.matching.profiles import PROFILES, conform

ENOUGH_PAIRS = 2_000
"""Fewer candidate pairs than these are not trained on."""

MAX_RECORDS = 250_000
"""Most records that training looks at: words and keys are counted among these, so it costs the same at any size."""

MAX_CANDIDATES = 500_000
"""Most candidate pairs that training looks at, for MAX_PAIRS that are rivals."""

_SAID = [name for name in PROFILES if name not in {"row", "source", "name", "url"}]


@dataclass(frozen=True)
class Matcher:
    """A frozen model of one kind of entity; `link` and `review` are least probabilities."""

    kind: str
    link: float
    review: float
    model: dict[str, Any]
    frequencies: Frequencies

    @cached_property
    def version(self) -> str:
        """Return the kind and a short hash of the payload."""
        return f"{self.kind}-{hashlib.sha256(self.payload()).hexdigest()[:12]}"

    def payload(self) -> bytes:
        """Return all that scoring needs, as bytes that depend on nothing else."""
        import orjson
        from zstandard import ZstdCompressor

        content = {
            "kind": self.kind,
            "link": self.link,
            "review": self.review,
            "model": self.model,
            "records": self.frequencies.records,
            "words": self.frequencies.words.to_dict(as_series=False),
            "common": self.frequencies.common.to_list(),
        }
        return ZstdCompressor(level=10).compress(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))

    @classmethod
    def load(cls, payload: bytes) -> "Matcher":
        """Return the matcher of a payload.

        Raises TerminalError where the bytes are none, the model has holes, or it was trained on other levels.
        """
        import orjson
        from zstandard import ZstdDecompressor, ZstdError

        try:
            found = orjson.loads(ZstdDecompressor().decompress(payload))
        except (ZstdError, orjson.JSONDecodeError) as error:
            raise TerminalError("the payload of a matcher is damaged: train it again") from error
        words = pl.DataFrame(found["words"], {"t": pl.String, "n": pl.UInt32})
        frequencies = Frequencies(found["records"], words, pl.Series("key", found["common"], pl.String))
        _refuse_holes(found["model"], found["kind"])
        return cls(found["kind"], found["link"], found["review"], found["model"], frequencies)

    def block_keys(self, profiles: pl.DataFrame) -> pl.DataFrame:
        """Return `row`, `keys` (list of text) of records in PROFILES."""
        return block_keys(prepare(profiles, self.frequencies), self._spec.keys, self.frequencies)

    def pairs(self, left: pl.DataFrame, right: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return SCORED of the candidates within `left` (each pair once) or between the two, from `review` up."""
        ours = prepare(left, self.frequencies)
        theirs = None if right is None else prepare(right, self.frequencies)
        keys = block_keys(ours, self._spec.keys, self.frequencies)
        other = None if theirs is None else block_keys(theirs, self._spec.keys, self.frequencies)
        with scoring.engine(ours, ours if theirs is None else theirs) as connection:
            scoring.candidates(connection, keys, other)
            scored = self._scores(self._spec.rivals)
            worth = f"select left_row, right_row, probability from ({scored}) where probability >= {self.review}"
            found: pl.DataFrame = connection.sql(worth).pl()
        return found.cast(scoring.SCORED).sort("left_row", "right_row")  # type: ignore[arg-type]

    def score(self, left: pl.DataFrame, right: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        """Return left_row, right_row, probability of the given pairs, whatever the probability is, in their order."""
        with scoring.engine(prepare(left, self.frequencies), prepare(right, self.frequencies)) as connection:
            connection.register("pairs", pairs.select("left_row", "right_row").to_arrow())
            found = connection.sql(f"select left_row, right_row, probability from ({self._scores('true')})").pl()
        joined = pairs.select("left_row", "right_row").join(
            found, on=["left_row", "right_row"], how="left", maintain_order="left"
        )
        return joined.with_columns(pl.col("probability").fill_null(0.0))

    def explain(self, left: pl.DataFrame, right: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
        """Return the explanations (JSON text) of given pairs, in their order: values, levels and bits."""
        with scoring.engine(prepare(left, self.frequencies), prepare(right, self.frequencies)) as connection:
            connection.register("pairs", pairs.select("left_row", "right_row").unique().to_arrow())
            scored = f"({self._scores('true')})"
            told = connection.sql(scoring.explanation_sql(scored, self._comparisons, self._weights)).pl()
        joined = pairs.select("left_row", "right_row").join(
            told.select("left_row", "right_row", "explanation"),
            on=["left_row", "right_row"],
            how="left",
            maintain_order="left",
        )
        return joined["explanation"].fill_null("{}")

    @property
    def _spec(self) -> Kind:
        return KINDS[self.kind]

    @cached_property
    def _comparisons(self) -> Sequence[Comparison]:
        kept = {comparison["output_column_name"] for comparison in self.model["comparisons"]}
        return [comparison for comparison in self._spec.comparisons if comparison.name in kept]

    @cached_property
    def _weights(self) -> scoring.Weights:
        bits = {
            comparison["output_column_name"]: [
                log2(level["m_probability"] / level["u_probability"]) for level in comparison["comparison_levels"][1:]
            ]
            for comparison in self.model["comparisons"]
        }
        # A pair in doubt ends half a bit below the link.
        return scoring.Weights(bits, _bits(self.model["probability_two_random_records_match"]), _bits(self.link) - 0.5)

    def _scores(self, rivals: str) -> str:
        return scoring.scores_sql(self._comparisons, rivals, self._weights)


def _bits(probability: float) -> float:
    return log2(probability / (1 - probability))


def train(profiles: pl.DataFrame, kind: str) -> Matcher:
    """Return a matcher learned from the records at hand, without labels; `released(kind)` where they are too few.

    Where they are many but few pairs are alike, it weighs as the released one does, by words counted here.
    Deterministic: the same records in any order give the same version. Raises TerminalError for an unknown kind.
    """
    carried = released(kind)
    derived, frequencies = _counted(profiles, KINDS[kind])
    found = _learned(derived, frequencies, kind, ENOUGH_PAIRS)
    if found is None and profiles.height > carried.frequencies.records:
        return replace(carried, frequencies=frequencies)
    return found or carried


def learn(profiles: pl.DataFrame, kind: str) -> Matcher | None:
    """Train on the records alone, however few; None where no two of them are candidates."""
    return _learned(*_counted(profiles, _spec(kind)), kind, least=1)


def _learned(derived: pl.DataFrame, frequencies: Frequencies, kind: str, least: int) -> Matcher | None:
    spec = KINDS[kind]
    # A listing that says the same of a thing a hundred times is one observation.
    prepared = weigh(derived.unique(_SAID, keep="first", maintain_order=True), frequencies)
    used = [comparison for comparison in spec.comparisons if _filled(prepared, comparison)]
    levels = _candidate_levels(prepared, block_keys(prepared, spec.keys, frequencies), used, spec.rivals)
    if levels.height < least:
        return None
    model = trained_model(levels, starting_model(used, spec.prior))
    _refuse_holes(model, kind)
    return Matcher(kind, spec.link, spec.review, model, frequencies)


def _candidate_levels(
    prepared: pl.DataFrame, keys: pl.DataFrame, used: Sequence[Comparison], rivals: str
) -> pl.DataFrame:
    """Return the levels of a sample of the candidates that are rivals, in an order that only the levels decide."""
    some = "order by hash(left_row, right_row), left_row, right_row limit"
    with scoring.engine(prepared, prepared) as connection:
        scoring.candidates(connection, keys, None)
        connection.execute(f"create or replace table pairs as select * from pairs {some} {MAX_CANDIDATES}")
        rival = f"{scoring.levels_sql(used, rivals)} {some} {MAX_PAIRS}"
        levels: pl.DataFrame = connection.sql(rival).pl().drop("left_row", "right_row")
    return levels.sort(levels.columns)


@cache
def released(kind: str) -> Matcher:
    """Return the matcher of this kind that the package carries. Raises TerminalError for an unknown kind."""
    _spec(kind)
    return Matcher.load((files(__package__) / "released" / f"{kind}.bin").read_bytes())


def _spec(kind: str) -> Kind:
    if kind not in KINDS:
        raise TerminalError(f"no matcher for {kind!r}: kinds are {', '.join(sorted(KINDS))}")
    return KINDS[kind]


def _sample(records: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """Return records spread evenly over all, at most MAX_RECORDS, and their share of all."""
    if records.height <= MAX_RECORDS:
        return records, 1.0
    step = records.height / MAX_RECORDS
    spread = pl.select(at=(pl.int_range(MAX_RECORDS) * step).cast(pl.UInt32)).to_series()
    return records[spread], 1 / step


def _counted(profiles: pl.DataFrame, spec: Kind) -> tuple[pl.DataFrame, Frequencies]:
    """Return records to learn from, derived, and how common their words and keys are."""
    records, share = _sample(conform(profiles).sort("row"))
    derived = derive(records)
    words = Frequencies(derived.height, count_values(derived, ("words", "phones", "domains")), EMPTY.common)
    keys = block_keys(weigh(derived, words), spec.keys, EMPTY)
    return derived, replace(words, common=common_keys(keys["keys"], KEY_CAP * share))


def _filled(prepared: pl.DataFrame, comparison: Comparison) -> bool:
    return any(prepared[column].null_count() < prepared.height for column in comparison.shown)


def _refuse_holes(model: dict[str, Any], kind: str) -> None:
    """Refuse a model that cannot weigh a level, or knows other levels than these: it would score by accident."""
    known = {comparison.name: [level.label for level in comparison.levels] for comparison in _spec(kind).comparisons}
    for comparison in model["comparisons"]:
        name, levels = comparison["output_column_name"], comparison["comparison_levels"][1:]
        if [level["label_for_charts"] for level in levels] != known.get(name):
            raise TerminalError(f"the {kind} matcher was trained on other levels of {name} than these: train it again")
        for level in levels:
            values = (level.get("m_probability"), level.get("u_probability"))
            if not all(isinstance(value, float) and 0 < value < 1 for value in values):
                where = f"{name}, level {level['label_for_charts']!r}"
                raise TerminalError(f"the {kind} matcher has no weight for {where}: train it on more records")
