"""The metadata of the resource server, as any client, proxy or browser reads them (RFC 9728)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from resource_server import ResourceServer
from resource_server.fastapi import install, require
from tests.support.answer import Answer
from tests.support.asgi import call, handshake
from tests.support.fastapi_app import ISSUER, READER, ScriptedAS
from tests.support.headers import parse_challenges

pytestmark = pytest.mark.anyio

RESOURCE = "https://api.example.test/v1"
PATH = "/.well-known/oauth-protected-resource/v1"
ORIGIN = (b"origin", b"https://app.example.test")


def api(server: ResourceServer) -> FastAPI:
    """Make an application that needs a token everywhere, and has a route for every path."""
    app = FastAPI(dependencies=[require("read")])

    @app.get("/{path:path}")
    async def everything(path: str) -> str:
        return path

    install(app, server)
    return app


def server_of(authorization_server: ScriptedAS, **options: Any) -> ResourceServer:
    """Make a server that has an identifier."""
    return authorization_server.server(**({"resource": RESOURCE} | options))


def assert_metadata(answer: Answer, resource: str = RESOURCE) -> None:
    """Assert that this is the document."""
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.json()["resource"] == resource
    assert answer.json()["authorization_servers"] == [ISSUER]


@pytest.mark.rfc("9728-3-a", "9728-3.2-a", "9728-x-a", "mcp-2")
async def test_served(authorization_server: ScriptedAS) -> None:
    """RFC 9728 §3: it is served before every route, without a token; nobody is asked for it."""
    app = api(server_of(authorization_server))
    assert_metadata(await call(app, "GET", PATH))
    assert_metadata(await call(app, "GET", PATH, token="unknown", query=b"x=1"))
    head = await call(app, "HEAD", PATH)
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == str(len((await call(app, "GET", PATH)).body))
    assert authorization_server.introspections == 0


@pytest.mark.rfc("9728-3.2-a")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_other_methods(authorization_server: ScriptedAS, method: str) -> None:
    """RFC 9110 §15.5.6: it can only be read, and no byte of a body is."""
    answer = await call(api(server_of(authorization_server)), method, PATH, body=b"x" * 10)
    assert (answer.status, answer.body, answer.reads) == (405, b"", 0)
    assert answer.header("allow") == "GET, HEAD, OPTIONS"


@pytest.mark.rfc("9728-3.3-a", "9728-5.1-a")
@pytest.mark.attack("A-F-7")
@pytest.mark.parametrize(
    "field",
    [
        (b"host", b"evil.example"),
        (b"x-forwarded-host", b"evil.example"),
        (b"forwarded", b"host=evil.example;proto=http"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-prefix", b"/evil"),
    ],
)
async def test_host_is_ignored(authorization_server: ScriptedAS, field: tuple[bytes, bytes]) -> None:
    """RFC 9728 §3.3: what a request says of where it goes changes neither the document nor the challenge."""
    app = api(server_of(authorization_server))
    assert_metadata(await call(app, "GET", PATH, headers=[field]))
    refused = await call(app, "GET", "/x", headers=[field])
    [challenge] = parse_challenges(refused.header("www-authenticate") or "")
    assert challenge.params["resource_metadata"] == f"https://api.example.test{PATH}"


@pytest.mark.rfc("9728-5.1-a", "mcp-2")
@pytest.mark.parametrize("resource", ["https://api.example.test", RESOURCE, "https://api.example.test/a/b/"])
@pytest.mark.parametrize("token", [None, "unknown", READER])
async def test_found_by_a_challenge(authorization_server: ScriptedAS, resource: str, token: str | None) -> None:
    """RFC 9728 §5.1: every refusal names where the document is, and there it is."""
    app = FastAPI()

    @app.get("/x", dependencies=[require("write")])
    async def x() -> str:
        return "x"

    install(app, server_of(authorization_server, resource=resource))
    refused = await call(app, "GET", "/x", token=token)
    assert refused.status in (401, 403)
    for challenge in parse_challenges(refused.header("www-authenticate") or ""):
        url = urlsplit(challenge.params["resource_metadata"])
        assert (url.scheme, url.netloc) == ("https", "api.example.test")
        assert_metadata(await call(app, "GET", url.path), resource)


@pytest.mark.rfc("9728-x-a")
@pytest.mark.parametrize("with_cors", [False, True], ids=["alone", "with CORS"])
async def test_other_origins(authorization_server: ScriptedAS, *, with_cors: bool) -> None:
    """A browser reads it from any origin, with fields of its own, also where the application lets none in."""
    app = api(server_of(authorization_server))
    if with_cors:
        app.add_middleware(CORSMiddleware, allow_origins=["https://other.example.test"])
    answer = await call(app, "GET", PATH, headers=[ORIGIN])
    assert_metadata(answer)
    assert answer.header("access-control-allow-origin") == "*"
    if not with_cors:  # else the middleware answers, and lets in whom it is told to
        asked = [ORIGIN, (b"access-control-request-method", b"GET"), (b"access-control-request-headers", b"x-version")]
        preflight = await call(app, "OPTIONS", PATH, headers=asked)
        assert preflight.status == 204
        assert preflight.header("access-control-allow-origin") == "*"
        assert preflight.header("access-control-allow-headers") == "*"
        assert "GET" in (preflight.header("access-control-allow-methods") or "")


async def test_other_paths(authorization_server: ScriptedAS) -> None:
    """What is not this path is the application's, and so is this path where the server has no identifier."""
    app = api(server_of(authorization_server))
    for path in ("/.well-known/oauth-protected-resource", f"{PATH}/", f"{PATH}/x", "/v1"):
        assert (await call(app, "GET", path)).status == 401
    assert (await call(api(authorization_server.server()), "GET", PATH)).status == 401
    assert not (await handshake(app, PATH)).accepted


@pytest.mark.rfc("9728-3-a")
async def test_behind_a_prefix(authorization_server: ScriptedAS) -> None:
    """An application that is served under a prefix finds the path with it and without."""
    transport = httpx.ASGITransport(api(server_of(authorization_server)), root_path="/v1")
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example.test") as client:
        for path in (PATH, f"/v1{PATH}"):
            assert (await client.get(path)).json()["resource"] == RESOURCE


@pytest.mark.rfc("9728-3-a")
async def test_mounted(authorization_server: ScriptedAS) -> None:
    """Of two applications, one within the other, each serves its own, where the outer one hands requests on."""
    inner, outer = FastAPI(), FastAPI()
    install(inner, server_of(authorization_server, resource="https://api.example.test/inner"))
    install(outer, server_of(authorization_server))
    outer.mount("/sub", inner)
    assert_metadata(await call(outer, "GET", PATH))
    handed_on = "/sub/.well-known/oauth-protected-resource/inner"
    assert_metadata(await call(outer, "GET", handed_on), "https://api.example.test/inner")


async def test_not_in_the_schema(authorization_server: ScriptedAS) -> None:
    """It is no part of the application's own interface."""
    found = (await call(api(server_of(authorization_server)), "GET", "/openapi.json")).json()
    assert list(found["paths"]) == ["/{path}"]


@pytest.mark.rfc("9728-2-b")
async def test_options_in_force(authorization_server: ScriptedAS, tmp_path: Any) -> None:
    """RFC 9728 §2: when the options change, so does the document."""
    file = tmp_path / "rs.toml"
    lines = [f'issuer = "{ISSUER}"', 'audience = "urn:rs"', 'client_id = "rs"', 'client_secret = "s"']

    def write(*more: str) -> None:
        file.write_text("\n".join([*lines, f'resource = "{RESOURCE}"', *more]))

    write()
    server = ResourceServer.from_env(env_file=None, toml_file=file, transport=authorization_server.transport())
    app = api(server)
    assert "scopes_supported" not in (await call(app, "GET", PATH)).json()
    write('scopes_supported = ["read"]')
    assert server.reload()
    assert (await call(app, "GET", PATH)).json()["scopes_supported"] == ["read"]
