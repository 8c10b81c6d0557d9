"""Middleware around an application, or around one that is mounted, is no way past the judgement and not in its way."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resource_server.fastapi import install, require
from tests.support.asgi import call
from tests.support.fastapi_app import ADMIN, READER, WRITER, ScriptedAS
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

BROKEN_JSON: dict[str, Any] = {"body": b'{"n": ', "content_type": "application/json"}


async def create(item_id: int, n: Annotated[int, Body(embed=True)]) -> int:
    """Read a path and a body."""
    return item_id + n


def items() -> APIRouter:
    """Make a router with one route that reads a body, and needs the scope `write`."""
    router = APIRouter(prefix="/items", dependencies=[require("write")])
    router.post("/{item_id}")(create)
    return router


class CopiesScope:
    """A middleware that hands a copy of the scope on, as many do that change something in it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Copy the scope."""
        await self.app(dict(scope), receive, send)


async def test_copied_scope(authorization_server: ScriptedAS) -> None:
    """A middleware of a mounted application that copies the scope hides no demand."""
    mounted = FastAPI()
    mounted.add_middleware(CopiesScope)

    @mounted.get("/things", dependencies=[require("admin")])
    async def things() -> str:
        return "things"

    app = FastAPI()
    app.mount("/sub", mounted)
    app.add_middleware(CopiesScope)
    install(app, authorization_server.server())
    for _ in range(3):
        assert_refused(await call(app, "GET", "/sub/things"), 401, scope="admin")
        assert_refused(await call(app, "GET", "/sub/things", token=READER), 403, "insufficient_scope", scope="admin")
        assert (await call(app, "GET", "/sub/things", token=ADMIN)).status == 200


async def test_middleware_in_between(authorization_server: ScriptedAS) -> None:
    """Middleware of Starlette's own kind around the application, and around a mounted one, changes nothing."""
    seen: list[int] = []

    async def look(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        seen.append(response.status_code)
        return response

    mounted = FastAPI()
    mounted.include_router(items())
    mounted.add_middleware(BaseHTTPMiddleware, dispatch=look)
    app = FastAPI()
    app.mount("/shop", mounted)
    app.include_router(items())
    app.add_middleware(BaseHTTPMiddleware, dispatch=look)
    install(app, authorization_server.server())
    for path in ("/items/1", "/shop/items/1"):
        assert_refused(await call(app, "POST", path, **BROKEN_JSON), 401, scope="write")
        refused = await call(app, "POST", path, token=READER, **BROKEN_JSON)
        assert_refused(refused, 403, "insufficient_scope", scope="write")
        answer = await call(app, "POST", path, token=WRITER, body=b'{"n": 1}', content_type="application/json")
        assert (answer.status, answer.json()) == (200, 2)
    assert seen == [401, 403, 200, 401, 401, 403, 403, 200, 200]


async def test_middleware_that_reads_first(authorization_server: ScriptedAS) -> None:
    """A mounted application's middleware may read the body before there is a route; the route is still judged."""

    async def peek(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await request.body()
        return await call_next(request)

    mounted = FastAPI()
    mounted.include_router(items())
    mounted.add_middleware(BaseHTTPMiddleware, dispatch=peek)
    app = FastAPI()
    app.mount("/shop", mounted)
    install(app, authorization_server.server())
    assert_refused(await call(app, "POST", "/shop/items/1", **BROKEN_JSON), 401, scope="write")
    sent: dict[str, Any] = {"body": b'{"n": 1}', "content_type": "application/json"}
    assert (await call(app, "POST", "/shop/items/1", token=WRITER, **sent)).json() == 2


async def test_copied_scope_of_a_late_route(authorization_server: ScriptedAS) -> None:
    """The same holds for a route that is added while the application serves, which nothing could prepare for."""
    mounted = FastAPI()
    mounted.add_middleware(CopiesScope)
    app = FastAPI()
    app.mount("/sub", mounted)
    install(app, authorization_server.server())
    assert (await call(app, "GET", "/sub/things")).status == 404
    mounted.get("/things", dependencies=[require("read"), require("admin")])(things)
    for _ in range(2):
        assert_refused(await call(app, "GET", "/sub/things"), 401, scope="read admin")
        refused = await call(app, "GET", "/sub/things", token=READER)
        assert_refused(refused, 403, "insufficient_scope", scope="read admin")
        assert (await call(app, "GET", "/sub/things", token=ADMIN)).status == 200


async def things() -> str:
    """Read nothing."""
    return "things"


class PeeksAtBody:
    """A middleware that looks at the first piece of the body, and hands it on with the rest."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read one piece ahead."""
        first = await receive() if scope["type"] == "http" else None

        async def replay() -> AsyncIterator[Message]:
            if first is not None:
                yield first
            while True:
                yield await receive()

        pieces = replay()
        await self.app(scope, pieces.__anext__, send)


async def test_first_piece_is_read_ahead(authorization_server: ScriptedAS) -> None:
    """What is read before there is a route is read; from then on no piece is, without the right token."""
    mounted = FastAPI()
    mounted.add_middleware(PeeksAtBody)
    app = FastAPI()
    app.mount("/shop", mounted)
    install(app, authorization_server.server())
    assert (await call(app, "GET", "/shop/items/1")).status == 404
    mounted.include_router(items())
    pieces = [
        {"type": "http.request", "body": b'{"n": ', "more_body": True},
        {"type": "http.request", "body": b"broken", "more_body": False},
    ]
    sent: dict[str, Any] = {"body": pieces, "content_type": "application/json"}
    for token, status, error in ((None, 401, None), (READER, 403, "insufficient_scope")):
        refused = await call(app, "POST", "/shop/items/1", token=token, **sent)
        assert_refused(refused, status, error, scope="write")
        assert refused.reads == 1
    assert (await call(app, "POST", "/shop/items/1", token=WRITER, **sent)).status == 422
