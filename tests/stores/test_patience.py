"""How long a call waits: until the store has been silent for its time, and what we are late by is not its silence."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from resource_server._validation.flow import Recall, Recalled
from resource_server.stores import valkey as module
from resource_server.stores.guard import TICKS, Answer
from tests.stores.stores import SHORT, Subject, subject
from tests.support.valkey import Valkey

pytestmark = pytest.mark.anyio
NOWHERE = "redis://127.0.0.1:1/0"
CALL = Recall(b"name", 60.0)


async def asking(store: Subject) -> asyncio.Task[Answer]:
    """Begin a call, and return when it waits."""
    task = asyncio.create_task(store.perform(CALL))
    await asyncio.sleep(0)
    assert store.store._waiting
    return task


def pass_time(store: Subject, ticks: int) -> None:
    """Let pieces of the store's time pass."""
    for _ in range(ticks):
        store.store._ticker.cancel()
        store.store._tick()


@pytest.fixture
def no_courier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing leave the line."""
    monkeypatch.setattr(module, "MAX_COURIERS", 0)


@pytest.mark.usefixtures("no_courier")
async def test_silence_ends_a_call() -> None:
    """A call ends when nothing has been heard for the whole time, and the store is to blame."""
    async with subject("tasks", NOWHERE) as store:
        call = await asking(store)
        pass_time(store, TICKS - 1)
        await asyncio.sleep(0)
        assert not call.done()
        pass_time(store, 1)
        assert await call is None
        assert store.reports == ["timeout"]


@pytest.mark.usefixtures("no_courier")
async def test_line_that_moves_is_waited_in() -> None:
    """While the store answers others, who stands in line is given the whole time again."""
    async with subject("tasks", NOWHERE) as store:
        call = await asking(store)
        for _ in range(3):
            pass_time(store, TICKS - 1)
            store.store._heard = store.store._ticks
        await asyncio.sleep(0)
        assert not call.done()
        pass_time(store, TICKS)
        assert await call is None


@pytest.mark.usefixtures("no_courier")
async def test_who_has_gone_away_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent for a call whose caller went away while it stood in line."""
    async with subject("tasks", NOWHERE) as store:
        call = await asking(store)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        monkeypatch.setattr(module, "MAX_COURIERS", 1)
        store.store._send()
        assert (len(store.store._line), len(store.store._couriers)) == (0, 0)


@pytest.mark.usefixtures("no_courier")
async def test_late_loop_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where time has passed and we were too busy to listen, the call ends without an answer, and nothing is counted."""
    monkeypatch.setattr(module, "BUSY", 0)
    async with subject("tasks", NOWHERE) as store:
        call = await asking(store)
        pass_time(store, 1)
        assert await call is None
        assert store.reports == []
        assert store.status.last_cause is None


async def test_line_is_bounded(monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """Who would be one too many in line gets no answer at once, and nothing is counted."""
    monkeypatch.setattr(module, "MAX_LINE", 0)
    async with subject("tasks", valkey.url) as store:
        assert await store.perform(CALL) is None
        assert store.reports == []
        assert store.status.last_cause is None


async def test_burst_is_answered_whole(valkey: Valkey, name: bytes) -> None:
    """A thousand calls at the same moment are all answered, by a few connections, and the store is not blamed."""
    async with subject("tasks", valkey.url) as store:
        calls = [Recall(name + b"%d" % number, 60.0) for number in range(1000)]
        assert await asyncio.gather(*(store.perform(call) for call in calls)) == [Recalled(claimed=True)] * 1000
        assert store.reports == []


async def test_late_answer_is_not_heard(own_valkey: Valkey, name: bytes) -> None:
    """An answer that comes when nobody waits for it is no reason to wait longer for the next one."""
    async with subject("tasks", own_valkey.url, timeout=SHORT) as store:
        await store.recover(name)
        heard = store.store._heard = -1
        own_valkey.pause()
        assert await store.perform(CALL) is None
        own_valkey.resume()
        [late] = store.store._couriers
        await asyncio.wait((late,))
        assert store.store._heard == heard


class Silent:
    """A call of a thread's that is never answered, and what happens each time it is looked at.

    Args:
        store: whose call it is.
        answers: how many answers others get meanwhile.
    """

    def __init__(self, store: Subject, answers: int) -> None:
        """Begin with nothing looked at."""
        self.store, self.answers, self.looks = store.store, answers, 0
        self.future: Future[Answer] = Future()
        self.future.set_running_or_notify_cancel()

    def wait(self, _futures: object, timeout: float) -> None:
        """Look at it."""
        assert 0 < timeout <= self.store._timeout / TICKS
        self.looks += 1
        self.store._heard += self.looks <= self.answers


@pytest.mark.parametrize(("answers", "looks"), [(0, TICKS), (25, 25 + TICKS)])
async def test_silence_ends_a_call_of_a_thread(monkeypatch: pytest.MonkeyPatch, answers: int, looks: int) -> None:
    """In threads too a call ends when nobody has heard anything for the whole time."""
    async with subject("threads", NOWHERE) as store:
        silent = Silent(store, answers)
        monkeypatch.setattr(store.store, "_ask", lambda _call: silent.future)
        monkeypatch.setattr(module, "wait", silent.wait)
        assert await store.perform(CALL) is None
        assert silent.looks == looks
        assert store.reports == ["timeout"]


async def test_busy_threads_are_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the threads get no turn, the call ends without an answer, and nothing is counted."""
    async with subject("threads", NOWHERE) as store:
        silent = Silent(store, 0)
        monkeypatch.setattr(store.store, "_ask", lambda _call: silent.future)
        monkeypatch.setattr(module, "wait", silent.wait)
        monkeypatch.setattr(module, "BUSY", 0)
        assert await store.perform(CALL) is None
        assert silent.looks == 1
        assert store.reports == []
