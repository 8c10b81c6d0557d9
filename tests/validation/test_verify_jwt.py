"""Verifying a JWT with the issuer's keys: when they are fetched, and what is a no and what an outage."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._protocol.messages import HTTPResponse
from resource_server._validation.keys import AHEAD, DEFAULT_FRESH, QUICK_SPACING, RETRY_AFTER_FAILURE
from resource_server._validation.verdict import Active, Inactive, Unavailable
from resource_server._validation.verify_jwt import fetch_keys, keep_keys_warm
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.support.jwt import ISSUER, NOW, REMOVED, access_token, jwks, signing_key, with_signature
from tests.support.play import REFUSED, TIMEOUT, Answer, World, answer, key_set, yes

OLD, NEW, NEWER = (signing_key("ES256", name) for name in ("old", "new", "newer"))


@pytest.fixture
def world() -> World:
    """A server that only verifies, and has fetched its issuer's keys a moment ago."""
    world = World(strategy="jwks", client_id=REMOVED, client_secret=REMOVED)
    world.play(fetch_keys(world.state), ("jwks", key_set(OLD)))
    return world


def test_keys_are_fetched_when_first_needed() -> None:
    """The first JWT fetches the keys, the next one uses them."""
    world = World(strategy="jwks")
    assert isinstance(world.validate(access_token(OLD), ("jwks", key_set(OLD))), Active)
    assert isinstance(world.validate(access_token(OLD, sub="other")), Active)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"exp": int(NOW)}, "expired", id="expired"),
        pytest.param({"iss": "https://evil.example.com"}, "wrong_issuer", id="another issuer"),
        pytest.param({"aud": "https://other.example.com"}, "wrong_audience", id="another audience"),
        pytest.param({"client_id": REMOVED}, "malformed", id="no client_id"),
        pytest.param({"head": {"alg": "none"}}, "algorithm_not_allowed", id="alg none"),
        pytest.param({"head": {"typ": "JWT"}}, "wrong_type", id="another typ"),
    ],
)
@pytest.mark.attack("A-K-5")
@pytest.mark.rfc("8725-3.8-a")
def test_what_cannot_be_good_fetches_nothing(changes: dict[str, Any], reason: Any) -> None:
    """Everything that needs no key is judged first, so that a bad token makes nobody ask for keys."""
    world = World(strategy="jwks")
    assert world.validate(access_token(OLD, **changes)) == Inactive(reason)


def test_a_payload_that_is_no_object(world: World) -> None:
    """RFC 7519 §7.2: a JWS whose payload is no JSON object is no JWT."""
    head, _, signature = access_token(OLD).split(".")
    assert world.validate(f"{head}.WzFd.{signature}") == Inactive("malformed")


@pytest.mark.attack("A-K-9")
def test_a_freshly_rotated_key_is_accepted_at_first_use(world: World) -> None:
    """A token of a new key is good at once; so is one of the next new key, right after."""
    assert isinstance(world.validate(access_token(NEW), ("jwks", key_set(OLD, NEW))), Active)
    assert isinstance(world.validate(access_token(NEWER), ("jwks", key_set(NEW, NEWER))), Active)
    assert world.validate(access_token(OLD), ("jwks", key_set(NEW, NEWER))) == Inactive("unknown_key")


@pytest.mark.attack("A-K-9")
def test_a_thousand_invented_key_ids(world: World) -> None:
    """Whoever invents key ids does not decide how often the key set is fetched."""
    world.validate(access_token(OLD, head={"kid": "first"}), ("jwks", key_set(OLD)))
    for number in range(999):
        assert world.validate(access_token(OLD, head={"kid": f"kid-{number}"})) == Inactive("unknown_key")
        world.time.advance(QUICK_SPACING / 1000)
    world.time.advance(QUICK_SPACING)
    assert isinstance(world.validate(access_token(NEW), ("jwks", key_set(OLD, NEW))), Active)


def test_a_thousand_invented_key_ids_at_the_start() -> None:
    """Nor at the first moment: one fetch because there are no keys, one because a key is unknown."""
    world = World(strategy="jwks")
    fetches: list[tuple[str, Answer]] = [("jwks", key_set(OLD))]
    for number in range(1000):
        token = access_token(OLD, head={"kid": f"kid-{number}"})
        assert world.validate(token, *fetches[number : number + 1]) == Inactive("unknown_key")
        fetches = [("jwks", key_set(OLD))] * 2


def test_an_unknown_key_is_not_remembered(world: World) -> None:
    """A key that is unknown now may be published in a moment: the same token is good then."""
    token = access_token(NEW)
    assert world.validate(token, ("jwks", key_set(OLD))) == Inactive("unknown_key")
    assert world.cached(token) is None
    world.time.advance(QUICK_SPACING)
    assert isinstance(world.validate(token, ("jwks", key_set(OLD, NEW))), Active)


@pytest.mark.attack("A-K-9")
def test_a_token_that_names_no_key_is_accepted_after_a_rotation(world: World) -> None:
    """Where tokens name no key, a wrong signature may be a new key's: one fetch tells, and no more than one."""
    old, new = (access_token(key, head={"kid": REMOVED}) for key in (OLD, NEW))
    assert isinstance(world.validate(old), Active)
    assert isinstance(world.validate(new, ("jwks", key_set(NEW))), Active)
    assert world.validate(with_signature(new, b"x" * 64), ("jwks", key_set(NEW))) == Inactive("bad_signature")
    assert world.validate(with_signature(new, b"y" * 64)) == Inactive("bad_signature")


BAD_DOCUMENTS: dict[str, tuple[Answer, str]] = {
    "refused": (REFUSED, "connect"),
    "timeout": (TIMEOUT, "timeout"),
    "500": (answer({}, status=500), "status_500"),
    "404": (answer({}, status=404), "status_404"),
    "empty set": (answer(jwks()), "no_usable_key"),
    "keys missing": (answer({}), "not_a_key_set"),
    "keys is an object": (answer({"keys": {}}), "not_a_key_set"),
    "too many keys": (answer({"keys": [OLD.jwk()] * 257}), "not_a_key_set"),
    "one broken key": (answer({"keys": [{"kty": "EC"}]}), "no_usable_key"),
    "unknown kty": (answer({"keys": [{"kty": "PQ", "kid": "1"}]}), "no_usable_key"),
    "a symmetric key": (answer({"keys": [{"kty": "oct", "k": "AAAA"}]}), "no_usable_key"),
    "a private key": (answer({"keys": [OLD.private_jwk()]}), "no_usable_key"),
    "html": (answer(b"<html>", content_type="text/html"), "content_type"),
    "not JSON": (answer(b"{"), "not_json"),
    "redirect": (HTTPResponse(302, (("location", "https://canary.example.com"),)), "status_302"),
}


@pytest.mark.attack("A-K-2", "A-K-4", "A-K-11", "A-J-4")
@pytest.mark.parametrize(("reply", "cause"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_the_last_good_set_is_kept(world: World, reply: Answer, cause: str) -> None:
    """A fetch that fails, or brings no usable key, changes nothing: tokens of the old keys stay good."""
    world.time.advance(DEFAULT_FRESH)
    assert isinstance(world.validate(access_token(OLD), ("jwks", reply)), Active)
    (event, *_) = world.events
    assert isinstance(event, AuthorizationServerUnavailable | ConfigurationFault)
    assert (event.endpoint, event.cause) == ("jwks", cause)
    assert isinstance(world.validate(access_token(OLD, sub="a")), Active)
    assert world.background == []
    world.time.advance(RETRY_AFTER_FAILURE)
    assert isinstance(world.validate(access_token(OLD, sub="b")), Active)
    assert world.background == [(ISSUER, "jwks")]


def test_keys_too_old_to_be_trusted_are_waited_for() -> None:
    """While fetches fail the last good set serves for ``fallback_max_age``; then a token waits for each attempt."""
    world = World(strategy="jwks", fallback_max_age=DEFAULT_FRESH + 10)
    world.play(fetch_keys(world.state), ("jwks", key_set(OLD)))
    world.time.advance(DEFAULT_FRESH)
    assert isinstance(world.validate(access_token(OLD), ("jwks", REFUSED)), Active)
    world.time.advance(11)
    assert world.validate(access_token(OLD, sub="a"), ("jwks", REFUSED)) == Unavailable("no_recent_keys")
    assert isinstance(world.validate(access_token(OLD, sub="a"), ("jwks", key_set(OLD))), Active)


def test_no_token_waits_for_a_routine_fetch(world: World) -> None:
    """Keys in use are renewed in the background before they are stale, by one token that does not wait for it."""
    world.time.advance(DEFAULT_FRESH * AHEAD - 1)
    assert isinstance(world.validate(access_token(OLD, sub="a")), Active)
    assert world.background == []
    world.time.advance(1)
    for sub, begun in (("b", [(ISSUER, "jwks")]), ("c", [])):
        assert isinstance(world.validate(access_token(OLD, sub=sub)), Active)
        assert world.background == begun


def test_a_token_without_a_key_id_causes_one_fetch(world: World) -> None:
    """Where a token has just waited for the keys, a signature that does not verify is no reason to fetch again."""
    world.time.advance(DEFAULT_FRESH)
    token = access_token(NEW, head={"kid": REMOVED})
    assert world.validate(token, ("jwks", key_set(OLD))) == Inactive("bad_signature")


def test_a_fetch_that_is_given_up_does_not_stand_in_the_way(world: World) -> None:
    """A look for an unknown key that ends without an outcome, as when its loop closes, may be had again at once."""
    for _ in range(5):
        assert world.state.keys.may_look(world.time.monotonic)
        flow = fetch_keys(world.state)
        next(flow)
        flow.close()
    assert isinstance(world.validate(access_token(NEW), ("jwks", key_set(OLD, NEW))), Active)


@pytest.mark.parametrize(("reply", "cause"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_a_missing_key_that_could_not_be_fetched_is_an_outage(world: World, reply: Answer, cause: str) -> None:
    """Where the key set cannot be had, an unknown key id proves nothing: nobody can tell, and nothing is remembered."""
    token = access_token(NEW)
    for question in ([("jwks", reply)], []):
        verdict = world.validate(token, *question)
        assert isinstance(verdict, Unavailable)
        assert verdict.cause == cause
        assert world.cached(token) is None
    world.time.advance(RETRY_AFTER_FAILURE)
    assert isinstance(world.validate(token, ("jwks", key_set(OLD, NEW))), Active)


def test_a_missing_key_is_asked_about_where_that_is_the_strategy() -> None:
    """``jwks_then_introspect``: with no key set to be had, the authorization server is asked instead."""
    world = World(strategy="jwks_then_introspect")
    world.play(fetch_keys(world.state), ("jwks", key_set(OLD)))
    verdict = world.validate(access_token(NEW), ("jwks", REFUSED), ("introspection", yes()))
    assert isinstance(verdict, Active)


@pytest.mark.attack("A-C-4")
def test_a_key_that_is_gone_verifies_nothing(world: World) -> None:
    """After the set was fetched anew, a key that is no longer in it is unknown."""
    world.time.advance(DEFAULT_FRESH)
    assert world.validate(access_token(OLD), ("jwks", key_set(NEW))) == Inactive("unknown_key")


@pytest.mark.attack("A-K-5", "A-J-6")
@pytest.mark.rfc("8725-3.8-a")
def test_keys_belong_to_their_issuer() -> None:
    """RFC 8725 §3.8: two issuers that use the same key id share nothing."""
    theirs = signing_key("ES256", "theirs")
    ours, other = World(strategy="jwks"), World(strategy="jwks", issuer="https://other.example.com")
    other_token = access_token(theirs, head={"kid": OLD.kid}, iss="https://other.example.com")
    assert isinstance(other.validate(other_token, ("jwks", answer(jwks(theirs.jwk(kid=OLD.kid))))), Active)
    forged = access_token(theirs, head={"kid": OLD.kid}, iss=ISSUER)
    assert ours.validate(forged, ("jwks", key_set(OLD))) == Inactive("bad_signature")


def test_keys_are_kept_warm() -> None:
    """Keys that are missing or stale are fetched in the background, before the outage that needs them."""
    world = World()
    world.play(keep_keys_warm(world.state))
    assert world.background == [(ISSUER, "jwks")]
    world.play(fetch_keys(world.state), ("jwks", key_set(OLD)))
    world.play(keep_keys_warm(world.state))
    assert world.background == []
    world.time.advance(DEFAULT_FRESH)
    world.play(keep_keys_warm(world.state))
    assert world.background == [(ISSUER, "jwks")]


def test_what_is_begun_is_the_fetch() -> None:
    """The flow that is started in the background fetches the key set."""
    world = World()
    flow = keep_keys_warm(world.state)
    effect: Any = next(flow)
    world.play(effect.flow(), ("jwks", key_set(OLD)))
    assert [request.url for request in world.requests] == ["https://as.example.com/jwks"]
    assert not world.state.keys.needs_fetch(world.time.monotonic, 0.0)
