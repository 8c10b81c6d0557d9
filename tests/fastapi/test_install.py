"""`install` once, whatever else the application has: lifespans, middleware, CORS, handlers of its own."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

import pytest
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from resource_server import (
    BearerTokenError,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    Principal,
    VerificationUnavailable,
)
from resource_server.fastapi import install, require
from tests.support.asgi import App, call, handshake
from tests.support.fastapi_app import ISSUER, NOBODY, READER, ScriptedAS
from tests.support.promises import assert_promises, assert_refused

pytestmark = pytest.mark.anyio

READ = require("read")
ORIGIN = b"https://shop.example.test"
CORS: dict[str, Any] = {
    "allow_origins": [ORIGIN.decode()],
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["Authorization"],
    "expose_headers": ["WWW-Authenticate"],
}


def api(**options: Any) -> FastAPI:
    """Make an application with a protected route for GET, HEAD and POST."""
    app = FastAPI(**options)

    @app.api_route("/things", methods=["GET", "HEAD"], dependencies=[READ])
    async def read_things() -> str:
        return "things"

    @app.post("/things", dependencies=[READ])
    async def create_thing(body: dict[str, int]) -> int:
        return len(body)

    return app


async def live(app: App) -> dict[str, Any]:
    """Run an application's lifespan from start to end, and return the state it gives to requests."""
    arriving = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []
    state: dict[str, Any] = {}

    async def receive() -> dict[str, Any]:
        return next(arriving)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    return state


@pytest.mark.parametrize("token", [None, READER])
async def test_without_install(token: str | None) -> None:
    """An application without `install` is never silently open: it fails, with or without a token."""
    app = api()

    @app.websocket("/feed", dependencies=[READ])
    async def feed() -> None: ...

    with pytest.raises(ConfigurationError, match="install"):
        await call(app, "GET", "/things", token=token)
    with pytest.raises(ConfigurationError, match="install"):
        await call(app, "POST", "/things", token=token, body=b"{}", content_type="application/json")
    with pytest.raises(ConfigurationError, match="install"):
        await handshake(app, "/feed", token=token)


async def test_twice(authorization_server: ScriptedAS) -> None:
    """A second `install` is refused, and the first one goes on."""
    app = api()
    install(app, authorization_server.server())
    with pytest.raises(ConfigurationError, match="once"):
        install(app, authorization_server.server())
    assert (await call(app, "GET", "/things", token=READER)).status == 200


async def test_too_late(authorization_server: ScriptedAS) -> None:
    """An application that has begun to serve is refused: its first requests were not judged."""
    app = FastAPI()
    assert (await call(app, "GET", "/")).status == 404
    with pytest.raises(ConfigurationError, match="first request"):
        install(app, authorization_server.server())


class State(TypedDict):
    """What the application's own lifespan gives to requests."""

    database: str


async def test_lifespan(authorization_server: ScriptedAS) -> None:
    """The application's own lifespan still runs, inside that of the server, and the state it yields is kept."""
    authorization_server.metadata = {"issuer": ISSUER, "introspection_endpoint": f"{ISSUER}/introspect"}
    server = authorization_server.server(introspection_endpoint=None)
    known: list[bool] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[State, None]:
        known.append(server.metadata is not None)
        yield {"database": "open"}
        known.append(server.metadata is not None)

    app = api(lifespan=lifespan)
    install(app, server)
    assert await live(app) == {"database": "open"}
    assert known == [True, True]
    # The server can be used again after it was closed, with new connections.
    assert (await call(app, "GET", "/things", token=READER)).status == 200


async def test_default_lifespan(authorization_server: ScriptedAS) -> None:
    """An application without a lifespan of its own starts and stops the server all the same."""
    app = api()
    install(app, authorization_server.server())
    assert await live(app) == {}


async def test_authorization_server_is_down_at_start() -> None:
    """An application starts while the authorization server is down, and says so in the log."""
    app = api()
    install(app, ScriptedAS().server(introspection_endpoint=None))
    assert await live(app) == {}
    assert_refused(await call(app, "GET", "/things", token=READER), 401, "invalid_token")


async def test_no_lifespan(authorization_server: ScriptedAS) -> None:
    """Where no lifespan ever runs everything is made at first use."""
    app = api()
    install(app, authorization_server.server())
    assert (await call(app, "GET", "/things", token=READER)).status == 200


@pytest.mark.rfc("9110-11.6.1-a")
async def test_head(authorization_server: ScriptedAS) -> None:
    """RFC 9110 §11.6.1: a 401 to HEAD has the challenge, and no body."""
    app = api()
    install(app, authorization_server.server())
    for _ in range(2):
        refused = await call(app, "HEAD", "/things")
        assert_refused(refused, 401, scope="read")
        assert refused.body == b""
        got = await call(app, "GET", "/things")
        assert refused.header("content-length") == got.header("content-length") == str(len(got.body))
    assert (await call(app, "HEAD", "/things", token=READER)).status == 200


def cors_before(app: FastAPI, authorization_server: ScriptedAS) -> None:
    """Add CORS, then install."""
    app.add_middleware(CORSMiddleware, **CORS)
    install(app, authorization_server.server())


def cors_after(app: FastAPI, authorization_server: ScriptedAS) -> None:
    """Install, then add CORS."""
    install(app, authorization_server.server())
    app.add_middleware(CORSMiddleware, **CORS)


def cors_in_the_constructor(app: FastAPI, authorization_server: ScriptedAS) -> None:
    """Have CORS from the beginning."""
    app.user_middleware = [Middleware(CORSMiddleware, **CORS)]
    install(app, authorization_server.server())


@pytest.mark.attack("A-F-8")
@pytest.mark.rfc("9110-12.5.5-a")
@pytest.mark.parametrize("order", [cors_before, cors_after, cors_in_the_constructor])
async def test_cors(order: Any, authorization_server: ScriptedAS) -> None:
    """Refusals carry the CORS fields, whichever came first, so that a browser's script can read the challenge."""
    app = api()
    order(app, authorization_server)
    for token, status, error in ((None, 401, None), (NOBODY, 403, "insufficient_scope")):
        refused = await call(app, "GET", "/things", token=token, headers=[(b"origin", ORIGIN)])
        assert_refused(refused, status, error, scope="read")
        assert refused.header("access-control-allow-origin") == ORIGIN.decode()
        assert refused.header("access-control-expose-headers") == "WWW-Authenticate"
        varying = {name.strip() for value in refused.all("vary") for name in value.split(",")}
        assert varying == {"Accept", "Origin"}
    preflight = [(b"origin", ORIGIN), (b"access-control-request-method", b"POST")]
    preflight.append((b"access-control-request-headers", b"authorization"))
    allowed = await call(app, "OPTIONS", "/things", headers=preflight)
    assert allowed.status == 200
    assert allowed.header("access-control-allow-origin") == ORIGIN.decode()
    assert authorization_server.introspections == 1


@pytest.mark.attack("A-F-8", "A-R-10")
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "BREW", "get"])
async def test_other_methods(method: str, authorization_server: ScriptedAS) -> None:
    """A method the route does not have reaches no endpoint, and nothing is said about tokens or echoed."""
    app = api()
    install(app, authorization_server.server())
    for token in (None, READER):
        answer = await call(app, method, "/things", token=token)
        assert answer.status == 405
        assert_promises(answer)
    assert authorization_server.introspections == 0


@pytest.mark.attack("A-F-8", "A-R-10")
async def test_options_is_no_way_in(authorization_server: ScriptedAS) -> None:
    """OPTIONS and TRACE need a token like any method, unless a CORS preflight is what they are; nothing is echoed."""
    app = FastAPI()

    @app.api_route("/things", methods=["OPTIONS", "TRACE"], dependencies=[READ])
    async def options() -> str:
        return "options"

    app.add_middleware(CORSMiddleware, **CORS)
    install(app, authorization_server.server())
    for method in ("OPTIONS", "TRACE"):
        for headers in ([], [(b"origin", ORIGIN)], [(b"access-control-request-method", b"POST")]):
            assert_refused(await call(app, method, "/things", headers=headers), 401, scope="read")
        answer = await call(app, method, "/things", token=READER)
        assert (answer.status, answer.json()) == (200, "options")
        assert_promises(answer)


def handled(request: Request, error: Exception) -> JSONResponse:
    """Answer a refusal in the application's own way, from a thread."""
    assert request.url.path == "/things"
    return JSONResponse({"refused": type(error).__name__}, status_code=418)


@pytest.mark.parametrize("first", [True, False], ids=["handler first", "install first"])
async def test_own_handler(first: bool, authorization_server: ScriptedAS) -> None:  # noqa: FBT001 - a parameter of the test
    """The application's own handler of refusals wins, for requests with and without a body, first and later ones."""
    app = api()
    if first:
        app.add_exception_handler(BearerTokenError, handled)
        install(app, authorization_server.server())
    else:
        install(app, authorization_server.server())
        app.add_exception_handler(BearerTokenError, handled)
    for method in ("GET", "POST", "GET", "POST"):
        answer = await call(app, method, "/things", token="unknown-canary")
        assert (answer.status, answer.json()) == (418, {"refused": "InvalidToken"})


async def test_own_handler_of_one_refusal(authorization_server: ScriptedAS) -> None:
    """An application can answer one kind of refusal itself, and leave the others."""
    app = api(exception_handlers={InsufficientScope: handled, VerificationUnavailable: handled})
    install(app, authorization_server.server(unavailable_status=503))
    assert_refused(await call(app, "POST", "/things"), 401, scope="read")
    assert (await call(app, "POST", "/things", token=NOBODY)).json() == {"refused": "InsufficientScope"}
    authorization_server.outage = 500
    assert (await call(app, "POST", "/things", token=READER)).json() == {"refused": "VerificationUnavailable"}


async def test_own_handler_of_a_status(authorization_server: ScriptedAS) -> None:
    """RFC 6750 §3: a handler for every 401 or 403 of an application is about its own ones and costs no challenge."""
    app = api(exception_handlers={401: handled, 403: handled, 400: handled})
    install(app, authorization_server.server())
    assert_refused(await call(app, "GET", "/things"), 401, scope="read")
    app.router.post("/late", dependencies=[READ])(_late)
    for path in ("/things", "/late"):
        for _ in range(2):
            assert_refused(await call(app, "POST", path), 401, scope="read")
            refused = await call(app, "POST", path, token=NOBODY)
            assert_refused(refused, 403, "insufficient_scope", scope="read")


async def _late(body: dict[str, int]) -> int:
    return len(body)


async def test_domain_refusals(authorization_server: ScriptedAS) -> None:
    """A refusal that the endpoint raises itself is answered like the others."""
    app = FastAPI()

    @app.get("/mine")
    async def mine(principal: Annotated[Principal, READ]) -> None:
        raise InsufficientScope(scope=("owner", principal.client_id or ""))

    @app.get("/invalid")
    async def invalid() -> None:
        raise InvalidToken("wrong_audience")

    @app.get("/busy", dependencies=[READ])
    async def busy() -> None:
        raise VerificationUnavailable(2.5)

    install(app, authorization_server.server())
    refused = await call(app, "GET", "/mine", token=READER)
    assert_refused(refused, 403, "insufficient_scope", scope="owner app")
    assert_refused(await call(app, "GET", "/invalid"), 401, "invalid_token")
    busy_answer = await call(app, "GET", "/busy", token=READER)
    assert (busy_answer.status, busy_answer.header("retry-after")) == (503, "3")
    assert_promises(busy_answer)


async def test_logs(authorization_server: ScriptedAS, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends bad tokens does not decide how much is logged: one line of each kind, and one for an outage."""
    app = api()
    install(app, authorization_server.server())
    for token in (None, "unknown-canary", NOBODY) * 5:
        await call(app, "GET", "/things", token=token)
    ours = [record for record in caplog.records if record.name == "resource_server"]
    assert [record.levelno for record in ours if record.levelno > logging.DEBUG] == [logging.INFO] * 3
    authorization_server.outage = 500
    for number in range(3):
        await call(app, "GET", "/things", token=f"other-canary-{number}")
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.WARNING]
