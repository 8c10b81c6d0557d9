"""Whatever way a request takes to its route, it is judged by all that the route requires, and by nothing else."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from resource_server import BearerTokenError, ConfigurationError, InsufficientScope, Principal
from resource_server.fastapi import install, require
from tests.support.asgi import call, handshake
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS, active
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

BROKEN_JSON: dict[str, Any] = {"body": b'{"n": ', "content_type": "application/json"}


def items(*, dependencies: list[Any] | None = None) -> APIRouter:
    """Make a router with one route that reads a body."""
    router = APIRouter(prefix="/items", dependencies=dependencies)

    @router.post("/{item_id}")
    async def create(item_id: int, n: Annotated[int, Body(embed=True)]) -> int:
        return item_id + n

    return router


@pytest.mark.attack("A-F-1")
async def test_nested_inclusions(authorization_server: ScriptedAS) -> None:
    """A route of a router within a router has the demands of both and of the inclusion, before its body."""
    outer = APIRouter(prefix="/v1", dependencies=[require("read")])
    outer.include_router(items(), prefix="/shop", dependencies=[require("write")])
    app = FastAPI()
    app.include_router(outer, prefix="/api")
    install(app, authorization_server.server())
    path = "/api/v1/shop/items/1"
    for _ in range(2):
        assert_refused(await call(app, "POST", path, **BROKEN_JSON), 401, scope="read write")
        refused = await call(app, "POST", path, token=READER, **BROKEN_JSON)
        assert_refused(refused, 403, "insufficient_scope", scope="read write")
        assert (await call(app, "POST", path, token=WRITER, **BROKEN_JSON)).status == 422
        answer = await call(app, "POST", path, token=WRITER, body=b'{"n": 2}', content_type="application/json")
        assert (answer.status, answer.json()) == (200, 3)


async def test_included_twice(authorization_server: ScriptedAS) -> None:
    """A router that is included in several places has in each the demands of that place, whichever is asked first."""
    app, router = FastAPI(), items()
    app.include_router(router, prefix="/public")
    app.include_router(router, prefix="/readers", dependencies=[require("read")])
    app.include_router(router, prefix="/admins", dependencies=[require("admin")])
    install(app, authorization_server.server())
    sent: dict[str, Any] = {"body": b'{"n": 1}', "content_type": "application/json"}
    for _ in range(2):
        assert_refused(await call(app, "POST", "/readers/items/1", **sent), 401, scope="read")
        assert (await call(app, "POST", "/public/items/1", **sent)).status == 200
        assert (await call(app, "POST", "/readers/items/1", token=READER, **sent)).status == 200
        refused = await call(app, "POST", "/admins/items/1", token=READER, **sent)
        assert_refused(refused, 403, "insufficient_scope", scope="admin")
        assert (await call(app, "POST", "/admins/items/1", token=ADMIN, **sent)).status == 200


async def test_websocket_of_an_included_router(authorization_server: ScriptedAS) -> None:
    """A WebSocket route has the demands of the inclusion as well."""
    app, router = FastAPI(), APIRouter()

    @router.websocket("/feed", dependencies=[require("read")])
    async def feed() -> None: ...

    app.include_router(router, prefix="/api", dependencies=[require("admin")])
    install(app, authorization_server.server())
    refused = (await handshake(app, "/api/feed", token=READER)).answer
    assert refused is not None
    assert_refused(refused, 403, "insufficient_scope", scope="read admin")


async def test_mounted_application(authorization_server: ScriptedAS) -> None:
    """A mounted application needs no install of its own: refusals look the same, also before the body."""
    mounted = FastAPI()
    mounted.include_router(items(dependencies=[require("write")]))

    @mounted.get("/public")
    async def public() -> str:
        return "public"

    app = FastAPI()
    app.mount("/shop", mounted)
    install(app, authorization_server.server())
    for _ in range(2):
        assert_refused(await call(app, "POST", "/shop/items/1", **BROKEN_JSON), 401, scope="write")
        refused = await call(app, "POST", "/shop/items/1", token=READER)
        assert_refused(refused, 403, "insufficient_scope", scope="write")
        assert (await call(app, "GET", "/shop/public")).status == 200
        assert (await call(app, "POST", "/shop/items/1", token=WRITER, **BROKEN_JSON)).status == 422


async def test_domain_refusal_in_a_mounted_application(authorization_server: ScriptedAS) -> None:
    """The endpoint of a mounted application can raise a refusal of its own, from its very first request."""
    mounted = FastAPI()

    @mounted.get("/things", dependencies=[require("read")])
    async def things() -> None:
        raise InsufficientScope(scope=("owner",))

    app = FastAPI()
    app.mount("/shop", mounted)
    install(app, authorization_server.server())
    refused = await call(app, "GET", "/shop/things", token=READER)
    assert_refused(refused, 403, "insufficient_scope", scope="owner")


async def test_handler_of_a_mounted_application(authorization_server: ScriptedAS) -> None:
    """A mounted application's own handler of refusals is the one for its routes, and for no others."""
    mounted = FastAPI()
    mounted.include_router(items(dependencies=[require("write")]))

    @mounted.exception_handler(BearerTokenError)
    async def teapot(_: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__, 418)

    app = FastAPI()
    app.mount("/shop", mounted)
    app.include_router(items(dependencies=[require("write")]))
    install(app, authorization_server.server())
    for _ in range(2):
        refused = await call(app, "POST", "/shop/items/1", **BROKEN_JSON)
        assert (refused.status, refused.body) == (418, b"MissingToken")
        assert_refused(await call(app, "POST", "/items/1", **BROKEN_JSON), 401, scope="write")


async def test_mounted_application_of_another_issuer(authorization_server: ScriptedAS) -> None:
    """A mounted application with an install of its own is judged by its own server alone, its bodies included."""
    partner = ScriptedAS({"partner-canary": active("read")})
    mounted = FastAPI()
    mounted.include_router(items(dependencies=[require("read")]))
    install(mounted, partner.server(realm="partner"))
    app = FastAPI()
    app.mount("/partner", mounted)
    app.include_router(items(dependencies=[require("read")]))
    install(app, authorization_server.server())
    sent: dict[str, Any] = {"body": b'{"n": 1}', "content_type": "application/json"}
    for _ in range(2):
        refused = await call(app, "POST", "/partner/items/1", token=READER, **sent)
        assert assert_refused(refused, 401, "invalid_token")["realm"] == "partner"
        assert authorization_server.introspections == 0
        assert (await call(app, "POST", "/partner/items/1", token="partner-canary", **sent)).status == 200
        assert authorization_server.introspections == 0
    refused = await call(app, "POST", "/items/1", token="partner-canary", **sent)
    assert assert_refused(refused, 401, "invalid_token")["realm"] == "api"
    assert (await call(app, "POST", "/items/1", token=READER, **sent)).status == 200


async def test_route_added_later(authorization_server: ScriptedAS) -> None:
    """Routes that are added to the application or to an included router while it serves are protected like others."""
    app, router = FastAPI(), APIRouter()
    app.include_router(router)
    install(app, authorization_server.server())
    assert (await call(app, "POST", "/late", **BROKEN_JSON)).status == 404

    async def late(body: dict[str, int]) -> int:
        return len(body)

    app.post("/late", dependencies=[require("read")])(late)
    router.post("/later", dependencies=[require("read")])(late)
    for path in ("/late", "/later"):
        assert_refused(await call(app, "POST", path, **BROKEN_JSON), 401, scope="read")
        sent = await call(app, "POST", path, token=READER, body=b"{}", content_type="application/json")
        assert sent.status == 200


async def test_overriding_dependency(authorization_server: ScriptedAS) -> None:
    """A dependency that overrides another one and demands more is heard, though the route did not show its demand."""
    app = FastAPI()

    async def user() -> str:
        raise AssertionError

    async def administrator(principal: Annotated[Principal, require("admin", hide=True)]) -> str:
        return principal.subject or ""

    @app.post("/things")
    async def things(name: Annotated[str, Depends(user)], body: dict[str, int]) -> str:
        return name * len(body)

    @app.get("/things", dependencies=[require("read")])
    async def read_things(name: Annotated[str, Depends(user)]) -> str:
        return name

    app.dependency_overrides[user] = administrator
    install(app, authorization_server.server())
    sent: dict[str, Any] = {"body": b'{"n": 1}', "content_type": "application/json"}
    for _ in range(2):
        assert_refused(await call(app, "POST", "/things", **sent), 401, scope="admin")
        assert (await call(app, "POST", "/things", token=WRITER, **sent)).status == 404
        assert (await call(app, "POST", "/things", token=ADMIN, **sent)).json() == "alice"
        assert_refused(await call(app, "GET", "/things", token=NOBODY), 403, "insufficient_scope", scope="read")
        assert (await call(app, "GET", "/things", token=READER)).status == 404
        assert (await call(app, "GET", "/things", token=ADMIN)).json() == "alice"


@pytest.mark.attack("A-F-12")
async def test_override_switches_nothing_off(authorization_server: ScriptedAS) -> None:
    """A dependency that is overridden by one without demands leaves the route as protected as it was written."""
    app = FastAPI()

    async def user(principal: Annotated[Principal, require("read")]) -> str:
        return principal.subject or ""

    @app.api_route("/things", methods=["GET", "POST"])
    async def things(name: Annotated[str, Depends(user)]) -> str:
        return name

    app.dependency_overrides[user] = lambda: "somebody"
    install(app, authorization_server.server())
    for method in ("GET", "POST"):
        assert_refused(await call(app, method, "/things"), 401, scope="read")
        assert (await call(app, method, "/things", token=READER)).json() == "somebody"


async def test_frontend(authorization_server: ScriptedAS, tmp_path: Path) -> None:
    """Static files that FastAPI serves behind the application's dependencies are protected by each of them."""
    (tmp_path / "index.html").write_text("<p>private</p>", encoding="utf-8")
    app = FastAPI(dependencies=[require("read"), require("admin")])
    if not hasattr(app, "frontend"):
        pytest.skip("this FastAPI has no frontend()")
    app.frontend("/", directory=tmp_path)
    install(app, authorization_server.server())
    for _ in range(2):
        assert (await call(app, "GET", "/")).status == 401
        assert (await call(app, "GET", "/", token=NOBODY)).status == 403
        refused = await call(app, "GET", "/", token=READER)
        assert "admin" in assert_refused(refused, 403, "insufficient_scope", scope="admin")["scope"]
        assert (await call(app, "GET", "/", token=ADMIN)).body == b"<p>private</p>"


async def test_plain_starlette_neighbour(authorization_server: ScriptedAS) -> None:
    """A mounted Starlette application knows no `require`: it is public, and reads its body."""

    async def echo(request: Request) -> Response:
        return PlainTextResponse(await request.body())

    app = FastAPI(dependencies=[require("read")])
    app.mount("/plain", Starlette(routes=[Route("/echo", echo, methods=["POST"])]))
    install(app, authorization_server.server())
    assert (await call(app, "POST", "/plain/echo", body=b"hello")).body == b"hello"
    assert authorization_server.introspections == 0


class Foreign:
    """An application of a framework that means something else by its routes."""

    def routes(self) -> str:
        """Say something."""
        return "not a list"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await PlainTextResponse("foreign")(scope, receive, send)


async def test_foreign_neighbour(authorization_server: ScriptedAS) -> None:
    """An application of another framework can be mounted, whatever it is like inside."""
    app = FastAPI()
    app.mount("/foreign", Foreign())
    install(app, authorization_server.server())
    assert (await call(app, "GET", "/foreign/things")).body == b"foreign"


async def test_contradicting_audiences(authorization_server: ScriptedAS) -> None:
    """A route that demands two audiences can be satisfied by nobody: it is a mistake, loud, and never open."""
    app = FastAPI(dependencies=[require(audience="one")])

    @app.get("/things", dependencies=[require(audience="two")])
    async def things() -> None:
        raise HTTPException(200)

    install(app, authorization_server.server())
    with pytest.raises(ConfigurationError, match="two audiences"):
        await call(app, "GET", "/things", token=ADMIN)
