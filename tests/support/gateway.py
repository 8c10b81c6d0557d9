"""What stands around a real proxy in the tests: the gateway that it asks, and the application that it protects."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mock_as import MockAS
from resource_server import Clock, Event, ResourceServer
from resource_server.forward_auth import ForwardAuth
from tests.support.live import serve

LOOPBACK = ["127.0.0.0/8"]


def make_gateway(
    mock_as: MockAS, door: dict[str, Any] | None = None, **options: Any
) -> tuple[ForwardAuth, ResourceServer, list[Event]]:
    """Make a gateway, its resource server, and the list of what that tells.

    Args:
        mock_as: the authorization server, in this process; its clock is the gateway's too.
        door: options of :class:`~resource_server.forward_auth.ForwardAuth`.
        options: options of its resource server, which believes a proxy on this machine.
    """
    events: list[Event] = []
    client_id, secret = mock_as.credentials("rs")
    usual: dict[str, Any] = {
        "issuer": mock_as.issuer,
        "audience": mock_as.options.audience,
        "client_id": client_id,
        "client_secret": secret,
        "transport": mock_as.transport(),
        "clock": Clock(wall=mock_as.clock.now, monotonic=mock_as.clock.now),
        "observer": events.append,
        "retries": 0,
        "trusted_proxies": LOOPBACK,
    }
    server = ResourceServer(**(usual | options))
    return ForwardAuth(server, **(door or {})), server, events


@dataclass(frozen=True, slots=True)
class Received:
    """A request, as the application behind the proxy got it."""

    method: str
    target: bytes
    """Path and query as they were sent."""
    headers: tuple[tuple[str, str], ...]
    """The names in lower case; each line by itself."""
    body: bytes = b""
    peer: tuple[str, int] | None = None
    """The other end of its connection."""

    def all(self, name: str) -> list[str]:
        """Return the value of each line with this name, in order."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        """Return the value of a header that may stand only once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None


class Upstream:
    """The application behind the proxy: it lets everybody in, and remembers what it got. A WebSocket echoes."""

    def __init__(self) -> None:
        """Have got nothing yet."""
        self.received: list[Received] = []

    @property
    def last(self) -> Received:
        """The request that came last."""
        return self.received[-1]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 200 to everything, or the status that the request asks for in ``X-Answer``."""
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "websocket":
            self.received.append(received(scope))
            await _echo(receive, send)
            return
        got = received(scope, await _body(receive))
        self.received.append(got)
        status = int(got.header("x-answer") or 200)
        answer = b"the application"
        length = str(len(answer)).encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})


def received(scope: Any, body: bytes = b"") -> Received:
    """Take down a request as its ASGI scope tells it."""
    query: bytes = scope["query_string"]
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    peer = None if scope.get("client") is None else tuple(scope["client"])
    return Received(scope.get("method", "GET"), target, headers, body, peer)


async def _body(receive: Any) -> bytes:
    content, more = b"", True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content


async def _echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


@contextmanager
def serve_upstream() -> Generator[tuple[int, Upstream]]:
    """Serve an application that echoes from a thread while the block runs; its port, and what it has got."""
    upstream = Upstream()
    with serve(upstream, "httptools", proxy_headers=False) as port:
        yield port, upstream
