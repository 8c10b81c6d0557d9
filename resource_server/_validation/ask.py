"""Ask an endpoint politely: past its breaker, and again where that can help and there is time.

The waits double and are drawn at random between nothing and that ("full jitter"), so that a fleet does not return in
step. All of them together, with what lies between them, end at the flow's deadline.

References: RFC 9110 section 10.2.3
"""

from __future__ import annotations

from http import HTTPStatus

from resource_server._protocol.answers import retry_after
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._validation.breaker import GONE, HANGS, ODD
from resource_server._validation.flow import Flow, send, sleep
from resource_server._validation.state import IssuerState

FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0
"""Seconds: the most to wait before the second attempt, and before any."""
_OVERLOADED = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_LOST = frozenset({"connect", "connection_lost", "protocol", "transport"})


def ask(state: IssuerState, request: HTTPRequest) -> Flow[HTTPResponse | Unavailable]:
    """Send a request until it is answered, it makes no sense to repeat it, or there is no time left.

    Args:
        state: the issuer, whose breakers are asked and told.
        request: a question that may be repeated, as all of ours may.
    """
    outcome: HTTPResponse | Unavailable | None = None
    for attempt in range(1 + state.policy.retries):
        closed_for = state.breaker(request.endpoint).enter(state.clock.monotonic())
        if closed_for is not None:
            return Unavailable("circuit_open", closed_for) if outcome is None else outcome
        outcome = yield from _send(state, request)
        wait = _wait(state, outcome, attempt)
        if wait is None or attempt == state.policy.retries or not (yield from sleep(wait)):
            return outcome
    raise AssertionError("unreachable")  # pragma: no cover - the last attempt returns


def _send(state: IssuerState, request: HTTPRequest) -> Flow[HTTPResponse | Unavailable]:
    breaker = state.breaker(request.endpoint)
    outcome: HTTPResponse | Unavailable | None = None
    try:
        outcome = yield from send(request)
    finally:
        if outcome is None:
            breaker.leave()  # nobody waits for it any more
    now = state.clock.monotonic()
    if isinstance(outcome, Unavailable):
        if outcome.fault == "crowd":
            breaker.leave()
        else:
            breaker.fail(outcome.cause, _weight(outcome), now)
    elif outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR or outcome.status == HTTPStatus.TOO_MANY_REQUESTS:
        weight = GONE if outcome.status in _OVERLOADED else ODD
        breaker.fail(f"status_{outcome.status}", weight, now, retry_after(outcome, state.clock.wall()))
    else:
        breaker.succeed(now)
    return outcome


def _weight(failure: Unavailable) -> int:
    if failure.cause == "timeout":
        return HANGS
    return GONE if failure.cause in _LOST else ODD


def _wait(state: IssuerState, outcome: HTTPResponse | Unavailable, attempt: int) -> float | None:
    """Return the seconds to wait before asking again, or ``None`` where that would not help."""
    jittered: float = state.clock.chance() * min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    if isinstance(outcome, Unavailable):
        return jittered if outcome.cause in _LOST or outcome.cause == "timeout" else None
    if outcome.status not in _OVERLOADED and outcome.status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    asked_for = retry_after(outcome, state.clock.wall())
    return jittered if asked_for is None else asked_for + jittered
