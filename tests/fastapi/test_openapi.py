"""The OpenAPI document says which routes need a token, and which scopes, and how the docs page can get one."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Security
from fastapi.security import OAuth2PasswordBearer

from resource_server import Principal, any_of
from resource_server.fastapi import install, require
from tests.support.asgi import call
from tests.support.fastapi_app import ISSUER, READER, ScriptedAS
from tests.support.promises import assert_keeps_secrets

pytestmark = pytest.mark.anyio

METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "introspection_endpoint": f"{ISSUER}/introspect",
    "jwks_uri": f"{ISSUER}/jwks",
}
TOKEN_URL, AUTHORIZATION_URL = f"{ISSUER}/token", f"{ISSUER}/authorize"


def api() -> FastAPI:
    """Make an application with public and protected routes."""
    app, router = FastAPI(), APIRouter(dependencies=[require("read")])

    @app.get("/public")
    async def public() -> str:
        return "public"

    @app.get("/any")
    async def anyone(principal: Annotated[Principal, require()]) -> str:
        return principal.subject or ""

    @app.get("/either", dependencies=[require(any_of("admin", "owner"))])
    async def either() -> str:
        return "either"

    @router.post("/orders")
    async def orders(principal: Annotated[Principal, require("write")], body: dict[str, int]) -> int:
        return len(body)

    app.include_router(router, prefix="/v1")
    return app


async def document(app: FastAPI) -> dict[str, Any]:
    """Fetch the OpenAPI document, as the docs page does."""
    answer = await call(app, "GET", "/openapi.json")
    assert answer.status == 200
    assert_keeps_secrets(answer.body.decode())
    found: dict[str, Any] = answer.json()
    return found


async def scheme(app: FastAPI) -> dict[str, Any]:
    """Return the one security scheme that the document describes."""
    [found] = (await document(app))["components"]["securitySchemes"].values()
    assert isinstance(found, dict)
    return found


def demands(found: dict[str, Any], method: str, path: str) -> list[set[str]]:
    """Return the scopes that the document says one operation needs, for each entry of its security."""
    security = found["paths"][path][method].get("security", [])
    return [set(scopes) for entry in security for scopes in entry.values()]


async def test_scopes_of_each_route(authorization_server: ScriptedAS) -> None:
    """Every protected operation names the scheme and all its scopes, and a public one names nothing."""
    app = api()
    install(app, authorization_server.server())
    found = await document(app)
    assert demands(found, "get", "/public") == []
    assert demands(found, "get", "/any") == [set()]
    assert demands(found, "get", "/either") == [{"admin"}, {"owner"}]
    assert demands(found, "post", "/v1/orders") == [{"read", "write"}]
    [name] = found["components"]["securitySchemes"]
    assert {key for entry in found["paths"]["/v1/orders"]["post"]["security"] for key in entry} == {name}


async def test_before_the_metadata_is_known(authorization_server: ScriptedAS) -> None:
    """As long as the authorization server is unknown the scheme is a plain bearer token."""
    app = api()
    install(app, authorization_server.server())
    found = await scheme(app)
    assert (found["type"], found["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize(
    ("members", "flows"),
    [
        ({"token_endpoint": TOKEN_URL}, {"clientCredentials"}),
        (
            {"token_endpoint": TOKEN_URL, "authorization_endpoint": AUTHORIZATION_URL},
            {"clientCredentials", "authorizationCode"},
        ),
    ],
    ids=["client credentials", "authorization code"],
)
async def test_flows(members: dict[str, str], flows: set[str]) -> None:
    """Once the metadata is known, the flows of the authorization server are described, with every scope in use."""
    authorization_server = ScriptedAS(metadata=METADATA | members)
    app = api()
    install(app, authorization_server.server(introspection_endpoint=None))
    assert (await scheme(app))["type"] == "http"
    assert (await call(app, "GET", "/any", token=READER)).status == 200
    for _ in range(2):
        found = await scheme(app)
        assert found["type"] == "oauth2"
        assert found["flows"].keys() == flows
        for flow in found["flows"].values():
            assert flow["tokenUrl"] == TOKEN_URL
            assert flow["scopes"].keys() == {"read", "write", "admin", "owner"}
        if "authorizationCode" in flows:
            assert found["flows"]["authorizationCode"]["authorizationUrl"] == AUTHORIZATION_URL


@pytest.mark.parametrize("members", [{}, {"authorization_endpoint": AUTHORIZATION_URL}])
async def test_no_flow(members: dict[str, str]) -> None:
    """Without a token endpoint there is no flow to describe."""
    app = api()
    install(app, ScriptedAS(metadata=METADATA | members).server(introspection_endpoint=None))
    assert (await call(app, "GET", "/any", token=READER)).status == 200
    assert (await scheme(app))["type"] == "http"


async def test_nothing_is_protected() -> None:
    """A document without a protected operation gets no scheme."""
    app = FastAPI()
    install(app, ScriptedAS(metadata=METADATA | {"token_endpoint": TOKEN_URL}).server())
    assert "components" not in await document(app)


async def test_docs_are_public(authorization_server: ScriptedAS) -> None:
    """The docs of an application that needs a token everywhere can be read without one."""
    app = FastAPI(dependencies=[require("read")])
    install(app, authorization_server.server())
    for path in ("/docs", "/openapi.json"):
        assert (await call(app, "GET", path)).status == 200
    assert authorization_server.introspections == 0


def entries(found: dict[str, Any], path: str) -> list[tuple[str, list[str]]]:
    """Return the schemes and scopes that the document says the GET of a path needs: one entry for each way in."""
    return [item for entry in found["paths"][path]["get"].get("security", []) for item in entry.items()]


@pytest.mark.parametrize(
    ("mode", "offered"),
    [("off", ["BearerToken"]), ("optional", ["BearerToken", "DPoPToken"]), ("required", ["DPoPToken"])],
)
@pytest.mark.parametrize("by_route", [False, True], ids=["server", "route"])
async def test_schemes(authorization_server: ScriptedAS, mode: Any, offered: list[str], *, by_route: bool) -> None:
    """An operation names the schemes it takes, by the server's setting or by its own, and they are described."""
    app = FastAPI()

    @app.get("/pay", dependencies=[require("pay", dpop=mode if by_route else None)])
    async def pay() -> str:
        return "paid"

    options: dict[str, Any] = {"resource": "https://api.example.test", "dpop": "off" if by_route else mode}
    install(app, authorization_server.server(**options))
    for _ in range(2):
        found = await document(app)
        assert entries(found, "/pay") == [(name, ["pay"]) for name in offered]
        schemes = found["components"]["securitySchemes"]
        assert {name: described["scheme"] for name, described in schemes.items()} == {
            name: {"BearerToken": "bearer", "DPoPToken": "DPoP"}[name] for name in offered
        }


async def test_ways_in(authorization_server: ScriptedAS) -> None:
    """Each complete way in is an entry of its own; demands of a router and of its route are needed together."""
    app, router = FastAPI(), APIRouter(dependencies=[require(any_of("a", "b" & any_of("c")), dpop="optional")])

    @router.get("/x", dependencies=[require("d", any_of("e", "a"), dpop="off")])
    async def x() -> str:
        return "x"

    @router.get("/y", dependencies=[require(dpop="required")])
    async def y() -> str:
        return "y"

    app.include_router(router)
    install(app, authorization_server.server(resource="https://api.example.test"))
    found = await document(app)
    schemes, ways = zip(*entries(found, "/x"), strict=True)
    assert [set(way) for way in dict.fromkeys(map(tuple, ways))] == [
        {"a", "d", "e"},
        {"a", "d"},
        {"b", "c", "d", "e"},
        {"a", "b", "c", "d"},
    ]
    assert set(schemes) == {"BearerToken"}
    assert entries(found, "/y") == [("DPoPToken", ["a"]), ("DPoPToken", ["b", "c"])]


async def test_other_schemes(authorization_server: ScriptedAS) -> None:
    """What the application demands besides, by schemes of its own, stands as it was."""
    app = FastAPI()
    own = OAuth2PasswordBearer(tokenUrl="token", scheme_name="Own", auto_error=False)

    @app.get("/x", dependencies=[require("read"), Security(own, scopes=["their own"])])
    async def x() -> str:
        return "x"

    @app.get("/y", dependencies=[Security(own)])
    async def y() -> str:
        return "y"

    install(app, authorization_server.server())
    found = await document(app)
    assert entries(found, "/x") == [("BearerToken", ["read"]), ("Own", ["their own"])]
    assert entries(found, "/y") == [("Own", [])]
    assert found["components"]["securitySchemes"].keys() == {"BearerToken", "Own"}
