"""What happens, told to an observer: an outage, a configuration fault and a bad token are three different events.

No event holds a token, a secret or personal data. A token is named by a fingerprint: some hex digits of a digest that
is keyed with a secret of this process, so that log lines about one token can be joined and nothing else can be learnt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused for what it brought: no token, a bad one, or one that grants too little."""

    status: int
    error: str | None
    reason: Reason | None
    fingerprint: str | None
    issuer: str


@dataclass(frozen=True, slots=True)
class RequestUnverifiable:
    """A request was refused because its token could not be verified: not the caller's doing."""

    status: int
    fingerprint: str | None
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
    | AuthorizationServerUnavailable
    | ConfigurationFault
    | ConfigurationReloaded
    | StoreUnavailable
    | StoreAvailable
    | RevocationFeedUnavailable
    | RevocationFeedAvailable
    | RevocationsForgotten
    | UnprotectedRoutes
)
Observer = Callable[[Event], None]
"""Called with every event, where that happens, in whatever thread: it must be quick. What it raises is reported and
goes no further."""


class LoggingObserver:
    """Write events to the logger ``resource_server``.

    Configuration faults are errors and outages warnings, each at most once in ``repeat_after`` for one issuer,
    endpoint and cause. Refusals are DEBUG: whoever sends bad tokens does not decide how much is logged.

    Args:
        repeat_after: seconds for which the same fault is not logged again.
        monotonic: the clock that measures them.
    """

    def __init__(self, repeat_after: float = 60.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start having logged nothing."""
        self._logger = logging.getLogger("resource_server")
        self._repeat_after = repeat_after
        self._monotonic = monotonic
        self._logged: dict[tuple[str, ...], float] = {}

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if isinstance(event, ConfigurationFault):
            if self._is_news(event.issuer, event.endpoint, event.cause):
                self._logger.error(
                    "configuration_fault endpoint=%s cause=%s issuer=%s", event.endpoint, event.cause, event.issuer
                )
        elif isinstance(event, AuthorizationServerUnavailable):
            if self._is_news(event.issuer, event.endpoint, event.cause):
                self._logger.warning(
                    "authorization_server_unavailable endpoint=%s cause=%s retry_after=%s issuer=%s",
                    event.endpoint, event.cause, event.retry_after, event.issuer,
                )  # fmt: skip
        elif isinstance(event, StoreUnavailable):
            if self._is_news(event.issuer, "store", event.cause):
                self._logger.warning("store_unavailable cause=%s issuer=%s", event.cause, event.issuer)
        elif isinstance(event, RevocationFeedUnavailable):
            if self._is_news(event.issuer, "revocations", event.cause):
                self._logger.warning("revocation_feed_unavailable cause=%s issuer=%s", event.cause, event.issuer)
        else:
            self._write_what_is_told_once(event)

    def _write_what_is_told_once(self, event: Event) -> None:
        if isinstance(event, RevocationsForgotten):
            self._logger.error("revocations_forgotten issuer=%s", event.issuer)
        elif isinstance(event, ConfigurationReloaded):
            self._logger.info(
                "configuration_reloaded changed=%s at_a_restart=%s issuer=%s",
                ",".join(event.changed), ",".join(event.at_a_restart), event.issuer,
            )  # fmt: skip
        elif isinstance(event, UnprotectedRoutes):
            self._logger.info("unprotected_routes routes=%s issuer=%s", ", ".join(event.routes), event.issuer)
        else:
            self._logger.debug("%s", event)

    def _is_news(self, *fault: str) -> bool:
        now = self._monotonic()
        if now < self._logged.get(fault, -self._repeat_after) + self._repeat_after:
            return False
        self._logged[fault] = now
        return True
