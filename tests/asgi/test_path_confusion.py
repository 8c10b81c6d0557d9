"""No spelling of a path leads past the middleware: not to an endpoint without a token, not to another rule's one."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.asgi import App
from tests.support.fastapi_app import ADMIN, READER
from tests.support.frameworks import FRAMEWORKS, Entered, behind_the_middleware, scope_of

pytestmark = [pytest.mark.attack("A-F-6")]

SEEDS = [b"/healthz", b"/admin", b"/admin/users", b"/orders/7", b"/files/secret", b"/"]
NOISE = [
    b"/", b"//", b"/.", b"/./", b"/..", b"/../", b"/%2e", b"/%2e%2e/", b"/%252e%252e/", b"..;/", b";", b";a=b", b";/",
    b"%2f", b"%2F", b"%252f", b"%5c", b"\\", b"%00", b"%0a", b"%0d%0a", b"%09", b"%20", b"+", b".", b".json", b"%c0%af",
    b"%e0%80%af", b"%ef%bc%8f", b"%ef%bd%81", b"%e2%80%8b", b"%ff", b"?", b"#", b"%3f", b"%23", b"http://evil",
    b"http://h/healthz/..", b"/healthz", b"/healthz/..", b"/healthz;", b"/healthz%2f..", b"/admin", b"/files",
    b"/files/healthz", b"/api", b"x", b"A", b"%61", b"%41",
]  # fmt: skip
ROOTS = ["", "/api", "/", "/healthz", "/admin", "/api/", "/files"]
CORPUS = sorted(
    {seed[:at] + noise + seed[at:] for seed in SEEDS[:5] for noise in NOISE for at in (0, len(seed))}
    | {seed.upper() for seed in SEEDS}
    | {seed.removeprefix(b"/") for seed in SEEDS[:5]}
    | {b"//" + seed + b"//" for seed in SEEDS}
    | {b"/files" + seed for seed in SEEDS}
    | {b"/healthz/.." + seed for seed in SEEDS}
)
NAMES = [*FRAMEWORKS, "Django"]


def spoiled(seed: bytes, cuts: list[tuple[bytes, int]]) -> bytes:
    """Put noise into a path."""
    for noise, at in cuts:
        seed = seed[:at] + noise + seed[at:]
    return seed


CUTS = st.lists(st.tuples(st.sampled_from(NOISE), st.integers(0, 20)), min_size=1, max_size=4)
TARGETS = st.builds(spoiled, st.sampled_from(SEEDS), CUTS)


class Prober:
    """Sends targets to an application, and tells what they have entered.

    Args:
        app: the application.
        entered: where its endpoints note that they were.
        runner: the event loop.
    """

    def __init__(self, app: App, entered: Entered, runner: asyncio.Runner) -> None:
        """Know the application."""
        self._app = app
        self._entered = entered
        self._runner = runner

    def entered(self, target: bytes, root: str, token: str | None) -> set[str]:
        """Send a request, and return what it has entered."""
        self._entered.clear()
        self._runner.run(self._send(scope_of(target, root, token)))
        return set(self._entered)

    async def _send(self, scope: dict[str, Any]) -> None:
        arriving = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(arriving, None) or await asyncio.get_running_loop().create_future()  # the client stays

        async def send(_: Any) -> None:
            """Throw the answer away."""

        # What a framework makes of a path that is none is its own matter, be it an exception.
        await asyncio.gather(self._app(scope, receive, send), return_exceptions=True)


@pytest.fixture(params=NAMES, ids=lambda name: name.replace(" ", "_"))
def prober(request: pytest.FixtureRequest) -> Generator[Prober]:
    """Give the application of each framework."""
    entered: Entered = []
    with asyncio.Runner() as runner, behind_the_middleware(request.param, entered) as app:
        yield Prober(app, entered, runner)


def test_as_written(prober: Prober) -> None:
    """The routes are there: else nothing that follows would mean anything."""
    for path, token, name in (
        (b"/healthz", None, "health"),
        (b"/orders/7", READER, "orders"),
        (b"/admin/users", ADMIN, "admin"),
        (b"/files/secret", READER, "files"),
    ):
        assert prober.entered(path, "", token) == {name}


def assert_closed(prober: Prober, target: bytes, root: str) -> None:
    """Assert that a spelling leads nowhere without a token, and with one that lacks a scope not where that is."""
    assert prober.entered(target, root, None) <= {"health"}, (target, root)
    assert "admin" not in prober.entered(target, root, READER), (target, root)


@pytest.mark.parametrize("root", ROOTS)
def test_corpus(root: str, prober: Prober) -> None:
    """Every spelling that is known to have led past some rule leads nowhere."""
    for target in CORPUS[:: 11 if root else 1]:
        assert_closed(prober, target, root)


def test_search(prober: Prober) -> None:
    """No spelling that can be found leads past a rule."""

    @settings(max_examples=100)
    @given(TARGETS, st.sampled_from(ROOTS))
    def search(target: bytes, root: str) -> None:
        assert_closed(prober, target, root)

    search()
