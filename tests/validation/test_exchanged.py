"""Remembering tokens for other services: how many, how long, and what a refusal changes."""

from __future__ import annotations

import pytest

from resource_server._validation.exchanged import ExchangedTokens


@pytest.mark.parametrize(
    ("lifetime", "ends_after"), [(100.0, 90.0), (3600.0, 3570.0), (0.0, 0.0)], ids=["short", "long", "none"]
)
def test_a_token_is_used_until_shortly_before_its_end(lifetime: float, ends_after: float) -> None:
    """A tenth of its lifetime is left, and half a minute at most: it must not end on its way."""
    tokens = ExchangedTokens(10)
    tokens.put(b"k", "t", lifetime, 1_000.0)
    assert tokens.find(b"k", 1_000.0 + ends_after) is None
    assert tokens.find(b"k", 999.9 + ends_after) == "t"


def test_a_token_that_was_refused() -> None:
    """One that was refused is not used again, unless it came a moment ago: then another one would be refused, too."""
    tokens = ExchangedTokens(10)
    tokens.put(b"k", "t", 100.0, 0.0)
    assert tokens.find(b"k", 4.9, "t") == "t"
    assert tokens.find(b"k", 5.0, "t") is None
    assert tokens.find(b"k", 5.0, "an older one") == "t"


def test_the_oldest_is_forgotten() -> None:
    """There is a bound, and what was used least recently makes room."""
    tokens = ExchangedTokens(2)
    for key in (b"1", b"2"):
        tokens.put(key, "t", 100.0, 0.0)
    tokens.find(b"1", 0.0)
    tokens.put(b"3", "t", 100.0, 0.0)
    assert [tokens.find(key, 0.0) for key in (b"1", b"2", b"3")] == ["t", None, "t"]


@pytest.mark.attack("A-S-1")
def test_nothing_is_shown() -> None:
    """The representation shows no token."""
    tokens = ExchangedTokens(1)
    tokens.put(b"k", "canary", 100.0, 0.0)
    assert "canary" not in f"{tokens!r} {tokens._entries[b'k']!r}"
