"""Requests to ASGI applications, as a server would hand them over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from anyio import Event

from resource_server import ResourceServer
from resource_server.asgi import BearerTokenMiddleware
from tests.parity.world import PUBLIC, RULES, Sent
from tests.support.answer import Answer

App = Callable[[Any, Any, Any], Awaitable[None]]


class ASGIDoor:
    """An ASGI application."""

    def __init__(self, app: App) -> None:
        """Take it as it stands."""
        self.app = app

    async def send(self, sent: Sent) -> Answer:
        """Send one request."""
        arriving = [{"type": "http.request", "body": sent.body, "more_body": False}]
        messages: list[dict[str, Any]] = []
        reads, done = 0, Event()

        async def receive() -> dict[str, Any]:
            nonlocal reads
            reads += 1
            if arriving:
                return arriving.pop()
            await done.wait()  # the client stays until it has its answer
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                done.set()

        await self.app(_scope(sent), receive, send)
        [start] = [message for message in messages if message["type"] == "http.response.start"]
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
        body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
        return Answer(start["status"], headers, body, reads)


def around(app: App, server: ResourceServer) -> BearerTokenMiddleware:
    """Put the middleware around an application, which says itself what a 404 looks like."""

    async def not_found(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": "/nowhere", "raw_path": b"/nowhere"}, receive, send)

    return BearerTokenMiddleware(app, server, public=[PUBLIC], rules=RULES, not_found=not_found)


def _scope(sent: Sent) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": "https",
        "path": unquote(sent.path),
        "raw_path": sent.path.encode(),
        "root_path": "",
        "query_string": sent.query,
        "headers": [(b"host", sent.host), *sent.headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 443),
        "extensions": {},
        "state": {},
    }
