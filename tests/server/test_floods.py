"""Whatever clients send, and however often: the authorization server is asked a bounded number of times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resource_server import InvalidToken, Principal, RequestParts
from resource_server._protocol import jose
from resource_server.errors import ConfigurationError, TooManyTokens
from resource_server.events import AuthorizationServerUnavailable, RequestRefused, TokenValidated
from tests.support.jwt import access_token, claims, header, signing_key, unsigned
from tests.support.origin import Gate, publishes, says, says_no, says_yes
from tests.support.stage import Stage, bearer

pytestmark = [pytest.mark.anyio, pytest.mark.attack("A-S-7")]

OLD, NEW = (signing_key("ES256", name) for name in ("old", "new"))
ALICE, MALLORY = "192.0.2.1", "192.0.2.66"
LIMIT: dict[str, Any] = {"rate_limit": 1.0, "rate_limit_burst": 5}


def sent(token: str, peer: str | None = MALLORY) -> RequestParts:
    """Make a request of a client."""
    return bearer(token)._replace(peer=peer)


def forged(key_id: str) -> str:
    """Make up a JWT that names an invented key, without so much as signing it."""
    return unsigned(header(OLD, kid=key_id), claims(), b"x" * 64)


async def outcome(stage: Stage, token: str, peer: str | None = MALLORY) -> Principal | InvalidToken | TooManyTokens:
    """Send a token, and return what became of it."""
    try:
        return await stage.server.authenticate(sent(token, peer))
    except (InvalidToken, TooManyTokens) as refused:
        return refused


async def reasons(stage: Stage, *tokens: str) -> list[str | None]:
    """Send tokens one after the other, and return why each was refused."""
    refused = [await outcome(stage, token) for token in tokens]
    return [refusal.reason for refusal in refused if isinstance(refusal, InvalidToken)]


SHAPES: dict[str, tuple[dict[str, Any], str, str]] = {
    "opaque, where JWTs are used": ({"token_format": "jwt"}, "opaque", "malformed"),
    "JWT, where opaque tokens are used": ({"token_format": "opaque"}, access_token(OLD), "malformed"),
    "algorithm": ({"token_format": "jwt"}, unsigned({"alg": "none"}, claims()), "algorithm_not_allowed"),
    "pattern": ({"token_pattern": "at_[a-z]{4}"}, "at_abcde", "malformed"),
    "opaque, where only signatures are verified": ({"strategy": "jwks"}, "opaque", "malformed"),
}


@pytest.mark.parametrize(("options", "token", "reason"), SHAPES.values(), ids=SHAPES)
async def test_what_cannot_be_ours_is_refused_unasked(options: dict[str, Any], token: str, reason: str) -> None:
    """A token that does not look like ours costs no question and no memory, however often it comes."""
    stage = Stage(options, introspect=says_yes(), jwks=publishes(OLD))
    assert await reasons(stage, token, token) == [reason, reason]
    assert stage.origin.requests == []
    assert len(stage.server._core.state.cache) == 0


async def test_what_may_be_ours_is_asked_about() -> None:
    """A token of the right shape is judged as any other."""
    stage = Stage({"token_format": "opaque", "token_pattern": "at_[a-z]{4}"}, introspect=says_yes())
    assert isinstance(await outcome(stage, "at_good"), Principal)
    assert stage.origin.count("introspect") == 1


async def test_a_shape_that_nothing_good_has() -> None:
    """Opaque tokens cannot be verified by a signature: that is said at construction, and not to every caller."""
    with pytest.raises(ConfigurationError, match="token_format 'opaque'"):
        Stage({"strategy": "jwks", "token_format": "opaque"})


async def test_one_client_tries_out_tokens() -> None:
    """A client has so many unknown tokens looked up, and is told when to come again; others do not notice."""
    stage = Stage(LIMIT, introspect=says_no())
    refusals = [await outcome(stage, f"guess-{number}") for number in range(20)]
    assert [type(refusal) for refusal in refusals] == [InvalidToken] * 5 + [TooManyTokens] * 15
    assert all(refusal.retry_after == 1.0 for refusal in refusals if isinstance(refusal, TooManyTokens))
    assert stage.origin.count("introspect") == 5
    assert isinstance(await outcome(stage, "guess", ALICE), InvalidToken)
    stage.time.advance(1.0)
    assert isinstance(await outcome(stage, "guess-again"), InvalidToken)
    assert stage.origin.count("introspect") == 7


async def test_the_limit_is_the_clients_doing() -> None:
    """What is told of it is a refusal: no outage, and no token that was found out about."""
    stage = Stage(LIMIT | {"rate_limit_burst": 1}, introspect=says_yes())
    await stage.server.authenticate(sent("first"))
    stage.events.clear()
    assert isinstance(await outcome(stage, "second"), TooManyTokens)
    (event,) = stage.events
    assert isinstance(event, RequestRefused)
    assert (event.status, event.error, event.reason) == (429, None, "rate_limited")
    assert event.fingerprint is not None


async def test_the_limit_as_a_401() -> None:
    """Where it is configured so, a client beyond the limit gets the refusal that any bad token gets."""
    stage = Stage(LIMIT | {"rate_limited_status": 401}, introspect=says_no())
    assert await reasons(stage, *map(str, range(7))) == ["inactive"] * 5 + ["rate_limited"] * 2


async def test_nobody_is_charged_for_what_is_known() -> None:
    """A good token is served when the allowance is used up, also past its time: it was good a moment ago."""
    stage = Stage(LIMIT | {"cache_ttl": 60.0}, introspect=says_yes())
    assert isinstance(await outcome(stage, "good"), Principal)
    for past in (0.0, 60.0):
        stage.time.advance(past)
        guesses = [await outcome(stage, f"guess-{past}-{number}") for number in range(10)]
        assert isinstance(guesses[-1], TooManyTokens)
        for _ in range(100):
            assert isinstance(await outcome(stage, "good"), Principal)


async def test_a_crowd_with_one_new_token_is_charged_once() -> None:
    """Many requests at once with a token that is new cause one question, and one question is charged."""
    gate = Gate(says_yes())
    stage = Stage(LIMIT | {"rate_limit_burst": 2}, introspect=gate)
    requests = [asyncio.ensure_future(outcome(stage, "new")) for _ in range(100)]
    await gate.arrived()
    gate.open()
    assert all(isinstance(result, Principal) for result in await asyncio.gather(*requests))
    assert isinstance(await outcome(stage, "next"), Principal)
    assert isinstance(await outcome(stage, "third"), TooManyTokens)


async def test_a_refusal_by_the_limit_is_not_remembered() -> None:
    """A token that came too early is good when its client has waited as told."""
    stage = Stage(LIMIT | {"rate_limit_burst": 1}, introspect=says_yes())
    await outcome(stage, "first")
    assert isinstance(await outcome(stage, "second"), TooManyTokens)
    stage.time.advance(1.0)
    assert isinstance(await outcome(stage, "second"), Principal)


async def test_the_limit_opens_no_other_door() -> None:
    """Whoever uses up an allowance does not choose the fallback: a good signature is no answer to that."""
    stage = Stage(LIMIT | {"rate_limit_burst": 1}, introspect=says_yes(), jwks=publishes(OLD))
    await outcome(stage, "first")
    assert isinstance(await outcome(stage, access_token(OLD)), TooManyTokens)


@pytest.mark.parametrize("strategy", ["jwks", "jwks_then_introspect"])
async def test_a_signature_costs_no_question(strategy: str) -> None:
    """A JWT whose key is at hand is judged without asking, so nobody is charged for it."""
    stage = Stage(LIMIT | {"strategy": strategy}, jwks=publishes(OLD), introspect=says_no())
    for number in range(20):
        assert isinstance(await outcome(stage, access_token(OLD, jti=str(number))), Principal)
    assert stage.origin.count("introspect") == 0


async def test_an_unknown_client_is_not_limited() -> None:
    """Behind a UNIX socket all clients look alike, and none can be told from another."""
    stage = Stage(LIMIT, introspect=says_no())
    refusals = [await outcome(stage, str(number), None) for number in range(20)]
    assert all(isinstance(refusal, InvalidToken) and refusal.reason == "inactive" for refusal in refusals)


async def test_the_same_bad_token_again_and_again() -> None:
    """A bad token is asked about once in its time, however often it comes."""
    stage = Stage({"negative_cache_ttl": 10.0}, introspect=says_no())
    for _ in range(2):
        assert await reasons(stage, *["bad"] * 500) == ["inactive"] * 500
        stage.time.advance(10.0)
    assert stage.origin.count("introspect") == 2


@pytest.mark.attack("A-K-9")
async def test_the_same_token_of_an_unknown_key_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not remembered, as its key may come; it costs few fetches all the same, and no signature is verified."""
    verified: list[object] = []
    monkeypatch.setattr(jose, "verify_signature", lambda *args: verified.append(args))
    stage = Stage({"strategy": "jwks"}, jwks=publishes(OLD))
    assert await reasons(stage, *[forged("invented")] * 500) == ["unknown_key"] * 500
    assert stage.origin.count("jwks") <= 3
    assert verified == []


@pytest.mark.attack("A-K-9")
async def test_a_flood_of_invented_key_ids() -> None:
    """In a minute of them the key set is fetched three times at most, and a key that is new is found all the same."""
    stage = Stage({"strategy": "jwks"}, jwks=publishes(OLD))
    for number in range(1200):
        await outcome(stage, forged(f"kid-{number}"))
        stage.time.advance(0.05)
    assert stage.origin.count("jwks") <= 3
    stage.origin.replies["jwks"] = publishes(OLD, NEW)
    waited = 0.0
    while not isinstance(await outcome(stage, access_token(NEW)), Principal):
        await outcome(stage, forged(f"later-{waited}"))
        stage.time.advance(0.5)
        waited += 0.5
    assert waited <= 30


async def test_good_callers_in_a_flood_of_unknown_tokens() -> None:
    """While strangers fill the line, known tokens are served and renewed, and most places are never exceeded."""
    stage = Stage({"cache_ttl": 60.0, "max_concurrent_calls": 8}, introspect=says_yes())
    good = [f"good-{number}" for number in range(20)]
    for token in good:
        await stage.server.authenticate(sent(token, ALICE))
    gate = stage.origin.replies["introspect"] = Gate(says_no())
    flood = [asyncio.ensure_future(outcome(stage, f"stranger-{number}")) for number in range(300)]
    await gate.arrived(6)
    stage.time.advance(59)
    stage.events.clear()
    for token in good:
        assert isinstance(await outcome(stage, token, ALICE), Principal)
    await gate.arrived(8)  # two of those that are renewed, in the places that are kept for them
    assert stage.origin.count("introspect") == 20 + 8
    gate.open()
    await asyncio.gather(*flood)
    assert sum(isinstance(event, TokenValidated) and event.outcome == "inactive" for event in stage.events) >= 300


async def test_a_flood_in_an_outage() -> None:
    """An authorization server that is down is not asked for each token of a flood."""
    stage = Stage(introspect=says(503))
    for number in range(1000):
        assert isinstance(await outcome(stage, f"stranger-{number}"), InvalidToken)
    assert stage.origin.count("introspect") <= 20
    assert len(stage.server._core.state.cache) == 0
    assert any(isinstance(event, AuthorizationServerUnavailable) for event in stage.events)
