"""The term of a lease: what the server that made a principal knows of its token from then on.

References: RFC 6750 section 5.2
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, cast

from resource_server._protocol.bearer import Credential, extract_credential
from resource_server._protocol.claims import judge_time
from resource_server._protocol.messages import RequestParts
from resource_server._validation.revocations import places_of
from resource_server._validation.state import Host, IssuerState
from resource_server._validation.verdict import Active
from resource_server.errors import BearerTokenError, ConfigurationError, Reason, VerificationUnavailable
from resource_server.lease import Lease, LeaseEnd
from resource_server.principal import Claims, Principal, tie_of

MIN_RECHECK = 1.0
"""Seconds between two validations at least, where nobody has said how many."""


class Tie(NamedTuple):
    """What ties a principal to the server that made it; without the token, which nobody keeps."""

    state: IssuerState
    name: str
    asked_at: float
    own: Claims | None

    def verdict(self, principal: Principal) -> Active:
        """Return the verdict that the principal was made of."""
        return Active(principal, asked_at=self.asked_at, name=self.name, own=self.own)

    def lease(self, principal: Principal, request: object, recheck: float | None) -> Lease:
        """Make a lease; see :meth:`resource_server.Principal.lease`."""
        host = self.state.host
        if request is None or host is None:
            return Lease(Grant(self, principal))
        every = max(self.state.policy.cache_ttl, MIN_RECHECK) if recheck is None else recheck
        return Lease(Renewable(self, principal, host, _credential(request, host), every))


class Grant:
    """A term that lasts until the token expires or is revoked.

    Args:
        tie: what is known of the principal's token.
        principal: whom it stands for.
    """

    recheck = math.inf
    blocks = False

    def __init__(self, tie: Tie, principal: Principal) -> None:
        """Begin with the verdict of the request."""
        self._state = tie.state
        self._verdict = tie.verdict(principal)

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._state.clock.monotonic()

    def left(self) -> float:
        """Return the seconds until the token expires."""
        expires_at = self._verdict.principal.expires_at
        return math.inf if expires_at is None else expires_at + self._state.policy.leeway - self._state.clock.wall()

    def judge(self) -> LeaseEnd | None:
        """Judge the token by what is known here."""
        if self._state.revocations.condemns(self._verdict):
            return "revoked"
        return judge_time(self._verdict.principal, self._state.clock.wall(), self._state.policy.leeway)

    def listen(self, listener: Callable[[], None], /) -> Callable[[], None]:
        """Call a function after each revocation of what names the token."""
        named = {(kind, value) for kind, value in places_of(self._verdict) if isinstance(value, str)}
        return self._state.revocations.listen(listener, *named)

    def validate(self) -> LeaseEnd | None:
        """Judge by what is known here: there is no token to validate."""
        return self.judge()

    async def validate_in_loop(self) -> LeaseEnd | None:
        """Judge by what is known here, as above."""
        return self.judge()


class Renewable(Grant):
    """A term that also lasts only for as long as a new request with the token would be let in.

    Args:
        tie: what is known of the principal's token.
        principal: whom it stands for.
        host: the server that judges requests.
        credential: the token as it was presented.
        recheck: seconds between two validations.
    """

    def __init__(self, tie: Tie, principal: Principal, host: Host, credential: Credential, recheck: float) -> None:
        """Begin with the verdict of the request."""
        super().__init__(tie, principal)
        self.recheck = recheck
        self.blocks = not iscoroutinefunction(host.revalidate)
        self._host = host
        self._credential = credential

    def validate(self) -> LeaseEnd | None:
        """Judge the token anew; what it is bound to was shown with the request."""
        try:
            fresh = cast("Principal", self._host.revalidate(self._credential))
        except (BearerTokenError, VerificationUnavailable) as error:
            return _reason(error)
        return self._renew(fresh)

    async def validate_in_loop(self) -> LeaseEnd | None:
        """Judge the token anew; what it is bound to was shown with the request."""
        try:
            fresh = cast("Principal", await cast("Any", self._host.revalidate(self._credential)))
        except (BearerTokenError, VerificationUnavailable) as error:
            return _reason(error)
        return self._renew(fresh)

    def _renew(self, fresh: Principal) -> LeaseEnd | None:
        if not self._verdict.principal.scopes <= fresh.scopes:
            return "insufficient_scope"
        self._verdict = cast("Tie", tie_of(fresh)).verdict(fresh)  # who has been let in for a token has one
        return self.judge()


def _reason(error: BearerTokenError | VerificationUnavailable) -> Reason:
    found = None if isinstance(error, VerificationUnavailable) else error.reason
    return found or "unavailable"


def _credential(request: object, host: Host) -> Credential:
    if isinstance(request, str | bytes):
        return Credential("bearer", request.encode("latin-1") if isinstance(request, str) else request)
    credential = extract_credential(_parts(request), host.token_methods)
    if credential is None:
        raise ConfigurationError("lease(request): there is no access token in its headers; give the token itself")
    return credential


def _parts(request: object) -> RequestParts:
    """Read a request, a WebSocket, or the ASGI scope of either."""
    if isinstance(request, RequestParts):
        return request
    scope = request if isinstance(request, Mapping) else getattr(request, "scope", None)
    if not isinstance(scope, Mapping) or "headers" not in scope:
        message = f"lease(request) takes a request, a WebSocket, an ASGI scope or a token, not {type(request).__name__}"
        raise ConfigurationError(message)
    return RequestParts(scope.get("method", "GET"), scope["headers"], scope.get("query_string", b""))
