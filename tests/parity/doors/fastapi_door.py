"""FastAPI: the door that the others are compared with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from resource_server import Principal
from resource_server.fastapi import install, require
from tests.parity.doors.asgi_call import ASGIDoor
from tests.parity.world import METHODS, PUBLIC, ROUTES, Route, World, said_of


def open_door(world: World, **options: Any) -> ASGIDoor:
    """Make the application."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)

    @app.api_route(PUBLIC, methods=["GET", "POST"])
    async def public() -> str:  # pyright: ignore[reportUnusedFunction] # the framework has it
        return "public"

    for path, route in ROUTES.items():
        _add(app, path, route)
    install(app, world.server(**options))
    return ASGIDoor(app)


def _add(app: FastAPI, path: str, route: Route) -> None:
    demanded = require(*route.scopes, **route.demands)

    async def endpoint(caller: Principal = demanded) -> dict[str, Any]:
        return said_of(caller)

    app.add_api_route(path, endpoint, methods=list(METHODS))
