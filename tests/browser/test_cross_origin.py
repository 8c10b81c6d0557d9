"""A page of another origin, in a real browser: what it may read of the API's metadata and of its refusals.

References: RFC 9728 section 3, RFC 9449 sections 7.1 and 9, Fetch Standard section 3.3
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse

from mock_as import MockAS
from resource_server import ResourceServer
from resource_server.fastapi import install, require
from tests.support.headers import parse_challenges
from tests.support.live import serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

RESOURCE = "https://api.example.test/v1"
PATH = "/.well-known/oauth-protected-resource/v1"
FETCH = """async ([url, headers]) => {
    const response = await fetch(url, {headers});
    return {status: response.status, headers: Object.fromEntries(response.headers), text: await response.text()};
}"""


@pytest.fixture
def origin() -> Generator[str]:
    """Serve an empty page."""
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    async def empty() -> str:
        return "<!doctype html><title>Elsewhere</title>"

    with serve(app, "h11") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def api(mock: MockAS, origin: str) -> Generator[str]:
    """Serve an API that lets scripts of that page in, and does not think of what they may read."""
    client_id, secret = mock.credentials("rs")
    options: dict[str, Any] = {
        "dpop": "optional",
        "dpop_nonce": True,
        "dpop_secret": "nonce-canary-of-32-bytes-or-more",
    }
    server = ResourceServer(
        issuer=mock.issuer,
        audience=mock.options.audience,
        client_id=client_id,
        client_secret=secret,
        resource=RESOURCE,
        **options,
    )
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=[origin], allow_headers=["authorization", "dpop"])
    install(app, server)

    @app.get("/things", dependencies=[require("read")])
    async def things() -> str:
        return "things"

    with serve(app, "h11") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.rfc("9728-x-a")
def test_metadata(page: Page, api: str, origin: str) -> None:
    """RFC 9728 §3: a script of another origin reads the metadata."""
    page.goto(origin)
    found = page.evaluate(FETCH, [f"{api}{PATH}", {}])
    assert found["status"] == 200
    assert found["headers"]["content-type"] == "application/json"
    assert f'"resource": "{RESOURCE}"' in found["text"]


@pytest.mark.rfc("9449-7.1-c")
def test_challenge(page: Page, api: str, origin: str) -> None:
    """RFC 9449 §7.1: a script reads the challenges of a refusal, and with them where to go on."""
    page.goto(origin)
    found = page.evaluate(FETCH, [f"{api}/things", {}])
    assert found["status"] == 401
    challenges = parse_challenges(found["headers"]["www-authenticate"])
    assert [challenge.scheme for challenge in challenges] == ["bearer", "dpop"]
    assert {challenge.params["resource_metadata"] for challenge in challenges} == {f"https://api.example.test{PATH}"}


@pytest.mark.rfc("9449-7.1-c", "9449-9-a")
def test_nonce(page: Page, api: str, origin: str, mock: MockAS) -> None:
    """RFC 9449 §9: a script reads the nonce that its next proof needs, from a refusal and from a response."""
    token = mock.token("alice", scope="read", token_type="DPoP")
    assert token.prover is not None
    page.goto(origin)
    nonce: str | None = None
    for status in (401, 200):
        claims = {} if nonce is None else {"nonce": nonce}
        proof = token.prover.proof("GET", "https://api.example.test/things", token=token.value, **claims)
        headers = {"authorization": f"DPoP {token.value}", "dpop": proof}
        found = page.evaluate(FETCH, [f"{api}/things", headers])
        assert found["status"] == status
        nonce = found["headers"]["dpop-nonce"]
    assert nonce
