"""`require` says what a route needs, at any of the places FastAPI has for a dependency."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket

from resource_server import Assurance, ConfigurationError, Principal, all_of, any_of
from resource_server.fastapi import install, require
from tests.support.asgi import call, handshake
from tests.support.fastapi_app import NOBODY, READER, WRITER, ScriptedAS
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

READ = require("read")


def annotated() -> FastAPI:
    """Say it in the annotation of a parameter."""
    app = FastAPI()

    @app.get("/things")
    async def things(principal: Annotated[Principal, require("read")]) -> str:
        return principal.subject or ""

    return app


def default() -> FastAPI:
    """Say it as a parameter's default value."""
    app = FastAPI()

    @app.get("/things")
    async def things(principal: Principal = READ) -> str:
        return principal.subject or ""

    return app


def sync() -> FastAPI:
    """Say it on an endpoint that runs in a thread."""
    app = FastAPI()

    @app.get("/things")
    def things(principal: Annotated[Principal, require("read")]) -> str:
        return principal.subject or ""

    return app


def on_route() -> FastAPI:
    """Say it in the dependencies of a route."""
    app = FastAPI()

    @app.get("/things", dependencies=[READ])
    async def things() -> str:
        return "alice"

    return app


def on_router() -> FastAPI:
    """Say it in the dependencies of a router."""
    app, router = FastAPI(), APIRouter(dependencies=[READ])

    @router.get("/things")
    async def things() -> str:
        return "alice"

    app.include_router(router)
    return app


def on_inclusion() -> FastAPI:
    """Say it where a router is included."""
    app, router = FastAPI(), APIRouter()

    @router.get("/things")
    async def things() -> str:
        return "alice"

    app.include_router(router, dependencies=[READ])
    return app


def on_app() -> FastAPI:
    """Say it in the dependencies of the application."""
    app = FastAPI(dependencies=[READ])

    @app.get("/things")
    async def things() -> str:
        return "alice"

    return app


def nested() -> FastAPI:
    """Say it in a dependency of a dependency."""
    app = FastAPI()

    async def current_user(principal: Annotated[Principal, require("read")]) -> str:
        return principal.subject or ""

    async def greeting(user: Annotated[str, Depends(current_user)]) -> str:
        return user

    @app.get("/things")
    async def things(greeted: Annotated[str, Depends(greeting)]) -> str:
        return greeted

    return app


PLACES = [annotated, default, sync, on_route, on_router, on_inclusion, on_app, nested]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.rfc("6750-2.1-a", "6750-3-a", "6750-3.1-b", "6750-3.1-c")
async def test_every_place(place: Callable[[], FastAPI], authorization_server: ScriptedAS) -> None:
    """RFC 6750 §3: wherever it is said, no token and a bad one are a 401, a narrow one is a 403, a good one passes."""
    app = place()
    install(app, authorization_server.server())
    for _ in range(2):  # the first request to a route is judged at another moment than the later ones
        assert_refused(await call(app, "GET", "/things"), 401, scope="read")
        assert_refused(await call(app, "GET", "/things", token="unknown-canary"), 401, "invalid_token")
        assert_refused(await call(app, "GET", "/things", token=NOBODY), 403, "insufficient_scope", scope="read")
        answer = await call(app, "GET", "/things", token=READER)
        assert (answer.status, answer.json()) == (200, "alice")


async def test_on_a_websocket(authorization_server: ScriptedAS) -> None:
    """A WebSocket route says it in the same ways, and its endpoint receives the same principal."""
    app = FastAPI()

    @app.websocket("/annotated")
    async def annotated_feed(websocket: WebSocket, principal: Annotated[Principal, require("read")]) -> None:
        await websocket.accept()
        await websocket.send_text(principal.subject or "")

    @app.websocket("/listed", dependencies=[READ])
    async def listed_feed(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("alice")

    install(app, authorization_server.server())
    for path in ("/annotated", "/listed"):
        opened = await handshake(app, path, token=READER)
        assert (opened.accepted, opened.texts) == (True, ("alice",))
        assert not (await handshake(app, path)).accepted


@pytest.mark.rfc("6750-3.1-c", "mcp-3")
async def test_demands_add_up(authorization_server: ScriptedAS) -> None:
    """RFC 6750 §3.1: demands of application, router, route and nested dependencies add up; one 403 names them all."""
    app, router = FastAPI(dependencies=[require("app")]), APIRouter(dependencies=[require("router")])

    async def deep(principal: Annotated[Principal, require("deep", "app")]) -> Principal:
        return principal

    @router.get("/things", dependencies=[require("route")])
    async def things(
        principal: Annotated[Principal, require("endpoint")], again: Annotated[Principal, Depends(deep)]
    ) -> bool:
        return principal is again

    app.include_router(router, dependencies=[require("inclusion")])
    authorization_server.tokens["all-canary"] = {
        **authorization_server.tokens[NOBODY],
        "scope": "app router inclusion route endpoint deep",
    }
    install(app, authorization_server.server())
    scope = "app inclusion router route endpoint deep"
    for _ in range(2):
        refused = await call(app, "GET", "/things", token=READER)
        assert_refused(refused, 403, "insufficient_scope", scope=scope)
        assert sorted(refused.json()["scope"].split()) == sorted(scope.split())
    passed = await call(app, "GET", "/things", token="all-canary")
    assert (passed.status, passed.json()) == (200, True)


@pytest.mark.attack("A-F-13")
async def test_introspected_once(authorization_server: ScriptedAS) -> None:
    """However many demands a route has, the authorization server is asked once for a request, even without a cache."""
    app = FastAPI(dependencies=[require("read")])

    @app.post("/things", dependencies=[require("write")])
    async def things(body: dict[str, int], principal: Annotated[Principal, require("read", "write")]) -> int:
        return body["n"] + len(principal.scopes)

    install(app, authorization_server.server(cache_ttl=0, negative_cache_ttl=0))
    for expected in (1, 2):
        answer = await call(app, "POST", "/things", token=WRITER, body=b'{"n": 1}', content_type="application/json")
        assert (answer.status, answer.json()) == (200, 3)
        assert authorization_server.introspections == expected
    await call(app, "POST", "/things", token=READER, body=b'{"n": 1}', content_type="application/json")
    assert authorization_server.introspections == 3


async def test_alternatives(authorization_server: ScriptedAS) -> None:
    """A requirement made with `any_of` is met by any of its scopes, and a refusal asks for the first."""
    app = FastAPI()

    @app.get("/either", dependencies=[require(any_of("admin", "read"))])
    async def either() -> str:
        return "either"

    @app.get("/combined", dependencies=[require(any_of("admin", all_of("read", "write")), "read")])
    async def combined() -> str:
        return "combined"

    install(app, authorization_server.server())
    assert (await call(app, "GET", "/either", token=READER)).status == 200
    refused = await call(app, "GET", "/either", token=NOBODY)
    assert_refused(refused, 403, "insufficient_scope", scope="admin")
    assert (await call(app, "GET", "/combined", token=WRITER)).status == 200
    refused = await call(app, "GET", "/combined", token=READER)
    assert_refused(refused, 403, "insufficient_scope", scope="admin read")


async def test_any_token(authorization_server: ScriptedAS) -> None:
    """Without a scope any valid token will do, and the challenge asks for none."""
    app = FastAPI()

    @app.get("/things")
    async def things(principal: Annotated[Principal, require()]) -> list[str]:
        return sorted(principal.scopes)

    install(app, authorization_server.server())
    assert_refused(await call(app, "GET", "/things"), 401)
    assert (await call(app, "GET", "/things", token=NOBODY)).json() == []


@pytest.mark.rfc("6750-3-d")
@pytest.mark.parametrize("scope", ['a"b', "a\\b", "é", "a\r\nX: 1", "a b", "", "\x7f"])
def test_illegal_scope(scope: str) -> None:
    """RFC 6750 §3: a scope that no challenge can carry is refused where it is written down."""
    with pytest.raises(ConfigurationError):
        require(scope)


@pytest.mark.parametrize("status", [200, 403, 500, "503"])
def test_illegal_unavailable_status(status: Any) -> None:
    """An outage is answered with 401 or 503; anything else is a mistake, and the message holds the value."""
    with pytest.raises(ConfigurationError, match=repr(status)):
        require("read", unavailable_status=status)


def test_illegal_assurance() -> None:
    """An assurance that does not exist is refused where it is written down."""
    with pytest.raises(ConfigurationError, match="certain"):
        require("read", assurance="certain")  # type: ignore[arg-type]
    assert require("read", assurance=Assurance.INTROSPECTED) is not None
