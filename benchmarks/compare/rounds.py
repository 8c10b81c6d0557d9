"""Measure everybody in interleaved rounds, and write down what came of it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.compare import report
from benchmarks.compare.contestants import ROOT, Contestant, ours, peers
from benchmarks.compare.scenarios import Effort, Figures, medians, visit
from benchmarks.compare.stage import Stage
from benchmarks.harness import Figure

LATENCY = 0.005
RESULTS = ROOT / "benchmarks" / "compare" / "results.json"
_FULL, _QUICK = Effort(1.0, 1500, 500, 500), Effort(0.3, 200, 100, 100)
_ROUNDS = 3
_LONGEST = 480
"""Seconds after which no further round begins, as far as the first ones tell."""


async def measure(arguments: list[str]) -> list[Figure]:
    """Compare, write the results into the documents, and return the medians.

    Args:
        arguments: of the command line.
    """
    options = _options(arguments)
    if options.render:
        document = json.loads(RESULTS.read_text(encoding="utf-8"))
    else:
        document = await compare(options.rounds, _QUICK if options.quick else _FULL, options.only)
        options.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.results == RESULTS:
        report.write(document, ROOT / "docs")
    return [
        Figure(f"{name}: {figure}", value, report.unit(figure))
        for name, rounds in document["figures"].items()
        for figure, value in medians(rounds).items()
    ]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, for trying things out")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how many; {_ROUNDS} where it is not said")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="whom")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the pages from the last results")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="write the figures there instead")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else _ROUNDS)
    return options


async def compare(rounds: int, effort: Effort, only: list[str]) -> dict[str, Any]:
    """Measure, and return the document of the results.

    Args:
        rounds: how many; each begins with another contestant.
        effort: how long each measurement may take.
        only: the names of the contestants; all of them where there is none.
    """
    listed = [contestant for contestant in (*ours(), *peers()) if not only or contestant.name in only]
    figures: dict[str, list[Figures]] = {contestant.name: [] for contestant in listed}
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), LATENCY)
        stage.start()
        try:
            for contestant in _turns(listed, rounds):
                figures[contestant.name].append(await visit(stage, contestant, effort))
        finally:
            stage.stop()
    return _document(listed, figures, effort)


def _turns(listed: list[Contestant], rounds: int) -> Iterator[Contestant]:
    """Return whose turn it is, until one more round would take too long, as far as the first ones tell."""
    screen, began = Console(stderr=True), time.monotonic()
    for number in range(rounds):
        if number and (time.monotonic() - began) * (number + 1) / number > _LONGEST:
            screen.print(f"{number} of {rounds} rounds are all that fit into {_LONGEST} seconds", style="yellow")
            return
        for contestant in listed[number:] + listed[:number]:
            screen.print(f"round {number + 1} of {rounds}: {contestant.name}", style="dim")
            yield contestant


def _document(listed: list[Contestant], figures: dict[str, list[Figures]], effort: Effort) -> dict[str, Any]:
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "latency_ms": LATENCY * 1000,
        "effort": asdict(effort),
        "contestants": {
            contestant.name: {
                "title": contestant.title,
                "kind": contestant.kind,
                "versions": dict(contestant.versions),
            }
            for contestant in listed
        },
        "figures": figures,
    }


def machine() -> dict[str, str | int]:
    """Say where it was measured."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout if node else ""
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
        "node": version.strip().removeprefix("v"),
    }
