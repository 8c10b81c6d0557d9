"""An outage as callers see it: how long they wait, what they are told, how little is asked, and when it is over."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from resource_server import Clock, InvalidToken, ResourceServer, VerificationUnavailable
from resource_server.errors import BearerTokenError
from tests.support.jwt import NOW, REMOVED, access_token, signing_key
from tests.support.origin import Gate, Origin, Reply, fails, publishes, says, says_yes
from tests.support.play import options
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio

REFUSED = fails(httpx.ConnectError("refused"))


def server_in_real_time(reply: Reply, **changes: Any) -> tuple[ResourceServer, Origin]:
    """Make a server whose monotonic clock runs, and its authorization server."""
    origin = Origin(introspect=reply)
    server = ResourceServer(
        transport=origin,
        clock=Clock(lambda: NOW, chance=lambda: 0.0),
        observer=lambda _: None,
        **options(**({"strategy": "introspect", "unavailable_status": 503} | changes)),
    )
    return server, origin


async def refusal(server: ResourceServer, token: str = "token") -> VerificationUnavailable:  # noqa: S107 - no password
    """Send a request that cannot be verified."""
    with pytest.raises(VerificationUnavailable) as refused:
        await server.authenticate(bearer(token))
    return refused.value


@pytest.mark.parametrize("retries", [0, 2])
async def test_a_server_that_hangs(retries: int) -> None:
    """The first caller waits until the deadline; those after it learn at once that there is no answer."""
    gate = Gate(says_yes())
    server, origin = server_in_real_time(gate, timeout=0.2, retries=retries)
    await refusal(server, "first")
    asked = len(origin.requests)
    assert asked == (2 if retries else 1)
    began = time.perf_counter()
    for number in range(50):
        await refusal(server, f"token-{number}")
    assert len(origin.requests) == asked
    assert (time.perf_counter() - began) / 50 < 0.2 / 10  # far from any deadline; the figure is taken elsewhere
    gate.open()
    await server.aclose()


async def test_a_crowd_before_a_server_that_hangs() -> None:
    """Many callers at once wait one deadline together, and the next ones none."""
    gate = Gate(says_yes())
    server, origin = server_in_real_time(gate, timeout=0.2, max_concurrent_calls=8)
    await asyncio.gather(*(refusal(server, f"token-{number}") for number in range(40)))
    asked = len(origin.requests)
    await refusal(server)
    assert len(origin.requests) == asked
    gate.open()
    await server.aclose()


async def test_a_server_that_is_down_is_asked_now_and_then() -> None:
    """While nobody answers, a hundred callers a second cost the authorization server two questions a second."""
    stage = Stage({"strategy": "introspect", "unavailable_status": 503, "retries": 2}, introspect=REFUSED)
    for number in range(3_000):
        await refusal(stage.server, f"token-{number}")
        stage.time.advance(0.01)
    assert len(stage.origin.requests) <= 10 + 30 / 0.4


async def test_a_server_that_is_back() -> None:
    """The first answer that is due after its return is given, within a second, to whoever asks then."""
    stage = Stage({"strategy": "introspect", "unavailable_status": 503}, introspect=REFUSED)
    for number in range(50):
        await refusal(stage.server, f"token-{number}")
    stage.origin.replies["introspect"] = says_yes()
    came_back = stage.time.monotonic
    while stage.time.monotonic < came_back + 1.0:
        try:
            await stage.server.authenticate(bearer("fresh"))
            break
        except VerificationUnavailable:
            stage.time.advance(0.05)
    assert stage.time.monotonic < came_back + 1.0
    for number in range(50):
        await stage.server.authenticate(bearer(f"token-{number}"))


async def test_retry_after_is_passed_on() -> None:
    """RFC 9110 §10.2.3: what the authorization server asks for is what our callers are told, as long as it lasts."""
    reply = says(503, retry_after="30")
    stage = Stage({"strategy": "introspect", "unavailable_status": 503, "retries": 2}, introspect=reply)
    told: list[bytes | None] = []
    for number in range(4):
        error = await refusal(stage.server, f"token-{number}")
        response = stage.server.render(error)
        told.append({name.lower(): value for name, value in response.headers}.get(b"retry-after"))
        assert response.status == 503
        stage.time.advance(10.0)
    assert told == [b"30", b"20", b"10", b"30"]
    assert stage.origin.count("introspect") == 2


async def test_a_server_that_is_left_alone_leaves_the_fallback() -> None:
    """While introspection is left alone JWTs are judged by their signature, and nobody waits for that."""
    stage = Stage({"retries": 2}, introspect=says_yes(sub=REMOVED, jti=REMOVED), jwks=publishes(signing_key()))
    await stage.server.start()
    stage.origin.replies["introspect"] = says(503, retry_after="30")
    found = [(await stage.server.authenticate(bearer(access_token(jti=f"jti-{n}")))).assurance.value for n in range(20)]
    assert found == ["local"] * 20
    assert stage.origin.count("introspect") == 1


@pytest.mark.attack("A-C-5")
async def test_nothing_of_an_outage_is_remembered() -> None:
    """An outage leaves no trace in what is known: the same token is good as soon as somebody says so."""
    stage = Stage({"strategy": "introspect", "unavailable_status": 503}, introspect=REFUSED)
    for _ in range(5):
        await refusal(stage.server)
    stage.origin.replies["introspect"] = says_yes()
    assert (await stage.server.authenticate(bearer("token"))).subject == "subject of token"


@pytest.mark.attack("A-S-7")
async def test_a_poisoned_token_turns_nobody_away() -> None:
    """A token that breaks the authorization server each time it is asked about is its sender's problem alone."""

    def breaks(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if b"poison" in request.content else says_yes()(request)  # type: ignore[return-value] # not awaited

    stage = Stage({"strategy": "introspect", "retries": 2}, introspect=breaks)
    for _ in range(200):
        with pytest.raises(InvalidToken):
            await stage.server.authenticate(bearer("poison"))
    assert (await stage.server.authenticate(bearer("good"))).subject == "subject of good"


async def test_a_flight_that_is_cut_off_gives_its_probe_back() -> None:
    """A server that is closed while it probes probes again when it is used again."""
    gate = Gate(says_yes())
    stage = Stage({"strategy": "introspect", "unavailable_status": 503}, introspect=REFUSED)
    for number in range(10):
        await refusal(stage.server, f"token-{number}")
    stage.time.advance(1.0)
    stage.origin.replies["introspect"] = gate
    probe = asyncio.create_task(stage.server.authenticate(bearer("probe")))
    await gate.arrived()
    await refusal(stage.server)
    await stage.server.aclose()
    with pytest.raises((asyncio.CancelledError, BearerTokenError)):
        await probe
    gate.open()
    assert (await stage.server.authenticate(bearer("token"))).subject == "subject of token"
