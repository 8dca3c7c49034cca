"""Pictures of the cache for people: hits and saved time by day as SVG, kinds and hottest questions as tables. Pure.

Questions come from anywhere: everything written is escaped and cut.
"""

import base64
import unicodedata
from collections.abc import Sequence
from datetime import date
from xml.sax.saxutils import escape

from sonik_assets.cache.log import Day, Hot

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 260, 60, 40, 30
ANSWERED, MADE, SAVED = "#59a14f", "#c3c8d0", "#4e79a7"
_STYLE = "text{font-family:Helvetica,Arial,sans-serif;font-size:11px;fill:#1f2937}.t{fill:#6b7280}"


def svg(found: Sequence[Day]) -> str:
    """Return an SVG document: a bar a day of questions answered and made, and a line of the seconds that were saved."""
    days = _by_day(found)
    if not days:
        return _document([_text(WIDTH / 2, HEIGHT / 2, "nothing was asked yet", "middle")])
    most = max(asked for _, asked, _, _ in days)
    longest = max(saved for _, _, _, saved in days) or 1.0
    step = (WIDTH - 2 * LEFT) / len(days)
    drawn, line = [], []
    for place, (day, asked, hits, saved) in enumerate(days):
        x = LEFT + place * step
        drawn += [
            _bar(x, step, _y(asked, most), _y(hits, most), MADE),
            _bar(x, step, _y(hits, most), _y(0, 1), ANSWERED),
        ]
        drawn.append(_text(x + step / 2, HEIGHT - 22, f"{day:%d.%m.}", "middle"))
        line.append(f"{x + step / 2:.1f},{_y(saved, longest):.1f}")
    drawn.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{SAVED}" stroke-width="2"/>')
    return _document([*drawn, *_scales(most, longest), *_legend()])


def as_markdown(picture: str) -> str:
    """Return the SVG as a markdown image that carries it whole: Dagster's UI shows images with a `data:` address."""
    return f"![cache](data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()})"


def kinds_table(found: Sequence[Day]) -> str:
    """Return a markdown table by kind: asked, answered by the cache, share, seconds saved."""
    lines = ["| kind | asked | answered by the cache | hit rate | saved s |", "|---|--:|--:|--:|--:|"]
    for kind in sorted({each.kind for each in found}):
        of = [each for each in found if each.kind == kind]
        asked, hits, saved = sum(d.asked for d in of), sum(d.hits for d in of), sum(d.saved_ms for d in of)
        lines.append(f"| {_cell(kind)} | {asked:,} | {hits:,} | {hits / asked:.0%} | {saved / 1000:,.1f} |")
    return "\n".join(lines)


def hottest_table(found: Sequence[Hot]) -> str:
    """Return a markdown table of the most asked questions."""
    lines = ["| kind | for | question | asked | hit rate | made in ms |", "|---|---|---|--:|--:|--:|"]
    for each in found:
        made = "" if each.made_ms is None else f"{each.made_ms:,.0f}"
        words = f"{_cell(each.kind)} | {_cell(each.tenant)} | {_cell(each.question)}"
        lines.append(f"| {words} | {each.asked:,} | {each.hits / each.asked:.0%} | {made} |")
    return "\n".join(lines)


def _by_day(found: Sequence[Day]) -> list[tuple[date, int, int, float]]:
    """Return day, questions, hits and saved seconds, all kinds together."""
    days = sorted({each.day for each in found})
    of = {day: [each for each in found if each.day == day] for day in days}
    return [
        (day, sum(e.asked for e in of[day]), sum(e.hits for e in of[day]), sum(e.saved_ms for e in of[day]) / 1000)
        for day in days
    ]


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / most


def _bar(x: float, step: float, top: float, foot: float, colour: str) -> str:
    width = min(step * 0.7, 40)
    place = f'x="{x + (step - width) / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{foot - top:.1f}"'
    return f'<rect {place} fill="{colour}"/>'


def _scales(most: int, longest: float) -> list[str]:
    return [
        *(_text(LEFT - 6, _y(most, most) + 4, f"{most:,}", "end"), _text(LEFT - 6, _y(0, 1) + 4, "0", "end")),
        _text(WIDTH - LEFT + 6, _y(1, 1) + 4, f"{longest:,.1f} s", "start"),
    ]


def _legend() -> list[str]:
    drawn = []
    for place, (colour, word) in enumerate(((ANSWERED, "from the cache"), (MADE, "made"), (SAVED, "saved seconds"))):
        x = LEFT + place * 140
        drawn += [f'<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>', _text(x + 16, 17, word, "start")]
    return drawn


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(_short(text))}</text>'


def _document(body: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>Questions and the cache, by day</title><style>{_STYLE}</style>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(body)}</svg>'
    )


def _short(text: str, longest: int = 60) -> str:
    """Return text in one line without characters that XML forbids or that turn the line around."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _cell(text: str) -> str:
    short = _short(text)
    for character in "\\|`[]*_!":
        short = short.replace(character, f"\\{character}")
    return short.replace("<", "&lt;")
