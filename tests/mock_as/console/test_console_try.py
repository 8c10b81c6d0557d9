"""Try it: the flows as a client goes through them, and the call of an API at the end.

References: RFC 6749 sections 4.1 and 4.4, RFC 7636 section 4, RFC 8628 section 3, RFC 9207 section 2
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from mock_as import MockAS
from mock_as.clients import DEVICE_CODE
from tests.mock_as.browsing import Browser, Page

pytestmark = pytest.mark.anyio

CALLBACK = "/_mock/ui/try/callback"


async def start(browser: Browser, **changes: str) -> httpx.Response:
    """Press *Log in*, and go no further."""
    page = await browser.open("/try")
    values = {
        "csrf": page.root.all("input", name="csrf")[0].attributes["value"],
        "client_id": "web",
        "scope": "openid read",
    }
    return await browser.client.post("/_mock/ui/try/start", data={**values, **changes})


async def allow(mock: MockAS, browser: Browser, response: httpx.Response, **changes: str) -> str:
    """Let alice log in where the browser was sent, and return where it is sent back to."""
    asked = dict(parse_qsl(urlsplit(response.headers["location"]).query))
    return mock.authorize(**{**asked, "sub": "alice", **changes})  # type: ignore[arg-type] # these are all texts


def step(page: Page, title: str) -> str:
    """Return what is shown of a step."""
    [found] = [item.text for item in page.root.one("ol").all("li") if item.one("h2").text == title]
    return found


async def test_authorization_request(mock: MockAS, browser: Browser) -> None:
    """The browser is sent to the authorization endpoint with everything that a careful client sends."""
    response = await start(browser, login_hint="alice", prompt="login")
    assert response.status_code == 303
    url = urlsplit(response.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == mock.url.authorization
    asked = dict(parse_qsl(url.query))
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid read")
    assert (asked["redirect_uri"], asked["login_hint"], asked["prompt"]) == (
        f"{mock.issuer}{CALLBACK}",
        "alice",
        "login",
    )
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert mock.clients["web"].redirect_uris[-1] == asked["redirect_uri"]
    again = await start(browser)
    assert dict(parse_qsl(urlsplit(again.headers["location"]).query))["state"] != asked["state"]
    assert mock.clients["web"].redirect_uris.count(asked["redirect_uri"]) == 1


@pytest.mark.parametrize("client_id", ["web", "spa"])
async def test_code_flow(mock: MockAS, browser: Browser, client_id: str) -> None:
    """The code is exchanged with the verifier, and every step is shown, tokens and all."""
    back = await allow(mock, browser, await start(browser, client_id=client_id))
    page = await browser.open(back)
    assert page.heading == "Authorization code with PKCE"
    assert "code_challenge" in step(page, "The browser goes to the authorization endpoint")
    assert "state" in step(page, "It comes back with a code")
    assert "200 OK" in step(page, "The client exchanges the code")
    [record] = [record for record in mock.tokens.select() if record.kind == "access_token"]
    assert (record.subject, record.client_id) == ("alice", client_id)
    assert page.root.one("input", name="token").attributes["value"] == record.token.value
    assert json.loads(page.root.all("section")[2].one("pre").text)["active"] is True
    assert mock.requests("token").count == 1
    again = await browser.open(back)
    assert (again.status, mock.requests("token").count) == (404, 1)


async def test_denied(mock: MockAS, browser: Browser) -> None:
    """An error comes back as one, and no code is exchanged."""
    back = await allow(mock, browser, await start(browser), decision="deny")
    page = await browser.open(back)
    assert "access_denied" in page.alert
    assert step(page, "It comes back with an error")
    assert mock.requests("token").count == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("code=x&state=other", "The state is not the one"),
        ("code=x&iss=https://other.test&state=", "It is from another issuer"),
    ],
)
async def test_what_a_client_has_to_judge(mock: MockAS, browser: Browser, query: str, said: str) -> None:
    """A state that was not sent, or another issuer, ends the flow before the code is exchanged."""
    response = await start(browser)
    state = dict(parse_qsl(urlsplit(response.headers["location"]).query))["state"]
    page = await browser.open(f"/try/callback?{query}{state if query.endswith('=') else ''}")
    assert page.alert.startswith(said)
    assert mock.requests("token").count == 0


@pytest.mark.parametrize("cookie", ["", "x", "e30", "W10", "eyJyZXF1ZXN0IjoxLCJ2ZXJpZmllciI6MX0", "\u00e9"])
async def test_no_login_under_way(browser: Browser, cookie: str) -> None:
    """Without a login of this browser nothing is exchanged."""
    headers = [(b"cookie", f"mock-as-trial={cookie}".encode())]
    response = await browser.client.get(f"{CALLBACK}?code=x&state=y", headers=headers)
    assert response.status_code == 404


async def test_client_is_gone(mock: MockAS, browser: Browser) -> None:
    """A client that was forgotten while its person was logging in gets no token."""
    back = await allow(mock, browser, await start(browser))
    del mock.clients["web"]
    assert (await browser.open(back)).status == 404


async def test_fault_is_seen(mock: MockAS, browser: Browser) -> None:
    """A flow meets the faults that are set, as any client does."""
    back = await allow(mock, browser, await start(browser))
    mock.fault("token", "reset")
    page = await browser.open(back)
    assert "no answer" in step(page, "The client exchanges the code")
    assert "ReadError" in step(page, "The client exchanges the code")
    assert not page.root.all("input", name="token")


async def test_client_credentials(mock: MockAS, browser: Browser) -> None:
    """A client gets a token in its own name, however it authenticates."""
    page = await browser.open("/try?flow=client_credentials")
    for client_id in ("svc", "svc.post", "svc.opaque"):
        got = await browser.submit(page, "/try/client", client_id=client_id, scope="read", resource="https://api.test/")
        assert "200 OK" in got.root.text
        record = mock.tokens.find(got.root.one("input", name="token").attributes["value"])
        assert record is not None
        assert (record.client_id, record.token.claims["aud"]) == (client_id, "https://api.test/")
    refused = await browser.submit(page, "/try/client", client_id="svc", scope="nothing")
    assert "invalid_scope" in refused.root.text
    assert not refused.root.all("input", name="token")
    offered = [option.text for option in page.root.one("select", name="client_id").all("option")]
    assert "svc.jwt" not in offered
    unknown = await browser.submit(page, "/try/client", client_id="svc.jwt")
    assert (unknown.status, unknown.alert.partition(" ")[0]) == (422, "client_id")


async def test_device_flow(mock: MockAS, browser: Browser) -> None:
    """The user code is shown; the device asks too early, and gets its tokens after the person has decided."""
    page = await browser.open(f"/try?flow={DEVICE_CODE}")
    begun = await browser.submit(page, "/try/device")
    code = begun.root.with_id("user-code").text
    assert code
    early = await browser.submit(begun, "/try/device/poll")
    assert "authorization_pending" in early.root.text
    [link] = [link for link in begun.root.all("a") if link.text == "Enter it in a new tab"]
    login = await browser.open(link.attributes["href"])
    assert login.status == 200
    mock.faults.clear()
    mock.fault("token", 503)
    broken = await browser.submit(early, "/try/device/poll")
    assert not broken.forms("/try/device/poll")
    mock.clear_faults()
    mock.fault("device", "not_json")
    failed = await browser.submit(page, "/try/device")
    assert "No code came of it." in failed.root.text


async def test_call_my_api(mock: MockAS, browser: Browser) -> None:
    """An API is called with the token, and its challenge is taken apart."""
    with mock.serve() as url:
        page = await browser.open("/try/call")
        called = await browser.submit(page, "/try/call", token="abc", url=f"{url}/userinfo")
    assert "401 Unauthorized" in called.root.text
    [challenge] = [section for section in called.root.all("section") if section.one("h2").text.startswith("Challenge")]
    assert challenge.one("h2").text in {"Challenge: Bearer", "Challenge: DPoP"}
    assert challenge.facts()["error"] == "invalid_token"
    assert "authorization: Bearer abc" in called.root.all("pre")[0].text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": ""}, "token"),
        ({"url": ""}, "url"),
        ({"url": "https://1.1.1.1/"}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
    ],
)
async def test_mistake_about_an_api(browser: Browser, changes: dict[str, str], said: str) -> None:
    """A mistake is named, and what was written is still there."""
    page = await browser.open("/try/call")
    page = await browser.submit(page, "/try/call", **{"token": "abc", "url": "http://127.0.0.1:1/x", **changes})
    assert (page.status, page.alert.partition(" ")[0]) == (422, said)
    assert page.root.one("textarea", name="token").text == ("" if said == "token" else "abc")


async def test_callback_of_a_tenant(mock: MockAS, browser: Browser) -> None:
    """At another issuer people come back to that issuer's console."""
    tenant = mock.tenant("other")
    page = await Browser(browser.client, "/t/other/_mock/ui").open("/try")
    response = await browser.client.post(
        "/t/other/_mock/ui/try/start",
        data={"csrf": page.root.all("input", name="csrf")[0].attributes["value"], "client_id": "spa"},
    )
    asked = dict(parse_qsl(urlsplit(response.headers["location"]).query))
    assert asked["redirect_uri"] == f"{mock.issuer}/t/other{CALLBACK}"
    assert response.headers["location"].startswith(tenant.url.authorization)


async def test_forms_may_lead_to_the_login_page(browser: Browser) -> None:
    """The policy of the page lets its form lead to where browsers reach the server."""
    mock = MockAS(issuer="https://as.example.test", front_url="http://localhost:9000")
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        page = await Browser(client).open("/try")
    assert page.policy["form-action"] == ["'self'", "http://localhost:9000"]
