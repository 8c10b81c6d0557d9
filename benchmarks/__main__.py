"""Run the benchmarks and print a table: ``python -m benchmarks [--json FILE] [NAME ...]``."""

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

from benchmarks import footprint, front_door, mock_as, tokens
from benchmarks.harness import Figure

BENCHMARKS: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "front_door": front_door.measure,
    "jwt": tokens.measure_jwt,
    "burst": tokens.measure_burst,
    "introspection": tokens.measure_introspection,
    "memory": footprint.measure_memory,
    "import": footprint.measure_import,
    "mock_as": mock_as.measure,
}


def main(arguments: list[str]) -> int:
    """Measure what is named, or everything; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    figures = [figure for name in options.names or BENCHMARKS for figure in asyncio.run(_run(name))]
    Console(width=140).print(_table(figures))
    if options.json is not None:
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        document = {"machine": machine, "figures": [figure.as_json() for figure in figures]}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(figure.met is not False for figure in figures) else 1


async def _run(name: str) -> list[Figure]:
    return await BENCHMARKS[name]()


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
