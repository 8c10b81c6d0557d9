"""What one worker is told ends the streams of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from resource_server import ResourceServer
from tests.support.jwt import ISSUER, NOW, signing_key
from tests.support.notices import security_event
from tests.support.origin import Origin, publishes, says_yes
from tests.support.stage import bearer
from tests.support.valkey import Valkey
from tests.support.workers import running_clock, shared

pytestmark = pytest.mark.anyio

BOUND = 10.0
"""Seconds after which a test gives up."""
MINUTE = 60


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Start the store that the workers share."""
    with Valkey(tmp_path) as server:
        yield server


def worker(url: str) -> ResourceServer:
    """Make one; all tokens are alice's, and a minute old."""
    replies = {"introspect": says_yes(sub="alice", iat=int(NOW) - MINUTE), "jwks": publishes(signing_key("ES256"))}
    origin = Origin(**replies)
    return ResourceServer(transport=origin, clock=running_clock(), observer=lambda _: None, **shared(url))


@pytest.mark.attack("A-F-10")
async def test_an_event_that_another_worker_received(valkey: Valkey) -> None:
    """A security event ends the streams at every worker, whichever of them it was sent to; sent again, it is old."""
    event = security_event(sub_id={"format": "iss_sub", "iss": ISSUER, "sub": "alice"}).encode()
    async with worker(valkey.url) as first, worker(valkey.url) as second:
        principal = await second.authenticate(bearer("opaque-1"))
        async with principal.lease() as lease:
            assert await first.receive(event) == 1
            assert await asyncio.wait_for(lease.ended(), BOUND) == "revoked"
        assert await second.receive(event) == 0
