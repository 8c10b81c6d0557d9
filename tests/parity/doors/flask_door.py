"""Flask, with ``install`` and ``require``."""

from __future__ import annotations

from typing import Any

from flask import Flask

from resource_server.flask import install, principal, require
from tests.parity.doors.wsgi_call import WSGIDoor
from tests.parity.world import METHODS, PUBLIC, ROUTES, World, said_of


def open_door(world: World, **options: Any) -> WSGIDoor:
    """Make the application."""
    app = Flask(__name__, static_folder=None)

    @app.route(PUBLIC, methods=["GET", "POST"])
    def public() -> str:  # pyright: ignore[reportUnusedFunction] # the framework has it
        return '"public"'

    def protected() -> dict[str, Any]:
        return said_of(principal)

    for path, route in ROUTES.items():
        view = require(*route.scopes, **route.demands)(protected)
        app.add_url_rule(path, path, view, methods=METHODS)
    install(app, world.blocking(**options))
    return WSGIDoor(app)
