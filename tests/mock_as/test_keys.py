"""The signing keys: made once, published as long as they should be, and never with their private parts."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import JWKRegistry

from mock_as import UsageError
from mock_as.keys import ALGORITHMS, KeyRing, generate_key

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def ring() -> KeyRing:
    """Make a new ring of keys."""
    return KeyRing()


def kids(ring: KeyRing) -> list[str]:
    """Return the published names, in order."""
    return [key["kid"] for key in ring.jwks()["keys"]]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_kid_is_the_thumbprint(alg: str) -> None:
    """The name of a key is its RFC 7638 thumbprint, computed from the public part alone."""
    key = generate_key(alg)
    public = {name: value for name, value in key.public().items() if name not in {"kid", "use", "alg"}}
    assert key.kid == JWKRegistry.import_key(public).thumbprint()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_verifies_with_the_published_key(alg: str, ring: KeyRing) -> None:
    """What a key signs, its published part verifies, with the algorithm that it names."""
    key = ring.signing(alg)
    [public] = [found for found in ring.jwks()["keys"] if found["kid"] == key.kid]
    message = b"eyJhbGciOiJub25lIn0.e30"
    model = jws.JWSRegistry.algorithms[public["alg"]]
    assert model.verify(message, key.sign(message), JWKRegistry.import_key(public))
    assert not model.verify(message + b"x", key.sign(message), JWKRegistry.import_key(public))


def test_jwks_has_public_parts_only(ring: KeyRing) -> None:
    """No member of a private key is ever published, and every key says what it is for."""
    for alg in ALGORITHMS:
        ring.signing(alg)
    keys: list[dict[str, Any]] = ring.jwks()["keys"]
    assert [key["alg"] for key in keys] == list(ALGORITHMS)
    assert {key["use"] for key in keys} == {"sig"}
    assert not PRIVATE & {name for key in keys for name in key}


def test_keys_are_made_at_first_use(ring: KeyRing) -> None:
    """A new ring has the one key that signs by default; others are made, and published, when they are needed."""
    assert [key["alg"] for key in ring.describe()] == ["ES256"]
    first = ring.signing("Ed25519")
    assert ring.signing("Ed25519") is first
    assert [key["alg"] for key in ring.jwks()["keys"]] == ["ES256", "Ed25519"]


def test_rotation_keeps_the_old_key_for_one_overlap(ring: KeyRing) -> None:
    """A rotation adds a key that signs; the one before stays published, and the one before that is retired."""
    old = ring.signing().kid
    [new] = ring.rotate()
    assert ring.signing().kid == new
    assert kids(ring) == [old, new]
    assert ring.previous().kid == old
    [newest] = ring.rotate()
    assert kids(ring) == [new, newest]
    assert {key["kid"]: key["state"] for key in ring.describe()} == {
        old: "unpublished",
        new: "published",
        newest: "signing",
    }


def test_rotation_without_overlap_unpublishes_at_once(ring: KeyRing) -> None:
    """Without an overlap the old key is gone from the JWKS, but can still sign what a test needs."""
    old = ring.signing()
    ring.rotate(overlap=False)
    assert old.kid not in kids(ring)
    assert ring.previous() is old


def test_rotation_of_every_algorithm_in_use(ring: KeyRing) -> None:
    """Without an algorithm every key in use is replaced; with one, only that one is."""
    es256, ed25519 = ring.signing("ES256").kid, ring.signing("Ed25519").kid
    ring.rotate("Ed25519")
    assert ring.signing("ES256").kid == es256
    assert ring.signing("Ed25519").kid != ed25519
    assert len(ring.rotate()) == 2
    assert ring.signing("ES256").kid != es256


def test_unpublished_key_stays_unpublished(ring: KeyRing) -> None:
    """The key that is never published is one and the same, and is never in the JWKS."""
    key = ring.unpublished()
    assert ring.unpublished() is key
    assert ring.find(key.kid) is key
    assert key.kid not in kids(ring)


def test_every_kid_is_unique(ring: KeyRing) -> None:
    """No two keys share a name, however often they are rotated."""
    for _ in range(5):
        ring.rotate()
    ring.unpublished()
    names = [key["kid"] for key in ring.describe()]
    assert len(set(names)) == len(names) == 7


def test_reset_goes_back_to_the_first_keys(ring: KeyRing) -> None:
    """A reset undoes rotations and keys made since, and makes no key anew, for that would be slow."""
    first, ed25519 = ring.signing().kid, ring.signing("Ed25519")
    ring.rotate(overlap=False)
    ring.reset()
    assert kids(ring) == [first]
    assert ring.signing("Ed25519") is ed25519
    with pytest.raises(UsageError):
        ring.previous()


def test_refuses_what_there_is_not(ring: KeyRing) -> None:
    """A key or an algorithm that does not exist is an error that names what was meant."""
    with pytest.raises(UsageError, match="did you mean 'ES256'"):
        ring.signing("ES265")
    with pytest.raises(UsageError, match="rotate the keys first"):
        ring.previous()
    with pytest.raises(UsageError, match="did you mean 'unpublished'"):
        ring.find("unpublishd")
