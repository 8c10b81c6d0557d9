"""What becomes of a call is judged once: what went wrong has a name and a weight, and is told when it is news."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from redis import exceptions

from resource_server._validation.flow import Recalled
from resource_server.stores.guard import SETTLED, Answer, Guard
from tests.support.play import Time


def failed(error: BaseException) -> Future[Answer]:
    """Return a call that has failed."""
    future: Future[Answer] = Future()
    future.set_exception(error)
    return future


def answered(answer: Answer = None) -> Future[Answer]:
    """Return a call that was answered."""
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future


FAULTS: list[tuple[BaseException, str, int]] = [
    (exceptions.TimeoutError(), "timeout", 5),
    (exceptions.AuthenticationError(), "authentication", 20),
    (exceptions.AuthenticationWrongNumberOfArgsError(), "authentication", 20),
    (exceptions.NoPermissionError(), "not_permitted", 20),
    (exceptions.BusyLoadingError(), "loading", 10),
    (exceptions.ReadOnlyError(), "read_only", 20),
    (exceptions.OutOfMemoryError(), "out_of_memory", 20),
    (exceptions.ResponseError("OOM command not allowed script: 0123, on @user_script:3"), "out_of_memory", 20),
    (exceptions.ResponseError("READONLY You can't write script: 0123, on @user_script:3"), "read_only", 20),
    (exceptions.ResponseError("WRONGTYPE"), "refused", 20),
    (exceptions.ClusterDownError("down"), "cluster_down", 10),
    (exceptions.RedisClusterException(), "connect", 10),
    (exceptions.ConnectionError(), "connect", 10),
    (ConnectionRefusedError(), "connect", 10),
    (exceptions.InvalidResponse(), "protocol", 20),
    (ValueError("invalid literal"), "protocol", 20),
    (RecursionError(), "protocol", 20),
    (MemoryError(), "protocol", 20),
]


@pytest.mark.parametrize(("error", "cause", "patience"), FAULTS, ids=lambda value: repr(value)[:40])
def test_each_failure_has_a_name_and_a_weight(error: BaseException, cause: str, patience: int) -> None:
    """What hangs is left alone soon, what is gone a little later, and what answers nonsense last."""
    reports, time = list[str | None](), Time()
    guard = Guard(time.clock, reports.append)
    for count in range(patience):
        time.advance(0.001)
        entered_at = guard.enter()
        assert entered_at is not None, count
        assert guard.judge(failed(error), entered_at) is None
        guard.leave(entered_at)
    assert guard.enter() is None
    assert guard.status.last_cause == cause
    assert reports == [cause]


def test_answer_closes_the_breaker() -> None:
    """An answer is returned, and makes good for the failures before it."""
    time = Time()
    guard = Guard(time.clock)
    for _ in range(30):
        time.advance(0.001)
        now = time.monotonic
        assert guard.judge(failed(ConnectionRefusedError()), now) is None
        assert guard.judge(answered(Recalled(b"value", 1.0)), now) == Recalled(b"value", 1.0)
    assert not guard.status.open


def test_no_answer_in_time_is_a_timeout() -> None:
    """A call that has not ended has failed, whatever it will bring."""
    guard = Guard(Time().clock)
    assert guard.judge(Future(), 1_000.0) is None
    assert guard.status.last_cause == "timeout"


def test_cancelled_call_says_nothing() -> None:
    """A call that we gave up ourselves is neither a failure nor an answer."""
    guard, future = Guard(Time().clock), Future[Answer]()
    future.cancel()
    assert guard.judge(future, 1_000.0) is None
    assert guard.status.last_cause is None


def test_probe_is_given_back() -> None:
    """After a while one call goes ahead, and when it is left without an answer the next one does."""
    time = Time()
    guard = Guard(time.clock)
    while (entered_at := guard.enter()) is not None:
        guard.judge(failed(ConnectionRefusedError()), entered_at)
        guard.leave(entered_at)
    time.advance(1.0)
    probe = guard.enter()
    assert probe is not None
    assert guard.enter() is None
    guard.leave(probe)
    assert guard.enter() is not None


def test_changes_are_told_once() -> None:
    """What has ceased to answer is told once, and again when it answers."""
    reports, time = list[str | None](), Time()
    guard = Guard(time.clock, reports.append)
    for future in (answered(), failed(OSError()), failed(exceptions.TimeoutError()), answered(), answered()):
        guard.judge(future, time.monotonic)
        time.advance(SETTLED)
    assert reports == ["connect", None]


def test_what_comes_and_goes_is_one_change() -> None:
    """A store that answers one call and fails the next is told to be out once, and to be back when that has ended."""
    reports, time = list[str | None](), Time()
    guard = Guard(time.clock, reports.append)
    for _ in range(100):
        guard.judge(failed(exceptions.OutOfMemoryError()), time.monotonic)
        guard.judge(answered(), time.monotonic)
        time.advance(SETTLED / 2)
    assert reports == ["out_of_memory"]
    time.advance(SETTLED / 2)
    guard.judge(answered(), time.monotonic)
    assert reports == ["out_of_memory", None]
