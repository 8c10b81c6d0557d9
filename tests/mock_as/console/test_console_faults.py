"""The page of the faults: one press to misbehave, one to behave again."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS
from mock_as.faults import ACTIONS, FAMILIES
from mock_as.journal import ENDPOINTS
from mock_as.profiles import PROFILES
from tests.mock_as.browsing import Browser, Page

pytestmark = pytest.mark.anyio


def chips(page: Page) -> list[str]:
    """Return what can be pressed."""
    return [button.attributes["value"] for button in page.root.all("button", name="action")]


async def test_all_clear(browser: Browser) -> None:
    """Where nothing is set the page says so, and what to do."""
    assert (await browser.open("/faults")).root.with_id("faults").text.startswith("All clear.")


@pytest.mark.parametrize("endpoint", [*sorted(ENDPOINTS), "*"])
async def test_what_can_go_wrong(browser: Browser, endpoint: str) -> None:
    """What can be pressed is what can happen at the endpoint, from the one table there is; each is described."""
    page = await browser.open(f"/faults?endpoint={endpoint}")
    wanted = ENDPOINTS if endpoint == "*" else {endpoint}
    possible = [name for name, action in ACTIONS.items() if wanted <= action.endpoints]
    ready = [name for name in possible if (argument := ACTIONS[name].argument) is None or argument.default is not None]
    assert [name for name in chips(page) if not name.isdigit()] == ready
    described = page.root.one("main").all("dl")[-1]
    assert [words.text for words in described.all("dd")] == [
        " ".join(action.description.split())
        for family in FAMILIES.values()
        for name, action in family.items()
        if name in possible
    ]


async def test_every_chip_works(mock: MockAS, browser: Browser) -> None:
    """Nothing is offered that is refused."""
    for endpoint in sorted(ENDPOINTS):
        page = await browser.open(f"/faults?endpoint={endpoint}")
        form = next(form for form in page.forms("/faults") if form.attributes["method"] == "post")
        for name in chips(page):
            answer = await browser.send(page, form, action=name)
            assert (answer.status, answer.alert) == (200, ""), (endpoint, name)
            mock.clear_faults()


async def test_set_and_taken_back(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A fault is set, happens as often as it was told to, is counted, and is taken back."""
    page = await browser.open("/faults?endpoint=introspect")
    form = next(form for form in page.forms("/faults") if form.attributes["method"] == "post")
    page = await browser.send(page, form, action="503", times="2", client_id="rs", retry_after="7")
    assert page.notice == "Set. The next request that it concerns will see it."
    assert page.root.rows() == [["introspect", "status(503) retry-after: 7", "client_id rs", "0", "2", "Take back"]]
    response = await client.post("/introspect", data={"token": "x"}, auth=mock.credentials("rs"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    other = await client.post("/introspect", data={"token": "x"}, auth=mock.credentials("rs.denied"))
    assert other.status_code == 200
    assert (await browser.open("/faults")).root.rows()[0][3:5] == ["1", "1"]
    page = await browser.submit(page, "/faults/remove")
    assert (page.notice, list(mock.faults)) == ("Done.", [])


async def test_token_is_named_by_its_id(mock: MockAS, browser: Browser) -> None:
    """A fault for one token does not show its text."""
    mock.token()
    page = await browser.open("/faults")
    form = next(form for form in page.forms("/faults") if form.attributes["method"] == "post")
    page = await browser.send(page, form, action="inactive", token="tok-1")
    assert page.root.rows()[0][2] == "token ***"


async def test_value_of_its_own(mock: MockAS, browser: Browser) -> None:
    """An action that takes a value is set with it."""
    page = await browser.open("/faults")
    form = [form for form in page.forms("/faults") if form.attributes["method"] == "post"][-1]
    page = await browser.send(page, form, action="redirect", argument="https://elsewhere.test/")
    assert [fault.describe()["action"] for fault in mock.faults] == ["redirect(https://elsewhere.test/)"]
    assert page.root.rows()[0][4] == "until cleared"


async def test_clear(mock: MockAS, browser: Browser) -> None:
    """All faults are taken back with one press."""
    mock.fault("jwks", 503)
    mock.fault("*", "timeout")
    page = await browser.open("/faults")
    assert [row[0] for row in page.root.rows()] == ["jwks", "every endpoint"]
    page = await browser.submit(page, "/faults/clear")
    assert (page.notice, list(mock.faults)) == ("All clear. The server behaves again.", [])


async def test_profile(mock: MockAS, browser: Browser) -> None:
    """A profile is put on, described, and taken off; one that there is not is refused."""
    page = await browser.submit(await browser.open("/faults"), "/faults/profile", profile="canaille")
    assert (page.notice, mock.options.profile) == ("Done.", "canaille")
    assert PROFILES["canaille"].description in page.root.text
    refused = await browser.submit(page, "/faults/profile", profile="nothing")
    assert (refused.alert.partition(" ")[0], mock.options.profile) == ("profile", "canaille")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"action": "nothing"}, "action"),
        ({"action": "503", "times": "0"}, "times"),
        ({"action": "503", "times": "1.5"}, "times"),
        ({"action": "503", "times": "often"}, "times"),
        ({"action": "503", "endpoint": "nothing"}, "endpoint"),
        ({}, "action"),
    ],
)
async def test_mistake(mock: MockAS, browser: Browser, changes: dict[str, str], said: str) -> None:
    """A mistake is named, and nothing is set."""
    page = await browser.open("/faults")
    form = next(form for form in page.forms("/faults") if form.attributes["method"] == "post")
    page = await browser.send(page, form, **changes)
    assert (page.status, page.alert.partition(" ")[0], list(mock.faults)) == (422, said, [])
