"""One request to an endpoint: it is read, held, answered honestly, spoilt, written down and sent, in that order."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace
from typing import Any

from starlette.types import Receive, Scope, Send

from mock_as.credentials import claimed_client_id
from mock_as.faults import Scene
from mock_as.faults.book import Happening, Incoming
from mock_as.faults.wire import CONNECTION, Wire, fail
from mock_as.issuer import Issuer
from mock_as.journal import Entry
from mock_as.messages import BODILESS, Answer, Form, Request, json_answer, oauth_error, parse_form, parse_query
from mock_as.oauth.authorization_server import HonestServer
from mock_as.profiles import PROFILES, STRICT
from mock_as.routes import Route

BODY_LIMIT = 1024 * 1024
"""The most bytes that the body of a request may have."""
ONLY_CONTROL = "mock_as.only_control"
"""The name in a scope that says that there are no endpoints of OAuth at its port."""


async def answer(server: HonestServer, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request to an endpoint.

    Args:
        server: the issuer, as it answers when nothing goes wrong.
        route: the endpoint.
        scope: the ASGI scope.
        receive: the ASGI channel.
        send: the ASGI channel.
    """
    started = time.perf_counter()
    body = await read_body(receive)
    if body is None:
        await send_answer(too_long(), send)
        return
    issuer, request = server.issuer, _request(scope, body)
    await issuer.gates.pass_through(route.name)
    fault = _fault_for(issuer, route, request, scope) if issuer.faults else None

    def work_out() -> Answer:
        response = _behave(server, route, request)
        return response if fault is None else fault.spoil(response, _scene(server, route, request))

    response = work_out() if fault is None or fault.answers else None
    # Before it is sent: a client that has its answer finds its request in the journal.
    issuer.journal.add(
        Entry(
            endpoint=route.name,
            request=request,
            answer=response,
            fault=None if fault is None else fault.name,
            at=issuer.clock.now(),
            duration=time.perf_counter() - started,
        )
    )
    if fault is not None and fault.network is not None:
        wire = Wire(scope, receive, send, fault.latch, fault.step.argument, lambda: response or work_out())
        await fail(fault.network, wire)
        return
    await send_answer(response or work_out(), send)


def _behave(server: HonestServer, route: Route, request: Request) -> Answer:
    """Answer as the profile has it, which is honestly unless another was chosen."""
    response = _honest(server, route, request)
    profile = server.issuer.options.profile
    if profile == STRICT:
        return response
    return PROFILES[profile].behave(route.name, response, lambda: _scene(server, route, request))


def _honest(server: HonestServer, route: Route, request: Request) -> Answer:
    if request.method not in route.methods:
        allowed = ", ".join(route.methods)
        return oauth_error("invalid_request", f"This endpoint takes {allowed} only.", 405, {"allow": allowed})
    return route.answer(server, request)


def _scene(server: HonestServer, route: Route, request: Request) -> Scene:
    def ask(token: str) -> Answer:
        pairs = [pair for pair in (request.form or Form()).pairs if pair[0] != "token"]
        return _honest(server, route, replace(request, form=Form([("token", token), *pairs])))

    issuer = server.issuer
    return Scene(
        issuer=issuer.issuer,
        now=issuer.clock.now(),
        keys=issuer.keys,
        tokens=issuer.tokens,
        ask=ask,
        headers=dict(request.headers),
        caller=claimed_client_id(request) or "",
        token=_token(request) or "",
    )


def _token(request: Request) -> str | None:
    return request.form.get("token") if request.form else None


def _fault_for(issuer: Issuer, route: Route, request: Request, scope: Scope) -> Happening | None:
    token = _token(request)
    record = issuer.tokens.get(token) if token else None
    incoming = Incoming(
        endpoint=route.name,
        method=request.method,
        client_id=claimed_client_id(request),
        token=token,
        sub=record and record.subject,
        kid=record and record.token.header.get("kid"),
        header=dict(request.headers),
        over_socket=CONNECTION in (scope.get("extensions") or {}),
    )
    return issuer.faults.take(incoming)


def _request(scope: Scope, body: bytes) -> Request:
    headers = tuple([(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]])
    content_type = next((value for name, value in headers if name == "content-type"), None)
    query: bytes = scope.get("query_string", b"")
    return Request(
        scope["method"],
        scope["path"],
        headers,
        parse_form(content_type, body),
        parse_query(query) if query else Form(),
        body,
        _certificate(scope),
    )


def _certificate(scope: Scope) -> bytes | None:
    if scope["scheme"] != "https":
        return None
    transport: Any = (scope.get("extensions") or {}).get(CONNECTION)
    tls: ssl.SSLObject | None = None if transport is None else transport.get_extra_info("ssl_object")
    certificate: bytes | None = None if tls is None else tls.getpeercert(binary_form=True)
    return certificate


async def read_body(receive: Receive) -> bytes | None:
    """Read a body to its end, or not at all.

    Args:
        receive: the ASGI channel.

    Returns:
        The bytes; ``None`` where there are more than :data:`BODY_LIMIT`, or where the client went away before the end.
    """
    body = b""
    while True:
        message = await receive()
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > BODY_LIMIT or message["type"] == "http.disconnect":
            return None
        if not message.get("more_body", False):
            return body


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a response.

    Args:
        answer: the response.
        send: the ASGI channel.
    """
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    body = b"" if answer.status in BODILESS else answer.body
    if answer.status not in BODILESS:
        fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def problem(status: int, title: str, detail: str, **members: object) -> Answer:
    """Say what is wrong with a request to the server as a whole.

    Args:
        status: the HTTP status.
        title: what is wrong, in general.
        detail: what is wrong with this request.
        members: further members of the document.

    References: RFC 9457
    """
    document = {"title": title, "status": status, "detail": detail, **members}
    return json_answer(document, status, {"content-type": "application/problem+json"})


def too_long() -> Answer:
    """Refuse a body that has more than :data:`BODY_LIMIT` bytes."""
    refusal = problem(413, "Content Too Large", f"A body may have {BODY_LIMIT} bytes.")
    return refusal.with_headers({"connection": "close"})
