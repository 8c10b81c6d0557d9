"""What ASGI frameworks' adapters share: what of a scope decides, and what is added to responses."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from resource_server import BlockingResourceServer, ConfigurationError, Principal
from resource_server._asgi import (
    can_answer,
    expect_async,
    read_form,
    reply_of_itself,
    request_parts,
    routed_paths,
    send_reply,
    with_fields,
)
from resource_server._hosts import header, may_hold_token
from resource_server._protocol.messages import RequestParts
from resource_server.asgi import BearerTokenMiddleware
from resource_server.fastapi import install
from resource_server.forward_auth import ForwardAuth
from resource_server.mcp import TokenVerifier, protect
from tests.support.fastapi_app import ScriptedAS

RESOURCE = "https://api.example.test/v1"
WELL_KNOWN = "/.well-known/oauth-protected-resource/v1"
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
BOUND = Principal(confirmation={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})


def scope(**members: Any) -> dict[str, Any]:
    """Make the scope of a request."""
    least: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    return least | members


def test_parts() -> None:
    """Everything that decides is taken over, and what a server does not tell is not there."""
    headers = [(b"authorization", b"Bearer x")]
    parts = request_parts(scope(method="PUT", headers=headers, query_string=b"a=b", client=("192.0.2.1", 5)))
    assert parts == RequestParts("PUT", headers, b"a=b", peer="192.0.2.1")
    assert request_parts(scope(client=None)).peer is None
    handshake = scope(type="websocket")
    del handshake["method"]
    assert request_parts(handshake).method == "GET"


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """Answer nobody."""


@pytest.mark.parametrize(
    "make",
    [
        expect_async,
        lambda server: BearerTokenMiddleware(nothing, server),
        lambda server: install(FastAPI(), server),
        ForwardAuth,
        lambda server: protect(nothing, server, "orders:read"),
        TokenVerifier,
    ],
    ids=["asked for", "ASGI", "FastAPI", "the gateway", "MCP", "MCP, TokenVerifier"],
)
def test_blocking_server(make: Callable[[Any], object]) -> None:
    """A server that blocks is refused at once by every door of an event loop, and so is an application in its place."""
    server = BlockingResourceServer(
        issuer="https://as.example.test", audience="https://api.example.test", strategy="jwks"
    )
    with pytest.raises(ConfigurationError, match=r"must be a ResourceServer \(got BlockingResourceServer\)"):
        make(server)
    with pytest.raises(ConfigurationError, match=r"must be a ResourceServer \(got FastAPI\)"):
        make(FastAPI())


@pytest.mark.rfc("9449-4.3-9")
@pytest.mark.parametrize(
    ("members", "path"),
    [
        pytest.param({"raw_path": b"/a%2Fb%7E"}, b"/a%2Fb%7E", id="as it was sent"),
        pytest.param({"raw_path": b"/a?b=c"}, b"/a", id="with the query"),
        pytest.param({"raw_path": b"/api/a", "path": "/api/a", "root_path": "/api"}, b"/api/a", id="mounted"),
        pytest.param({"path": "/a/b;c=1,2"}, b"/a/b;c=1,2", id="not told"),
        pytest.param({"raw_path": None, "path": "/a b/\N{EURO SIGN}?#%"}, b"/a%20b/%E2%82%AC%3F%23%25", id="quoted"),
        pytest.param({"path": "/\ud800"}, b"/%3F", id="no text"),
    ],
)
def test_path(members: dict[str, Any], path: bytes) -> None:
    """RFC 9449 §4.3: the path is the one that was sent, byte for byte where the server tells it."""
    assert request_parts(scope(**members)).path == path


MOUNTED = SimpleNamespace(is_mount=True)


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    ("members", "paths"),
    [
        pytest.param({"path": "/a"}, {"/a"}, id="no prefix"),
        pytest.param({"path": "/a", "root_path": None}, {"/a"}, id="none told"),
        pytest.param({"path": "/api/a", "root_path": "/api"}, {"/a"}, id="with it"),
        pytest.param({"path": "/a", "root_path": "/api"}, {"/a"}, id="without it"),
        pytest.param({"path": "/api", "root_path": "/api"}, {"/api", "/"}, id="alone"),
        pytest.param({"path": "/apis/a", "root_path": "/api"}, {"/apis/a", "/s/a"}, id="no segment"),
        pytest.param({"path": "/x/api/a", "root_path": "/api"}, {"/x/api/a", "/a"}, id="further on"),
        pytest.param({"path": "/a", "root_path": "/"}, {"/a"}, id="a slash"),
        pytest.param({"path": "/a/", "raw_path": b"/m/%61/", "route_handler": MOUNTED}, {"/a/", "/m/a/"}, id="mounted"),
        pytest.param({"path": "/a", "raw_path": b"/a/", "route_handler": SimpleNamespace()}, {"/a"}, id="routed"),
    ],
)
def test_routed_paths(members: dict[str, Any], paths: set[str]) -> None:
    """Where frameworks take a prefix off in several ways, each of them is told."""
    assert set(routed_paths(scope(**members))) == paths


@pytest.mark.rfc("8705-3-a")
@pytest.mark.parametrize(
    ("extensions", "certificate"),
    [
        (None, None),
        ({}, None),
        ({"tls": {}}, None),
        ({"tls": None}, None),
        ({"tls": {"client_cert_chain": []}}, None),
        ({"tls": {"client_cert_chain": None}}, None),
        ({"tls": {"client_cert_chain": ["leaf", "intermediate"]}}, "leaf"),
        ({"tls": {"client_cert_chain": ("leaf",)}}, "leaf"),
    ],
)
def test_certificate(extensions: dict[str, Any], certificate: str | None) -> None:
    """The client's own certificate is the first one of the chain that the server has been shown."""
    assert request_parts(scope(extensions=extensions)).certificate == certificate
    assert request_parts(scope()).certificate is None


def test_header() -> None:
    """RFC 9110 §5.3: several fields of one name are one list."""
    headers = [(b"accept", b"a"), (b"x", b"y"), (b"accept", b"b")]
    assert [header(headers, name) for name in (b"accept", b"x", b"z")] == [b"a,b", b"y", b""]


@pytest.mark.parametrize(
    ("method", "content_type", "may"),
    [
        ("POST", b"application/x-www-form-urlencoded", True),
        ("PUT", b"Application/X-WWW-Form-Urlencoded ; charset=utf-8", True),
        ("POST", b"application/json", False),
        ("POST", None, False),
        ("GET", b"application/x-www-form-urlencoded", False),
        ("HEAD", b"application/x-www-form-urlencoded", False),
    ],
)
def test_forms(method: str, content_type: bytes | None, may: bool) -> None:  # noqa: FBT001 - a table's column
    """RFC 6750 §2.2: a form may hold a token, in a request whose body means something."""
    headers = [] if content_type is None else [(b"content-type", content_type)]
    assert may_hold_token(RequestParts(method, headers)) is may


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("messages", "form", "read"),
    [
        pytest.param([{"body": b"a=b"}], b"a=b", 1, id="one part"),
        pytest.param([{"body": b"a=", "more_body": True}, {"body": b"b"}], b"a=b", 2, id="two parts"),
        pytest.param([{"type": "http.disconnect"}], b"", 1, id="gone"),
        pytest.param([{"body": b"a=\xff"}], None, 1, id="no text"),
        pytest.param([{"body": b"x" * 70_000, "more_body": True}, {"body": b"x"}], None, 1, id="too long"),
    ],
)
async def test_read_form(messages: list[dict[str, Any]], form: bytes | None, read: int) -> None:
    """RFC 6750 §2.2: a form is read, or so much of it that it is too long; what was read is kept."""
    arriving = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(arriving)

    kept: list[Any] = []
    assert await read_form(receive, kept) == form
    assert kept == messages[:read]


@pytest.mark.parametrize(
    ("members", "can"),
    [
        ({}, True),
        ({"type": "websocket"}, False),
        ({"type": "websocket", "extensions": {"websocket.http.response": {}}}, True),
    ],
)
def test_can_answer(members: dict[str, Any], can: bool) -> None:  # noqa: FBT001 - a table's column
    """A handshake can be answered where the server says so, a request always."""
    assert can_answer(scope(**members)) is can


@pytest.mark.rfc("9728-3-a", "9728-3.3-a")
@pytest.mark.parametrize(
    ("members", "is_for_it"),
    [
        ({"path": WELL_KNOWN}, True),
        ({"path": WELL_KNOWN, "headers": [(b"host", b"evil.example")]}, True),
        ({"path": f"/prefix{WELL_KNOWN}", "root_path": "/prefix"}, True),
        ({"path": WELL_KNOWN, "root_path": "/prefix"}, True),
        ({"path": f"/prefix{WELL_KNOWN}"}, False),
        ({"path": "/.well-known/oauth-protected-resource"}, False),
        ({"path": f"{WELL_KNOWN}/"}, False),
        ({"path": f"{WELL_KNOWN}/x"}, False),
        ({"path": "/v1"}, False),
        ({"path": WELL_KNOWN, "type": "websocket"}, False),
    ],
)
def test_metadata(members: dict[str, Any], is_for_it: bool) -> None:  # noqa: FBT001 - a table's column
    """RFC 9728 §3.1: the metadata are where the resource identifier says, on whatever host, and nowhere else."""
    server = ScriptedAS().server(resource=RESOURCE)
    assert server.protected_resource is not None
    expected = server.protected_resource.answer("GET") if is_for_it else None
    assert reply_of_itself(server, None, scope(**members)) == expected
    assert reply_of_itself(ScriptedAS().server(), None, scope(**members)) is None


@pytest.mark.anyio
@pytest.mark.rfc("9728-3.2-a")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_send_reply(method: str) -> None:
    """RFC 9728 §3.2: the answer is sent as it is; to HEAD without its body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    resource = ScriptedAS().server(resource=RESOURCE).protected_resource
    assert resource is not None
    answer = resource.answer(method)
    await send_reply(answer, scope(method=method), send)
    assert sent[0] == {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
    assert sent[1:] == [{"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body}]


def fields(message: dict[str, Any], principal: Principal | None, **options: Any) -> dict[bytes, bytes]:
    """Return the header fields of a message after what the server has to say in it."""
    return dict(with_fields(message, ScriptedAS().server(**options), principal)["headers"])


@pytest.mark.rfc("6750-2.3-b", "9110-15.5.5-a", "9111-3.5-a")
def test_caches() -> None:
    """RFC 6750 §2.3, RFC 9111 §5.2.2: no 404 is kept, and no answer to a URL with a token but by its own client."""
    hidden = START | {"status": 404}
    assert fields(START, Principal()) == {b"x": b"y"}
    assert fields(START, Principal(), query_token=True)[b"cache-control"] == b"private"
    assert fields(START, None, query_token=True) == {b"x": b"y"}
    assert fields(hidden, None)[b"cache-control"] == b"no-store"
    own = START | {"headers": [(b"Cache-Control", b"max-age=1")], "status": 404}
    assert fields(own, Principal(), query_token=True) == {b"Cache-Control": b"max-age=1"}
    body = {"type": "http.response.body", "body": b""}
    assert with_fields(body, ScriptedAS().server(), Principal()) is body


@pytest.mark.rfc("9449-7.1-c", "9449-9-a")
def test_nonce() -> None:
    """RFC 9449 §9: who was let in with a proof is told the nonce for the next one, where scripts can read it."""
    options: dict[str, Any] = {"dpop": "optional", "dpop_nonce": True, "resource": RESOURCE}
    found = fields(START, BOUND, **options)
    assert found[b"dpop-nonce"]
    exposed = {name.strip().lower() for name in found[b"access-control-expose-headers"].split(b",")}
    assert exposed == {b"www-authenticate", b"dpop-nonce"}
    assert found[b"cache-control"] == b"no-store"  # RFC 9449 §8.2
    assert fields(START, BOUND, **options, query_token=True)[b"cache-control"] == b"no-store"
    own = fields(START | {"headers": [(b"Cache-Control", b"max-age=1")]}, BOUND, **options)
    assert b"cache-control" not in own
    assert own[b"dpop-nonce"]
    for principal in (None, Principal()):
        assert fields(START, principal, **options) == {b"x": b"y"}
    assert fields(START, BOUND, **(options | {"dpop_nonce": False})) == {b"x": b"y"}
