"""Run the tests that a mutant concerns, each mutant in a child process of its own.

The tests are imported once. A child is a fork of that process: it replaces the code of one function, and runs the
tests that reach the changed lines until one fails. What is made while a module is imported (constants, classes,
default arguments) cannot be replaced in place: there the child is a fork of a process that has not imported the
package yet, and imports the changed module instead of the true one.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.machinery
import importlib.util
import math
import os
import pickle
import resource
import signal
import sys
import time
import traceback
import types
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from _pytest.runner import runtestprotocol

from scripts.mutation.operators import Edit, Mutant
from scripts.mutation.reach import Reach, collect, failing, measure

_Result = TypeVar("_Result")
PATIENCE = 5.0
"""Seconds after which a test hangs, besides ten times what it takes otherwise."""
MEMORY = 4 << 30
"""Bytes that a mutant may use."""
_AGAIN = 3
"""How a child ends that could not replace the code in place."""
_PARTS = ("anyio", "fastapi.testclient", "joserfc.jwt", "mock_as.pytest_plugin", "pydantic_settings", "redis.asyncio")
"""What the tests import besides the package: once, and not in each child."""


@dataclass(slots=True)
class Outcomes:
    """How each mutant ended."""

    by_mutant: dict[tuple[object, ...], str] = field(default_factory=dict[tuple[object, ...], str])
    """``killed``, ``timeout``, ``survived`` or ``unreached``, by its key."""
    unsteady: list[str] = field(default_factory=list[str])
    """Tests that fail when they are run in another order, and so say nothing of a mutant."""


def try_all(mutants: Sequence[Mutant], tests: Sequence[str], jobs: int, until: float = math.inf) -> Outcomes:
    """Try every mutant, several at a time.

    Args:
        mutants: what is tried.
        tests: files and folders of the tests.
        jobs: mutants at a time.
        until: monotonic seconds after which no more are tried.
    """
    for part in _PARTS:
        importlib.import_module(part)
    outcomes, reach = in_child(partial(_try_in_place, mutants, tests, jobs, until))
    rest = [mutant for mutant in mutants if outcomes.by_mutant.get(mutant.key, "again") == "again"]
    _check(rest, reach, jobs)
    for anyhow in (False, True):  # most of them end in the test file of their module: the others are imported later
        trials = [(m, partial(_import_anew, m, reach, reach.tests_of(m, mirrored=not anyhow))) for m in rest]
        outcomes.by_mutant |= _trials(trials, jobs, until)
        rest = [m for m in rest if outcomes.by_mutant.get(m.key) == "survived"]
    return outcomes


def _check(mutants: Sequence[Mutant], reach: Reach, jobs: int) -> None:
    """Import each module anew as it is: where a test fails by that alone, it would say nothing of a mutant."""
    modules = {mutant.path: mutant for mutant in mutants}
    same = [replace(m, edit=Edit(m.tree, "body", 0, m.tree.body[0])) for m in modules.values()]
    outcomes = _trials([(m, partial(_import_anew, m, reach, reach.tests_of(m, mirrored=True))) for m in same], jobs)
    broken = [str(mutant.path) for mutant in same if outcomes[mutant.key] != "survived"]
    if broken:
        raise RuntimeError(f"the tests of these fail, though nothing is changed: {', '.join(broken)}")


def _try_in_place(mutants: Sequence[Mutant], tests: Sequence[str], jobs: int, until: float) -> tuple[Outcomes, Reach]:
    """Import the tests, and try all mutants for which that needs to be done only once."""
    outcomes, reach = Outcomes(), Reach()

    def work(items: list[pytest.Item]) -> None:
        nonlocal reach
        _silence(1)
        by_name = {item.nodeid: item for item in items}
        functions = _functions()
        gc.collect()
        gc.freeze()  # what stands still is not copied into each child
        reach = in_child(partial(measure, items))
        outcomes.unsteady = _unsteady(by_name, reach)
        for test in outcomes.unsteady:
            del reach.durations[test]
        trials: list[tuple[Mutant, Callable[[], int]]] = []
        for mutant in mutants:
            chosen = reach.tests_of(mutant)
            if mutant.place.function is not None and not chosen:
                outcomes.by_mutant[mutant.key] = "unreached"
            elif mutant.place.function is not None:
                trials.append((mutant, partial(_replace_code, mutant, functions, by_name, reach, chosen)))
        outcomes.by_mutant |= _trials(trials, jobs, until)

    if not collect(tests, work):
        raise RuntimeError("the tests cannot be imported")
    return outcomes, reach


def _unsteady(items: dict[str, pytest.Item], reach: Reach) -> list[str]:
    """Return the tests that fail when they are run in another order than the usual one, or hang: file by file."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for test in sorted(reach.durations, key=reach.durations.__getitem__):
        files[test.partition("::")[0]].append(test)
    found: list[str] = []
    for tests in files.values():
        try:
            found += in_child(partial(_control, items, reach, tests))
        except RuntimeError:
            found += tests
    return found


def _control(items: dict[str, pytest.Item], reach: Reach, tests: Sequence[str]) -> list[str]:
    signal.setitimer(signal.ITIMER_REAL, PATIENCE + 10 * sum(reach.durations[test] for test in tests))
    return failing(items, tests)


def _replace_code(
    mutant: Mutant,
    functions: dict[tuple[str, str, int], list[types.FunctionType]],
    items: dict[str, pytest.Item],
    reach: Reach,
    tests: Sequence[str],
) -> int:
    return int(not _survives(items, reach, tests)) if _change_function(mutant, functions) else _AGAIN


def _import_anew(mutant: Mutant, reach: Reach, tests: Sequence[str]) -> int:
    if not tests:
        return 0
    survived = False

    def work(items: list[pytest.Item]) -> None:
        nonlocal survived
        survived = _survives({item.nodeid: item for item in items}, reach, tests)

    sys.meta_path.insert(0, _ChangedModule(mutant))
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return int(not (collect(list(files), work) and survived))


def in_child(work: Callable[[], _Result]) -> _Result:
    """Return what a function returns in a fork of this process, which stays as it is."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = pickle.dumps(work())
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise RuntimeError("a child has failed, as it says above")
    result: _Result = pickle.loads(answer)  # noqa: S301 - written by our own child
    return result


# ----------------------------------------------------------------------------------------------------- what is changed


def _survives(items: dict[str, pytest.Item], reach: Reach, tests: Sequence[str]) -> bool:
    """Run tests until one fails; the alarm ends this process where one of them hangs."""
    ordered = [items[test] for test in tests]
    for item, following in zip(ordered, [*ordered[1:], None], strict=True):
        signal.setitimer(signal.ITIMER_REAL, PATIENCE + 10 * reach.durations[item.nodeid])
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return False
    return True


def _code_of(mutant: Mutant) -> types.CodeType:
    mutant.edit.apply()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(mutant.tree, str(mutant.path), "exec", dont_inherit=True)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _functions() -> dict[tuple[str, str, int], list[types.FunctionType]]:
    """Find every function there is, by file, qualified name and first line."""
    found: defaultdict[tuple[str, str, int], list[types.FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType):
            code = thing.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(thing)
    return found


def _change_function(mutant: Mutant, functions: dict[tuple[str, str, int], list[types.FunctionType]]) -> bool:
    """Give a function the code of the mutant, wherever it is referred to; tell whether that could be done."""
    if mutant.place.function is None:
        return False
    wanted = mutant.place.function
    found = functions.get((str(mutant.path), *wanted), [])
    changed = _nested(_code_of(mutant))
    code = next((code for code in changed if (code.co_qualname, code.co_firstlineno) == wanted), None)
    if code is None or any(function.__code__.co_freevars != code.co_freevars for function in found):
        return False
    for function in found:
        function.__code__ = code
    return bool(found)


class _ChangedModule(importlib.machinery.SourceFileLoader):
    """Import a mutant where the module of that name is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self._code = _code_of(mutant)
        name = ".".join(mutant.path.relative_to(Path.cwd()).with_suffix("").parts)
        super().__init__(name, str(mutant.path))

    def get_code(self, fullname: str) -> types.CodeType:
        """Return the code of the mutant, never what is cached on disk."""
        del fullname
        return self._code

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Answer for the one module."""
        return (
            importlib.util.spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None
        )


# ------------------------------------------------------------------------------------------------- one child per mutant


def _trials(
    trials: Iterable[tuple[Mutant, Callable[[], int]]], jobs: int, until: float = math.inf
) -> dict[tuple[object, ...], str]:
    """Run a function for each mutant in a child, and return how each ended; begin with none after a moment."""
    running: dict[int, Mutant] = {}
    outcomes: dict[tuple[object, ...], str] = {}

    def reap() -> None:
        pid, status = os.wait()
        mutant = running.pop(pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what it has started, and not ended
        outcomes[mutant.key] = _outcome(os.waitstatus_to_exitcode(status))

    for mutant, trial in trials:
        if time.monotonic() >= until:
            break
        if len(running) >= jobs:
            reap()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            _silence(1, 2)
            try:
                os._exit(trial())
            finally:
                os._exit(1)
        running[pid] = mutant
        if sys.stderr.isatty() or len(outcomes) % 100 == 0:
            print(f"\r{len(outcomes)} ", end="", file=sys.stderr, flush=True)
    while running:
        reap()
    return outcomes


def _silence(*streams: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)


def _outcome(code: int) -> str:
    return {0: "survived", _AGAIN: "again", -signal.SIGALRM: "timeout"}.get(code, "killed")
