"""Processes of the demo's own: started, waited for, and ended whatever happens."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import Self, TypeVar

from resource_server._demo.exchange import DemoError
from resource_server._demo.signals import uninterrupted

T = TypeVar("T")

_POLL = 0.02
_PATIENCE = 15.0
_GRACE = 5.0


def until(probe: Callable[[], T | None], what: str, seconds: float = _PATIENCE) -> T:
    """Return what a probe finds, asking again in short intervals.

    Args:
        probe: returns ``None`` where it is too early.
        what: what is waited for, for the message.
        seconds: how long to try.

    Raises:
        DemoError: the time is over.
    """
    deadline = time.monotonic() + seconds
    while (found := probe()) is None:
        if time.monotonic() >= deadline:
            raise DemoError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(_POLL)
    return found


class Child:
    """A process and everything it prints.

    It has a session of its own: a Ctrl-C reaches the demo alone, which then ends its processes in order.

    Args:
        name: what to call it.
        command: what to run.
        folder: where to run it, and where its output is kept.
        environment: its environment.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start it."""
        self.name = name
        descriptor, path = mkstemp(suffix=".log", dir=folder)
        self._log = Path(path)
        with os.fdopen(descriptor, "wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are this project's own
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._process.poll() is None

    def output(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, sign: re.Pattern[str]) -> str:
        """Wait until it prints something, and return the first group of it.

        Raises:
            DemoError: it ended before, or it took too long.
        """

        def look() -> str | None:
            ended = not self.running
            found = sign.search(self.output())
            if found is None and ended:
                raise DemoError(f"{self.name} ended with exit code {self._process.returncode} before it was ready")
            return None if found is None else found.group(1)

        return until(look, f"{self.name} to be ready")

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it: politely at first, and in any case."""
        try:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        finally:
            self.kill()


class Children:
    """The processes that were started; leaving this context ends every one of them.

    Args:
        folder: where they run and their output is kept.
    """

    def __init__(self, folder: Path) -> None:
        """Start with none."""
        self._folder = folder
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End them, the last one first."""
        with uninterrupted(), ExitStack() as ending:
            for child in self._children:
                ending.callback(child.stop)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start one more."""
        with uninterrupted():
            child = Child(name, command, self._folder, environment)
            self._children.append(child)
        return child

    def transcript(self) -> str:
        """Return everything they have printed."""
        return "\n".join(f"--- {child.name} printed\n{child.output()}" for child in self._children)
