"""What is asked of a contestant, and the figures that come of it."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from benchmarks.compare.client import LOST, Answer, ask, question, until
from benchmarks.compare.contestants import Contestant
from benchmarks.compare.stage import Running, Stage

Figures = dict[str, float]
"""What was measured, by the names in :mod:`benchmarks.compare.report`."""
_FEW = 8
_MANY = 32
_WARM = 200
_WARMING = 0.2
_SHORT = "1"
"""Seconds for which answers are remembered where an outage is to outlast them."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it may take."""

    seconds: float
    """Of each load."""
    tokens: int
    """How many distinct ones."""
    jwts: int
    """Likewise, of those that are signed."""
    burst: int
    """How many ask at once."""


async def visit(stage: Stage, contestant: Contestant, effort: Effort) -> Figures:
    """Measure everything that one contestant can do, once.

    Args:
        stage: the authorization server.
        contestant: who.
        effort: how long it may take.
    """
    figures: Figures = {"import.ms": import_milliseconds(contestant)}
    with stage.running(contestant) as running:  # of its own: what a burst leaves behind would hide what tokens weigh
        await _load(running, repeat(question(running.port, "/public")), _WARMING)
        figures |= await _burst(stage, contestant, running, effort)
    with stage.running(contestant) as running:
        await _load(running, repeat(question(running.port, "/public")), _WARMING)
        figures |= await _bare(running, effort)
        figures |= await _hit(stage, contestant, running, effort)
        figures |= await _distinct(stage, contestant, running, effort)
        figures |= await _flood(stage, contestant, running, effort)
        figures |= await _expiry(stage, contestant, running, effort)
    if contestant.kind == "opaque":
        figures |= await _outage(stage, contestant, effort)
    return figures | {"hit.added_us": figures["hit.cpu_us"] - figures["bare.cpu_us"]}


def import_milliseconds(contestant: Contestant) -> float:
    """Measure what a program pays for the import, beyond what starting the interpreter costs."""

    def run(command: Sequence[str]) -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, cwd=contestant.home, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    return max(0.0, run(contestant.imports) - run(contestant.nothing)) * 1000


async def _load(running: Running, questions: Iterator[bytes], seconds: float, connections: int = _FEW) -> list[Answer]:
    end = time.perf_counter() + seconds
    return await ask(running.port, until(end, questions), connections)


async def _timed(name: str, running: Running, load: Callable[[], object], answers: list[Answer]) -> Figures:
    """Measure a load: answers per second, CPU time for each, and how long they took."""
    cpu, started = running.cpu(), time.perf_counter()
    got = load()
    assert asyncio.iscoroutine(got)
    answers += await got
    elapsed, spent = time.perf_counter() - started, running.cpu() - cpu
    return {
        f"{name}.rate": len(answers) / elapsed,
        f"{name}.cpu_us": spent / len(answers) * 1e6,
        f"{name}.p50_ms": _quantile(answers, 0.5),
        f"{name}.p99_ms": _quantile(answers, 0.99),
    }


def _quantile(answers: list[Answer], share: float) -> float:
    taken = sorted(answer.seconds for answer in answers)
    return taken[min(len(taken) - 1, int(share * len(taken)))] * 1000


def _share(answers: list[Answer], wanted: Callable[[int], bool]) -> float:
    return sum(wanted(answer.status) for answer in answers) / len(answers)


def _ok(status: int) -> bool:
    return status == 200


async def _burst(stage: Stage, contestant: Contestant, running: Running, effort: Effort) -> Figures:
    """Ask many times at once with a token that nobody has seen, of a process that has seen none."""
    asked = stage.asked()
    token, started = stage.good(contestant), time.perf_counter()
    answers = await ask(running.port, repeat(question(running.port, "/read", token), effort.burst), effort.burst)
    return {
        "burst.ms": (time.perf_counter() - started) * 1000,
        "burst.asked": stage.asked() - asked,
        "burst.good": _share(answers, _ok),
    }


async def _bare(running: Running, effort: Effort) -> Figures:
    answers: list[Answer] = []
    questions = repeat(question(running.port, "/public"))
    return await _timed("bare", running, lambda: _load(running, questions, effort.seconds), answers)


async def _hit(stage: Stage, contestant: Contestant, running: Running, effort: Effort) -> Figures:
    known = question(running.port, "/read", stage.good(contestant))
    [first] = await ask(running.port, [known], 1)
    assert _ok(first.status), f"{contestant.name} refuses a good token"
    await ask(running.port, repeat(known, _WARM), _FEW)
    answers: list[Answer] = []
    figures = await _timed("hit", running, lambda: _load(running, repeat(known), effort.seconds), answers)
    assert _share(answers, _ok) == 1, f"{contestant.name} refuses a good token"
    return figures


async def _distinct(stage: Stage, contestant: Contestant, running: Running, effort: Effort) -> Figures:
    """Ask once with each of many good tokens; what the process keeps of them is their memory."""
    number = effort.tokens if contestant.kind == "opaque" else effort.jwts
    tokens = [stage.good(contestant) for _ in range(_WARM + number)]
    questions = [question(running.port, "/read", token) for token in tokens]
    await ask(running.port, questions[:_WARM], _MANY)
    asked, before, answers = stage.asked(), running.resident(), list[Answer]()
    load = questions[_WARM:]
    figures = await _timed("distinct", running, lambda: ask(running.port, load, _MANY), answers)
    return figures | {
        "distinct.asked": (stage.asked() - asked) / number,
        "distinct.good": _share(answers, _ok),
        "memory.bytes": (running.resident() - before) / number,
    }


async def _flood(stage: Stage, contestant: Contestant, running: Running, effort: Effort) -> Figures:
    """Ask with tokens that nobody issued, each once."""
    asked, answers = stage.asked(), list[Answer]()
    questions = (question(running.port, "/read", stage.bad(contestant)) for _ in iter(int, 1))
    figures = await _timed("flood", running, lambda: _load(running, questions, effort.seconds), answers)
    return figures | {
        "flood.asked": (stage.asked() - asked) / len(answers),
        "flood.refused": _share(answers, lambda status: status == 401),
    }


async def _expiry(stage: Stage, contestant: Contestant, running: Running, effort: Effort) -> Figures:
    """Ask with one token before and after it expires; what was asked for later than that and let in is too late."""
    expires = int(time.time()) + 2
    questions = repeat(question(running.port, "/read", stage.good(contestant, expires)))
    answers = await _load(running, questions, expires - time.time() + effort.seconds)
    late = [answer.asked - expires for answer in answers if _ok(answer.status) and answer.asked >= expires]
    before = [answer for answer in answers if answer.asked + answer.seconds < expires]
    assert _share(before, _ok) == 1, f"{contestant.name} refuses a good token"
    return {"expiry.late_s": max(late, default=0.0), "expiry.late": len(late), "expiry.max_ms": _quantile(answers, 1)}


async def _outage(stage: Stage, contestant: Contestant, effort: Effort) -> Figures:
    """Ask with a hot token when the authorization server is gone, and what was remembered is older than it may be."""
    with stage.running(contestant, CACHE_SECONDS=_SHORT, RESOURCE_SERVER_CACHE_TTL=_SHORT) as running:
        hot = question(running.port, "/read", stage.good(contestant))
        await ask(running.port, repeat(hot, _WARM), _FEW)
        stage.stop()
        try:
            await asyncio.sleep(float(_SHORT) + 0.2)
            answers = await _load(running, repeat(hot), effort.seconds)
        finally:
            stage.start()
    return {
        "outage.good": _share(answers, _ok),
        "outage.401": _share(answers, lambda status: status == 401),
        "outage.503": _share(answers, lambda status: status == 503),
        "outage.other": _share(answers, lambda status: status not in (200, 401, 503, LOST)),
        "outage.lost": _share(answers, lambda status: status == LOST),
        "outage.p99_ms": _quantile(answers, 0.99),
    }


def medians(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
