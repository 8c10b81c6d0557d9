"""A browser without a screen and without JavaScript: reads pages, fills in forms, follows where they lead."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


@dataclass
class Element:
    """A part of a page."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: list[Element | str] = field(default_factory=list["Element | str"])

    def __iter__(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child

    @property
    def text(self) -> str:
        """What a reader sees, with single spaces."""
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join(" ".join(parts).split())

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of a kind."""
        wanted = attributes.items()
        return [part for part in self if part.tag == tag and wanted <= part.attributes.items()]

    def one(self, tag: str, **attributes: str) -> Element:
        """Return the only element of a kind."""
        [found] = self.all(tag, **attributes)
        return found

    def rows(self) -> list[list[str]]:
        """Return the texts of the cells of every table body."""
        return [[cell.text for cell in row.all("td")] for body in self.all("tbody") for row in body.all("tr")]

    def facts(self) -> dict[str, str]:
        """Return every list of facts as one."""
        return {
            name.text: value.text
            for facts in self.all("dl")
            for name, value in zip(facts.all("dt"), facts.all("dd"), strict=True)
        }

    def with_id(self, name: str) -> Element:
        """Return the element of an id, which no two may have."""
        [found] = [part for part in self if part.attributes.get("id") == name]
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"<{self._open[-1].tag}> is closed by </{tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse(text: str) -> Element:
    """Read a page; one whose elements are not closed in order is refused."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert [element.tag for element in reader._open] == ["root"]
    return reader.root


@dataclass
class Page:
    """A page that was loaded."""

    response: httpx.Response
    root: Element

    @property
    def path(self) -> str:
        """Where it was found in the end."""
        return self.response.url.path

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def heading(self) -> str:
        """What it is called."""
        return self.root.one("h1").text

    @property
    def alert(self) -> str:
        """What it says is wrong."""
        return " ".join(part.text for part in self.root if part.attributes.get("role") == "alert")

    @property
    def notice(self) -> str:
        """What it says has happened."""
        return " ".join(part.text for part in self.root if part.attributes.get("role") == "status")

    def forms(self, action: str) -> list[Element]:
        """Return the forms that lead to a path, or to one that ends like it."""
        return [form for form in self.root.all("form") if urlsplit(form.attributes["action"]).path.endswith(action)]

    @property
    def policy(self) -> dict[str, list[str]]:
        """The directives of the Content-Security-Policy."""
        rules = (rule.split() for rule in self.response.headers["content-security-policy"].split(";"))
        return {name: sources for name, *sources in rules}


def digest(text: str) -> str:
    """Return a source of a policy that allows exactly a text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _values(form: Element) -> list[tuple[str, str]]:
    """Return what a form holds before anybody touches it."""
    found: list[tuple[str, str]] = []
    for part in form:
        name, kind = part.attributes.get("name", ""), part.attributes.get("type", "text")
        if part.tag == "textarea":
            found.append((name, part.text))
        elif part.tag == "select":
            options = part.all("option")
            chosen = next((option for option in options if "selected" in option.attributes), options[0])
            found.append((name, chosen.attributes.get("value", chosen.text)))
        elif part.tag == "input" and (kind not in {"checkbox", "radio"} or "checked" in part.attributes):
            found.append((name, part.attributes.get("value", "")))
    return found


class Browser:
    """Goes from page to page.

    Args:
        client: what carries the requests, and keeps the cookies.
        home: the path of the console.
    """

    def __init__(self, client: httpx.AsyncClient, home: str = "/_mock/ui") -> None:
        self.client = client
        self.home = home

    async def open(self, path: str) -> Page:
        """Load a page of the console, or any page by its URL."""
        url = path if path.startswith("http") else f"{self.home}{path}"
        return _page(await self.client.get(url, follow_redirects=True))

    async def send(self, page: Page, form: Element, *others: tuple[str, str], **changes: str) -> Page:
        """Send a form, with some of its fields changed and others added."""
        kept = [(name, value) for name, value in _values(form) if name not in changes]
        pairs = [*kept, *changes.items(), *others]
        url, data = urljoin(str(page.response.url), form.attributes["action"]), _grouped(pairs)
        if form.attributes.get("method", "get") == "get":
            return _page(await self.client.get(url, params=data, follow_redirects=True))
        origin = {"origin": f"{page.response.url.scheme}://{page.response.url.netloc.decode()}"}
        return _page(await self.client.post(url, data=data, headers=origin, follow_redirects=True))

    async def submit(self, page: Page, action: str, *others: tuple[str, str], **changes: str) -> Page:
        """Send the first form that leads to a path."""
        return await self.send(page, page.forms(action)[0], *others, **changes)


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    return {name: [value for key, value in pairs if key == name] for name, _ in pairs}


def _page(response: httpx.Response) -> Page:
    assert response.headers["content-type"] == "text/html; charset=utf-8", response.text
    return Page(response, parse(response.text))
