"""The fault grid: 60 faults, 7 policies, 5 kinds of token, 3 states of the cache, each cell on sockets of its own.

What is right is said by an oracle that shares no code with the library (``tests/grid/oracle.py``). Every cell is asked
twice in the fault: at once, and when everything that was remembered is past its time to live.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Figure
from tests.grid.cells import Certificates, Probe, all_cells, play
from tests.grid.faults import HANGS
from tests.grid.judge import KINDS, counts, findings

_LANES, _HANGING_LANES = 6, 16
_SHOWN = 40


async def measure(arguments: list[str]) -> list[Figure]:
    """Play all of it, the cells that hang side by side; print what was not right. There are no options."""
    argparse.ArgumentParser(prog="python -m benchmarks grid").parse_args(arguments)
    started = time.perf_counter()
    cells, probes = all_cells(), list[Probe]()
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder))
        probes += await play([cell for cell in cells if cell.fault not in HANGS], certificates, lanes=_LANES)
        probes += await play([cell for cell in cells if cell.fault in HANGS], certificates, lanes=_HANGING_LANES)
    found = findings(probes)
    for finding in found[:_SHOWN]:
        print(finding)
    bad = counts(found)
    figures = [Figure(f"fault grid, {kind}", bad[kind], "answers", target="= 0", met=bad[kind] == 0) for kind in KINDS]
    took = time.perf_counter() - started
    return [
        Figure("fault grid, cells", len(cells), "cells", target="= 6300", met=len(cells) == 6300, note=f"{took:.0f} s"),
        Figure("fault grid, answers", len(probes), "answers", target="= 12600", met=len(probes) == 2 * len(cells)),
        *figures,
    ]
