"""A token in use is found out about again before its time is over, and no request waits for that."""

from __future__ import annotations

import asyncio

import pytest

from resource_server import InvalidToken, Principal
from resource_server._validation.cache import JITTER
from resource_server.requirements import ANY_TOKEN
from tests.support.jwt import NOW, access_token, signing_key
from tests.support.origin import Gate, publishes, says, says_no, says_yes
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio

TTL = 60.0
DUE = 59.0
"""Seconds after an answer: it is still served, and due to be renewed."""
HOT = "hot"
SIGNER = signing_key("ES256")


async def warm() -> Stage:
    """Make a server that has found out about the token a moment ago."""
    stage = Stage({"cache_ttl": TTL}, introspect=says_yes())
    await send(stage)
    return stage


async def send(stage: Stage, token: str = HOT) -> Principal:
    """Send a request with the token."""
    return await stage.server.authenticate(bearer(token))


async def settle(stage: Stage) -> None:
    """Let what runs in the background come to its end."""
    driver = stage.server._lines()[0].driver()
    while driver._flights._tasks:
        await asyncio.wait(list(driver._flights._tasks.values()))


@pytest.mark.attack("A-C-12")
async def test_a_hot_token_never_waits() -> None:
    """While the answer is on its way the old one is served, and the many that are served ask once."""
    stage = await warm()
    gate = stage.origin.replies["introspect"] = Gate(says_yes(sub="renewed"))
    stage.time.advance(DUE)
    for _ in range(100):
        assert (await send(stage)).subject == "subject of hot"
    await gate.arrived()
    assert stage.origin.count("introspect") == 2
    gate.open()
    await settle(stage)
    stage.time.advance(TTL - DUE + 1)
    assert (await send(stage)).subject == "renewed"
    assert stage.origin.count("introspect") == 2


@pytest.mark.attack("A-C-8")
async def test_a_token_that_is_not_in_use_is_not_asked_about() -> None:
    """Only a request renews, and only when the time is nearly over."""
    stage = await warm()
    stage.time.advance(DUE - 5)
    await send(stage)
    stage.time.advance(100)
    await settle(stage)
    assert stage.origin.count("introspect") == 1


@pytest.mark.attack("A-C-4", "A-C-10")
async def test_a_no_ends_the_yes_at_once() -> None:
    """Once the authorization server has said no, the old yes is not served for the rest of its time."""
    stage = await warm()
    stage.origin.replies["introspect"] = says_no()
    stage.time.advance(DUE)
    await send(stage)
    await settle(stage)
    with pytest.raises(InvalidToken) as refused:
        await send(stage)
    assert refused.value.reason == "inactive"


@pytest.mark.attack("A-C-5")
async def test_an_attempt_that_fails_is_not_repeated_for_each_hit() -> None:
    """In an outage the yes serves to its end, one question is lost on it, and at the end it is asked again."""
    stage = await warm()
    stage.origin.replies["introspect"] = says(503)
    stage.time.advance(DUE)
    for _ in range(100):
        await send(stage)
        await settle(stage)
    assert stage.origin.count("introspect") == 2
    stage.time.advance(TTL - DUE)
    with pytest.raises(InvalidToken) as refused:
        await send(stage)
    assert refused.value.reason == "unavailable"
    assert stage.origin.count("introspect") == 3


@pytest.mark.attack("A-C-4")
async def test_nothing_is_served_past_its_end() -> None:
    """A request that comes when the time is over waits for the question that is under way, and asks no second one."""
    stage = await warm()
    gate = stage.origin.replies["introspect"] = Gate(says_no())
    stage.time.advance(DUE)
    await send(stage)
    await gate.arrived()
    stage.time.advance(TTL - DUE)
    late = asyncio.ensure_future(send(stage))
    await asyncio.sleep(0)
    assert not late.done()
    gate.open()
    with pytest.raises(InvalidToken):
        await late
    assert stage.origin.count("introspect") == 2


@pytest.mark.rfc("7662-4-a")
@pytest.mark.attack("A-C-4")
async def test_a_token_that_ends_itself_is_not_renewed() -> None:
    """Where ``exp`` comes before the time is over, asking again would bring the same: the token ends then."""
    stage = Stage({"cache_ttl": TTL}, introspect=says_yes(exp=int(NOW) + 30))
    await send(stage)
    stage.time.advance(29.9)
    await send(stage)
    stage.time.advance(0.1)
    with pytest.raises(InvalidToken):
        await send(stage)
    assert stage.origin.count("introspect") == 2


@pytest.mark.parametrize("seconds", [10, 3600])
async def test_ten_times_its_time(seconds: int) -> None:
    """A token in use for ten times its time is asked about ten times, one more or less, and never has to wait."""
    stage = Stage({"cache_ttl": float(seconds)}, introspect=says_yes(exp=int(NOW) + 20 * seconds))
    await send(stage)
    moment, step = 0.0, seconds * JITTER / 20
    while moment < 10 * seconds:
        stage.time.advance(step)
        moment += step
        before = stage.origin.count("introspect")
        assert (await send(stage)).subject == "subject of hot"
        assert stage.origin.count("introspect") == before  # nobody was asked while the request waited
        await settle(stage)
    assert 9 <= stage.origin.count("introspect") - 1 <= 11


async def test_a_signature_is_verified_ahead_too() -> None:
    """A JWT that is verified here is verified anew in the background, so that no request waits for that either."""
    stage = Stage({"cache_ttl": TTL, "strategy": "jwks"}, jwks=publishes(SIGNER))
    token = access_token(SIGNER)
    await send(stage, token)
    stage.time.advance(DUE)
    await send(stage, token)
    await settle(stage)
    stage.time.advance(TTL - DUE + 1)
    assert isinstance(stage.server._core.begin(bearer(token), ANY_TOKEN), Principal)
    assert stage.origin.count("jwks") == 1
