"""Proofs that several resource servers remember together, in a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import anyio.to_thread
import pytest

from mock_as import MockAS, Token
from resource_server import BlockingResourceServer, Principal, RequestParts, ResourceServer
from resource_server.errors import InvalidDPoPProof, InvalidToken
from tests.stores.stores import BOUND, PATIENT
from tests.support.valkey import Valkey

pytestmark = pytest.mark.anyio

BASE = "https://api.example.test"
WORKERS = 3


def options(mock: MockAS, url: str) -> dict[str, Any]:
    """Configure a worker."""
    client_id, secret = mock.credentials("rs")
    return {
        "issuer": mock.issuer,
        "audience": mock.options.audience,
        "client_id": client_id,
        "client_secret": secret,
        "dpop": "required",
        "external_url": BASE,
        "cache_url": url,
        "cache_secret": "the secret of all workers in a test",
        "cache_timeout": PATIENT / 2,
        "timeout": PATIENT,
    }


def request(token: Token) -> RequestParts:
    """Make a request with a new proof."""
    fields = token.dpop("GET", f"{BASE}/things")
    return RequestParts("GET", [(name.encode(), value.encode()) for name, value in fields.items()], path=b"/things")


async def outcomes(calls: Iterable[Coroutine[Any, Any, Principal]]) -> list[str | None]:
    """Send requests at once; return the subject or the reason of each."""
    with anyio.fail_after(BOUND):
        found = await asyncio.gather(*calls, return_exceptions=True)
    return [one.subject if isinstance(one, Principal) else getattr(one, "reason", repr(one)) for one in found]


@pytest.mark.rfc("9449-11.1-a")
async def test_one_of_a_fleet_lets_a_proof_in(valkey: Valkey) -> None:
    """RFC 9449 §11.1: of many requests with one proof, at however many workers, one is let in."""
    mock = MockAS()
    token = mock.token(sub="alice", token_type="DPoP")
    workers = [ResourceServer(transport=mock.transport(), **options(mock, valkey.url)) for _ in range(WORKERS)]
    for worker in workers:
        await worker.authenticate(request(token))
    used = request(token)
    found = await outcomes(worker.authenticate(used) for worker in workers * 5)
    assert sorted(map(str, found)) == ["alice", *["proof_replayed"] * (5 * WORKERS - 1)]
    for worker in workers:
        await worker.aclose()


@pytest.mark.rfc("9449-11.1-a")
async def test_tasks_and_threads_remember_together(valkey: Valkey) -> None:
    """A worker of either kind knows what one of the other kind has let in."""
    mock = MockAS()
    with mock.serve():
        token = mock.token(sub="alice", token_type="DPoP")
        async with ResourceServer(transport=mock.transport(), **options(mock, valkey.url)) as server:
            with BlockingResourceServer(**options(mock, valkey.url)) as blocking:
                first, second = request(token), request(token)
                await server.authenticate(first)
                with pytest.raises(InvalidDPoPProof):
                    await anyio.to_thread.run_sync(blocking.authenticate, first)
                await anyio.to_thread.run_sync(blocking.authenticate, second)
                with pytest.raises(InvalidDPoPProof):
                    await server.authenticate(second)


@pytest.mark.attack("A-D-2")
async def test_a_store_that_is_gone(own_valkey: Valkey) -> None:
    """Where nobody can tell whether a proof was used elsewhere, the request is refused as in an outage."""
    mock = MockAS()
    token = mock.token(sub="alice", token_type="DPoP")
    async with ResourceServer(transport=mock.transport(), **options(mock, own_valkey.url)) as server:
        await server.authenticate(request(token))
        own_valkey.stop()
        with pytest.raises(InvalidToken) as caught:
            await server.authenticate(request(token))
        assert caught.value.reason == "unavailable"
