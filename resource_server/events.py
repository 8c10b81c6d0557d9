"""What happens, told to an observer: an outage, a configuration fault and a bad token are three different events.

No event holds a token, a secret or personal data. A token is named by a fingerprint: some hex digits of a digest that
is keyed with a secret of this process, so that log lines about one token can be joined and nothing else can be learnt.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache

from resource_server._validation.forks import fork_safe_lock
from resource_server.errors import EventRefusal, Reason
from resource_server.principal import Assurance


@dataclass(frozen=True, slots=True)
class TokenValidated:
    """A token that was not in the cache was found out about."""

    fingerprint: str
    outcome: str
    """``active``, ``inactive`` or ``unavailable``."""
    assurance: Assurance | None
    """Which rung of the ladder answered, where the token is active."""
    reason: str | None
    """Why it is not active, where it is not."""
    seconds: float
    issuer: str
    source: str = "none"
    """Who has told: ``introspection``; ``l2``, the store that all workers share; ``jwks``, its own signature;
    ``stale``, a recent answer that bridges an outage; or ``none``, for nobody was asked, or nobody has answered."""


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused for what it brought: no token, a bad one, or one that grants too little."""

    status: int
    error: str | None
    reason: Reason | None
    fingerprint: str | None
    issuer: str
    correlation_id: str | None = field(default=None, compare=False)
    """What the caller was told of this one refusal, to name it by. It is random, so no two events would be equal."""


@dataclass(frozen=True, slots=True)
class RequestUnverifiable:
    """A request was refused because its token could not be verified: not the caller's doing."""

    status: int
    fingerprint: str | None
    issuer: str
    correlation_id: str | None = field(default=None, compare=False)
    """What the caller was told of this one refusal, to name it by."""


@dataclass(frozen=True, slots=True)
class AuthorizationServerAsked:
    """One question to the authorization server, whatever came of it: told once for each attempt."""

    endpoint: str
    """``introspection``, ``jwks``, ``metadata`` or ``token``."""
    method: str
    address: str
    """Whom the question went to: the host of the URL, without anything else of it."""
    port: int
    status: int | None
    """The answer's, where there was one."""
    cause: str | None
    """Why there was none."""
    seconds: float
    clock_skew: float | None
    """Seconds by which its clock is ahead of ours: the answer's ``Date``, which tells whole seconds, minus our wall
    clock. ``None`` where it does not say."""
    issuer: str


@dataclass(frozen=True, slots=True)
class AuthorizationServerUnavailable:
    """An outage: an endpoint gave no answer that can be relied on. It passes."""

    endpoint: str
    cause: str
    retry_after: float | None
    issuer: str


@dataclass(frozen=True, slots=True)
class ConfigurationFault:
    """An endpoint refuses us or is not what it should be. It stays until somebody mends it."""

    endpoint: str
    cause: str
    issuer: str


@dataclass(frozen=True, slots=True)
class ConfigurationReloaded:
    """The options were read again, and others are in force."""

    changed: tuple[str, ...]
    """The names of the options that took effect; none where only a file of certificates has other content."""
    at_a_restart: tuple[str, ...]
    """The names of those that have changed too, and take effect when the process starts anew."""
    issuer: str


@dataclass(frozen=True, slots=True)
class StoreUnavailable:
    """The store that all workers share does not answer: more is asked of the authorization server meanwhile.

    Told once, until it answers again.
    """

    cause: str
    issuer: str


@dataclass(frozen=True, slots=True)
class StoreAvailable:
    """It answers again."""

    issuer: str


@dataclass(frozen=True, slots=True)
class RevocationFeedUnavailable:
    """Revocations do not reach this worker from the others, or the others from this one. Nothing is lost by it.

    Told once, until they do again.
    """

    cause: str
    issuer: str


@dataclass(frozen=True, slots=True)
class RevocationFeedAvailable:
    """They do again."""

    issuer: str


@dataclass(frozen=True, slots=True)
class RevocationHeard:
    """Another worker has told of a revocation that this one did not know."""

    lag_seconds: float
    """How long it was under way, from the moment that worker learnt of it; by the clocks of both."""
    issuer: str


@dataclass(frozen=True, slots=True)
class RevocationsForgotten:
    """There are more revocations than are remembered; the oldest are not in force any more. Told once."""

    issuer: str


@dataclass(frozen=True, slots=True)
class SecurityEventReceived:
    """The authorization server, or whoever pretends to be it, has told something unasked."""

    error: EventRefusal | None
    """Why it was refused, where it was."""
    revocations: int
    """How many revocations it has brought that were not known."""
    issuer: str


@dataclass(frozen=True, slots=True)
class UnprotectedRoutes:
    """An application starts, and these of its routes let everybody in: for somebody to read, once."""

    routes: tuple[str, ...]
    """Each as ``GET /path``, or as the path alone where every method is meant."""
    issuer: str


Event = (
    TokenValidated
    | SecurityEventReceived
    | RequestRefused
    | RequestUnverifiable
    | AuthorizationServerAsked
    | AuthorizationServerUnavailable
    | ConfigurationFault
    | ConfigurationReloaded
    | StoreUnavailable
    | StoreAvailable
    | RevocationFeedUnavailable
    | RevocationFeedAvailable
    | RevocationHeard
    | RevocationsForgotten
    | UnprotectedRoutes
)
Observer = Callable[[Event], None]
"""Called with every event, where that happens, in whatever thread: it must be quick. What it raises is reported and
goes no further."""


_LEVELS: dict[type[Event], int] = {
    ConfigurationFault: logging.ERROR,
    RevocationsForgotten: logging.ERROR,
    AuthorizationServerUnavailable: logging.WARNING,
    StoreUnavailable: logging.WARNING,
    RevocationFeedUnavailable: logging.WARNING,
    StoreAvailable: logging.INFO,
    RevocationFeedAvailable: logging.INFO,
    ConfigurationReloaded: logging.INFO,
    UnprotectedRoutes: logging.INFO,
}
"""How loud an event is; all others are DEBUG, but for the refusals that stand for many."""
_ONCE = (ConfigurationReloaded, RevocationsForgotten, UnprotectedRoutes)
"""Told once anyway: each of them is written."""
_REMEMBERED = 1024
_PLAIN = re.compile(r"[!#-<>-~]+")
_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
"""What of a record is not for JSON: its own, and the colours that uvicorn puts into a second message."""


class LoggingObserver:
    """Write events to the logger ``resource_server``: the event's name, and its fields as ``name=value``.

    Each record has the fields as attributes too, and the name as ``event``, for formatters that make objects.
    Configuration faults are errors and outages warnings, each at most once in ``repeat_after`` for one issuer,
    endpoint and cause. Of refusals one in ``refusals_every`` is INFO for each status and reason, and says how many were
    not; these are DEBUG: whoever sends bad tokens does not decide how much is logged.

    Args:
        repeat_after: seconds for which the same fault is not logged again.
        refusals_every: seconds for which refusals of the same kind are not logged again, but at DEBUG.
        monotonic: the clock that measures them.
    """

    def __init__(
        self,
        repeat_after: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        refusals_every: float = 10.0,
    ) -> None:
        """Start having logged nothing."""
        self._logger = logging.getLogger("resource_server")
        self._repeat_after = repeat_after
        self._refusals_every = refusals_every
        self._monotonic = monotonic
        self._logged: dict[tuple[str, ...], float] = {}
        self._refused: dict[tuple[int, str | None], tuple[float, int]] = {}
        self._lock = fork_safe_lock()

    def __call__(self, event: Event) -> None:
        """Write one event."""
        level = _LEVELS.get(type(event), logging.DEBUG)
        if isinstance(event, RequestRefused):
            self._write_refusal(event, event.reason)
        elif isinstance(event, RequestUnverifiable):
            self._write_refusal(event, "unavailable")
        elif level == logging.DEBUG or isinstance(event, _ONCE) or self._is_news(event):
            self._write(level, event)

    def _write_refusal(self, event: RequestRefused | RequestUnverifiable, reason: str | None) -> None:
        now, kind = self._monotonic(), (event.status, reason)
        with self._lock:
            last, suppressed = self._refused.get(kind, (-math.inf, 0))
            is_sample = now >= last + self._refusals_every
            self._refused[kind] = (now, 0) if is_sample else (last, suppressed + 1)
        if is_sample:
            self._write(logging.INFO, event, suppressed=suppressed)
        else:
            self._write(logging.DEBUG, event)

    def _is_news(self, event: Event) -> bool:
        fault = (type(event).__name__, event.issuer, getattr(event, "endpoint", ""), getattr(event, "cause", ""))
        now = self._monotonic()
        with self._lock:
            if now < self._logged.get(fault, -math.inf) + self._repeat_after:
                return False
            self._logged.pop(fault, None)
            self._logged[fault] = now  # the last one, so that the first one is the oldest
            if len(self._logged) > _REMEMBERED:
                del self._logged[next(iter(self._logged))]
        return True

    def _write(self, level: int, event: Event, **more: int) -> None:
        if not self._logger.isEnabledFor(level):
            return
        name = _name(type(event).__name__)
        members = {member.name: getattr(event, member.name) for member in fields(event)} | more
        said = {key: value for key, value in members.items() if value is not None}
        template = " ".join([name, *(f"{key}=%s" for key in said)])
        self._logger.log(level, template, *map(_text, said.values()), extra={"event": name, **members})


class JSONFormatter(logging.Formatter):
    """Write each record as one line of JSON: ``time``, ``level``, ``logger``, ``message``, and what else it holds.

    A record of the :class:`LoggingObserver` holds ``event`` and the event's fields.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; a newline, and whatever else no log should hold, is escaped."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD and name not in line
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@cache
def _name(kind: str) -> str:
    """Return an event's name as logs have it: ``RequestRefused`` is ``request_refused``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _text(value: object) -> str:
    """Write a field's value so that nobody takes it for more: neither for another field nor for another line."""
    if isinstance(value, float):
        return str(round(value, 6))
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
