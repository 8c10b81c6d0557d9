"""Many questions at once: how many run, who waits, and what is said of those who waited in vain."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx
import pytest

from resource_server._protocol.client_auth import ClientCredentials
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.jwks import jwks_request
from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._runtime.exchange import FOR_STRANGERS, PLACES, Exchange
from tests.support.play import INTROSPECTION, JWKS

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
    rs = ClientCredentials("rs", "s3cret")
    requests = [introspection_request(INTROSPECTION, b"token-%d" % number, rs) for number in range(CROWD)]
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
    answers = await asyncio.gather(*questions(Exchange(timeout=0.05, transport=slow), seconds=0.05))
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


@pytest.mark.parametrize("trust_env", [False, True])
async def test_the_pool_has_no_queue(trust_env: bool) -> None:  # noqa: FBT001 - a parameter
    """A request that is cancelled in httpx's own queue can take a connection with it for good: nobody stands there."""
    opened: Any = Exchange(timeout=5.0, trust_env=trust_env)._open()
    pool = (opened._transport if trust_env else opened)._pool
    assert pool._max_connections == sys.maxsize
    await opened.aclose()
