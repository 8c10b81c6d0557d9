"""What an application lets everybody see can be listed, for a test of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, get
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

from resource_server.asgi import BearerTokenMiddleware, unprotected_routes
from tests.support.fastapi_app import ScriptedAS

PUBLIC = ["/healthz", "/docs", "/feed"]


async def nothing(_: Any) -> None:
    """Do nothing."""


def starlette() -> Starlette:
    """Make an application whose routes tell their methods."""
    routes = [
        Route("/healthz", nothing),
        Route("/docs", nothing, methods=["POST", "GET"]),
        Route("/docs", nothing, methods=["PUT"]),
        Route("/things", nothing),
        WebSocketRoute("/feed", nothing),
        Mount("/files", Starlette()),
    ]
    return Starlette(routes=routes)


EXPECTED = ["GET /docs", "POST /docs", "PUT /docs", "/feed", "GET /healthz"]


def test_starlette(authorization_server: ScriptedAS) -> None:
    """Public paths are listed with the methods of their routes, wherever the middleware stands."""
    server = authorization_server.server()
    inside = starlette()
    inside.add_middleware(BearerTokenMiddleware, server=server, public=PUBLIC)
    inside.add_middleware(CORSMiddleware)
    for app in (
        BearerTokenMiddleware(starlette(), server, public=PUBLIC),
        BearerTokenMiddleware(CORSMiddleware(starlette()), server, public=PUBLIC),
        CORSMiddleware(BearerTokenMiddleware(starlette(), server, public=PUBLIC)),
        inside,
    ):
        assert unprotected_routes(app) == EXPECTED
    assert unprotected_routes(BearerTokenMiddleware(starlette(), server)) == []


def test_litestar(authorization_server: ScriptedAS) -> None:
    """Litestar's routes tell their methods too."""

    @get("/healthz", sync_to_thread=False)
    def health() -> str:
        return "ok"

    app = BearerTokenMiddleware(Litestar([health]), authorization_server.server(), public=PUBLIC[:1])
    assert unprotected_routes(app) == ["GET /healthz"]


def test_quart(authorization_server: ScriptedAS) -> None:
    """Where nothing is known of methods the path alone is listed."""
    app = Quart(__name__)
    app.asgi_app = BearerTokenMiddleware(app.asgi_app, authorization_server.server(), public=PUBLIC[:1])  # type: ignore[method-assign]  # as Quart's own documentation has it
    assert unprotected_routes(app) == ["/healthz"]


@pytest.mark.parametrize("app", [starlette(), nothing])
def test_no_middleware(app: Any) -> None:
    """Without the middleware everything is open."""
    assert unprotected_routes(app) == ["/*"]
