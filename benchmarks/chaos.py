"""Burn the authorization server and the second level while four workers serve: ``python -m benchmarks chaos``.

The authorization server is cut off or made to hang twenty times, its keys are rotated twenty times, Valkey is killed
ten times. The answers that matter are counted: a yes for a token that is not good, a yes in somebody else's name, a
good caller who was refused, and how soon a token that nobody has seen is accepted once the authorization server is
back. The authorization server's own process is never killed, because what it has issued would go with it: the front
before it is, which looks the same from a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

import aiohttp

from benchmarks.caller import Caller
from benchmarks.harness import Figure
from benchmarks.stage import Fleet, fleet, mint, tell

RATE, WORKERS = 330.0, 4
OUTAGES, ROTATIONS, KILLS = 20, 20, 10
OPTIONS = {"cache_ttl": 5, "negative_cache_ttl": 2, "stale_if_error": 120, "timeout": 1, "retries": 1}
_WARM, _REVOKED, _BAD = 40, 10, 20
_DEFECTS: tuple[dict[str, Any], ...] = (
    {"expires_in": -10},
    {"expires_in": -10, "format": "opaque"},
    {"defect": "bad_signature"},
    {"aud": "https://other.example.test"},
)
_REVOKED_WITHIN = 1.0
_STOCK, _STEP = 500, 0.03
_RS = aiohttp.BasicAuth("rs", "rs-secret")
_STATUSES = {200, 401, 403, 429, 503}
_MIX = {"warm": 60, "fresh": 4, "bad": 20, "random": 8, "revoked": 8}


@dataclass(frozen=True)
class Held:
    """A token, and whose it is."""

    text: str
    subject: str


@dataclass
class Tally:
    """What came of the requests."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    wrong_accepts: Counter[str] = field(default_factory=Counter[str])
    mixed: int = 0
    recoveries: list[float] = field(default_factory=list[float])
    seconds: list[float] = field(default_factory=list[float])
    """How long the warm callers' answers took."""

    def share_good(self) -> float:
        """Return the percentage of the warm callers' requests that were answered with 200."""
        asked = sum(count for (kind, _), count in self.statuses.items() if kind == "warm")
        return 100 * self.statuses["warm", 200] / max(asked, 1)


class Chaos:
    """One run.

    Args:
        fleet: the processes.
        session: asks the workers and the admin API.
        seconds: how long.
    """

    def __init__(self, fleet: Fleet, session: aiohttp.ClientSession, seconds: float) -> None:
        """Begin with nothing asked."""
        self.tally = Tally()
        self._fleet, self._session, self._seconds = fleet, session, seconds
        self._random = random.Random(1)  # noqa: S311 - the mix of requests is no secret
        self._numbers = itertools.count()
        self._callers = [Caller(port) for port in fleet.ports]
        self._workers: Iterator[Caller] = itertools.cycle(self._callers)
        self._held: dict[str, list[Held]] = {kind: [] for kind in _MIX}
        self._revoked_at: dict[str, float] = {}
        self._valkey_up_since = 0.0
        self._valkey_up = True
        self._tasks: set[asyncio.Task[int]] = set()
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Warm the workers, then burn."""
        await self._prepare()
        burning = [asyncio.ensure_future(work) for work in (self._burn(), self._supply(), self._revoke())]
        started, sent = time.perf_counter(), 0
        while not burning[0].done():
            while sent < (time.perf_counter() - started) * RATE:
                self._begin(self._one_of_the_mix())
                sent += 1
            await asyncio.sleep(0.005)
        await burning[0]
        for task in burning[1:]:
            task.cancel()
        await asyncio.gather(*burning[1:], *self._tasks, return_exceptions=True)
        for caller in self._callers:
            caller.close()

    async def _prepare(self) -> None:
        for number in range(_WARM):
            self._held["warm"].append(await self._mint(format=("jwt", "opaque")[number % 2]))
        for number in range(_REVOKED):
            held = await self._mint(format=("jwt", "opaque")[number % 2])
            await self._end(held)
            self._held["revoked"].append(held)
            self._revoked_at[held.text] = 0.0
        for number in range(_BAD):
            self._held["bad"].append(await self._mint(**_DEFECTS[number % len(_DEFECTS)]))
        for held in (*self._held["warm"], *self._held["revoked"], *self._held["bad"]):
            for worker in self._callers:
                await self._ask("warming", held, worker)

    async def _mint(self, **order: Any) -> Held:  # noqa: ANN401 - of any type
        return (await self._mint_many(1, **order))[0]

    async def _mint_many(self, count: int, **order: Any) -> list[Held]:  # noqa: ANN401 - as above
        subject = f"subject-{next(self._numbers)}"
        texts = await mint(self._session, self._fleet.admin, n=count, sub=subject, **order)
        return [Held(text, subject) for text in texts]

    async def _end(self, held: Held) -> None:
        await tell(self._session, f"{self._fleet.admin}/tokens/revoke", {"token": held.text})

    def _begin(self, work: Coroutine[Any, Any, int]) -> asyncio.Task[int]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _one_of_the_mix(self) -> Coroutine[Any, Any, int]:
        [kind] = self._random.choices(list(_MIX), list(_MIX.values()))
        worker, held = next(self._workers), self._held[kind]
        if kind == "random":
            return self._ask(kind, Held(token_urlsafe(24), ""), worker)
        if kind == "fresh":
            return self._ask(kind, held.pop(), worker) if held else self._ask("warm", self._held["warm"][0], worker)
        return self._ask(kind, self._random.choice(held), worker)

    async def _ask(self, kind: str, held: Held, worker: Caller) -> int:
        began = time.perf_counter()
        status, body = await worker.get("/me", held.text)
        self.tally.statuses[kind, status] += 1
        if kind == "warm":
            self.tally.seconds.append(time.perf_counter() - began)
        if status == 200:
            self.tally.mixed += body.get("sub") != held.subject
            if kind in {"bad", "random"} or (kind == "revoked" and self._is_known(held, began)):
                self.tally.wrong_accepts[kind] += 1
        return status

    def _is_known(self, held: Held, asked: float) -> bool:
        """Tell whether every worker had to know, when it was asked, that a token is revoked."""
        since = self._revoked_at[held.text]
        return since == 0.0 or (self._valkey_up and asked > max(since, self._valkey_up_since) + _REVOKED_WITHIN)

    async def _supply(self) -> None:
        """Keep fresh tokens at hand, while the authorization server can be asked for them."""
        while True:
            await asyncio.sleep(0.02)
            if not self._gone.is_set() and len(self._held["fresh"]) < 200:
                for form in ("jwt", "opaque"):
                    self._held["fresh"] += await self._mint_many(5, format=form)

    async def _revoke(self) -> None:
        """Revoke a token that was good and in use, every second, and tell one worker."""
        while True:
            await asyncio.sleep(1)
            if self._gone.is_set():
                continue
            held = await self._mint()
            for worker in self._callers:
                await self._ask("warming", held, worker)
            await self._end(held)
            async with self._session.post(f"{self._fleet.workers[0]}/revoked", data=held.text) as response:
                assert response.ok
            self._revoked_at[held.text] = time.perf_counter()
            self._held["revoked"].append(held)

    async def _burn(self) -> None:
        """Go through the outages, one after the other."""
        cycle = self._seconds / OUTAGES
        for number in range(OUTAGES):
            ends = asyncio.get_running_loop().time() + cycle
            await tell(self._session, f"{self._fleet.admin}/keys/rotate", {})
            await asyncio.sleep(cycle * 0.2)
            stock = await self._mint_many(_STOCK, format="opaque")
            self._gone.set()
            await self._outage(number, min(5.0, cycle * 0.4))
            await self._answers(stock.pop())
            self._gone.clear()
            back = time.perf_counter()
            await asyncio.gather(*(self._recover(worker, back, stock) for worker in self._callers))
            print(f"outage {number + 1}: back after {max(self.tally.recoveries[-WORKERS:]):.2f} s", flush=True)
            await asyncio.sleep(max(0.0, ends - asyncio.get_running_loop().time()))

    async def _outage(self, number: int, seconds: float) -> None:
        pausing = number % 2 == 1
        if pausing:
            self._fleet.pause()
        else:
            self._fleet.kill_front()
        if number % (OUTAGES // KILLS) == 0 and self._fleet.valkey is not None:
            self._valkey_up = False
            await asyncio.to_thread(self._fleet.valkey.stop)
            await asyncio.sleep(seconds / 2)
            await asyncio.to_thread(self._fleet.valkey.start)
            self._valkey_up, self._valkey_up_since = True, time.perf_counter()
            seconds /= 2
        await asyncio.sleep(seconds)
        if pausing:
            self._fleet.resume()
        else:
            await self._fleet.raise_front()

    async def _answers(self, held: Held) -> None:
        """Wait until the authorization server itself answers, past the workers: from then on it is back."""
        url, form = f"http://127.0.0.1:{self._fleet.front_port}/introspect", {"token": held.text}
        while True:
            try:
                async with self._session.post(url, data=form, auth=_RS, headers={"connection": "close"}) as response:
                    assert response.ok
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.005)

    async def _recover(self, worker: Caller, back: float, stock: list[Held]) -> None:
        """Ask with fresh tokens, one after the other, until one is accepted."""
        accepted = asyncio.Event()

        async def ask(held: Held) -> int:
            status = await self._ask("fresh after an outage", held, worker)
            if status == 200:
                accepted.set()
            return status

        while stock and not accepted.is_set():
            self._begin(ask(stock.pop()))
            with suppress(TimeoutError):
                async with asyncio.timeout(_STEP):
                    await accepted.wait()
        self.tally.recoveries.append(time.perf_counter() - back if accepted.is_set() else math.inf)


async def measure(arguments: list[str]) -> list[Figure]:
    """Run it for ``--seconds``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks chaos")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long; the outages are spread over it")
    seconds = parser.parse_args(arguments).seconds
    timeout, connector = aiohttp.ClientTimeout(total=15), aiohttp.TCPConnector(limit=0)
    async with (
        fleet(WORKERS, OPTIONS) as started,
        aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
    ):
        chaos = Chaos(started, session, seconds)
        began = time.perf_counter()
        await chaos.run()
        took = time.perf_counter() - began
    for (kind, status), count in sorted(chaos.tally.statuses.items()):
        print(f"{kind:>22} {status:>4} {count:>8}")
    return _figures(chaos.tally, took)


def _figures(tally: Tally, took: float) -> list[Figure]:
    answers = sum(tally.statuses.values())
    odd = sum(count for (_, status), count in tally.statuses.items() if status not in _STATUSES)
    wrong, good = tally.wrong_accepts.total(), tally.share_good()
    rate, slowest = answers / took, max(tally.recoveries)
    p99 = sorted(tally.seconds)[int(len(tally.seconds) * 0.99)] * 1e3
    note = ", ".join(f"{kind}: {count}" for kind, count in tally.wrong_accepts.items())
    return [
        Figure("chaos, requests", rate, "per s", target=">= 300", met=rate >= 300, note=f"{answers} in {took:.0f} s"),
        Figure("chaos, wrong accepts", wrong, "answers", target="= 0", met=wrong == 0, note=note),
        Figure("chaos, mixed identities", tally.mixed, "answers", target="= 0", met=tally.mixed == 0),
        Figure("chaos, odd answers", odd, "answers", target="= 0", met=odd == 0),
        Figure("chaos, good warm callers served", good, "%", target=">= 99", met=good >= 99),
        Figure("chaos, good warm callers, p99", p99, "ms"),
        Figure(
            "chaos, back to first fresh 200", slowest, "s", target="<= 1", met=slowest <= 1, note="the slowest worker"
        ),
    ]
