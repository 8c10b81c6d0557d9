"""What the observer is told, and what ``health`` remembers of it."""

from __future__ import annotations

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.urls import address_of
from resource_server._runtime.observe import notify
from resource_server._validation.state import Asked, Clock
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server.errors import BearerTokenError, EventRefusal, TooManyTokens, VerificationUnavailable
from resource_server.events import (
    AuthorizationServerAsked,
    AuthorizationServerUnavailable,
    ConfigurationFault,
    Event,
    LoggingObserver,
    Observer,
    RequestRefused,
    RequestUnverifiable,
    RevocationFeedAvailable,
    RevocationFeedUnavailable,
    RevocationHeard,
    RevocationsForgotten,
    SecurityEventReceived,
    StoreAvailable,
    StoreUnavailable,
    TokenValidated,
)
from resource_server.health import Faults

_FINGERPRINT_BYTES = 6


class Reports:
    """Turns what happens into events.

    Args:
        issuer: the authorization server that they are about.
        observer: called with every event; by default they are logged.
        clock: what time it is.
    """

    def __init__(self, issuer: str, observer: Observer | None, clock: Clock) -> None:
        """Start with nothing seen."""
        self.issuer = issuer
        self.faults = Faults()
        self.observer: Observer = observer or LoggingObserver()
        self._clock = clock

    def begin_anew(self, issuer: str) -> None:
        """Forget the faults of an issuer, for another one."""
        self.issuer, self.faults = issuer, Faults()

    def tell(self, event: Event) -> None:
        """Tell the observer."""
        notify(self.observer, event)

    def fault(self, endpoint: str, fault: Unavailable) -> None:
        """Tell that an endpoint gave no answer that can be relied on."""
        self.faults.note(endpoint, fault, self._clock.monotonic())
        if fault.fault == "configuration":
            self.tell(ConfigurationFault(endpoint, fault.cause, self.issuer))
        else:
            self.tell(AuthorizationServerUnavailable(endpoint, fault.cause, fault.retry_after, self.issuer))

    def refusal(self, error: BearerTokenError | VerificationUnavailable, key: bytes | None) -> None:
        """Tell that a request is refused, and whether that is its caller's doing."""
        fingerprint, told = None if key is None else _fingerprint(key), error.correlation_id
        if isinstance(error, TooManyTokens):
            self.tell(RequestRefused(error.status, None, "rate_limited", fingerprint, self.issuer, told))
        elif isinstance(error, VerificationUnavailable) or error.reason == "unavailable":
            self.tell(RequestUnverifiable(error.status, fingerprint, self.issuer, told))
        else:
            self.tell(RequestRefused(error.status, error.error, error.reason, fingerprint, self.issuer, told))

    def validated(self, key: bytes, verdict: Verdict, seconds: float) -> None:
        """Tell what was found out about a token."""
        self.tell(_validated(_fingerprint(key), verdict, seconds, self.issuer))

    def store(self, cause: str | None) -> None:
        """Tell that the store has ceased to answer, and why, or with ``None`` that it answers again."""
        self.tell(StoreAvailable(self.issuer) if cause is None else StoreUnavailable(cause, self.issuer))

    def feed(self, cause: str | None) -> None:
        """Tell that revocations are not heard any more, and why, or with ``None`` that they are again."""
        event = RevocationFeedAvailable(self.issuer)
        self.tell(event if cause is None else RevocationFeedUnavailable(cause, self.issuer))

    def asked(self, asked: Asked) -> None:
        """Tell of a question to the authorization server."""
        request, outcome = asked.request, asked.outcome
        status, cause = (None, outcome.cause) if isinstance(outcome, Unavailable) else (outcome.status, None)
        where = (request.endpoint, request.method, *address_of(request.url))
        self.tell(AuthorizationServerAsked(*where, status, cause, asked.seconds, asked.clock_skew, self.issuer))

    def heard(self, lag: float) -> None:
        """Tell that another worker has told of a revocation, which was under way for so many seconds."""
        self.tell(RevocationHeard(lag, self.issuer))

    def forgotten(self) -> None:
        """Tell that there are more revocations than can be remembered."""
        self.tell(RevocationsForgotten(self.issuer))

    def received(self, refusal: EventRefusal | None, news: int) -> None:
        """Tell what came of a security event or a logout token."""
        self.tell(SecurityEventReceived(refusal, news, self.issuer))


def _fingerprint(key: bytes) -> str:
    return key[:_FINGERPRINT_BYTES].hex()


def _validated(fingerprint: str, verdict: Verdict, seconds: float, issuer: str) -> TokenValidated:
    if isinstance(verdict, Active):
        assurance = verdict.principal.assurance
        return TokenValidated(fingerprint, "active", assurance, None, seconds, issuer, verdict.source)
    if isinstance(verdict, Inactive):
        return TokenValidated(fingerprint, "inactive", None, verdict.reason, seconds, issuer, verdict.source)
    return TokenValidated(fingerprint, "unavailable", None, verdict.cause, seconds, issuer)
