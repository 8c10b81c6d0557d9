"""What only the store of an event loop has to bear: callers that are cancelled, and an end in the middle."""

from __future__ import annotations

import asyncio

import pytest

from resource_server._validation.flow import Recall, Recalled, Remember
from resource_server.stores.valkey import BlockingValkeyStore
from tests.stores.stores import subject
from tests.support.play import Time
from tests.support.valkey import Valkey

pytestmark = pytest.mark.anyio


@pytest.mark.attack("A-C-2", "A-C-12")
async def test_cancelled_callers_leave_no_answer_behind(valkey: Valkey, name: bytes) -> None:
    """Callers that are cancelled at any moment of a call never hand their answer to the next one."""
    async with subject("tasks", valkey.url) as store:
        names = [name + bytes([number]) for number in range(60)]
        for each in names:
            await store.perform(Remember(each, b"value of " + each, 60.0))
        for count, each in enumerate(names):
            asking = asyncio.create_task(store.perform(Recall(each, 60.0)))
            for _ in range(count % 12):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            found = await store.perform(Recall(names[-1 - count], 60.0))
            assert isinstance(found, Recalled)
            assert found.value == b"value of " + names[-1 - count]
        assert store.reports == []


async def test_closed_in_the_middle_of_a_call(own_valkey: Valkey, name: bytes) -> None:
    """A call that is under way when the store is closed ends without an answer."""
    async with subject("tasks", own_valkey.url) as store:
        await store.recover(name)
        own_valkey.pause()
        asking = asyncio.create_task(store.perform(Recall(name, 60.0)))
        await asyncio.wait((asking,), timeout=0.01)
        assert store.store._couriers
        await store.close()
        assert await asking is None
        assert store.status.last_cause is None
        own_valkey.resume()


def test_interpreter_that_ends(valkey: Valkey, name: bytes) -> None:
    """When no thread can be started any more, there is no answer."""
    store = BlockingValkeyStore(valkey.url, timeout=1.0, clock=Time().clock)
    assert store.perform(Recall(name, 60.0)) == Recalled(claimed=True)
    assert store._readers is not None
    store._readers.shutdown()
    assert store.perform(Recall(name, 60.0)) is None
    assert store.status.last_cause is None
    store.close()
