"""The page on which a person logs in, and the session that the browser is in afterwards.

References: RFC 6749 section 10.12, OpenID Connect Core 1.0 sections 3.1.2.1 to 3.1.2.6
"""

from __future__ import annotations

from http.cookies import SimpleCookie

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.oauth.login import AUTHORIZATION_ERRORS
from mock_as.oauth.sessions import COOKIE, LIFETIME, REMEMBERED
from mock_as.users import User
from tests.mock_as.oauth.test_authorization_code import claims_of, redeem
from tests.mock_as.person import CALLBACK, Browser, Page, asking, parameters_of, redirected

pytestmark = pytest.mark.anyio


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    """Open a browser."""
    return Browser(client)


async def silently(browser: Browser, **changes: str) -> dict[str, str]:
    """Ask for authorization without asking the person."""
    return redirected(await browser.client.get("/authorize", params=asking(prompt="none", **changes)))


async def granted(mock: MockAS, browser: Browser, response: httpx.Response) -> list[str]:
    """Redeem the code of an answer, and return the scopes of the token."""
    document = (await redeem(mock, browser.client, redirected(response)["code"])).json()
    return str(document.get("scope", "")).split()


# ------------------------------------------------------------------------------------------------------------- the page


async def test_what_the_page_shows(browser: Browser) -> None:
    """The page shows who asks, what for, everybody who can log in, and every error that can be returned."""
    page = await browser.open(
        "/authorize", **asking(resource="https://one.example", authorization_details='[{"type":"x"}]')
    )
    assert page.headings == ["Log in"]
    assert page.strong == ["web"]
    assert page.form.checkboxes == ["openid", "read", "write"]
    assert page.subjects == ["alice", "bob", "carol", "mallory"]
    assert page.form.options == list(AUTHORIZATION_ERRORS)
    disabled = [button["value"] for button in page.form.buttons if "disabled" in button]
    assert disabled == ["mallory"]


async def test_the_page_is_shut_off(browser: Browser) -> None:
    """Nothing but what the page brings is loaded or run, nobody may frame it, and its form leads to the client only."""
    page = await browser.open("/authorize", **asking())
    assert page.policy["default-src"] == ["'none'"]
    assert page.policy["frame-ancestors"] == ["'none'"]
    assert page.policy["form-action"] == ["'self'", "https://app.example.test"]
    assert page.response.headers["cache-control"] == "no-store"


async def test_texts_are_escaped(mock: MockAS, browser: Browser) -> None:
    """What a client or a person says is text, whatever it looks like."""
    scopes = ('<script src="x">',)
    mock.clients["<b>"] = Client(
        id="<b>", secret="s", grants=("authorization_code",), scopes=scopes, redirect_uris=(CALLBACK,)
    )
    page = await browser.open("/authorize", **asking(client_id="<b>", scope=None, login_hint='"><i>'))
    assert page.strong == ["<b>"]
    assert page.form.checkboxes == list(scopes)
    assert dict(page.form.fields)["sub"] == '"><i>'


async def test_enter_logs_in(browser: Browser) -> None:
    """The Enter key presses the first button, which logs in whoever is typed."""
    page = await browser.open("/authorize", **asking())
    first = page.form.buttons[0]
    assert (first["name"], first["value"]) == ("decision", "allow")


# --------------------------------------------------------------------------------------------------------- the decision


async def test_less_than_asked(mock: MockAS, browser: Browser) -> None:
    """A person may grant less than what is asked for, but not more."""
    page = await browser.open("/authorize", **asking())
    response = await browser.press(page, ("user", "alice"), scope=["read", "admin"])
    assert await granted(mock, browser, response) == ["read"]


@pytest.mark.parametrize(("sub", "scopes"), [("alice", ["read", "write"]), ("bob", ["read"]), ("carol", [])])
async def test_people_grant_what_they_may(mock: MockAS, browser: Browser, sub: str, scopes: list[str]) -> None:
    """Nobody grants what they may not do themselves."""
    page = await browser.open("/authorize", **asking(scope="read write"))
    assert await granted(mock, browser, await browser.press(page, ("user", sub))) == scopes


async def test_somebody_else(mock: MockAS, browser: Browser) -> None:
    """Any subject may log in with any claims, and is offered by a button the next time."""
    page = await browser.open("/authorize", **asking())
    answer = await browser.press(page, ("decision", "allow"), sub=" somebody ", claims='{"tenant": "acme"}')
    document = (await redeem(mock, browser.client, redirected(answer)["code"])).json()
    for token in (document["access_token"], document["id_token"]):
        claims = claims_of(mock, token)
        assert (claims["sub"], claims["tenant"]) == ("somebody", "acme")
    again = await browser.open("/authorize", **asking())
    assert again.subjects == ["alice", "bob", "carol", "mallory", "somebody"]


async def test_the_last_twenty_are_remembered(mock: MockAS, browser: Browser) -> None:
    """The latest of those who are not registered come first, each once, and there are not too many of them."""
    for number in [*range(REMEMBERED + 2), 5]:
        page = await browser.open("/authorize", **asking())
        await browser.press(page, ("decision", "allow"), sub=f"sub-{number}")
    offered = (await browser.open("/authorize", **asking())).subjects[4:]
    assert len(offered) == REMEMBERED
    assert offered[:3] == ["sub-5", "sub-21", "sub-20"]
    mock.reset()
    assert (await browser.open("/authorize", **asking())).subjects[4:] == []


async def test_what_a_user_says_to_all(mock: MockAS, browser: Browser) -> None:
    """What is said about a person and belongs to no scope is in every token, and what was typed goes before."""
    mock.users["another"] = User(
        sub="another", claims={"tenant": "acme", "team": "blue", "email": "another@example.test"}
    )
    page = await browser.open("/authorize", **asking())
    answer = await browser.press(page, ("user", "another"), claims='{"team": "red"}')
    document = (await redeem(mock, browser.client, redirected(answer)["code"])).json()
    claims = claims_of(mock, document["access_token"])
    assert (claims["tenant"], claims["team"], claims.get("email")) == ("acme", "red", None)


@pytest.mark.parametrize(
    ("button", "changes"),
    [
        (("user", "mallory"), {}),
        (("decision", "allow"), {"sub": "mallory"}),
        (("decision", "allow"), {"sub": " "}),
        (("user", "alice"), {"claims": "{"}),
        (("user", "alice"), {"claims": "[]"}),
        (("user", "alice"), {"claims": '{"iss": "https://evil.example"}'}),
        (("decision", "error"), {"error": "no_such_error"}),
    ],
)
async def test_the_page_comes_again(browser: Browser, button: tuple[str, str], changes: dict[str, str]) -> None:
    """What cannot be done is said on the page, which keeps what was typed; the request is still there."""
    page = await browser.open("/authorize", **asking())
    again = Page(await browser.press(page, button, scope=["read"], **changes))
    assert again.response.status_code == 400
    assert again.roles["alert"]
    fields = dict(again.form.fields)
    assert {name: fields[name] for name in changes if name in fields} == {
        name: value for name, value in changes.items() if name != "error"
    }
    assert [value for name, value in again.form.fields if name == "scope"] == ["read"]
    assert "code" in redirected(await browser.press(again, ("user", "alice"), claims=""))


async def test_deny(browser: Browser) -> None:
    """A person may say no, and the client is told: RFC 6749 section 4.1.2.1."""
    page = await browser.open("/authorize", **asking())
    told = redirected(await browser.press(page, ("decision", "deny")))
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "a state & more", "https://as.example.test")


@pytest.mark.parametrize("error", AUTHORIZATION_ERRORS)
async def test_return_an_error(browser: Browser, error: str) -> None:
    """A tester may choose what the client is told."""
    page = await browser.open("/authorize", **asking())
    assert redirected(await browser.press(page, ("decision", "error"), error=error))["error"] == error


# ------------------------------------------------------------------------------------------------ pages of other sites


async def test_only_our_page_decides(browser: Browser) -> None:
    """Without what our page carries for this browser a form decides nothing."""
    page = await browser.open("/authorize", **asking())
    for changes in ({"guard": "wrong"}, {"guard": "é"}):
        assert (await browser.press(page, ("user", "alice"), **changes)).status_code == 400
    browser.client.cookies.clear()
    assert (await browser.press(page, ("user", "alice"))).status_code == 400


async def test_a_request_is_decided_once(browser: Browser) -> None:
    """A page that is sent twice, or is not that of a request, decides nothing the second time."""
    page = await browser.open("/authorize", **asking())
    await browser.press(page, ("decision", "deny"))
    again = await browser.press(page, ("user", "alice"))
    assert again.status_code == 400
    assert Page(again).roles["alert"]


async def test_the_cookie(mock: MockAS, browser: Browser) -> None:
    """No script reads the cookie, no other site sends it, and it changes when somebody logs in."""
    page = await browser.open("/authorize", **asking())
    before = SimpleCookie(page.response.headers["set-cookie"])[COOKIE]
    after = SimpleCookie((await browser.press(page, ("user", "alice"))).headers["set-cookie"])[COOKIE]
    for cookie in (before, after):
        assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert before.value != after.value
    assert after.value not in repr([mock.pending.sessions.get(key) for key in mock.pending.sessions])


# ---------------------------------------------------------------------------------------------------------- the session


async def test_once_logged_in_nobody_is_asked(mock: MockAS, browser: Browser) -> None:
    """Who is logged in and has granted as much before need not be asked again."""
    await browser.log_in(await browser.open("/authorize", **asking()), "bob")
    mock.clock.advance(60)
    silent = await silently(browser)
    document = (await redeem(mock, browser.client, silent["code"])).json()
    claims = claims_of(mock, document["id_token"])
    assert claims["sub"] == "bob"
    assert document["scope"] == "openid read"
    assert mock.clock.now() - claims["auth_time"] >= 60


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "openid read write admin"}, "consent_required"),
        ({"client_id": "spa"}, "consent_required"),
        ({"login_hint": "alice"}, "login_required"),
        ({"max_age": "59"}, "login_required"),
    ],
)
async def test_when_somebody_must_be_asked(mock: MockAS, browser: Browser, changes: dict[str, str], error: str) -> None:
    """Who would have to be asked is not, and the client is told what is missing."""
    await browser.log_in(await browser.open("/authorize", **asking()), "bob")
    mock.clock.advance(60)
    assert (await silently(browser, **changes))["error"] == error
    assert "code" in await silently(browser)


async def test_a_session_ends(mock: MockAS, browser: Browser) -> None:
    """Nobody stays logged in for ever."""
    await browser.log_in(await browser.open("/authorize", **asking()))
    mock.clock.advance(LIFETIME)
    assert (await silently(browser))["error"] == "login_required"


async def test_going_on(mock: MockAS, browser: Browser) -> None:
    """Who is logged in may go on with one click, as the same person with the same claims."""
    page = await browser.open("/authorize", **asking())
    await browser.press(page, ("decision", "allow"), sub="somebody", claims='{"tenant": "acme"}')
    mock.clock.advance(60)
    page = await browser.open("/authorize", **asking())
    response = await browser.press(page, ("decision", "stay"))
    claims = claims_of(mock, (await redeem(mock, browser.client, redirected(response)["code"])).json()["id_token"])
    assert (claims["sub"], claims["tenant"]) == ("somebody", "acme")
    assert mock.clock.now() - claims["auth_time"] >= 60


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "59"}])
async def test_logging_in_again(mock: MockAS, browser: Browser, changes: dict[str, str]) -> None:
    """Where a client wants a fresh login nobody can go on, not even with a page that was loaded in time."""
    await browser.log_in(await browser.open("/authorize", **asking()))
    page = await browser.open("/authorize", **asking(max_age="59"))
    offered = ("decision", "stay")
    assert offered in page.choices
    mock.clock.advance(60)
    assert Page(await browser.press(page, offered)).response.status_code == 400
    page = await browser.open("/authorize", **asking(**changes))
    assert offered not in page.choices
    page.form.buttons.append({"name": "decision", "value": "stay"})
    assert Page(await browser.press(page, offered)).response.status_code == 400
    back = await browser.log_in(page)
    claims = claims_of(mock, (await redeem(mock, browser.client, back["code"])).json()["id_token"])
    assert mock.clock.now() - claims["auth_time"] < 60


async def test_issuers_share_a_browser_but_no_session() -> None:
    """A tenant and the issuer it is in may each have a session in one browser, and neither sees the other's."""
    mock = MockAS()
    tenant = mock.tenant("one")
    async with httpx.AsyncClient(transport=mock.transport(), base_url="https://as.example.test") as client:
        browser = Browser(client)
        await browser.log_in(await browser.open("/authorize", **asking()), "alice")
        silent = redirected(await client.get("/t/one/authorize", params=asking(prompt="none")))
        assert (silent["error"], silent["iss"]) == ("login_required", tenant.issuer)
        await browser.log_in(await browser.open("/t/one/authorize", **asking()), "bob")
        for path, issuer, sub in (("", mock, "alice"), ("/t/one", tenant, "bob")):
            back = parameters_of(
                (await client.get(f"{path}/authorize", params=asking(prompt="none"))).headers["location"]
            )
            assert issuer.pending.codes.get(back["code"]).granted.sub == sub
