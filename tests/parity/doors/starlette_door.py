"""The middleware for ASGI applications, around Starlette."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.parity.doors.asgi_call import ASGIDoor, around
from tests.parity.world import METHODS, PUBLIC, ROUTES, World, said_of


async def _public(_request: Request) -> Response:
    return JSONResponse("public")


async def _protected(request: Request) -> Response:
    return JSONResponse(said_of(request.user) if "user" in request.scope else "a preflight")


def open_door(world: World, **options: Any) -> ASGIDoor:
    """Make the application."""
    routes = [Route(path, _protected, methods=METHODS) for path in ROUTES]
    app = Starlette(routes=[Route(PUBLIC, _public, methods=["GET", "POST"]), *routes])
    app.router.redirect_slashes = False
    return ASGIDoor(around(app, world.server(**options)))
