"""A page in a browser: the OAuth endpoints are for it, the control plane is not."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS

pytestmark = pytest.mark.anyio

ORIGIN = {"Origin": "http://127.0.0.1:8000"}
ASKING = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def browser(mock: MockAS) -> httpx.AsyncClient:
    """Return a client that reaches the mock in this process."""
    return httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer)


@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
async def test_preflight(endpoint: str) -> None:
    """A page may send credentials to the OAuth endpoints, and asking whether it may is no request of the journal."""
    mock = MockAS()
    async with browser(mock) as client:
        answer = await client.options(f"/{endpoint}", headers=ASKING)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert mock.requests().count == 0


async def test_a_page_reads_the_answer() -> None:
    """The *Authorize* button of an API's documentation gets a token from another origin, and can read a challenge."""
    mock = MockAS()
    async with browser(mock) as client:
        form = {"grant_type": "client_credentials", "scope": "read"}
        good = await client.post("/token", data=form, auth=mock.credentials("svc"), headers=ORIGIN)
        bad = await client.post("/token", data=form, auth=("svc", "wrong"), headers=ORIGIN)
    assert (good.status_code, bad.status_code) == (200, 401)
    assert good.headers["access-control-allow-origin"] == "*"
    assert "WWW-Authenticate" in bad.headers["access-control-expose-headers"].split(", ")


async def test_the_control_plane_is_not_for_pages() -> None:
    """No page of another origin can read what the control plane answers, nor send it JSON."""
    mock = MockAS()
    async with browser(mock) as client:
        preflight = await client.options("/_mock/tokens", headers=ASKING)
        answer = await client.get("/_mock/state", headers=ORIGIN)
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:9000", None, 200),
        ("[::1]:9000", None, 200),
        ("localhost:9000", "http://localhost:9000", 200),
        ("mock-as:9000", None, 200),
        ("as.example.test", None, 200),
        ("evil.example", None, 403),
        ("evil.example:9000", "http://evil.example:9000", 403),
        ("127.0.0.1:9000", "http://evil.example", 403),
        ("127.0.0.1:9000", "null", 403),
        ("127.0.0.1:9000", "http://[", 403),
        ("127.0.0.1:9000", "http://localhost:9000", 200),
        ("127.0.0.1:9000", "http://203.0.113.5", 403),
        ("127.0.0.1:9000", "http://192.168.1.66", 403),
        ("127.0.0.1:9000", "http://printer", 403),
        ("192.168.1.66:9000", "http://192.168.1.66:9000", 200),
        ("mock-as:9000", "http://mock-as:9000", 200),
        ("mock-as:9000", "https://as.example.test", 200),
        ("", None, 403),
    ],
)
async def test_pages_of_other_sites_rule_nothing(host: str, origin: str | None, status: int) -> None:
    """A page of another site, also one that has given its name our address, mints no token and reads no journal."""
    mock = MockAS()
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    async with browser(mock) as client:
        assert (await client.get("/_mock/requests", headers=headers)).status_code == status
        minted = await client.post("/_mock/tokens", json={"sub": "admin"}, headers=headers)
        assert minted.status_code == (201 if status == 200 else 403)
        assert (await client.get("/jwks", headers=headers)).status_code == 200


async def test_a_name_is_not_trusted_for_being_followed() -> None:
    """A server that calls itself whatever it is asked as still does not take every name for its own."""
    mock = MockAS(issuer="auto")
    with mock.identity.served_at("http://127.0.0.1:9000"):
        transport = httpx.ASGITransport(mock.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://evil.example:9000") as client:
            for issuer in ("", "/t/a"):
                mock.tenant("a")
                answer = await client.get(f"{issuer}/_mock/state", headers={"Origin": "http://evil.example:9000"})
                assert answer.status_code == 403


async def test_the_journal_shows_no_credentials() -> None:
    """Over HTTP only what is known to be harmless is shown of a request: no password, no cookie, no token."""
    mock = MockAS()
    mock.fault("introspect", "inactive", token="canary-token")
    canaries = {name: f"canary-{name}" for name in ("password", "refresh_token", "assertion", "Client_Secret")}
    headers = {"Cookie": "a=canary-cookie", "Proxy-Authorization": "Basic canary", "X-API-Key": "canary-key"}
    async with browser(mock) as client:
        await client.post("/token", data={"grant_type": "password", "scope": "read", **canaries}, headers=headers)
        shown = (await client.get("/_mock/requests")).text + (await client.get("/_mock/faults")).text
    assert "canary" not in shown
    assert "grant_type" in shown
