"""The ASGI application: finds the issuer that a path belongs to, and what of it answers.

The OAuth endpoints are plain ASGI, found by one look into a table; the control plane is FastAPI proper, built once in
a process and told with every request whose it is.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from email.utils import formatdate
from functools import cache, lru_cache

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_as import endpoint
from mock_as.clock import Clock
from mock_as.faults.wire import CONNECTION, PATIENCE
from mock_as.identity import TENANTS, heard_at
from mock_as.issuer import Issuer
from mock_as.messages import Answer
from mock_as.oauth.authorization_server import HonestServer
from mock_as.routes import WELL_KNOWN, Route, find_route
from mock_as.tenants import Landlord

CONTROL = "/_mock"
"""What the paths of the control plane begin with."""

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


class Application:
    """Answers for an issuer and its tenants.

    Args:
        mock: the issuer.
    """

    def __init__(self, mock: Landlord) -> None:
        self._mock = mock
        self._servers: dict[Issuer, HonestServer] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        origin = _origin(scope) if self._mock.identity.follows_requests else None
        with nullcontext() if origin is None else heard_at(origin):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope["path"])
        if isinstance(found, Answer):
            await endpoint.send_answer(found, _dated(self._mock.clock, scope, send))
            return
        issuer, base, rest = found
        send = _dated(issuer.clock, scope, send)
        server = self._server(issuer)
        # Outside its path there is no issuer, but the control plane.
        route = find_route(rest) if base == issuer.identity.path else None
        if route is not None:
            await _for_pages(server, route)(scope, receive, send) if _has_origin(scope) else await endpoint.answer(
                server, route, scope, receive, send
            )
            return
        scope.update(
            {"root_path": base, "mock_as.issuer": issuer, "mock_as.server": server, "mock_as.mock": self._mock}
        )
        await _control()(scope, receive, send)

    def _server(self, issuer: Issuer) -> HonestServer:
        server = self._servers.get(issuer)
        if server is None:
            present = {self._mock, *self._mock.tenants.values()}
            self._servers = {known: server for known, server in self._servers.items() if known in present}
            server = self._servers[issuer] = HonestServer(issuer)
        return server

    def _find(self, path: str) -> tuple[Issuer, str, str] | Answer:
        """Return the issuer of a path, its own path, and what comes after that; or a refusal."""
        base = self._mock.identity.path
        inserted = next((known for known in WELL_KNOWN if path.startswith(f"{known}/")), "")
        if inserted:
            # RFC 8414 section 3.1: the path of the issuer comes after the well-known one.
            path = path.removeprefix(inserted) + inserted
        if not path.startswith(f"{base}/"):
            # The control plane is at the root as well, wherever the issuer is.
            return self._mock, "", path
        rest = path.removeprefix(base)
        if not rest.startswith(TENANTS):
            return self._mock, base, rest
        name, slash, after = rest.removeprefix(TENANTS).partition("/")
        tenant = self._mock.tenants.get(name)
        if tenant is None:
            return _no_such_issuer(name, path)
        return tenant, f"{base}{TENANTS}{name}", f"{slash}{after}"


def _dated(clock: Clock, scope: Scope, send: Send) -> Send:
    """Tell the time of an issuer with what it answers, where it is served by this package: other servers do by theirs.

    A fault that tells another time has the word.

    References: RFC 9110 section 6.6.1
    """
    if not {CONNECTION, PATIENCE} & set(scope.get("extensions") or ()):
        return send

    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers, date = list(message.get("headers", ())), _http_date(int(clock.now()))
            is_told = date is None or any(name == b"date" for name, _ in headers)
            message["headers"] = headers if is_told else [*headers, (b"date", date)]
        await send(message)

    return dated


@lru_cache(maxsize=8)
def _http_date(now: int) -> bytes | None:
    """Write a time as HTTP does; a clock may have been moved to where there is no calendar any more."""
    try:
        return formatdate(now, usegmt=True).encode("ascii")
    except (OSError, OverflowError, ValueError):
        return None


def _no_such_issuer(name: str, path: str) -> Answer:
    hint = f"Make it first: mock.tenant({name!r}), or PUT {CONTROL}/issuers/{name}."
    return endpoint.problem(404, "Not Found", f"There is no issuer {name!r} here.", hint=hint, path=path)


def _origin(scope: Scope) -> str | None:
    """Return where a request was sent to, unless that says nothing about where the endpoints are."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    return f"{scope['scheme']}://{host}" if _HOST.fullmatch(host) and endpoint.ONLY_CONTROL not in scope else None


def _has_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])


def _for_pages(server: HonestServer, route: Route) -> ASGIApp:
    """Let pages of any origin use an endpoint, as *Authorize* in an API's documentation does; not the control plane."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoint.answer(server, route, scope, receive, send)

    return CORSMiddleware(
        plain,
        allow_origins=["*"],
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=["WWW-Authenticate", "DPoP-Nonce"],
    )


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@cache
def _control() -> ASGIApp:
    """Build the control plane when something of it is asked for: FastAPI takes its time."""
    from mock_as.control import create_control_app  # noqa: PLC0415 - see above

    return BodyLimit(create_control_app())


class BodyLimit:
    """Refuse a request whose body is too long, before anything else looks at it.

    Args:
        app: what gets the others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await endpoint.read_body(receive)
        if body is None:
            await endpoint.send_answer(endpoint.too_long(), send)
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send)
