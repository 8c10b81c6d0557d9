"""Which routes everybody is let in to: listed for tests, and told once when the application starts."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from resource_server import Event
from resource_server.asgi import BearerTokenMiddleware
from resource_server.events import UnprotectedRoutes
from resource_server.fastapi import install, require, unprotected_routes
from tests.support.fastapi_app import ISSUER, ScriptedAS

READ = require("read")
DOCS = ["GET /docs", "GET /docs/oauth2-redirect", "GET /openapi.json", "GET /redoc"]


async def nothing() -> None:
    """Do nothing."""


async def echo(_: Request) -> Response:
    """Answer."""
    return PlainTextResponse("echo")


def api(**options: Any) -> FastAPI:
    """Make an application with protected routes and open ones, of its own and included."""
    app = FastAPI(**options)
    app.get("/things", dependencies=[READ])(nothing)
    app.api_route("/open", methods=["POST", "GET", "HEAD"])(nothing)
    app.api_route("/probe", methods=["HEAD"])(nothing)
    app.websocket("/feed", dependencies=[READ])(nothing)
    app.websocket("/news")(nothing)
    router = APIRouter(prefix="/items")
    router.get("/{item_id}")(nothing)
    router.websocket("/live")(nothing)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2", dependencies=[READ])
    return app


def test_listed() -> None:
    """Every route without a demand is there, of an included router where the inclusion demands nothing either."""
    assert sorted(unprotected_routes(api(openapi_url=None))) == [
        "/news",
        "/v1/items/live",
        "GET /open",
        "GET /v1/items/{item_id}",
        "HEAD /probe",
        "POST /open",
    ]
    assert sorted(unprotected_routes(FastAPI())) == DOCS
    assert unprotected_routes(FastAPI(openapi_url=None, dependencies=[READ])) == []


def test_mounted(authorization_server: ScriptedAS) -> None:
    """Of a mounted application it is told what is known: all routes, the public paths, or that it is open."""
    plain = Starlette(routes=[Route("/echo", echo)])
    guard = Middleware(BearerTokenMiddleware, server=authorization_server.server(), public=["/echo", "/other"])
    guarded = Starlette(routes=plain.routes, middleware=[guard])
    app = FastAPI(openapi_url=None)
    app.mount("/shop", api(openapi_url=None, dependencies=[READ]))
    app.mount("/open", api(openapi_url=None))
    app.mount("/plain", plain)
    app.mount("/guarded", guarded)
    found = unprotected_routes(app)
    assert {"/plain/*", "GET /guarded/echo", "/guarded/other", "GET /open/open", "/open/news"} <= set(found)
    assert not any("/shop" in line or "things" in line for line in found)


def test_frontend(tmp_path: Path) -> None:
    """Static files behind the application's routes are a route too."""
    app = FastAPI(openapi_url=None)
    if not hasattr(app, "frontend"):
        pytest.skip("this FastAPI has no frontend()")
    app.frontend("/", directory=tmp_path)
    assert unprotected_routes(app) == ["/*"]


@pytest.mark.anyio
async def test_told_once(authorization_server: ScriptedAS) -> None:
    """The observer is told at the start, once, with the routes as they are then."""
    events: list[Event] = []
    app = FastAPI(openapi_url=None)
    install(app, authorization_server.server(observer=events.append))
    app.get("/open")(nothing)
    async with app.router.lifespan_context(app):
        assert [event for event in events if isinstance(event, UnprotectedRoutes)] == [
            UnprotectedRoutes(("GET /open",), ISSUER)
        ]
    closed = FastAPI(openapi_url=None)
    install(closed, authorization_server.server(observer=events.append))
    async with closed.router.lifespan_context(closed):
        assert sum(isinstance(event, UnprotectedRoutes) for event in events) == 1
