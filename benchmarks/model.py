"""How much an authorization server is asked, and how long a revoked token lives: on paper, and against real workers.

``python -m benchmarks model`` prints the table of ``docs/load-model.md``, where the formulas stand; ``--plot FILE``
draws it, and ``--check`` runs 1 to 8 workers and compares what they ask with what the formulas say.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from benchmarks.caller import Caller
from benchmarks.harness import Figure
from benchmarks.plot import Line, draw
from benchmarks.stage import Fleet, fleet, mint

WORKERS = (10, 100, 1_000, 10_000)
TOKENS = tuple(10**power for power in range(3, 9))
DUE = (1 - 0.05 / 2) * (1 - 0.025)
"""The share of its time to live after which a good answer in use is due again: the jitter, and the lead."""
PUSHED = 1.0
"""Seconds within which a pushed revocation is everywhere."""
_BUSY = 5_000.0
"""Requests per second that one worker can hardly serve: what lies beyond is shown, and marked."""


@dataclass(frozen=True)
class Load:
    """A fleet, and what it is asked."""

    workers: int
    tokens: float
    """Live tokens, all asked for as often, with requests that come at any worker."""
    rate: float = 0.1
    """Requests per second with one token, at all workers together."""
    ttl: float = 60.0
    cache_size: int = 50_000

    @property
    def per_worker(self) -> float:
        """Requests per second at one worker."""
        return self.tokens * self.rate / self.workers

    @property
    def questions_alone(self) -> float:
        """Questions per second to the authorization server, where each worker remembers for itself."""
        rate = self.rate / self.workers
        return self.workers * self.tokens * rate / _requests_per_question(rate, self.ttl, self.kept)

    @property
    def questions_shared(self) -> float:
        """The same with a second level: the fleet is one cache, which holds all tokens."""
        return self.tokens * self.rate / _requests_per_question(self.rate, self.ttl, 1.0)

    @property
    def kept(self) -> float:
        """The share of entries that are still there at the next request: the others were pushed out by other tokens."""
        return min(1.0, self.cache_size / self.tokens)

    @property
    def lag_alone(self) -> float:
        """Seconds, on average, until the last worker stops serving a revoked token, without push."""
        rate = self.rate / self.workers
        holding = self.workers * self.kept * rate * self.ttl / (1 + rate * self.ttl)
        return self.ttl * holding / (holding + 1)

    @property
    def lag_shared(self) -> float:
        """The same with a second level: all of them hold the same answer, which is as old everywhere."""
        known = self.rate * self.ttl / (1 + self.rate * self.ttl)
        return self.ttl / 2 * known


def _requests_per_question(rate: float, ttl: float, kept: float) -> float:
    """Say how many requests with a token are answered by one question, the one that causes it included.

    Args:
        rate: requests per second with it, at random moments.
        ttl: seconds an answer is served.
        kept: the chance that an entry is still there at the next request.
    """
    expected = rate * ttl * DUE
    if kept >= 1.0:
        return 1 + expected
    return (1 - kept * math.exp(-expected * (1 - kept))) / (1 - kept)


def table(rate: float, ttl: float) -> Table:
    """Lay the model out."""
    shown = Table("workers", "tokens", "requests/s", "AS asked/s, alone", "shared", "lag alone, s", "shared", "pushed")
    for workers in WORKERS:
        for tokens in TOKENS:
            load = Load(workers, tokens, rate, ttl)
            beyond = " *" if load.per_worker > _BUSY else ""
            lags = (f"{load.lag_alone:.1f}", f"{load.lag_shared:.1f}", f"<= {PUSHED:g}")
            asked = (f"{load.questions_alone:,.1f}", f"{load.questions_shared:,.1f}")
            shown.add_row(f"{workers:,}", f"{tokens:,}{beyond}", f"{tokens * rate:,.0f}", *asked, *lags)
    return shown


def plot(rate: float, ttl: float) -> str:
    """Draw how much the authorization server is asked, over the number of workers."""
    many = [10 ** (step / 8) for step in range(8, 33)]
    lines: list[Line] = []
    for tokens in TOKENS:
        loads = [Load(round(workers), tokens, rate, ttl) for workers in many]
        name = f"{tokens:.0e} tokens".replace("e+0", "e")
        lines.append(Line(name, [(load.workers, load.questions_alone) for load in loads]))
        lines.append(Line("", [(load.workers, load.questions_shared) for load in loads], dashed=True))
    return draw(
        lines, "workers", "introspections per second", "one cache per worker (solid), one second level (dashed)"
    )


async def check(seconds: float) -> list[Figure]:
    """Run real workers, and compare."""
    figures: list[Figure] = []
    for workers, shared, tokens in (
        (1, False, 40),
        (2, False, 40),
        (4, False, 40),
        (8, False, 40),
        (4, True, 40),
        (8, True, 40),
    ):
        load = Load(workers, tokens, rate=3.0, ttl=2.0)
        options = {"cache_ttl": load.ttl, "strategy": "introspect"}
        async with fleet(workers, options, second_level=shared) as started:
            measured = await _measure(started, load, seconds)
        predicted = load.questions_shared if shared else load.questions_alone
        name = f"model, {workers} workers {'with a second level' if shared else 'alone'}"
        ratio = measured / predicted
        figures.append(
            Figure(
                name,
                measured,
                "questions/s",
                f"{predicted:.1f} predicted",
                ratio,
                None,
                "ratio 0.8-1.2",
                0.8 <= ratio <= 1.2,
            )
        )
    return figures


async def _measure(started: Fleet, load: Load, seconds: float) -> float:
    """Send requests at random moments, and count the questions after a while of settling."""
    callers = [Caller(port) for port in started.ports]
    tasks: set[asyncio.Task[Any]] = set()
    async with aiohttp.ClientSession() as session:
        texts = await mint(session, started.admin, n=int(load.tokens), format="opaque", sub="alice")
        since, began, sent = 0.0, time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < load.ttl * 2 + seconds:
            if passed >= load.ttl * 2 and since == 0.0:
                await _forget(session, started)
                since = time.perf_counter()
            while sent < passed * load.tokens * load.rate:
                task = asyncio.ensure_future(random.choice(callers).get("/me", random.choice(texts)))  # noqa: S311 - load
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
            await asyncio.sleep(0.002)
        asked = await _asked(session, started)
        took = time.perf_counter() - since
        answers = await asyncio.gather(*tasks)
    assert all(status == 200 for status, _ in answers)
    for caller in callers:
        caller.close()
    return asked / took


async def _asked(session: aiohttp.ClientSession, started: Fleet) -> int:
    url = f"{started.admin}/requests/count?endpoint=introspect"
    async with session.get(url, headers={"connection": "close"}) as response:
        count: int = (await response.json())["count"]
        return count


async def _forget(session: aiohttp.ClientSession, started: Fleet) -> None:
    """Empty the journal, which holds the last thousand questions only."""
    async with session.delete(f"{started.admin}/requests", headers={"connection": "close"}) as response:
        assert response.ok


async def measure(arguments: list[str]) -> list[Figure]:
    """Print the model, and check it where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks model")
    parser.add_argument("--rate", type=float, default=0.1, help="requests per second with one token")
    parser.add_argument("--ttl", type=float, default=60.0, help="the workers' cache_ttl in seconds")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it there, as SVG")
    parser.add_argument("--check", action="store_true", help="compare it with 1 to 8 real workers")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each of these is measured")
    options = parser.parse_args(arguments)
    Console(width=120).print(table(options.rate, options.ttl))
    if options.plot is not None:
        options.plot.write_text(plot(options.rate, options.ttl), encoding="utf-8")
    return await check(options.seconds) if options.check else []
