"""What is under way, and for how long."""

from __future__ import annotations

import math

import pytest

from mock_as import Clock, pending
from mock_as.pending import Pending, Shelf


def test_value_is_there_until_its_end() -> None:
    """A value is found until its time is over, and not a moment longer."""
    clock = Clock(lambda: 1000.0)
    shelf = Shelf(clock.now)
    shelf.put("code", "value", 10)
    clock.advance(9)
    assert shelf.get("code") == "value"
    clock.advance(1)
    assert shelf.get("code") is None
    assert shelf.pop("code") is None


def test_value_is_taken_once() -> None:
    """A value that was taken away is gone."""
    shelf = Shelf(lambda: 0.0)
    shelf.put("code", "value", 10)
    assert list(shelf) == ["code"]
    assert (shelf.pop("code"), shelf.pop("code")) == ("value", None)


def test_shelf_does_not_grow_for_ever() -> None:
    """What is over is thrown away as new values come, and what is not stays."""
    clock = Clock(lambda: 0.0)
    shelf = Shelf(clock.now)
    shelf.put("kept", "value", 10_000)
    for number in range(5000):
        shelf.put(str(number), number, 1)
        clock.advance(1)
    assert len(shelf) <= 1000
    assert shelf.get("kept") == "value"


def test_shelf_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long values live, there are never more than so many of them, and those are the latest."""
    monkeypatch.setattr(pending, "MOST", 2000)
    shelf = Shelf(lambda: 0.0)
    for number in range(10_000):
        shelf.put(str(number), number, math.inf)
        assert len(shelf) <= 2000
    assert list(shelf)[-1000:] == [str(number) for number in range(9000, 10_000)]


def test_everything_can_be_brought_back() -> None:
    """What was under way is so again after it was dumped, reset and loaded."""
    shelves = Pending(lambda: 0.0)
    shelves.sessions.put("session", "alice", 10)
    dumped = shelves.dump()
    shelves.reset()
    assert shelves.sessions.get("session") is None
    shelves.load(dumped)
    assert shelves.sessions.get("session") == "alice"
