"""Ask an endpoint politely: past its breaker, and again where that can help and there is time.

The waits double and are drawn at random between nothing and that ("full jitter"), so that a fleet does not return in
step. All of them together, with what lies between them, end at the flow's deadline.

References: RFC 9110 section 10.2.3, RFC 6585 section 4
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from resource_server._protocol.answers import clock_skew, retry_after
from resource_server._protocol.client_auth import ClientProof, authenticated
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._validation.breaker import GONE, HANGS, LIMIT, ODD
from resource_server._validation.flow import Flow, send, sleep
from resource_server._validation.state import Asked, IssuerState

FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0
"""Seconds: the most to wait before the second attempt, and before any."""
_OVERLOADED = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_LOST = frozenset({"connect", "connection_lost", "protocol", "transport"})


def ask(
    state: IssuerState, request: HTTPRequest, prove: Callable[[], ClientProof] | None = None
) -> Flow[HTTPResponse | Unavailable]:
    """Send a request until it is answered, it makes no sense to repeat it, or there is no time left.

    Args:
        state: the issuer, whose breakers are asked and told.
        request: a question that may be repeated, as all of ours may.
        prove: shows who we are, anew with each attempt: an assertion is good for one (RFC 7523 section 3).
    """
    outcome: HTTPResponse | Unavailable | None = None
    attempt = 0
    while True:
        asked_at = state.clock.monotonic()
        closed_for = state.breaker(request.endpoint).enter(asked_at)
        if closed_for is not None:
            return Unavailable("circuit_open", closed_for) if outcome is None else outcome
        outcome = yield from _send(state, request, asked_at, prove)
        wait = _wait(state, outcome, attempt)
        if wait is None or attempt == state.policy.retries or not (yield from sleep(wait)):
            return outcome
        attempt += 1


def _send(
    state: IssuerState, request: HTTPRequest, asked_at: float, prove: Callable[[], ClientProof] | None
) -> Flow[HTTPResponse | Unavailable]:
    breaker, place = state.breaker(request.endpoint), object()
    state.in_flight.add(place)
    try:
        outcome = yield from send(request if prove is None else authenticated(request, prove()))
    except GeneratorExit:
        breaker.leave(asked_at)  # nobody waits for it any more
        raise
    finally:
        state.in_flight.discard(place)
    if isinstance(outcome, Unavailable) and outcome.fault == "crowd":
        breaker.leave(asked_at)
        return outcome
    now = state.clock.monotonic()
    _tell(state, request, outcome, now - asked_at)
    cause, weight, pause = _judge(state, outcome, now - asked_at)
    if weight is None:
        breaker.leave(asked_at)
    elif weight == 0:
        breaker.succeed(now)
    else:
        # Keys and metadata are asked for with one question always: it can be nobody's doing but the server's.
        # What shows who we are is no part of a question: an assertion is another one each time.
        question = hash(request.body) if request.body else None
        breaker.fail(cause, weight, now, asked_at=asked_at, pause=pause, question=question)
    return outcome


def _tell(state: IssuerState, request: HTTPRequest, outcome: HTTPResponse | Unavailable, took: float) -> None:
    skew = None if isinstance(outcome, Unavailable) else clock_skew(outcome, state.clock.wall())
    state.clock_skew = state.clock_skew if skew is None else skew
    state.on_asked(Asked(request, outcome, took, skew))


def _judge(
    state: IssuerState, outcome: HTTPResponse | Unavailable, took: float
) -> tuple[str, int | None, float | None]:
    """Return what happened, how much that weighs as a failure, and the pause that was asked for.

    An answer weighs nothing; ``None`` is for what says nothing about the other side.
    """
    if isinstance(outcome, Unavailable):
        return outcome.cause, _weight(state, outcome.cause, took), None
    cause = f"status_{outcome.status}"
    if outcome.status in _OVERLOADED:
        return cause, GONE, retry_after(outcome, state.clock.wall())
    return cause, ODD if outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR else 0, None


def _weight(state: IssuerState, cause: str, took: float) -> int | None:
    if cause in _LOST:
        return GONE
    retries, timeout = state.policy.retries, state.policy.timeout
    if cause != "timeout":
        return ODD
    if took < timeout / 4:
        return None  # it came of our own haste: when an outage ends, a crowd is left with the end of its deadlines
    return HANGS if retries else LIMIT


def _wait(state: IssuerState, outcome: HTTPResponse | Unavailable, attempt: int) -> float | None:
    """Return the seconds to wait before asking again, or ``None`` where that would not help, or not soon."""
    jittered: float = state.clock.chance() * min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    if isinstance(outcome, Unavailable):
        return jittered if outcome.cause in _LOST or outcome.cause == "timeout" else None
    if outcome.status not in _OVERLOADED:
        return None
    asked_for = retry_after(outcome, state.clock.wall()) or 0.0
    return asked_for + jittered if asked_for <= LONGEST_WAIT else None
