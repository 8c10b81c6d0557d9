"""A real browser, without a screen: Chromium as the system has it, driven by Playwright."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mock_as import MockAS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from mock_as.pytest_plugin import MockASFactory

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

_CHROMIUM = Path("/usr/bin/chromium")
_PATIENCE = 10_000
# It is to talk to nobody but the server of the test, and a container has neither a GPU nor a sandbox to give.
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Not once for all: while Playwright runs no other event loop can, and there are asynchronous tests in other modules.
@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """Start the browser once for the tests of a module."""
    if not _CHROMIUM.exists():
        pytest.skip(f"there is no {_CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, headless=True, args=_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def mock(mock_as_factory: MockASFactory) -> MockAS:
    """Serve a mock that nobody has told anything over a socket."""
    return mock_as_factory.serve()


@pytest.fixture
def url(mock: MockAS) -> str:
    """Give the address of the mock."""
    return mock.issuer


@pytest.fixture
def page(chromium: Browser, url: str) -> Generator[Page]:
    """Open a tab of a browser that remembers nothing; whatever the page complains about fails the test."""
    complaints: list[str] = []
    context = chromium.new_context(base_url=url, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    # A page with a status of 404 or 422 is no error of the console, but Chromium says so.
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []
