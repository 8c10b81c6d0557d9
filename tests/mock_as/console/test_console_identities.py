"""The page of clients, users and issuers: who is known, made known, and forgotten."""

from __future__ import annotations

import pytest

from mock_as import MockAS
from tests.mock_as.browsing import Browser

pytestmark = pytest.mark.anyio


async def test_who_is_known(mock: MockAS, browser: Browser) -> None:
    """Every client and every user is in a table; no secret is in the text of the page."""
    page = await browser.open("/identities")
    tables = page.root.all("table")
    clients = [row.all("td")[0].one("a").text for row in tables[0].one("tbody").all("tr")]
    users = [row.all("td")[0].one("a").text for row in tables[1].one("tbody").all("tr")]
    assert (clients, users) == (list(mock.clients), list(mock.users))
    assert "svc-secret" not in page.root.text


async def test_new_client(mock: MockAS, browser: Browser) -> None:
    """A client is registered with everything that the form asks for."""
    page = await browser.open("/identities/client")
    page = await browser.submit(
        page, "/identities/client", ("grants", "authorization_code"), id="orders", secret="s", scopes="read write",
        redirect_uris="https://a.test/cb\nhttps://b.test/cb", format="opaque", lifetime="60", introspect="1",
    )  # fmt: skip
    assert page.notice == "Saved."
    client = mock.clients["orders"]
    assert (client.secret, client.scopes, client.grants) == (
        "s",
        ("read", "write"),
        ("client_credentials", "authorization_code"),
    )
    assert client.redirect_uris == ("https://a.test/cb", "https://b.test/cb")
    assert (client.format, client.lifetime, client.introspect) == ("opaque", 60, True)
    assert client.auth_methods == ("client_secret_basic", "client_secret_post")


async def test_new_public_client(mock: MockAS, browser: Browser) -> None:
    """A public client needs no secret."""
    await browser.submit(await browser.open("/identities/client"), "/identities/client", id="app", public="1")
    assert mock.clients["app"].is_public


async def test_client_is_changed(mock: MockAS, browser: Browser) -> None:
    """A known client keeps what the form does not ask for; saved as it is, it stays as it is."""
    for name in ("svc.dpop", "web", "spa", "rs"):
        before = mock.clients[name]
        page = await browser.open(f"/identities/client?id={name}")
        await browser.submit(page, "/identities/client")
        assert mock.clients[name] == before
    page = await browser.open("/identities/client?id=svc.dpop")
    await browser.submit(page, "/identities/client", scopes="read")
    client = mock.clients["svc.dpop"]
    assert (client.scopes, client.dpop_bound) == (("read",), True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": ""}, "clients"),
        ({"secret": ""}, "clients"),
        ({"lifetime": "x"}, "lifetime"),
        ({"format": "x"}, "format"),
    ],
)
async def test_mistake_about_a_client(mock: MockAS, browser: Browser, changes: dict[str, str], said: str) -> None:
    """A mistake is named, what was written is still there, and nobody was registered."""
    before = dict(mock.clients)
    page = await browser.open("/identities/client")
    page = await browser.submit(page, "/identities/client", **{"id": "new", "secret": "s", "scopes": "mine", **changes})
    assert (page.status, page.alert.partition(" ")[0]) == (422, said)
    assert page.root.one("input", name="scopes").attributes["value"] == "mine"
    assert dict(mock.clients) == before


async def test_user(mock: MockAS, browser: Browser) -> None:
    """A person is made known, changed, kept from logging in, and forgotten."""
    page = await browser.submit(
        await browser.open("/identities/user"),
        "/identities/user",
        sub="alice/2",
        name="A",
        scopes="read",
        claims='{"team": 1}',
    )
    assert page.notice == "Saved."
    user = mock.users["alice/2"]
    assert (user.name, user.scopes, user.claims, user.disabled) == ("A", ("read",), {"team": 1}, False)
    for name in mock.users:
        before = mock.users[name]
        known = await browser.open(f"/identities/user?sub={name}")
        await browser.submit(known, "/identities/user")
        assert mock.users[name] == before
    await browser.submit(await browser.open("/identities/user?sub=alice/2"), "/identities/user", disabled="1")
    assert mock.users["alice/2"].disabled
    page = await browser.open("/identities")
    form = next(
        form for form in page.forms("/user/delete") if form.one("input", name="sub").attributes["value"] == "alice/2"
    )
    assert (await browser.send(page, form)).notice == "Deleted."
    assert "alice/2" not in mock.users


@pytest.mark.parametrize(("changes", "said"), [({"sub": ""}, "users"), ({"claims": "{"}, "claims")])
async def test_mistake_about_a_user(mock: MockAS, browser: Browser, changes: dict[str, str], said: str) -> None:
    """A mistake is named, and nobody was made known."""
    before = dict(mock.users)
    page = await browser.submit(
        await browser.open("/identities/user"), "/identities/user", **{"sub": "new", "name": "N", **changes}
    )
    assert (page.status, page.alert.partition(" ")[0]) == (422, said)
    assert page.root.one("input", name="name").attributes["value"] == "N"
    assert dict(mock.users) == before


async def test_nobody(mock: MockAS, browser: Browser) -> None:
    """Where everybody was deleted the page says what follows; a reset brings them back."""
    page = await browser.open("/identities")
    for action in ("/client/delete", "/user/delete"):
        for form in page.forms(action):
            await browser.send(page, form)
    page = await browser.open("/identities")
    assert page.root.rows() == []
    assert "No client may do this." in (await browser.open("/try")).root.text
    assert (await browser.submit(await browser.open("/tokens"), "/tokens")).status == 200
    page = await browser.submit(page, "/identities/reset")
    assert page.notice == "Everything is as it was when the server started."
    assert "svc" in mock.clients
    assert "alice" in mock.users


async def test_issuers(mock: MockAS, browser: Browser) -> None:
    """An issuer is made, which leads to its console, and forgotten, which leads back."""
    page = await browser.submit(await browser.open("/identities"), "/identities/issuer", name="other")
    assert (page.path, list(mock.tenants)) == ("/t/other/_mock/ui/tokens", ["other"])
    page = await browser.submit(await browser.open("/identities"), "/identities/issuer/delete")
    assert (page.notice, dict(mock.tenants)) == ("Deleted.", {})
    await browser.submit(page, "/identities/issuer")
    assert len(mock.tenants) == 1


@pytest.mark.parametrize(
    ("action", "changes", "said"),
    [("/identities/issuer", {"name": "a/b"}, "tenant"), ("/identities/issuer/delete", {"name": "nothing"}, "name")],
)
async def test_mistake_about_an_issuer(
    mock: MockAS, browser: Browser, action: str, changes: dict[str, str], said: str
) -> None:
    """A mistake is named, and the issuers stay as they are."""
    mock.tenant("other")
    page = await browser.submit(await browser.open("/identities"), action, **changes)
    assert (page.status, page.alert.partition(" ")[0], list(mock.tenants)) == (422, said, ["other"])
