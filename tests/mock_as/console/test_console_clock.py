"""The page of the clock: read, moved, stopped, and set right again."""

from __future__ import annotations

import pytest

from mock_as import Clock, MockAS
from tests.mock_as.browsing import Browser

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW))


async def test_real_time(browser: Browser) -> None:
    """A clock that nobody has moved tells the real time, and ticks on the page."""
    page = await browser.open("/clock")
    time = page.root.one("time")
    assert (time.text, float(time.attributes["data-ticking"])) == ("2023-11-14 22:13:20 UTC", NOW)
    assert not page.forms("/clock/reset")


async def test_moved(mock: MockAS, browser: Browser) -> None:
    """One press moves the clock by a minute, an hour or a day, in either direction; a number by any distance."""
    page = await browser.open("/clock")
    forms = page.forms("/clock")
    assert [form.text for form in forms[:-1]] == [
        "+1 min",
        "+1 h",
        "+1 day",
        "\N{MINUS SIGN}1 min",
        "\N{MINUS SIGN}1 h",
    ]
    for form in forms[:-1]:
        page = await browser.send(page, form)
    assert (page.notice, mock.clock.offset) == ("The clock has been moved.", 86400)
    page = await browser.send(page, forms[-1], seconds="-0.5")
    assert mock.clock.offset == 86399.5
    page = await browser.submit(page, "/clock/reset")
    assert (page.notice, mock.clock.now()) == ("The clock tells the real time again.", NOW)


async def test_stopped(mock: MockAS, browser: Browser) -> None:
    """A clock that was stopped stands still, and does not tick on the page."""
    page = await browser.submit(await browser.open("/clock"), "/clock/freeze")
    assert mock.clock.frozen
    assert "data-ticking" not in page.root.one("time").attributes
    assert not page.forms("/clock/freeze")


@pytest.mark.parametrize("seconds", ["", "soon", "inf"])
async def test_mistake(mock: MockAS, browser: Browser, seconds: str) -> None:
    """A mistake is named, and the clock stays where it is."""
    page = await browser.open("/clock")
    page = await browser.send(page, page.forms("/clock")[-1], seconds=seconds)
    assert page.status == 422
    assert page.root.all("input", name="seconds")[-1].attributes["aria-invalid"] == "true"
    assert mock.clock.now() == NOW
