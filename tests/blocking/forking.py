"""Processes that fork, each a scenario of its own: ``python -m tests.blocking.forking NAME URL``.

They run outside the test's own process, which has threads of all kinds, and print what their children found out.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import select
import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from redis import Redis

from resource_server import BlockingResourceServer, ResourceServer
from tests.support.blocking import PATIENCE, BlockingGate, BlockingOrigin, until
from tests.support.origin import says_yes
from tests.support.play import Time, options
from tests.support.stage import bearer


def server(url: str) -> BlockingResourceServer:
    """Make a server with connections of its own."""
    chosen = options(introspection_endpoint=url, strategy="introspect")
    return BlockingResourceServer(clock=Time().clock, observer=lambda _: None, **chosen)


def in_child(call: Callable[[], Any]) -> Any:
    """Fork, and return what a call returns in the child."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        found: Any = "it raised"
        try:
            found = call()
        finally:
            os.write(writing, json.dumps(found).encode())
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], PATIENCE)
    found = json.loads(os.read(reading, 65_536)) if ready else "it hangs"
    os.close(reading)
    if not ready:
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    return found


def ask(judge: BlockingResourceServer, name: str) -> str | None:
    """Authenticate with a token that names this process."""
    return judge.authenticate(bearer(f"{name}-{os.getpid()}")).subject


def prefork(url: str) -> Any:
    """Ask in the parent, then in children, then in the parent again."""
    judge = server(url)
    judge.start()
    judge.authenticate(bearer("warm"))
    ask(judge, "before")

    def work() -> list[str | None]:
        found = [judge.authenticate(bearer("warm")).subject, ask(judge, "child")]
        judge.close()
        return found

    children = [in_child(work) for _ in range(3)]
    with judge:
        return {"children": children, "parent": ask(judge, "after")}


def busy(_: str) -> Any:
    """Fork again and again while threads are at work on everything that is shared."""
    origin = BlockingOrigin(introspect=says_yes())
    judge = BlockingResourceServer(
        transport=origin,
        clock=Time().clock,
        observer=lambda _: None,
        **options(cache_size=10, negative_cache_size=10, strategy="introspect"),
    )
    over = Event()

    def work(thread: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            judge.authenticate(bearer(f"token-{thread}-{number % 50}"))

    threads = [Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    found = [in_child(lambda: judge.authenticate(bearer("token-of-the-child")).subject) for _ in range(30)]
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    return sorted(set(found))


def in_flight(_: str) -> Any:
    """Fork while a thread waits for an answer that it will get in the parent only."""
    gate = BlockingGate(says_yes())
    origin = BlockingOrigin(introspect=gate)
    judge = BlockingResourceServer(
        transport=origin, clock=Time().clock, observer=lambda _: None, **options(strategy="introspect")
    )
    found: list[str | None] = []
    thread = Thread(target=lambda: found.append(judge.authenticate(bearer("token")).subject))
    thread.start()
    gate.arrived()

    def work() -> str | None:
        origin.replies["introspect"] = says_yes()
        return judge.authenticate(bearer("token")).subject

    child = in_child(work)
    gate.open()
    thread.join(PATIENCE)
    return [child, *found]


def loops(url: str) -> Any:
    """Use the server for event loops in the parent, in a child, and in several threads of a child."""
    chosen = options(introspection_endpoint=url, strategy="introspect")
    judge = ResourceServer(clock=Time().clock, observer=lambda _: None, **chosen)

    async def judging(name: str) -> str | None:
        async with judge:
            return (await judge.authenticate(bearer(f"{name}-{os.getpid()}"))).subject

    async def forking() -> Any:
        before = (await judge.authenticate(bearer(f"before-{os.getpid()}"))).subject
        child = in_child(in_threads)
        after = (await judge.authenticate(bearer(f"after-{os.getpid()}"))).subject
        await judge.aclose()
        return [before, child, after]

    def in_threads() -> list[str | None]:
        found: list[str | None] = []
        threads = [
            Thread(target=lambda number=number: found.append(asyncio.run(judging(f"child{number}"))))
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        return sorted(found, key=str)

    return asyncio.run(forking())


def pool(url: str) -> Any:
    """Use the server in the workers of ``multiprocessing``, which fork."""
    global _judge  # noqa: PLW0603 - what a worker inherits
    _judge = server(url)
    ask(_judge, "before")
    with _judge, multiprocessing.get_context("fork").Pool(3) as workers:
        return sorted(set(workers.map(_in_worker, range(12))))


def store(url: str) -> Any:
    """Share what is known through a store, over connections of each process's own."""
    origin = BlockingOrigin(introspect=says_yes(exp=int(time.time()) + 600))
    judge = BlockingResourceServer(
        transport=origin, observer=lambda _: None, **options(cache_url=url, cache_timeout=2.5, strategy="introspect")
    )

    def work() -> list[Any]:
        judge._core.state.cache.clear()
        known = judge.authenticate(bearer("token")).subject
        judge.close()
        return [known, len(origin.requests)]

    with judge:
        judge.authenticate(bearer("token"))
        until(lambda: is_written(url))
        children = [in_child(work) for _ in range(3)]
        return [*children, work()]


def is_written(url: str) -> bool:
    """Tell whether there is a verdict in the store: it is longer than a claim."""
    with Redis.from_url(url, decode_responses=True) as client:
        return any(client.strlen(str(name)) > MIN_SEALED for name in client.scan_iter())


MIN_SEALED = 100
_judge: BlockingResourceServer


def _in_worker(number: int) -> str:
    subject = ask(_judge, f"worker{number}") or ""
    return subject.rpartition("worker")[0]


SCENARIOS: dict[str, Callable[[str], Any]] = {
    scenario.__name__: scenario for scenario in (prefork, busy, in_flight, loops, pool, store)
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps([os.getpid(), SCENARIOS[sys.argv[1]](sys.argv[2])]))
