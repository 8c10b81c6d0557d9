"""The middleware for WSGI applications, around one that has no framework."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from resource_server.wsgi import BearerTokenMiddleware, principal_of
from tests.parity.doors.wsgi_call import WSGIDoor
from tests.parity.world import PUBLIC, ROUTES, RULES, World, said_of


def _app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path not in {PUBLIC, *ROUTES}:
        fields = [("content-type", "text/plain; charset=utf-8"), ("content-length", "9")]
        start_response("404 Not Found", fields)
        return [b"Not Found"]
    judged = path != PUBLIC and environ["REQUEST_METHOD"] != "OPTIONS"
    body = json.dumps(said_of(principal_of(environ)) if judged else "public").encode()
    start_response(f"{HTTPStatus.OK.value} OK", [("Content-Type", "application/json")])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def open_door(world: World, **options: Any) -> WSGIDoor:
    """Make the application."""
    return WSGIDoor(BearerTokenMiddleware(_app, world.blocking(**options), public=[PUBLIC], rules=RULES))
