"""Ranges of days, as people type them and as a whole run takes them."""

import typer

from resources.settings import Settings


def every(settings: Settings) -> tuple[str, str]:
    """Return the days of the exports, or all days where a source is live; what is older belongs to the first one."""
    from resources.sources import exports
    from sonik_assets.partitions import FIRST_DAY, today

    if settings.any_live:
        return FIRST_DAY, today()
    first, last = exports.span(settings.exports)
    return max(first, FIRST_DAY), max(last, FIRST_DAY)


def parse(text: str) -> tuple[str, str]:
    """Return the first and last day of FROM..TO, or of one day; wrong usage where they are no partitions."""
    from sonik_assets.partitions import DAILY

    first, _, last = text.partition("..")
    days = (first, last or first)
    if not all(DAILY.has_partition_key(day) for day in days) or days[0] > days[1]:
        raise typer.BadParameter(
            f"{text!r} is no range of days such as 2026-10-01..2026-10-31 (first day {DAILY.get_first_partition_key()},"
            f" last {DAILY.get_last_partition_key()})"
        )
    return days
