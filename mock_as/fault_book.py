"""When the authorization server misbehaves: the rules that tests set."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mock_as.errors import UsageError, unknown
from mock_as.faults import ACTIONS, NETWORK, Scene
from mock_as.journal import ENDPOINTS
from mock_as.latches import Latch
from mock_as.messages import Answer, encode_json

MATCHABLE = ("client_id", "kid", "method", "sub", "token")
"""What a rule can ask of a request."""

_STATUSES = range(200, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What a rule can know about a request."""

    endpoint: str
    method: str
    client_id: str | None
    token: str | None
    sub: object
    kid: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to happen to which requests."""

    endpoint: str
    action: str | None = None
    argument: str | None = None
    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    match: Mapping[str, Any] = field(default_factory=dict[str, Any])
    times: int | None = None

    def only_for(self, **facts: str) -> Plan:
        """Return the plan with other facts to look for."""
        return replace(self, match={**self.match, **facts})

    @property
    def name(self) -> str:
        """The action, as the journal has it."""
        if self.action is None:
            return "custom"
        return self.action if self.argument is None else f"{self.action}({self.argument})"

    def concerns(self, incoming: Incoming) -> bool:
        """Tell whether a request is one that the plan is about."""
        wanted = self.endpoint in (incoming.endpoint, "*")
        return wanted and all(getattr(incoming, name) == fact for name, fact in self.match.items())


class Fault:
    """A plan, and how far it has been carried out.

    Args:
        fault_id: its name in the control plane.
        plan: what to do.
    """

    def __init__(self, fault_id: str, plan: Plan) -> None:
        self.id = fault_id
        self.plan = plan
        self.applied = 0
        self.latch = Latch()
        """Holds the connections that the fault leaves hanging."""

    @property
    def network_error(self) -> str | None:
        """The exception of httpx that the fault is, if it is the connection that fails."""
        return NETWORK.get(self.plan.action or "")

    @property
    def exhausted(self) -> bool:
        """Whether it has happened as often as it was to."""
        return self.plan.times is not None and self.applied >= self.plan.times

    @property
    def left(self) -> bool:
        """Whether something that it was told to do has not happened."""
        return not self.exhausted if self.plan.times is not None else self.applied == 0

    def spoil(self, answer: Answer, issuer: str, now: float) -> Answer:
        """Return what is sent in the place of the honest answer.

        Args:
            answer: the honest one.
            issuer: the URL of the issuer.
            now: the time, in seconds since the epoch.
        """
        plan = self.plan
        if plan.action is not None:
            answer = ACTIONS[plan.action].spoil(answer, Scene(issuer, now, plan.argument or ""))
        return replace(
            answer.with_headers(plan.headers),
            status=answer.status if plan.status is None else plan.status,
            body=answer.body if plan.body is None else plan.body,
        )

    def release(self) -> None:
        """Let the connections go on that the fault has left hanging; the next ones hang again."""
        held, self.latch = self.latch, Latch()
        held.open()

    def describe(self) -> dict[str, Any]:
        """Return what the control plane shows."""
        plan = self.plan
        left = None if plan.times is None else plan.times - self.applied
        match, headers = dict(plan.match), dict(plan.headers)
        if "token" in match:
            match["token"] = "***"  # noqa: S105 - in place of one
        facts = {"id": self.id, "endpoint": plan.endpoint, "action": plan.name, "status": plan.status}
        return {**facts, "headers": headers, "match": match, "applied": self.applied, "left": left}

    def __repr__(self) -> str:
        happened = f"{self.applied}" if self.plan.times is None else f"{self.applied} of {self.plan.times}"
        return f"Fault({self.plan.endpoint!r}, {self.plan.name!r}, applied={happened})"


class FaultBook:
    """The faults that are set, in the order in which they were: the first that concerns a request happens to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def __bool__(self) -> bool:
        return bool(self._faults)

    def set(self, plan: Plan) -> Fault:
        """Set a fault.

        Args:
            plan: what is to happen.
        """
        with self._lock:
            fault = Fault(f"fault-{next(self._numbers)}", plan)
            self._faults.append(fault)
            return fault

    def take(self, incoming: Incoming) -> Fault | None:
        """Return the fault that happens to a request, and count it."""
        with self._lock:
            for fault in self._faults:
                if not fault.exhausted and fault.plan.concerns(incoming):
                    fault.applied += 1
                    return fault
        return None

    def remove(self, fault_id: str) -> bool:
        """Take a fault back, and release what it holds.

        Args:
            fault_id: its name.

        Returns:
            Whether there was one.
        """
        with self._lock:
            gone = [fault for fault in self._faults if fault.id == fault_id]
            self._faults = [fault for fault in self._faults if fault.id != fault_id]
        for fault in gone:
            fault.release()
        return bool(gone)

    def clear(self) -> None:
        """Take every fault back, and release what they hold."""
        with self._lock:
            gone, self._faults = self._faults, []
        for fault in gone:
            fault.release()

    def reset(self) -> None:
        """Take every fault back, and count anew."""
        self.clear()
        self._numbers = itertools.count(1)


# ------------------------------------------------------------------------------------------------- reading a plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a test wants to happen; :meth:`mock_as.issuer.Issuer.fault` says what each part means."""

    endpoint: str
    action: str | int | None = None
    status: int | None = None
    retry_after: float | str | None = None
    times: int | None = None
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
    action, status = wish.action, wish.status
    if action is None and status is None and wish.body is None and not fields:
        raise UsageError("action", "say what is to happen: an action, a status, headers or a body")
    if status is not None and (action == "status" or (action is None and wish.body is None)):
        # An answer with a status of its own has a body of its own as well.
        action, status = status, None
    name, argument = (None, None) if action is None else _parse_action(wish.endpoint, action)
    return Plan(
        endpoint=wish.endpoint,
        action=name,
        argument=argument,
        status=status,
        body=_as_bytes(wish.body),
        headers=fields,
        match=wish.match,
        times=wish.times,
    )


def _as_text(retry_after: float | str) -> str:
    return retry_after if isinstance(retry_after, str) else f"{retry_after:.15g}"


def _as_bytes(body: str | bytes | Mapping[str, Any] | None) -> bytes | None:
    if isinstance(body, Mapping):
        return encode_json(body)
    # Half a character has bytes as well, if not ones that a reader would accept.
    return body.encode(errors="surrogatepass") if isinstance(body, str) else body


def _judge(wish: Wish) -> None:
    if wish.endpoint not in {"*", *ENDPOINTS}:
        raise unknown("endpoint", wish.endpoint, {"*", *ENDPOINTS})
    if wish.status is not None and wish.status not in _STATUSES:
        raise UsageError("status", f"{wish.status} is not a status from 200 to 599")
    if wish.times is not None and wish.times < 1:
        raise UsageError("times", f"{wish.times} is not a number of times; leave it out for always")
    for name in wish.match:
        if name not in MATCHABLE:
            raise unknown("match", name, MATCHABLE)


_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def _judge_headers(fields: Mapping[str, str]) -> None:
    """Refuse what is no header field: a server would choke on it, which is none of the faults.

    References: RFC 9110 section 5
    """
    for name, value in fields.items():
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise UsageError("headers", f"{name!r}: {value!r} is not a header field")


_CALL = re.compile(r"(?P<name>\w+)(?:\((?P<argument>.*)\))?")


def _parse_action(endpoint: str, action: str | int) -> tuple[str, str | None]:
    """Read an action, such as ``timeout``, ``503``, ``status(503)`` or ``redirect(https://example.com/)``."""
    text = f"status({action})" if str(action).isdigit() else str(action)
    found = _CALL.fullmatch(text)
    name = found["name"] if found else text
    argument = found["argument"] if found else None
    if name not in ACTIONS and name not in NETWORK:
        raise unknown("action", name, [*ACTIONS, *NETWORK])
    if name in ACTIONS and not (ENDPOINTS if endpoint == "*" else {endpoint}) <= ACTIONS[name].endpoints:
        raise UsageError("action", f"{name!r} is for {', '.join(sorted(ACTIONS[name].endpoints))}, not for {endpoint}")
    _judge_argument(name, argument)
    return name, argument


def _judge_argument(name: str, argument: str | None) -> None:
    if name == "status" and (argument or "") not in {str(status) for status in _STATUSES}:
        raise UsageError("action", f"status({argument or ''}) is not a status from 200 to 599")
    if name == "redirect":
        _judge_headers({"location": argument or ""})
    elif name != "status" and argument is not None:
        raise UsageError("action", f"{name!r} takes no argument")
