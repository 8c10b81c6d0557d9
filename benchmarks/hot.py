"""A hot token through ten times its time to live: what those feel that use it while it is renewed."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from typing import Annotated

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from benchmarks.harness import Figure
from benchmarks.support import TOKEN, InProcessServer, Sink, receive, resource_server, scope
from resource_server import Principal
from resource_server.fastapi import install, require

TTL, TIMES = 2.0, 10
LATENCY = 0.05
"""Seconds the authorization server takes."""
PER_SECOND = 300.0


class SlowServer(InProcessServer):
    """Takes its time."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, after a while."""
        await asyncio.sleep(LATENCY)
        return await super().handle_async_request(request)


async def measure() -> list[Figure]:
    """Send one token at a steady pace to two applications; in one of them its time is over again and again."""
    issuers = {"no expiry": SlowServer(), "renewed": SlowServer()}
    ttls = {"no expiry": 3600.0, "renewed": TTL}
    apps = {name: _application(issuer, ttls[name]) for name, issuer in issuers.items()}
    times: dict[str, list[float]] = {name: [] for name in apps}
    for app in apps.values():
        await _send(app, [])
    before = issuers["renewed"].introspections
    gc.collect()
    await _run(apps, times)
    asked = issuers["renewed"].introspections - before
    calm, renewed = (_percentile(times[name]) for name in ("no expiry", "renewed"))
    slowest = max(times["renewed"]) * 1e6
    ratio = renewed / calm
    return [
        Figure("a hot token without expiry, p99", calm, "µs", note=f"{len(times['renewed']):,} requests each"),
        Figure(
            f"a hot token through {TIMES} times its time, p99", renewed, "µs", "without expiry", ratio,
            target="ratio <= 1.3", met=ratio <= 1.3, note=f"slowest {slowest:,.0f} µs; a question takes {LATENCY} s",
        ),
        Figure("introspections meanwhile", asked, "calls", target="10 ± 1", met=abs(asked - TIMES) <= 1),
    ]  # fmt: skip


def _application(issuer: SlowServer, ttl: float) -> ASGIApp:
    app = FastAPI()

    @app.get("/orders")
    async def orders(principal: Annotated[Principal, require("orders:read")]) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"subject": principal.subject or ""}

    install(app, resource_server(issuer, cache_ttl=ttl))
    return app


async def _run(apps: dict[str, ASGIApp], times: dict[str, list[float]]) -> None:
    """Send to all applications whenever a request is due, in turns first, and wait for nobody in between."""
    started, names, tasks = time.perf_counter(), list(apps), set[asyncio.Task[None]]()
    for number in range(int(TTL * TIMES * PER_SECOND)):
        await asyncio.sleep(max(0.0, started + number / PER_SECOND - time.perf_counter()))
        for name in names:
            task = asyncio.create_task(_send(apps[name], times[name]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        names.reverse()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


async def _send(app: ASGIApp, times: list[float]) -> None:
    sink, started = Sink(), time.perf_counter()
    await app(scope(token=TOKEN), receive, sink)
    times.append(time.perf_counter() - started)
    assert sink.status == 200


def _percentile(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98] * 1e6
