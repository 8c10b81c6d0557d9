"""A timeout that our own crowd brought about is no outage: whoever makes the crowd must not choose the fallback."""

from __future__ import annotations

import asyncio

import pytest

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.exchange import CROWDED, Exchange, blame_crowd
from tests.support.origin import Gate, Origin, says

pytestmark = pytest.mark.anyio

TIMEOUT, ANSWER = Unavailable("timeout"), HTTPResponse(200)


@pytest.mark.attack("A-S-7", "A-K-12")
@pytest.mark.parametrize(
    ("outcome", "waited", "left", "blamed"),
    [
        (TIMEOUT, 0.5, 0.3, CROWDED),
        (TIMEOUT, 0.0, 0.3, TIMEOUT),
        (TIMEOUT, 0.5, 1.5, TIMEOUT),
        (Unavailable("connect"), 0.5, 0.3, Unavailable("connect")),
        (ANSWER, 0.5, 0.3, ANSWER),
    ],
    ids=["waited, too little left", "did not wait", "enough left", "refused", "answered"],
)
def test_who_is_to_blame(
    outcome: HTTPResponse | Unavailable, waited: float, left: float, blamed: HTTPResponse | Unavailable
) -> None:
    """The crowd is to blame for a timeout where waiting took the time that an answer would have had."""
    assert blame_crowd(outcome, waited, left, 1.0) == blamed


@pytest.mark.attack("A-S-7")
async def test_place_had_too_late() -> None:
    """Who waits for a place until there is no time left to be answered has met a crowd, not an outage."""
    gate = Gate(says(200, {"active": False}))
    exchange = Exchange(timeout=5.0, places=1, transport=Origin(introspect=gate))
    request = HTTPRequest("POST", "https://as.example.com/introspect", "introspection", 1_000)
    now = asyncio.get_running_loop().time()
    first = asyncio.ensure_future(exchange.send(request, now + 0.3))
    await gate.arrived()
    second = asyncio.ensure_future(exchange.send(request, now + 0.7))
    assert await first == TIMEOUT
    assert await second == CROWDED
    assert gate.waiting == 2
