"""Nonces that nobody remembers: who makes them, for whom, and for how long."""

from __future__ import annotations

import hmac
import string
from base64 import urlsafe_b64encode

import pytest

from resource_server._validation.nonce import Nonces

PERIOD = 60.0
NOW = 600.0
NONCES = Nonces(b"the secret of all workers in this test", PERIOD)
_NQCHAR = frozenset(map(chr, [0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)]))


@pytest.mark.rfc("9449-9-a")
def test_a_nonce_is_good_in_its_period_and_the_next() -> None:
    """RFC 9449 §8.2: an old nonce stays good while clients learn the new one, and not for longer."""
    nonce = NONCES.current("key", NOW)
    assert NONCES.current("key", NOW + PERIOD - 1) == nonce
    assert NONCES.current("key", NOW + PERIOD) != nonce
    assert NONCES.accepts(nonce, "key", NOW)
    assert NONCES.accepts(nonce, "key", NOW + 2 * PERIOD - 1)
    assert not NONCES.accepts(nonce, "key", NOW + 2 * PERIOD)


def test_clocks_of_workers_may_differ() -> None:
    """The nonce of a worker whose clock is ahead is known to the others, and one of the far future is not."""
    assert NONCES.accepts(NONCES.current("key", NOW + PERIOD), "key", NOW)
    assert not NONCES.accepts(NONCES.current("key", NOW + 2 * PERIOD), "key", NOW)


@pytest.mark.rfc("9449-9-a")
@pytest.mark.attack("A-D-8")
def test_a_nonce_is_for_one_key_and_one_secret() -> None:
    """RFC 9449 §11.3: another client's nonce, another server's and one made up are no nonces."""
    nonce = NONCES.current("key", NOW)
    assert not NONCES.accepts(nonce, "other", NOW)
    assert not Nonces(b"another secret", PERIOD).accepts(nonce, "key", NOW)
    for wrong in ("", nonce[:-1], nonce + "A", nonce.swapcase(), "é"):
        assert not NONCES.accepts(wrong, "key", NOW)


def test_all_workers_make_the_same() -> None:
    """Whoever has the secret makes the same nonces, also while half of the workers are of another version."""
    mac = hmac.digest(NONCES.secret, b"dpop-nonce:10:key", "sha256")
    assert NONCES.current("key", NOW) == urlsafe_b64encode(mac)[:24].decode()


@pytest.mark.rfc("9449-9-a")
def test_characters() -> None:
    """RFC 9449 §8.1: a nonce has the characters that a nonce may have, and too many of them to be guessed."""
    nonce = NONCES.current("key", NOW)
    assert set(nonce) <= _NQCHAR & set(string.ascii_letters + string.digits + "-_")
    assert len(nonce) == 24


def test_the_secret_is_not_shown() -> None:
    """The secret is in no ``repr``."""
    assert "secret of all" not in repr(NONCES)
