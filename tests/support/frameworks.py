"""The same few routes in every ASGI framework, behind the middleware: what was entered is noted, whoever asked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import litestar
import quart
from django.http import HttpRequest, HttpResponse
from django.urls import path as django_path
from django.urls import re_path
from fastapi import FastAPI
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from resource_server import Requirement, ResourceServer
from resource_server.asgi import BearerTokenMiddleware
from tests.support.asgi import App
from tests.support.django_project import projects
from tests.support.fastapi_app import ScriptedAS

Entered = list[str]
"""What was entered: ``health``, ``orders``, ``admin`` or ``files``."""
KEYWORDS: dict[str, Any] = {
    "public": ["/healthz"],
    "rules": {"/admin/*": Requirement.of("admin"), "/orders/{id}": Requirement.of("read")},
}


def handler(entered: Entered, name: str) -> Any:
    """Make an endpoint of Starlette and FastAPI that notes that it was entered."""

    async def handle(_: Any = None) -> PlainTextResponse:
        entered.append(name)
        return PlainTextResponse(name)

    return handle


def files(entered: Entered) -> App:
    """Make an application to be mounted, that has no routes: it takes every path."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        entered.append("files")
        await PlainTextResponse("files")(scope, receive, send)

    return app


def starlette(entered: Entered, **more: Any) -> Starlette:
    """Make a Starlette application with mounted ones."""
    admin = [Route("/", handler(entered, "admin")), Route("/users", handler(entered, "admin"))]
    routes = [
        Route("/healthz", handler(entered, "health")),
        Route("/orders/{order}", handler(entered, "orders")),
        Mount("/admin", Starlette(routes=admin)),
        Mount("/files", files(entered)),
    ]
    return Starlette(routes=routes, **more)


def starlette_around(entered: Entered, server: ResourceServer) -> App:
    """Put the middleware around a Starlette application."""
    return BearerTokenMiddleware(starlette(entered), server, **KEYWORDS)


def starlette_among(entered: Entered, server: ResourceServer) -> App:
    """Have it among a Starlette application's own."""
    return starlette(entered, middleware=[Middleware(BearerTokenMiddleware, server=server, **KEYWORDS)])


def fastapi(entered: Entered, server: ResourceServer) -> App:
    """Put the middleware around a FastAPI application."""
    app = FastAPI(openapi_url=None)
    for path, name in (("/healthz", "health"), ("/orders/{order}", "orders"), ("/admin/users", "admin")):
        app.add_api_route(path, handler(entered, name), response_model=None)
    app.add_api_route("/admin", handler(entered, "admin"), response_model=None)
    app.mount("/files", files(entered))
    return BearerTokenMiddleware(app, server, **KEYWORDS)


def litestar_app(entered: Entered, **more: Any) -> litestar.Litestar:
    """Make a Litestar application with a mounted one."""

    @litestar.get("/healthz")
    async def health() -> None:
        entered.append("health")

    @litestar.get("/orders/{order:str}")
    async def orders() -> None:
        entered.append("orders")

    @litestar.get(["/admin", "/admin/users"])
    async def admin() -> None:
        entered.append("admin")

    @litestar.asgi("/files", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await files(entered)(scope, receive, send)

    return litestar.Litestar([health, orders, admin, mounted], openapi_config=None, logging_config=None, **more)


def litestar_around(entered: Entered, server: ResourceServer) -> App:
    """Put the middleware around a Litestar application."""
    return BearerTokenMiddleware(litestar_app(entered), server, **KEYWORDS)


def litestar_among(entered: Entered, server: ResourceServer) -> App:
    """Have it among a Litestar application's own, behind the router."""
    middleware: Any = DefineMiddleware(BearerTokenMiddleware, server=server, **KEYWORDS)
    return litestar_app(entered, middleware=[middleware])


def quart_inside(entered: Entered, server: ResourceServer) -> App:
    """Put the middleware inside a Quart application."""
    app = quart.Quart(__name__)

    def add(path: str, name: str) -> None:
        async def view(**_: str) -> str:
            entered.append(name)
            return name

        app.add_url_rule(path, path, view)

    for path, name in (
        ("/healthz", "health"),
        ("/orders/<order>", "orders"),
        ("/admin", "admin"),
        ("/admin/users", "admin"),
        ("/files/<path:name>", "files"),
    ):
        add(path, name)
    app.asgi_app = BearerTokenMiddleware(app.asgi_app, server, **KEYWORDS)  # type: ignore[method-assign]  # as Quart's own documentation has it
    return app


@contextmanager
def django(entered: Entered, server: ResourceServer) -> Generator[App]:
    """Put the middleware around a Django project."""

    def view(name: str) -> Any:
        async def handle(_: HttpRequest, **__: str) -> HttpResponse:
            entered.append(name)
            return HttpResponse(name)

        return handle

    patterns = [
        django_path("healthz", view("health")),
        django_path("orders/<str:order>", view("orders")),
        re_path(r"^admin/?$", view("admin")),
        django_path("admin/users", view("admin")),
        django_path("files/<path:name>", view("files")),
    ]
    with projects("asgi") as open_project:
        project = open_project(*patterns, server=None, middleware=())
        yield BearerTokenMiddleware(project.asgi or files(entered), server, **KEYWORDS)


FRAMEWORKS: dict[str, Callable[[Entered, ResourceServer], App]] = {
    "Starlette": starlette_around,
    "Starlette's own middleware": starlette_among,
    "FastAPI": fastapi,
    "Litestar": litestar_around,
    "Litestar's own middleware": litestar_among,
    "Quart": quart_inside,
}


@contextmanager
def behind_the_middleware(framework: str, entered: Entered) -> Generator[App]:
    """Make the application of a framework, or ``Django``.

    Args:
        framework: its name.
        entered: where endpoints note that they were entered.
    """
    server = ScriptedAS().server()
    if framework == "Django":
        with django(entered, server) as app:
            yield app
    else:
        yield FRAMEWORKS[framework](entered, server)


def scope_of(target: bytes, root: str = "", token: str | None = None, method: str = "GET") -> dict[str, Any]:
    """Make the scope that uvicorn makes of a request's target.

    Args:
        target: as it was sent.
        root: the prefix the server is told it is mounted at.
        token: sent as ``Authorization: Bearer``.
        method: the method.
    """
    raw, _, query = target.partition(b"?")
    fields = [] if token is None else [(b"authorization", b"Bearer " + token.encode("ascii"))]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": root + unquote(raw.decode("latin-1")),
        "raw_path": root.encode("ascii") + raw,
        "root_path": root,
        "query_string": query,
        "headers": [(b"host", b"api.example.test"), *fields],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
