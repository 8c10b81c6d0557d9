"""Several resource servers, one authorization server and a real Valkey between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mock_as import MockAS
from resource_server import Event, InvalidToken, Principal, RequestParts, ResourceServer
from resource_server.events import StoreAvailable, StoreUnavailable
from tests.stores.stores import PATIENT
from tests.support.jwt import AUDIENCE
from tests.support.valkey import Valkey

pytestmark = pytest.mark.anyio


class Worker:
    """One of the servers, and what it has told."""

    def __init__(self, mock: MockAS, url: str, **options: Any) -> None:
        """Ask the mock in this process."""
        self.events: list[Event] = []
        client_id, secret = mock.credentials("rs")
        chosen: dict[str, Any] = {
            "issuer": mock.issuer,
            "audience": AUDIENCE,
            "client_id": client_id,
            "client_secret": secret,
            "cache_url": url,
            "cache_secret": "the secret of all workers in a test",
            "cache_timeout": PATIENT / 2,
            "timeout": PATIENT,
            "strategy": "introspect",
        }
        self.server = ResourceServer(transport=mock.transport(), observer=self.events.append, **(chosen | options))

    async def ask(self, token: str) -> Principal:
        """Send a request with a token."""
        return await self.server.authenticate(RequestParts("GET", ((b"authorization", b"Bearer " + token.encode()),)))

    def changes(self) -> list[Event]:
        """Return what it told of the store."""
        return [event for event in self.events if isinstance(event, StoreUnavailable | StoreAvailable)]


@asynccontextmanager
async def fleet(mock: MockAS, url: str, count: int, **options: Any) -> AsyncGenerator[list[Worker]]:
    """Run several servers for the length of a block."""
    async with AsyncExitStack() as stack:
        workers = [Worker(mock, url, **options) for _ in range(count)]
        for worker in workers:
            await stack.enter_async_context(worker.server)
        yield workers


def opaque(mock: MockAS, **facts: Any) -> str:
    """Mint a token that must be introspected."""
    return mock.token(format="opaque", aud=AUDIENCE, **facts).value


async def settled(valkey: Valkey, count: int) -> None:
    """Wait until the store has so many values: it is told of them in the background."""
    with anyio.fail_after(PATIENT):
        while sum(b":verdict:" in name and not name.endswith(b":claim") for name in valkey.dump()) < count:
            await anyio.lowlevel.checkpoint()


@pytest.mark.attack("A-C-12")
async def test_one_question_for_a_whole_fleet(own_valkey: Valkey) -> None:
    """However many requests meet at however many servers, one of them asks."""
    mock = MockAS()
    async with fleet(mock, own_valkey.url, 4) as workers:
        for number in range(3):
            token = opaque(mock, sub=f"subject-{number}")
            callers = await asyncio.gather(*(worker.ask(token) for worker in workers for _ in range(50)))
            assert {caller.subject for caller in callers} == {f"subject-{number}"}
            assert len(mock.requests("introspect")) == number + 1
        assert [worker.changes() for worker in workers] == [[], [], [], []]


async def test_no_for_a_whole_fleet(own_valkey: Valkey) -> None:
    """A token that is not active is asked about once."""
    mock = MockAS()
    token = opaque(mock)
    mock.revoke(token)
    async with fleet(mock, own_valkey.url, 2) as workers:
        for worker in workers:
            with pytest.raises(InvalidToken) as caught:
                await worker.ask(token)
            assert caught.value.reason == "inactive"
            await settled(own_valkey, 1)
        assert len(mock.requests("introspect")) == 1


@pytest.mark.attack("A-C-13", "A-S-1")
async def test_what_lies_in_valkey_reveals_nothing(own_valkey: Valkey) -> None:
    """Every name and every value, searched for the token, the claims, the issuer, our name there and our secret."""
    mock = MockAS()
    token = opaque(mock, sub="canary-subject", client_id="canary-client", scope="canary-scope")
    client_id, secret = mock.credentials("rs")
    async with fleet(mock, own_valkey.url, 1) as [worker]:
        await worker.ask(token)
        await settled(own_valkey, 1)
    shown = b"".join(name + value for name, value in own_valkey.dump().items())
    for secret_text in (token, "canary", mock.issuer, AUDIENCE, secret, f'"{client_id}"', "active"):
        assert secret_text.encode() not in shown


@pytest.mark.attack("A-C-13")
async def test_values_changed_in_valkey_are_misses(own_valkey: Valkey) -> None:
    """Whoever can write to Valkey can make us ask, and nothing else."""
    mock = MockAS()
    token, admin = opaque(mock, sub="somebody"), opaque(mock, sub="admin")
    async with fleet(mock, own_valkey.url, 3) as [one, two, three]:
        await one.ask(token)
        await one.ask(admin)
        await settled(own_valkey, 2)
        with own_valkey.client() as client:
            [first, second] = [name for name in own_valkey.dump() if b":verdict:" in name]
            values = client.get(first), client.get(second)
            client.set(first, values[1], ex=1000)
            client.set(second, values[0], ex=1000)
        assert (await two.ask(token)).subject == "somebody"
        assert (await two.ask(admin)).subject == "admin"
        assert len(mock.requests("introspect")) == 4
        assert (await three.ask(token)).subject == "somebody"


async def test_valkey_down_in_the_middle_and_back(own_valkey: Valkey) -> None:
    """Without Valkey every server asks for itself, nobody is refused, and its operator is told, once."""
    mock = MockAS()
    async with fleet(mock, own_valkey.url, 2) as workers:
        await workers[0].ask(opaque(mock))
        own_valkey.stop()
        for number in range(4):
            token = opaque(mock, sub=f"subject-{number}")
            assert {(await worker.ask(token)).subject for worker in workers} == {f"subject-{number}"}
        assert len(mock.requests("introspect")) == 9
        assert [len(worker.changes()) for worker in workers] == [1, 1]
        own_valkey.start()
        with anyio.fail_after(PATIENT):
            while not all(isinstance(worker.changes()[-1], StoreAvailable) for worker in workers):
                token = opaque(mock)
                await asyncio.gather(*(worker.ask(token) for worker in workers))
        assert [len(worker.changes()) for worker in workers] == [2, 2]


async def test_valkey_down_at_start(tmp_path: Any) -> None:
    """A fleet that starts without Valkey serves."""
    mock, server = MockAS(), Valkey(tmp_path)
    async with fleet(mock, server.url, 2) as workers:
        token = opaque(mock)
        assert {(await worker.ask(token)).issuer for worker in workers} == {mock.issuer}
        assert len(mock.requests("introspect")) == 2


async def test_leader_that_is_cancelled_does_not_strand_the_others(own_valkey: Valkey) -> None:
    """A caller that goes away leaves the question under way, for its own server and for the others."""
    mock = MockAS()
    token = opaque(mock)
    async with fleet(mock, own_valkey.url, 2) as [one, two]:
        with mock.hold("introspect") as gate:
            leader = asyncio.create_task(one.ask(token))
            await asyncio.to_thread(gate.wait_for, 1)
            follower = asyncio.create_task(two.ask(token))
            leader.cancel()
            await asyncio.gather(leader, return_exceptions=True)
        assert (await follower).issuer == mock.issuer
        assert len(mock.requests("introspect")) == 1
