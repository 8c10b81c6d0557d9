"""What each front door adds to a request on a warm hit, against its framework without it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any, NamedTuple, cast

import httpx
from authlib.integrations.flask_oauth2 import ResourceProtector
from flask import Flask
from litestar import Litestar, get
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.front_door import bare_asgi, bare_fastapi, protected_fastapi, requests
from benchmarks.harness import Figure, Rounds, Work, interleave
from benchmarks.support import AUDIENCE, ISSUER, TOKEN, answer, resource_server, silent
from resource_server import BlockingResourceServer, Requirement, all_of, authlib, flask
from resource_server.asgi import BearerTokenMiddleware
from resource_server.forward_auth import ForwardAuth
from resource_server.wsgi import BearerTokenMiddleware as WSGIMiddleware

ORDERS = {"subject": "nobody"}
RULES = {"/orders": Requirement(scopes=all_of("orders:read"))}
REPETITIONS = 1_000


class Pair(NamedTuple):
    """A framework without a front door, and with it."""

    bare: Work
    protected: Work
    limit: float | None = None
    """Microseconds that it may add."""


async def _starlette_orders(_request: Request) -> Response:
    return JSONResponse(ORDERS)


@get("/orders")
async def _litestar_orders() -> dict[str, str]:
    return ORDERS


def _asgi(app: Any, limit: float | None = None) -> Pair:  # noqa: ANN401 - of any framework
    protected = BearerTokenMiddleware(app, resource_server(), rules=RULES)
    return Pair(requests(app, TOKEN, 200), requests(cast("Any", protected), TOKEN, 200), limit)


def _quart() -> Pair:
    app = Quart("orders")

    @app.get("/orders")
    async def orders() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction] # the framework has it
        return ORDERS

    protected = BearerTokenMiddleware(app, resource_server(), rules=RULES)
    return Pair(requests(_staying(app), TOKEN, 200), requests(_staying(protected), TOKEN, 200))


def _staying(app: Any) -> Any:  # noqa: ANN401 - as above
    """Have the client stay until it is answered: Quart goes on listening to it."""

    async def stay(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        asked = False

        async def receive_once() -> Any:  # noqa: ANN401 - ASGI's
            nonlocal asked
            if asked:
                await asyncio.get_running_loop().create_future()
            asked = True
            return await receive()

        await app(scope, receive_once, send)

    return stay


class BlockingAS(httpx.BaseTransport):
    """Answers introspections in no time."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if request.url.path == "/jwks":
            return httpx.Response(200, json={"keys": []})
        return httpx.Response(200, content=answer(TOKEN), headers={"content-type": "application/json"})


def blocking_server() -> BlockingResourceServer:
    """Make a resource server for threads that asks without a network."""
    return BlockingResourceServer(
        transport=BlockingAS(),
        observer=silent,
        issuer=ISSUER,
        audience=AUDIENCE,
        client_id="rs",
        client_secret="rs-secret",
        introspection_endpoint=f"{ISSUER}/introspect",
        jwks_uri=f"{ISSUER}/jwks",
        cache_ttl=3600.0,
    )


def environ(path: str = "/orders") -> dict[str, Any]:
    """Make the environment of a GET request, with the headers an ordinary client sends."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "api.example.test",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "benchmark",
        "HTTP_AUTHORIZATION": f"Bearer {TOKEN}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _calls(app: Any, path: str = "/orders") -> Work:  # noqa: ANN401 - of any framework
    """Make the work of sending requests to a WSGI application."""
    statuses: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]], *_error: object) -> None:
        statuses.append(status)

    async def work(repetitions: int) -> None:
        for _ in range(repetitions):
            result: Iterable[bytes] = app(environ(path), start_response)
            b"".join(result)
            getattr(result, "close", lambda: None)()
            assert statuses.pop()[:3] == "200"

    return work


def _wsgi_app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(ORDERS).encode()]


def _wsgi() -> Pair:
    return Pair(_calls(_wsgi_app), _calls(WSGIMiddleware(cast("Any", _wsgi_app), blocking_server(), rules=RULES)))


def _orders() -> dict[str, str]:
    return ORDERS


def _bare_flask() -> Work:
    bare = Flask("orders")
    bare.add_url_rule("/orders", "orders", _orders)
    return _calls(bare)


def _flask() -> Pair:
    app = Flask("orders")
    flask.install(app, blocking_server())
    app.add_url_rule("/orders", "orders", flask.require("orders:read")(_orders))
    return Pair(_bare_flask(), _calls(app), 15)


def _authlib() -> Pair:
    app, require_oauth = Flask("orders"), ResourceProtector()
    authlib.install(require_oauth, blocking_server())
    app.add_url_rule("/orders", "orders", require_oauth("orders:read")(_orders))
    return Pair(_bare_flask(), _calls(app))


def _django() -> dict[str, Pair]:
    """Make one project with the middleware and one without, of plain views and of REST framework's."""
    from django.conf import settings  # noqa: PLC0415 - it is configured for this alone
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415 - as above

    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["rest_framework"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
        RESOURCE_SERVER=blocking_server(),
        ROOT_URLCONF="benchmarks.django_urls",
    )
    import django  # noqa: PLC0415 - as above

    django.setup()
    bare = WSGIHandler()
    settings.MIDDLEWARE = ["resource_server.django.BearerTokenMiddleware"]
    protected = WSGIHandler()
    return {
        "Django": Pair(_calls(bare, "/bare"), _calls(protected, "/orders")),
        "REST framework": Pair(_calls(bare, "/rest/bare"), _calls(protected, "/rest/orders")),
    }


def _gateway() -> Pair:
    gateway = ForwardAuth(resource_server())

    async def asked(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        told = {"path": "/auth/nginx", "raw_path": b"/auth/nginx", "query_string": b"scope=orders:read"}
        await gateway({**scope, **told}, receive, send)

    return Pair(requests(bare_asgi, TOKEN, 200), requests(asked, TOKEN, 200))


async def measure() -> list[Figure]:
    """Measure each door in rounds of its own, beside its framework."""
    pairs = {
        "ASGI": _asgi(bare_asgi, 8),
        "Starlette": _asgi(Starlette(routes=[Route("/orders", _starlette_orders)]), 8),
        "Litestar": _asgi(Litestar([_litestar_orders], openapi_config=None), 8),
        "Quart": _quart(),
        "FastAPI": Pair(requests(bare_fastapi(), TOKEN, 200), requests(protected_fastapi(), TOKEN, 200)),
        "WSGI": _wsgi(),
        "Flask": _flask(),
        "Authlib, Flask": _authlib(),
        **_django(),
        "Gateway": _gateway(),
    }
    figures: list[Figure] = []
    for name, pair in pairs.items():
        bare, protected = f"{name}, bare", f"{name}, warm hit"
        rounds = await interleave({bare: pair.bare, protected: pair.protected}, repetitions=REPETITIONS)
        figures += _figures(rounds, bare, protected, pair.limit)
    return figures


def _figures(rounds: Rounds, bare: str, protected: str, limit: float | None) -> list[Figure]:
    added, ratio = rounds.added(protected, bare), rounds.ratio(protected, bare)
    target, met = ("", None) if limit is None else (f"adds <= {limit:g}", added <= limit)
    return [
        Figure(bare, rounds.median(bare), "µs CPU"),
        Figure(protected, rounds.median(protected), "µs CPU", bare, ratio, added, target, met),
    ]
