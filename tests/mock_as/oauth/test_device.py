"""The device flow, as a device and its person go through it.

References: RFC 8628
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.oauth.grants.device_code import DEVICE_LIFETIME, INTERVAL
from mock_as.oauth.login import DEVICE_ERRORS
from tests.mock_as.person import Browser, Page

pytestmark = pytest.mark.anyio

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


async def begin(client: httpx.AsyncClient, **more: str) -> dict[str, Any]:
    """Let the device begin."""
    answer = await client.post("/device_authorization", data={"client_id": "device", **more})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def poll(client: httpx.AsyncClient, code: str, client_id: str = "device") -> httpx.Response:
    """Let the device ask."""
    return await client.post("/token", data={"grant_type": GRANT, "device_code": code, "client_id": client_id})


async def told(client: httpx.AsyncClient, code: str) -> str:
    """Let the device ask, and return what it is told."""
    answer = await poll(client, code)
    assert answer.status_code == 400
    return str(answer.json()["error"])


async def test_the_whole_flow(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A person enters the code of a device, and the device gets tokens, once."""
    device = await begin(client, scope="openid read write", resource="https://one.example")
    assert set(device) == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    }
    assert (device["verification_uri"], device["interval"]) == (mock.url.device, INTERVAL)
    assert device["device_code"] not in device["user_code"]
    assert await told(client, device["device_code"]) == "authorization_pending"
    browser = Browser(client)
    entry = await browser.open("/device")
    assert (entry.form.method, entry.form.action) == ("get", "/device")
    page = await browser.open("/device", user_code=device["user_code"].lower().replace("-", " "))
    assert page.strong == ["device", device["user_code"]]
    assert page.form.checkboxes == ["openid", "read", "write"]
    done = Page(await browser.press(page, ("user", "bob")))
    assert done.headings == ["Done"]
    answer = await poll(client, device["device_code"])
    assert answer.status_code == 200
    document = answer.json()
    assert document["scope"] == "openid read"
    assert {"access_token", "refresh_token", "id_token"} <= set(document)
    assert await told(client, device["device_code"]) == "invalid_grant"


async def test_the_complete_address(client: httpx.AsyncClient) -> None:
    """The address with the code in it leads to the same page, which shows the code to be compared."""
    device = await begin(client)
    page = await Browser(client).open(device["verification_uri_complete"])
    assert page.strong[-1] == device["user_code"]


async def test_slow_down(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A device that asks too fast has to wait longer each time, by the server's clock: RFC 8628 section 3.5."""
    mock.clock.freeze()
    code = (await begin(client))["device_code"]
    assert await told(client, code) == "authorization_pending"
    assert await told(client, code) == "slow_down"
    mock.clock.advance(2 * INTERVAL - 1)
    assert await told(client, code) == "slow_down"
    mock.clock.advance(3 * INTERVAL)
    assert await told(client, code) == "authorization_pending"


async def test_expired(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A code that nobody has entered in time is told to have expired, and cannot be entered any more."""
    device = await begin(client)
    page = await Browser(client).open("/device", user_code=device["user_code"])
    mock.clock.advance(DEVICE_LIFETIME)
    assert await told(client, device["device_code"]) == "expired_token"
    late = await Browser(client).press(page, ("user", "alice"))
    assert late.status_code == 400
    entry = await Browser(client).open("/device", user_code=device["user_code"])
    assert entry.response.status_code == 404
    assert entry.roles["alert"]


async def test_deny(client: httpx.AsyncClient) -> None:
    """A person may say no, and the device is told."""
    device = await begin(client)
    browser = Browser(client)
    page = await browser.open("/device", user_code=device["user_code"])
    assert (await browser.press(page, ("decision", "deny"))).status_code == 200
    assert await told(client, device["device_code"]) == "access_denied"
    assert (await browser.open("/device", user_code=device["user_code"])).response.status_code == 404


@pytest.mark.parametrize("error", DEVICE_ERRORS)
async def test_return_an_error(client: httpx.AsyncClient, error: str) -> None:
    """A tester may choose what the device is told."""
    device = await begin(client)
    browser = Browser(client)
    page = await browser.open("/device", user_code=device["user_code"])
    assert page.form.options == list(DEVICE_ERRORS)
    await browser.press(page, ("decision", "error"), error=error)
    assert await told(client, device["device_code"]) == error


async def test_the_page_comes_again(client: httpx.AsyncClient) -> None:
    """What cannot be done is said on the page, and nothing is decided."""
    device = await begin(client)
    browser = Browser(client)
    page = await browser.open("/device", user_code=device["user_code"])
    again = Page(await browser.press(page, ("decision", "allow"), sub="mallory"))
    assert (again.response.status_code, bool(again.roles["alert"])) == (400, True)
    assert await told(client, device["device_code"]) == "authorization_pending"


async def test_only_our_page_decides(client: httpx.AsyncClient) -> None:
    """Without what our page carries for this browser a form decides nothing."""
    device = await begin(client)
    browser = Browser(client)
    page = await browser.open("/device", user_code=device["user_code"])
    assert (await browser.press(page, ("user", "alice"), guard="wrong")).status_code == 400
    assert await told(client, device["device_code"]) == "authorization_pending"


@pytest.mark.parametrize("user_code", ["BCDF-GHJK", "x", "", "-", "é"])
async def test_codes_that_nobody_shows(client: httpx.AsyncClient, user_code: str) -> None:
    """A code that no device shows leads nowhere, and neither does that of the device itself."""
    device = await begin(client)
    for code in (user_code, device["device_code"]):
        page = await Browser(client).open("/device", user_code=code)
        assert page.headings == ["Connect a device"]


async def test_a_code_of_another_client() -> None:
    """The code of a device is of no use to another client."""
    mock = MockAS(clients=[Client(id="other", secret="", auth_methods=("none",), grants=(GRANT,))])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        code = (await begin(client))["device_code"]
        assert (await poll(client, code, "other")).status_code == 400
        assert await told(client, code) == "authorization_pending"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "spa"}, "unauthorized_client"),
        ({"client_id": "device", "scope": "root"}, "invalid_scope"),
        ({"client_id": "device", "resource": "/x"}, "invalid_target"),
        ({"client_id": "device", "authorization_details": "x"}, "invalid_authorization_details"),
        ({"client_id": "nobody"}, "invalid_client"),
    ],
)
async def test_what_a_device_cannot_ask_for(client: httpx.AsyncClient, form: dict[str, str], error: str) -> None:
    """What is wrong with the request is said at once."""
    answer = await client.post("/device_authorization", data=form)
    assert (answer.status_code, answer.json()["error"]) == (401 if error == "invalid_client" else 400, error)
