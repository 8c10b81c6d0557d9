"""What must hold for every answer: judged last, over all that was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from resource_server.conformance.clause import Outcome, clause, judged
from resource_server.conformance.stand import SUBJECT, Exchange, Stand
from resource_server.conformance.wire import NO_ANSWER, TOO_LATE

_FIRST = 3
"""How many of the answers that are wrong are shown."""
_QUOTED = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
_SCOPE = _QUOTED
_TRACES = (b"Traceback (most recent call last)", b'File "/', b"    at ", b"Exception:", b"node_modules")
_CRASH = 500


def _all(stand: Stand, expected: str, wrong: Callable[[Exchange], str]) -> Outcome:
    """Judge all answers by what is wrong with each: those that were given, and one more of each kind."""
    stand.ask()
    stand.ask(stand.token(active=False))
    if "write" in stand.target.routes:
        stand.ask(stand.token(), "write")
    found = [f"{one.method} {one.path} {one.answer.status}: {text}" for one in stand.exchanges if (text := wrong(one))]
    told = "; ".join(found[:_FIRST]) + (f" and {len(found) - _FIRST} more" if len(found) > _FIRST else "")
    return judged(met=not found, expected=expected, observed=told or f"so in {len(stand.exchanges)} answers")


def _unreadable(one: Exchange) -> str:
    try:
        one.answer.challenges  # noqa: B018 - reading is the test
    except ValueError as error:
        return f"{one.answer.value('www-authenticate')!r}: {error}"
    return ""


def _params(one: Exchange) -> Iterable[tuple[str, str]]:
    if _unreadable(one):
        return ()
    return [pair for found in one.answer.challenges for pair in found.params.items()]


@clause("9110-11.6.1-a", "RFC 9110 section 11.6.1", "critical", "MUST", "Every 401 has a challenge")
def every_401_has_a_challenge(stand: Stand) -> Outcome:
    """Look at all 401."""
    return _all(
        stand,
        "WWW-Authenticate in every 401",
        lambda one: "no challenge" if one.answer.status == 401 and not one.answer.values("www-authenticate") else "",  # noqa: PLR2004
    )


@clause("9110-11.6.1-b", "RFC 9110 section 11.6.1", "high", "MUST", "Every challenge can be read")
def challenges_can_be_read(stand: Stand) -> Outcome:
    """Parse all of them."""
    return _all(stand, "the grammar of RFC 9110", _unreadable)


@clause("9110-11.2-a", "RFC 9110 section 11.2", "high", "MUST", "No parameter stands twice in a challenge")
def parameters_stand_once(stand: Stand) -> Outcome:
    """Look for repeated names."""

    def wrong(one: Exchange) -> str:
        return "" if _unreadable(one) else ", ".join(name for found in one.answer.challenges for name in found.repeated)

    return _all(stand, "each name once", wrong)


@clause("9110-11.5-a", "RFC 9110 section 11.5", "low", "MUST", "A realm is quoted")
def realm_is_quoted(stand: Stand) -> Outcome:
    """Look for a realm without quotation marks."""

    def wrong(one: Exchange) -> str:
        bare = not _unreadable(one) and any("realm" in found.unquoted for found in one.answer.challenges)
        return "a bare realm" if bare else ""

    return _all(stand, "a quoted-string", wrong)


@clause("6750-3-d", "RFC 6750 section 3", "medium", "MUST", "Parameters have the characters that they may have")
def characters(stand: Stand) -> Outcome:
    """Look at the errors, their descriptions, and the scopes."""
    names = {"error", "error_description", "scope"}

    def wrong(one: Exchange) -> str:
        return ", ".join(name for name, value in _params(one) if name in names and not set(value) <= _QUOTED)

    return _all(stand, "printable ASCII without quotation mark and backslash", wrong)


@clause("field-no-crash", "RFC 9110 section 15.6.1", "high", "practice", "Nothing that a client sends makes a 5xx")
def no_crash(stand: Stand) -> Outcome:
    """Look for 5xx, of which a 503 is right in an outage, and for connections that ended without an answer."""

    def wrong(one: Exchange) -> str:
        status = one.answer.status
        if one.outage:
            return "a crash" if status == _CRASH else ""
        silent = status == NO_ANSWER and one.answer.fault != TOO_LATE
        return one.answer.text if silent or status >= _CRASH else ""

    return _all(stand, "no 5xx while the authorization server is well, and no 500 ever", wrong)


@clause("9700-4.9-a", "RFC 6750 section 5.3", "critical", "MUST", "No answer repeats a token or a secret")
def secrets_are_not_repeated(stand: Stand) -> Outcome:
    """Look for tokens and the client secret in fields and bodies."""

    def wrong(one: Exchange) -> str:
        said = "\n".join(value for _, value in one.answer.fields).encode("latin-1", "replace") + one.answer.body
        return "a secret" if any(secret.encode() in said for secret in one.secrets if secret) else ""

    return _all(stand, "neither tokens nor the client secret", wrong)


@clause("7662-5-a", "RFC 7662 section 5", "high", "MUST", "No refusal tells what is known of the person")
def persons_are_not_told_of(stand: Stand) -> Outcome:
    """Look for the subject in refusals."""

    def wrong(one: Exchange) -> str:
        said = one.answer.text.encode("latin-1", "replace") + one.answer.body
        return "the subject" if one.answer.status >= 400 and SUBJECT.encode() in said else ""  # noqa: PLR2004

    return _all(stand, "no subject in a refusal", wrong)


@clause("9457-5-a", "RFC 9457 section 5", "high", "practice", "No answer shows what is inside")
def no_traces(stand: Stand) -> Outcome:
    """Look for stack traces in refusals."""

    def wrong(one: Exchange) -> str:
        return "a stack trace" if any(trace in one.answer.body for trace in _TRACES) else ""

    return _all(stand, "no stack trace", wrong)


@clause("6750-5.3-a", "RFC 6750 section 5.3", "medium", "MUST", "No token is put into a cookie")
def no_cookies(stand: Stand) -> Outcome:
    """Look for Set-Cookie in refusals."""
    return _all(
        stand,
        "no Set-Cookie in a refusal",
        lambda one: "a cookie" if one.answer.status in {401, 403} and one.answer.values("set-cookie") else "",
    )


CLAUSES = (
    every_401_has_a_challenge,
    challenges_can_be_read,
    parameters_stand_once,
    realm_is_quoted,
    characters,
    no_crash,
    secrets_are_not_repeated,
    persons_are_not_told_of,
    no_traces,
    no_cookies,
)
