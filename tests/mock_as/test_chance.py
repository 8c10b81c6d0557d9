"""What is random, and what of it is never so."""

from __future__ import annotations

import pytest

from mock_as.chance import Chance


def test_a_seed_makes_everything_come_again() -> None:
    """Two with one seed say the same, and one that is seeded anew begins again."""
    first, second = Chance(7), Chance(7)
    said = [first.text(16) for _ in range(3)]
    assert [second.text(16) for _ in range(3)] == said
    first.reset()
    assert first.text(16) == said[0]
    assert Chance(7, "elsewhere").text(16) != said[0]


@pytest.mark.parametrize("byte", [b"\xf8", b"\xfb", b"\xff", b"\x00"])
def test_no_text_looks_like_an_option(byte: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that begins with a minus could not be pasted behind a command."""
    chance = Chance(None)
    monkeypatch.setattr(chance, "_bytes", lambda size: byte * size)
    assert not chance.text(8).startswith("-")
    assert len(chance.text(8)) == 11
