"""Signals that end the demo, turned into one exception, and held back where that would leave a process behind."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], None]


@contextmanager
def ending_on_signals() -> Generator[None]:
    """Raise ``KeyboardInterrupt`` at the first signal that asks to end, as at Ctrl-C.

    The others are not heard any more: make hands on what its whole group has already got, and a second one must not
    come in the way of what the first one has begun to end.

    A shell starts background jobs with Ctrl-C ignored, and Python then leaves it so; whoever asks for this process to
    end by name is heard.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in _ending():
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handling(end):
        yield


@contextmanager
def uninterrupted() -> Generator[None]:
    """Hold those signals back until the block is done; then the interruption comes."""
    held: list[int] = []
    with _handling(lambda number, _frame: held.append(number)):
        yield
    if held:
        raise KeyboardInterrupt


@contextmanager
def _handling(handler: _Handler) -> Generator[None]:
    before = {number: signal.signal(number, handler) for number in _ending()}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _ending() -> list[signal.Signals]:
    """Ctrl-C, a plain kill, and the end of the terminal, where the system knows that and nohup does not ignore it."""
    hang_ups = [number for number in signal.Signals if number.name == "SIGHUP"]
    heard = [number for number in hang_ups if signal.getsignal(number) is not signal.SIG_IGN]
    return [signal.SIGINT, signal.SIGTERM, *heard]
