"""WSGI requests made by hand: what was sent, what came back, and how much of the body was read."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from resource_server import BlockingResourceServer
from tests.support.answer import Answer
from tests.support.fastapi_app import ISSUER, ScriptedAS
from tests.support.jwt import AUDIENCE
from tests.support.promises import CLIENT_SECRET, PRESENTED


def blocking(authorization_server: ScriptedAS, **options: Any) -> BlockingResourceServer:
    """Make a resource server for threads that asks a scripted authorization server."""
    defaults: dict[str, Any] = {
        "transport": authorization_server.transport(),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "client_id": "rs",
        "client_secret": CLIENT_SECRET,
        "introspection_endpoint": f"{ISSUER}/introspect",
        "jwks_uri": f"{ISSUER}/jwks",
    }
    return BlockingResourceServer(**(defaults | options))


class Input(BytesIO):
    """A request's body that counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read."""
        self.reads += 1
        return super().read(size)


class Body:
    """A response's body that notes that it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        """Have these pieces."""
        self._pieces = iter(pieces)
        self.closed = 0

    def __iter__(self) -> Body:
        """Be iterated once."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece."""
        return next(self._pieces)

    def close(self) -> None:
        """Note it."""
        self.closed += 1


def environment(  # a request has many parts
    method: str = "GET",
    path: str = "/things",
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: str = "",
    body: bytes = b"",
    content_type: str = "",
    **more: Any,
) -> WSGIEnvironment:
    """Make an environment as PEP 3333 wants it.

    Args:
        method: the method.
        path: the path, decoded.
        token: sent as ``Authorization: Bearer``.
        headers: further header fields.
        query: the query, without ``?``.
        body: the body.
        content_type: of the body.
        more: further keys, or other values.
    """
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "api.example.test",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": Input(body),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if token is not None:
        PRESENTED.add(token)
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()}
    return environ | named | more


def send(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Send a request."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        started.append((status, headers))

    source = environ["wsgi.input"]
    response = app(environ, start_response)
    try:
        body = b"".join(response)
    finally:
        close = getattr(response, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    return Answer(int(status[:3]), tuple(headers), body, getattr(source, "reads", 0))


def call(app: WSGIApplication, method: str = "GET", path: str = "/things", **sent: Any) -> Answer:
    """Send one request; see :func:`environment`."""
    return send(app, environment(method, path, **sent))
