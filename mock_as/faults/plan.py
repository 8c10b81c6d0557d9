"""What is to go wrong, to which requests, and how often: read from what a test asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mock_as.errors import UsageError, unknown
from mock_as.faults import ACTIONS, TLS
from mock_as.journal import ENDPOINTS, EVERYWHERE
from mock_as.messages import encode_json

MATCHABLE = ("client_id", "header", "kid", "method", "sub", "token")
"""What a rule can ask of a request."""
HONEST = "honest"
"""The step of a sequence at which nothing goes wrong."""

_STATUSES = range(200, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What a rule can know about a request."""

    endpoint: str
    method: str
    client_id: str | None = None
    token: str | None = None
    sub: object = None
    kid: object = None
    header: Mapping[str, str] = field(default_factory=dict[str, str])
    over_socket: bool = False

    def has(self, name: str, fact: Any) -> bool:  # noqa: ANN401 - as the facts of a request are
        """Tell whether something is so of the request.

        Args:
            name: one of :data:`MATCHABLE`.
            fact: what it is to be; for ``header`` the values by name, ``None`` for a field that is to be missing.
        """
        if name == "header":
            return all(self.header.get(key) == value for key, value in fact.items())
        return bool(getattr(self, name) == fact)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one request."""

    action: str | None
    """One of :data:`mock_as.faults.ACTIONS`; ``None`` where only status, header fields or body are other ones."""
    argument: str = ""

    @property
    def name(self) -> str:
        """The action, as the journal has it."""
        if self.action is None:
            return "custom"
        return f"{self.action}({self.argument})" if self.argument else self.action


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to happen to which requests."""

    endpoint: str
    steps: tuple[Step | None, ...]
    """What happens to one request after the other; ``None`` where nothing does."""
    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    match: Mapping[str, Any] = field(default_factory=dict[str, Any])
    times: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0

    def only_for(self, **facts: str) -> Plan:
        """Return the plan with other facts to look for."""
        return replace(self, match={**self.match, **facts})

    @property
    def name(self) -> str:
        """The actions, as the control plane shows them."""
        return ", ".join(HONEST if step is None else step.name for step in self.steps)

    @property
    def limit(self) -> int | None:
        """To how many requests it happens; a sequence is gone through once unless something else was asked for."""
        if len(self.steps) == 1:
            return self.times
        return len(self.steps) * (self.times or 1)

    def step(self, number: int) -> Step | None:
        """Return what happens at one of the times, counted from 0."""
        return self.steps[number % len(self.steps)]

    def concerns(self, incoming: Incoming) -> bool:
        """Tell whether a request is one that the plan is about."""
        wanted = self.endpoint in (incoming.endpoint, "*")
        return wanted and all(incoming.has(name, fact) for name, fact in self.match.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a test wants to happen; :meth:`mock_as.MockAS.fault` says what each part means."""

    endpoint: str
    action: str | int | None = None
    status: int | None = None
    retry_after: float | str | None = None
    times: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0
    sequence: Sequence[str | int | None] | None = None
    seconds: float | None = None
    body: str | bytes | Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    match: Mapping[str, Any] = field(default_factory=dict[str, Any])


def make_plan(wish: Wish) -> Plan:
    """Turn a wish into a plan.

    Args:
        wish: what a test wants to happen.

    Raises:
        UsageError: something is not one of what there is.
    """
    fields = {} if wish.retry_after is None else {"retry-after": _as_text(wish.retry_after)}
    fields |= {name.lower(): value for name, value in (wish.headers or {}).items()}
    _judge(wish)
    _judge_headers(fields)
    steps, status = _steps(wish, has_fields=bool(fields))
    plan = Plan(
        endpoint=wish.endpoint,
        steps=steps,
        status=status,
        body=_as_bytes(wish.body),
        headers=fields,
        match=_match(wish.match),
        times=wish.times,
        after=wish.after,
        every=wish.every,
        probability=wish.probability,
    )
    if plan.match and any(step is not None and step.action in TLS for step in steps):
        raise UsageError("match", "a handshake comes before any request: nothing is known that could match")
    return plan


def _as_text(retry_after: float | str) -> str:
    return retry_after if isinstance(retry_after, str) else f"{retry_after:.15g}"


def _as_bytes(body: str | bytes | Mapping[str, Any] | None) -> bytes | None:
    if isinstance(body, Mapping):
        return encode_json(body)
    # Half a character has bytes as well, if not ones that a reader would accept.
    return body.encode(errors="surrogatepass") if isinstance(body, str) else body


# ------------------------------------------------------------------------------------------- how often, and to whom


def _judge(wish: Wish) -> None:
    if wish.endpoint not in EVERYWHERE:
        raise unknown("endpoint", wish.endpoint, EVERYWHERE)
    if wish.status is not None and wish.status not in _STATUSES:
        raise UsageError("status", f"{wish.status} is not a status from 200 to 599")
    if wish.times is not None:
        _judge_count("times", wish.times, 1, "leave it out for always")
    _judge_count("after", wish.after, 0, "it is how many requests are left alone before")
    _judge_count("every", wish.every, 1, "3 is for every third request")
    if not _is_number(wish.probability) or not 0 < wish.probability <= 1:
        raise UsageError("probability", f"{wish.probability!r} is not more than 0 and at most 1")


def _judge_count(name: str, value: object, least: int, hint: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(name, f"{value!r} is not a number of times; {hint}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _match(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is asked of a request; in Python it may be said in ``match``, as it is over HTTP, or by itself."""
    nested = facts.get("match")
    if isinstance(nested, Mapping):
        facts = {**{name: fact for name, fact in facts.items() if name != "match"}, **nested}
    for name in facts:
        if name not in MATCHABLE:
            raise unknown("match", name, MATCHABLE)
    found = {name: fact for name, fact in facts.items() if fact is not None}
    if "header" in found:
        fields = found["header"]
        if not isinstance(fields, Mapping) or not fields:
            raise UsageError("match", "header takes the values of header fields by their names")
        found["header"] = {str(name).lower(): value for name, value in fields.items()}
    return found


_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def _judge_headers(fields: Mapping[str, str]) -> None:
    """Refuse what is no header field: a server would choke on it, which is none of the faults.

    References: RFC 9110 section 5
    """
    for name, value in fields.items():
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise UsageError("headers", f"{name!r}: {value!r} is not a header field")


# ------------------------------------------------------------------------------------------------------ what happens


def _steps(wish: Wish, *, has_fields: bool) -> tuple[tuple[Step | None, ...], int | None]:
    """Return what happens to one request after the other, and the status in the place of the one that each has."""
    if wish.sequence is not None:
        return _sequence(wish), wish.status
    action, status = wish.action, wish.status
    if action is None and status is None and wish.body is None and not has_fields:
        raise UsageError("action", "say what is to happen: an action, a status, headers or a body")
    if status is not None and (action == "status" or (action is None and wish.body is None)):
        # An answer with a status of its own has a body of its own as well.
        action, status = status, None
    if action is None and wish.seconds is not None:
        raise UsageError("seconds", "say of which action")
    return (Step(None) if action is None else _step(wish.endpoint, action, wish.seconds),), status


def _sequence(wish: Wish) -> tuple[Step | None, ...]:
    sequence = wish.sequence
    if wish.action is not None:
        raise UsageError("sequence", "there is an action as well: say one of them")
    if isinstance(sequence, str) or not sequence:
        raise UsageError("sequence", f"{sequence!r} is not a list of actions; {HONEST!r} stands for no fault")
    return tuple(
        None if action in (None, HONEST) else _step(wish.endpoint, action or "", wish.seconds) for action in sequence
    )


_CALL = re.compile(r"(?P<name>\w+)(?:\((?P<argument>.*)\))?")


def _step(endpoint: str, action: str | int, seconds: float | None) -> Step:
    """Read an action, such as ``timeout``, ``503``, ``status(503)`` or ``redirect(https://example.com/)``."""
    text = f"status({action})" if str(action).isdigit() else str(action)
    found = _CALL.fullmatch(text)
    name = found["name"] if found else text
    if (endpoint, name) == ("jwks", "empty"):
        # What is empty there is first of all the set; closed connections have other names.
        name = "empty_set"
    if name not in ACTIONS:
        raise unknown("action", name, ACTIONS)
    if not (ENDPOINTS if endpoint == "*" else {endpoint}) <= ACTIONS[name].endpoints:
        raise UsageError("action", f"{name!r} is for {', '.join(sorted(ACTIONS[name].endpoints))}, not for {endpoint}")
    return Step(name, _argument(name, found["argument"] if found else None, seconds))


def _argument(name: str, given: str | None, seconds: float | None) -> str:
    argument = ACTIONS[name].argument
    if argument is None:
        if given is not None or seconds is not None:
            raise UsageError("action" if given is not None else "seconds", f"{name!r} takes no argument")
        return ""
    if seconds is not None:
        if given is not None or not _is_number(seconds):
            raise UsageError("seconds", f"{seconds!r} is not the one duration of {name!r}")
        given = argument.of(seconds)
    text = argument.default if given is None else given
    argument.judge(name, text or "")
    return text or ""
