"""What somebody wants revoked is judged strictly, and a token is believed about itself only when vouched for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from resource_server import BlockingResourceServer, ResourceServer
from resource_server._protocol.revocation import Revocation
from resource_server._validation.verdict import Active
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.events import RevocationsForgotten
from tests.support.jwt import NOW, access_token, signing_key
from tests.support.play import World, key_set, options, yes

KEY = signing_key("ES256")
DAY = 86_400.0
FIVE = ("token", "jti", "sub", "sid", "client_id")


def revoked(world: World) -> set[tuple[str, str]]:
    """Return what is revoked, without the names of tokens."""
    return {(known.kind, "" if known.kind == "token" else known.value) for known in world.state.revocations.all()}


@pytest.mark.parametrize(
    "named", [{}, {"sub": None}, {"sub": "alice", "sid": "session-1"}, dict.fromkeys(FIVE, "everything")]
)
def test_exactly_one_of_five(named: dict[str, Any]) -> None:
    """One thing at a time is revoked, and nothing is not one thing."""
    with pytest.raises(TypeError, match="exactly one of token, jti, sub, sid, client_id"):
        World().server.revoke(**named)


@pytest.mark.parametrize("name", FIVE)
def test_text_and_not_empty(name: str) -> None:
    """A value is text, and says something; a token may be bytes."""
    named: dict[str, Any] = {name: 7}
    with pytest.raises(TypeError, match=f"{name} must be a str, not int"):
        World().server.revoke(**named)
    with pytest.raises(ValueError, match=f"{name} must not be empty"):
        World().server.revoke(**dict[str, Any]({name: ""}))
    if name != "token":
        with pytest.raises(TypeError, match="not bytes"):
            World().server.revoke(**dict[str, Any]({name: b"value"}))


@pytest.mark.parametrize("name", ["token", "jti"])
def test_a_token_is_revoked_whenever_it_was_issued(name: str) -> None:
    """A date goes with many tokens, not with one."""
    named: dict[str, Any] = {name: "one"}
    with pytest.raises(TypeError, match=f"before has no meaning for {name}"):
        World().server.revoke(**named, before=NOW)


@pytest.mark.parametrize(
    ("before", "error"),
    [
        (datetime(2023, 11, 14), ValueError),  # noqa: DTZ001 - without a time zone, as the rule has it
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (NOW * 1000, ValueError),
        (True, TypeError),
        ("2023-11-14", TypeError),
    ],
)
def test_a_moment_that_can_be_meant(before: Any, error: type[Exception]) -> None:
    """Milliseconds, a moment without a time zone, and what is no moment at all are refused."""
    world = World()
    with pytest.raises(error, match="before must"):
        world.server.revoke(sub="alice", before=before)
    assert revoked(world) == set()


@pytest.mark.parametrize("before", [NOW - 60, datetime.fromtimestamp(NOW - 60, UTC)])
def test_before_is_taken_at_its_word(before: Any) -> None:
    """A moment that is given is the moment that counts; what is remembered lasts as long as a token may."""
    world = World()
    world.server.revoke(sub="alice", before=before)
    assert world.state.revocations.all() == [Revocation("sub", "alice", NOW - 60, NOW + 1 + DAY)]


def test_a_moment_ahead_is_remembered_from_there() -> None:
    """Tokens that are still to be issued are meant too, and remembered as long."""
    world = World(revocation_memory=100.0)
    world.server.revoke(client_id="app", before=NOW + 60)
    assert world.state.revocations.all() == [Revocation("client_id", "app", NOW + 60, NOW + 160)]


def test_this_second_counts_as_before() -> None:
    """Without a moment, a token that was issued in this very second is revoked, whoever is asked about it later."""
    world = World(strategy="introspect")
    world.time.advance(0.7)
    world.server.revoke(sub="subject-1")
    world.time.advance(10)
    verdict = world.validate("opaque", ("introspection", yes(iat=int(NOW))))
    assert not isinstance(verdict, Active)
    assert isinstance(world.validate("newer", ("introspection", yes(iat=int(NOW) + 1))), Active)


def test_twice_in_one_second() -> None:
    """What was asked between two revocations in the same second is older than the second of them."""
    world = World(strategy="introspect")
    world.server.revoke(sub="subject-1")
    world.time.advance(0.2)
    verdict = world.validate("opaque", ("introspection", yes()))
    assert isinstance(verdict, Active)
    world.time.advance(0.2)
    world.server.revoke(sub="subject-1")
    assert world.state.revocations.condemns(verdict)


def test_a_cached_token_is_dropped_with_its_jti() -> None:
    """What the authorization server has said of a token names it in all its spellings."""
    world = World(strategy="introspect")
    token = b"opaque"
    world.server._core.state.cache.put(
        world.server._core.digest(token),
        world.validate("opaque", ("introspection", yes(jti="token-1"))),
        now=world.time.monotonic,
        wall=NOW,
    )
    world.server.revoke(token=token)
    assert revoked(world) == {("token", ""), ("jti", "token-1")}
    assert world.state.cache.find(world.server._core.digest(token), world.time.monotonic) is None


def test_a_token_that_ends_is_remembered_until_then() -> None:
    """No longer than the token itself could be good, clocks included."""
    world = World(leeway=30.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    world.server.revoke(token=access_token(KEY, exp=int(NOW) + 600))
    assert {known.until for known in world.state.revocations.all()} == {NOW + 631}


@pytest.mark.attack("A-C-4")
@pytest.mark.parametrize(("own", "told", "end"), [(600, 60, 600), (60, 600, 600)])
def test_the_later_end_counts(own: int, told: int, end: int) -> None:
    """Where the authorization server names another end than the token, it is remembered until both are over."""
    world = World(strategy="introspect")
    token = access_token(KEY, exp=int(NOW) + own)
    world.state.cache.put(
        world.server._core.digest(token.encode()),
        world.validate(token, ("introspection", yes(exp=int(NOW) + told))),
        now=world.time.monotonic,
        wall=NOW,
    )
    world.server.revoke(token=token)
    assert {known.until for known in world.state.revocations.all()} == {NOW + end + 1}


def test_a_token_that_outlives_our_memory() -> None:
    """Nothing is remembered for longer than ``revocation_memory``."""
    world = World(revocation_memory=60.0)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    world.server.revoke(token=access_token(KEY))
    assert {known.until for known in world.state.revocations.all()} == {NOW + 60}


@pytest.mark.attack("A-J-14")
def test_a_signature_vouches_for_the_jti() -> None:
    """Without anything in the cache, the keys at hand do; nobody is asked."""
    world = World()
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    world.server.revoke(token=access_token(KEY))
    assert revoked(world) == {("token", ""), ("jti", "token-1")}


@pytest.mark.parametrize(
    "token",
    [
        access_token(signing_key("ES256", "a stranger's")),
        access_token(KEY)[:-8] + "AAAAAAAA",
        access_token(KEY, iss="https://other.example.com"),
        access_token(KEY, exp=int(NOW) - 60),
        "opaque",
    ],
)
def test_nobody_can_have_another_token_revoked(token: str) -> None:
    """What a token says of itself counts for nothing without its signature: only this token is revoked."""
    world = World()
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    world.server.revoke(token=token)
    assert revoked(world) == {("token", "")}


@pytest.mark.parametrize("kind", [ResourceServer, BlockingResourceServer])
def test_before_anything_was_started(kind: type[ResourceServer | BlockingResourceServer]) -> None:
    """It needs no event loop, no store, no connection and no start."""
    server = kind(**options())
    server.revoke(sub="alice")
    assert len(server._core.state.revocations) == 1


def test_forgotten_revocations_are_told_once() -> None:
    """That there are more than are remembered is an event of its own."""
    world = World()
    world.state.revocations._size = 2
    for number in range(4):
        world.server.revoke(sub=str(number))
    assert world.events == [RevocationsForgotten("https://as.example.com")]


def test_whole_seconds_up_to_the_end_of_memory() -> None:
    """A moment may be a whole number, and lie as far ahead as anything is remembered."""
    world = World(revocation_memory=100.0)
    world.server.revoke(sub="alice", before=int(NOW) + 100)
    assert [known.before for known in world.state.revocations.all()] == [NOW + 100]


@pytest.mark.attack("A-C-4")
def test_an_end_with_a_fraction() -> None:
    """The token's own end counts also where it names a fraction of a second, and all that is said of it is dated."""
    world = World(strategy="introspect")
    token = access_token(KEY, exp=NOW + 600.5)
    verdict = world.validate(token, ("introspection", yes(exp=int(NOW) + 60, jti="token-1")))
    key = world.server._core.digest(token.encode())
    world.state.cache.put(key, verdict, now=world.time.monotonic, wall=NOW)
    world.server.revoke(token=token)
    found = world.state.revocations.all()
    assert {known.until for known in found} == {NOW + 601.5}
    assert [isinstance(known.before, float) for known in found] == [True, True]


def test_a_token_without_an_end() -> None:
    """A token that names no end is remembered for as long as anything."""
    world = World(strategy="introspect", revocation_memory=100.0)
    verdict = world.validate("opaque", ("introspection", yes()))
    assert isinstance(verdict, Active)
    endless = replace(verdict, principal=replace(verdict.principal, expires_at=None))
    world.state.cache.put(world.server._core.digest(b"opaque"), endless, now=world.time.monotonic, wall=NOW)
    world.server.revoke(token="opaque")
    assert {known.until for known in world.state.revocations.all()} == {NOW + 100}
