"""What stands in front of an MCP server, without one: what it passes on, what it refuses, and what it tells."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from fastmcp.server.dependencies import get_access_token as fastmcp_access_token
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context

from resource_server import ConfigurationError, Requirement, ResourceServer
from resource_server.asgi import principal_of, unprotected_routes
from resource_server.mcp import MAX_BODY_BYTES, principal, protect
from resource_server.testing import principal_override
from tests.mcp.conftest import calling
from tests.support.answer import Answer
from tests.support.asgi import call
from tests.support.fastapi_app import ADMIN, ISSUER, NOBODY, READER, WRITER, ScriptedAS, active
from tests.support.jwt import thumbprint
from tests.support.promises import assert_refused, assert_unavailable
from tests.support.proofs import client_key, proof

pytestmark = pytest.mark.anyio

TOOLS = {"write": Requirement.of("write"), "admin": Requirement.of("admin", unavailable_status=503)}


class MCPServer:
    """Stands for an MCP server: notes what reaches it."""

    def __init__(self) -> None:
        """Have seen nothing yet."""
        self.bodies: list[bytes] = []
        self.callers: list[Any] = []
        self.users: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Read the message whole, and answer."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        token = get_access_token()
        self.callers.append(None if token is None else principal())
        self.users.append(scope.get("user"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


class Front:
    """An MCP server behind :func:`protect`."""

    def __init__(self, server: ResourceServer, *scopes: str, **options: Any) -> None:
        """Put it there."""
        self.inner = MCPServer()
        self.app = protect(self.inner, server, *scopes, **options)

    async def send(self, message: Any, token: str | None = None, **sent: Any) -> Answer:
        """Send a message."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await call(self.app, "POST", "/mcp", token=token, body=body, **sent)


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows a few tokens."""
    return ScriptedAS()


@pytest.fixture
def front(authorization_server: ScriptedAS) -> Front:
    """Protect a server of three tools."""
    return Front(authorization_server.server(), "read", tools=TOOLS)


async def test_who_is_calling(front: Front) -> None:
    """A tool learns who has called it, from us, from the SDK and from FastMCP; sessions are bound to that caller."""
    assert (await front.send(calling("read"), WRITER)).status == 200
    [caller], [user] = front.inner.callers, front.inner.users
    assert (caller.subject, caller.scopes) == ("alice", {"read", "write"})
    assert isinstance(user, AuthenticatedUser)
    token = user.access_token
    assert (token.token, token.client_id, token.subject, token.scopes) == (WRITER, "app", "alice", ["read", "write"])
    assert WRITER not in f"{token!r} {token}"
    assert authorization_context(user) == {"client_id": "app", "issuer": ISSUER, "subject": "alice"}


def test_nobody_outside_a_request() -> None:
    """Where nobody was judged there is no principal, and that is an error and not a nobody."""
    with pytest.raises(ConfigurationError, match="protect"):
        principal()
    assert fastmcp_access_token() is None


@pytest.mark.rfc("mcp-3")
@pytest.mark.parametrize(
    ("message", "token", "needed"),
    [
        (calling("read"), READER, None),
        (calling("write"), READER, "read write"),
        (calling("write"), WRITER, None),
        ([calling("read"), calling("write")], READER, "read write"),
        ([calling("write"), calling("admin")], WRITER, "read admin"),
        (calling("admin"), ADMIN, None),
        (calling("read"), NOBODY, "read"),
        ({"method": "tools/list"}, READER, None),
        ({"method": "tools/call", "params": ["write"]}, READER, None),
        (["tools/call", 1, None], READER, None),
        (b"", READER, None),
    ],
    ids=str,
)
async def test_tools(message: Any, token: str, needed: str | None, front: Front) -> None:
    """A call of a tool needs what every request needs and what the tool needs; a refusal names both."""
    answer = await front.send(message, token)
    if needed is None:
        assert answer.status == 200
        assert front.inner.bodies == [message if isinstance(message, bytes) else json.dumps(message).encode()]
    else:
        assert_refused(answer, 403, "insufficient_scope", scope=needed)
        assert front.inner.bodies == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"method": "tools/call", "params": {"name": "write", "name": "read"}}',
        b'{"method": "tools/call", "method": "ping", "params": {"name": "write"}}',
        b'{"method": "tools/call", "params": {"name": "write"}} x',
        b'\xef\xbb\xbf{"method": "tools/call", "params": {"name": "write"}}',
        json.dumps(calling("write")).encode("utf-16"),
        b"[" * 100_000,
    ],
    ids=["two names", "two methods", "more", "a byte order mark", "another encoding", "deep"],
)
async def test_messages_with_two_readings(body: bytes, front: Front) -> None:
    """What the MCP server might read in another way than we do does not reach it, where tools have demands."""
    assert_refused(await front.send(body, READER), 400, "invalid_request")
    assert front.inner.bodies == []


async def test_messages_in_pieces(front: Front) -> None:
    """A message that comes in pieces is judged whole and passed on whole."""
    whole = json.dumps(calling("write")).encode()
    pieces = [
        {"type": "http.request", "body": whole[:9], "more_body": True},
        {"type": "http.request", "body": whole[9:], "more_body": False},
    ]
    answer = await call(front.app, "POST", "/mcp", token=WRITER, body=pieces)
    assert answer.body == whole
    assert_refused(
        await call(front.app, "POST", "/mcp", token=READER, body=pieces), 403, "insufficient_scope", scope="read write"
    )


async def test_the_client_is_gone(front: Front) -> None:
    """A client that goes away in the middle has called nothing."""
    piece = {"type": "http.request", "body": b'{"method": "tools/call', "more_body": True}
    assert_refused(await call(front.app, "POST", "/mcp", token=READER, body=[piece]), 400, "invalid_request")


async def test_long_messages(front: Front) -> None:
    """A message that is longer than the SDK takes is not kept: it is a 413, and where no tool has demands not read."""
    piece = {"type": "http.request", "body": bytes(MAX_BODY_BYTES), "more_body": True}
    answer = await call(front.app, "POST", "/mcp", token=READER, body=[piece, piece, piece])
    assert (answer.status, answer.reads) == (413, 2)
    assert front.inner.bodies == []


@pytest.mark.attack("A-F-2")
async def test_strangers_are_not_read(front: Front) -> None:
    """Of a request without a token no byte is read."""
    answer = await front.send(calling("write"))
    assert_refused(answer, 401, scope="read")
    assert answer.reads == 0


async def test_public_paths(authorization_server: ScriptedAS) -> None:
    """A public path needs no token and has no caller, and a tool that is called there needs all that it needs."""
    front = Front(authorization_server.server(), tools=TOOLS, public=["/mcp"])
    assert (await front.send(calling("read"), READER)).status == 200
    assert front.inner.callers == [None]
    assert_refused(await front.send(calling("write")), 401, scope="write")
    assert (await front.send(calling("write"), WRITER)).status == 200
    assert unprotected_routes(front.app) == ["/mcp"]


async def test_outage(front: Front, authorization_server: ScriptedAS) -> None:
    """A token that cannot be verified is what the server or the tool says it is."""
    authorization_server.outage = 503
    assert_refused(await front.send(calling("admin"), "unknown-canary"), 401, "invalid_token")
    strict = Front(authorization_server.server(), unavailable_status=503)
    assert_unavailable(await strict.send(calling("read"), "unknown-canary"))


@pytest.mark.attack("A-D-9")
async def test_proofs(authorization_server: ScriptedAS) -> None:
    """RFC 9449: a bound token comes with a proof, which is used once although the tool is judged by itself."""
    bound = {"cnf": {"jkt": thumbprint(client_key())}, "token_type": "DPoP"}
    authorization_server.tokens["bound-canary"] = active("read write", **bound)
    server = authorization_server.server(dpop="required", external_url="https://rs.example.com")
    front = Front(server, "read", tools=TOOLS)
    proven = proof(None, "POST", "https://rs.example.com/mcp", "bound-canary", iat=int(time.time())).encode()
    headers = [(b"authorization", b"DPoP bound-canary"), (b"dpop", proven)]
    assert (await front.send(calling("write"), headers=headers)).status == 200
    assert (await front.send(calling("write"), headers=headers)).status == 401
    opened = Front(server, tools=TOOLS, public=["/mcp"])
    assert (await opened.send(calling("write"), headers=headers)).status == 401
    assert (await opened.send(calling("write"), headers=headers[:1])).status == 401
    assert opened.inner.bodies == []


@pytest.mark.parametrize(
    ("demands", "message"),
    [
        ({"tools": {"x": Requirement.of(hide=True)}}, "hidden"),
        ({"tools": {"x": Requirement.of(dpop="required")}}, "external_url"),
        ({"dpop": "off", "tools": {"x": Requirement.of(dpop="required")}}, "dpop"),
        ({"unavailable_status": 500}, "unavailable_status"),
    ],
)
def test_bad_demands(demands: dict[str, Any], message: str, authorization_server: ScriptedAS) -> None:
    """Demands that cannot be met are told when the server is put together."""
    with pytest.raises(ConfigurationError, match=message):
        Front(authorization_server.server(), **demands)


async def test_acting_without_a_token(authorization_server: ScriptedAS) -> None:
    """A test of an application may act as somebody without a token; then there is none to tell."""
    server = authorization_server.server()
    front = Front(server, tools=TOOLS)
    with principal_override(server, subject=None, client_id=None, scopes="write"):
        assert (await front.send(calling("write"))).status == 200
        assert (await call(front.app, "GET", "/mcp")).status == 200
    token = front.inner.users[0].access_token
    assert (token.token, token.client_id) == ("", "")


class Streaming:
    """An MCP server whose GET streams until it is cancelled."""

    def __init__(self, *, started: bool = True) -> None:
        """Have not begun."""
        self.begun = asyncio.Event()
        self.cancelled = False
        self.principals: list[str | None] = []
        self._started = started

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Stream."""
        self.principals.append(principal_of(scope).subject)
        if self._started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@pytest.fixture
def anyio_backend() -> str:
    """Stream in asyncio, where the server's leases are."""
    return "asyncio"


@pytest.mark.attack("A-F-10")
async def test_streams_end_with_the_token(authorization_server: ScriptedAS) -> None:
    """What a GET streams ends when its token is revoked, and its response ends as it should."""
    server, inner = authorization_server.server(), Streaming()
    streaming = asyncio.create_task(call(protect(inner, server), "GET", "/mcp", token=READER))
    await inner.begun.wait()
    server.revoke(token=READER)
    answer = await streaming
    assert (answer.status, answer.body, inner.cancelled) == (200, b": hello\n\n", True)
    assert inner.principals == ["alice"]


@pytest.mark.attack("A-F-10")
async def test_subscriptions_end_with_the_token(authorization_server: ScriptedAS) -> None:
    """What streams in place of GET since revision 2026-07-28 ends too; an answer to another call is not cut short."""
    server, inner = authorization_server.server(), Streaming()
    app = protect(inner, server, tools={"write": Requirement.of("write")})
    listening = [(b"mcp-method", b"subscriptions/listen")]
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {}}'
    streaming = asyncio.create_task(call(app, "POST", "/mcp", token=READER, headers=listening, body=body))
    await inner.begun.wait()
    server.revoke(token=READER)
    answer = await streaming
    assert (answer.status, answer.body, inner.cancelled) == (200, b": hello\n\n", True)


async def test_streams_that_had_not_begun(authorization_server: ScriptedAS) -> None:
    """Where no response had begun there is none to end."""
    server, inner = authorization_server.server(), Streaming(started=False)
    streaming = asyncio.create_task(call(protect(inner, server), "GET", "/mcp", token=READER))
    await inner.begun.wait()
    server.revoke(token=READER)
    with pytest.raises(AssertionError, match="0 responses"):
        await streaming


async def test_a_timeout_of_their_own(authorization_server: ScriptedAS) -> None:
    """An error of the MCP server is its own, a timeout too."""

    async def late(_scope: Any, _receive: Any, _send: Any) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await call(protect(late, authorization_server.server()), "GET", "/mcp", token=READER)


async def test_websockets_pass(authorization_server: ScriptedAS) -> None:
    """What is no HTTP is judged, and then none of MCP's business."""
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    scope = {"type": "websocket", "path": "/x", "headers": [(b"authorization", f"Bearer {READER}".encode())]}
    wanted: Any = protect(app, authorization_server.server())
    await wanted({**scope, "query_string": b""}, None, None)
    assert seen == ["websocket"]
