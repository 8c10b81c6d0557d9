"""Eight workers and one token that none of them knows: how often the authorization server is asked about it.

Each worker is a process with a resource server of its own, and asks for 500 requests at the same moment; the
authorization server takes a while, so that all of them meet. A process is told what to do on its standard input:
``python -m benchmarks.fleet OPTIONS`` is such a worker.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure
from benchmarks.processes import authorization_server, worker_process
from benchmarks.support import AUDIENCE, silent
from mock_as import MockASClient
from resource_server import BearerTokenError, RequestParts, ResourceServer, VerificationUnavailable
from tests.support.valkey import Valkey

WORKERS, CONCURRENT, ROUNDS, DISTINCT = 8, 500, 5, 1000
LATENCY = 0.2
"""Seconds the authorization server takes, so that all requests are under way at once."""
_PATIENCE = 30.0


async def measure() -> list[Figure]:
    """Measure all of it."""
    return await asyncio.to_thread(_measure)


def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, authorization_server() as server, Valkey(Path(folder)) as valkey:
        shared = {"cache_url": valkey.url, "cache_secret": "the secret of all workers of a benchmark"}
        figures = [
            _one_cold_token(server, "one cold token, with Valkey", shared, most=2),
            _one_cold_token(server, "one cold token, without", {}, most=WORKERS),
        ]
        valkey.pause()
        figures.append(_one_cold_token(server, "one cold token, Valkey hangs", shared, most=WORKERS))
        valkey.resume()
        figures.append(_bulkhead(server))
    return figures


def _one_cold_token(server: MockASClient, name: str, options: dict[str, Any], *, most: int) -> Figure:
    """Ask all workers for one token at once, several times with another one."""
    asked: list[int] = []
    refused: list[str] = []
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(server, options)) for _ in range(WORKERS)]
        server.fault("introspect", "slow", seconds=LATENCY)
        for _ in range(ROUNDS):
            token = server.token(format="opaque", aud=AUDIENCE).value
            before = len(server.requests("introspect"))
            _tell(workers, [token] * CONCURRENT)
            refused += _hear(workers)
            asked.append(len(server.requests("introspect")) - before)
        server.clear_faults()
    note = f"{WORKERS} x {CONCURRENT} requests, {ROUNDS} times: {', '.join(map(str, asked))}; {len(refused)} refused"
    met = max(asked) <= most and not refused
    return Figure(name, max(asked), "introspections", target=f"<= {most}", met=met, note=note)


def _bulkhead(server: MockASClient) -> Figure:
    """Have one worker ask about many tokens at once, of which none is answered, and count those that arrive."""
    limit = 64
    texts = [server.token(format="opaque", aud=AUDIENCE).value for _ in range(DISTINCT)]
    options = {"max_concurrent_calls": limit, "timeout": 60.0}
    with _worker(server, options) as worker:
        with server.hold("introspect") as gate:
            _tell([worker], texts)
            arrived = _settled(lambda: gate.count)
        refused = _hear([worker])
    met = 0 < arrived <= limit and not refused
    note = f"the authorization server holds all of them; {len(refused)} refused when it lets them go"
    return Figure(f"{DISTINCT} distinct tokens at once", arrived, "in flight", target=f"<= {limit}", met=met, note=note)


def _settled(count: Any) -> int:  # noqa: ANN401 - a function of the mock's
    """Return a number when it has not grown for a second."""
    until, last, since = time.monotonic() + _PATIENCE, -1, 0.0
    while time.monotonic() < until:
        now = count()
        if now != last:
            last, since = now, time.monotonic()
        elif now and time.monotonic() - since > 1.0:
            break
        time.sleep(0.05)
    return last


@contextmanager
def _worker(server: MockASClient, options: dict[str, Any]) -> Generator[subprocess.Popen[str]]:
    with worker_process("benchmarks.fleet", server, options) as process:
        assert _hear([process]) == []
        yield process


def _tell(workers: list[subprocess.Popen[str]], texts: list[str]) -> None:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(texts) + "\n")
        worker.stdin.flush()


def _hear(workers: list[subprocess.Popen[str]]) -> list[str]:
    """Return why requests were refused, of all workers."""
    refused: list[str] = []
    for worker in workers:
        assert worker.stdout is not None
        refused += json.loads(worker.stdout.readline())
    return refused


async def _work(options: dict[str, Any]) -> None:
    """Be a worker: read a list of tokens, ask about all of them at once, write why any was refused."""
    async with ResourceServer(observer=silent, **options) as server:
        print("[]", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            refused = await asyncio.gather(*(_judge(server, text) for text in json.loads(line)))
            print(json.dumps([reason for reason in refused if reason is not None]), flush=True)


async def _judge(server: ResourceServer, text: str) -> str | None:
    try:
        await server.authenticate(RequestParts("GET", ((b"authorization", b"Bearer " + text.encode()),)))
    except (BearerTokenError, VerificationUnavailable) as error:
        return type(error).__name__
    return None


if __name__ == "__main__":
    asyncio.run(_work(json.loads(sys.argv[1])))
