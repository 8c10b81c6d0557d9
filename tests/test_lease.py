"""A stream ends when its token does."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import math
import pickle
import threading
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from resource_server import (
    Assurance,
    ConfigurationError,
    InvalidRequest,
    Lease,
    Principal,
    RequestParts,
    ResourceServer,
)
from resource_server._protocol.revocation import Revocation
from resource_server.blocking import BlockingResourceServer
from resource_server.principal import tie_of
from resource_server.testing import principal_override
from tests.support.jwt import NOW, REMOVED, access_token, signing_key
from tests.support.origin import Gate, publishes, says, says_no, says_yes
from tests.support.play import SECRET, Time, active_members, options
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio

TOKEN = "opaque-canary"
PATIENCE = 10.0
LIFETIME = 3600


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the clock, which a test moves by hand, often."""
    monkeypatch.setattr("resource_server.lease.LONGEST_NAP", 0.01)


def stage(**changes: Any) -> Stage:
    """Make a server; every token is alice's, a minute old, and lives for an hour."""
    return Stage(changes, introspect=says_yes(sub="alice", iat=int(NOW) - 60))


async def principal(play: Stage, token: str = TOKEN) -> Principal:
    """Judge the request that begins a stream."""
    return await play.server.authenticate(bearer(token))


def revoke(server: Any, kind: Any = "sub", value: str = "alice") -> None:
    """Revoke what was issued so far."""
    server._core.note(Revocation(kind, value, NOW + 1, NOW + 86_400))


async def ended(lease: Lease) -> str:
    """Wait for the end, not for ever."""
    async with asyncio.timeout(PATIENCE):
        return await lease.ended()


async def look(lease: Lease) -> None:
    """Look now, as the timer would, and wait for the answer where that asks."""
    lease._look()
    if lease._asking is not None:
        await asyncio.wait_for(lease._asking, PATIENCE)


async def counting() -> AsyncIterator[int]:
    """Count without an end, giving way before each number."""
    number = 0
    while True:
        await asyncio.sleep(0)
        yield number
        number += 1


class Silence:
    """A source that says one thing, and then nothing for ever; tells whether it was cut short, and closed."""

    def __init__(self) -> None:
        """Have said nothing."""
        self.waiting = asyncio.Event()
        self.cancelled = self.closed = False

    async def items(self) -> AsyncGenerator[str]:
        """Say it."""
        try:
            yield "first"
            self.waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.closed = True


# ------------------------------------------------------------------------------------------------------ why it ends


async def test_ends_when_the_token_expires() -> None:
    """RFC 6750 §5.2: a stream outlives the token that began it in nothing."""
    play = stage()
    async with (await principal(play)).lease() as lease:
        play.time.advance(LIFETIME - 1)
        assert lease.reason is None
        play.time.advance(1)
        assert await ended(lease) == "expired"
        assert lease.reason == "expired"


async def test_ends_with_the_leeway() -> None:
    """A lease ends when a new request would be refused, which is the leeway later."""
    play = stage(leeway=30.0)
    async with (await principal(play)).lease() as lease:
        play.time.advance(LIFETIME + 29)
        assert lease.reason is None
        play.time.advance(1)
        assert await ended(lease) == "expired"


@pytest.mark.attack("A-F-10")
@pytest.mark.parametrize(("kind", "value"), [("sub", "alice"), ("client_id", "client-1")])
async def test_ends_when_the_token_is_revoked(kind: str, value: str) -> None:
    """A revocation that becomes known here ends the streams of its tokens, at once and no others."""
    play = stage()
    other = says_yes(sub="bob", client_id="client-2", iat=int(NOW) - 60)
    mine = await principal(play)
    play.origin.replies["introspect"] = other
    theirs = await principal(play, "opaque-other")
    async with mine.lease() as lease, theirs.lease() as unharmed:
        revoke(play.server, kind, value)
        assert await ended(lease) == "revoked"
        assert unharmed.reason is None


async def test_ends_when_one_token_is_revoked() -> None:
    """A token that is named itself ends its stream, and not that of its neighbour."""
    play = stage()
    first, second = await principal(play, "opaque-1"), await principal(play, "opaque-2")
    tie: Any = tie_of(first)
    async with first.lease() as lease, second.lease() as unharmed:
        revoke(play.server, "token", tie.name)
        assert await ended(lease) == "revoked"
        assert unharmed.reason is None


async def test_older_tokens_revoked() -> None:
    """A revocation of what was issued before the token leaves its stream alone."""
    play = stage()
    async with (await principal(play)).lease() as lease:
        play.server._core.note(Revocation("sub", "alice", NOW - 600, NOW + 86_400))
        for _ in range(5):
            await asyncio.sleep(0)
        assert lease.reason is None
        revoke(play.server)
        assert await ended(lease) == "revoked"


async def test_what_a_jwt_says_of_itself_counts() -> None:
    """A session that the JWT names, and the authorization server's answer does not, can be revoked too."""
    play = Stage({}, introspect=says_yes(sub="subject-1", sid={"odd": ["claim"]}, iat=int(NOW) - 60))
    mine = await principal(play, access_token(sid="session-1", iat=int(NOW) - 60, jti=REMOVED))
    async with mine.lease() as lease:
        revoke(play.server, "sid", "session-1")
        assert await ended(lease) == "revoked"


async def test_revoked_in_another_thread() -> None:
    """A revocation may be brought by any thread, such as one that listens to the other workers."""
    play = stage()
    async with (await principal(play)).lease() as lease:
        await asyncio.to_thread(revoke, play.server)
        assert await ended(lease) == "revoked"


async def test_over_before_it_begins() -> None:
    """A lease on a token that has ended meanwhile is over from the start."""
    play = stage()
    mine = await principal(play)
    revoke(play.server)
    async with mine.lease() as lease:
        assert await ended(lease) == "revoked"
        assert [item async for item in lease.over(counting())] == []


async def test_never_expires() -> None:
    """A token without an expiry has a lease that only a revocation ends."""
    play = Stage({}, introspect=says_yes(sub="alice", iat=int(NOW) - 60, exp=int(NOW) + 10**9))
    mine = dataclasses.replace(await principal(play), expires_at=None)
    async with mine.lease() as lease:
        assert lease.reason is None


async def test_waiters() -> None:
    """Several may wait for the end; the impatience of one takes it from nobody, and after it all know the reason."""
    play = stage()
    async with (await principal(play)).lease() as lease:
        first, second = (asyncio.create_task(lease.ended()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        revoke(play.server)
        assert await asyncio.wait_for(second, PATIENCE) == "revoked"
        assert await ended(lease) == "revoked"
    assert lease.reason == "revoked"
    assert await ended(lease) == "revoked"


async def test_left_before_its_end() -> None:
    """Leaving a lease cancels whoever still waits for its end, and it listens no longer."""
    play = stage()
    revocations = play.server._core.state.revocations
    async with (await principal(play)).lease() as lease:
        waiter = asyncio.create_task(lease.ended())
        await asyncio.sleep(0)
        assert revocations._listeners
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert revocations._listeners == {}


async def test_listens_no_longer_after_the_end() -> None:
    """A lease that has ended costs nothing, also where its stream goes on for a while."""
    play = stage()
    async with (await principal(play)).lease() as lease:
        revoke(play.server)
        await ended(lease)
        assert play.server._core.state.revocations._listeners == {}


def test_revoked_after_the_loop_has_closed() -> None:
    """A stream whose loop was closed under it hears nothing, and is in nobody's way."""
    play = stage()
    kept: list[Any] = []

    async def abandon() -> None:
        lease = (await principal(play)).lease()
        kept.append(lease)
        await lease.__aenter__()

    asyncio.run(abandon())
    revoke(play.server)
    assert kept[0].reason == "revoked"


# --------------------------------------------------------------------------------------------------- validated again


@pytest.mark.parametrize(
    "request_of",
    [
        lambda token: token,
        lambda token: token.encode(),
        bearer,
        lambda token: {"type": "http", "method": "GET", "headers": [(b"authorization", b"Bearer " + token.encode())]},
        lambda token: SimpleNamespace(
            scope={"headers": [(b"authorization", b"Bearer " + token.encode())], "query_string": b""}
        ),
    ],
    ids=["text", "bytes", "parts", "scope", "request"],
)
async def test_validated_again(request_of: Any) -> None:
    """With its request, the token is validated again when the time has come, and a no ends the lease."""
    play = stage(cache_ttl=0.5)
    async with (await principal(play)).lease(request_of(TOKEN), recheck=5) as lease:
        play.time.advance(4.9)
        await asyncio.sleep(0)
        assert play.origin.count("introspect") == 1
        play.origin.replies["introspect"] = says_no()
        play.time.advance(0.2)
        assert await ended(lease) == "inactive"


async def test_goes_on_after_a_yes() -> None:
    """A yes renews the lease, with what it says: the token may live longer than was said at first."""
    play = stage(cache_ttl=0.5)
    async with (await principal(play)).lease(TOKEN, recheck=5) as lease:
        play.origin.replies["introspect"] = says_yes(sub="alice", exp=int(NOW) + 3 * LIFETIME)
        for _ in range(2):
            play.time.advance(LIFETIME - 1)
            await look(lease)
            assert lease.reason is None
        play.time.advance(LIFETIME + 2)
        assert await ended(lease) == "expired"
    assert play.origin.count("introspect") == 3


async def test_usual_interval() -> None:
    """Where nobody says how often, it is as often as a token in use is asked about; never more than once a second."""
    for ttl, seconds in ((7.0, 7.0), (0.0, 1.0)):
        mine = await principal(stage(cache_ttl=ttl))
        assert mine.lease(TOKEN)._term.recheck == seconds
        assert mine.lease()._term.recheck == math.inf


async def test_renewed_by_another_principal() -> None:
    """A test that acts as a principal meanwhile is believed, here as everywhere, and the lease keeps what it knew."""
    play = stage(cache_ttl=0.5)
    async with (await principal(play)).lease(TOKEN, recheck=5) as lease:
        play.time.advance(5)
        with principal_override(play.server, scopes="read write"):
            await look(lease)
        assert lease.reason is None
        revoke(play.server)
        assert await ended(lease) == "revoked"


async def test_narrowed() -> None:
    """A token that grants less than it did ends its stream: what the route requires may be among what is gone."""
    play = stage(cache_ttl=0.5)
    async with (await principal(play)).lease(TOKEN, recheck=5) as lease:
        play.origin.replies["introspect"] = says_yes(sub="alice", scope="read")
        play.time.advance(5)
        assert await ended(lease) == "insufficient_scope"


@pytest.mark.parametrize("status", [401, 503])
async def test_outage(status: int) -> None:
    """In an outage a lease lasts as long as a new request would be let in: what is remembered still counts."""
    play = stage(cache_ttl=60, unavailable_status=status)
    async with (await principal(play)).lease(TOKEN, recheck=20) as lease:
        play.origin.replies["introspect"] = says(503)
        play.time.advance(40)
        await look(lease)
        assert lease.reason is None
        play.time.advance(25)
        assert await ended(lease) == "unavailable"


async def test_outage_that_is_bridged() -> None:
    """Where the server may serve stale answers, so may a lease."""
    play = stage(cache_ttl=10, stale_if_error=1000)
    async with (await principal(play)).lease(TOKEN, recheck=20) as lease:
        play.origin.replies["introspect"] = says(503)
        play.time.advance(20)
        await look(lease)
        assert lease.reason is None


async def test_left_while_it_asks() -> None:
    """A stream that is left while its token is validated waits for nothing; the lease had not ended."""
    play = stage(cache_ttl=0.5)
    gate = Gate(says_no())
    async with (await principal(play)).lease(TOKEN, recheck=5) as lease:
        play.origin.replies["introspect"] = gate
        play.time.advance(5)
        await asyncio.wait_for(gate.arrived(), PATIENCE)
    assert lease.reason is None
    gate.open()


async def test_validated_once_at_a_time() -> None:
    """While an answer is awaited no other validation begins, however often the time is looked at."""
    play = stage(cache_ttl=0.5)
    gate = Gate(says_no())
    async with (await principal(play)).lease(TOKEN, recheck=5) as lease:
        play.origin.replies["introspect"] = gate
        play.time.advance(5)
        await asyncio.wait_for(gate.arrived(), PATIENCE)
        asking = lease._asking
        for _ in range(3):
            lease._look()
        assert lease._asking is asking
    gate.open()


async def test_a_mistake_of_ours_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where validation fails in a way that nobody has foreseen, the lease ends: not to know is not a yes."""
    play, loop, told = stage(), asyncio.get_running_loop(), list[dict[str, Any]]()
    usual = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with (await principal(play)).lease(TOKEN, recheck=5) as lease:

        async def fail(*_: Any) -> Any:
            raise ZeroDivisionError

        monkeypatch.setattr(ResourceServer, "revalidate", fail)
        play.time.advance(5)
        assert await ended(lease) == "unavailable"
    gc.collect()
    loop.set_exception_handler(usual)
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


async def test_requests_without_a_token() -> None:
    """A request that cannot be validated again is a mistake in the application, and said at once."""
    mine = await principal(stage())
    for wrong, words in ((RequestParts("GET", []), "no access token"), (7, "not int"), ({"type": "x"}, "not dict")):
        with pytest.raises(ConfigurationError, match=words):
            mine.lease(wrong)
    two = RequestParts("GET", [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")])
    with pytest.raises(InvalidRequest):
        mine.lease(two)


@pytest.mark.parametrize("recheck", [0, -1, math.inf, math.nan])
async def test_intervals_that_are_none(recheck: float) -> None:
    """An interval is a number of seconds, and needs a request to validate."""
    mine = await principal(stage())
    for request, seconds in ((TOKEN, recheck), (None, 5.0)):
        with pytest.raises(ConfigurationError, match="recheck"):
            mine.lease(request, recheck=seconds)


# ------------------------------------------------------------------------------------------------------------- items


async def test_over_ends_with_the_lease() -> None:
    """Items are passed on until the lease ends, and none after that, though the source has more."""
    play = stage()
    seen: list[int] = []
    async with (await principal(play)).lease() as lease:
        async for number in lease.over(counting()):
            seen.append(number)
            if number == 5:
                revoke(play.server)
    assert seen == [0, 1, 2, 3, 4, 5]


async def test_over_cuts_a_silence_short() -> None:
    """A source that says nothing is not waited for: it is cut short at the end of the lease, and closed."""
    play = stage()
    source = Silence()
    seen: list[str] = []

    async def stream() -> None:
        async with (await principal(play)).lease() as lease:
            seen.extend([item async for item in lease.over(source.items())])

    streaming = asyncio.create_task(stream())
    await asyncio.wait_for(source.waiting.wait(), PATIENCE)
    revoke(play.server)
    await asyncio.wait_for(streaming, PATIENCE)
    assert (seen, source.cancelled, source.closed) == (["first"], True, True)


async def test_over_ends_with_its_source() -> None:
    """A source that ends by itself ends the iteration, and the lease lasts."""

    async def two() -> AsyncIterator[int]:
        yield 1
        yield 2

    play = stage()
    async with (await principal(play)).lease() as lease:
        assert [item async for item in lease.over(two())] == [1, 2]
        assert lease.reason is None


async def test_over_a_source_that_is_no_generator() -> None:
    """Whatever can be iterated asynchronously can be a source."""

    class Source:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> Source:
            return self

        async def __anext__(self) -> int:
            self.left -= 1
            if self.left < 0:
                raise StopAsyncIteration
            return self.left

    play = stage()
    async with (await principal(play)).lease() as lease:
        assert [item async for item in lease.over(Source())] == [1, 0]


async def test_over_passes_errors_on() -> None:
    """What a source raises is its own affair, a time-out of its own included."""

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise TimeoutError("the source's own")

    play = stage()
    seen: list[int] = []
    async with (await principal(play)).lease() as lease:
        with pytest.raises(TimeoutError, match="the source's own"):
            seen.extend([item async for item in lease.over(failing())])
        assert lease.reason is None


async def test_over_drops_what_comes_too_late() -> None:
    """An item that arrives when the token has ended goes nowhere, though the lease was not looked at in between."""
    play = stage()

    async def late() -> AsyncIterator[int]:
        yield 1
        play.time.advance(LIFETIME)
        yield 2

    async with (await principal(play)).lease() as lease:
        assert [item async for item in lease.over(late())] == [1]


async def test_over_runs_the_source_in_one_task() -> None:
    """A source may hold a time-out or a task group open between two items: all its steps run in the same task."""

    async def careful() -> AsyncIterator[int]:
        async with asyncio.timeout(PATIENCE):
            yield 1
            await asyncio.sleep(0)
            yield 2

    play = stage()
    async with (await principal(play)).lease() as lease:
        assert [item async for item in lease.over(careful())] == [1, 2]


async def test_cancelled_from_outside() -> None:
    """A stream whose client goes away is cancelled as ever, and leaves nothing behind."""
    play = stage()
    source = Silence()

    async def stream() -> None:
        async with (await principal(play)).lease() as lease:
            async for _ in lease.over(source.items()):
                pass

    streaming = asyncio.create_task(stream())
    await asyncio.wait_for(source.waiting.wait(), PATIENCE)
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming
    assert source.closed
    assert play.server._core.state.revocations._listeners == {}


async def test_abandoned() -> None:
    """A stream that nobody finishes and nobody holds is cleaned away, and its lease with it."""
    play = stage()
    mine = await principal(play)

    async def stream() -> AsyncIterator[int]:
        async with mine.lease() as lease:
            async for number in lease.over(counting()):
                yield number

    abandoned = stream()
    assert await anext(abandoned) == 0
    gone = weakref.ref(abandoned)
    del abandoned
    gc.collect()
    for _ in range(100):
        await asyncio.sleep(0)  # the loop closes it, in several steps
    assert gone() is None
    assert play.server._core.state.revocations._listeners == {}


async def test_not_entered() -> None:
    """A lease that nobody has entered is watched by nobody, which is a mistake in the application."""
    lease = (await principal(stage())).lease()
    with pytest.raises(RuntimeError, match="async with"):
        await lease.ended()
    with pytest.raises(RuntimeError, match="async with"):
        await anext(lease.over(counting()))


# ---------------------------------------------------------------------------------------------------------- in threads


class Threads:
    """A server for threads, whose authorization server says what it is told to."""

    def __init__(self, **changes: Any) -> None:
        """Begin with nothing known."""
        self.time = Time()
        self.members = active_members(sub="alice", iat=int(NOW) - 60)
        transport: Any = httpx.MockTransport(lambda _: httpx.Response(200, json=self.members))
        self.server = BlockingResourceServer(transport=transport, clock=self.time.clock, **options(**changes))
        self.principal = self.server.authenticate(bearer(TOKEN))


def test_plain_items() -> None:
    """Without an event loop, the end is noticed when the next item has come."""
    play = Threads()
    seen: list[int] = []
    with play.server, play.principal.lease() as lease:
        for number in lease.over(range(10)):
            seen.append(number)
            if number == 3:
                revoke(play.server)
    assert (seen, lease.reason) == ([0, 1, 2, 3], "revoked")


def test_plain_items_validated_again() -> None:
    """In a thread the token is validated again between two items, when the time has come."""
    play = Threads(cache_ttl=0.5)
    seen: list[int] = []

    def source() -> Iterator[int]:
        for number in range(10):
            yield number
            play.time.advance(3)
            if number == 4:
                play.members = {"active": False}

    with play.server, play.principal.lease(TOKEN, recheck=5) as lease:
        seen.extend(lease.over(source()))
    assert (seen, lease.reason) == ([0, 1, 2, 3, 4, 5], "inactive")


def test_left_in_a_thread() -> None:
    """A lease that was left validates nothing any more."""
    play = Threads(cache_ttl=0.5)
    with play.server, play.principal.lease(TOKEN, recheck=5) as lease:
        pass
    play.members = {"active": False}
    play.time.advance(10)
    assert list(lease.over(range(3))) == [0, 1, 2]


async def test_a_server_of_threads_in_an_event_loop() -> None:
    """A server that blocks is asked in a thread, so that the other streams of the loop go on."""
    play = Threads(cache_ttl=0.5)
    loop_thread = threading.get_ident()
    threads: list[int] = []
    play.server._core.reports.observer = lambda _: threads.append(threading.get_ident())
    async with play.principal.lease(TOKEN, recheck=5) as lease:
        play.members = {"active": False}
        play.time.advance(5)
        assert await ended(lease) == "inactive"
    await asyncio.to_thread(play.server.close)
    assert threads
    assert loop_thread not in threads


async def test_a_server_of_an_event_loop_in_threads() -> None:
    """A server that needs its loop cannot be asked from a thread: said at once, and plain leases work."""
    mine = await principal(stage())
    with pytest.raises(TypeError, match="async with"), mine.lease(TOKEN):
        pass
    with mine.lease() as lease:
        assert list(lease.over([1, 2])) == [1, 2]


async def test_polled_by_threads() -> None:
    """A lease that its loop watches can be looked at from threads, and passes their items on."""
    play = stage()
    async with (await principal(play)).lease(TOKEN) as lease:
        assert await asyncio.to_thread(list, lease.over([1, 2])) == [1, 2]
        await asyncio.to_thread(revoke, play.server)
        assert await asyncio.to_thread(list, lease.over([1, 2])) == []


# ---------------------------------------------------------------------------------------------------- the principal


async def test_principal_without_a_server() -> None:
    """A principal that was made by hand, or copied, leases until its token expires."""
    far = Principal(subject="alice", expires_at=time.time() + 1000)
    async with far.lease(TOKEN, recheck=5) as lease:
        assert (lease.reason, lease._term.recheck) == (None, math.inf)
        assert await lease._term.validate_in_loop() is None
        assert lease._term.validate() is None
    async with Principal(expires_at=time.time() + 0.02).lease() as lease:
        assert await ended(lease) == "expired"
    with Principal().lease() as lease:
        assert list(lease.over([1, 2])) == [1, 2]


async def test_overridden_principal() -> None:
    """The principal that a test acts as has a lease like any other."""
    play = stage()
    with principal_override(play.server, expires_in=60):
        acting = await play.server.authenticate(RequestParts("GET", []))
    assert acting.lease(RequestParts("GET", [])).reason in {None, "expired"}


@pytest.mark.attack("A-C-11")
async def test_the_tie_is_no_part_of_the_principal() -> None:
    """What a principal needs for its lease is not compared, shown, copied, pickled or written as JSON."""
    play = stage()
    mine = await principal(play)
    by_hand = dataclasses.replace(mine)
    assert tie_of(mine) is not None
    for other in (by_hand, copy.copy(mine), copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):  # noqa: S301 - ours
        assert other == mine
        assert tie_of(other) is None
    assert hash(by_hand) == hash(mine)
    assert repr(by_hand) == repr(mine)
    assert dataclasses.asdict(mine) == dataclasses.asdict(by_hand)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        setattr(mine, "_tie", None)  # noqa: B010 - by its name, which is not among the declared ones


async def test_every_rung_is_tied() -> None:
    """A principal by signature alone has a lease as one by introspection has."""
    play = Stage({"strategy": "jwks"}, jwks=publishes(signing_key()))
    mine = await principal(play, access_token())
    assert mine.assurance is Assurance.LOCAL
    async with mine.lease() as lease:
        revoke(play.server, "jti", mine.token_id or "")
        assert await ended(lease) == "revoked"


@pytest.mark.attack("A-S-1")
async def test_no_token_is_shown() -> None:
    """A lease that holds a token shows none of it, and nothing of whose it is."""
    lease = (await principal(stage())).lease(TOKEN)
    for shown in (repr(lease), repr(vars(lease)), repr(vars(lease._term))):
        assert "canary" not in shown.replace(SECRET, "")
    assert repr(lease) == "Lease(reason=None)"


async def test_term_without_a_token() -> None:
    """A lease without a request has nothing to validate but what is known."""
    term = (await principal(stage())).lease()._term
    assert (term.validate(), await term.validate_in_loop()) == (None, None)
