"""The middleware for ASGI applications, around Quart."""

from __future__ import annotations

from typing import Any

from quart import Quart, request

from resource_server.asgi import principal_of
from tests.parity.doors.asgi_call import ASGIDoor, around
from tests.parity.world import METHODS, PUBLIC, ROUTES, World, said_of


def open_door(world: World, **options: Any) -> ASGIDoor:
    """Make the application."""
    app = Quart(__name__)

    @app.route(PUBLIC, methods=["GET", "POST"])
    async def public() -> str:  # pyright: ignore[reportUnusedFunction] # the framework has it
        return '"public"'

    async def protected() -> dict[str, Any] | str:
        return "a preflight" if request.method == "OPTIONS" else said_of(principal_of(request))

    for path in ROUTES:
        app.add_url_rule(path, path, protected, methods=list(METHODS))
    return ASGIDoor(around(app, world.server(**options)))
