"""One batch of a source: verbatim lines with what the loader must know of each. Pure polars.

Every reader ends here, so that a record is judged the same whether it came from an API or a file.
"""

from collections.abc import Sequence

import polars as pl

from resources.sources.catalogue import REQUIRED, SourceTable

COLUMNS = ("record_id", "payload", "source_updated_at", "deleted_at", "partial", "reason", "origin")
"""A batch's columns: text, text, UTC datetime, UTC datetime, bool, text (null where good), text (file:line)."""

_TYPES = {name: pl.Datetime("us", "UTC") for name in ("source_updated_at", "deleted_at")}

_NUL = r"\x00|(?:^|[^\\])(?:\\\\)*\\u0000"
"""A NUL as it is or as JSON writes it; not the text of a backslash followed by u0000."""


def annotate(lines: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """Return the batch of `lines` (columns `payload`, `origin`), each row judged by the table's contract."""
    return (
        lines.with_columns(
            record_id=record_id(table),
            source_updated_at=instant(first(table.updated)),
            deleted_at=instant(first(table.deleted)),
            partial=pl.lit(value=False),
        )
        .with_columns(reason=reason(table))
        .select(COLUMNS)
    )


def rejected(payload: str, *, reason: str, origin: str) -> pl.DataFrame:
    """Return a batch of one row that is a dead letter: something that could not be read at all."""
    row = {"payload": [payload], "reason": [reason], "origin": [origin], "partial": [False]}
    return pl.DataFrame(row).select(
        pl.col(name) if name in row else pl.lit(None, _TYPES.get(name, pl.String)).alias(name) for name in COLUMNS
    )


def first(paths: Sequence[str]) -> pl.Expr:
    """Return the first of these JSONPaths that is present and not null, as text.

    MongoDB's extended JSON is unwrapped: {"$oid": "a"} is a, {"$date": ..}, {"$numberDecimal": ..} alike.
    """
    found = [pl.col("payload").str.json_path_match(path) for path in paths]
    value = pl.coalesce(found) if found else pl.lit(None, pl.String)
    return pl.coalesce(value.str.extract(r'^\{"\$\w+":\s*"?([^"{}]*)"?\}$'), value)


def instant(text: pl.Expr) -> pl.Expr:
    """Parse ISO 8601 text to UTC microseconds; without an offset it is UTC; anything else is null."""
    full = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    bare = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    day = text.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    return pl.coalesce(full, bare.dt.replace_time_zone("UTC"), day.dt.replace_time_zone("UTC"))


def record_id(table: SourceTable) -> pl.Expr:
    """Return the key's parts joined by ':'; null where the table has no key: the loader then hashes the line."""
    if not table.key:
        return pl.lit(None, pl.String)
    return pl.concat_str([first(part) for part in table.key], separator=":")


def reason(table: SourceTable) -> pl.Expr:
    """Return why the record cannot be taken, or null."""
    whole = pl.col("payload").str.json_path_match("$")
    faults = [pl.when(whole.is_null() | ~whole.str.starts_with("{")).then(pl.lit("not a JSON object"))]
    faults.append(
        pl.when(pl.col("payload").str.contains(_NUL)).then(pl.lit("a NUL character, which no store can hold"))
    )
    if table.key:
        faults.append(pl.when(pl.col("record_id").is_null()).then(pl.lit(f"missing key {_names(table.key)}")))
    for name in REQUIRED.get(table.relation, ()):
        faults.append(pl.when(_field(name).str.strip_chars().fill_null("") == "").then(pl.lit(f"missing {name}")))
    for name, kind in table.contract.items():
        faults.append(
            pl.when(_violates(_field(name), kind)).then(
                pl.format("{}: expected {}, got {}", pl.lit(name), pl.lit(kind), _field(name).str.slice(0, 60))
            )
        )
    return pl.coalesce([fault.otherwise(None) for fault in faults])


def _names(key: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join(part[-1].removeprefix("$.") for part in key)


def _field(name: str) -> pl.Expr:
    return first([f"$.{name}"])


def _violates(value: pl.Expr, kind: str) -> pl.Expr:
    wrong = {
        "text": value.str.starts_with("{") | value.str.starts_with("["),
        "number": ~value.cast(pl.Float64, strict=False).is_finite(),
        "amount": ~value.str.contains(r"(?i)^\s*\d[\d.,]*\s*[km]?\s*$"),
        "time": instant(value).is_null(),
        "list": ~value.str.starts_with("["),
    }[kind]
    return value.is_not_null() & wrong.fill_null(value=True)
