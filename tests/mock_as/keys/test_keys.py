"""The signing keys: made once, published as long as they should be, and never with their private parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


@pytest.mark.rfc("as-3")
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


@pytest.mark.rfc("as-3")
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


@pytest.mark.rfc("as-3")
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
    with pytest.raises(UsageError, match="kid: 'unpublished' is unknown"):
        ring.find("unpublished")


# ------------------------------------------------------------------------------------------------ published, and used


def state(ring: KeyRing, kid: str) -> str | None:
    """Return the state of a key."""
    return next((key["state"] for key in ring.describe() if key["kid"] == kid), None)


def test_staged_key_is_neither_published_nor_used(ring: KeyRing) -> None:
    """A key can be made long before anybody sees it."""
    first, staged = ring.signing().kid, ring.stage("ES256")
    assert (kids(ring), ring.signing().kid, state(ring, staged)) == ([first], first, "unpublished")
    assert ring.find(staged).alg == "ES256"


@pytest.mark.rfc("as-3")
def test_key_published_before_it_is_used(ring: KeyRing) -> None:
    """A careful rotation publishes a key, signs with it later, and unpublishes the old one later still."""
    old, new = ring.signing().kid, ring.stage()
    ring.publish(new)
    assert (kids(ring), ring.signing().kid) == ([old, new], old)
    ring.activate(new)
    assert (kids(ring), ring.signing().kid, ring.previous().kid) == ([old, new], new, old)
    ring.unpublish(old)
    assert (kids(ring), state(ring, old), state(ring, new)) == ([new], "unpublished", "signing")


def test_key_used_before_it_is_published(ring: KeyRing) -> None:
    """A careless rotation signs with a key that nobody can know yet."""
    new = ring.stage()
    ring.activate(new)
    assert (ring.signing().kid, state(ring, new), new in kids(ring)) == (new, "signing, unpublished", False)
    ring.publish(new)
    assert (state(ring, new), new in kids(ring)) == ("signing", True)


def test_key_rotated_away(ring: KeyRing) -> None:
    """The key that signs can be taken out of the JWKS, and goes on signing."""
    kid = ring.signing().kid
    ring.unpublish(kid)
    ring.unpublish(kid)
    assert (kids(ring), ring.signing().kid) == ([], kid)


def test_activating_the_active_key_changes_nothing(ring: KeyRing) -> None:
    """The key that signs already does not become its own predecessor."""
    ring.activate(ring.signing().kid)
    with pytest.raises(UsageError):
        ring.previous()


def test_deleted_key_is_forgotten(ring: KeyRing) -> None:
    """A key that is deleted is nowhere any more; if it signed, another does from then on, until a reset."""
    kid, spare = ring.signing().kid, ring.unpublished().kid
    ring.delete(kid)
    ring.delete(spare)
    assert (kids(ring), ring.describe()) == ([], [])
    assert ring.signing().kid not in {kid, spare}
    assert ring.unpublished().kid not in {kid, spare}
    ring.reset()
    assert (kids(ring), ring.unpublished().kid) == ([kid], spare)


def test_same_kid_new_key(ring: KeyRing) -> None:
    """Another key can take the name of an old one, in the JWKS too; what that one signed verifies no more."""
    old = ring.signing()
    signature = old.sign(b"message")
    ring.replace(old.kid)
    [public] = ring.jwks()["keys"]
    assert (public["kid"], ring.signing().kid, ring.signing().public()) == (old.kid, old.kid, public)
    model, key = jws.JWSRegistry.algorithms["ES256"], JWKRegistry.import_key(public)
    assert not model.verify(b"message", signature, key)
    assert model.verify(b"message", ring.signing().sign(b"message"), key)
    ring.reset()
    assert ring.signing() is old


@pytest.mark.parametrize("verb", ["publish", "unpublish", "activate", "delete", "replace"])
def test_verbs_need_a_key_that_there_is(ring: KeyRing, verb: str) -> None:
    """A verb that names a key which does not exist is an error, and changes nothing."""
    before = ring.describe()
    with pytest.raises(UsageError, match=r"^kid: 'nobody' is unknown"):
        getattr(ring, verb)("nobody")
    assert ring.describe() == before


def test_given_keys_are_the_first() -> None:
    """Keys that are brought along are published; the first of an algorithm signs, also after a reset."""
    one, two, ed25519 = generate_key("ES256"), generate_key("ES256"), generate_key("Ed25519")
    ring = KeyRing([one, two, ed25519])
    for _ in range(2):
        assert kids(ring) == [one.kid, two.kid, ed25519.kid]
        assert (ring.signing(), ring.signing("Ed25519")) == (one, ed25519)
        ring.rotate(overlap=False)
        ring.reset()


def test_what_was_dumped_can_be_loaded_again(ring: KeyRing) -> None:
    """Keys come back as they were, each for what it was for, as often as wanted."""
    ring.rotate()
    staged = ring.stage("Ed25519")
    dumped, before, jwks = ring.dump(), ring.describe(), ring.jwks()
    for _ in range(2):
        ring.activate(staged)
        ring.publish(staged)
        ring.rotate(overlap=False)
        assert ring.jwks() != jwks
        ring.load(dumped)
        assert (ring.describe(), ring.jwks()) == (before, jwks)


VERBS = st.sampled_from(["rotate", "stage", "publish", "unpublish", "activate", "delete", "replace", "reset"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VERBS, st.integers(0, 5)), max_size=8))
def test_document_is_always_that_of_the_ring(steps: list[tuple[str, int]]) -> None:
    """Whatever is done to keys, the document says what is published, its tag changes with it, and names are unique."""
    ring = KeyRing()
    for verb, number in steps:
        before, tag = ring.document()
        known = ring.describe()
        if verb in {"rotate", "stage", "reset"}:
            getattr(ring, verb)()
        elif known:
            getattr(ring, verb)(known[number % len(known)]["kid"])
        body, new_tag = ring.document()
        assert json.loads(body) == ring.jwks()
        assert (tag == new_tag) is (before == body)
        assert len(set(kids(ring))) == len(kids(ring))
        assert {state(ring, kid) for kid in kids(ring)} <= {"published", "signing"}
