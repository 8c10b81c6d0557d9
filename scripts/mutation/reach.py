"""Import the tests once, and find out which of them reach which lines, and how long they take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import hypothesis
import pytest
from _pytest.runner import runtestprotocol

from scripts.mutation.operators import Mutant

SLOW = 1.0
"""Seconds that a test may take, to be of use here."""
ENOUGH = 10.0
"""Seconds of tests for one mutant at most."""
_OPTIONS = (
    "-o", "addopts=", "--import-mode=importlib", "-q", "--capture=no", "-p", "no:valkey", "-p", "no:randomly",
    "-p", "no:xdist", "-p", "no:cacheprovider", "-p", "no:faulthandler",
    "-W", "ignore::pytest.PytestAssertRewriteWarning", "--tb=native",
)  # fmt: skip
_NO_PHASES = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # one counterexample is enough: none is shrunk


@dataclass(slots=True)
class Reach:
    """What the tests reach when nothing is changed."""

    durations: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds by test, of those that pass and are fast enough."""
    lines: dict[Path, dict[int, set[str]]] = field(default_factory=dict[Path, dict[int, set[str]]])
    """The tests by file and line."""

    def tests_of(self, mutant: Mutant, *, mirrored: bool = False) -> list[str]:
        """Select the tests for a mutant, the most promising first.

        These are the tests that reach its lines, or where the module must be imported anew, any line of it; on
        request only those in the test file of its module.
        """
        in_place = mutant.place.function is not None
        first, last = mutant.place.lines if in_place else (0, sys.maxsize)
        by_line = self.lines.get(mutant.path, {})
        reaching = {test for line, tests in by_line.items() if first <= line <= last for test in tests}
        reaching |= set() if in_place else {test for test in self.durations if _mirrors(test, mutant)}
        chosen: list[str] = []
        left = ENOUGH
        for test in sorted(reaching & self.durations.keys(), key=lambda test: self._place(test, mutant)):
            if mirrored and not _mirrors(test, mutant):
                break
            left -= self.durations[test]
            if left < 0:
                break
            chosen.append(test)
        return chosen

    def _place(self, test: str, mutant: Mutant) -> tuple[bool, float, str]:
        return not _mirrors(test, mutant), self.durations[test], test


def _mirrors(test: str, mutant: Mutant) -> bool:
    return f"/test_{mutant.path.stem.lstrip('_')}.py::" in test


class _Loop:
    """Give the collected tests to a function, instead of running them."""

    def __init__(self, work: Callable[[list[pytest.Item]], None]) -> None:
        self._work = work

    @pytest.hookimpl
    def pytest_collection(self) -> None:
        """Let a failing example be: none of these tests is read by a person."""
        usual = hypothesis.settings.get_profile("default")
        hypothesis.settings.register_profile("mutation", usual, phases=_NO_PHASES, database=None)
        hypothesis.settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Hand the tests over; a test that cannot be imported is a failure of all of them."""
        if session.testsfailed:
            raise session.Interrupted("not all tests could be imported")
        self._work(session.items)
        return True


def collect(tests: Sequence[str], work: Callable[[list[pytest.Item]], None]) -> bool:
    """Import tests and hand them to a function; tell whether that could be done."""
    return pytest.main([*_OPTIONS, *tests], plugins=[_Loop(work)]) == pytest.ExitCode.OK


def measure(items: list[pytest.Item]) -> Reach:
    """Run every test once, and note what it reaches and how long it takes."""
    tracer = coverage.Coverage(data_file=None, config_file=False, include=["resource_server/*"])
    reach = Reach()
    tracer.start()
    for item, following in zip(items, [*items[1:], None], strict=True):
        tracer.switch_context(item.nodeid)
        began = time.perf_counter()
        reports = runtestprotocol(item, log=False, nextitem=following)
        took = time.perf_counter() - began
        if took < SLOW and all(report.passed for report in reports):
            reach.durations[item.nodeid] = took
    tracer.stop()
    measured = tracer.get_data()
    for name in measured.measured_files():
        by_line = measured.contexts_by_lineno(name)
        reach.lines[Path(name)] = {line: reach.durations.keys() & set(tests) for line, tests in by_line.items()}
    return reach


def failing(items: dict[str, pytest.Item], tests: Iterable[str]) -> list[str]:
    """Return the tests that fail when they are run in this order, which is not the usual one."""
    ordered = [items[test] for test in tests]
    return [
        item.nodeid
        for item, following in zip(ordered, [*ordered[1:], None], strict=True)
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))
    ]
