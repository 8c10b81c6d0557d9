"""ASGI requests made by hand: what was sent, what came back, and how often the body was asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.answer import Answer
from tests.support.promises import PRESENTED

Messages = Iterable[dict[str, Any]]
App = Callable[[Any, Any, Any], Awaitable[None]]
RawHeaders = Sequence[tuple[bytes, bytes]]
DENIAL = "websocket.http.response"
"""The ASGI extension by which a server can answer a handshake with a response."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What became of a WebSocket: it was accepted, answered with a response, or closed."""

    accepted: bool
    answer: Answer | None
    close_code: int | None
    texts: tuple[str, ...] = ()


async def call(
    app: App,
    method: str,
    path: str,
    *,
    token: str | None = None,
    headers: RawHeaders = (),
    query: bytes = b"",
    body: bytes | Messages = b"",
    content_type: str | None = None,
    peer: str = "127.0.0.1",
    certificate: str | None = None,
) -> Answer:
    """Send one request.

    Args:
        app: the application.
        method: the method.
        path: the path, decoded.
        token: sent as ``Authorization: Bearer``.
        headers: further header fields.
        query: the query, without ``?``.
        body: the body, or the ASGI messages that bring it; after the last one the client is gone.
        content_type: of the body.
        peer: who it comes from.
        certificate: what the client has shown in the TLS handshake, as PEM.
    """
    arriving = iter([{"type": "http.request", "body": body}] if isinstance(body, bytes) else body)
    sent: list[dict[str, Any]] = []
    reads = 0

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        return next(arriving, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    more = {} if certificate is None else {"extensions": {"tls": {"client_cert_chain": [certificate]}}}
    fields = _fields(token, headers, content_type)
    await app(_scope("http", path, fields, query, method=method, client=(peer, 50000), **more), receive, send)
    return _answer(sent, "http.response", reads)


async def handshake(
    app: App, path: str, *, token: str | None = None, headers: RawHeaders = (), query: bytes = b"", denial: bool = True
) -> Handshake:
    """Open a WebSocket, and go away once it is open.

    Args:
        app: the application.
        path: the path, decoded.
        token: sent as ``Authorization: Bearer``.
        headers: further header fields.
        query: the query, without ``?``.
        denial: whether the server can answer a handshake with a response.
    """
    arriving = iter([{"type": "websocket.connect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(arriving, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    extensions: dict[str, Any] = {DENIAL: {}} if denial else {}
    scope = _scope("websocket", path, _fields(token, headers, None), query, subprotocols=[], extensions=extensions)
    await app(scope, receive, send)
    kinds = [message["type"] for message in sent]
    answered = f"{DENIAL}.start" in kinds
    return Handshake(
        accepted="websocket.accept" in kinds,
        answer=_answer(sent, DENIAL, 0) if answered else None,
        close_code=next((message["code"] for message in sent if message["type"] == "websocket.close"), None),
        texts=tuple(message["text"] for message in sent if message["type"] == "websocket.send"),
    )


def _fields(token: str | None, headers: RawHeaders, content_type: str | None) -> list[tuple[bytes, bytes]]:
    fields = [(b"host", b"api.example.test"), *headers]
    if token is not None:
        PRESENTED.add(token)
        fields.append((b"authorization", b"Bearer " + token.encode("latin-1")))
    if content_type is not None:
        fields.append((b"content-type", content_type.encode("ascii")))
    return fields


def _scope(kind: str, path: str, headers: list[tuple[bytes, bytes]], query: bytes, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        **more,
    }


def _answer(sent: list[dict[str, Any]], kind: str, reads: int) -> Answer:
    starts = [message for message in sent if message["type"] == f"{kind}.start"]
    assert len(starts) == 1, f"{len(starts)} responses"
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in starts[0]["headers"])
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == f"{kind}.body")
    return Answer(starts[0]["status"], headers, body, reads)
