"""There is a page for each framework and each proxy, and who has read one finds everything in the next."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import NAMES, read

FRAMEWORKS = ["fastapi", "starlette", "litestar", "quart", "asgi", "flask", "wsgi", "django", "authlib", "mcp"]
PROXIES = ["nginx", "ingress-nginx", "traefik", "caddy", "envoy", "haproxy", "apache"]
PAGES = [f"docs/{name}.md" for name in FRAMEWORKS + PROXIES]
OTHERS = ["docs/front-doors.md", "docs/gateway.md", "docs/write-your-own-host.md"]
OUTLINE = ["Install", "Protect", "Demand", "Who is calling", "Refusals", "Test", "Run", "Good to know"]


def headings(page: str, level: int) -> list[str]:
    """Return the headings of a level, in order; a comment in a code block is none."""
    text = re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    return re.findall(rf"^{'#' * level} (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_outline(page: str) -> None:
    """Each page of a front door has one title, and the same headings in the same order."""
    assert len(headings(page, 1)) == 1
    assert headings(page, 2) == OUTLINE


@pytest.mark.parametrize("page", PAGES + OTHERS)
def test_page_is_found(page: str) -> None:
    """Each page is there, and the page about which front door to take leads to it."""
    assert page in NAMES
    if page != "docs/front-doors.md":
        assert f"]({page.removeprefix('docs/')})" in read("docs/front-doors.md")
