"""The page of the tokens: minted, seen from outside and from inside, ended."""

from __future__ import annotations

import json
import shlex

import pytest

from mock_as import Clock, MockAS
from mock_as.console.calls import pretty
from mock_as.console.tokens import decode
from mock_as.console.visit import duration, moment
from mock_as.tokens.defects import DEFECTS
from tests.mock_as.browsing import Browser

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW))


async def test_no_token_yet(browser: Browser) -> None:
    """An empty list says what to do about it."""
    page = await browser.open("/tokens")
    assert page.root.rows() == []
    assert (
        page.root.with_id("tokens").text
        == "No token yet. Mint one above, or let a client ask for one at the token endpoint."
    )


async def test_mint_with_every_wish(mock: MockAS, browser: Browser) -> None:
    """A token can be all that the form says; its page shows it as it is sent, from inside and from outside."""
    page = await browser.open("/tokens")
    page = await browser.submit(
        page, "/tokens", ("scope", "write"), sub="alice", client_id="web", expires_in="60", format="jwt",
        aud="https://a.test https://b.test", claims='{"tenant": "acme", "jti": null}', header='{"x": 1}',
        scope="read more",
    )  # fmt: skip
    assert (page.path, page.heading) == ("/_mock/ui/tokens/tok-1", "tok-1")
    record = mock.tokens.find("tok-1")
    assert record is not None
    assert page.root.with_id("token").text == record.token.value
    assert shlex.split(page.root.with_id("curl").text) == shlex.split(record.token.curl())
    header, claims, answer = (json.loads(part.text) for part in page.root.all("pre")[-3:])
    assert header["x"] == 1
    assert claims == {
        "iss": mock.issuer,
        "aud": ["https://a.test", "https://b.test"],
        "sub": "alice",
        "client_id": "web",
        "iat": NOW,
        "exp": NOW + 60,
        "scope": "read more write",
        "tenant": "acme",
    }
    assert (answer["active"], answer["sub"]) == (True, "alice")


async def test_mint_without_wishes(mock: MockAS, browser: Browser) -> None:
    """Without wishes a token is the one that Python makes."""
    await browser.submit(await browser.open("/tokens"), "/tokens")
    [record] = mock.tokens.select()
    expected = mock.token()
    facts = ("iss", "aud", "sub", "client_id", "scope", "exp")
    assert [record.token.claims[fact] for fact in facts] == [expected.claims[fact] for fact in facts]


async def test_opaque_token(browser: Browser) -> None:
    """An opaque token has no inside; introspection says what there is to say."""
    page = await browser.submit(await browser.open("/tokens"), "/tokens", format="opaque")
    assert len(page.root.all("section")[1].all("pre")) == 0
    assert json.loads(page.root.with_id("answer").one("pre").text)["active"] is True


async def test_bound_token(browser: Browser) -> None:
    """A token that is bound to a key is sent with a proof of it."""
    page = await browser.submit(await browser.open("/tokens"), "/tokens", token_type="DPoP")
    words = shlex.split(page.root.with_id("curl").text)
    assert [word.partition(":")[0] for word in words if ": " in word] == ["Authorization", "DPoP"]
    assert "jkt" in json.loads(page.root.with_id("answer").one("pre").text)["cnf"]


async def test_forged_token(mock: MockAS, browser: Browser) -> None:
    """A token that the server does not know is shown at once, with what is wrong with it."""
    page = await browser.submit(await browser.open("/tokens"), "/tokens", defect="alg_none")
    assert page.status == 200
    assert (
        page.root.all("p", **{"class": "notice"})[0].text == f"alg_none : this token {DEFECTS['alg_none'].description}."
    )
    assert json.loads(page.root.all("pre")[2].text)["alg"] == "none"
    assert json.loads(page.root.with_id("answer").one("pre").text) == {"active": False}
    assert len(mock.tokens) == 0


@pytest.mark.parametrize("defect", DEFECTS)
async def test_every_defect_is_shown(browser: Browser, defect: str) -> None:
    """Whatever is wrong with a token, its page can be shown."""
    page = await browser.submit(await browser.open("/tokens"), "/tokens", defect=defect)
    assert page.status == 200


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("expires_in", "soon", "expires_in"),
        ("expires_in", "inf", "expires_in"),
        ("claims", "[1]", "claims"),
        ("claims", "{", "claims"),
        ("header", "1", "header"),
        ("defect", "nothing", "defect"),
        ("format", "paper", "format"),
    ],
)
async def test_mistake(mock: MockAS, browser: Browser, field: str, value: str, said: str) -> None:
    """A mistake is named, what was written is still there, and nothing was minted."""
    page = await browser.submit(await browser.open("/tokens"), "/tokens", sub="alice", **{field: value})
    assert page.status == 422
    assert page.alert.partition(" ")[0] == said
    assert page.forms("/tokens")[0].one("input", name="sub").attributes["value"] == "alice"
    assert len(mock.tokens) == 0


async def test_table(mock: MockAS, browser: Browser) -> None:
    """The table shows the latest token first, with its state by the server's clock and when it ends."""
    mock.token("alice", expires_in=90)
    mock.revoke(mock.token("bob"))
    mock.token("carol", expires_in=-7200)
    mock.token("dave", nbf_in=60, format="opaque", claims={"exp": None})
    rows = (await browser.open("/tokens")).root.rows()
    assert [row[2] for row in rows] == ["dave", "carol", "bob", "alice"]
    assert [row[1] for row in rows] == ["not yet valid", "expired", "revoked", "active"]
    assert [row[5] for row in rows] == ["never", "2 h ago", "in 1 h", "in 1 min"]
    mock.clock.advance(90)
    assert (await browser.open("/tokens")).root.rows()[3][1] == "expired"


async def test_filters(mock: MockAS, browser: Browser) -> None:
    """The table is narrowed by state, subject and client; an empty outcome says that there are others."""
    mock.token("alice")
    mock.token("bob", client_id="web", expires_in=-1)
    page = await browser.open("/tokens")
    state = next(form for form in page.forms("/tokens") if form.attributes["method"] == "get")
    assert [row[2] for row in (await browser.send(page, state, state="expired")).root.rows()] == ["bob"]
    for query, subjects in (("sub=bob", ["bob"]), ("client_id=web", ["bob"]), ("state=active&sub=bob", [])):
        page = await browser.open(f"/tokens?{query}")
        assert [row[2] for row in page.root.rows()] == subjects
    assert page.root.with_id("tokens").text == "None is in this state. There are others. Show all of them"


async def test_only_so_many(mock: MockAS, browser: Browser) -> None:
    """A server with many tokens shows the latest of them, and says so."""
    for _ in range(201):
        mock.token(format="opaque")
    page = await browser.open("/tokens")
    assert len(page.root.rows()) == 200
    assert "The latest 200 of 201." in page.root.with_id("tokens").text


@pytest.mark.parametrize(("verb", "state"), [("revoke", "revoked"), ("expire", "expired")])
async def test_end(mock: MockAS, browser: Browser, verb: str, state: str) -> None:
    """A token is ended in the table or on its page, and all of them at once; each leads back to where it was."""
    for _ in range(4):
        mock.token()
    page = await browser.open("/tokens")
    page = await browser.submit(page, f"/tokens/{verb}")
    assert (page.path, page.notice.partition(".")[0].lower()) == ("/_mock/ui/tokens", state)
    page = await browser.submit(await browser.open("/tokens/tok-2"), f"/tokens/{verb}")
    assert page.path == "/_mock/ui/tokens/tok-2"
    assert page.root.with_id("state").all("span")[0].text == state
    assert json.loads(page.root.with_id("answer").one("pre").text) == {"active": False}
    page = await browser.open("/tokens")
    assert [row[1] for row in page.root.rows()] == [state, "active", state, "active"]
    page = await browser.send(page, page.forms(f"/tokens/{verb}")[-1])
    assert {row[1] for row in page.root.rows()} == {state}


async def test_asked_by_another(mock: MockAS, browser: Browser) -> None:
    """Introspection answers as it would the caller that is chosen; it leaves no trace, and no fault meets it."""
    mock.token()
    mock.fault("introspect", 503)
    page = await browser.open("/tokens/tok-1")
    form = next(form for form in page.forms("/tokens/tok-1") if form.attributes["method"] == "get")
    denied = await browser.send(page, form, **{"as": "rs.denied"})
    assert json.loads(denied.root.with_id("answer").one("pre").text) == {"active": False}
    assert json.loads(page.root.with_id("answer").one("pre").text)["active"] is True
    assert mock.requests().count == 0
    mock.clients.pop("rs.denied")
    for name in [client.id for client in mock.clients.values() if client.introspect]:
        del mock.clients[name]
    page = await browser.open("/tokens/tok-1")
    assert page.root.with_id("answer").text.startswith("No client may ask.")


async def test_look_into_any(mock: MockAS, browser: Browser) -> None:
    """A token that is pasted is shown, known or not, with its scheme in front or not."""
    known, other = mock.token(), MockAS(issuer="https://elsewhere.test").token("eve")
    page = await browser.open("/tokens")
    assert (await browser.submit(page, "/tokens/inspect", token=known.value)).path == "/_mock/ui/tokens/tok-1"
    shown = await browser.submit(page, "/tokens/inspect", token=f"Bearer {other.value}")
    assert json.loads(shown.root.all("pre")[3].text)["sub"] == "eve"
    assert shown.root.one("main").one("header").one("p").text == "This server does not know this token."
    assert (await browser.submit(page, "/tokens/inspect", token=" ")).alert == "token : paste one"


async def test_live_part(mock: MockAS, browser: Browser) -> None:
    """The parts that are live have a name to be found by, and the page says where the events are."""
    mock.token()
    root = (await browser.open("/tokens")).root
    assert root.one("body").attributes["data-events"] == "/_mock/events"
    assert all("id" in part.attributes for part in root if "data-live" in part.attributes)


# -------------------------------------------------------------------------------------------------------- the words


def test_decode() -> None:
    """What is in a token is shown as far as it can be read."""
    assert decode("opaque") == []
    assert decode("eyJhIjoxfQ.e30.x") == [("Header", '{\n  "a": 1\n}'), ("Claims", "{}")]
    assert decode("*.bm90IEpTT04") == [("Header", "not base64url: *"), ("Claims", "not JSON")]


def test_pretty() -> None:
    """JSON gets a line for each member; anything else stays as it is, however deep it may be."""
    assert pretty('{"a":[]}') == '{\n  "a": []\n}'
    assert pretty("<html>") == "<html>"
    assert pretty("[" * 100_000) == "[" * 100_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.25, "0.25 s"), (61, "1 min 1 s"), (90061, "1 d 1 h"), (-60, "\N{MINUS SIGN}1 min"), (59.6, "59 s")],
)
def test_duration(seconds: float, words: str) -> None:
    """A duration is said in its two largest units."""
    assert duration(seconds) == words


def test_moment() -> None:
    """A time is said as people do, and as a number where no calendar has it."""
    assert moment(NOW) == "2023-11-14 22:13:20 UTC"
    assert moment(1e20) == "1e+20 s"
