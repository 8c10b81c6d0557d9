"""What every ASGI framework's adapter needs: a scope's parts, a form read ahead, and answers sent as they are.

References: ASGI HTTP and WebSocket specification 2.5, ASGI TLS extension 0.2
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

from resource_server._facade import Facade
from resource_server._hosts import MAX_FORM_BYTES, Reply, added_fields, tell_of_itself
from resource_server._protocol.messages import RequestParts
from resource_server._protocol.problem import ErrorResponse
from resource_server.errors import ConfigurationError
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.server import ResourceServer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_STARTS = ("http.response.start", "websocket.http.response.start")
_POLICY_VIOLATION = 1008
"""RFC 6455 section 7.4.1."""
_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"


def expect_async(server: object) -> None:
    """Refuse a server that would hold up the event loop, and whatever else stands in its place.

    Raises:
        ConfigurationError: it is no ``ResourceServer``.
    """
    if not isinstance(server, ResourceServer):
        raise ConfigurationError(f"server must be a ResourceServer (got {type(server).__name__})")


def request_parts(scope: Scope) -> RequestParts:
    """Collect what of a request or a handshake decides about it; the body is not among it."""
    return RequestParts(
        scope.get("method", "GET"),
        scope["headers"],
        scope["query_string"],
        peer=(scope.get("client") or (None,))[0],
        path=_raw_path(scope),
        certificate=_certificate(scope),
    )


def _raw_path(scope: Scope) -> bytes:
    """Return the path as it was sent: in it ``%2F`` is no slash. A server need not tell it."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return quote(scope["path"], safe=_PATH_CHARACTERS, errors="replace").encode("ascii")
    return raw.partition(b"?")[0]


def _certificate(scope: Scope) -> str | None:
    tls = (scope.get("extensions") or {}).get("tls")
    return next(iter(tls.get("client_cert_chain") or ()), None) if tls else None


def routed_paths(scope: Scope) -> tuple[str, ...]:
    """Return the path that an application routes by; several where frameworks take a prefix off in several ways.

    Starlette takes off ``root_path`` where a slash follows, Django and Quart wherever the path begins with it, Litestar
    wherever it first stands; and some route by the whole path. A middleware of Litestar's comes after its router, which
    shows a mounted application the rest of the path only.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    mounted = getattr(scope.get("route_handler"), "is_mount", False)
    if not (root or mounted):
        return (path,)
    paths = (path, unquote(_raw_path(scope).decode("latin-1"))) if mounted else (path,)
    return tuple(dict.fromkeys(reading for whole in paths for reading in _without(whole, root)))


def _without(path: str, root: str) -> tuple[str, ...]:
    if not root:
        return (path,)
    cut, found = path.removeprefix(root), path.partition(root)
    taken = (cut if cut.startswith("/") else path, cut, found[2] if found[1] else path)
    return tuple("/" + reading.removeprefix("/") for reading in taken)


async def read_form(receive: Receive, messages: list[Message]) -> bytes | None:
    """Read a form, or so much of one that there is no token in it: ``None``.

    Args:
        receive: the application's; who reads on continues where this stopped.
        messages: what was read is appended here.
    """
    size, more = 0, True
    while more and size <= MAX_FORM_BYTES:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(message.get("body", b"") for message in messages)
    return body if not more and body.isascii() else None


def can_answer(scope: Scope) -> bool:
    """Tell whether a refusal can be a real response: some servers can only close a WebSocket's handshake."""
    return scope["type"] == "http" or "websocket.http.response" in (scope.get("extensions") or {})


def effective_routes(routes: Iterable[Any]) -> Iterator[Any]:
    """Give each route of FastAPI's, those of an included router with all that its inclusion has added."""
    for route in routes:
        contexts: Any = getattr(route, "effective_route_contexts", lambda route=route: (route,))
        for context in contexts():
            yield getattr(context, "starlette_route", None) or context


def reply_of_itself(server: Facade, probes: Probes | None, scope: Scope) -> Reply | None:
    """Return what a server says of itself, where a request is for that: whatever its ``Host`` (RFC 9728 section 3).

    Args:
        server: what judges.
        probes: where it is asked how it is; ``None`` for nowhere.
        scope: the request's.
    """
    if (server.protected_resource is None and probes is None) or scope["type"] != "http":
        return None
    path: str = scope["path"]
    # There are servers that put the prefix before every path with which they are mounted behind a proxy.
    return tell_of_itself(server, probes, scope["method"], path, path.removeprefix(scope.get("root_path", "")))


async def send_reply(reply: Reply, scope: Scope, send: Send) -> None:
    """Send a response whose bytes are ready."""
    status, headers, body = reply
    await send({"type": "http.response.start", "status": int(status), "headers": list(headers)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def send_refusal(refusal: ErrorResponse, scope: Scope, send: Send) -> None:
    """Answer a refused request or handshake; where the server can send no response, closing is a bare 403."""
    if not can_answer(scope):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    headers, body = list(refusal.headers), b"" if scope.get("method") == "HEAD" else refusal.body
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def with_fields(message: Message, server: Facade, principal: Principal | None) -> Message:
    """Add to the start of a response what this server has to say in it; other messages are as they were.

    Args:
        message: what an application sends.
        server: whose request it answers.
        principal: who was let in.
    """
    if message["type"] not in _STARTS or not (message["status"] == HTTPStatus.NOT_FOUND or server.adds_fields):
        return message
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    names = {name.lower() for name, _ in headers}
    return {**message, "headers": headers + added_fields(server, principal, message["status"], names)}
