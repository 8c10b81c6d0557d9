"""A miss: one introspection by each kind of connection, against a plain client of httpx shared by everybody."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx

from benchmarks.authority import authority
from benchmarks.harness import Figure, Rounds
from benchmarks.support import TOKEN
from resource_server._protocol.client_auth import ClientCredentials, authenticated, client_proof
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.messages import HTTPResponse
from tests.support.askers import OWN, own

ROUNDS = 15
CALLS = {1: 200, 64: 640}
"""How many calls make a round, by how many are in flight."""
TARGETS = {("httpcore", 1): 0.75, ("httpcore", 64): 0.40, ("aiohttp", 1): 0.30, ("aiohttp", 64): 0.20}
NAMES = {"httpcore": "default connections", "aiohttp": "fast connections", "httpx": "connections while intercepted"}
_PLAIN = "plain shared client"
_CREDENTIALS = ClientCredentials("rs", "rs-secret")
Call = Callable[[], Awaitable[object]]


async def measure() -> list[Figure]:
    """Measure alone and with many in flight, the server in a process of its own."""
    with authority() as url:
        return [figure for width in CALLS for figure in await _measure(f"{url}/introspect", width)]


async def _measure(url: str, width: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        cases: dict[str, Call] = {_PLAIN: _plain(client, url)}
        for name, kind in OWN.items():
            ask = await stack.enter_async_context(own(kind)(None))
            cases[name] = _ours(ask, url)
        cpu, wall = await _interleave(cases, width)
    place = "alone" if width == 1 else f"with {width} in flight"
    plain = cpu.median(_PLAIN)
    figures = [Figure(f"{_PLAIN}, {place}", plain, "µs CPU", note=f"wall {wall.median(_PLAIN):,.0f} µs a call")]
    for name, title in NAMES.items():
        ratio, target = cpu.ratio(name, _PLAIN), TARGETS.get((name, width))
        figures.append(
            Figure(
                f"{title}, {place}", cpu.median(name), "µs CPU", _PLAIN, ratio, cpu.added(name, _PLAIN),
                "" if target is None else f"<= {target:.2f} x", None if target is None else ratio <= target,
                f"wall {wall.median(name):,.0f} µs a call, {wall.ratio(name, _PLAIN):.2f} x",
            )
        )  # fmt: skip
    return figures


def _plain(client: httpx.AsyncClient, url: str) -> Call:
    """Introspect as people do."""

    async def call() -> None:
        answer = await client.post(url, data={"token": TOKEN}, auth=("rs", "rs-secret"))
        assert answer.json()["active"] is True

    return call


def _ours(ask: Callable[..., Awaitable[object]], url: str) -> Call:
    proof = client_proof(_CREDENTIALS, audience="", now=0.0, jti="")
    request = authenticated(introspection_request(url, TOKEN.encode()), proof)

    async def call() -> None:
        answer = await ask(request)
        assert isinstance(answer, HTTPResponse)
        assert b'"active": true' in answer.body

    return call


async def _interleave(cases: dict[str, Call], width: int) -> tuple[Rounds, Rounds]:
    cpu, wall = Rounds({name: [] for name in cases}), Rounds({name: [] for name in cases})
    for case in cases.values():
        await _run(case, 4 * width, width)
    for _ in range(ROUNDS):
        for name, case in cases.items():
            gc.collect()
            count = CALLS[width]
            started = time.process_time(), time.perf_counter()
            await _run(case, count, width)
            ended = time.process_time(), time.perf_counter()
            cpu.times[name].append((ended[0] - started[0]) / count * 1e6)
            wall.times[name].append((ended[1] - started[1]) / count * 1e6)
    return cpu, wall


async def _run(call: Call, count: int, width: int) -> None:
    async def one_after_the_other() -> None:
        for _ in range(count // width):
            await call()

    await asyncio.gather(*(one_after_the_other() for _ in range(width)))
