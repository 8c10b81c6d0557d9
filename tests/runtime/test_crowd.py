"""Many questions at once: how many run, who waits, and what is said of those who waited in vain."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx
import pytest

from resource_server._protocol.jwks import jwks_request
from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._runtime import exchange as exchange_module
from resource_server._runtime.exchange import FOR_STRANGERS, PLACES, Exchange, Places
from tests.support.play import INTROSPECTION, JWKS
from tests.support.question import asked_by_rs

pytestmark = pytest.mark.anyio

MAX_QUESTIONS = int(PLACES * FOR_STRANGERS)
CROWD = MAX_QUESTIONS + 50


class Slow(httpx.AsyncBaseTransport):
    """Answers introspection when it is let to, and everything else at once."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.go = asyncio.Event()
        self.full = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if str(request.url) != JWKS:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == MAX_QUESTIONS:
                self.full.set()
            try:
                await self.go.wait()
            finally:
                self.running -= 1
        return httpx.Response(200, json={"active": False})


def questions(exchange: Exchange, *, seconds: float) -> list[asyncio.Task[Any]]:
    """Ask about many tokens at the same moment."""
    deadline = asyncio.get_running_loop().time() + seconds
    requests = [asked_by_rs(INTROSPECTION, b"token-%d" % number, "s3cret") for number in range(CROWD)]
    return [asyncio.create_task(exchange.send(request, deadline)) for request in requests]


@pytest.mark.attack("A-S-7")
async def test_so_many_and_no_more() -> None:
    """However many tokens are new at once, the authorization server is asked about a bounded number at a time."""
    slow = Slow()
    asking = questions(Exchange(timeout=5.0, transport=slow), seconds=5.0)
    await slow.full.wait()
    slow.go.set()
    answers = await asyncio.gather(*asking)
    assert slow.most == MAX_QUESTIONS
    assert all(isinstance(answer, HTTPResponse) for answer in answers)


@pytest.mark.attack("A-K-12", "A-S-7")
async def test_our_own_crowd_is_no_outage() -> None:
    """Who waited in our own queue in vain says nothing of the server: that is no outage to fall back from."""
    slow = Slow()
    answers = await asyncio.gather(*questions(Exchange(timeout=0.3, transport=slow), seconds=0.3))
    assert answers.count(Unavailable("timeout")) == MAX_QUESTIONS
    assert answers.count(Unavailable("crowded", fault="crowd")) == CROWD - MAX_QUESTIONS
    assert slow.running == 0


async def test_keys_do_not_wait_behind_tokens() -> None:
    """Keys are asked for once for all tokens, and so stand in no queue with them."""
    slow = Slow()
    exchange = Exchange(timeout=5.0, transport=slow)
    asking = questions(exchange, seconds=5.0)
    await slow.full.wait()
    answer = await exchange.send(jwks_request(JWKS), asyncio.get_running_loop().time() + 5.0)
    assert isinstance(answer, HTTPResponse)
    slow.go.set()
    await asyncio.gather(*asking)


async def test_the_pool_of_the_environments_client_has_no_queue() -> None:
    """A request that is cancelled in httpx's own queue can take a connection with it for good: nobody stands there."""
    opened: Any = Exchange(timeout=5.0, trust_env=True)._open()
    assert opened._transport._pool._max_connections == sys.maxsize
    await opened.aclose()


async def take(places: Places, *, priority: bool) -> int:
    """Enter as often as that needs no waiting, and tell how often it was."""
    count = 0
    while not places.full(priority=priority):
        await places.enter(priority=priority)
        count += 1
    return count


def enter(places: Places, *, priority: bool) -> asyncio.Task[None]:
    """Wait for a place in a task."""
    return asyncio.create_task(places.enter(priority=priority))


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestPlaces:
    """How the places are shared out."""

    async def test_some_are_not_for_strangers(self) -> None:
        """A quarter is kept for tokens that were good a moment ago, who may take all of them."""
        places = Places(8)
        assert await take(places, priority=False) == 6
        assert await take(places, priority=True) == 2
        assert await take(Places(8), priority=True) == 8

    async def test_even_a_single_place_is_for_everybody(self) -> None:
        """Where there is only one, nobody is shut out."""
        assert await take(Places(1), priority=False) == 1

    async def test_priority_passes_a_line_of_strangers(self) -> None:
        """However many strangers wait, who has priority enters at once while a place is free."""
        places = Places(8)
        await take(places, priority=False)
        line = [enter(places, priority=False) for _ in range(50)]
        await settle()
        assert await take(places, priority=True) == 2
        assert not any(stranger.done() for stranger in line)
        for stranger in line:
            stranger.cancel()
        await asyncio.gather(*line, return_exceptions=True)

    async def test_who_comes_first_enters_first(self) -> None:
        """Strangers enter in the order in which they came, one for each who leaves."""
        places = Places(4)
        await take(places, priority=False)
        line = [enter(places, priority=False) for _ in range(3)]
        for gone in range(1, 4):
            await settle()
            places.leave(priority=False)
            await settle()
            assert [stranger.done() for stranger in line] == [number < gone for number in range(3)]

    @pytest.mark.attack("A-S-7")
    async def test_the_line_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who finds too many waiting is told at once; with priority one waits in no line."""
        monkeypatch.setattr(exchange_module, "MAX_WAITING", 3)
        slow = Slow()
        crowded = Exchange(timeout=5.0, places=2, transport=slow)
        deadline = asyncio.get_running_loop().time() + 5.0
        asked = asked_by_rs(INTROSPECTION, b"token", "s3cret")
        asking = [asyncio.create_task(crowded.send(asked, deadline)) for _ in range(4)]
        await settle()
        assert await crowded.send(asked, deadline) == Unavailable("crowded", fault="crowd")
        known = asked_by_rs(INTROSPECTION, b"token", "s3cret", priority=True)
        favoured = asyncio.create_task(crowded.send(known, deadline))
        await settle()
        assert slow.running == 2
        slow.go.set()
        assert all(isinstance(answer, HTTPResponse) for answer in await asyncio.gather(favoured, *asking))

    @pytest.mark.parametrize("favoured", [0, 8], ids=["in the line", "at the door"])
    @pytest.mark.parametrize("freed", [False, True], ids=["waiting", "just let in"])
    async def test_who_gives_up_leaves_nothing_behind(self, favoured: int, freed: bool) -> None:  # noqa: FBT001 - a parameter
        """A stranger who is cancelled, wherever he waits, takes no place with him and keeps nobody from one."""
        places = Places(8)
        for _ in range(favoured):
            await places.enter(priority=True)
        inside = favoured or await take(places, priority=False)
        line = [enter(places, priority=False) for _ in range(20)]
        await settle()
        if freed:
            places.leave(priority=bool(favoured))
            inside -= 1
        for stranger in line[:-1]:
            stranger.cancel()
        await asyncio.gather(*line[:-1], return_exceptions=True)
        await settle()
        assert line[-1].done() == freed
        for _ in range(inside):
            places.leave(priority=bool(favoured))
        await line[-1]
        places.leave(priority=False)
        assert await take(places, priority=False) == 6
        assert await take(places, priority=True) == 2
