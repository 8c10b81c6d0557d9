"""What stands in front of an MCP server, around an application that only says who is calling."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from resource_server.mcp import principal, protect
from tests.parity.doors.asgi_call import ASGIDoor
from tests.parity.world import PUBLIC, ROUTES, World, said_of


async def _app(scope: Any, receive: Any, send: Any) -> None:
    await _answer(Request(scope))(scope, receive, send)


def _answer(request: Request) -> Response:
    if request.url.path not in {PUBLIC, *ROUTES}:
        return PlainTextResponse("Not Found", 404)
    judged = request.url.path != PUBLIC and request.method != "OPTIONS"
    return JSONResponse(said_of(principal()) if judged else "public")


def open_door(world: World, **options: Any) -> ASGIDoor:
    """Protect the application for each route: what is demanded holds for all of an MCP server."""
    server = world.server(**options)
    apps = {path: protect(_app, server, *route.scopes, **route.demands) for path, route in ROUTES.items()}
    elsewhere = protect(_app, server, public=[PUBLIC])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps.get(scope["path"], elsewhere)(scope, receive, send)

    return ASGIDoor(app)
