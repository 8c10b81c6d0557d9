"""The Python that the pages show runs, and does what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from mock_as import MockAS
from resource_server.testing import assert_challenge
from tests.docs.pages import NAMES, ROOT, Block, blocks, run_python, write_files
from tests.support.instance import instance_in

SCRIPTS = [name for name in NAMES if any(block.title is None for block in blocks(name, "python"))]
CONTINUED = {"docs/tutorial-tests.md"}
"""Needs the files of the part before it, and is played with them in test_tutorial.py."""
SUITES = [
    name
    for name in NAMES
    if name not in CONTINUED and any((block.title or "").startswith("test_") for block in blocks(name, "python"))
]


def unfold(block: Block) -> list[str]:
    """Return the lines of a block, each indented one joined to the one above it."""
    return block.text.replace("\n  ", " ").splitlines()


def imported(block: Block) -> set[str]:
    """Return the names that a block imports, in the plain form in which the pages write it."""
    found = re.findall(r"^(?:from \S+ )?import (.+)$", block.text, re.MULTILINE)
    return {name.strip() for names in found for name in names.split(",")}


def call(app: Any, *args: Any, **kwargs: Any) -> httpx.Response:
    """Send one request to an application whose lifespan runs, and return the response."""

    async def send() -> httpx.Response:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.example.test") as client:
                return await client.request(*args, **kwargs)

    return anyio.run(send)


@pytest.mark.parametrize("page", SCRIPTS)
def test_the_blocks_of_a_page_run_in_order(page: str, environment: Path) -> None:
    """The Python blocks of a page run one after the other in one namespace, with four variables set."""
    namespace = run_python(page)
    wanted = set().union(*(imported(block) for block in blocks(page, "python") if block.title is None))
    assert wanted
    assert wanted <= set(namespace)


@pytest.mark.parametrize("page", SUITES)
def test_the_suites_of_a_page_pass(page: str, environment: Path) -> None:
    """The test files that a page shows pass, in a folder that holds the page's files and nothing else."""
    files = write_files(page, environment)
    shown = sum(path.read_text().count("def test_") for path in files)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RESOURCE_SERVER_", "PYTEST_"))}
    # The file stands in for the user's own configuration, so that nothing of this repository's is picked up.
    (environment / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=environment,
        env=clean | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    passed = re.search(r"^(\d+) passed in", result.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= shown > 0


def test_readme_app_answers_200_401_403(environment: Path, mock_as_server: MockAS) -> None:
    """The README's lines accept a good token, challenge a request without, and refuse one that grants too little."""
    app = run_python("README.md")["app"]
    good = mock_as_server.token(sub="alice", scope="orders:read")
    weak = mock_as_server.token(sub="alice", scope="orders:write")

    accepted = call(app, "GET", "/orders", headers=good.bearer)
    assert accepted.status_code == 200
    assert accepted.json() == {"caller": "alice", "assurance": "introspected"}
    assert_challenge(call(app, "GET", "/orders"), status=401, error=None)
    refused = call(app, "GET", "/orders", headers=weak.bearer)
    assert_challenge(refused, status=403, error="insufficient_scope", scope="orders:read")


def test_readme_block_is_ten_lines_long() -> None:
    """The README's first Python block is about ten lines of code."""
    [block, *_] = blocks("README.md", "python")
    assert 8 <= len([line for line in block.text.splitlines() if line]) <= 11


class ErrorsPage:
    """The application of docs/errors.md, asked as the titles of its responses say."""

    def __init__(self, server: MockAS) -> None:
        shown = run_python("docs/errors.md", limit=1)
        self.app, self.rs = shown["app"], shown["rs"]
        self.server = server

    def ask(self, title: str) -> httpx.Response:
        """Send what a title describes."""
        method, path, rest = (*title.split(" ", 2), "")[:3]
        headers = [(name, value) for words, pair in self.headers().items() if words in rest for name, value in pair]
        if "down" in rest:
            self.server.fault("introspect", "reset")
            headers += self.server.token(scope="orders:read", format="opaque").bearer.items()
        if "one too many" in rest:
            state = self.rs._core.state
            state.clock = state.clock._replace(monotonic=lambda: 0.0)  # the time to wait is shown to the second
            call(self.app, method, path, headers={"Authorization": "Bearer unknown"})
            headers = [("Authorization", "Bearer unknown-too")]
        return call(self.app, method, path, headers=headers)

    def headers(self) -> dict[str, list[tuple[str, str]]]:
        """Return the header fields that some words of a title stand for."""
        inactive, expired = self.server.token(format="opaque"), self.server.token(format="opaque", expires_in=-60)
        self.server.revoke(inactive)
        return {
            "two Authorization fields": [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
            "inactive token": list(inactive.bearer.items()),
            "expired token": list(expired.bearer.items()),
            "a bound token": [("Authorization", f"DPoP {self.server.token(token_type='DPoP').value}")],
            "a token for orders:read": list(self.server.token(scope="orders:read").bearer.items()),
            "Accept: application/json": [("Accept", "application/json")],
            "X-Requested-With: XMLHttpRequest": [("X-Requested-With", "XMLHttpRequest")],
        }


@pytest.mark.parametrize("block", blocks("docs/errors.md", "http"), ids=lambda block: block.title)
def test_responses_are_verbatim(
    block: Block, environment: Path, mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each response on the page about errors is what the page's application sends, to the byte but for its name."""
    title = block.title or ""
    if "verbose" in title:
        monkeypatch.setenv("RESOURCE_SERVER_VERBOSE_ERRORS", "true")
    if "one too many" in title:
        monkeypatch.setenv("RESOURCE_SERVER_RATE_LIMIT", "0.1")
        monkeypatch.setenv("RESOURCE_SERVER_RATE_LIMIT_BURST", "1")
    response = ErrorsPage(mock_as_server).ask(title)
    fields = [f"{name}: {value}" for name, value in response.headers.multi_items()]
    status = f"HTTP/1.1 {response.status_code} {response.reason_phrase}"
    shown, named = (instance_in(text.encode()) for text in (block.text.replace("\n  ", " "), response.text))
    assert (shown is None) is (named is None)
    assert unfold(block) == [status, *fields, "", response.text.replace(str(named), str(shown))]


def test_errors_page_handler_replaces_the_response(environment: Path, mock_as_server: MockAS) -> None:
    """The page's own exception handler answers in place of the library, with the challenge kept."""
    app = run_python("docs/errors.md")["app"]
    weak = mock_as_server.token(scope="orders:read")
    response = call(app, "POST", "/orders", headers=weak.bearer, json={"item": "tea"})
    assert_challenge(response, status=403, error="insufficient_scope", scope="orders:write")
    assert response.json() == {"hint": "ask your administrator for orders:write"}
    assert response.headers["cache-control"] == "no-store"
