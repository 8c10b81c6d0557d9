"""The clock that the authorization server computes with."""

from __future__ import annotations

import math

import pytest

from mock_as import Clock, UsageError


class Source:
    """The real time, as a test has it."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.time


@pytest.fixture
def source() -> Source:
    """Make a real time that only the test moves."""
    return Source()


@pytest.fixture
def clock(source: Source) -> Clock:
    """Make a clock."""
    return Clock(source)


def test_follows_its_source(clock: Clock, source: Source) -> None:
    """Until it is told otherwise a clock shows the real time."""
    source.time = 1234.5
    assert (clock.now(), clock.offset, clock.frozen) == (1234.5, 0.0, False)


def test_advance_adds_up_and_goes_on(clock: Clock, source: Source) -> None:
    """Moving the clock twice moves it by the sum, and it goes on from there."""
    clock.advance(3600)
    clock.advance(-100)
    source.time += 1
    assert clock.now() == 4501.0


def test_shift_replaces_the_offset(clock: Clock) -> None:
    """An offset is how far the clock is ahead, whatever it was before."""
    clock.advance(50)
    clock.shift(7)
    assert (clock.now(), clock.offset) == (1007.0, 7.0)


@pytest.mark.rfc("as-6")
def test_frozen_clock_stands_still_until_moved(clock: Clock, source: Source) -> None:
    """A frozen clock does not follow its source, but can be moved."""
    clock.advance(10)
    clock.freeze()
    source.time += 500
    assert (clock.now(), clock.frozen) == (1010.0, True)
    clock.advance(5)
    assert clock.now() == 1015.0


def test_freeze_again_keeps_the_time(clock: Clock) -> None:
    """Freezing a clock that stands still changes nothing."""
    clock.freeze()
    clock.advance(5)
    clock.freeze()
    assert clock.now() == 1005.0


def test_freeze_at_a_time(clock: Clock) -> None:
    """A clock can be stopped at any time at all, whatever offset it had."""
    clock.advance(10)
    clock.freeze(42)
    assert (clock.now(), clock.offset) == (42.0, 0.0)


def test_reset_goes_back_to_the_source(clock: Clock) -> None:
    """A reset undoes every freeze and every move."""
    clock.freeze(1)
    clock.advance(2)
    clock.reset()
    assert (clock.now(), clock.offset, clock.frozen) == (1000.0, 0.0, False)


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
def test_refuses_what_is_no_time(clock: Clock, seconds: float) -> None:
    """A clock that showed infinity would never come back."""
    for move in (clock.advance, clock.shift, clock.freeze):
        with pytest.raises(UsageError):
            move(seconds)
    assert clock.now() == 1000.0
