"""How long a token is still accepted somewhere after it was revoked: ``python -m benchmarks revocation --trials 1000``.

Four worker processes accept tokens as fast as they come to it. In one trial a token that all of them have in their
caches is revoked in one of them (or at the authorization server, where there is no store), and the last moment at which
any of them still accepts it is noted. A process is told what to do on its standard input: ``python -m
benchmarks.revocation OPTIONS`` is such a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure
from benchmarks.processes import authorization_server, worker_process
from benchmarks.support import AUDIENCE, silent
from mock_as import MockASClient
from resource_server import BearerTokenError, RequestParts, ResourceServer, VerificationUnavailable
from tests.support.valkey import Valkey

WORKERS, TRIALS, AT_ONCE, LOAD = 4, 1000, 50, 20
"""Processes, trials of each kind, tokens that are watched at a time, and tokens that are accepted all the time."""
TTL = 1.0
"""Seconds for which an answer is used, where nothing but its end brings the news."""
SETTLE = 1.5
"""Seconds for which the workers are watched beyond the last moment that is allowed."""
OUTAGE = 0.3
"""Seconds for which the store stays away after the tokens were revoked."""


async def measure(arguments: list[str]) -> list[Figure]:
    """Measure all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks revocation")
    parser.add_argument("--trials", type=int, default=TRIALS, metavar="N", help="trials of each kind")
    return await asyncio.to_thread(_measure, parser.parse_args(arguments).trials)


def _measure(trials: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, authorization_server() as server, Valkey(Path(folder)) as valkey:
        store = {"cache_url": valkey.url, "cache_secret": "the secret of all workers of a benchmark"}
        with _fleet(server, store) as fleet:
            pushed = fleet.run(trials, fleet.revoke_here, settle=SETTLE)
        with _fleet(server, {"cache_ttl": TTL, "negative_cache_ttl": 60.0}) as fleet:
            pulled = fleet.run(trials, fleet.revoke_there, settle=TTL + SETTLE)
        with _fleet(server, store) as fleet:
            bridged = fleet.run(trials, lambda tokens: fleet.revoke_in_an_outage(tokens, valkey), settle=SETTLE)
    return [
        _figure("last accept after revoke, with push", pushed, 1.0),
        _figure(f"last accept after revocation, without push, TTL {TTL:g} s", pulled, TTL + 1.0),
        _figure("last accept after the store is back, revoked while it was down", bridged, 1.0),
    ]


def _figure(name: str, lags: list[float], limit: float) -> Figure:
    ordered = sorted(lag * 1000 for lag in lags)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    note = f"maximum; p50 {statistics.median(ordered):.1f}, p99 {p99:.1f}; {len(lags)} trials, {WORKERS} workers"
    met = ordered[-1] <= limit * 1000
    return Figure(name, ordered[-1], "ms", target=f"<= {limit * 1000:.0f}", met=met, note=note)


class Fleet:
    """The workers, and the authorization server that made their tokens.

    Args:
        server: the authorization server.
        workers: the processes.
    """

    def __init__(self, server: MockASClient, workers: list[subprocess.Popen[str]]) -> None:
        """Have them accept some tokens all the time."""
        self._server = server
        self._workers = workers
        self._turns = cycle(workers)
        self._watch([self._token() for _ in range(LOAD)])

    def run(self, trials: int, revoke: Callable[[list[str]], list[float]], *, settle: float) -> list[float]:
        """Make trials; return for each the seconds from the moment that counts to the last accept.

        Args:
            trials: how many.
            revoke: revokes tokens, and returns for each the moment that counts.
            settle: seconds to go on watching.
        """
        lags: list[float] = []
        while len(lags) < trials:
            tokens = [self._token() for _ in range(min(AT_ONCE, trials - len(lags)))]
            self._watch(tokens)
            moments = revoke(tokens)
            time.sleep(settle)
            last = self._last_accepts(tokens)
            lags += [max(0.0, accepted - moment) for accepted, moment in zip(last, moments, strict=True)]
        return lags

    def revoke_here(self, tokens: list[str]) -> list[float]:
        """Revoke each token in one worker or another."""
        moments: list[float] = []
        for token in tokens:
            moments.append(time.monotonic())
            _tell(next(self._turns), {"revoke": token})
            time.sleep(0.01)
        return moments

    def revoke_there(self, tokens: list[str]) -> list[float]:
        """Revoke each token at the authorization server, which tells nobody."""
        moments: list[float] = []
        for token in tokens:
            moments.append(time.monotonic())
            self._server.revoke(token)
        return moments

    def revoke_in_an_outage(self, tokens: list[str], valkey: Valkey) -> list[float]:
        """Revoke the tokens while the store is down; what counts is the moment at which it answers again."""
        valkey.stop()
        self.revoke_here(tokens)
        time.sleep(OUTAGE)
        valkey.start()
        return [time.monotonic()] * len(tokens)

    def _token(self) -> str:
        return self._server.token(format="opaque", aud=AUDIENCE).value

    def _watch(self, tokens: list[str]) -> None:
        for worker in self._workers:
            _tell(worker, {"watch": tokens})
        for worker in self._workers:
            assert _hear(worker) == []

    def _last_accepts(self, tokens: list[str]) -> list[float]:
        for worker in self._workers:
            _tell(worker, {"report": tokens})
        answers = [_hear(worker) for worker in self._workers]
        return [max(each) for each in zip(*answers, strict=True)]


@contextmanager
def _fleet(server: MockASClient, options: dict[str, Any]) -> Generator[Fleet]:
    with ExitStack() as stack:
        begun = [worker_process("benchmarks.revocation", server, options) for _ in range(WORKERS)]
        yield Fleet(server, [stack.enter_context(each) for each in begun])


def _tell(worker: subprocess.Popen[str], words: dict[str, Any]) -> None:
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(words) + "\n")
    worker.stdin.flush()


def _hear(worker: subprocess.Popen[str]) -> list[float]:
    assert worker.stdout is not None
    answer: list[float] = json.loads(worker.stdout.readline())
    return answer


async def _work(options: dict[str, Any]) -> None:
    """Be a worker: accept what is watched, over and over; revoke, and report last accepts, as told."""
    last: dict[str, float] = {}
    async with ResourceServer(observer=silent, **options) as server:
        watching: dict[str, asyncio.Task[None]] = {}
        while line := await asyncio.to_thread(sys.stdin.readline):
            words = json.loads(line)
            if "revoke" in words:
                server.revoke(token=words["revoke"])
            elif "watch" in words:
                watching |= {token: await _watch(server, token, last) for token in words["watch"]}
                print("[]", flush=True)
            else:
                for token in words["report"]:
                    watching.pop(token).cancel()
                print(json.dumps([last.pop(token) for token in words["report"]]), flush=True)


async def _watch(server: ResourceServer, token: str, last: dict[str, float]) -> asyncio.Task[None]:
    """Begin to accept a token, once it is known here."""
    while not await _is_accepted(server, token):  # noqa: ASYNC110 - a busy machine makes it time out
        await asyncio.sleep(0.1)
    last[token] = time.monotonic()
    return asyncio.create_task(_accept(server, token, last))


async def _accept(server: ResourceServer, token: str, last: dict[str, float]) -> None:
    """Present a token fifty times a second, and note when it was accepted last."""
    while True:
        if await _is_accepted(server, token):
            last[token] = time.monotonic()
        await asyncio.sleep(0.02)


async def _is_accepted(server: ResourceServer, token: str) -> bool:
    try:
        await server.authenticate(RequestParts("GET", ((b"authorization", b"Bearer " + token.encode()),)))
    except (BearerTokenError, VerificationUnavailable):
        return False
    return True


if __name__ == "__main__":
    asyncio.run(_work(json.loads(sys.argv[1])))
