"""The ASGI application: every request is read, held, answered honestly, spoilt, written down and sent, in that order.

The OAuth endpoints are plain ASGI, bound to FastAPI's router; the control plane is FastAPI proper.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_as.authorization_server import HonestServer
from mock_as.client_authentication import claimed_client_id
from mock_as.endpoints import control, jwks, metadata
from mock_as.fault_book import Fault, Incoming
from mock_as.issuer import Issuer
from mock_as.journal import Entry, redact_headers
from mock_as.messages import BODILESS, Answer, Form, Request, json_answer, oauth_error, parse_form
from mock_as.network import suffer
from mock_as.pages import HomePagesOnly
from mock_as.version import package_version

BODY_LIMIT = 1024 * 1024
"""The most bytes that a request may have."""

_READ, _WRITE = ("GET", "HEAD"), ("POST",)


def create_app(issuer: Issuer) -> FastAPI:
    """Bind the endpoints of an issuer, and the control plane under ``/_mock``.

    Args:
        issuer: the state that they share.
    """
    app = FastAPI(
        title="Mock authorization server",
        version=package_version(),
        docs_url="/_mock/docs",
        redoc_url=None,
        redirect_slashes=False,
        openapi_url="/_mock/openapi.json",
    )
    app.state.issuer = issuer
    app.router.routes.extend(_routes(issuer))
    control.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(HomePagesOnly, identity=issuer.identity)
    return app


def _routes(issuer: Issuer) -> list[Route]:
    honest = HonestServer(issuer)
    endpoints = [
        Endpoint(issuer, "discovery", _READ, lambda request: metadata.answer(issuer, request)),
        Endpoint(issuer, "jwks", _READ, lambda request: jwks.answer(issuer, request)),
        Endpoint(issuer, "token", _WRITE, honest.token),
        Endpoint(issuer, "introspect", _WRITE, honest.introspect),
        Endpoint(issuer, "revoke", _WRITE, honest.revoke),
    ]
    paths = {endpoint.name: [f"{issuer.identity.path}/{endpoint.name}"] for endpoint in endpoints}
    paths["discovery"] = metadata.paths(issuer)
    return [Route(path, _for_pages(endpoint)) for endpoint in endpoints for path in paths[endpoint.name]]


def _for_pages(endpoint: ASGIApp) -> ASGIApp:
    """Let pages of any origin use an endpoint, as *Authorize* in an API's documentation does; not the control plane."""
    return CORSMiddleware(
        endpoint,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["WWW-Authenticate"],
    )


class Endpoint:
    """One of the OAuth endpoints, as an ASGI application.

    Args:
        issuer: the state.
        name: what the endpoint is called in faults and in the journal.
        methods: the HTTP methods that it takes.
        answer: works out the honest answer.
    """

    def __init__(
        self, issuer: Issuer, name: str, methods: tuple[str, ...], answer: Callable[[Request], Answer]
    ) -> None:
        self.name = name
        self._issuer = issuer
        self._methods = methods
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.perf_counter()
        request = await _read(scope, receive)
        await self._issuer.gates.pass_through(self.name)
        fault = self._fault_for(request)
        error = None if fault is None else fault.network_error
        if fault is not None and error is not None:
            self._write_down(request, None, fault, started)
            if await suffer(fault, error, scope, receive):
                await _send(self._honest(request), send)
            return
        answer = self._honest(request)
        if fault is not None:
            answer = fault.spoil(answer, self._issuer.issuer, self._issuer.clock.now())
        # Before it is sent: a client that has its answer finds its request in the journal.
        self._write_down(request, answer.status, fault, started)
        await _send(answer, send)

    def _honest(self, request: Request) -> Answer:
        if request.method not in self._methods:
            allowed = ", ".join(self._methods)
            return oauth_error("invalid_request", f"This endpoint takes {allowed} only.", 405, {"allow": allowed})
        return self._answer(request)

    def _fault_for(self, request: Request) -> Fault | None:
        if not self._issuer.faults:
            return None
        token = request.form.get("token") if request.form else None
        record = self._issuer.tokens.get(token) if token else None
        incoming = Incoming(
            endpoint=self.name,
            method=request.method,
            client_id=claimed_client_id(request),
            token=token,
            sub=record and record.subject,
            kid=record and record.token.header.get("kid"),
        )
        return self._issuer.faults.take(incoming)

    def _write_down(self, request: Request, status: int | None, fault: Fault | None, started: float) -> None:
        self._issuer.journal.add(
            Entry(
                endpoint=self.name,
                method=request.method,
                path=request.path,
                headers=redact_headers(request.headers),
                form=request.form or Form(),
                client_id=claimed_client_id(request),
                status=status,
                fault=fault.plan.name if fault else None,
                at=self._issuer.clock.now(),
                duration=time.perf_counter() - started,
            )
        )


async def _read(scope: Scope, receive: Receive) -> Request:
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    request = Request(scope["method"], scope["path"], headers, None)
    form = parse_form(request.header("content-type"), await _body(receive))
    return Request(request.method, request.path, headers, form)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(answer: Answer, send: Send) -> None:
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    body = b"" if answer.status in BODILESS else answer.body
    if answer.status not in BODILESS:
        fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


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
        messages = await _all_of(receive)
        if messages is None:
            await _send(_too_long(), send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)


async def _all_of(receive: Receive) -> list[Message] | None:
    """Read a body to its end, or not at all."""
    messages: list[Message] = []
    size = 0
    while not messages or messages[-1].get("more_body", False):
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if size > BODY_LIMIT:
            return None
    return messages


def _too_long() -> Answer:
    document = {"title": "Content Too Large", "status": 413, "detail": f"A body may have {BODY_LIMIT} bytes."}
    return json_answer(document, 413, {"content-type": "application/problem+json", "connection": "close"})
