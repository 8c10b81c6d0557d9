"""Tokens and secrets stay where they are used: not in what is remembered, told, logged or shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
import respx

from resource_server import BearerTokenError, LoggingObserver, Principal, ResourceServer
from resource_server._validation.state import IssuerState
from tests.support.canary import log_text, text_of
from tests.support.jwt import access_token, signing_key
from tests.support.origin import Origin, Reply, publishes, says, says_no, says_yes
from tests.support.play import INTROSPECTION, OPTIONS, SECRET, Time, active_members, options
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio

OPAQUE = "canary-opaque-token"
JWT = access_token(sub="canary-subject", email="canary@example.com")


def texts(value: Any, seen: dict[int, Any]) -> Iterator[str | bytes]:
    """Find every text in an object and in all that it holds."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, str | bytes):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from texts(name, seen)
            yield from texts(member, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            yield from texts(member, seen)
    elif type(value).__module__.startswith(("resource_server", "cachetools")):
        members = [getattr(value, name) for name in getattr(type(value), "__slots__", ())]
        yield from texts([*members, getattr(value, "__dict__", {})], seen)


def remembers(state: IssuerState, canary: str) -> bool:
    """Tell whether a text is anywhere in what a server remembers."""
    return any(canary in (text if isinstance(text, str) else text.decode("latin-1")) for text in texts(state, {}))


@pytest.mark.rfc("9700-4.9.3-a")
@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("token", [OPAQUE, JWT], ids=["opaque", "JWT"])
@pytest.mark.parametrize("reply", [says_yes(sub="canary-subject"), says_no(), says(503)], ids=["yes", "no", "outage"])
async def test_no_token_is_remembered(token: str, reply: Reply) -> None:
    """RFC 9700 §4.9.3: what a server remembers of a token is a digest under a key of its own, and never its text."""
    stage = Stage(introspect=reply, jwks=publishes(signing_key()))
    with suppress(BearerTokenError):
        principal = await stage.server.authenticate(bearer(token))
        assert remembers(stage.server._core.state, principal.subject or "nobody")
    await stage.server.aclose()
    for canary in (token, *(part for part in token.split(".") if part != access_token().split(".", maxsplit=1)[0])):
        assert not remembers(stage.server._core.state, canary)


@pytest.mark.rfc("7662-5-a", "9700-4.9.3-a")
@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("token", [OPAQUE, JWT], ids=["opaque", "JWT"])
@pytest.mark.parametrize(
    "reply",
    [
        says_yes(sub="canary-subject", email="canary@example.com", username="canary"),
        says(200, {"active": False, "email": "canary@example.com"}),
        says(400, {"error": "canary-error", "error_description": f"{OPAQUE} {JWT} {SECRET}"}),
        says(401, {"error": "invalid_client", "error_description": SECRET}),
        says(503, {"error": OPAQUE}),
        says(200, active_members(sub="canary-subject", iss=f"https://{OPAQUE}")),
        says(200, active_members(sub="canary-subject", jti="canary-jti")),
    ],
    ids=["yes", "no", "400", "401", "503", "another issuer", "another token"],
)
async def test_nothing_personal_is_told(token: str, reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7662 §5: neither the token nor what the answer says of somebody is in an event, a log line or a refusal."""
    caplog.set_level(logging.DEBUG)
    told: list[object] = []
    logs = LoggingObserver()

    def observer(event: Any) -> None:
        told.append(event)
        logs(event)

    origin = Origin(introspect=reply, jwks=publishes(signing_key()))
    server = ResourceServer(transport=origin, clock=Time().clock, observer=observer, **OPTIONS)
    outcome = ""
    for _ in range(2):
        try:
            outcome += repr(await server.authenticate(bearer(token))).replace("subject='canary-subject'", "")
        except BearerTokenError as error:
            outcome += text_of(error) + repr(server.render(error))
    assert told
    everything = outcome + repr(told) + log_text(caplog) + repr(server) + repr(server.settings)
    for canary in (token, token.rpartition(".")[2], SECRET, "canary@example.com", "canary-error"):
        assert canary not in everything
    assert not any(canary in repr(told) + log_text(caplog) for canary in ("canary-subject", "canary-jti"))


@pytest.mark.attack("A-S-1")
async def test_the_loggers_of_the_libraries(caplog: pytest.LogCaptureFixture, respx_mock: respx.MockRouter) -> None:
    """With every logger at DEBUG, those of httpx and httpcore too, our own connections log no token and no secret."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "resource_server", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    respx_mock.post(INTROSPECTION).respond(200, json=active_members())
    for trust_env in (False, True):
        server = ResourceServer(clock=Time().clock, **options(trust_env=trust_env))
        assert isinstance(await server.authenticate(bearer(OPAQUE)), Principal)
        await server.aclose()
    assert caplog.records
    assert not any(canary in log_text(caplog) for canary in (OPAQUE, SECRET))


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout])
async def test_a_refusal_keeps_no_frame_of_the_library(error: type[httpx.RequestError]) -> None:
    """The traceback of a refusal leads through this package only, and no local variable in it shows the token."""

    def reply(request: httpx.Request) -> httpx.Response:
        raise error(OPAQUE, request=request)

    stage = Stage(introspect=reply)
    with pytest.raises(BearerTokenError) as refused:
        await stage.server.authenticate(bearer(OPAQUE))
    frames = [str(entry.path) for entry in refused.traceback][1:]
    assert frames
    assert all("/resource_server/" in path for path in frames)
    assert OPAQUE not in text_of(refused.value)
