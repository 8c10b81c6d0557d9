"""Who is calling: the one value an application receives for an accepted token.

References: RFC 7662 section 2.2, RFC 9068 section 2.2
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Never, Protocol, Self

from resource_server.errors import ConfigurationError
from resource_server.lease import Lease, UntilExpiry

Claims = Mapping[str, Any]
"""Claims as an application sees them: read-only at every depth."""


def _refuse(*_args: object, **_named: object) -> Never:
    raise TypeError("claims are read-only: many requests may share them")


_REFUSED: Any = _refuse


class FrozenDict(dict[str, Any]):
    """A dictionary that cannot be changed, and can be copied, pickled and written as JSON like any other."""

    __delitem__ = __setitem__ = __ior__ = clear = pop = popitem = setdefault = update = _REFUSED

    def __copy__(self) -> Self:
        """Return itself: what cannot change need not be copied."""
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        """Return itself, for its values cannot change either."""
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        """Pickle as an ordinary dictionary, for the usual way is to fill an empty one."""
        return type(self), (dict(self),)


NO_CLAIMS: Claims = FrozenDict()


class Assurance(StrEnum):
    """How sure the resource server is of a principal, from most to least."""

    INTROSPECTED = "introspected"
    """The authorization server itself said that the token is active."""
    STALE = "stale"
    """It said so a while ago, and could not be asked again (``stale_if_error``)."""
    LOCAL = "local"
    """The signature and the claims are right; a revocation would not have been seen."""

    @property
    def rank(self) -> int:
        """Order the rungs: a higher number is a better-founded yes."""
        return _RANK[self]


_RANK = {Assurance.INTROSPECTED: 2, Assurance.STALE: 1, Assurance.LOCAL: 0}


class Tied(Protocol):
    """The server that made a principal, as far as a lease needs it."""

    def lease(self, principal: Principal, request: object, recheck: float | None, /) -> Lease:
        """Make a lease."""
        ...


class _Rope:
    """The place for the tie. It is no field: what is compared, copied, pickled or shown is the principal alone."""

    __slots__ = ("_tie",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal(_Rope):
    """The party a request acts for. Immutable, so that one value may serve many requests."""

    subject: str | None = None
    """``sub``: the user, or the client itself where it acts for nobody."""
    client_id: str | None = None
    """The OAuth client that presented itself to the authorization server."""
    scopes: frozenset[str] = frozenset()
    """The scope tokens granted."""
    issuer: str | None = None
    """``iss``: the authorization server."""
    audience: tuple[str, ...] = ()
    """``aud``: every resource server the token is meant for."""
    expires_at: float | None = None
    """``exp`` in seconds since the epoch, or ``None`` where the authorization server named none."""
    not_before: float | None = None
    """The earliest moment this token may be used, in seconds since the epoch."""
    token_id: str | None = None
    """``jti``."""
    acr: str | None = None
    """The authentication context class the user went through."""
    auth_time: float | None = None
    """When the user authenticated, in seconds since the epoch."""
    confirmation: Claims | None = field(default=None, hash=False)
    """``cnf``: the key or certificate the token is bound to; ``None`` for a plain bearer token."""
    assurance: Assurance = Assurance.INTROSPECTED
    """Which rung of the ladder answered."""
    claims: Claims = field(default_factory=lambda: NO_CLAIMS, repr=False, hash=False)
    """Every member of the introspection answer or of the JWT; personal data, so not in the ``repr``."""

    @property
    def authorization_details(self) -> tuple[Claims, ...]:
        """``authorization_details`` of RFC 9396: none where they are not what section 2 says."""
        details = self.claims.get("authorization_details", ())
        well_formed = isinstance(details, tuple) and all(
            isinstance(detail, Mapping) and isinstance(detail.get("type"), str) for detail in details
        )
        return details if well_formed else ()

    def lease(self, request: object = None, *, recheck: float | None = None) -> Lease:
        """Make a lease for a stream, which tells when it must end.

        Without a request it ends when the token expires, and when a revocation of it becomes known to this process.
        With one the token is also validated again from time to time, as for a new request: the lease ends when that
        would be refused, an outage that nothing bridges included.

        Args:
            request: the request or the WebSocket that the stream belongs to, its ASGI scope, or the token itself. Only
                the token is kept.
            recheck: seconds between two validations; by default ``cache_ttl``.

        Returns:
            The lease, to be entered with ``async with``, or in a thread with ``with``.

        Raises:
            ConfigurationError: there is no token in the request, or ``recheck`` is no number of seconds.
            InvalidRequest: the request holds more than one token.

        References: RFC 6750 section 5.2
        """
        if recheck is not None and (request is None or not 0 < recheck < math.inf):
            raise ConfigurationError(f"recheck must be a number of seconds, beside a request (got {recheck!r})")
        tie = tie_of(self)
        return Lease(UntilExpiry(self.expires_at)) if tie is None else tie.lease(self, request, recheck)


def bind(principal: Principal, tie: Tied) -> None:
    """Tie a principal to the server that has just made it, before anybody else sees it."""
    object.__setattr__(principal, "_tie", tie)


def tie_of(principal: Principal) -> Tied | None:
    """Return what ties a principal to its server; ``None`` where it was made by hand, copied or unpickled."""
    return getattr(principal, "_tie", None)
