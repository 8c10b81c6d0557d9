"""What holds for every page of the console: nothing foreign runs, nothing hostile gets through, no other site does."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.browsing import Browser, digest
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio

PAGES = {
    "/tokens": "Tokens",
    "/tokens/tok-1": "tok-1",
    "/requests": "Requests",
    "/requests/1": "Request 1",
    "/faults": "Faults",
    "/faults?endpoint=jwks": "Faults",
    "/keys": "Keys",
    "/clock": "Clock",
    "/identities": "Clients & users",
    "/identities/client": "New client",
    "/identities/client?id=web": "web",
    "/identities/user": "New user",
    "/identities/user?sub=alice": "alice",
    "/try": "Try it",
    "/try?flow=client_credentials": "Try it",
    "/try?flow=urn:ietf:params:oauth:grant-type:device_code": "Try it",
    "/try/call": "Call my API",
}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
async def something(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Have a token and a request that can be looked at."""
    token = mock.token("alice")
    await client.post("/introspect", data={"token": token.value}, auth=mock.credentials("rs"))


@pytest.mark.parametrize("path", PAGES)
async def test_page(browser: Browser, path: str) -> None:
    """Every page is whole, says what it is, and marks its place in the navigation."""
    page = await browser.open(path)
    assert (page.status, page.heading) == (200, PAGES[path])
    [current] = [link for link in page.root.one("nav").all("a") if "aria-current" in link.attributes]
    assert path.startswith(current.attributes["href"].removeprefix("/_mock/ui"))
    ids = [part.attributes["id"] for part in page.root if "id" in part.attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", [*PAGES, "/nothing"])
async def test_nothing_foreign_runs(browser: Browser, path: str) -> None:
    """The policy allows the stylesheet and the script of the page by their hashes, and nothing else."""
    page = await browser.open(path)
    assert page.policy["default-src"] == page.policy["frame-ancestors"] == page.policy["base-uri"] == ["'none'"]
    assert page.policy["style-src"] == [digest("".join(map(str, page.root.one("style").children)))]
    assert page.policy["script-src"] == [digest("".join(map(str, page.root.one("script").children)))]
    assert page.policy["connect-src"] == ["'self'"]
    assert page.policy["form-action"][0] == "'self'"
    names = {name for part in page.root for name in part.attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "style"}}
    assert page.response.headers["cache-control"] == "no-store"
    assert page.response.headers["x-content-type-options"] == "nosniff"


async def test_every_control_has_a_name(browser: Browser) -> None:
    """Every field that can be filled in is labelled, for those who do not see the page."""
    for path in PAGES:
        page = await browser.open(path)
        labelled = {id(part) for label in page.root.all("label") for part in label}
        controls = [part for tag in ("input", "select", "textarea") for part in page.root.all(tag)]
        shown = [part for part in controls if part.attributes.get("type") != "hidden"]
        assert all(id(part) in labelled or "aria-label" in part.attributes for part in shown), path
        assert all(button.text for button in page.root.all("button"))


async def test_hostile_text_stays_text(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """Whatever names, claims, clients and requests say is shown, and does nothing."""
    token = mock.token(HOSTILE, client_id=HOSTILE, scope=HOSTILE, claims={HOSTILE: HOSTILE})
    await client.post("/introspect", data={"token": token.value, HOSTILE: HOSTILE}, auth=(HOSTILE, HOSTILE))
    await client.get("/jwks", params={HOSTILE: HOSTILE})
    mock.fault("introspect", 503, client_id=HOSTILE, headers={"x-note": "<script>"})
    for path in (
        *PAGES,
        "/tokens/tok-2",
        "/requests/2",
        "/requests/3",
        "/tokens?state=%3Cscript%3E",
        "/faults?endpoint=<b>",
    ):
        page = await browser.open(path)
        assert len(page.root.all("script")) == 1
        assert not page.root.all("img")
    page = await browser.open("/tokens")
    assert [row[2] for row in page.root.rows()] == [HOSTILE, "alice"]
    minted = await browser.submit(
        page, "/tokens", sub="\ud800".encode("utf-8", "replace").decode() + HOSTILE, claims='{"x": "\\ud800"}'
    )
    assert minted.status == 200


async def test_front_page(browser: Browser) -> None:
    """The console opens with the tokens."""
    assert (await browser.open("")).path == (await browser.open("/")).path == "/_mock/ui/tokens"


@pytest.mark.parametrize("path", ["/_mock", "/_mock/", "/t/acme/_mock"])
async def test_shorter_ways(mock: MockAS, client: httpx.AsyncClient, path: str) -> None:
    """Whoever opens the control plane itself is led to the console of the same issuer."""
    mock.tenant("acme")
    response = await client.get(path)
    assert response.status_code == 303
    assert response.headers["location"] == f"{path.rstrip('/')}/ui/tokens"


async def test_badge_of_faults(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """Every page counts the faults that can still happen, and no others."""
    mock.fault("jwks", 503, times=1)
    mock.fault("token", 503)
    assert (await browser.open("/clock")).root.with_id("badges").text == "2 faults set"
    await client.get("/jwks")
    assert (await browser.open("/clock")).root.with_id("badges").text == "1 fault set"
    mock.clear_faults()
    assert not (await browser.open("/clock")).root.with_id("badges").text


@pytest.mark.parametrize("path", ["/nothing", "/tokens/tok-9", "/requests/9", "/requests/x"])
async def test_no_such_page(browser: Browser, path: str) -> None:
    """What is not there is said so on a page that leads back."""
    page = await browser.open(path)
    assert (page.status, page.heading) == (404, "Nothing here")
    assert page.root.one("a").attributes["href"] == "/_mock/ui"


async def test_unknown_filter_is_said(browser: Browser) -> None:
    """A filter for an endpoint that there is not is not an empty list, but a mistake."""
    page = await browser.open("/requests?endpoint=nothing")
    assert page.status == 404


# ------------------------------------------------------------------------------------------------------ other sites


async def test_form_of_another_site(mock: MockAS, browser: Browser) -> None:
    """A form without the secret of this browser's pages changes nothing."""
    page = await browser.open("/tokens")
    for forged in ("", "x", "\u00e9"):
        refused = await browser.submit(page, "/tokens/revoke", csrf=forged, token="tok-1")
        assert (refused.status, refused.heading) == (403, "Not from here")
    browser.client.cookies.clear()
    assert (await browser.submit(page, "/tokens/revoke", token="tok-1")).status == 403
    record = mock.tokens.find("tok-1")
    assert record is not None
    assert not record.revoked


async def test_page_of_another_site(client: httpx.AsyncClient) -> None:
    """A page of another origin gets no answer from the console."""
    response = await client.get("/_mock/ui/tokens", headers={"origin": "https://attacker.example.test"})
    assert response.status_code == 403
    assert problem(response)["title"] == "Forbidden"


async def test_cookie(client: httpx.AsyncClient) -> None:
    """The secret of the forms is in a cookie that no script reads and no other site sends, set once."""
    first = await client.get("/_mock/ui/tokens")
    attributes = {part.strip().lower() for part in first.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/_mock/ui"} <= attributes
    assert "set-cookie" not in (await client.get("/_mock/ui/clock")).headers


async def test_control_plane_with_a_token() -> None:
    """Where the control plane has a token, a browser is asked for it, and gets in with it as a password."""
    mock = MockAS(admin_token="open sesame")
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        refused = await client.get("/_mock/ui/tokens")
        assert refused.status_code == 401
        assert "Basic" in [field.partition(" ")[0] for field in refused.headers.get_list("www-authenticate")]
        assert (await client.get("/_mock/ui/tokens", auth=("me", "open sesame"))).status_code == 200


async def test_method(client: httpx.AsyncClient) -> None:
    """Looking changes nothing: what acts takes POST only."""
    for path in ("/tokens/revoke", "/keys/rotate", "/clock/freeze", "/identities/reset", "/faults/clear"):
        assert (await client.get(f"/_mock/ui{path}")).status_code in {404, 405}


# --------------------------------------------------------------------------------------------------- several issuers


async def test_issuers_are_apart(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """Each issuer has a console of its own, and the menu leads from one to the other."""
    tenant = mock.tenant("other")
    tenant.token("bob")
    page = await browser.open("/tokens")
    menu = {link.text: link.attributes["href"] for link in page.root.one("details", **{"class": "menu"}).all("a")}
    assert menu == {"default": "/_mock/ui/tokens", "other": "/t/other/_mock/ui/tokens"}
    other = await Browser(client, "/t/other/_mock/ui").open("/tokens")
    assert [row[2] for row in other.root.rows()] == ["bob"]
    assert other.root.one("code", **{"class": "issuer"}).text == tenant.issuer
    revoked = await Browser(client, "/t/other/_mock/ui").submit(other, "/tokens/revoke", token="tok-1")
    assert (revoked.path, revoked.notice) == (
        "/t/other/_mock/ui/tokens",
        "Revoked. Introspection calls it inactive from now on.",
    )
    assert [record.revoked for record in (*mock.tokens.select(), *tenant.tokens.select())] == [False, True]


async def test_badges(mock: MockAS, browser: Browser) -> None:
    """Every page says when the clock is not the real one, and when something is to go wrong."""
    assert (await browser.open("/keys")).root.with_id("badges").text == ""
    mock.fault("jwks", 503)
    mock.clock.advance(-3660)
    assert (await browser.open("/keys")).root.with_id("badges").text == "Clock \N{MINUS SIGN}1 h 1 min 1 fault set"
    mock.fault("jwks", 503)
    mock.clock.freeze(0)
    assert (await browser.open("/keys")).root.with_id(
        "badges"
    ).text == "Clock stopped at 1970-01-01 00:00:00 UTC 2 faults set"
