"""Latches and gates: how requests are held back without anybody sleeping."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mock_as import UsageError
from mock_as.latches import Gate, Gates, Latch

pytestmark = pytest.mark.anyio


async def test_latch_holds_until_opened() -> None:
    """Everybody who waits is let through together, and nobody waits at an open latch."""
    latch = Latch()
    waiting = [asyncio.create_task(latch.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    latch.open()
    await asyncio.gather(*waiting)
    await latch.wait()


async def test_latch_opens_from_another_thread() -> None:
    """A latch that another thread opens wakes those that wait in this one's loop."""
    latch = Latch()
    waiting = asyncio.create_task(latch.wait())
    await asyncio.sleep(0)
    thread = threading.Thread(target=latch.open)
    thread.start()
    await asyncio.wait_for(waiting, 5)
    thread.join()


async def test_latch_forgets_whoever_gave_up() -> None:
    """A waiter that was cancelled does not disturb the opening."""
    latch = Latch()
    gone, staying = asyncio.create_task(latch.wait()), asyncio.create_task(latch.wait())
    await asyncio.sleep(0)
    gone.cancel()
    latch.open()
    await staying
    assert (await asyncio.gather(gone, return_exceptions=True))[0].__class__ is asyncio.CancelledError


def test_latch_survives_the_end_of_a_loop() -> None:
    """A loop that was closed with a waiter in it does not keep a latch from opening."""
    latch = Latch()
    loop = asyncio.new_event_loop()
    task = loop.create_task(latch.wait())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    latch.open()
    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]


async def test_gate_tells_when_requests_have_arrived() -> None:
    """A test in the same loop waits for arrivals, sees their number, and releases them."""
    gate = Gate()
    requests = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await gate.arrived(3)
    assert gate.count == 3
    assert not any(request.done() for request in requests)
    gate.release()
    await asyncio.gather(*requests)
    await gate.arrived(2)
    await gate.enter()


def test_gate_tells_another_thread() -> None:
    """A test in another thread blocks until requests have arrived, and releases them."""
    gate = Gate()
    thread = threading.Thread(target=lambda: asyncio.run(gate.enter()))
    thread.start()
    gate.wait_for(1)
    gate.release()
    thread.join(5)
    assert not thread.is_alive()


async def test_gate_does_not_wait_for_ever() -> None:
    """Where too few requests arrive, the error says how many did."""
    gate = Gate()
    request = asyncio.create_task(gate.enter())
    await gate.arrived(1)
    with pytest.raises(TimeoutError, match=r"1 of 2 requests arrived within 0\.01 s"):
        await gate.arrived(2, timeout=0.01)
    with pytest.raises(TimeoutError, match=r"1 of 2 requests arrived within 0\.01 s"):
        gate.wait_for(2, timeout=0.01)
    gate.release()
    await request


async def test_gates_stand_where_they_were_put() -> None:
    """A gate holds the requests to its own endpoint, one for all holds every request, and the others pass."""
    gates = Gates(frozenset({"introspect", "jwks", "*"}))
    here, everywhere = gates.close("introspect"), gates.close("*")
    held = asyncio.create_task(gates.pass_through("introspect"))
    await here.arrived(1)
    assert everywhere.count == 0
    gates.remove(here)
    await everywhere.arrived(1)
    gates.clear()
    await held
    await gates.pass_through("introspect")


def test_gate_needs_an_endpoint() -> None:
    """There is no gate where there is no endpoint."""
    with pytest.raises(UsageError, match="did you mean 'introspect'"):
        Gates(frozenset({"introspect"})).close("introspection")
