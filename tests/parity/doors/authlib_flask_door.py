"""Authlib's ``ResourceProtector`` in Flask, with ``install``."""

from __future__ import annotations

from typing import Any, cast

from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from flask import Flask

from resource_server.authlib import install
from tests.parity.doors.wsgi_call import WSGIDoor
from tests.parity.world import METHODS, PUBLIC, ROUTES, World, said_of


def open_door(world: World, **options: Any) -> WSGIDoor:
    """Make the application."""
    app, require_oauth = Flask(__name__, static_folder=None), ResourceProtector()
    install(require_oauth, world.blocking(**options))

    @app.route(PUBLIC, methods=["GET", "POST"])
    def public() -> str:  # pyright: ignore[reportUnusedFunction] # the framework has it
        return '"public"'

    def protected() -> dict[str, Any]:
        return said_of(cast("Any", current_token).principal)

    for path, route in ROUTES.items():
        view = require_oauth(" ".join(route.scopes), **route.demands)(protected)
        app.add_url_rule(path, path, view, methods=METHODS)
    return WSGIDoor(app)
