"""Run the benchmarks and print a table: ``python -m benchmarks [--json FILE] [NAME ...] [OPTION ...]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    chaos,
    differential,
    doors,
    dpop,
    fleet,
    flood,
    footprint,
    front_door,
    fuzz,
    gateway,
    grid,
    hit,
    hostile,
    hot,
    miss,
    mock_as,
    model,
    revocation,
    telemetry,
    tokens,
)
from benchmarks.compare import rounds
from benchmarks.harness import Figure

BENCHMARKS: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "front_door": front_door.measure,
    "doors": doors.measure,
    "jwt": tokens.measure_jwt,
    "dpop": dpop.measure,
    "burst": tokens.measure_burst,
    "introspection": tokens.measure_introspection,
    "memory": footprint.measure_memory,
    "import": footprint.measure_import,
    "mock_as": mock_as.measure,
    "flood": flood.measure,
    "hot": hot.measure,
    "miss": miss.measure,
    "hostile": hostile.measure,
    "fleet": fleet.measure,
    "gateway": gateway.measure,
    "telemetry": telemetry.measure,
}
LONG: dict[str, Callable[[list[str]], Awaitable[list[Figure]]]] = {
    "grid": grid.measure,
    "hit": hit.measure,
    "chaos": chaos.measure,
    "compare": rounds.measure,
    "differential": differential.measure,
    "fuzz": fuzz.measure,
    "model": model.measure,
    "revocation": revocation.measure,
}
"""Those that last minutes, and may have options of their own: run only where they are named."""


def main(arguments: list[str]) -> int:
    """Measure what is named, or everything; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHMARKS, *LONG, []], metavar="NAME", help=", ".join((*BENCHMARKS, *LONG))
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options, rest = parser.parse_known_args(arguments)
    if rest and not any(name in LONG for name in options.names):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    figures = [figure for name in options.names or BENCHMARKS for figure in asyncio.run(_run(name, rest))]
    Console(width=140).print(_table(figures))
    if options.json is not None:
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        document = {"machine": machine, "figures": [figure.as_json() for figure in figures]}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(figure.met is not False for figure in figures) else 1


async def _run(name: str, rest: list[str]) -> list[Figure]:
    return await (LONG[name](rest) if name in LONG else BENCHMARKS[name]())


def _table(figures: list[Figure]) -> Table:
    table = Table("case", "value", "unit", "against", "ratio", "adds", "target", "met", "note")
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        added = "" if figure.added is None else f"{figure.added:.1f}"
        met = {None: "", True: "yes", False: "NO"}[figure.met]
        value = f"{figure.value:,.1f}"
        table.add_row(figure.name, value, figure.unit, figure.baseline, ratio, added, figure.target, met, figure.note)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
