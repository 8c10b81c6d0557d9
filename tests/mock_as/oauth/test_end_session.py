"""Logging out: who is asked, what ends, and where the browser goes.

References: OpenID Connect RP-Initiated Logout 1.0
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.oauth.test_authorization_code import redeem
from tests.mock_as.person import Browser, Page, asking, parameters_of, redirected

pytestmark = pytest.mark.anyio

HOME = "https://app.example.test/"


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    """Open a browser."""
    return Browser(client)


async def id_token(mock: MockAS, browser: Browser, sub: str = "alice") -> str:
    """Log in, and return the ID token of the client `web`."""
    back = await browser.log_in(await browser.open("/authorize", **asking()), sub)
    document: dict[str, Any] = (await redeem(mock, browser.client, back["code"])).json()
    return str(document["id_token"])


async def is_logged_in(browser: Browser) -> bool:
    """Tell whether somebody is logged in."""
    told = redirected(await browser.client.get("/authorize", params=asking(prompt="none")))
    assert told.get("error") in {None, "login_required"}
    return "code" in told


async def test_a_client_that_knows_whom(mock: MockAS, browser: Browser) -> None:
    """A client with an ID token logs its person out at once, and gets its state back."""
    hint = await id_token(mock, browser)
    assert await is_logged_in(browser)
    mock.clock.advance(2 * 3600)
    request = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": "a & b"}
    response = await browser.client.get("/end_session", params=request)
    assert redirected(response, HOME) == {"state": "a & b"}
    assert not await is_logged_in(browser)
    again = await browser.client.post("/end_session", data=request)
    assert redirected(again, HOME) == {"state": "a & b"}


async def test_without_an_address(mock: MockAS, browser: Browser) -> None:
    """Who is to go nowhere sees that it is done; without a state none is sent."""
    hint = await id_token(mock, browser)
    assert (await browser.open("/end_session", id_token_hint=hint)).headings == ["Logged out"]
    assert (await browser.open("/end_session")).headings == ["Logged out"]
    response = await browser.client.get(
        "/end_session", params={"client_id": "web", "post_logout_redirect_uri": "http://127.0.0.1:8000/"}
    )
    assert parameters_of(f"{response.headers['location']}?x=y", "http://127.0.0.1:8000/") == {"x": "y"}


@pytest.mark.parametrize("request_", [{}, {"client_id": "web", "post_logout_redirect_uri": HOME, "state": "s"}])
async def test_the_person_is_asked(mock: MockAS, browser: Browser, request_: dict[str, str]) -> None:
    """Without an ID token anybody could have sent the request, so the person is asked."""
    await id_token(mock, browser)
    page = await browser.open("/end_session", **request_)
    assert page.headings == ["Log out"]
    forged = await browser.press(page, ("decision", "end"), guard="wrong")
    assert Page(forged).headings == ["Log out"]
    assert await is_logged_in(browser)
    done = await browser.press(page, ("decision", "end"))
    if request_:
        assert redirected(done, HOME) == {"state": "s"}
    else:
        assert Page(done).headings == ["Logged out"]
    assert not await is_logged_in(browser)


async def test_the_token_of_somebody_else(mock: MockAS, browser: Browser) -> None:
    """An ID token of another session ends nothing without asking."""
    hint = await id_token(mock, browser, "bob")
    await id_token(mock, browser, "alice")
    page = await browser.open("/end_session", id_token_hint=hint)
    assert page.headings == ["Log out"]
    assert await is_logged_in(browser)


async def test_a_hint_without_a_session_id(mock: MockAS, browser: Browser) -> None:
    """An ID token that names no session ends that of its subject."""
    await id_token(mock, browser)
    hint = mock.token(sub="alice", client_id="web", aud="web", defect="id_token").value
    assert (await browser.open("/end_session", id_token_hint=hint)).headings == ["Logged out"]


@pytest.mark.parametrize(
    "changes",
    [
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"post_logout_redirect_uri": HOME, "client_id": "svc"},
        {"post_logout_redirect_uri": HOME, "client_id": ""},
        {"id_token_hint": "x"},
        {"id_token_hint": "e30.e30.e30"},
    ],
)
async def test_what_is_refused(mock: MockAS, browser: Browser, changes: dict[str, str]) -> None:
    """A browser is sent to registered addresses only, and a hint that is none of ours is refused."""
    await id_token(mock, browser)
    response = await browser.client.get("/end_session", params={"client_id": "web", **changes})
    assert response.status_code == 400
    assert Page(response).roles["alert"]
    assert await is_logged_in(browser)


async def test_a_hint_for_another_client(mock: MockAS, browser: Browser) -> None:
    """The client that is named has to be the one that the ID token is for."""
    hint = await id_token(mock, browser)
    response = await browser.client.get("/end_session", params={"client_id": "spa", "id_token_hint": hint})
    assert response.status_code == 400


async def test_an_access_token_is_no_hint(mock: MockAS, browser: Browser) -> None:
    """A resource server has the access token of a person, and still cannot log that person out."""
    await id_token(mock, browser)
    token = mock.token(sub="alice", client_id="web", format="jwt")
    assert (await browser.client.get("/end_session", params={"id_token_hint": token.value})).status_code == 400
    assert await is_logged_in(browser)


async def test_a_hint_of_another_issuer(browser: Browser) -> None:
    """An ID token of somebody else is no hint, even if it has the same subject."""
    other = MockAS().token(sub="alice", aud="web", defect="id_token").value
    assert (await browser.client.get("/end_session", params={"id_token_hint": other})).status_code == 400


async def test_a_body_that_is_no_form(browser: Browser) -> None:
    """What is not a form is refused."""
    assert (await browser.client.post("/end_session", json={})).status_code == 400
