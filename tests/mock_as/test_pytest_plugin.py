"""The pytest plugin, in projects of its own: what it gives, what it fails, and what it costs who does not use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "asyncio",
    "authlib",
    "cryptography",
    "fastapi",
    "httpx",
    "jinja2",
    "joserfc",
    "pydantic",
    "resource_server",
    "rich",
    "starlette",
    "trustme",
    "typer",
    "uvicorn",
}

pytest_plugins = ["pytester"]

GOOD = """
import asyncio

import httpx
import pytest

SEEN = []


@pytest.fixture
def mock_as_options():
    return {"audience": "https://project.example.test"}


async def keys(mock):
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        return (await client.get(mock.url.jwks)).status_code


@pytest.mark.parametrize("turn", [1, 2])
def test_is_new_for_each_test(mock_as, turn):
    assert asyncio.run(keys(mock_as)) == 200
    assert mock_as.requests().count == 1
    assert mock_as.clock.offset == 0
    mock_as.clock.advance(60)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asynchronous(mock_as, anyio_backend):
    mock_as.fault("jwks", 503, times=1)
    assert [await keys(mock_as) for _ in range(2)] == [503, 200]


def test_options_of_the_project(mock_as, mock_as_server, mock_as_factory):
    for mock in (mock_as, mock_as_server, mock_as_factory()):
        assert mock.token().claims["aud"] == "https://project.example.test"


@pytest.mark.parametrize("turn", [1, 2])
def test_server_is_as_good_as_new(mock_as_server, turn):
    assert httpx.get(mock_as_server.url.jwks).status_code == 200
    mock_as_server.assert_called("jwks", times=1)
    mock_as_server.fault("introspect", 503)
    mock_as_server.clear_faults()


@pytest.mark.parametrize("turn", [1, 2])
def test_server_is_started_once(mock_as_server, turn):
    SEEN.append(mock_as_server.issuer)
    assert len(set(SEEN)) == 1


@pytest.mark.mock_as(profile="canaille", introspection="json+jwt", clients=[{"id": "orders", "secret": "s"}])
def test_marker_with_a_client(mock_as):
    assert (mock_as.options.profile, mock_as.options.introspection) == ("canaille", "json+jwt")
    assert mock_as.credentials("orders") == ("orders", "s")


@pytest.mark.mock_as(token_format="opaque", lifetime=60)
class TestMarker:
    def test_of_the_class(self, mock_as, mock_as_server):
        for mock in (mock_as, mock_as_server):
            assert mock.token().format == "opaque"

    @pytest.mark.mock_as(token_format="jwt")
    def test_nearest_marker_has_the_last_word(self, mock_as, mock_as_server):
        for mock in (mock_as, mock_as_server):
            token = mock.token()
            assert token.format == "jwt"
            assert token.claims["exp"] - token.claims["iat"] == 60


def test_factory(mock_as_factory):
    one, other = mock_as_factory(issuer="https://one.example.test"), mock_as_factory.serve(lifetime=60)
    assert one.issuer == "https://one.example.test"
    assert httpx.get(other.url.jwks).status_code == 200
    assert one.requests().count == 0
"""
"""A project whose tests all pass, together or one by one, in any order."""

BAD = """
import httpx
import pytest


def test_unused_fault(mock_as_server):
    mock_as_server.fault("introspect", 503, times=2)
    httpx.get(mock_as_server.url.jwks)


def test_failure_comes_first(mock_as):
    mock_as.fault("introspect", 503)
    raise RuntimeError("of the test")


def test_several(mock_as_factory):
    one, other = mock_as_factory(), mock_as_factory.serve()
    httpx.get(other.url.jwks)
    other.fault("token", "not_json")


@pytest.mark.mock_as(lifetme=60)
def test_misspelt_option(mock_as):
    pass


@pytest.mark.mock_as("opaque")
def test_no_keyword(mock_as_server):
    pass


def test_without(request):
    assert not request.fixturenames[1:]
    raise RuntimeError("elsewhere")
"""
"""A project whose tests all fail."""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the tests of the project in a process of their own, where a warning is an error."""
    return pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize(
    "arguments", [["-p", "no:randomly"], ["-n", "2", "-p", "randomly"]], ids=["in-order", "parallel"]
)
def test_good_project(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """Every fixture and the marker do what they say, for sync and async tests, in any order and in parallel."""
    pytester.makepyfile(GOOD)
    run(pytester, "--strict-markers", *arguments).assert_outcomes(passed=12)


def test_bad_project(pytester: pytest.Pytester) -> None:
    """A fault that nobody met fails its test, a failing test shows the journal, and a wrong option is named."""
    pytester.makepyfile(BAD)
    result = run(pytester, "-p", "no:randomly")
    result.assert_outcomes(failed=4, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*_ test_unused_fault _*",
            "faults were set and did not happen, or not as often as they were to:",
            "  Fault('introspect', 'status(503)', applied=0 of 2)",
            "clear_faults() takes back what a test has no more use for",
            "*- mock AS journal -*",
            "jwks: GET /jwks *",
            "*_ test_failure_comes_first _*",
            "E * RuntimeError: of the test",
            "*- mock AS journal -*",
            "no request",
            "*_ test_several _*",
            "  Fault('token', 'not_json', applied=0)",
            "*- mock AS journal 1 of 2 -*",
            "no request",
            "*- mock AS journal 2 of 2 -*",
            "jwks: GET /jwks *",
        ],
        consecutive=False,
    )
    errors = result.stdout.str()
    assert "mock_as: 'lifetme' is unknown; did you mean 'lifetime'?" in errors
    assert "the marker mock_as takes keywords only, those of MockAS" in errors
    assert errors.count("- mock AS journal") == 4


def test_costs_nothing_unused() -> None:
    """Importing the plugin loads nothing that takes time, and starts no thread."""
    code = (
        "import sys, threading, pytest; before = set(sys.modules); import mock_as.pytest_plugin;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before}, threading.active_count())"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    *loaded, threads = result.stdout.split()
    assert set(loaded).isdisjoint(HEAVY)
    assert threads == "1"


def test_project_that_does_not_use_it(pytester: pytest.Pytester) -> None:
    """A project without the plugin's fixtures loads nothing of the authorization server but the plugin."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            assert {name for name in sys.modules if name.startswith("mock_as")} == {"mock_as", "mock_as.pytest_plugin"}
        """
    )
    run(pytester).assert_outcomes(passed=1)
