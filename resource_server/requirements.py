"""What a route demands of a principal, and the judgement of one against the other.

References: RFC 6750 section 3, RFC 9396 section 9, RFC 9470 section 3
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypedDict, Unpack, cast, get_args

from resource_server._protocol.authorization_details import Detail, detail
from resource_server._protocol.demand import Demand
from resource_server._protocol.grammar import is_scope_token
from resource_server._protocol.scopes import ScopeRules, Scopes, ScopeStrategy, all_of, any_of
from resource_server.errors import (
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidToken,
)
from resource_server.principal import Assurance, Principal

__all__ = [
    "ANY_TOKEN",
    "EXACT_SCOPES",
    "Demand",
    "Demands",
    "Detail",
    "Requirement",
    "ScopeRules",
    "ScopeStrategy",
    "Scopes",
    "all_of",
    "any_of",
    "authorize",
    "detail",
]

EXACT_SCOPES = ScopeRules()
"""A scope includes itself and nothing else."""


class Demands(TypedDict, total=False):
    """What a route may demand besides scopes, as keywords; :class:`Requirement` says what each means."""

    audience: str | None
    assurance: Assurance
    dpop: Demand | None
    mtls: Demand | None
    acr_values: str | Sequence[str]
    """One name, several with spaces between them, or a list."""
    max_age: int | None
    details: Detail | Sequence[Detail]
    unavailable_status: Literal[401, 503] | None
    hide: bool
    ajax_forbidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Everything one route demands, and how it wants a refusal to look. Combine with ``&``."""

    scopes: Scopes = field(default_factory=Scopes)
    """What the token must grant."""
    audience: str | None = None
    """An audience this route needs beyond the server's own."""
    assurance: Assurance = Assurance.LOCAL
    """The least assurance this route accepts."""
    dpop: Demand | None = None
    """Whether the token must be, may be, or must not be presented with a DPoP proof; ``None`` leaves it to the server's
    setting (RFC 9449)."""
    mtls: Demand | None = None
    """The same for a token that is bound to the client's certificate (RFC 8705)."""
    acr_values: tuple[str, ...] = ()
    """Authentication context classes, of which the user must have gone through one (RFC 9470)."""
    max_age: int | None = None
    """Seconds since the user's authentication, at most (RFC 9470)."""
    details: tuple[Detail, ...] = ()
    """Authorization details the token must have, each of them (RFC 9396)."""
    unavailable_status: int | None = None
    """401 or 503 where the token cannot be verified; ``None`` leaves it to the server's setting."""
    hide: bool = False
    """For a framework's adapter: answer 404 where it would be 403, as what a caller may not touch does not exist."""
    ajax_forbidden: bool = False
    """For an adapter: 403 in place of 401 to ``X-Requested-With: XMLHttpRequest``, which a login page would break."""
    plain: bool = field(init=False, repr=False, compare=False)
    """Nothing is said of an audience, proofs, certificates, the user's authentication and details: computed once, for
    every request asks it."""

    @classmethod
    def of(cls, *scopes: str | Scopes, **demands: Unpack[Demands]) -> Self:
        """Make a requirement from what a route says: scopes, and whatever else it demands.

        Args:
            scopes: scope tokens, all of which are needed, or requirements made with ``all_of`` and ``any_of``.
            demands: the fields of this class; ``acr_values`` may be one text, and ``details`` a single one.

        Raises:
            ConfigurationError: a scope is not a scope token, or another argument has no such value.
        """
        unavailable_status, assurance = demands.get("unavailable_status"), demands.get("assurance", Assurance.LOCAL)
        if unavailable_status not in (None, 401, 503):
            raise ConfigurationError(f"unavailable_status must be 401 or 503 (got {unavailable_status!r})")
        if assurance not in list(Assurance):
            raise ConfigurationError(f"assurance must be one of {', '.join(Assurance)} (got {assurance!r})")
        classes, details = demands.get("acr_values", ()), demands.get("details", ())
        said: dict[str, Any] = {
            **demands,
            "assurance": Assurance(assurance),
            "acr_values": tuple(classes.split() if isinstance(classes, str) else classes),
            "details": (details,) if isinstance(details, Detail) else tuple(details),
        }
        return cls(scopes=all_of(*scopes), **said)

    def __post_init__(self) -> None:
        """Note whether the common case is enough.

        Raises:
            ConfigurationError: a value is none that a token could satisfy, or a challenge could tell.
        """
        self._judge_binding()
        self._judge_authentication()
        special = (self.audience, self.dpop, self.mtls, self.max_age) != (None,) * 4 or self.acr_values or self.details
        object.__setattr__(self, "plain", not special)

    def _judge_binding(self) -> None:
        for name, value in (("dpop", self.dpop), ("mtls", self.mtls)):
            if value is not None and value not in get_args(Demand):
                raise ConfigurationError(f"{name} must be one of {', '.join(get_args(Demand))} (got {value!r})")
        for wanted in cast("tuple[object, ...]", self.details):
            if not isinstance(wanted, Detail):
                raise ConfigurationError(f"details must be made with detail(...) (got {wanted!r})")

    def _judge_authentication(self) -> None:
        """Refuse what cannot be written in a challenge (RFC 9470 section 3)."""
        for value in self.acr_values:
            if not is_scope_token(value):
                raise ConfigurationError(f"acr_values takes names without space, quote or backslash (got {value!r})")
        age = cast("object", self.max_age)
        if age is not None and (not isinstance(age, int) or isinstance(age, bool) or age < 0):
            raise ConfigurationError(f"max_age must be a whole number of seconds, 0 or more (got {age!r})")

    def __and__(self, other: Requirement) -> Requirement:
        """Demand both; where they contradict each other the stricter one holds, or else the later.

        Raises:
            ConfigurationError: no token could satisfy both.
        """
        if self.audience is not None and other.audience not in (None, self.audience):
            message = f"one route demands two audiences, {self.audience!r} and {other.audience!r}"
            raise ConfigurationError(message)
        ages = [age for age in (self.max_age, other.max_age) if age is not None]
        return Requirement(
            scopes=self.scopes & other.scopes,
            audience=self.audience or other.audience,
            assurance=max(self.assurance, other.assurance, key=lambda assurance: assurance.rank),
            dpop=_both_demands("dpop", self.dpop, other.dpop),
            mtls=_both_demands("mtls", self.mtls, other.mtls),
            acr_values=_common_classes(self.acr_values, other.acr_values),
            max_age=min(ages, default=None),
            details=tuple(dict.fromkeys(self.details + other.details)),
            unavailable_status=other.unavailable_status or self.unavailable_status,
            hide=self.hide or other.hide,
            ajax_forbidden=self.ajax_forbidden or other.ajax_forbidden,
        )


ANY_TOKEN = Requirement()
"""A valid token, and nothing more."""


def authorize(
    principal: Principal,
    requirement: Requirement,
    *,
    now: float | None = None,
    leeway: float = 0.0,
    rules: ScopeRules = EXACT_SCOPES,
) -> None:
    """Judge whether this principal may do what a route offers.

    Args:
        principal: an admitted principal.
        requirement: what the route demands.
        now: seconds since the epoch, where the user's authentication matters; by default what the clock says.
        leeway: seconds by which the clocks may differ.
        rules: which scopes a granted one includes.

    Raises:
        InvalidToken: the token is meant for another resource server than this route's audience.
        InsufficientUserAuthentication: the user has not authenticated well or recently enough; ``scope`` is there
            where the token grants too little besides.
        InsufficientScope: the token grants less than the route needs; ``scope`` names everything it needs.

    References: RFC 6750 section 3.1, RFC 9396 section 9, RFC 9470 section 3
    """
    if requirement.audience is not None and requirement.audience not in principal.audience:
        raise InvalidToken("wrong_audience")
    granted = rules.grants(principal.scopes, requirement.scopes)
    if not requirement.plain:
        moment = time.time() if now is None else now
        if not _has_authenticated(principal, requirement, moment, leeway):
            raise InsufficientUserAuthentication(
                acr_values=requirement.acr_values,
                max_age=requirement.max_age,
                scope=() if granted else requirement.scopes.preferred,
            )
        if granted and not all(detail.granted_by(principal.authorization_details) for detail in requirement.details):
            raise InsufficientScope("insufficient_details", scope=requirement.scopes.preferred)
    if not granted:
        raise InsufficientScope(scope=requirement.scopes.preferred)


def _has_authenticated(principal: Principal, requirement: Requirement, now: float, leeway: float) -> bool:
    if requirement.acr_values and principal.acr not in requirement.acr_values:
        return False
    if requirement.max_age is None:
        return True
    moment = principal.auth_time
    return moment is not None and moment - leeway <= now <= moment + requirement.max_age + leeway


def _both_demands(name: str, first: Demand | None, second: Demand | None) -> Demand | None:
    demands = {first, second}
    if demands == {"off", "required"}:
        raise ConfigurationError(f"one route demands {name} to be off and to be required")
    return "required" if "required" in demands else second or first


def _common_classes(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    if not (first and second):
        return first or second
    common = tuple(value for value in first if value in second)
    if not common:
        raise ConfigurationError(f"one route demands acr_values that exclude each other, {first!r} and {second!r}")
    return common
