"""However many requests are under way at a time, each is its own; and a stream ends when its token does."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from resource_server.asgi import BearerTokenMiddleware, principal_of
from tests.support.answer import Answer
from tests.support.asgi import call
from tests.support.fastapi_app import READER, ScriptedAS, active

pytestmark = pytest.mark.anyio

USERS, REQUESTS = 50, 1000


@pytest.mark.attack("A-C-2", "A-F-11")
async def test_interleaved_requests() -> None:
    """In a thousand interleaved requests every endpoint and background task sees its own principal."""
    done: list[tuple[str, str | None]] = []

    async def whoami(request: Request) -> Response:
        before = principal_of(request).subject
        await asyncio.sleep(0)

        async def note() -> None:
            await asyncio.sleep(0)
            done.append((request.query_params["me"], principal_of(request).subject))

        return JSONResponse([before, request.user.subject], background=BackgroundTask(note))

    users = ScriptedAS({f"canary-{number}": active(sub=f"user-{number}") for number in range(USERS)})
    app = BearerTokenMiddleware(Starlette(routes=[Route("/", whoami)]), users.server())

    async def ask(number: int) -> Answer:
        return await call(app, "GET", "/", token=f"canary-{number}", query=f"me=user-{number}".encode())

    answers = await asyncio.gather(*(ask(number % USERS) for number in range(REQUESTS)))
    for number, answer in enumerate(answers):
        assert answer.json() == [f"user-{number % USERS}"] * 2
    assert len(done) == REQUESTS
    assert all(me == subject for me, subject in done)
    assert users.introspections == USERS


async def test_no_request_is_left_behind(authorization_server: ScriptedAS) -> None:
    """Nothing of a request that was let in waits for the garbage collector."""
    alive: list[Any] = []

    class Mine(dict[str, Any]):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            alive.append(0)

        def __del__(self) -> None:
            alive.pop()

    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    app = BearerTokenMiddleware(nothing, authorization_server.server(query_token=True))

    async def scoped(scope: Any, receive: Any, send: Any) -> None:
        await app(Mine(scope), receive, send)

    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            await call(scoped, "GET", "/", token=READER)
            assert alive == []
    finally:
        gc.enable()


@pytest.mark.attack("A-F-10")
async def test_stream(authorization_server: ScriptedAS) -> None:
    """A stream that holds a lease ends when its token is revoked, by the request of any framework."""
    server = authorization_server.server()

    async def prices() -> AsyncIterator[bytes]:
        yield b"1"
        server.revoke(token=READER)
        await asyncio.Event().wait()

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            async with principal_of(request).lease(request) as lease:
                async for part in lease.over(prices()):
                    yield part
                yield str(lease.reason).encode()

        return StreamingResponse(parts())

    app = BearerTokenMiddleware(Starlette(routes=[Route("/", stream)]), server)
    answer = await call(app, "GET", "/", token=READER)
    assert (answer.status, answer.body) == (200, b"1revoked")
