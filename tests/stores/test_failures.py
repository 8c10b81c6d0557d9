"""A store that is down, slow, full or mad costs a moment, then nothing, and is noticed when it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resource_server._validation.flow import AddOnce, Recall, Recalled, Release, Remember
from tests.stores.stores import KINDS, SHORT, Kind, Subject, subject
from tests.support.valkey import Valkey, between, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", KINDS)]
MARGIN = 1.0
"""Seconds that a busy machine may take on top."""


async def timed(store: Subject, call: Recall) -> tuple[Recalled | bool | None, float]:
    """Carry out a call, and measure it."""
    started = time.monotonic()
    answer = await store.perform(call)
    return answer, time.monotonic() - started


async def until_open(store: Subject, name: bytes) -> int:
    """Ask until nobody asks any more, and return how often that was."""
    for count in range(100):
        if store.status.open:
            return count
        assert await store.perform(Recall(name, 0.001)) is None
    raise AssertionError("it never opens")


async def test_down_at_start(tmp_path: Path, kind: Kind, name: bytes) -> None:
    """A store that is not there gives no answer; when it is, it is used."""
    server = Valkey(tmp_path)
    async with subject(kind, server.url) as store:
        assert await store.perform(Recall(name, 60.0)) is None
        assert store.reports == ["connect"]
        with server:
            await store.recover(name)
            assert store.reports == ["connect", None]


async def test_down_in_the_middle_and_back(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A store that dies gives no answer; restarted without its memory, it is a store without values."""
    async with subject(kind, own_valkey.url) as store:
        await store.perform(Remember(name, b"value", 60.0))
        own_valkey.stop()
        assert await store.perform(Recall(name, 60.0)) is None
        own_valkey.start()
        await store.recover(name)
        assert own_valkey.dump().get(name) is None
        assert store.reports == ["connect", None]


async def test_open_breaker_asks_nothing(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """After some failures nobody tries any more, until a while later one does."""
    async with between(own_valkey.port) as middle, subject(kind, middle.url) as store:
        middle.change = lambda _answer: b""
        assert await until_open(store, name) > 1
        tried = middle.connections
        for _ in range(20):
            assert await store.perform(Recall(name, 60.0)) is None
        assert middle.connections == tried
        assert await store.perform_anew(Recall(name, 60.0)) is None
        assert middle.connections == tried + 1


async def test_paused_store_costs_its_time_and_then_none(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A store that hangs delays a call by the short time that it has, and soon by nothing."""
    async with subject(kind, own_valkey.url, timeout=SHORT) as store:
        await store.recover(name)
        own_valkey.pause()
        for _ in range(5):
            answer, seconds = await timed(store, Recall(name, 60.0))
            assert answer is None
            assert seconds < SHORT + MARGIN
        assert store.status.open
        started = time.monotonic()
        for _ in range(100):
            assert await store.perform(Recall(name, 60.0)) is None
        assert time.monotonic() - started < 20 * SHORT
        own_valkey.resume()
        await store.recover(name)
        assert store.reports == ["timeout", None]


async def test_connecting_counts_too(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A store that hangs before anybody is connected delays a call by no more."""
    own_valkey.pause()
    async with subject(kind, own_valkey.url, timeout=SHORT) as store:
        answer, seconds = await timed(store, Recall(name, 60.0))
        assert answer is None
        assert seconds < SHORT + MARGIN
        own_valkey.resume()


@pytest.mark.attack("A-C-2")
async def test_late_answers_are_nobodys(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """An answer that comes when nobody waits for it is never taken for the answer to the next question."""
    names = [name + str(number).encode() for number in range(40)]
    async with subject(kind, own_valkey.url, timeout=SHORT) as store:
        for each in names:
            await store.perform(Remember(each, b"value of " + each, 600.0))
        await store.recover(name)
        own_valkey.pause()
        asked = [store.perform(Recall(each, 60.0)) for each in names[:20]]
        assert await asyncio.gather(*asked) == [None] * 20
        own_valkey.resume()
        await store.recover(name)
        for _ in range(5):
            for each in names:
                found = await store.perform_anew(Recall(each, 60.0))
                assert found is None or (isinstance(found, Recalled) and found.value == b"value of " + each)


@pytest.mark.attack("A-C-2")
async def test_answer_too_many_is_not_read(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Where the store says something twice, the second time is not the answer to the next question."""
    async with between(own_valkey.port) as middle, subject(kind, middle.url) as store:
        await store.perform(Remember(name + b"1", b"one", 600.0))
        await store.perform(Remember(name + b"2", b"two", 600.0))
        middle.change = lambda answer: answer * 2
        for _ in range(10):
            for number, value in ((b"1", b"one"), (b"2", b"two")):
                found = await store.perform_anew(Recall(name + number, 60.0))
                assert found is None or (isinstance(found, Recalled) and found.value == value)
        middle.change = lambda answer: answer
        await store.recover(name + b"1")


@pytest.mark.attack("A-C-2")
async def test_answer_of_another_question_is_none(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """An answer that names another question is no answer, and its connection is not used again."""
    async with between(own_valkey.port) as middle, subject(kind, middle.url) as store:
        await store.recover(name)
        used = middle.connections
        middle.change = lambda answer: answer.replace(name, name[::-1])
        assert await store.perform(AddOnce(name + b":1", 60.0)) is None
        middle.change = lambda answer: answer
        assert await store.perform_anew(AddOnce(name + b":2", 60.0)) is True
        assert middle.connections == used + 1
        assert store.reports[-2:] == ["protocol", None]


@pytest.mark.parametrize("length", [1, 9, 40])
async def test_cut_off_in_the_middle_of_an_answer(own_valkey: Valkey, kind: Kind, name: bytes, length: int) -> None:
    """Half an answer is none, and the next question gets a whole one."""

    def cut(answer: bytes) -> bytes:
        said.append(answer)
        return b"" if len(said) > 1 else answer[:length]

    said: list[bytes] = []
    async with between(own_valkey.port) as middle, subject(kind, middle.url) as store:
        await store.perform(Remember(name, b"value" * 10, 600.0))
        middle.change = cut
        asking = asyncio.create_task(store.perform(Recall(name, 60.0)))
        while not said:
            await asyncio.wait((asking,), timeout=0.001)
        with own_valkey.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert await asking is None
        middle.change = lambda answer: answer
        found = await store.perform_anew(Recall(name, 60.0))
        assert isinstance(found, Recalled)
        assert found.value == b"value" * 10


async def test_full_store_still_answers_what_it_knows(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Without memory for more, the store takes nothing and gives what it has."""
    async with subject(kind, own_valkey.url) as store:
        await store.perform(Remember(name, b"value", 600.0))
        own_valkey.fill()
        assert await store.perform(Recall(name + b"2", 60.0)) is None
        assert store.status.last_cause == "out_of_memory"
        assert await store.perform(Remember(name + b"2", b"value", 60.0)) is None
        found = await store.perform(Recall(name, 60.0))
        assert isinstance(found, Recalled)
        assert found.value == b"value"
        own_valkey.empty()
        assert await store.perform(Recall(name + b"2", 60.0)) == Recalled(claimed=True)


async def test_read_only_store(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A replica takes nothing."""
    with own_valkey.client() as client:
        client.replicaof("127.0.0.1", str(free_port()))
    async with subject(kind, own_valkey.url) as store:
        assert await store.perform(AddOnce(name, 60.0)) is None
        assert store.reports == ["read_only"]


@pytest.mark.parametrize("password", ["", ":wrong@", "nobody:wrong@"])
async def test_wrong_password(tmp_path: Path, kind: Kind, name: bytes, password: str) -> None:
    """A store that refuses us gives no answer, and its reason shows no password."""
    with Valkey(tmp_path, requirepass="right") as server:
        async with subject(kind, server.url.replace("://", f"://{password}")) as store:
            assert await store.perform(Recall(name, 60.0)) is None
            assert store.reports == ["authentication"]


async def test_right_password(tmp_path: Path, kind: Kind, name: bytes) -> None:
    """The password of the URL is the store's."""
    with Valkey(tmp_path, requirepass="p@ss") as server:
        async with subject(kind, server.url.replace("://", "://:p%40ss@")) as store:
            assert await store.perform(AddOnce(name, 60.0)) is True


async def test_user_without_the_right(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A user that may not run scripts gets no answer."""
    with own_valkey.client() as client:
        client.acl_setuser("reader", enabled=True, passwords=["+secret"], commands=["+get", "+client"], keys=["*"])
    async with subject(kind, own_valkey.url.replace("://", "://reader:secret@")) as store:
        assert await store.perform(Recall(name, 60.0)) is None
        assert store.reports == ["not_permitted"]


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda _answer: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "bytes": lambda _answer: bytes(range(256)),
    "another type": lambda _answer: b"+OK\r\n",
    "number": lambda _answer: b":7\r\n",
    "nothing": lambda _answer: b"$-1\r\n",
    "empty list": lambda _answer: b"*0\r\n",
    "absurd length": lambda _answer: b"$abc\r\n",
    "negative length": lambda _answer: b"*-7\r\n",
    "nested": lambda _answer: b"*1\r\n" * 100,
    "error": lambda _answer: b"-ERR no\r\n",
    "loading": lambda _answer: b"-LOADING the data set\r\n",
    "not UTF-8": lambda _answer: b"-\xff\xfe\r\n",
    "moved": lambda _answer: b"-MOVED 1 127.0.0.1:1\r\n",
    "wrong number": lambda answer: answer.replace(b":1\r\n", b":2\r\n"),
    "wrong value": lambda answer: answer.replace(b":1\r\n", b"+OK\r\n"),
    "two values": lambda answer: answer.replace(b"*2", b"*3").replace(b":1\r\n", b":1\r\n:1\r\n"),
}


@pytest.mark.attack("A-C-13")
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_store_that_speaks_garbage(own_valkey: Valkey, kind: Kind, name: bytes, garbage: str) -> None:
    """Whatever a store says: nothing is raised, nothing is believed, and a store that makes sense again is used."""
    async with between(own_valkey.port) as middle, subject(kind, middle.url, timeout=0.2) as store:
        await store.perform(Release(name))
        middle.change = GARBAGE[garbage]
        for number, call in enumerate([Recall, AddOnce, Recall]):
            assert await store.perform_anew(call(name + bytes([number]), 60.0)) is None
        assert store.reports[0] is not None
        assert store.status.last_cause is not None
        middle.change = lambda answer: answer
        await store.recover(name)
        assert store.reports[1:] == [None]


async def test_change_is_reported_once(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Of an outage there is one report, and one of its end, however many calls meet it."""
    async with subject(kind, own_valkey.url) as store:
        await store.perform(Release(name))
        assert store.reports == []
        own_valkey.stop()
        for _ in range(5):
            await store.perform(Release(name))
        own_valkey.start()
        await store.recover(name)
        await store.perform(Release(name))
        assert store.reports == ["connect", None]


async def test_long_line_is_not_the_stores_fault(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """More calls at once than there are places: some get no answer in time, and the store is not blamed for them."""
    async with between(own_valkey.port) as middle, subject(kind, middle.url, timeout=SHORT) as store:
        await store.recover(name)
        answers = await asyncio.gather(*(store.perform(Recall(name, 0.001)) for _ in range(800)))
        assert len(answers) == 800
        assert middle.connections <= 16
        await store.recover(name)


async def test_line_that_is_full(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """While all places are taken by a store that hangs, the others wait for their short time and are not asked."""
    async with subject(kind, own_valkey.url, timeout=SHORT) as store:
        await store.recover(name)
        own_valkey.pause()
        started = time.monotonic()
        answers = await asyncio.gather(*(store.perform(Recall(name + bytes([each]), 60.0)) for each in range(30)))
        assert answers == [None] * 30
        assert time.monotonic() - started < 2 * SHORT + MARGIN
        own_valkey.resume()
        await store.recover(name)
