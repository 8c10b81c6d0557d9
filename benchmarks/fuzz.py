"""The long run of the fuzz tests: a million inputs to the parsers of what strangers send.

What an input is, and what must hold of it, is said in ``tests/fuzz/parsers.py``. The first exception ends the run: its
note names the input, which ``tests.fuzz.parsers.run`` makes again.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from benchmarks.harness import Figure
from tests.fuzz.parsers import PROBES, run

_PROCESSES = 2
_PIECE = 5_000
_WHOLE = 1_000_000


class Piece(NamedTuple):
    """A part of the work, for one process."""

    name: str
    seed: str
    inputs: int


async def measure(arguments: list[str]) -> list[Figure]:
    """Hand the parsers inputs, each as many.

    Args:
        arguments: ``--inputs`` says how many in all, ``--seed`` which series.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks fuzz")
    parser.add_argument("--inputs", type=int, default=_WHOLE)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    pieces = _pieces(options.inputs, options.seed)
    started = time.perf_counter()
    spent = dict.fromkeys(PROBES, 0.0)
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        for name, seconds in await asyncio.gather(*(loop.run_in_executor(pool, _run, piece) for piece in pieces)):
            spent[name] += seconds
    took = time.perf_counter() - started
    inputs = sum(piece.inputs for piece in pieces)
    return [
        Figure(
            "fuzz, inputs", inputs, "inputs", target=f">= {_WHOLE}", met=inputs >= _WHOLE or None, note=f"{took:.0f} s"
        ),
        Figure("fuzz, speed", inputs / took, "inputs/s", note=f"{_PROCESSES} processes"),
        *(_figure(name, [piece for piece in pieces if piece.name == name], spent[name]) for name in PROBES),
    ]


def _figure(name: str, pieces: list[Piece], seconds: float) -> Figure:
    count = sum(piece.inputs for piece in pieces)
    return Figure(f"fuzz, {name}", count, "inputs", note=f"{seconds:.1f} s, all refused or right")


def _pieces(inputs: int, seed: int) -> list[Piece]:
    """Cut the work up, the parsers in turn, so that no process is left alone at the end."""
    each = -(-inputs // len(PROBES))
    return [
        Piece(name, f"{seed}-{start}", min(_PIECE, each - start)) for start in range(0, each, _PIECE) for name in PROBES
    ]


def _run(piece: Piece) -> tuple[str, float]:
    """Do a part of the work, and return how long it took."""
    started = time.perf_counter()
    run(piece.name, piece.seed, piece.inputs)
    return piece.name, time.perf_counter() - started
