"""Receive security events and logouts over HTTP: an ASGI application to mount beside your own.

A Security Event Token comes as the body (RFC 8935), a logout token in a form (OpenID Connect Back-Channel Logout).
Whoever sends them is known by the signature alone; everybody can send anything, so little is read and less is said.

References: RFC 8935 section 2, OpenID Connect Back-Channel Logout 1.0 sections 2.5 and 2.8
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from resource_server.errors import EventRefusal, SecurityEventRefused, VerificationUnavailable
from resource_server.server import ResourceServer

__all__ = ["EventReceiver"]

MAX_BODY_BYTES = 65_536
_SECURITY_EVENT = "application/secevent+jwt"
_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 16

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class _Answer(NamedTuple):
    status: HTTPStatus
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


class EventReceiver:
    """An ASGI application that hands what is sent to it to a resource server.

    Args:
        server: what is revoked there; its ``timeout`` bounds how long a body may take to come.
    """

    def __init__(self, server: ResourceServer) -> None:
        """Keep the server."""
        self._server = server

    async def __call__(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        """Answer one request; a WebSocket is refused."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        if answer is not None:
            await _send(answer, send)

    async def _answer(self, scope: MutableMapping[str, Any], receive: _Receive) -> _Answer | None:
        """Answer a request, or return ``None`` where the client is gone."""
        if scope["method"] != "POST":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, ((b"allow", b"POST"),))
        kind = _media_type(scope)
        if kind not in (_SECURITY_EVENT, _FORM):
            return _Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, ((b"accept", f"{_SECURITY_EVENT}, {_FORM}".encode()),))
        try:
            async with asyncio.timeout(self._server.settings.timeout):
                body = await _read(receive)
        except TimeoutError:
            return _Answer(HTTPStatus.REQUEST_TIMEOUT)
        if body is None:
            return None
        if len(body) > MAX_BODY_BYTES:
            return _Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return await self._judge(kind, body)

    async def _judge(self, kind: str, body: bytes) -> _Answer:
        token = body if kind == _SECURITY_EVENT else _logout_token(body)
        try:
            await self._server.receive(token)
        except SecurityEventRefused as refused:
            return _refusal(kind, refused.error, refused.error_description)
        except VerificationUnavailable as unavailable:
            seconds = str(max(1, math.ceil(unavailable.retry_after)))
            return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, ((b"retry-after", seconds.encode()),))
        return _Answer(HTTPStatus.ACCEPTED if kind == _SECURITY_EVENT else HTTPStatus.OK)


def _media_type(scope: MutableMapping[str, Any]) -> str:
    """Return the media type without its parameters; nothing where there is none, or more than one."""
    values = [value for name, value in scope["headers"] if name == b"content-type"]
    return values[0].decode("latin-1").partition(";")[0].strip().lower() if len(values) == 1 else ""


async def _read(receive: _Receive) -> bytes | None:
    """Read a body, or as much of one as shows that it is too long; ``None`` where the client is gone."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _logout_token(body: bytes) -> bytes:
    """Find the token in a form; nothing, which is no token, where there is none, or more than one."""
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
        tokens = [value.encode("ascii") for name, value in fields if name == "logout_token"]
    except ValueError:
        return b""
    return tokens[0] if len(tokens) == 1 else b""


def _refusal(kind: str, error: EventRefusal, description: str) -> _Answer:
    """Refuse in the words of the one standard or of the other; both texts are constant."""
    if kind == _SECURITY_EVENT:
        members = {"err": error, "description": description}
    else:
        members = {"error": "invalid_request", "error_description": description}
    headers = ((b"content-type", b"application/json"), (b"content-language", b"en"))
    return _Answer(HTTPStatus.BAD_REQUEST, headers, json.dumps(members).encode())


async def _send(answer: _Answer, send: _Send) -> None:
    length = str(len(answer.body)).encode()
    headers = [(b"cache-control", b"no-store"), (b"content-length", length), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
