"""The server lives and ends with the application, whether or not that knows a lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from resource_server import ConfigurationError, Event, ResourceServer
from resource_server.asgi import BearerTokenMiddleware
from resource_server.events import UnprotectedRoutes
from tests.support.asgi import App, call
from tests.support.fastapi_app import ISSUER, READER, ScriptedAS

pytestmark = pytest.mark.anyio

Told = list[str]
COMPLETE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def recorded(told: Told) -> ResourceServer:
    """Make a server that says when it starts and when it is closed."""

    class Recorded(ResourceServer):
        async def start(self) -> None:
            told.append("start")

        async def aclose(self) -> None:
            told.append("close")

    return Recorded(issuer=ISSUER, audience="https://api.example.com", jwks_uri=f"{ISSUER}/jwks", strategy="jwks")


async def live(app: App, told: Told, *, state: Any = None) -> None:
    """Run an application's lifespan from start to end."""
    arriving = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, Any]:
        return next(arriving)

    async def send(message: dict[str, Any]) -> None:
        told.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, receive, send)


async def test_around_the_own_one() -> None:
    """The server starts before the application does, and is closed after it; its state reaches the requests."""
    told: Told = []
    state: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, str]]:
        told.append("begin")
        yield {"database": "open"}
        told.append("end")

    app = BearerTokenMiddleware(Starlette(lifespan=lifespan), recorded(told))
    await live(app, told, state=state)
    assert told == ["start", "begin", COMPLETE[0], "end", "close", COMPLETE[1]]
    assert state == {"database": "open"}


async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
    """Know no lifespan, and say nothing."""


async def raising(_scope: Any, _receive: Any, _send: Any) -> None:
    """Know no lifespan, and fail."""
    raise NotImplementedError


async def reading(_scope: Any, receive: Any, _send: Any) -> None:
    """Read what comes, and fail then."""
    await receive()
    raise ValueError


@pytest.mark.parametrize("app", [silent, raising, reading])
async def test_without_one(app: App) -> None:
    """An application without a lifespan is lived for: the server is started and closed all the same."""
    told: Told = []
    await live(BearerTokenMiddleware(app, recorded(told)), told)
    assert told == ["start", COMPLETE[0], "close", COMPLETE[1]]


async def test_failing_start() -> None:
    """An application that cannot start says so, and nothing is said for it."""
    told: Told = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        if told:
            raise OSError("no database")
        yield

    app = BearerTokenMiddleware(Starlette(lifespan=lifespan), recorded(told))
    with pytest.raises(OSError, match="no database"):
        await live(app, told)
    assert told == ["start", "lifespan.startup.failed", "close"]


async def test_failing_end() -> None:
    """An application that cannot end says so once the server is closed."""
    told: Told = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        raise OSError("no database")

    app = BearerTokenMiddleware(Starlette(lifespan=lifespan), recorded(told))
    with pytest.raises(OSError, match="no database"):
        await live(app, told)
    assert told == ["start", COMPLETE[0], "close", "lifespan.shutdown.failed"]


async def test_bad_configuration_inside(authorization_server: ScriptedAS) -> None:
    """A mistake in the configuration of what is inside is no missing lifespan: it is not passed over."""
    told: Told = []
    inner = Starlette()
    inner.add_middleware(BearerTokenMiddleware, server=authorization_server.server(), public=["healthz"])
    with pytest.raises(ConfigurationError, match="slash"):
        await live(BearerTokenMiddleware(inner, recorded(told)), told)
    assert told == ["start", "close"]


async def test_cut_short() -> None:
    """A lifespan that is cancelled ends the application's own, and closes the server."""
    told: Told = []
    begun = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        begun.set()
        try:
            await asyncio.Event().wait()
            yield
        finally:
            told.append("end")

    app = BearerTokenMiddleware(Starlette(lifespan=lifespan), recorded(told))
    task = asyncio.ensure_future(live(app, told))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert [word for word in told if not word.startswith("lifespan")] == ["start", "end", "close"]


async def test_none(authorization_server: ScriptedAS) -> None:
    """Where no lifespan ever runs everything is made at first use."""
    app = BearerTokenMiddleware(Starlette(), authorization_server.server())
    assert (await call(app, "GET", "/", token=READER)).status == 404


async def test_unprotected_routes_are_told(authorization_server: ScriptedAS) -> None:
    """The observer is told once, at the start, what everybody is let in to; nothing where that is nothing."""
    events: list[Event] = []
    server = authorization_server.server(observer=events.append)
    app = Starlette(routes=[Route("/healthz", silent)])
    await live(BearerTokenMiddleware(app, server), [])
    assert not any(isinstance(event, UnprotectedRoutes) for event in events)
    await live(BearerTokenMiddleware(app, server, public=["/healthz"]), [])
    told = [event for event in events if isinstance(event, UnprotectedRoutes)]
    assert told == [UnprotectedRoutes(("GET /healthz",), ISSUER)]
