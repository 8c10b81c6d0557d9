"""Draw which part of the library imports which, from its import graph.

Rows are the layers that the import contracts hold. An arrow that follows from others is left out: where `a` imports `b`
and `b` imports `c`, nothing is drawn from `a` to `c`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).parents[1]
DRAWING = "docs/images/architecture.svg"
PACKAGE = "resource_server"

Graph = Mapping[str, frozenset[str]]
"""What each part imports."""
Layers = list[list[str]]
"""The parts, from those that nobody imports to those that import nobody."""

_BANDS = ("cli", "asgi", "blocking", "_issuers", "_core", "_runtime", "_validation", "principal")
"""The part with which a colour begins: see the legend."""
_LEGEND = (
    "the command line and the front doors",
    "what several doors share",
    "the facades",
    "one authorization server, or several",
    "judging a request",
    "the world: network, clock, options",
    "flows and what they remember",
    "values",
)
_WIDTH, _ROW, _HEIGHT, _GAP, _TOP = 1180, 62, 26, 10, 30
_LETTER, _WIDEST = 7.2, 10
_SWEEPS = 24
_STYLE = """
text { font: 12px ui-monospace, monospace; fill: #1c1e26; }
.legend { font-family: sans-serif; }
path { fill: none; stroke: #5b6072; stroke-width: 1; opacity: .55; }
rect { stroke: #5b6072; stroke-width: 1; }
.band0 { fill: #dfe7fd; } .band1 { fill: #d7f0ee; } .band2 { fill: #fdf0d5; } .band3 { fill: #f6e0ea; }
.band4 { fill: #fde2d8; } .band5 { fill: #e3f1d9; } .band6 { fill: #ece3f8; } .band7 { fill: #e9eaee; }
@media (prefers-color-scheme: dark) {
  text { fill: #e8eaf2; } path, rect { stroke: #a3a9bd; }
  .band0 { fill: #2b3a67; } .band1 { fill: #1f4d4a; } .band2 { fill: #574418; } .band3 { fill: #57304a; }
  .band4 { fill: #5c3325; } .band5 { fill: #33502a; } .band6 { fill: #443463; } .band7 { fill: #3a3d4a; }
}
"""
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8"/></marker></defs>'
)


@dataclass(frozen=True, slots=True)
class Box:
    """One part, where it is drawn."""

    name: str
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        """Where arrows begin and end."""
        return self.x + self.width / 2


# ------------------------------------------------------------------------------------------------------ what is drawn


def layers() -> Layers:
    """Return the layers of the contract, without the parts that are not there."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [rows] = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    parts = [[name for name in re.findall(r"\w+", row) if _exists(name)] for row in rows]
    return [row for row in parts if row]


def _exists(name: str) -> bool:
    folder = ROOT / PACKAGE
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def imports() -> Graph:
    """Return which part imports which, as the modules in them do."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: dict[str, set[str]] = {}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            parts = [name.split(".")[1] for name in (importer, imported) if "." in name]
            if len(set(parts)) > 1:
                found.setdefault(parts[0], set()).add(parts[1])
    return {part: frozenset(names) for part, names in found.items()}


def reduced(graph: Graph) -> Graph:
    """Return a graph without what follows from the rest of it.

    Args:
        graph: one without circles.
    """
    return {
        part: frozenset(name for name in names if not any(name in _below(other, graph) for other in names - {name}))
        for part, names in graph.items()
    }


def _below(part: str, graph: Graph) -> frozenset[str]:
    """Return everything that a part imports, by however many steps."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        new = graph.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return frozenset(found)


def arranged(rows: Layers, graph: Graph) -> Layers:
    """Return the layers with the parts of each in an order in which few arrows cross.

    Each part goes to the mean of the places of those that it has to do with, some times over.
    """
    neighbours: dict[str, list[str]] = {name: [] for row in rows for name in row}
    for part, names in sorted(graph.items()):
        for name in sorted(names):
            neighbours[part].append(name)
            neighbours[name].append(part)
    rows = [sorted(row) for row in rows]
    for _ in range(_SWEEPS):
        places = {name: (at + 0.5) / len(row) for row in rows for at, name in enumerate(row)}
        rows = [sorted(row, key=lambda name: (_mean(places, neighbours[name], places[name]), name)) for row in rows]
    return rows


def _mean(places: Mapping[str, float], names: list[str], otherwise: float) -> float:
    return sum(places[name] for name in names) / len(names) if names else otherwise


# --------------------------------------------------------------------------------------------------------- the drawing


def draw(rows: Layers, graph: Graph) -> str:
    """Return the drawing as SVG.

    Args:
        rows: the parts, from the top.
        graph: the arrows between them.
    """
    boxes = {box.name: box for box in _boxes(_broken(rows))}
    bands = _bands(rows)
    bottom = max(box.y for box in boxes.values()) + _ROW
    arrows = [_arrow(boxes[part], boxes[name]) for part in sorted(graph) for name in sorted(graph[part])]
    parts = [_part(box, bands[box.name]) for box in boxes.values()]
    count = (
        f"{len(boxes)} parts and the {len(arrows)} imports between them that do not follow from others, top to bottom."
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 60:.0f}" role="img"'
    return "\n".join(
        [
            f'{head} aria-labelledby="title desc">',
            f'<title id="title">Which part of {PACKAGE} imports which</title>',
            f'<desc id="desc">{count} No arrow goes up.</desc>',
            f"<style>{_STYLE}</style>",
            _TIP,
            *arrows,
            *parts,
            *_legend(bottom),
            "</svg>",
            "",
        ]
    )


def _broken(rows: Layers) -> Layers:
    """Return rows of which none is too long to be read."""
    return [row[at : at + _WIDEST] for row in rows for at in range(0, len(row), _WIDEST)]


def _boxes(rows: Layers) -> Iterator[Box]:
    for number, row in enumerate(rows):
        widths = [len(name) * _LETTER + 14 for name in row]
        space = (_WIDTH - sum(widths)) / (len(row) + 1)
        x = space
        for name, width in zip(row, widths, strict=True):
            yield Box(name, x, _TOP + number * _ROW, width)
            x += width + space


def _bands(rows: Layers) -> dict[str, int]:
    """Return the colour of each part: a row has one, and a new one begins where it is said."""
    band = 0
    found: dict[str, int] = {}
    for row in rows:
        band = next((number for number, name in enumerate(_BANDS) if name in row), band)
        found |= dict.fromkeys(row, band)
    return found


def _arrow(importer: Box, imported: Box) -> str:
    top, bottom = importer.y + _HEIGHT, imported.y - 1
    bend = max((bottom - top) / 2, _GAP)
    return (
        f'<path marker-end="url(#tip)" d="M{importer.middle:.1f} {top:.0f}'
        f"C{importer.middle:.1f} {top + bend:.0f} {imported.middle:.1f} {bottom - bend:.0f} "
        f'{imported.middle:.1f} {bottom:.0f}"/>'
    )


def _part(box: Box, band: int) -> str:
    return (
        f'<rect class="band{band}" x="{box.x:.1f}" y="{box.y:.0f}" width="{box.width:.1f}" height="{_HEIGHT}" rx="4"/>'
        f'<text x="{box.middle:.1f}" y="{box.y + 17:.0f}" text-anchor="middle">{escape(box.name)}</text>'
    )


def _legend(top: float) -> Iterator[str]:
    for number, words in enumerate(_LEGEND):
        x, y = 20 + number % 4 * (_WIDTH / 4), top + number // 4 * 24
        yield f'<rect class="band{number}" x="{x:.0f}" y="{y:.0f}" width="14" height="14" rx="3"/>'
        yield f'<text class="legend" x="{x + 22:.0f}" y="{y + 11:.0f}">{escape(words)}</text>'


def drawing() -> str:
    """Return the drawing of the package as it is."""
    graph = reduced(imports())
    return draw(arranged(layers(), graph), graph)


def rising(rows: Layers, graph: Graph) -> list[tuple[str, str]]:
    """Return the imports that go up, or sideways: there are none."""
    level = {name: number for number, row in enumerate(rows) for name in row}
    return [(part, name) for part in graph for name in graph[part] if level[part] >= level[name]]
