"""Pictures of a graph for people: a neighbourhood as SVG, and the counts against last time as a table. Pure.

What is drawn is chosen in `neighbourhood.py`. Names come from anywhere: everything written is escaped and cut.
"""

import base64
import math
import unicodedata
from collections.abc import Mapping
from xml.sax.saxutils import escape

import networkx as nx
import numpy as np

from sonik_assets.graph import schema
from sonik_assets.graph.neighbourhood import Edge, Neighbourhood, Node

WIDTH, HEIGHT, MARGIN, LEGEND = 960, 600, 70, 28
RADIUS, LONGEST, CHARACTER = 9, 24, 6.6
"""Pixels: of a node; then the characters of a name, and the width of one."""

SEED = 7
COLOURS = (
    *("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948"),
    *("#b07aa1", "#ff9da7", "#9c755f", "#1b9e77", "#a6761d", "#666699"),
)
OTHERS = "#9aa0a6"
"""The colour of labels that are not declared."""

_COLOUR = {label.name: COLOURS[place % len(COLOURS)] for place, label in enumerate(schema.LABELS)}
_STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#1f2937;paint-order:stroke;"
    "stroke:#fff;stroke-width:3px;stroke-linejoin:round}.t{font-size:9px;fill:#6b7280}"
    "line{stroke:#c3c8d0;stroke-width:1.2}circle{stroke:#fff;stroke-width:1.5}"
)


def svg(part: Neighbourhood) -> str:
    """Return an SVG document under 30 kB; the same for the same neighbourhood."""
    if not part.nodes:
        body = _text(WIDTH / 2, HEIGHT / 2, f"{part.graph} is empty", "middle")
        return _document(f"{part.graph}: empty", [body])
    places = _places(part)
    title = f"{part.graph}: around {part.nodes[0].label} {part.nodes[0].name}"
    lines = [_line(places, pair, types) for pair, types in _joined(part.edges).items()]
    return _document(title, [*lines, *(_circle(node, *places[node.key]) for node in part.nodes), *_legend(part)])


def as_markdown(picture: str) -> str:
    """Return the SVG as a markdown image that carries it whole: Dagster's UI shows images with a `data:` address."""
    return f"![neighbourhood](data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()})"


def counts_table(now: Mapping[str, int], before: Mapping[str, int] | None) -> str:
    """Return a markdown table of counts by label and type: now, last time and the difference; both in rows."""
    lines = ["| | now | last time | difference |", "|---|--:|--:|--:|"]
    for name in (*now, *(name for name in before or () if name not in now)):
        here, there = now.get(name, 0), None if before is None else before.get(name, 0)
        compared = " | " if there is None else f"{there:,} | {here - there:+,}"
        lines.append(f"| {_cell(name)} | {here:,} | {compared} |")
    return "\n".join(lines)


def _places(part: Neighbourhood) -> dict[int, tuple[float, float]]:
    """Return x and y by node: springs, then names pushed off each other."""
    graph = nx.Graph()
    graph.add_nodes_from(node.key for node in part.nodes)
    graph.add_edges_from((edge.start, edge.end) for edge in part.edges if edge.start != edge.end)
    found = nx.spring_layout(graph, seed=SEED, k=1.6 / math.sqrt(len(part.nodes)), iterations=150)
    points = np.array([found[node.key] for node in part.nodes], dtype=float)
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    span[span == 0] = 1.0
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - LEGEND - 2 * MARGIN])
    boxes = np.array([[max(40.0, CHARACTER * len(_short(node.name))), 52.0] for node in part.nodes])
    points = _apart(MARGIN + (points - low) / span * room, boxes)
    return {node.key: (round(x, 1), round(y, 1)) for node, (x, y) in zip(part.nodes, points.tolist(), strict=True)}


def _apart(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Push boxes (width, height around a point) off each other, along the axis where they overlap least."""
    low = np.array([boxes[:, 0] / 2, np.full(len(boxes), 20.0)]).T
    high = np.array([WIDTH, HEIGHT - LEGEND - 26]) - np.array([boxes[:, 0] / 2, np.zeros(len(boxes))]).T
    for _ in range(300):
        apart = points[:, None, :] - points[None, :, :]
        overlap = (boxes[:, None, :] + boxes[None, :, :]) / 2 - np.abs(apart)
        touching = (overlap > 0).all(axis=2) & ~np.eye(len(points), dtype=bool)
        if not touching.any():
            break
        along = overlap.argmin(axis=2)[..., None] == np.arange(2)
        # two at one place part by their order
        order = np.sign(np.arange(len(points))[:, None] - np.arange(len(points)))[..., None]
        sign = np.where(apart == 0, order, np.sign(apart))
        points = np.clip(points + (sign * overlap * along * touching[..., None]).sum(axis=1) / 4, low, high)
    return points


def _joined(edges: tuple[Edge, ...]) -> dict[tuple[int, int], list[str]]:
    """Return the types by (start, end): what joins the same two nodes is one line."""
    found: dict[tuple[int, int], list[str]] = {}
    for edge in edges:
        if edge.start != edge.end:
            found.setdefault((edge.start, edge.end), []).append(edge.type)
    return found


def _line(places: dict[int, tuple[float, float]], pair: tuple[int, int], types: list[str]) -> str:
    (x1, y1), (x2, y2) = places[pair[0]], places[pair[1]]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    x3, y3 = x2 - (x2 - x1) / length * (RADIUS + 3), y2 - (y2 - y1) / length * (RADIUS + 3)
    drawn = f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x3:.0f}" y2="{y3:.0f}" marker-end="url(#a)"/>'
    # Nearer to the start: of two lines between the same nodes each keeps its text.
    return drawn + _text(x1 + (x2 - x1) * 0.45, y1 + (y2 - y1) * 0.45, ", ".join(types), "middle", ' class="t"')


def _circle(node: Node, x: float, y: float) -> str:
    drawn = f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{RADIUS}" fill="{_COLOUR.get(node.label, OTHERS)}"/>'
    return drawn + _text(x, y + RADIUS + 14, node.name, "middle")


def _legend(part: Neighbourhood) -> list[str]:
    labels = list(dict.fromkeys(node.label for node in part.nodes))[: len(COLOURS)]
    drawn, x = [], 16.0
    for label in sorted(labels):
        colour = _COLOUR.get(label, OTHERS)
        drawn.append(f'<circle cx="{x:.0f}" cy="{HEIGHT - 14}" r="6" fill="{colour}"/>')
        drawn.append(_text(x + 11, HEIGHT - 10, label, "start"))
        x += 32 + CHARACTER * len(_short(label))
    return drawn


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{more}>{_escaped(text)}</text>'


def _document(title: str, body: list[str]) -> str:
    arrow = (
        '<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#c3c8d0"/></marker>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{_escaped(title, 80)}</title><style>{_STYLE}</style><defs>{arrow}</defs>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(body)}</svg>'
    )


def _escaped(text: str, longest: int = LONGEST) -> str:
    return escape(_short(text, longest))


def _short(text: str, longest: int = LONGEST) -> str:
    """Return text in one line without characters that XML forbids or that turn the line around."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _cell(name: str) -> str:
    return _short(name, 60).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`").replace("<", "&lt;")
