"""The page of the requests: what was asked, what was answered, and how to ask it again."""

from __future__ import annotations

import dataclasses
import shlex

import httpx
import pytest

from mock_as import MockAS
from mock_as.console.journal import reason
from tests.mock_as.browsing import Browser, Element

pytestmark = pytest.mark.anyio


async def test_no_request_yet(browser: Browser) -> None:
    """An empty journal says what to do about it; what the console does is not in it."""
    page = await browser.open("/requests")
    assert page.root.with_id("requests").text.startswith("No request yet.")
    assert (await browser.open("/requests")).root.rows() == []


@pytest.fixture
async def asked(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Have three requests in the journal: a good one, a refused one, and one without an answer."""
    mock.token("alice")
    await client.post("/introspect", data={"token": mock.text_of("tok-1")}, auth=mock.credentials("rs"))
    await client.post("/token", data={"grant_type": "nothing"}, auth=mock.credentials("svc"))
    mock.fault("jwks", "reset")
    with pytest.raises(httpx.ReadError):
        await client.get("/jwks")


@pytest.mark.usefixtures("asked")
async def test_table(browser: Browser) -> None:
    """The table shows the latest request first: who asked, about which token, what was answered, and which fault."""
    rows = (await browser.open("/requests")).root.rows()
    assert [row[:6] for row in rows] == [
        ["3", "GET /jwks", "", "", "no answer", "reset"],
        ["2", "POST /token", "svc", "", "400", ""],
        ["1", "POST /introspect", "rs", "tok-1", "200", ""],
    ]
    assert all(float(row[6]) >= 0 for row in rows)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"endpoint": "jwks"}, ["3"]),
        ({"outcome": "good"}, ["1"]),
        ({"outcome": "failed"}, ["3", "2"]),
        ({"outcome": "fault"}, ["3"]),
        ({"client_id": "svc"}, ["2"]),
        ({"token": "tok-1"}, ["1"]),
        ({"endpoint": "device"}, []),
    ],
)
async def test_filters(browser: Browser, wanted: dict[str, str], numbers: list[str]) -> None:
    """The table is narrowed by endpoint, outcome, client and token."""
    page = await browser.submit(await browser.open("/requests"), "/requests", **wanted)
    assert [row[0] for row in page.root.rows()] == numbers
    if not numbers:
        assert page.root.with_id("requests").text == "No request is like that. There are 3 others. Show all of them"


@pytest.mark.usefixtures("asked")
async def test_request(browser: Browser) -> None:
    """One request is shown with its answer; credentials are left out, and tokens are called by their ids."""
    page = await browser.open("/requests/1")
    facts = page.root.facts()
    assert (facts["Endpoint"], facts["Client"], facts["About"], facts["Answer"]) == (
        "introspect",
        "rs",
        "tok-1",
        "200 OK",
    )
    assert facts["token"] == "tok-1"
    fields = _fields(page.root.all("pre")[0])
    assert fields["authorization"] == "Basic ***"
    none = await browser.open("/requests/3")
    assert none.root.facts()["Answer"] == "no answer"
    assert none.root.facts()["Client"] == "did not say"


async def test_code_is_left_out(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A code on its way to a client, and the session of a person, are shown no more than other credentials."""
    back = "https://app.example.test/cb"
    mock.clients["web"] = dataclasses.replace(mock.clients["web"], redirect_uris=(back,))
    asked = {"response_type": "code", "client_id": "web", "redirect_uri": back, "prompt": "none", "state": "s3cret"}
    assert (await client.get("/authorize", params=asked)).is_redirect
    page = await browser.open("/requests/1")
    assert _fields(page.root.one("main").all("section")[2].all("pre")[1])["location"] == f"{back}?***"
    shown = [part.text for part in page.root.all("pre") if part.attributes.get("id") != "curl"]
    assert not [text for text in shown if "s3cret" in text]


def _fields(shown: Element) -> dict[str, str]:
    lines = (line.partition(": ") for line in "".join(map(str, shown.children)).strip().splitlines())
    return {name: value for name, _, value in lines}


@pytest.mark.usefixtures("asked")
async def test_ask_again(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """The command line sends the same request again."""
    words = shlex.split((await browser.open("/requests/1")).root.with_id("curl").text)
    fields = [words[place + 1] for place, word in enumerate(words) if word == "-H"]
    body, url = words[words.index("--data-raw") + 1], words[-1]
    assert (words[:4], url) == (["curl", "-i", "-X", "POST"], f"{mock.issuer}/introspect")
    headers = dict(field.split(": ", 1) for field in fields)
    response = await client.post(url, headers=headers, content=body)
    assert response.json()["active"] is True
    await client.get("/.well-known/openid-configuration", params={"x": "a b"})
    words = shlex.split((await browser.open("/requests/5")).root.with_id("curl").text)
    assert words[-1] == f"{mock.issuer}/.well-known/openid-configuration?x=a+b"
    assert "-X" not in words


async def test_asking_again_sends_no_file(client: httpx.AsyncClient, browser: Browser) -> None:
    """The command line reads no file and runs nothing, whatever stood in the body: anybody may have sent it."""
    await client.post("/token", content=b"@/etc/hostname")
    words = shlex.split((await browser.open("/requests/1")).root.with_id("curl").text)
    assert [word for word in words if word.startswith("--data")] == ["--data-raw"]
    await client.post("/token", content=b"a\x1b[201~\nfalse\x03")
    text = (await browser.open("/requests/2")).root.with_id("curl").text
    assert [letter for letter in text.strip() if not letter.isprintable()] == []


@pytest.mark.usefixtures("asked")
async def test_forget(mock: MockAS, browser: Browser) -> None:
    """The journal is emptied."""
    page = await browser.submit(await browser.open("/requests"), "/requests/forget")
    assert (page.notice, mock.requests().count) == ("Forgotten.", 0)


async def test_only_so_many(client: httpx.AsyncClient, browser: Browser) -> None:
    """A long journal shows the latest of its requests, and says so."""
    for _ in range(201):
        await client.get("/jwks")
    page = await browser.open("/requests")
    assert len(page.root.rows()) == 200
    assert "The latest 200 of 201." in page.root.with_id("requests").text


def test_reason() -> None:
    """A status has its name, if it has one."""
    assert (reason(404), reason(599)) == ("Not Found", "")
