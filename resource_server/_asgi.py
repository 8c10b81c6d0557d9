"""What every ASGI framework's adapter needs: a scope's parts, a form read ahead, and answers sent as they are.

References: ASGI HTTP and WebSocket specification 2.5, ASGI TLS extension 0.2
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from resource_server._facade import Facade
from resource_server._protocol.challenge import EXPOSED_HEADERS
from resource_server._protocol.messages import RawHeaders, RequestParts
from resource_server._protocol.problem import DPOP_NONCE_HEADER, ErrorResponse
from resource_server._protocol.protected_resource import MetadataAnswer, ProtectedResource
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.principal import Principal
from resource_server.requirements import Requirement

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MAX_FORM = 65_536
_FORM = b"application/x-www-form-urlencoded"
_STARTS = ("http.response.start", "websocket.http.response.start")
_EXPOSE = (b"access-control-expose-headers", EXPOSED_HEADERS.encode("ascii"))
_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"


def refuse_proofs_for_nowhere(server: Facade, routes: Iterable[tuple[str, Iterable[Requirement]]]) -> None:
    """Let no application start whose routes take DPoP proofs while nobody knows the URL these are for.

    Raises:
        ConfigurationError: neither ``external_url`` nor ``resource`` is set; the message names the route.

    References: RFC 9449 section 4.3
    """
    for path, demands in routes if server.settings.base_url is None else ():
        if any(demand.dpop not in {None, "off"} for demand in demands):
            raise ConfigurationError(f"route {path!r} takes DPoP proofs, which needs external_url or resource")


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


def header(headers: RawHeaders, name: bytes) -> bytes:
    """Return the value of a field; that of several is a list (RFC 9110 section 5.3)."""
    return b",".join(value for key, value in headers if key == name)


def may_hold_token(parts: RequestParts) -> bool:
    """Tell whether a request has a form with it (RFC 6750 section 2.2)."""
    media_type = header(parts.headers, b"content-type").partition(b";")[0].strip().lower()
    return parts.method not in ("GET", "HEAD") and media_type == _FORM


async def read_form(receive: Receive, messages: list[Message]) -> bytes | None:
    """Read a form, or so much of one that there is no token in it: ``None``.

    Args:
        receive: the application's; who reads on continues where this stopped.
        messages: what was read is appended here.
    """
    size, more = 0, True
    while more and size <= _MAX_FORM:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(message.get("body", b"") for message in messages)
    return body if not more and body.isascii() else None


def can_answer(scope: Scope) -> bool:
    """Tell whether a refusal can be a real response: some servers can only close a WebSocket's handshake."""
    return scope["type"] == "http" or "websocket.http.response" in (scope.get("extensions") or {})


def render(
    server: Facade, scope: Scope, error: BearerTokenError | VerificationUnavailable, requirement: Requirement
) -> ErrorResponse:
    """Make the response for a refusal, as this request wants it."""
    headers: RawHeaders = scope["headers"]
    ajax = header(headers, b"x-requested-with").strip().lower() == b"xmlhttprequest"
    return server.render(error, accept=header(headers, b"accept"), forbid=ajax if requirement.ajax_forbidden else None)


def asked_metadata(server: Facade, scope: Scope) -> ProtectedResource | None:
    """Return the server's metadata, where a request is for them: whatever its ``Host`` (RFC 9728 section 3)."""
    resource = server.protected_resource
    if resource is None or scope["type"] != "http":
        return None
    path: str = scope["path"]
    # There are servers that put the prefix before every path with which they are mounted behind a proxy.
    return resource if resource.path in (path, path.removeprefix(scope.get("root_path", ""))) else None


async def send_metadata(resource: ProtectedResource, scope: Scope, send: Send) -> None:
    """Answer a request for the metadata."""
    answer: MetadataAnswer = resource.answer(scope["method"])
    await send({"type": "http.response.start", "status": int(answer.status), "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


def with_fields(message: Message, server: Facade, principal: Principal | None) -> Message:
    """Add to the start of a response what this server has to say in it; other messages are as they were.

    No 404 may be cached, so that a hidden one looks like any other. No shared cache may keep what a URL with a token
    in it was answered with (RFC 6750 section 2.3). A client is told the nonce for its next proof (RFC 9449 section 9).
    A response with a nonce is kept by nobody, or an old nonce would come out of a cache (RFC 9449 section 8.2). Where
    the application has said itself who may keep its response, that stands.

    Args:
        message: what an application sends.
        server: whose request it answers.
        principal: who was let in.
    """
    if message["type"] not in _STARTS:
        return message
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    private = principal is not None and server.token_methods.query
    nonce = None if principal is None else server.dpop_nonce(principal)
    unkept = message["status"] == HTTPStatus.NOT_FOUND or nonce is not None
    directive = b"no-store" if unkept else b"private" if private else None
    if directive is not None and all(name.lower() != b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", directive))
    if nonce is not None:
        headers += [(DPOP_NONCE_HEADER, nonce.encode("ascii")), _EXPOSE]
    return {**message, "headers": headers}
