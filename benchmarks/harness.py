"""Measure cases in interleaved rounds, so that a noisy moment of the machine hits all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field

Work = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the result."""

    name: str
    value: float
    unit: str
    baseline: str = ""
    """What it was compared with, in the same run."""
    ratio: float | None = None
    added: float | None = None
    """The median difference to the baseline, round by round."""
    target: str = ""
    met: bool | None = None
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the row as plain values."""
        return asdict(self)


@dataclass(slots=True)
class Rounds:
    """CPU microseconds per repetition of each case, round by round."""

    times: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def median(self, name: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(self.times[name])

    def added(self, name: str, baseline: str) -> float:
        """Return the median of the differences within each round."""
        pairs = zip(self.times[name], self.times[baseline], strict=True)
        return statistics.median(mine - theirs for mine, theirs in pairs)

    def ratio(self, name: str, baseline: str) -> float:
        """Return the median of the ratios within each round."""
        pairs = zip(self.times[name], self.times[baseline], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


async def interleave(cases: Mapping[str, Work], *, repetitions: int, rounds: int = 11) -> Rounds:
    """Run every case in turn, several times.

    Args:
        cases: each takes a number of repetitions and performs them.
        repetitions: how many per round.
        rounds: how many rounds; one more is run first and thrown away.
    """
    measured = Rounds({name: [] for name in cases})
    for name, work in cases.items():
        await work(max(1, repetitions // 10))
        measured.times[name].clear()
    for _ in range(rounds):
        for name, work in cases.items():
            gc.collect()
            started = time.process_time()
            await work(repetitions)
            measured.times[name].append((time.process_time() - started) / repetitions * 1e6)
    return measured
