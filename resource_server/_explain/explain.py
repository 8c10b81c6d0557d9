"""From a pasted response to an explanation: whose rules it follows, what its code or status means, what is wrong."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

from resource_server._explain import codes, statuses, strangers
from resource_server._explain.answer import Answer
from resource_server._explain.challenges import TOKEN_SCHEMES, read_challenges
from resource_server._explain.remarks import Found, remarks
from resource_server._explain.secrecy import redactor
from resource_server._explain.words import Action, Advice, Explanation
from resource_server._protocol.challenge import CHALLENGE_HEADER, Challenge
from resource_server._protocol.grammar import is_scope_token

_FAILED = 400
_UNAUTHORIZED = 401
_REFUSED = (_UNAUTHORIZED, 403)
_LISTS = ("scope", "acr_values", "algs")
_TEXTS = ("realm", "error_description", "error_uri", "resource_metadata", "as_uri", "authorization_uri")
_ERROR_CODE = re.compile(r"[!#-\[\]-~]{1,64}")
_LONGEST_TEXT = 300
"""Characters of what the server says in its own words."""
_LONGEST_WAIT = 10_000_000
_MOST_BEFORE = 20
"""Responses before the last one that are looked at: no client follows as many redirects."""
Redact = Callable[[str], str]


def explain(answers: Sequence[Answer]) -> Explanation:
    """Say what the last of some responses means, and what its client should do next.

    Args:
        answers: as they came; at least one.

    Returns:
        The explanation, without any secret of the responses or of their requests.
    """
    secrets = {item.sent.secret for item in answers if item.sent is not None} - {""}
    redact = redactor(*secrets)
    answers = answers[-_MOST_BEFORE - 1 :]
    last = answers[-1]
    challenges, faults = read_challenges(last.all(CHALLENGE_HEADER))
    body = _members(last.body)
    found = Found(answers, challenges, _code(body.get("error")))
    chosen = _choose(challenges, last)
    error = _code(chosen.params.get("error")) or _error_of_body(found, last)
    meant = None if error is None else codes.advice_for(error)
    advice = strangers.advice_for(answers, challenges) or meant or _of_status(last, challenges, chosen)
    advice = _with_redirect(_with_metadata(advice, chosen), answers)
    return Explanation(
        last.status,
        _short(last.reason, redact),
        None if error is None else redact(error),
        replace(advice, values=dict(_values(last, chosen, body, redact))),
        (*faults, *remarks(found)),
        tuple(_redirect(answer, redact) for answer in answers[:-1]),
        bool(secrets),
    )


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and _ERROR_CODE.fullmatch(value) else None


def _error_of_body(found: Found, answer: Answer) -> str | None:
    """Take the code of the body where it is one of OAuth's: many bodies have a member ``error`` of another kind."""
    code = found.body_error
    return code if code is not None and answer.status >= _FAILED and codes.advice_for(code) else None


def _members(body: str) -> Mapping[str, Any]:
    """Read a body of JSON; of anything else there are no members."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _choose(challenges: Sequence[Challenge], answer: Answer) -> Challenge:
    """Take the challenge that speaks to this client: of its scheme and with an error, as far as there is one."""
    own = "" if answer.sent is None else answer.sent.scheme

    def rank(item: Challenge) -> tuple[bool, bool, bool]:
        return "error" in item.params, item.scheme == own, item.scheme in TOKEN_SCHEMES

    return max(challenges, key=rank, default=Challenge(""))


def _of_status(answer: Answer, challenges: Sequence[Challenge], chosen: Challenge) -> Advice:
    """Judge by the status, and by whether there is a challenge for an access token."""
    if answer.status not in _REFUSED:
        return statuses.advice_for(answer.status)
    taken = any(item.scheme in TOKEN_SCHEMES for item in challenges)
    if challenges and not taken:
        return statuses.OTHER_CREDENTIALS
    if "error" in chosen.params:
        # A code of the server's own: a 401 says that it is about the token, a 403 that another one is of no use.
        return statuses.NOT_GOOD if answer.status == _UNAUTHORIZED else statuses.advice_for(answer.status)
    sent = answer.sent is not None and answer.sent.scheme in TOKEN_SCHEMES
    if sent and (taken or answer.status == _UNAUTHORIZED):
        return statuses.NOT_SEEN
    return statuses.NO_TOKEN if taken else statuses.advice_for(answer.status)


def _with_metadata(advice: Advice, chosen: Challenge) -> Advice:
    """Where the challenge says who gives out tokens, begin there (RFC 9728 section 5)."""
    if advice.action is not Action.GET_TOKEN or "resource_metadata" not in chosen.params:
        return advice
    step = "Fetch resource_metadata: authorization_servers in it says who gives out tokens for this resource."
    return replace(advice, clauses=(*advice.clauses, "RFC 9728 section 5"), steps=(step, *advice.steps))


def _with_redirect(advice: Advice, answers: Sequence[Answer]) -> Advice:
    """Where a token may have been lost at a redirect to another host, say so first."""
    hosts = {strangers.split(item.first("location")).hostname for item in answers[:-1]} - {None}
    if not hosts or advice.action not in (Action.GET_TOKEN, Action.CHECK_DELIVERY):
        return advice
    step = "A redirect came before: clients drop the Authorization field when the host changes. Ask there directly."
    return replace(advice, steps=(step, *advice.steps))


def _values(answer: Answer, chosen: Challenge, body: Mapping[str, Any], redact: Redact) -> dict[str, Any]:
    params = chosen.params
    values: dict[str, Any] = {"scheme": _short(chosen.scheme, redact)} if chosen.scheme else {}
    values |= {name: _short(params[name], redact) for name in _TEXTS if params.get(name)}
    for name in _LISTS:
        text = params.get(name) or body.get(name)
        if isinstance(text, str) and text.strip():
            values[name] = redact(text).split()
    if (age := params.get("max_age", "")).isascii() and age.isdigit():
        values["max_age"] = int(age[:12])
    # It may look like a token, and the client must have it to the letter.
    if is_scope_token(nonce := answer.first("dpop-nonce")) and not _repeats(nonce, answer):
        values["nonce"] = nonce
    if (claims := _claims(params.get("claims", ""))) is not None:
        values["claims"] = _redacted(claims, redact)
    if (seconds := _seconds(answer)) is not None:
        values["seconds"] = seconds
    if "location" in dict(answer.fields):
        values["location"] = _address(answer.first("location"), redact)
    said = body.get("error_description") or body.get("detail") or body.get("message") or body.get("Message")
    if "error_description" not in values and isinstance(said, str):
        values["error_description"] = _short(said, redact)
    return values


def _claims(text: str) -> dict[str, Any] | None:
    """Read a claims challenge, which is JSON in base64 with either alphabet, padded or not."""
    plain = text.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        document = json.loads(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _redacted(value: Any, redact: Redact) -> Any:  # noqa: ANN401 - JSON
    """Redact the texts of a JSON value, which stays one: what is no text may look like a secret, and is none."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): _redacted(member, redact) for name, member in value.items()}
    return [_redacted(member, redact) for member in value] if isinstance(value, list) else value


def _repeats(nonce: str, answer: Answer) -> bool:
    return answer.sent is not None and bool(answer.sent.secret) and answer.sent.secret in nonce


def _seconds(answer: Answer) -> int | None:
    """Read ``Retry-After``; a date counts from the response's own ``Date``."""
    text = answer.first("retry-after")
    if text.isascii() and text.isdigit():
        return min(int(text[:12]), _LONGEST_WAIT)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(answer.first("date"))
        return min(max(int((until - now).total_seconds()), 0), _LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None


def _redirect(answer: Answer, redact: Redact) -> str:
    location = answer.first("location")
    return f"{answer.status} to {_address(location, redact)}" if location else str(answer.status)


def _address(url: str, redact: Redact) -> str:
    """Show where a URL leads: without its query and without a password."""
    parts = strangers.split(url)
    host = parts.netloc.rpartition("@")[2]
    return _short(f"{parts.scheme}://{host}{parts.path}" if host else parts.path, redact)


def _short(text: str, redact: Redact) -> str:
    shown = redact(text).strip()
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"
