"""The tables and the drawings of a comparison, from the document of its results and nothing else."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare.chart import Bar, draw

Document = Mapping[str, Any]
PAGE = "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_WIDTH = 120
_OURS = ("fastapi", "asgi", "fastapi-jwt", "asgi-jwt")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the tables."""

    figure: str
    title: str
    unit: str
    digits: int = 0
    percent: bool = False


ROWS = (
    Row("bare.rate", "no protection: requests", "1/s"),
    Row("hit.rate", "hit: requests", "1/s"),
    Row("hit.added_us", "hit: CPU time beyond no protection", "µs"),
    Row("hit.p99_ms", "hit: 99th percentile", "ms", 1),
    Row("distinct.rate", "each token new: requests", "1/s"),
    Row("distinct.cpu_us", "each token new: CPU time", "µs"),
    Row("distinct.p50_ms", "each token new: median", "ms", 1),
    Row("distinct.asked", "each token new: questions to the authorization server, each", "", 2),
    Row("memory.bytes", "memory kept for each of them", "bytes"),
    Row("burst.asked", "burst: questions to the authorization server", ""),
    Row("burst.good", "burst: let in", "%", percent=True),
    Row("burst.ms", "burst: until all are answered", "ms"),
    Row("expiry.late", "expiry: let in afterwards", "requests"),
    Row("expiry.late_s", "expiry: until the last of them", "s", 2),
    Row("expiry.max_ms", "expiry: the longest answer", "ms"),
    Row("outage.good", "outage: let in", "%", percent=True),
    Row("outage.401", "outage: 401", "%", percent=True),
    Row("outage.503", "outage: 503", "%", percent=True),
    Row("outage.other", "outage: another status", "%", percent=True),
    Row("outage.lost", "outage: no answer", "%", percent=True),
    Row("outage.p99_ms", "outage: 99th percentile", "ms", 1),
    Row("flood.rate", "flood: refusals", "1/s"),
    Row("flood.cpu_us", "flood: CPU time", "µs"),
    Row("flood.asked", "flood: questions to the authorization server, each", "", 2),
    Row("flood.refused", "flood: 401", "%", percent=True),
    Row("import.ms", "import", "ms"),
)
CHARTS = (
    ("hit", "hit.added_us", "What a request with a known token costs", "µs of CPU time beyond an unprotected route"),
    ("distinct", "distinct.cpu_us", "What a request with a new token costs", "µs of CPU time"),
    ("burst", "burst.asked", "One new token, many requests at once", "questions to the authorization server"),
    ("flood", "flood.cpu_us", "What a token that nobody issued costs", "µs of CPU time for each refusal"),
    ("memory", "memory.bytes", "What a new token leaves behind", "bytes of memory"),
    ("import", "import.ms", "What the import costs", "ms"),
)
KINDS = {"opaque": "Opaque tokens, by introspection", "jwt": "JWTs, by their signature"}


def unit(figure: str) -> str:
    """Return the unit of a figure."""
    return next((row.unit for row in ROWS if row.figure == figure), "")


def write(document: Document, docs: Path) -> None:
    """Write the tables into the page, and the drawings beside it.

    Args:
        document: the results.
        docs: the folder of the pages.
    """
    page = docs / PAGE
    page.write_text(spliced(page.read_text(encoding="utf-8"), tables(document)), encoding="utf-8")
    for name, text in drawings(document).items():
        (docs / "images" / name).write_text(text, encoding="utf-8")


def spliced(page: str, text: str) -> str:
    """Put a text between the two comments of a page."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, "the page has no place for what was measured"
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def tables(document: Document) -> str:
    """Return what was measured, as Markdown."""
    parts = [_conditions(document)]
    for kind, title in KINDS.items():
        names = _of(document, kind)
        if names:
            parts += [f"### {title}\n", _table(document, names)]
            parts += [
                _image(kind, chart, heading) for chart, figure, heading, _ in CHARTS if _has(document, names, figure)
            ]
    return "\n".join(parts)


def drawings(document: Document) -> dict[str, str]:
    """Return the SVG files by their names."""
    return {
        _file(kind, chart): draw(_bars(document, names, figure), title, f"{said}; median, and lowest to highest round")
        for kind in KINDS
        if (names := _of(document, kind))
        for chart, figure, title, said in CHARTS
        if _has(document, names, figure)
    }


def _conditions(document: Document) -> str:
    machine, effort = document["machine"], document["effort"]
    rounds = len(next(iter(document["figures"].values())))
    runtime = f"Python {machine['python']}" + (f", Node.js {machine['node']}" if machine["node"] else "")
    versions = {
        f"{package} {version}"
        for contestant in document["contestants"].values()
        for package, version in contestant["versions"].items()
    }
    text = (
        f"Measured on {document['date']}: {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"{runtime}. Rounds: {rounds}; {effort['seconds']} s for each load, {effort['tokens']} opaque tokens, "
        f"{effort['jwts']} JWTs, {effort['burst']} at once; {document['latency_ms']:g} ms until the authorization "
        f"server answers. Versions: {', '.join(sorted(versions))}."
    )
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _table(document: Document, names: Sequence[str]) -> str:
    titles = [document["contestants"][name]["title"] for name in names]
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---:|" * len(names)]
    for row in ROWS:
        if _has(document, names, row.figure):
            named = f"{row.title}, {row.unit}" if row.unit else row.title
            cells = " | ".join(cell(row, _values(document, name, row.figure)) for name in names)
            lines.append(f"| {named} | {cells} |")
    return "\n".join([*lines, ""])


def cell(row: Row, values: Sequence[float]) -> str:
    """Write the median of the rounds, and the lowest and the highest where they differ from it.

    Args:
        row: what is measured.
        values: one of each round.
    """
    low, middle, high = (said(row, value) for value in _spread(values))
    return middle if low == middle == high else f"{middle} ({low} to {high})"


def said(row: Row, value: float) -> str:
    """Write one value."""
    return f"{value * 100:.1f}".removesuffix(".0") if row.percent else f"{value:,.{row.digits}f}"


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)


def _of(document: Document, kind: str) -> list[str]:
    return [name for name, contestant in document["contestants"].items() if contestant["kind"] == kind]


def _has(document: Document, names: Sequence[str], figure: str) -> bool:
    return all(figure in document["figures"][name][0] for name in names)


def _values(document: Document, name: str, figure: str) -> list[float]:
    return [figures[figure] for figures in document["figures"][name]]


def _bars(document: Document, names: Sequence[str], figure: str) -> list[Bar]:
    row = next(row for row in ROWS if row.figure == figure)
    bars: list[Bar] = []
    for name in names:
        low, middle, high = _spread(_values(document, name, figure))
        title = document["contestants"][name]["title"]
        bars.append(Bar(title, low, middle, high, name in _OURS, said(row, middle)))
    return bars


def _file(kind: str, chart: str) -> str:
    return f"compare-{kind}-{chart}.svg"


def _image(kind: str, chart: str, title: str) -> str:
    return f"![{title}](images/{_file(kind, chart)})\n"
