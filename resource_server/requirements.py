"""What a route demands of a principal, and the judgement of one against the other.

A scope requirement is kept as its alternatives (a disjunction of conjunctions), because that is also what a challenge
has to print: ``scope`` names one complete way in, so that a client asks once and for everything.

References: RFC 6750 section 3, RFC 6749 section 3.3
"""

from __future__ import annotations

from dataclasses import dataclass

from resource_server._protocol.grammar import is_scope_token
from resource_server.errors import ConfigurationError, InsufficientScope, InvalidToken
from resource_server.principal import Assurance, Principal


@dataclass(frozen=True, slots=True)
class Scopes:
    """Alternatives, each of which is a complete set of scope tokens; combine with ``&`` and ``|``."""

    alternatives: tuple[tuple[str, ...], ...] = ((),)

    def __and__(self, other: Scopes) -> Scopes:
        """Demand both."""
        pairs = ((mine, theirs) for mine in self.alternatives for theirs in other.alternatives)
        return Scopes(tuple(dict.fromkeys(tuple(dict.fromkeys(mine + theirs)) for mine, theirs in pairs)))

    def __or__(self, other: Scopes) -> Scopes:
        """Demand either; the left one is what a challenge asks for."""
        return Scopes(tuple(dict.fromkeys(self.alternatives + other.alternatives)))

    @property
    def preferred(self) -> tuple[str, ...]:
        """The alternative that a challenge names."""
        return self.alternatives[0]

    def granted_by(self, scopes: frozenset[str]) -> bool:
        """Tell whether these scopes contain one alternative whole."""
        for alternative in self.alternatives:  # noqa: SIM110 - on the path of every request, and any() costs twice as much
            if scopes.issuperset(alternative):
                return True
        return False


def all_of(*scopes: str | Scopes) -> Scopes:
    """Demand every one of these scopes.

    Args:
        scopes: scope tokens (RFC 6749 section 3.3), or requirements made by this module.

    Raises:
        ConfigurationError: a scope token has a character that can never stand in a challenge.
    """
    combined = Scopes()
    for scope in scopes:
        combined = combined & _as_scopes(scope)
    return combined


def any_of(*scopes: str | Scopes) -> Scopes:
    """Demand at least one of these scopes; a challenge names the first.

    Args:
        scopes: one or more scope tokens, or requirements made by this module.

    Raises:
        ConfigurationError: there is no alternative, or a scope token has an illegal character.
    """
    if not scopes:
        message = "any_of() needs at least one scope: a route that nothing can satisfy is a mistake"
        raise ConfigurationError(message)
    alternatives = (alternative for scope in scopes for alternative in _as_scopes(scope).alternatives)
    return Scopes(tuple(dict.fromkeys(alternatives)))


def _as_scopes(scope: str | Scopes) -> Scopes:
    if isinstance(scope, Scopes):
        return scope
    if not is_scope_token(scope):
        message = f"scope {scope!r} is not a scope token (RFC 6749 section 3.3: no space, quote, backslash or control)"
        raise ConfigurationError(message)
    return Scopes(((scope,),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Everything one route demands, and how it wants a refusal to look. Combine with ``&``."""

    scopes: Scopes = Scopes()
    """What the token must grant."""
    audience: str | None = None
    """An audience this route needs beyond the server's own."""
    assurance: Assurance = Assurance.LOCAL
    """The least assurance this route accepts."""
    unavailable_status: int | None = None
    """401 or 503 where the token cannot be verified; ``None`` leaves it to the server's setting."""
    hide: bool = False
    """For a framework's adapter: answer 404 where it would be 403, as what a caller may not touch does not exist."""
    ajax_forbidden: bool = False
    """For an adapter: 403 in place of 401 to ``X-Requested-With: XMLHttpRequest``, which a login page would break."""

    def __and__(self, other: Requirement) -> Requirement:
        """Demand both; where they contradict each other the stricter one holds, or else the later."""
        if self.audience is not None and other.audience not in (None, self.audience):
            message = f"one route demands two audiences, {self.audience!r} and {other.audience!r}"
            raise ConfigurationError(message)
        return Requirement(
            scopes=self.scopes & other.scopes,
            audience=self.audience or other.audience,
            assurance=max(self.assurance, other.assurance, key=lambda assurance: assurance.rank),
            unavailable_status=other.unavailable_status or self.unavailable_status,
            hide=self.hide or other.hide,
            ajax_forbidden=self.ajax_forbidden or other.ajax_forbidden,
        )


ANY_TOKEN = Requirement()
"""A valid token, and nothing more."""


def authorize(principal: Principal, requirement: Requirement) -> None:
    """Judge whether this principal may do what a route offers.

    Args:
        principal: an admitted principal.
        requirement: what the route demands.

    Raises:
        InvalidToken: the token is meant for another resource server than this route's audience.
        InsufficientScope: the token grants less than the route needs; ``scope`` names everything it needs.
    """
    if requirement.audience is not None and requirement.audience not in principal.audience:
        raise InvalidToken("wrong_audience")
    if not requirement.scopes.granted_by(principal.scopes):
        raise InsufficientScope(scope=requirement.scopes.preferred)
