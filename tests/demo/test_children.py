"""The demo's processes are waited for, shown and ended, whatever they do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from resource_server._demo import children
from resource_server._demo.children import Child, Children, until
from resource_server._demo.exchange import DemoError

FOREVER = "import signal; print('ready at 1', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"
READY = re.compile(r"ready at (\d)")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Children]:
    """Start processes that end with the test."""
    with Children(tmp_path) as processes:
        yield processes


def start(processes: Children, code: str) -> Child:
    """Start a Python process."""
    return processes.start("the program", [sys.executable, "-S", "-c", code], dict(os.environ))


def is_there(pid: int) -> bool:
    """Tell whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_until_asks_until_there_is_something() -> None:
    """A probe is asked again while it finds nothing."""
    asked = count()
    assert until(lambda: "found" if next(asked) == 2 else None, "it") == "found"


def test_until_is_bounded() -> None:
    """A wait ends, and says what it was for."""
    with pytest.raises(DemoError, match=r"^waited 0 s in vain for godot$"):
        until(lambda: None, "godot", seconds=0)


def test_ready_and_ended(started: Children) -> None:
    """A process is ready when it says so, its output is kept, and it is gone once it is stopped."""
    child = start(started, FOREVER)
    assert child.wait_for(READY) == "1"
    running = [child.running]
    assert started.transcript() == "--- the program printed\nready at 1\n"
    child.stop()
    assert [*running, child.running] == [True, False]
    assert not is_there(child.pid)


def test_end_before_ready(started: Children) -> None:
    """A process that ends before it is ready is not waited for any longer."""
    child = start(started, "raise SystemExit(3)")
    with pytest.raises(DemoError, match=r"^the program ended with exit code 3 before it was ready$"):
        child.wait_for(READY)


def test_errors_are_in_the_transcript(started: Children) -> None:
    """What a process complains about is kept together with what it prints."""
    child = start(started, "import sys; sys.exit('no coffee')")
    with pytest.raises(DemoError, match="exit code 1"):
        child.wait_for(READY)
    assert "no coffee" in started.transcript()


def test_stubborn_process_is_killed(started: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not listen is ended all the same."""
    monkeypatch.setattr(children, "_GRACE", 0.0)
    child = start(started, STUBBORN)
    child.wait_for(READY)
    child.stop()
    assert not is_there(child.pid)


def test_kill_asks_nobody(started: Children) -> None:
    """A killed process has no chance to refuse."""
    child = start(started, STUBBORN)
    child.wait_for(READY)
    child.kill()
    assert not is_there(child.pid)


def test_all_are_ended_after_a_failure(tmp_path: Path) -> None:
    """Leaving the context by an exception ends every process as well."""
    started = Children(tmp_path)

    def fail() -> None:
        with started:
            pids.extend(start(started, FOREVER).pid for _ in range(2))
            raise DemoError("the story went wrong")

    pids: list[int] = []
    with pytest.raises(DemoError, match="went wrong"):
        fail()
    assert [is_there(pid) for pid in pids] == [False, False]


def test_ctrl_c_does_not_reach_children(started: Children) -> None:
    """A process of the demo is in a session of its own, where no Ctrl-C of the terminal arrives."""
    child = start(started, FOREVER)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_interruption_waits_for_a_start_to_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C in the middle of starting a process comes when the process can be ended."""
    popen = subprocess.Popen
    pids: list[int] = []

    def interrupted_start(*args: object, **options: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = popen(*args, **options)  # type: ignore[call-overload]
        pids.append(process.pid)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted_start)
    started = Children(tmp_path)
    with pytest.raises(KeyboardInterrupt), started:
        start(started, FOREVER)
    assert [is_there(pid) for pid in pids] == [False]
