"""The log of revocations in a real Valkey: what was written is read, in order, and whatever happens is an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from resource_server import ConfigurationError
from resource_server._protocol.messages import Unavailable
from resource_server._validation.feed import BEGINNING, Append, Page, Read
from resource_server._validation.outbox import BATCH
from resource_server.stores.valkey_stream import PATIENCE, BlockingValkeyStream, ValkeyStream
from tests.stores.stores import BOUND, KINDS, Kind
from tests.support.valkey import Valkey, between

pytestmark = pytest.mark.anyio

MINUTE = 60.0


class Log:
    """Both kinds of stream behind one face."""

    def __init__(self, kind: Kind, url: str, name: bytes) -> None:
        """Open one."""
        self._kind = kind
        self._stream: Any = (ValkeyStream if kind == "tasks" else BlockingValkeyStream)(url, name)

    async def perform(self, step: Read | Append) -> Page | Unavailable | None:
        """Carry out a step."""
        result: Page | Unavailable | None
        if self._kind == "tasks":
            result = await self._stream.perform(step)
        else:
            result = await anyio.to_thread.run_sync(self._stream.perform, step)
        return result

    async def read(self, after: bytes = BEGINNING, wait: float = 0.0) -> Page:
        """Read what can be read."""
        page = await self.perform(Read(after, wait))
        assert isinstance(page, Page)
        return page

    async def append(self, *values: bytes, keep_for: float = MINUTE) -> Page | Unavailable | None:
        """Write."""
        return await self.perform(Append(values, keep_for))

    async def come_back(self) -> None:
        """Try until it answers."""
        until = time.monotonic() + BOUND
        while isinstance(await self.perform(Read(BEGINNING, 0.0)), Unavailable):
            assert time.monotonic() < until, "the log does not come back"

    async def close(self) -> None:
        """Close it."""
        if self._kind == "tasks":
            await self._stream.aclose()
        else:
            self._stream.close()


@asynccontextmanager
async def opened(kind: Kind, url: str, name: bytes) -> AsyncGenerator[Log, None]:
    """Open a log of one kind."""
    log = Log(kind, url, name)
    try:
        yield log
    finally:
        await log.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Do everything with both kinds."""
    found: Kind = request.param
    return found


@pytest.fixture
async def log(kind: Kind, valkey: Valkey, name: bytes) -> AsyncIterator[Log]:
    """Open a log of its own in a server that others use too."""
    async with opened(kind, valkey.url, name) as found:
        yield found


async def test_what_was_written_is_read_in_order(log: Log) -> None:
    """Values come back as they were, in the order in which they were written."""
    assert await log.append(b"first", b"\x00\xff\r\n") is None
    assert await log.append(b"third") is None
    page = await log.read()
    assert [value for _, value in page.entries] == [b"first", b"\x00\xff\r\n", b"third"]
    assert page.continued


async def test_read_on_from_a_place(log: Log) -> None:
    """Only what comes after the place is read, and the place is known."""
    await log.append(b"first", b"second")
    [(place, _), _] = (await log.read()).entries
    page = await log.read(place)
    assert [value for _, value in page.entries] == [b"second"]
    assert page.continued


async def test_as_much_at_once_as_fits(log: Log) -> None:
    """A page has an end; the next one begins there."""
    await log.append(*(b"%d" % number for number in range(BATCH + 1)))
    first = await log.read()
    rest = await log.read(first.entries[-1][0])
    assert [value for _, value in first.entries + rest.entries] == [b"%d" % number for number in range(BATCH + 1)]
    assert len(first.entries) == BATCH


async def test_an_empty_log_is_a_log(log: Log) -> None:
    """Where nothing was ever written there is nothing to read, and nothing has vanished."""
    assert await log.read() == Page()


async def test_waits_for_what_is_new(log: Log, valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Who waits reads what is written meanwhile, at once."""
    await log.append(b"first")
    [(place, _)] = (await log.read()).entries
    async with opened(kind, valkey.url, name) as other, anyio.create_task_group() as tasks:
        tasks.start_soon(other.append, b"second")
        page = await log.read(place, wait=BOUND)
        assert [value for _, value in page.entries] == [b"second"]


@pytest.mark.parametrize("vanish", ["delete", "replace"])
async def test_a_log_that_vanished_is_noticed(log: Log, valkey: Valkey, name: bytes, vanish: str) -> None:
    """The place is not known any more where the log was deleted, also when there is another one by now."""
    await log.append(b"first")
    [(place, _)] = (await log.read()).entries
    with valkey.client() as client:
        client.delete(name)
    if vanish == "replace":
        await log.append(b"second")
    page = await log.read(place)
    assert [value for _, value in page.entries] == ([b"second"] if vanish == "replace" else [])
    assert not page.continued


async def test_what_is_too_old_is_let_go(log: Log, valkey: Valkey, name: bytes) -> None:
    """Entries and the log itself end when they mean nothing any more."""
    with valkey.client() as client:
        for number in range(1, 500):
            client.xadd(name, {"r": b"old"}, id=f"{number}-0")
    await log.append(b"new", keep_for=MINUTE)
    with valkey.client() as client:
        assert client.xlen(name) < 250
        assert 0 < client.pttl(name) <= MINUTE * 1000
    await log.append(b"newer", keep_for=0.0)
    with valkey.client() as client:
        assert client.pttl(name) <= 1


async def test_foreign_entries_have_no_value(log: Log, valkey: Valkey, name: bytes) -> None:
    """What somebody else writes there is passed on as nothing."""
    with valkey.client() as client:
        client.xadd(name, {"other": b"field"})
    [(_, value)] = (await log.read()).entries
    assert value == b""


async def test_a_key_of_another_kind(log: Log, valkey: Valkey, name: bytes) -> None:
    """Where something else has the name, there is nothing to read until the next entry takes its place."""
    with valkey.client() as client:
        client.set(name, b"a string")
    assert await log.perform(Read(BEGINNING, 0.0)) == Unavailable("refused")
    assert await log.append(b"first", b"second") is None
    assert [value for _, value in (await log.read()).entries] == [b"first", b"second"]


@pytest.mark.attack("A-C-13")
async def test_a_log_without_a_place_left(log: Log, valkey: Valkey, name: bytes) -> None:
    """Whoever takes the last place there is stops nobody: a new log begins, and its readers notice."""
    last = b"18446744073709551615-18446744073709551615"
    with valkey.client() as client:
        client.xadd(name, {"r": b"forged"}, id=last)
    assert not (await log.read(last)).entries
    assert await log.append(b"first") is None
    page = await log.read(last)
    assert not page.continued
    assert [value for _, value in (await log.read()).entries] == [b"first"]


async def test_down_and_back(kind: Kind, own_valkey: Valkey, name: bytes) -> None:
    """A server that is gone is no answer, in both directions; when it is back both work."""
    async with opened(kind, own_valkey.url, name) as log:
        await log.append(b"first")
        own_valkey.stop()
        assert await log.perform(Read(BEGINNING, 0.0)) == Unavailable("connect")
        assert await log.append(b"second") == Unavailable("connect")
        own_valkey.start()
        await log.come_back()
        assert await log.append(b"third") is None
        assert [value for _, value in (await log.read()).entries] == [b"third"]


async def test_gone_while_waiting(kind: Kind, own_valkey: Valkey, name: bytes) -> None:
    """Who waits for something new learns that the server has gone."""
    async with opened(kind, own_valkey.url, name) as log, anyio.create_task_group() as tasks:
        await log.append(b"first")
        tasks.start_soon(anyio.to_thread.run_sync, once_somebody_waits(own_valkey, own_valkey.stop))
        [(place, _)] = (await log.read()).entries
        assert await log.perform(Read(place, BOUND)) in (Unavailable("connect"), Unavailable("timeout"))


def once_somebody_waits(valkey: Valkey, act: Callable[[], None]) -> Callable[[], None]:
    """Make what acts as soon as a client waits in a blocking command."""

    def watch() -> None:
        until = time.monotonic() + BOUND
        with valkey.client() as client:
            while client.info("clients")["blocked_clients"] == 0:
                assert time.monotonic() < until, "nobody waits"
                threading.Event().wait(0.005)
        act()

    return watch


async def test_a_server_that_hangs(kind: Kind, own_valkey: Valkey, name: bytes) -> None:
    """A server that accepts and never answers is given up after a while, and is there again when it goes on."""
    async with opened(kind, own_valkey.url, name) as log:
        own_valkey.pause()
        started = time.monotonic()
        assert await log.append(b"first") == Unavailable("timeout")
        assert time.monotonic() - started < 2 * PATIENCE + 1
        own_valkey.resume()
        await log.come_back()
        assert await log.append(b"second") is None


async def test_a_server_without_memory(kind: Kind, own_valkey: Valkey, name: bytes) -> None:
    """A full server takes nothing, says so, and can still be read."""
    async with opened(kind, own_valkey.url, name) as log:
        await log.append(b"first")
        own_valkey.fill()
        assert await log.append(b"second") == Unavailable("out_of_memory")
        assert [value for _, value in (await log.read()).entries] == [b"first"]


@pytest.mark.parametrize(
    "garbage", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1\r\n*1\r\n$-1\r\n", b"+OK\r\n", b":7\r\n"]
)
async def test_a_server_that_says_something_else(kind: Kind, own_valkey: Valkey, name: bytes, garbage: bytes) -> None:
    """A connection that is cut in the middle of a command, or brings garbage, is no answer and breaks nothing."""
    async with between(own_valkey.port) as middle, opened(kind, middle.url, name) as log:
        await log.append(b"first")
        middle.change = lambda _: garbage
        assert isinstance(await log.perform(Read(BEGINNING, 0.0)), Unavailable)
        middle.change = lambda answer: answer
        await log.come_back()
        assert [value for _, value in (await log.read()).entries] == [b"first"]


async def test_no_url(kind: Kind, name: bytes) -> None:
    """A URL that is none is refused before anything is connected to, and not shown."""
    with pytest.raises(ConfigurationError) as error:
        Log(kind, "http://user:canary@127.0.0.1", name)
    assert "canary" not in str(error.value)


async def test_closed_and_opened_again(log: Log) -> None:
    """What is closed opens a new connection when it is used again; to close it twice does nothing."""
    await log.append(b"first")
    await log.close()
    await log.close()
    assert len((await log.read()).entries) == 1
