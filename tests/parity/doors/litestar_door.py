"""The middleware for ASGI applications, around Litestar."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, route
from litestar.enums import HttpMethod

from tests.parity.doors.asgi_call import ASGIDoor, around
from tests.parity.world import PUBLIC, ROUTES, World, said_of

METHODS = [HttpMethod(name) for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")]


@route(PUBLIC, http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
async def _public() -> str:
    return "public"


@route(list(ROUTES), http_method=METHODS, status_code=200)
async def _protected(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return said_of(request.user)


def open_door(world: World, **options: Any) -> ASGIDoor:
    """Make the application."""
    app = Litestar([_public, _protected], openapi_config=None)
    return ASGIDoor(around(app, world.server(**options)))
