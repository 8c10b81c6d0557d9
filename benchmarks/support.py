"""What several benchmarks need: an authorization server without a network, requests without a socket."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

import httpx

from resource_server import ResourceServer
from resource_server.events import Event

ISSUER = "https://as.example.test"
AUDIENCE = "https://api.example.test"
TOKEN = "2YotnFZFEjr1zCsicMWpAAtGzv3JZkF0XG5Qx2TlKWIA"
Message = MutableMapping[str, Any]


class InProcessServer(httpx.AsyncBaseTransport):
    """Answers introspections and serves a key set, in no time; counts what it is asked."""

    def __init__(self, jwks: dict[str, Any] | None = None) -> None:
        """Start with nothing asked."""
        self.jwks = jwks or {"keys": []}
        self.introspections = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if request.url.path == "/jwks":
            return httpx.Response(200, json=self.jwks)
        self.introspections += 1
        token = parse_qs(request.content.decode())["token"][0]
        return httpx.Response(200, content=answer(token), headers={"content-type": "application/json"})


def answer(token: str) -> bytes:
    """Return an answer of ordinary size, different for every token."""
    members = {
        "active": True,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"user-{token[:16]}",
        "client_id": "orders-frontend",
        "scope": "orders:read orders:write profile",
        "token_type": "Bearer",
        "exp": 4_000_000_000,
        "iat": 1_700_000_000,
        "jti": f"id-{token[:24]}",
    }
    return json.dumps(members).encode()


def silent(_event: Event) -> None:
    """Observe nothing."""


def resource_server(
    transport: InProcessServer | None = None,
    *,
    in_process: bool = True,
    **options: Any,  # noqa: ANN401 - options
) -> ResourceServer:
    """Make a resource server that asks without a network, or with ``in_process=False`` over one."""
    chosen: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "client_id": "rs",
        "client_secret": "rs-secret",
        "introspection_endpoint": f"{ISSUER}/introspect",
        "jwks_uri": f"{ISSUER}/jwks",
        "cache_ttl": 3600.0,
        "observer": silent,
    }
    return ResourceServer(transport=transport or (InProcessServer() if in_process else None), **(chosen | options))


def scope(path: str = "/orders", token: str | None = None) -> Message:
    """Make the ASGI scope of a GET request, with the headers an ordinary client sends."""
    headers = [(b"host", b"api.example.test"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def receive() -> Message:
    """Have no body."""
    return {"type": "http.request", "body": b"", "more_body": False}


class Sink:
    """Receives a response and remembers its status."""

    status = 0

    async def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
