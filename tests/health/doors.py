"""Every front door that answers probes, around an application that has routes of these names itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIEnvironment

from django.http import HttpRequest, HttpResponse
from django.urls import path as url
from fastapi import FastAPI
from flask import Flask

from resource_server import BlockingResourceServer, Health, ResourceServer
from resource_server import asgi as by_asgi
from resource_server import fastapi as by_fastapi
from resource_server import flask as by_flask
from resource_server import wsgi as by_wsgi
from resource_server.django import public
from resource_server.health import Probes
from resource_server.mcp import protect
from tests.parity.doors.asgi_call import ASGIDoor
from tests.parity.doors.wsgi_call import WSGIDoor
from tests.parity.world import Door
from tests.support.django_project import projects
from tests.support.fastapi_app import ScriptedAS
from tests.support.jwt import AUDIENCE, ISSUER

OWN = b"the application's own"
PATHS = ("/healthz", "/readyz", "/healthz/", "/healthz/x", "/live", "/ready")
"""Paths at which the application has something to say itself, to everybody."""


class Doors:
    """Opens doors.

    Args:
        health: how every server is said to be doing.
        stack: what is to be undone at the end.
    """

    def __init__(self, health: Callable[[], Health], stack: ExitStack) -> None:
        """Open none yet."""
        self._health = health
        self._stack = stack

    def open(self, name: str, probes: bool | Probes) -> Door:  # noqa: FBT001 - what the doors take
        """Open a door by its name."""
        return _DOORS[name](self, probes)

    def server(self) -> ResourceServer:
        """Make a server for event loops."""
        server = ScriptedAS().server()
        cast("Any", server).health = self._health
        return server

    def blocking(self) -> BlockingResourceServer:
        """Make a server for threads."""
        server = BlockingResourceServer(
            transport=ScriptedAS().transport(),
            issuer=ISSUER,
            audience=AUDIENCE,
            strategy="jwks",
            jwks_uri=f"{ISSUER}/jwks",
        )
        cast("Any", server).health = self._health
        return server

    def project(self, kind: str, server: Any, probes: bool | Probes) -> Any:  # noqa: FBT001 - as above
        """Open a project of Django's."""
        patterns = [url(path.removeprefix("/"), _view) for path in PATHS]
        opened = self._stack.enter_context(projects(kind))
        return opened(*patterns, server=server, RESOURCE_SERVER_PROBES=probes)


def _fastapi(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.mount("/", _asgi_app)
    by_fastapi.install(app, doors.server(), probes=probes)
    return ASGIDoor(app)


def _asgi(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    return ASGIDoor(by_asgi.BearerTokenMiddleware(_asgi_app, doors.server(), public=PATHS, probes=probes))


def _mcp(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    return ASGIDoor(protect(_asgi_app, doors.server(), public=PATHS, probes=probes))


def _wsgi(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    return WSGIDoor(by_wsgi.BearerTokenMiddleware(_wsgi_app, doors.blocking(), public=PATHS, probes=probes))


def _flask(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    app = Flask(__name__, static_folder=None)
    for path in PATHS:
        app.add_url_rule(path, path, OWN.decode)
    by_flask.install(app, doors.blocking(), probes=probes)
    return WSGIDoor(app)


def _django_wsgi(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    return WSGIDoor(doors.project("wsgi", doors.blocking(), probes).wsgi)


def _django_asgi(doors: Doors, probes: bool | Probes) -> Door:  # noqa: FBT001 - as above
    return ASGIDoor(doors.project("asgi", doors.server(), probes).asgi)


@public
def _view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(OWN)


async def _asgi_app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": OWN})


def _wsgi_app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [OWN]


_DOORS: Mapping[str, Callable[[Doors, bool | Probes], Door]] = {
    "FastAPI": _fastapi,
    "ASGI": _asgi,
    "MCP": _mcp,
    "WSGI": _wsgi,
    "Flask": _flask,
    "Django, WSGI": _django_wsgi,
    "Django, ASGI": _django_asgi,
}
NAMES = tuple(_DOORS)
