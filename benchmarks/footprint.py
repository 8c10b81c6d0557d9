"""Memory and import: what a cached token weighs, whether memory stays flat, and what an import costs."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tracemalloc
from pathlib import Path

from benchmarks.harness import Figure
from benchmarks.support import resource_server, scope
from resource_server import RequestParts

_TOKENS = 20_000
_FLOOD = 200_000
_STATM = Path("/proc/self/statm")
HAS_RSS = _STATM.exists()
_PAGE = 4096


async def measure_memory() -> list[Figure]:
    """Fill a cache, then send ten times as many distinct tokens as it holds."""
    server = resource_server(cache_size=_TOKENS)
    await _authenticate(server, range(100))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await _authenticate(server, range(100, _TOKENS))
    gc.collect()
    weight = (tracemalloc.get_traced_memory()[0] - before) / (_TOKENS - 100)
    tracemalloc.stop()
    figures = [Figure("one cached token", weight, "bytes", target="<= 1200", met=weight <= 1200)]
    return figures + (await _measure_flood(server) if HAS_RSS else [])


async def _measure_flood(server: object) -> list[Figure]:
    await _authenticate(server, range(_TOKENS, _TOKENS * 2))
    gc.collect()
    before = rss()
    await _authenticate(server, range(_TOKENS * 2, _TOKENS * 2 + _FLOOD))
    gc.collect()
    growth = (rss() - before) / 2**20
    return [
        Figure(
            "resident memory after 200 000 further tokens", growth, "MiB growth", target="flat (<= 5)", met=growth <= 5
        )
    ]


async def measure_import() -> list[Figure]:
    """Import the package, and the framework people use it with, in fresh interpreters."""
    ours, fastapi = "import resource_server", "import fastapi"
    times = {statement: [_import_ms(statement) for _ in range(7)] for statement in (ours, fastapi)}
    cost = statistics.median(times[ours])
    ratio = cost / statistics.median(times[fastapi])
    return [Figure(ours, cost, "ms", fastapi, ratio, target="<= 120", met=cost <= 120)]


def _import_ms(statement: str) -> float:
    code = f"import time; t = time.perf_counter(); {statement}; print((time.perf_counter() - t) * 1e3)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


async def _authenticate(server: object, numbers: range) -> None:
    for number in numbers:
        await server.authenticate(RequestParts("GET", scope(token=f"{number:040d}")["headers"]))  # type: ignore[attr-defined]


def rss() -> int:
    """Return the bytes of memory that are resident, or 0 where that cannot be known."""
    return int(_STATM.read_text().split()[1]) * _PAGE if HAS_RSS else 0
