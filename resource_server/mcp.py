"""Model Context Protocol: ``protect(app, server, "scope")`` around the HTTP application of an MCP server.

It works with the MCP Python SDK (``MCPServer``) and with FastMCP, and needs nothing of their own settings of ``auth``.
What these know of a caller is filled in: ``get_access_token()`` tells it in a tool, and so does :func:`principal`.

Both frameworks also take a ``TokenVerifier``, and then write refusals themselves. They show it the token and nothing of
the request, so that it refuses tokens that are bound to a key, and cannot tell an outage but by an error.

References: MCP authorization specification, RFC 9728 section 5.1
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Unpack

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE
from starlette.authentication import AuthCredentials
from starlette.middleware import Middleware

from resource_server._asgi import Message, Receive, Scope, Send, expect_async, request_parts, send_refusal
from resource_server._hosts import header, refuse_proofs_for_nowhere, render
from resource_server._protocol.bearer import extract_credential
from resource_server._protocol.messages import RequestParts
from resource_server.asgi import ASGIApp, BearerTokenMiddleware
from resource_server.errors import BearerTokenError, ConfigurationError, InvalidRequest, VerificationUnavailable
from resource_server.health import Probes
from resource_server.lease import Lease
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Demands, Requirement, Scopes
from resource_server.server import ResourceServer

if TYPE_CHECKING:
    from fastmcp.server.auth import AccessToken as _AccessToken
    from fastmcp.server.auth import TokenVerifier as _TokenVerifier
else:
    try:
        from fastmcp.server.auth import AccessToken as _AccessToken
        from fastmcp.server.auth import TokenVerifier as _TokenVerifier
    except ImportError:
        from mcp.server.auth.provider import AccessToken as _AccessToken

        class _TokenVerifier:
            """Stands for FastMCP's where that is not installed: the SDK's protocol has one method."""

            def __init__(self, *, required_scopes: list[str]) -> None:
                self.required_scopes = required_scopes


__all__ = ["AccessToken", "TokenVerifier", "principal", "protect"]

MAX_BODY_BYTES = DEFAULT_MAX_REQUEST_BODY_SIZE
"""The SDK takes no longer message."""
_LISTEN = b"subscriptions/listen"
"""The call by which clients since 2026-07-28 ask for what GET streamed before; its field is compared with its body."""


def protect(
    app: ASGIApp,
    server: ResourceServer,
    *scopes: str | Scopes,
    tools: Mapping[str, Requirement] | None = None,
    public: Iterable[str] = (),
    probes: bool | Probes = False,
    **demands: Unpack[Demands],
) -> BearerTokenMiddleware:
    """Let nobody into an MCP server without a token that is good for it.

    Refusals are those of every other front door: a 401 names the scopes and, where the server has a ``resource``, the
    metadata that tell a client where to get a token; these are served too (RFC 9728). What a tool demands is judged
    before its call is passed on, so that the client is told by a 403 to ask for more (MCP: scope challenges).

    Args:
        app: what ``MCPServer.streamable_http_app()`` or ``FastMCP.http_app()`` returns, made without their ``auth``.
        server: what judges; started and closed with the application's lifespan.
        scopes: what every request needs, as for ``resource_server.fastapi.require``.
        tools: what calls of a tool need besides, by the name under which clients call it.
        public: the paths that need no token, exact.
        probes: answer ``/healthz`` and ``/readyz`` too, without a token, or the paths of ``health.Probes``.
        demands: what else every request needs, as for ``resource_server.fastapi.require``.

    Returns:
        The application to serve.

    Raises:
        ConfigurationError: the server is a blocking one, a demand is none, or two contradict each other; or a tool is
            to be hidden, which a 404 cannot do, for in MCP that is the end of the session.

    References: RFC 6750 section 3, RFC 9728 section 5.1
    """
    expect_async(server)
    default = Requirement.of(*scopes, **demands)
    needs = {name: default & requirement for name, requirement in (tools or {}).items()}
    if not default.hide and any(requirement.hide for requirement in needs.values()):
        raise ConfigurationError("tools: a tool cannot be hidden, for a 404 is the end of a session in MCP")
    refuse_proofs_for_nowhere(server, ((name, (requirement,)) for name, requirement in needs.items()))
    inner = _Callers(AuthContextMiddleware(app), server, needs)
    return BearerTokenMiddleware(inner, server, public=public, default=default, probes=probes)


def principal() -> Principal:
    """Return who is calling, in a tool, a resource or a prompt.

    Raises:
        ConfigurationError: nobody was judged: there is no :func:`protect` and no :class:`TokenVerifier` in front.
    """
    caller = auth_context_var.get()
    known = getattr(caller, "principal", None) or getattr(getattr(caller, "access_token", None), "_principal", None)
    if not isinstance(known, Principal):
        raise ConfigurationError("nobody was judged: there is no protect(app, server) in front of this MCP server")
    return known


class AccessToken(_AccessToken):
    """The SDK's and FastMCP's view of a token; it shows itself without the token."""

    _principal: Principal | None = None

    def __repr__(self) -> str:
        """Show whom it is for."""
        return f"AccessToken({self._principal!r})"

    __str__ = __repr__


class TokenVerifier(_TokenVerifier):
    """The ``token_verifier`` of an ``MCPServer``, and the ``auth`` of a ``FastMCP`` or a part of it.

    A good token of the right audience is accepted, and ``resource`` is then the server's own, so that the SDK's
    ``validate_token_resource`` holds. A token that is bound to a key or a certificate is refused: what would prove that
    its sender has that is not shown here. :func:`protect` sees it.

    Args:
        server: what judges.
        required_scopes: for FastMCP; the SDK has them among its own settings.

    Raises:
        ConfigurationError: the server is a blocking one.
    """

    def __init__(self, server: ResourceServer, *required_scopes: str) -> None:
        """Keep what judges."""
        expect_async(server)
        super().__init__(required_scopes=list(required_scopes))
        self.server = server

    async def verify_token(self, token: str) -> AccessToken | None:
        """Judge a token.

        Args:
            token: as it was presented.

        Returns:
            What the frameworks know of it, or ``None`` where it is not good.

        Raises:
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503: no 401 may come of it.
        """
        parts = RequestParts("POST", [(b"authorization", b"Bearer " + token.encode("utf-8", "surrogatepass"))])
        del token  # or what is raised would take it along, in the variables of this frame
        try:
            known = await self.server.authenticate(parts)
        except BearerTokenError:
            return None
        return _access_token(self.server, known, parts)

    def get_middleware(self) -> list[Any]:
        """Tell FastMCP what stands in front: its own, with a 503 where the token cannot be verified."""
        return [Middleware(_Unavailable, server=self.server), *super().get_middleware()]


def _access_token(server: ResourceServer, known: Principal, parts: RequestParts) -> AccessToken:
    credential = extract_credential(parts, server.token_methods)
    claims = {**known.claims, **({} if known.issuer is None else {"iss": known.issuer})}
    made = AccessToken(
        token="" if credential is None else credential.token.decode("ascii"),
        client_id=known.client_id or known.subject or "",
        scopes=sorted(known.scopes),
        expires_at=None if known.expires_at is None else int(known.expires_at),
        resource=server.settings.resource or next(iter(known.audience), None),
        subject=known.subject,
        claims=claims,
    )
    made._principal = known  # noqa: SLF001 - pydantic's way to keep what is not among the fields
    return made


class _Caller(AuthenticatedUser):
    """Who was let in, as the SDK wants it: it binds sessions to their callers by this."""

    def __init__(self, known: Principal, token: AccessToken) -> None:
        super().__init__(token)
        self.principal = known


class _Callers:
    """Stands between the judgement and the MCP server: tells that who is calling, and judges calls of tools."""

    def __init__(self, app: ASGIApp, server: ResourceServer, tools: Mapping[str, Requirement]) -> None:
        self.app = app
        self.server = server
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._tools and scope["method"] == "POST":
            called = await self._admit_call(scope, receive, send)
            if called is None:
                return
            receive = called
        known = scope.get("user")
        if not isinstance(known, Principal):
            await self.app(scope, receive, send)
            return
        caller = scope["user"] = _Caller(known, _access_token(self.server, known, request_parts(scope)))
        scope["auth"] = AuthCredentials(sorted(known.scopes))
        if scope["method"] == "GET" or header(scope["headers"], b"mcp-method") == _LISTEN:
            await self._stream(known.lease(scope if caller.access_token.token else None), scope, receive, _Sender(send))
        else:
            await self.app(scope, receive, send)

    async def _admit_call(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Judge a message by the tools that it calls; ``None`` where it was refused."""
        messages: list[Message] = []
        body = await _read(receive, messages)
        if body is None:
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            await send(
                {"type": "http.response.start", "status": HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "headers": headers}
            )
            await send({"type": "http.response.body", "body": b""})
            return None
        requirement = ANY_TOKEN
        # It was judged once already, and a proof is good once; on a public path it was not.
        parts = request_parts(scope)._replace(proven=isinstance(scope.get("user"), Principal))
        try:
            for name in _tools_called(body):
                requirement = self._tools.get(name, ANY_TOKEN)
                if requirement is not ANY_TOKEN:
                    await self.server.authenticate(parts, requirement)
        except (BearerTokenError, VerificationUnavailable) as error:
            await send_refusal(render(self.server, scope["headers"], error, requirement), scope, send)
            return None

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        return again

    async def _stream(self, lease: Lease, scope: Scope, receive: Receive, sender: _Sender) -> None:
        """Let what a server sends unasked go on for no longer than the token is good."""
        wait = asyncio.timeout(None)
        try:
            async with lease, wait:
                watch = asyncio.ensure_future(_end_with(lease, wait))
                try:
                    await self.app(scope, receive, sender.send)
                finally:
                    watch.cancel()
        except TimeoutError:
            if not wait.expired():
                raise
            await sender.end()


async def _end_with(lease: Lease, wait: asyncio.Timeout) -> None:
    await lease.ended()
    wait.reschedule(asyncio.get_running_loop().time())


class _Sender:
    """Sends a response, and can end it."""

    __slots__ = ("_is_open", "_send")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def send(self, message: Message) -> None:
        """Send a part."""
        self._is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))
        await self._send(message)

    async def end(self) -> None:
        """Send the end, where it was not sent yet."""
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b""})


async def _read(receive: Receive, messages: list[Message]) -> bytes | None:
    """Read a message whole; ``None`` where it is longer than the SDK would take."""
    size, more = 0, True
    while more:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if size > MAX_BODY_BYTES:
            return None
    return b"".join(message.get("body", b"") for message in messages)


def _tools_called(body: bytes) -> list[str]:
    """Name the tools that are called in a JSON-RPC message, or in several.

    Raises:
        InvalidRequest: it is no JSON, or could be read in two ways: the MCP server might take the other one.
    """
    if not body.strip():
        return []
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidRequest("malformed") from None
    calls = [call for call in (found if isinstance(found, list) else [found]) if isinstance(call, dict)]
    params = [call.get("params") for call in calls if call.get("method") == "tools/call"]
    return [str(param.get("name")) for param in params if isinstance(param, dict)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


class _Unavailable:
    """Answers in FastMCP's place where a token could not be verified."""

    def __init__(self, app: ASGIApp, server: ResourceServer) -> None:
        self.app = app
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except VerificationUnavailable as error:
            await send_refusal(render(self.server, scope["headers"], error, ANY_TOKEN), scope, send)
