"""Signals end the demo, and never in the middle of something that would leave a process behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from resource_server._demo.signals import ending_on_signals, uninterrupted

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    """Hold every test to leaving the handlers as they were."""
    before = [signal.getsignal(number) for number in ENDING]
    yield
    assert [signal.getsignal(number) for number in ENDING] == before


@pytest.fixture
def terminal() -> Iterator[None]:
    """Run as from a terminal, though the tests may have been started by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", ENDING)
def test_every_way_to_end_is_a_ctrl_c(number: signal.Signals) -> None:
    """A plain kill and a closed terminal end the demo as a Ctrl-C does."""
    with pytest.raises(KeyboardInterrupt), ending_on_signals():
        signal.raise_signal(number)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", ENDING)
def test_one_signal_is_enough(number: signal.Signals) -> None:
    """What make hands on once more, or an impatient second Ctrl-C, does not interrupt the ending."""
    ended: list[bool] = []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt), ending_on_signals():
        work()
    assert ended == [True]


def test_ctrl_c_is_heard_in_the_background() -> None:
    """A demo that a shell started in the background, with Ctrl-C ignored, still ends when it is asked to."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), ending_on_signals():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_nohup_is_respected() -> None:
    """Where a closed terminal is to be ignored, it is."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_on_signals():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interruption_is_held_back() -> None:
    """A block that must not be interrupted is finished first, and interrupted then."""
    finished: list[bool] = []

    def work() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert finished == [True]


def test_nothing_held_back() -> None:
    """A block that nobody interrupts goes on as if nothing were there."""
    with uninterrupted():
        handler = signal.getsignal(signal.SIGTERM)
    assert handler is not signal.getsignal(signal.SIGTERM)
