"""A no is final: an outage brings no token back to life, under whichever spelling it comes."""

from __future__ import annotations

from base64 import urlsafe_b64decode

import pytest

from resource_server._validation.cache import Tombstones
from resource_server._validation.verdict import Active, Inactive
from resource_server._validation.verify_jwt import fetch_keys
from tests.support.jwt import (
    REMOVED,
    access_token,
    claims,
    ecdsa_twin,
    header,
    sign,
    signing_key,
    with_signature,
)
from tests.support.play import REFUSED, Script, World, answer, key_set, no, unsupported, yes

KEY = signing_key("ES256")
TOKEN = access_token(KEY)


def twin_of(token: str) -> str:
    """Spell the same token with the other ECDSA signature that verifies."""
    signature = urlsafe_b64decode(token.rpartition(".")[2] + "==")
    twin = with_signature(token, ecdsa_twin(signature, KEY))
    assert twin != token
    return twin


@pytest.fixture
def world() -> World:
    """A server that has its issuer's keys."""
    world = World(negative_cache_ttl=0.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    return world


@pytest.mark.attack("A-C-10", "A-K-12")
@pytest.mark.rfc("7662-2.2-b")
def test_inactive_stays_inactive_in_an_outage(world: World) -> None:
    """A token that was called inactive stays so when nobody can be asked, though its signature is right."""
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    assert world.validate(TOKEN, ("introspection", REFUSED)) == Inactive("inactive")


@pytest.mark.attack("A-C-10")
def test_a_yes_before_the_no_does_not_help() -> None:
    """A cached yes is gone with the no, also for serving it stale."""
    world = World(stale_if_error=3600.0, cache_ttl=1.0)
    assert isinstance(world.validate(TOKEN, ("introspection", yes(jti="token-1"))), Active)
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    assert world.cached(TOKEN) == Inactive("inactive")
    world.time.advance(11)
    assert world.validate(TOKEN, ("introspection", REFUSED), ("jwks", key_set(KEY))) == Inactive("inactive")


@pytest.mark.attack("A-J-14")
def test_the_twin_is_refused_by_jti(world: World) -> None:
    """The ECDSA twin of a revoked token is the same token: its verified ``jti`` says so."""
    twin = sign(header(KEY), claims(scope="admin"), KEY)  # signed anew: another text, the same jti
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    assert world.validate(twin_of(TOKEN), ("introspection", REFUSED)) == Inactive("inactive")
    assert world.validate(twin, ("introspection", REFUSED)) == Inactive("inactive")


@pytest.mark.attack("A-J-14")
def test_the_twin_is_refused_also_where_no_keys_were_known() -> None:
    """A no that came before the first keys buries what was signed, so the twin is buried with it."""
    world = World(negative_cache_ttl=0.0)
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    outage: Script = [("introspection", REFUSED), ("jwks", key_set(KEY))]
    assert world.validate(twin_of(TOKEN), *outage) == Inactive("inactive")


@pytest.mark.attack("A-J-14", "A-C-10")
def test_the_twin_is_not_served_stale(world: World) -> None:
    """A recent yes to the twin does not outlive the no to the token."""
    world = World(stale_if_error=3600.0, cache_ttl=1.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    assert isinstance(world.validate(twin_of(TOKEN), ("introspection", yes(jti="token-1"))), Active)
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    world.time.advance(2)
    assert world.validate(twin_of(TOKEN), ("introspection", REFUSED)) == Inactive("inactive")


def test_unsupported_token_type_overrules_no_earlier_no(world: World) -> None:
    """A server that has said no, and then wants its JWTs verified locally, has still said no."""
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    assert world.validate(TOKEN, ("introspection", unsupported())) == Inactive("inactive")


@pytest.mark.attack("A-K-9")
def test_a_key_that_is_unknown_here_may_be_known_there() -> None:
    """Where the key of a JWT cannot be had at the moment, a strategy that may ask the authorization server asks it."""
    world = World(strategy="jwks_then_introspect")
    world.validate(access_token(KEY, head={"kid": "invented"}), ("jwks", key_set(KEY)), ("introspection", no()))
    world.validate(access_token(KEY, head={"kid": "again"}), ("jwks", key_set(KEY)), ("introspection", no()))
    token = access_token(signing_key("ES256", "new"))
    assert isinstance(world.validate(token, ("introspection", yes(jti="token-1"))), Active)


def test_keys_that_come_back_overrule_no_earlier_no() -> None:
    """With ``jwks_then_introspect`` too, a no that was given while there were no keys holds when there are."""
    world = World(strategy="jwks_then_introspect", negative_cache_ttl=0.0)
    assert world.validate(TOKEN, ("jwks", REFUSED), ("introspection", no())) == Inactive("inactive")
    world.time.advance(60)
    assert world.validate(TOKEN, ("jwks", key_set(KEY))) == Inactive("inactive")


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(with_signature(access_token(KEY, sub="mallory"), b"x" * 64), id="with a signature of nobody"),
        pytest.param(access_token(signing_key("ES256", "attacker"), sub="mallory"), id="with an unknown key"),
        pytest.param(
            access_token(signing_key("ES256", "attacker"), head={"kid": KEY.kid}, sub="mallory"),
            id="under our key's id",
        ),
        pytest.param(access_token(KEY, head={"typ": "JWT"}, sub="mallory"), id="as another kind of token"),
        pytest.param(access_token(KEY, sub="mallory", exp=1), id="expired"),
    ],
)
def test_nobody_buries_somebody_elses_token(world: World, forged: str) -> None:
    """A forged token with somebody's ``jti`` is inactive, and the one it copies is not."""
    assert world.validate(forged, ("introspection", no())) == Inactive("inactive")
    assert isinstance(world.validate(TOKEN, ("introspection", REFUSED)), Active)


@pytest.mark.attack("A-C-10")
def test_a_broken_signature_buries_nothing(world: World) -> None:
    """A good token under a broken signature is inactive, and takes the good one not with it."""
    broken = with_signature(TOKEN, b"x" * 64)
    assert world.validate(broken, ("introspection", no())) == Inactive("inactive")
    assert isinstance(world.validate(TOKEN, ("introspection", REFUSED)), Active)


def test_tokens_without_a_jti_are_buried_each_for_itself() -> None:
    """Without a ``jti`` a token is known by what was signed, and takes no other with it."""
    world = World(jwt_profile="lenient", negative_cache_ttl=0.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    first, second = access_token(KEY, jti=REMOVED), access_token(KEY, jti=REMOVED, sub="other")
    assert world.validate(first, ("introspection", no())) == Inactive("inactive")
    assert world.validate(first, ("introspection", REFUSED)) == Inactive("inactive")
    assert isinstance(world.validate(second, ("introspection", REFUSED)), Active)


def test_an_opaque_token_needs_no_tombstone(world: World) -> None:
    """No signature can bring an opaque token back, so none is remembered."""
    assert world.validate("opaque", ("introspection", no())) == Inactive("inactive")
    assert world.validate("opaque", ("introspection", REFUSED)) == REFUSED


def test_no_token_is_kept(world: World) -> None:
    """What is remembered names a token by digests and by its ``jti``, never by its text."""
    world.validate(TOKEN, ("introspection", no()))
    names = list(world.state.tombstones._names)
    assert "token-1" in names
    assert all(len(name) == 32 for name in names if isinstance(name, bytes))
    assert not any(text in repr(names) for text in TOKEN.split("."))


def test_the_least_recently_used_is_forgotten_first() -> None:
    """The memory for tombstones is bounded."""
    tombstones = Tombstones(2)
    tombstones.bury(b"first", None)
    tombstones.bury(b"second")
    tombstones.bury(b"first")
    tombstones.bury(b"third")
    assert [tombstones.has(name) for name in (b"first", b"second", b"third")] == [True, False, True]
    assert not tombstones.has(None)
    assert tombstones.has(None, b"second", b"third")


@pytest.mark.attack("A-C-10")
def test_forgeries_push_no_tombstone_out() -> None:
    """What anybody can write, a token under an invented key id, takes no place from those whose signature was right."""
    world = World(negative_cache_ttl=0.0, cache_size=2)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    world.validate(TOKEN, ("introspection", no()))
    for number in range(3):
        world.validate(access_token(KEY, head={"kid": f"invented-{number}"}, jti=f"x{number}"), ("introspection", no()))
    assert world.validate(TOKEN, ("introspection", REFUSED)) == Inactive("inactive")


def test_a_server_that_says_nothing_of_the_jti_is_enough() -> None:
    """The ``jti`` of the tombstone is the token's own: an introspection answer need not repeat it."""
    world = World(negative_cache_ttl=0.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    world.validate(TOKEN, ("introspection", answer({"active": False, "jti": "another"})))
    assert world.validate(TOKEN, ("introspection", REFUSED)) == Inactive("inactive")


@pytest.mark.attack("A-C-10")
def test_a_token_that_names_no_key_is_buried_before_its_key_is_known() -> None:
    """A no about a token without ``kid`` holds when the key that has signed it is published later."""
    world = World(negative_cache_ttl=0.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(signing_key("ES256", "another"))))
    token = access_token(KEY, head={"kid": REMOVED})
    assert world.validate(token, ("introspection", no())) == Inactive("inactive")
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    assert world.validate(token, ("introspection", REFUSED)) == Inactive("inactive")
