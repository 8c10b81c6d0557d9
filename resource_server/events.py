"""What happens, told to an observer: an outage, a configuration fault and a bad token are three different events.

No event holds a token, a secret or personal data. A token is named by a fingerprint: some hex digits of a digest that
is keyed with a secret of this process, so that log lines about one token can be joined and nothing else can be learnt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from resource_server.errors import Reason
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


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused for what it brought: no token, a bad one, or one that grants too little."""

    status: int
    error: str | None
    reason: Reason | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class RequestUnverifiable:
    """A request was refused because its token could not be verified: not the caller's doing."""

    status: int
    fingerprint: str | None


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


Event = TokenValidated | RequestRefused | RequestUnverifiable | AuthorizationServerUnavailable | ConfigurationFault
Observer = Callable[[Event], None]
"""Called with every event, on the event loop: it must be quick. What it raises is reported and goes no further."""


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
        else:
            self._logger.debug("%s", event)

    def _is_news(self, *fault: str) -> bool:
        now = self._monotonic()
        if now < self._logged.get(fault, -self._repeat_after) + self._repeat_after:
            return False
        self._logged[fault] = now
        return True
