"""The pages about moving here from something else: one outline, and code that was code."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Generator
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest
import respx

from mock_as import Client, MockAS
from tests.docs.pages import ROOT, blocks, read
from tests.docs.test_outline import headings

PAGES = [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("migrate-from-*.md"))]
OUTLINE = ["Before", "After", "What changes for callers", "What to delete", "Pitfalls"]


def test_the_four_are_there() -> None:
    """There is a page for each thing that people come from."""
    found = [re.sub(r"^docs/migrate-from-|\.md$", "", page) for page in PAGES]
    assert found == ["a-dependency", "authlib", "fastmcp", "python-jose"]


@pytest.mark.parametrize("page", PAGES)
def test_outline(page: str) -> None:
    """Each page has the same parts in the same order."""
    assert len(headings(page, 1)) == 1
    assert headings(page, 2) == OUTLINE


@pytest.mark.parametrize("page", PAGES)
def test_before_and_after_are_whole_files(page: str) -> None:
    """Each page shows a file before, which compiles, one after, and a suite that holds the one after."""
    files = {block.title: block.text for block in blocks(page, "python")}
    assert sorted(map(str, files)) == ["after.py", "before.py", "test_after.py"]
    for title, text in files.items():
        compile(text, f"{page}: {title}", "exec")
    assert "resource_server" not in files["before.py"]


@pytest.mark.parametrize("page", PAGES)
def test_the_table_compares(page: str) -> None:
    """What changes for callers is a table of requests, each with its answer before and after."""
    _, _, part = read(page).partition("## What changes for callers")
    rows = [row.split(" | ") for row in re.findall(r"^\| (.+) \|$", part.partition("\n## ")[0], re.MULTILINE)]
    assert rows[0] == ["A request with", "before", "after"]
    assert all(len(row) == 3 for row in rows)


# ------------------------------------------------------------------------------------------------- what was before


READER: dict[str, Any] = {"sub": "alice", "scope": "orders:read"}
OPAQUE: dict[str, Any] = READER | {"format": "opaque"}
Probe = Callable[[MockAS], dict[str, str]]
"""Prepares a request, and returns its header fields."""


def minted(**wishes: Any) -> Probe:
    """Return a probe with a token."""
    return lambda mock: mock.token(**wishes).bearer


def faulty(action: str) -> Probe:
    """Return a probe with a good token, and an authorization server that does something else than answer well."""

    def prepare(mock: MockAS) -> dict[str, str]:
        mock.fault("introspect", action)
        return mock.token(**OPAQUE).bearer

    return prepare


PROBES: dict[str, Probe] = {
    "a good token": minted(**READER),
    "no token": lambda _mock: {},
    "a bad token": minted(**READER, defect="bad_signature"),
    "too little scope": minted(sub="alice", scope="orders:write"),
    "a token for another audience": minted(**OPAQUE, aud="https://other.example.test"),
    "a token for another service of the same authorization server": minted(**OPAQUE, aud="https://other.example.test"),
    "the scope `orders:readonly`, where `orders:read` is demanded": minted(sub="alice", scope="orders:readonly"),
    "a token whose `exp` is past, though `active` is true": minted(**OPAQUE, expires_in=-60, active=True),
    '`active` as a text, be it `"false"`': faulty("active_string"),
    "any token while the authorization server is down": faulty("garbage"),
}


@pytest.fixture
def mock() -> Generator[MockAS]:
    """Answer for the authorization server that the pages name, whoever asks by httpx."""
    client = Client(id="orders-api", secret="secret", introspect=True)
    mock = MockAS(issuer="https://as.example.com", clients=[client], audience="https://api.example.com")
    with respx.mock() as router:
        mock.mount(router)
        yield mock


def load_before(page: str) -> ModuleType:
    """Run the file that a page shows as what was there before."""
    [text] = [block.text for block in blocks(page, "python") if block.title == "before.py"]
    module = ModuleType("before")
    exec(compile(text, page, "exec"), vars(module))  # noqa: S102 - the pages are this repository's own
    return module


def ask(app: Any, headers: dict[str, str]) -> int:
    """Send one request to what was there before, and return the status; what it lets through is a 500 at its server."""
    if hasattr(app, "wsgi_app"):
        client = app.test_client()
        return int(client.get("/orders", headers=headers).status_code)

    async def send() -> int:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://orders.example.test") as client:
            return (await client.get("/orders", headers=headers)).status_code

    return anyio.run(send)


def rows(page: str) -> dict[str, str]:
    """Return what the table of a page says was answered before, for the requests that there is a probe for."""
    found = re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", read(page), re.MULTILINE)
    return {request: before for request, before in found if request in PROBES}


@pytest.mark.parametrize(
    ("page", "least"), [("docs/migrate-from-authlib.md", 7), ("docs/migrate-from-a-dependency.md", 7)]
)
def test_it_was_as_the_page_says(page: str, least: int, mock: MockAS) -> None:
    """What the table says of before is what the file before does."""
    app = load_before(page).app
    told = rows(page)
    assert len(told) >= least
    for request, before in told.items():
        mock.clear_faults()
        status = ask(app, PROBES[request](mock))
        assert str(status) in re.findall(r"\d{3}", before), f"{request}: {status}"
    mock.clear_faults()


def test_fastmcp_was_as_the_page_says(mock_as_server: MockAS) -> None:
    """What the page says of FastMCP's verifier is what it does, with an authorization server on a socket."""
    [text] = [block.text for block in blocks("docs/migrate-from-fastmcp.md", "python") if block.title == "before.py"]
    client_id, secret = mock_as_server.credentials("rs")
    for shown, real in (("https://as.example.com", mock_as_server.issuer), ("orders-api", client_id)):
        text = text.replace(shown, real)
    module = ModuleType("before")
    exec(compile(text.replace('"secret"', f'"{secret}"'), "before.py", "exec"), vars(module))  # noqa: S102 - our own
    verify: Callable[[str], Coroutine[Any, Any, object]] = module.verifier.verify_token

    async def play() -> None:
        assert await verify(mock_as_server.token(**OPAQUE).value) is not None
        for action, served in (("nbf_future", True), ("status(500)", False)):
            mock_as_server.fault("introspect", action)
            assert (await verify(mock_as_server.token(**OPAQUE).value) is not None) is served, action
            mock_as_server.clear_faults()
        before = len(mock_as_server.requests("introspect"))
        token = mock_as_server.token(**OPAQUE).value
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(verify, token)
        assert len(mock_as_server.requests("introspect")) - before > 1

    anyio.run(play)
