"""What time and numbers show: many at once, tokens that end, revocations, an authorization server that fails."""

from __future__ import annotations

import time
from contextlib import ExitStack

from resource_server.conformance.authorization_server import Token
from resource_server.conformance.clause import Outcome, clause, judged, undecided
from resource_server.conformance.expect import GRANTED, REFUSED, UNAVAILABLE, Expectation
from resource_server.conformance.stand import Stand
from resource_server.conformance.wire import Answer, read_answer

_CROWD = 50
_SLOW = 0.4
_LIFETIME = 3
_MARGIN = 0.5
_LONGEST_WAIT = 15.0
_PATIENT = 8.0
_ENDPOINTS = ("introspect", "jwks", "discovery")


@clause(
    "field-stampede",
    "practice",
    "medium",
    "practice",
    "Fifty at once with one token make one question",
    "introspection",
)
def stampede(stand: Stand) -> Outcome:
    """Ask fifty times at once with one token, while the authorization server is slow."""
    token = stand.token()
    with stand.trouble("introspect", token=token, action="slow", seconds=_SLOW):
        answers = _at_once(stand, token, _CROWD)
    count = stand.asked(token)
    wrong = sum(not GRANTED.met(answer) for answer in answers)
    told = f"{count} questions, {wrong} not let in"
    return judged(met=count == 1 and not wrong, expected="1 question, and all are let in", observed=told)


def _at_once(stand: Stand, token: Token, number: int) -> list[Answer]:
    """Write all requests before the first answer is read."""
    place = stand.target.routes["read"]
    request = stand.connection.written(
        place.method, place.path, [("Authorization", f"Bearer {token.text}")], None, None
    )
    with ExitStack() as stack:
        sockets = [stack.enter_context(stand.connection.open()) for _ in range(number)]
        for connection in sockets:
            connection.sendall(request)
        answers = [read_answer(connection, place.method) for connection in sockets]
    for answer in answers:
        stand.keep(place.method, place.path, answer, token)
    return answers


@clause("7662-4-a", "RFC 7662 section 4", "critical", "MUST", "No answer is remembered beyond the token's end")
def not_beyond_exp(stand: Stand) -> Outcome:
    """Ask with a token that lives for three seconds, before and after its end."""
    token = stand.token(expires_in=_LIFETIME)
    expires = time.monotonic() + _LIFETIME
    if not GRANTED.met(stand.ask(token)):
        return undecided("401 after the token's end", "the token was not let in before it")
    latest = expires + stand.target.leeway_seconds + _MARGIN
    if latest - time.monotonic() > _LONGEST_WAIT:
        return undecided("401 after the token's end", "the leeway is too long to wait for")
    time.sleep(max(0.0, latest - time.monotonic()))
    return REFUSED.of(stand.ask(token))


@clause(
    "7662-4-b",
    "RFC 7662 section 4",
    "critical",
    "MUST",
    "A revoked token is refused within the time that is stated",
    "introspection",
    "cache_seconds",
)
def revoked(stand: Stand) -> Outcome:
    """Revoke a token that is in use, and ask until it is refused."""
    limit = (stand.target.cache_seconds or 0.0) + _MARGIN
    expected = f"a refusal within {limit:g} seconds"
    if limit > _LONGEST_WAIT:
        return undecided(expected, "that is too long to wait for")
    token = stand.token()
    stand.ask(token)
    stand.server.revoke(token)
    started = time.monotonic()
    while GRANTED.met(answer := stand.ask(token)) and time.monotonic() - started < limit:
        time.sleep(0.05)
    return judged(
        met=REFUSED.met(answer), expected=expected, observed=f"{answer.text} after {time.monotonic() - started:.1f} s"
    )


def _unverifiable(stand: Stand) -> Token:
    """Return a good token that nobody can judge in an outage: opaque, or signed with a key that was never fetched."""
    if stand.target.format != "jwt":
        return stand.opaque()
    return stand.jwt(key=stand.server.new_key(stand.target.alg))


def _outage(stand: Stand, expectation: Expectation) -> Outcome:
    token = _unverifiable(stand)
    with stand.trouble(*_ENDPOINTS, status=500):
        return expectation.of(stand.ask(token))


@clause(
    "field-outage-a", "practice", "high", "practice", "An outage of the authorization server is no crash and no grant"
)
def outage(stand: Stand) -> Outcome:
    """Ask with a good token that nobody knows yet while every endpoint fails."""
    return _outage(stand, UNAVAILABLE)


@clause("field-outage-b", "practice", "high", "practice", "An outage does not make clients throw their tokens away")
def outage_is_not_a_bad_token(stand: Stand) -> Outcome:
    """Ask as before: 401 would say that the token is bad."""
    return _outage(stand, Expectation("503", lambda answer: answer.status == 503))  # noqa: PLR2004


@clause("9110-10.2.3-a", "RFC 9110 section 10.2.3", "low", "SHOULD", "A 503 says when to come back", "retry_after")
def retry_after(stand: Stand) -> Outcome:
    """Look for Retry-After in an outage."""
    wanted = Expectation("Retry-After", lambda answer: bool(answer.value("retry-after")))
    return _outage(stand, wanted)


@clause("7662-2.3-c", "practice", "high", "practice", "A good token is let in again as soon as it can be judged")
def outage_is_not_remembered(stand: Stand) -> Outcome:
    """Ask in an outage and after it with the same token."""
    token = _unverifiable(stand)
    with stand.trouble(*_ENDPOINTS, status=500):
        stand.ask(token)
    if stand.settle() is None:
        return undecided("a 2xx status after the outage", "no token at all is let in after it")
    return GRANTED.of(stand.ask(token))


@clause("field-hang", "practice", "high", "practice", "An authorization server that hangs does not hang us")
def hang(stand: Stand) -> Outcome:
    """Ask while no endpoint answers."""
    token = _unverifiable(stand)
    with stand.trouble(*_ENDPOINTS, action="hang"):
        answer = stand.ask(token, timeout=_PATIENT)
    met = answer.status != 0 and not GRANTED.met(answer)
    return judged(
        met=met,
        expected=f"a refusal within {_PATIENT:g} seconds",
        observed=f"{answer.text} after {answer.seconds:.1f} s",
    )


@clause("field-recovery", "practice", "high", "practice", "After an outage all is well, without a restart")
def recovery(stand: Stand) -> Outcome:
    """Let connections be reset, and wait until a new token is let in."""
    token = _unverifiable(stand)
    with stand.trouble(*_ENDPOINTS, action="reset"):
        for _ in range(3):
            stand.ask(token)
    waited = stand.waited
    met = stand.settle() is not None
    told = f"after {waited:.1f} s" if met else "not in 15 s"
    return judged(met=met, expected="new tokens are let in within 15 s", observed=told)


CLAUSES = (
    stampede,
    not_beyond_exp,
    revoked,
    outage,
    outage_is_not_a_bad_token,
    retry_after,
    outage_is_not_remembered,
    hang,
    recovery,
)
