"""Only what was sealed with this key for this place opens, and nothing of it can be read or changed."""

from __future__ import annotations

import pytest

from resource_server._protocol.sealed import open_sealed, seal

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NONCE = bytes(range(12))
CONTENT = b"canary-content"
SEALED = seal(CONTENT, key=KEY, nonce=NONCE, name=b"place")


def test_opens_where_it_belongs() -> None:
    """What is sealed opens with its key at its place."""
    assert open_sealed(SEALED, key=KEY, name=b"place") == CONTENT


def test_shows_nothing() -> None:
    """The content cannot be read, and the length is the only thing to be learnt."""
    assert CONTENT not in SEALED
    assert len(SEALED) == 1 + len(NONCE) + len(CONTENT) + 16


def test_same_content_looks_different_under_another_nonce() -> None:
    """Two seals of one content have nothing in common but the format."""
    other = seal(CONTENT, key=KEY, nonce=NONCE[::-1], name=b"place")
    assert other[0] == SEALED[0]
    assert other[1:] != SEALED[1:]
    assert open_sealed(other, key=KEY, name=b"place") == CONTENT


@pytest.mark.attack("A-C-13")
@pytest.mark.parametrize("position", range(len(SEALED)))
def test_every_changed_bit_is_noticed(position: int) -> None:
    """A seal opens as it was made, or not at all: format, nonce, content and tag."""
    for bit in range(8):
        changed = bytearray(SEALED)
        changed[position] ^= 1 << bit
        assert open_sealed(bytes(changed), key=KEY, name=b"place") is None


@pytest.mark.attack("A-C-13")
@pytest.mark.parametrize("length", range(len(SEALED)))
def test_part_of_a_seal_is_none(length: int) -> None:
    """Neither a beginning nor an end of a seal opens."""
    assert open_sealed(SEALED[:length], key=KEY, name=b"place") is None
    assert open_sealed(SEALED[len(SEALED) - length :], key=KEY, name=b"place") is None


@pytest.mark.attack("A-C-13")
def test_more_than_a_seal_is_none() -> None:
    """What is appended or put in front is noticed."""
    assert open_sealed(SEALED + b"\0", key=KEY, name=b"place") is None
    assert open_sealed(b"\1" + SEALED, key=KEY, name=b"place") is None


@pytest.mark.attack("A-C-13")
def test_other_key_and_other_place() -> None:
    """A seal opens with no other key and at no other place."""
    assert open_sealed(SEALED, key=OTHER_KEY, name=b"place") is None
    assert open_sealed(SEALED, key=KEY, name=b"other") is None
