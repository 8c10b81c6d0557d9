"""What comes a second time."""

from __future__ import annotations

from mock_as import Clock
from mock_as.oauth.replay import first_time
from mock_as.pending import Shelf


def test_second_time_is_noticed_for_a_while() -> None:
    """A name is remembered for as long as it is to be, and is not mixed up with another."""
    clock = Clock(lambda: 0.0)
    seen = Shelf(clock.now)
    assert first_time(seen, "proof", "a", "b", lifetime=10)
    assert not first_time(seen, "proof", "a", "b", lifetime=10)
    assert first_time(seen, "proof", "ab", "", lifetime=10)
    assert first_time(seen, "assertion", "a", "b", lifetime=10)
    clock.advance(11)
    assert first_time(seen, "proof", "a", "b", lifetime=10)


def test_long_names_take_no_room() -> None:
    """What is remembered of a name is short, however long it is, and whatever characters are in it."""
    seen = Shelf(lambda: 0.0)
    assert first_time(seen, "x" * 1_000_000, "\ud800", lifetime=1)
    assert [len(key) for key in seen] == [64]
