"""The built site: it loads nothing from elsewhere, and can be searched where it lies, without a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "audio": "src",
    "video": "src",
    "link": "href",
}
NOT_LOADED = {"canonical", "prev", "next", "alternate"}
_CHROMIUM = Path("/usr/bin/chromium")
_PATIENCE = 20_000


class Loads(HTMLParser):
    """Everything that a page has its reader's browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        given = dict(attrs)
        self.classes |= set((given.get("class") or "").split())
        target = given.get(LOADED.get(tag, ""))
        if target and given.get("rel") not in NOT_LOADED:
            self.found.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as it is published."""
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def read_pages(site: Path) -> dict[str, Loads]:
    """Parse every page."""
    found: dict[str, Loads] = {}
    for path in site.rglob("*.html"):
        parser = Loads()
        parser.feed(path.read_text(encoding="utf-8"))
        found[path.relative_to(site).as_posix()] = parser
    return found


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Each script, style, font and image of a page is a file of the site, and is there."""
    pages = read_pages(site)
    assert len(pages) > 50
    for name, page in pages.items():
        for target in page.found:
            parts = urlsplit(target)
            assert not parts.scheme or parts.scheme == "data", f"{name} loads {target}"
            assert not parts.netloc, f"{name} loads {target}"
            assert parts.scheme or name == "404.html" or ((site / name).parent / parts.path).resolve().exists(), target


def test_styles_load_nothing_from_elsewhere(site: Path) -> None:
    """What a style sheet refers to stands in it, or is a file of the site."""
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        targets = re.findall(r"url\(\s*[\"']?((?!data:)[^\"')]+)", text) + re.findall(r"@import\s+[\"']([^\"']+)", text)
        assert [target for target in targets if "//" in target] == [], path


def test_no_page_needs_what_the_theme_would_fetch(site: Path) -> None:
    """The theme fetches a library for drawings in text; no page has one."""
    assert [name for name, page in read_pages(site).items() if "mermaid" in page.classes] == []


def test_what_is_to_be_downloaded_is_there(site: Path) -> None:
    """The description of the mock's HTTP API is a file of the site, and so is the drawing."""
    assert (site / "mock-openapi.json").is_file()
    assert (site / "images/architecture.svg").is_file()
    assert "Keep a Changelog" in (site / "changelog.html").read_text(encoding="utf-8")
    assert "Who attacks" in (site / "threat-model.html").read_text(encoding="utf-8")


@pytest.fixture
def page() -> Generator[Page]:
    """Open a tab that reaches no network; whatever it tries to load, and whatever goes wrong in it, fails the test."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not _CHROMIUM.exists():
        pytest.skip(f"there is no {_CHROMIUM}")
    wrong: list[str] = []
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, headless=True, args=options)
        tab = browser.new_page()
        tab.set_default_timeout(_PATIENCE)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        yield tab
        browser.close()
    assert wrong == []


@pytest.mark.parametrize(
    ("words", "found"),
    [("cache_ttl", "configuration.html"), ("Zitadel", "as-zitadel.html"), ("Keycloak", "as-keycloak.html")],
)
def test_the_search_works_from_a_file(site: Path, page: Page, words: str, found: str) -> None:
    """Who opens the site from a disk, without a network, finds a page by a word in it, and gets there."""
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").press_sequentially(words)
    results = page.locator("a.md-search-result__link")
    results.first.wait_for()
    assert found in " ".join(results.evaluate_all("links => links.map(link => link.href)"))
