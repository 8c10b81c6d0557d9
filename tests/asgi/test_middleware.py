"""Around a whole application: nobody gets in without a token, and who has one finds everything as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from resource_server import ConfigurationError, Principal, Requirement
from resource_server.asgi import BearerTokenMiddleware, principal_of
from tests.support.asgi import App, Handshake, call, handshake
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS, active
from tests.support.promises import assert_promises, assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

ORIGIN = b"https://shop.example.test"
URLENCODED = "application/x-www-form-urlencoded"
RULES = {
    "/things": Requirement.of("read"),
    "POST /things": Requirement.of("write"),
    "/admin/*": Requirement.of("admin", hide=True),
    "/feed": Requirement.of("read"),
    "/private-feed": Requirement.of("admin", hide=True),
}


async def things(request: Request) -> Response:
    """Say who asks, and how much has come with the question."""
    principal = principal_of(request)
    assert principal is request.user
    assert principal is principal_of(request.scope)
    return JSONResponse([principal.subject, (await request.body()).decode()])


async def health(request: Request) -> Response:
    """Say that all is well, to whomever; nobody was judged."""
    with pytest.raises(ConfigurationError, match="public"):
        principal_of(request)
    return PlainTextResponse("ok")


async def options(_: Request) -> Response:
    """Answer OPTIONS by hand."""
    return PlainTextResponse("options")


async def stream(_: Request) -> Response:
    """Send a body in parts."""

    async def parts() -> AsyncIterator[str]:
        for part in ("a", "b"):
            yield part

    return StreamingResponse(parts())


async def feed(websocket: WebSocket) -> None:
    """Greet whoever has come in."""
    await websocket.accept()
    await websocket.send_text(f"hello {principal_of(websocket).subject}")
    await websocket.close()


def starlette(**more: Any) -> Starlette:
    """Make an application that knows nothing of tokens."""
    routes = [
        Route("/things", things, methods=["GET", "POST", "PUT"]),
        Route("/things", options, methods=["OPTIONS", "TRACE"]),
        Route("/admin/users", things),
        Route("/healthz", health),
        Route("/stream", stream),
        WebSocketRoute("/feed", feed),
        WebSocketRoute("/private-feed", feed),
    ]
    return Starlette(routes=routes, **more)


def wrapped(server: Any, **keywords: Any) -> App:
    """Put the middleware around the application."""
    return BearerTokenMiddleware(starlette(), server, **keywords)


def among(server: Any, **keywords: Any) -> App:
    """Have the middleware among the application's own."""
    return starlette(middleware=[Middleware(BearerTokenMiddleware, server=server, **keywords)])


def added(server: Any, **keywords: Any) -> App:
    """Add the middleware to an application that is there."""
    app = starlette()
    app.add_middleware(BearerTokenMiddleware, server=server, **keywords)
    return app


def within(app: App, root: str) -> App:
    """Mount an application at a prefix, as a server does."""
    return lambda scope, receive, send: app({**scope, "root_path": root}, receive, send)


PLACES = pytest.mark.parametrize("place", [wrapped, among, added])


@PLACES
@pytest.mark.attack("A-R-10")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "BREW", "get", "CONNECT"])
async def test_deny_by_default(place: Any, method: str, authorization_server: ScriptedAS) -> None:
    """Every method of every path needs a token, also where the application has no such route; nothing is echoed."""
    app = place(authorization_server.server())
    for path in ("/things", "/stream", "/unknown", "/things/", "/"):
        refused = await call(app, method, path)
        assert_refused(refused, 401)
        assert refused.reads == 0
        assert (refused.body == b"") == (method == "HEAD")
        bad = await call(app, method, path, token="unknown-canary")
        assert_refused(bad, 401, "invalid_token")
        assert_promises(await call(app, method, path, token=READER))
    assert (await call(app, "GET", "/unknown", token=READER)).status == 404
    assert (await call(app, "PUT", "/stream", token=READER)).status == 405


@PLACES
async def test_let_in(place: Any, authorization_server: ScriptedAS) -> None:
    """Who is let in is known to the endpoint, and the body arrives whole and once."""
    app = place(authorization_server.server(), rules=RULES)
    pieces = [
        {"type": "http.request", "body": b"12", "more_body": True},
        {"type": "http.request", "body": b"34", "more_body": False},
    ]
    answer = await call(app, "POST", "/things", token=WRITER, body=pieces)
    assert (answer.status, answer.json(), answer.reads) == (200, ["alice", "1234"], 2)
    assert (await call(app, "GET", "/stream", token=NOBODY)).body == b"ab"


@PLACES
async def test_public(place: Any, authorization_server: ScriptedAS) -> None:
    """A public path needs no token and none is looked at; a spelling of it is not public."""
    app = place(authorization_server.server(), public=["/healthz"])
    for token in (None, "unknown-canary", READER):
        answer = await call(app, "GET", "/healthz", token=token)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.all("cache-control") == []
    assert authorization_server.introspections == 0
    for path in ("/healthz/", "//healthz", "/HEALTHZ", "/x/../healthz", "/healthz;a", "/healthz\n"):
        assert_refused(await call(app, "GET", path), 401)


@pytest.mark.rfc("6750-3.1-c")
async def test_rules(authorization_server: ScriptedAS) -> None:
    """RFC 6750 §3.1: what all rules of a path demand together is demanded, and named."""
    app = wrapped(authorization_server.server(), rules=RULES, default=Requirement.of(unavailable_status=503))
    assert_refused(await call(app, "GET", "/things"), 401, scope="read")
    assert_refused(await call(app, "POST", "/things"), 401, scope="read write")
    refused = await call(app, "POST", "/things", token=READER, body=())
    assert_refused(refused, 403, "insufficient_scope", scope="read write")
    assert refused.reads == 0
    authorization_server.outage = 500
    assert_unavailable(await call(app, "GET", "/things", token=ADMIN))


@pytest.mark.attack("A-F-6")
async def test_ambiguous_prefix(authorization_server: ScriptedAS) -> None:
    """A path is public only where every framework takes the prefix off in the way that makes it that."""
    app = wrapped(authorization_server.server(), public=["/healthz"])
    for root, path, status in (
        ("/api", "/api/healthz", 200),
        ("/health", "/healthz", 401),
        ("/api", "/x/api/healthz", 401),
        ("/api", "/api/x/healthz", 401),
    ):
        answer = await call(within(app, root), "GET", path)
        assert answer.status == status, (root, path)


@pytest.mark.attack("A-F-6")
async def test_ambiguous_path(authorization_server: ScriptedAS) -> None:
    """A path that can be read as two that demand what excludes each other is a bad request."""
    rules = {"/a/*": Requirement.of(audience="one"), "/b/*": Requirement.of(audience="two")}
    app = wrapped(authorization_server.server(), rules=rules)
    assert_refused(await call(app, "GET", "/a/../b/x", token=ADMIN), 400, "invalid_request")


@PLACES
@pytest.mark.rfc("9110-15.5.4-a", "9110-15.5.5-a")
async def test_hide(place: Any, authorization_server: ScriptedAS) -> None:
    """RFC 9110 §15.5.4: what a caller may not touch is answered as what does not exist, to the last byte."""
    app = place(authorization_server.server(), rules=RULES, public=["/nothing"])
    missing = await call(app, "GET", "/unknown", token=READER)
    assert (missing.status, missing.header("cache-control")) == (404, "no-store")
    for path in ("/admin/users", "/admin", "/ADMIN/x", "/admin/users/"):
        hidden = await call(app, "GET", path, token=READER)
        assert (hidden.status, hidden.headers, hidden.body) == (404, missing.headers, missing.body)
    assert (await call(app, "GET", "/nothing")).headers == missing.headers
    head = await call(app, "HEAD", "/admin/users", token=READER)
    assert (head.status, head.headers, head.body) == (404, missing.headers, b"")
    assert_refused(await call(app, "GET", "/admin/users"), 401, scope="admin")
    assert (await call(app, "GET", "/admin/users", token=ADMIN)).json() == ["alice", ""]


async def test_own_not_found(authorization_server: ScriptedAS) -> None:
    """An application with a 404 of its own hides with it."""
    app = wrapped(authorization_server.server(), rules=RULES, not_found=PlainTextResponse("nothing here", 404))
    hidden = await call(app, "GET", "/admin/users", token=READER)
    assert (hidden.status, hidden.body, hidden.header("cache-control")) == (404, b"nothing here", "no-store")


async def test_ajax(authorization_server: ScriptedAS) -> None:
    """A 401 that a login page would break is a 403 where a rule says so."""
    app = wrapped(authorization_server.server(), default=Requirement.of(ajax_forbidden=True))
    ajax = [(b"x-requested-with", b"XMLHttpRequest")]
    assert_refused(await call(app, "GET", "/things", headers=ajax), 403, forbidden=True)
    assert_refused(await call(app, "GET", "/things"), 401)


@pytest.mark.attack("A-F-8", "A-R-10")
async def test_preflight(authorization_server: ScriptedAS) -> None:
    """A real CORS preflight passes without a token, and no other OPTIONS; refusals are readable across origins."""
    cors: dict[str, Any] = {"allow_origins": [ORIGIN.decode()], "allow_headers": ["Authorization"]}
    server = authorization_server.server()
    inside = BearerTokenMiddleware(CORSMiddleware(starlette(), **cors), server)
    outside = CORSMiddleware(BearerTokenMiddleware(starlette(), server), expose_headers=["WWW-Authenticate"], **cors)
    asked = [(b"origin", ORIGIN), (b"access-control-request-method", b"GET")]
    for app in (inside, outside):
        allowed = await call(app, "OPTIONS", "/things", headers=asked)
        assert (allowed.status, allowed.header("access-control-allow-origin")) == (200, ORIGIN.decode())
        for fields in ([], asked[:1], asked[1:]):
            assert_refused(await call(app, "OPTIONS", "/things", headers=fields), 401)
            answer = await call(app, "OPTIONS", "/things", headers=fields, token=READER)
            assert (answer.status, answer.body) == (200, b"options")
    refused = await call(outside, "GET", "/things", headers=asked[:1])
    assert_refused(refused, 401)
    assert refused.header("access-control-allow-origin") == ORIGIN.decode()
    assert authorization_server.introspections == 1


@pytest.mark.parametrize("field", [b"x-http-method", b"x-http-method-override", b"x-method_override"])
async def test_method_override(field: bytes, authorization_server: ScriptedAS) -> None:
    """What asks to be taken for another method needs what both need; and it is no preflight."""
    app = wrapped(authorization_server.server(), rules=RULES)
    for value in (b"POST", b" post"):
        answer = await call(app, "GET", "/things", token=READER, headers=[(field, value)])
        assert_refused(answer, 403, "insufficient_scope", scope="read write")
    assert (await call(app, "GET", "/things", token=WRITER, headers=[(field, b"POST")])).status == 200
    asked = [(b"origin", ORIGIN), (b"access-control-request-method", b"GET"), (field, b"DELETE")]
    assert_refused(await call(app, "OPTIONS", "/things", headers=asked), 401, scope="read")


class Prefixed:
    """An application that takes a prefix off paths by itself, as FastAPI does where it is given one."""

    root_path = "/api"

    def __init__(self) -> None:
        """Have the usual routes."""
        self.inner = starlette()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take it off."""
        scope["root_path"] = self.root_path
        await self.inner(scope, receive, send)


@pytest.mark.attack("A-F-6")
async def test_prefix_of_the_application(authorization_server: ScriptedAS) -> None:
    """A prefix that the application takes off, and no server has told, leads past no rule, and opens nothing."""
    for inner in (Prefixed(), CORSMiddleware(Prefixed())):
        app = BearerTokenMiddleware(inner, authorization_server.server(), public=["/healthz"], rules=RULES)
        assert (await call(app, "GET", "/healthz")).status == 200
        assert_refused(await call(app, "GET", "/api/healthz"), 401)
        for path in ("/admin/users", "/api/admin/users"):
            assert (await call(app, "GET", path, token=READER)).status == 404
            assert (await call(app, "GET", path, token=ADMIN)).status == 200


@pytest.mark.attack("A-F-8")
@pytest.mark.parametrize("status", [200, 204])
async def test_preflight_has_no_body(status: int, authorization_server: ScriptedAS) -> None:
    """An application whose views run whatever the method is shown no body of a preflight, and none of its is sent."""
    seen: list[bytes] = []

    async def careless(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        seen.append(await request.body())
        seen.append((await receive())["type"].encode())
        await Response(b"secret", status)(scope, receive, send)

    app = BearerTokenMiddleware(careless, authorization_server.server(), default=Requirement.of("read", hide=True))
    asked = [(b"origin", ORIGIN), (b"access-control-request-method", b"GET")]
    parts: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"delete=", "more_body": True},
        {"type": "http.request", "body": b"everything"},
    ]
    answer = await call(app, "OPTIONS", "/things", headers=asked, body=parts)
    assert (answer.status, answer.body, seen) == (status, b"", [b"", b"http.disconnect"])
    assert answer.header("content-length") == (None if status == 204 else "0")


@pytest.mark.rfc("9728-3-a", "9728-3.2-a")
async def test_metadata(authorization_server: ScriptedAS) -> None:
    """RFC 9728 §3: the server's own metadata need no token, whatever the host; every other method is told so."""
    app = wrapped(authorization_server.server(resource="https://api.example.test/v1"))
    path = "/.well-known/oauth-protected-resource/v1"
    answer = await call(app, "GET", path)
    assert (answer.status, answer.json()["resource"]) == (200, "https://api.example.test/v1")
    assert (await call(app, "HEAD", path)).body == b""
    assert (await call(app, "POST", path)).status == 405
    assert_refused(await call(app, "GET", f"{path}/"), 401)
    refused = (await handshake(app, path)).answer
    assert refused is not None
    assert_refused(refused, 401)


async def feeds(app: App, path: str, token: str | None, *, denial: bool = True) -> Handshake:
    """Open a WebSocket."""
    return await handshake(app, path, token=token, denial=denial)


@PLACES
async def test_websocket(place: Any, authorization_server: ScriptedAS) -> None:
    """A handshake is judged like a request, and refused with a response where the server can send one."""
    app = place(authorization_server.server(), rules=RULES)
    for token, status, error, scope in (
        (None, 401, None, "read"),
        ("unknown-canary", 401, "invalid_token", ""),
        (NOBODY, 403, "insufficient_scope", "read"),
    ):
        refused = await feeds(app, "/feed", token)
        assert not refused.accepted
        assert refused.answer is not None
        assert_refused(refused.answer, status, error, scope=scope)
        closed = await feeds(app, "/feed", token, denial=False)
        assert (closed.accepted, closed.answer, closed.close_code) == (False, None, 1008)
    opened = await feeds(app, "/feed", READER)
    assert (opened.accepted, opened.texts) == (True, ("hello alice",))


@PLACES
async def test_hidden_websocket(place: Any, authorization_server: ScriptedAS) -> None:
    """A hidden feed is what a missing one is."""
    app = place(authorization_server.server(), rules=RULES)
    for denial in (True, False):
        missing = await feeds(app, "/unknown", READER, denial=denial)
        assert (missing.accepted, missing.answer, missing.close_code) == (False, None, 1000)
        assert await feeds(app, "/private-feed", READER, denial=denial) == missing


@pytest.mark.rfc("6750-2.2-a", "6750-2.2-b")
async def test_form_token(authorization_server: ScriptedAS) -> None:
    """RFC 6750 §2.2: where form tokens are enabled one lets in, and the endpoint still sees the whole form."""
    app = wrapped(authorization_server.server(form_token=True), rules=RULES)
    body = b"access_token=" + WRITER.encode() + b"&x=1"
    pieces = [{"type": "http.request", "body": body[at : at + 7], "more_body": True} for at in range(0, len(body), 7)]
    pieces.append({"type": "http.request", "body": b"", "more_body": False})
    answer = await call(app, "POST", "/things", body=pieces, content_type=URLENCODED)
    assert (answer.status, answer.json(), answer.reads) == (200, ["alice", body.decode()], len(pieces))
    large = [{"type": "http.request", "body": b"x" * 16_384, "more_body": True}] * 5
    large.append({"type": "http.request", "body": b"=1", "more_body": False})
    whole = await call(app, "POST", "/things", token=WRITER, body=large, content_type=URLENCODED)
    assert len(whole.json()[1]) == 5 * 16_384 + 2
    assert_refused(await call(app, "POST", "/things", body=b"x=1", content_type=URLENCODED), 401, scope="read write")
    off = wrapped(authorization_server.server())
    refused = await call(off, "POST", "/things", body=body, content_type=URLENCODED)
    assert_refused(refused, 401)
    assert refused.reads == 0


@pytest.mark.rfc("6750-2.3-b")
async def test_query_token(authorization_server: ScriptedAS) -> None:
    """RFC 6750 §2.3: no shared cache may keep what a URL with a token in it was answered with."""
    app = wrapped(authorization_server.server(query_token=True))
    answer = await call(app, "GET", "/things", query=b"access_token=" + READER.encode())
    assert (answer.status, answer.header("cache-control")) == (200, "private")


@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + ADMIN.encode())],
        [(b"authorization", b"Basic cnM6cnM=")],
    ],
    ids=["two bearers", "two schemes"],
)
async def test_two_credentials(headers: Any, authorization_server: ScriptedAS) -> None:
    """Two Authorization fields are a bad request, and the application is not entered."""
    app = wrapped(authorization_server.server())
    assert_refused(await call(app, "GET", "/things", token=READER, headers=headers), 400, "invalid_request")
    assert authorization_server.introspections == 0


@pytest.mark.attack("A-R-6", "A-R-8")
@pytest.mark.parametrize(
    ("query", "headers", "error"),
    [
        (b"access_token[]=reader-canary", [], None),
        (b"access_token=", [], None),
        (b"ACCESS_TOKEN=reader-canary", [], None),
        (b"x=1;access_token=reader-canary", [], None),
        (b"", [(b"authorization", b"Bearer \xff\xfe-canary")], "invalid_token"),
    ],
)
async def test_no_token(query: bytes, headers: Any, error: str | None, authorization_server: ScriptedAS) -> None:
    """What only looks like a token is none."""
    app = wrapped(authorization_server.server(query_token=True))
    answer = await call(app, "GET", "/things", query=query, headers=headers)
    assert answer.status in {400, 401}
    assert assert_promises(answer).get("error") in {error, "invalid_request" if error else None}
    assert authorization_server.introspections == 0


@pytest.mark.attack("A-R-9")
@pytest.mark.parametrize(
    "headers",
    [
        [(b"sec-websocket-protocol", b"bearer, " + ADMIN.encode())],
        [(b"cookie", b"access_token=" + ADMIN.encode())],
    ],
    ids=["subprotocols", "cookie"],
)
async def test_token_elsewhere(headers: Any, authorization_server: ScriptedAS) -> None:
    """A token in a subprotocol or a cookie is not taken, and not sent back."""
    refused = (await handshake(wrapped(authorization_server.server()), "/feed", headers=headers)).answer
    assert refused is not None
    assert_refused(refused, 401)
    assert refused.header("sec-websocket-protocol") is None


@pytest.mark.attack("A-R-5")
@pytest.mark.parametrize(
    ("method", "content_type", "body"),
    [
        ("POST", "multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="access_token"\r\n'),
        ("POST", "application/json", b'{"access_token": "reader-canary"}'),
        ("POST", "text/plain", b"access_token=reader-canary"),
        ("GET", URLENCODED, b"access_token=reader-canary"),
    ],
    ids=["multipart", "JSON", "text", "GET"],
)
async def test_not_a_form_token(method: str, content_type: str, body: bytes, authorization_server: ScriptedAS) -> None:
    """A token in any body but a form is not taken."""
    app = wrapped(authorization_server.server(form_token=True))
    assert_refused(await call(app, method, "/things", body=body, content_type=content_type), 401)
    assert authorization_server.introspections == 0


@pytest.mark.attack("A-F-7")
async def test_host(authorization_server: ScriptedAS) -> None:
    """Nothing is decided by Host, and nothing in a refusal is made of it."""
    app = wrapped(authorization_server.server(resource="https://api.example.test"), public=["/healthz"])
    for host in (b"evil.example", b"api.example.test"):
        headers = [(b"host", host), (b"x-forwarded-host", host), (b"x-original-url", b"/healthz")]
        refused = await call(app, "GET", "/things", headers=headers)
        params = assert_refused(refused, 401)
        assert params["resource_metadata"].startswith("https://api.example.test/")
        assert b"evil" not in refused.body


@pytest.mark.rfc("9449-4.3-9")
def test_proofs_for_nowhere(authorization_server: ScriptedAS) -> None:
    """A rule that takes DPoP proofs needs to know the URL that these are for, before anything is served."""
    server = authorization_server.server()
    with pytest.raises(ConfigurationError, match="'/x' takes DPoP proofs"):
        wrapped(server, rules={"/x": Requirement.of(dpop="required")})
    with pytest.raises(ConfigurationError, match=r"'/\*' takes DPoP proofs"):
        wrapped(server, default=Requirement.of(dpop="optional"))


async def test_mounted(authorization_server: ScriptedAS) -> None:
    """A mounted application can have a middleware of its own, whose paths begin where it is mounted."""
    partner = ScriptedAS({"partner-canary": active("read", sub="bob")})
    inner = BearerTokenMiddleware(
        starlette(), partner.server(realm="partner"), public=["/healthz"], rules={"/things": Requirement.of("read")}
    )
    plain = Starlette(routes=[Mount("/partner", inner), *starlette().routes])
    for app in (plain, BearerTokenMiddleware(plain, authorization_server.server(), public=["/partner/healthz"])):
        assert (await call(app, "GET", "/partner/healthz")).body == b"ok"
    refused = await call(plain, "GET", "/partner/things", token=READER)
    assert assert_refused(refused, 401, "invalid_token")["realm"] == "partner"
    assert assert_refused(await call(plain, "GET", "/partner/healthz/"), 401)["realm"] == "partner"
    assert (await call(plain, "GET", "/partner/things", token="partner-canary")).json() == ["bob", ""]


async def test_nested(authorization_server: ScriptedAS) -> None:
    """Of two middlewares each judges, and the inner one's principal is what the endpoint sees."""
    other = ScriptedAS({READER: active("read", sub="carol")})
    app = BearerTokenMiddleware(wrapped(other.server()), authorization_server.server())
    assert (await call(app, "GET", "/things", token=READER)).json() == ["carol", ""]
    assert_refused(await call(app, "GET", "/things", token=WRITER), 401, "invalid_token")


def test_principal_of_nobody() -> None:
    """Where no middleware stands in front, asking who calls is a mistake, and loud."""
    for scope in ({}, {"user": Principal()}, Request({"type": "http"})):
        with pytest.raises(ConfigurationError, match="nobody was judged"):
            principal_of(scope)


async def test_unknown_scope(authorization_server: ScriptedAS) -> None:
    """What is neither a request nor a handshake is not passed on unjudged."""
    with pytest.raises(ConfigurationError, match="'telepathy'"):
        await wrapped(authorization_server.server())({"type": "telepathy"}, None, None)
