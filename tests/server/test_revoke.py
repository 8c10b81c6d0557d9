"""A revoked token is dead in all workers within a second, whatever happens to the store meanwhile; nothing is lost."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from resource_server import BlockingResourceServer, InvalidToken, ResourceServer
from resource_server.events import RevocationFeedAvailable, RevocationFeedUnavailable
from tests.support.blocking import BlockingOrigin
from tests.support.jwt import NOW
from tests.support.origin import Gate, Origin, says_yes
from tests.support.play import options
from tests.support.stage import Stage, bearer
from tests.support.valkey import Valkey, between
from tests.support.workers import reached, running_clock, shared, workers

pytestmark = pytest.mark.anyio

BOUND = 10.0
"""Seconds after which a test gives up; how fast it is, is measured by the benchmark."""


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Start a server that may be stopped and paused."""
    with Valkey(tmp_path) as server:
        yield server


class Member:
    """One resource server of a fleet, in this process."""

    def __init__(self, url: str, **changes: Any) -> None:
        """Make it."""
        self.origin = Origin(introspect=says_yes(iat=int(NOW)))
        self.events: list[Any] = []
        self.server = ResourceServer(
            transport=self.origin, clock=running_clock(), observer=self.events.append, **shared(url, **changes)
        )

    async def ask(self, token: str) -> str:
        """Present a token; return its subject, or the reason why it is refused."""
        try:
            return (await self.server.authenticate(bearer(token))).subject or ""
        except InvalidToken as refused:
            return str(refused.reason)

    async def hears(self, token: str) -> None:
        """Wait until a token is refused for being revoked."""
        with anyio.fail_after(BOUND):
            while await self.ask(token) != "revoked":  # noqa: ASYNC110 - to ask is to look
                await asyncio.sleep(0.001)

    async def notices(self, kind: type[object]) -> None:
        """Wait until something has been told."""
        await reached(lambda: any(isinstance(event, kind) for event in self.events))

    async def settles(self) -> None:
        """Wait until nothing is left to tell."""
        feed = self.server._core.feed
        assert feed is not None
        await reached(lambda: len(feed.outbox) == 0)


@asynccontextmanager
async def fleet(url: str, size: int = 2, **changes: Any) -> AsyncGenerator[list[Member], None]:
    """Have several servers that share a store."""
    members = [Member(url, **changes) for _ in range(size)]
    for member in members:
        await member.server.start()
    try:
        yield members
    finally:
        for member in members:
            await member.server.aclose()


@pytest.mark.parametrize("named", [{"token": "opaque"}, {"sub": "subject of opaque"}, {"client_id": "client-1"}])
@pytest.mark.attack("A-C-4")
@pytest.mark.rfc("7662-4-b")
async def test_the_next_request_is_refused(named: dict[str, str]) -> None:
    """Without a store too: what is cached is refused from the next request on, and nobody is asked about it."""
    stage = Stage(introspect=says_yes(iat=int(NOW) - 1))
    await stage.server.authenticate(bearer("opaque"))
    stage.server.revoke(**named)  # type: ignore[arg-type] # each is text
    with pytest.raises(InvalidToken) as refused:
        await stage.server.authenticate(bearer("opaque"))
    assert refused.value.reason == "revoked"
    assert len(stage.server._core.state.revocations) >= 1


@pytest.mark.attack("A-C-4")
async def test_an_answer_on_its_way_is_overtaken() -> None:
    """Everybody who waits for the answer is refused, and it is not remembered as a yes."""
    gate = Gate(says_yes())
    stage = Stage(introspect=gate)
    requests = [asyncio.ensure_future(stage.server.authenticate(bearer("opaque"))) for _ in range(5)]
    await gate.arrived()
    stage.server.revoke(token="opaque")
    gate.open()
    results = await asyncio.gather(*requests, return_exceptions=True)
    assert [getattr(result, "reason", None) for result in results] == ["revoked"] * 5


async def test_all_hear_it(valkey: Valkey) -> None:
    """What one revokes is dead for the others that had it in their caches, and for one that comes later."""
    async with fleet(valkey.url) as (first, second):
        assert await second.ask("opaque") == "subject of opaque"
        first.server.revoke(token="opaque")
        await second.hears("opaque")
        async with fleet(valkey.url, size=1) as [late]:
            assert await late.ask("opaque") == "revoked"


@pytest.mark.attack("A-C-13")
async def test_the_store_still_says_yes(valkey: Valkey) -> None:
    """A verdict that another worker left in the store does not bring a revoked token back."""
    async with fleet(valkey.url) as (first, second):
        assert await first.ask("opaque") == "subject of opaque"
        second.server.revoke(token="opaque")
        assert await second.ask("opaque") == "revoked"


async def test_an_answer_in_the_store_is_as_old_as_its_question(valkey: Valkey) -> None:
    """What was asked before a revocation and shared after it is not taken for news by those who read it."""
    async with fleet(valkey.url) as (first, second):
        gate = Gate(says_yes())
        first.origin.replies["introspect"] = gate
        asking = asyncio.ensure_future(first.ask("opaque"))
        await gate.arrived()
        second.server.revoke(sub="subject of opaque", before=NOW + 3600)
        await second.settles()
        gate.open()
        await asking
        assert await second.ask("opaque") == "revoked"


@pytest.mark.attack("A-C-4")
async def test_who_is_new_hears_before_it_answers(valkey: Valkey) -> None:
    """A server that was not started finds a yes in the store, and does not answer before it knows what is revoked."""
    async with fleet(valkey.url, size=1) as [old]:
        assert await old.ask("opaque") == "subject of opaque"
        for number in range(300):
            old.server.revoke(jti=f"other {number}")  # it takes more than one page to hear
        old.server.revoke(token="opaque")
        await old.settles()
        new = Member(valkey.url)
        assert await new.ask("opaque") == "revoked"
        await new.server.aclose()


async def test_down_when_it_is_revoked(valkey: Valkey) -> None:
    """What is revoked while the store is down is heard when it is back; the outage and its end are told."""
    async with fleet(valkey.url) as (first, second):
        assert await second.ask("opaque") == "subject of opaque"
        valkey.stop()
        await second.notices(RevocationFeedUnavailable)
        first.server.revoke(token="opaque")
        assert await first.ask("opaque") == "revoked"
        valkey.start()
        await second.hears("opaque")
        await second.notices(RevocationFeedAvailable)


async def test_down_at_the_start(valkey: Valkey) -> None:
    """A server starts without its store, revokes without it, and tells the others when there is one."""
    valkey.stop()
    async with fleet(valkey.url) as (first, second):
        assert await second.ask("opaque") == "subject of opaque"
        first.server.revoke(token="opaque")
        valkey.start()
        await second.hears("opaque")


async def test_restarted_without_its_data(valkey: Valkey) -> None:
    """What the store has lost the workers put back: one that starts afterwards knows all of it."""
    async with fleet(valkey.url) as (first, second):
        first.server.revoke(token="opaque")
        await second.hears("opaque")
        await first.settles()
        valkey.restart()
        await written_again(valkey)
        async with fleet(valkey.url, size=1) as [late]:
            assert await late.ask("opaque") == "revoked"


async def test_flushed(valkey: Valkey) -> None:
    """The same where the data is lost without the connection."""
    async with fleet(valkey.url) as (first, second):
        first.server.revoke(token="opaque")
        await second.hears("opaque")
        await first.settles()
        with valkey.client() as client:
            client.flushall()
        await written_again(valkey)
        async with fleet(valkey.url, size=1) as [late]:
            assert await late.ask("opaque") == "revoked"


async def written_again(valkey: Valkey) -> None:
    """Wait until there is a log."""
    with valkey.client() as client:
        await reached(lambda: any(client.type(key) == b"stream" for key in client.keys("*")))


async def test_restarted_with_its_data(tmp_path: Path) -> None:
    """A store that keeps its data is read on from where it was."""
    with Valkey(tmp_path, appendonly="yes", appendfsync="always") as valkey:
        async with fleet(valkey.url) as (first, second):
            first.server.revoke(token="before")
            await second.hears("before")
            valkey.restart()
            first.server.revoke(token="after")
            await second.hears("after")
        async with fleet(valkey.url, size=1) as [late]:
            assert await late.ask("before") == "revoked"


async def test_a_store_that_hangs(valkey: Valkey) -> None:
    """While the store hangs, requests are served and revocations noted here; when it goes on, everywhere."""
    async with fleet(valkey.url, cache_timeout=0.01) as (first, second):
        assert await second.ask("opaque") == "subject of opaque"
        valkey.pause()
        first.server.revoke(token="opaque")
        assert await first.ask("opaque") == "revoked"
        assert await second.ask("another") == "subject of another"
        valkey.resume()
        await second.hears("opaque")


async def test_cut_in_the_middle_of_a_command(valkey: Valkey) -> None:
    """Connections that are cut while they are being answered lose nothing."""
    async with between(valkey.port) as middle, fleet(middle.url) as (first, second):
        cuts = iter([True, False] * 10)
        middle.change = lambda answer: answer[:3] if next(cuts, False) else answer
        for number in range(10):
            first.server.revoke(token=f"token-{number}")
            await asyncio.sleep(0)
        middle.change = lambda answer: answer
        for number in range(10):
            await second.hears(f"token-{number}")


async def test_told_before_the_end(valkey: Valkey) -> None:
    """A server that is closed right after a revocation has told it."""
    async with fleet(valkey.url, cache_timeout=5.0, timeout=10.0) as (first, second):
        first.server.revoke(token="opaque")
        await first.server.aclose()
        await second.hears("opaque")


async def test_revoked_before_any_loop(valkey: Valkey) -> None:
    """What was revoked before a server ran is told when it does."""
    early = await asyncio.to_thread(revoke_without_a_loop, valkey.url)
    async with fleet(valkey.url, size=1) as [other]:
        assert await other.ask("opaque") == "subject of opaque"
        await early.server.start()
        await other.hears("opaque")
        await early.server.aclose()


def revoke_without_a_loop(url: str) -> Member:
    """Revoke where no event loop runs."""
    member = Member(url)
    member.server.revoke(token="opaque")
    return member


async def test_another_secret_hears_nothing(valkey: Valkey) -> None:
    """Who does not share the secret neither hears a revocation nor can make one."""
    async with fleet(valkey.url, size=1) as [ours]:
        other = Member(valkey.url, client_id="another-api")
        await other.server.start()
        other.server.revoke(sub="subject of opaque")
        await other.settles()
        ours.server.revoke(sub="somebody else")
        await ours.settles()
        assert await ours.ask("opaque") == "subject of opaque"
        await other.server.aclose()


@pytest.mark.attack("A-C-13")
async def test_nothing_in_the_store_tells_who(valkey: Valkey) -> None:
    """Neither the value of a revocation nor its kind can be read there."""
    async with fleet(valkey.url, size=1) as [member]:
        member.server.revoke(sub="canary-subject")
        member.server.revoke(token="canary-token")
        await member.settles()
        with valkey.client() as client:
            [stream] = [key for key in client.keys("*") if client.type(key) == b"stream"]
            held = repr((stream, client.xrange(stream)))
    assert "canary" not in held
    assert "sub" not in held


def test_several_processes(valkey: Valkey) -> None:
    """What one process revokes is dead in the others; a store that is killed and comes back empty changes nothing."""
    with workers(2, valkey.url) as (first, second):
        assert {worker.ask("opaque") for worker in (first, second)} == {"subject of opaque"}
        first.revoke(token="opaque")
        wait_for(lambda: second.ask("opaque") == "revoked")
        valkey.stop()
        second.revoke(token="another")
        valkey.start()
        wait_for(lambda: first.ask("another") == "revoked")
        with in_threads(valkey.url) as late:
            wait_for(lambda: asked(late, "opaque") == asked(late, "another") == "revoked")


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask until something is so."""
    until = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < until, "it does not come about"


@contextmanager
def in_threads(url: str) -> Generator[BlockingResourceServer, None, None]:
    """Have a server for threads that shares a store."""
    transport = BlockingOrigin(introspect=says_yes(iat=int(NOW)))
    server = BlockingResourceServer(transport=transport, clock=running_clock(), observer=lambda _: None, **shared(url))
    with server:
        yield server


def asked(server: BlockingResourceServer, token: str) -> str:
    """Present a token; return its subject, or the reason why it is refused."""
    try:
        return server.authenticate(bearer(token)).subject or ""
    except InvalidToken as refused:
        return str(refused.reason)


def test_threads_hear_it_too(valkey: Valkey) -> None:
    """What one server for threads revokes is dead for another, also for one that starts later."""
    with in_threads(valkey.url) as first, in_threads(valkey.url) as second:
        assert asked(second, "opaque") != "revoked"
        first.revoke(token="opaque")
        wait_for(lambda: asked(second, "opaque") == "revoked")
        with in_threads(valkey.url) as late:
            assert asked(late, "opaque") == "revoked"


@pytest.mark.attack("A-C-4")
def test_threads_that_are_new_hear_before_they_answer(valkey: Valkey) -> None:
    """As for tasks: what the store says is not passed on before it is known what is revoked."""
    with in_threads(valkey.url) as old:
        assert asked(old, "opaque") == "subject of opaque"
        for number in range(300):
            old.revoke(jti=f"other {number}")
        old.revoke(token="opaque")
        feed = old._core.feed
        assert feed is not None
        wait_for(lambda: len(feed.outbox) == 0)
        transport = BlockingOrigin(introspect=says_yes(iat=int(NOW)))
        new = BlockingResourceServer(
            transport=transport, clock=running_clock(), observer=lambda _: None, **shared(valkey.url)
        )
        assert asked(new, "opaque") == "revoked"
        new.close()


async def test_tasks_and_threads_hear_each_other(valkey: Valkey) -> None:
    """Both kinds of server share one log."""
    with in_threads(valkey.url) as threads:
        async with fleet(valkey.url, size=1) as [tasks]:
            threads.revoke(token="first")
            tasks.server.revoke(token="second")
            await tasks.hears("first")
            await asyncio.to_thread(wait_for, lambda: asked(threads, "second") == "revoked")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.attack("A-C-14")
def test_a_process_that_was_forked_off_hears_it(valkey: Valkey) -> None:
    """A token that came through the fork in the cache is refused in the child when the parent revokes it."""
    with in_threads(valkey.url) as server:
        assert asked(server, "opaque") != "revoked"
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            status = 1
            try:
                wait_for(lambda: asked(server, "opaque") == "revoked")
                status = 0
            finally:
                os._exit(status)
        server.revoke(token="opaque")
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.attack("A-C-14")
def test_a_process_without_its_threads_begins_to_hear_again(valkey: Valkey) -> None:
    """The first request after a fork starts to listen, also where its token is known."""
    with in_threads(valkey.url) as server, in_threads(valkey.url) as other:
        assert asked(server, "opaque") != "revoked"
        [line] = server._lines()
        feed, driver = line._feed, line._opened
        assert feed is not None
        assert driver is not None
        server._start_anew()  # as in a process that was forked off
        feed.close(BOUND)
        driver.close()
        other.revoke(token="opaque")
        wait_for(lambda: asked(server, "opaque") == "revoked")
        assert line._feed is not None


async def test_without_a_store_there_is_no_feed() -> None:
    """Without ``cache_url`` nothing is started and nothing is reported."""
    server = ResourceServer(**options())
    server.revoke(token="opaque")
    assert server._core.feed is None
    assert len(server._lines()[0]._feeds) == 0


async def test_health_tells_of_the_feed(valkey: Valkey) -> None:
    """Whether revocations go round is part of the server's health."""
    async with fleet(valkey.url, size=1) as [member]:
        feed = member.server._core.feed
        assert feed is not None
        status = feed.status
        assert status.connected
        valkey.stop()
        await member.notices(RevocationFeedUnavailable)
        status = feed.status
        assert (status.connected, status.cause) == (False, "connect")
