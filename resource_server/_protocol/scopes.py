"""Scopes a route demands, and which granted ones are enough.

A demand is kept as its alternatives (a disjunction of conjunctions), because that is also what a challenge has to
print: ``scope`` names one complete way in, so that a client asks once and for everything. What would include a scope
that is needed is never printed: who asks for little should be given little.

References: RFC 6749 section 3.3, RFC 6750 section 3
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from resource_server._protocol.grammar import is_scope_token
from resource_server.errors import ConfigurationError

ScopeStrategy = Literal["exact", "hierarchic", "wildcard"]
"""How a granted scope is compared with one that is needed."""

_SEPARATORS = ".:/"
_MAX_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Scopes:
    """Alternatives, each of which is a complete set of scope tokens; combine with ``&`` and ``|``, with names too."""

    alternatives: tuple[tuple[str, ...], ...] = ((),)

    def __post_init__(self) -> None:
        """Refuse what could never stand in a challenge.

        Raises:
            ConfigurationError: there is no alternative, or a scope token has an illegal character.
        """
        if not self.alternatives:
            raise ConfigurationError("a route that no scope can satisfy is a mistake: name at least one alternative")
        for name in (name for alternative in self.alternatives for name in alternative):
            if not is_scope_token(name):
                raise ConfigurationError(f"scope {name!r} is not a scope token{_explain(name)}")

    def __and__(self, other: Scopes | str) -> Scopes:
        """Demand both."""
        theirs = as_scopes(other).alternatives
        pairs = (mine + more for mine in self.alternatives for more in theirs)
        return Scopes(tuple(dict.fromkeys(tuple(dict.fromkeys(pair)) for pair in pairs)))

    def __rand__(self, other: str) -> Scopes:
        """Demand both, where a name comes first."""
        return as_scopes(other) & self

    def __or__(self, other: Scopes | str) -> Scopes:
        """Demand either; the left one is what a challenge asks for."""
        return Scopes(tuple(dict.fromkeys(self.alternatives + as_scopes(other).alternatives)))

    def __ror__(self, other: str) -> Scopes:
        """Demand either, where a name comes first."""
        return as_scopes(other) | self

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


def _explain(name: object) -> str:
    if isinstance(name, str):
        return " (RFC 6749 section 3.3: no space, quote, backslash or control)"
    return f', but a {type(name).__name__}: write require("a", "b")'


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """Which scopes a granted one includes beyond itself.

    Hierarchic: ``orders`` includes ``orders.read``, ``orders:read`` and ``orders/read``, never ``ordersx``. Wildcard:
    ``orders.*`` includes ``orders.read`` and ``orders.read.all``, never ``orders``; a star is only one as the whole
    last segment, and one that stands alone includes nothing. Whatever these find includes what is implied besides.
    """

    strategy: ScopeStrategy = "exact"
    implied: tuple[tuple[str, ...], ...] = ()
    """Each a scope, and after it those that it includes."""
    _known: dict[str, frozenset[str]] = field(
        default_factory=dict[str, frozenset[str]], init=False, repr=False, compare=False
    )

    def grants(self, granted: frozenset[str], needed: Scopes) -> bool:
        """Tell whether granted scopes contain one alternative of what is needed.

        Args:
            granted: the token's scopes.
            needed: what a route demands.
        """
        return needed.granted_by(granted) or self._includes(granted, needed)

    def _includes(self, granted: frozenset[str], needed: Scopes) -> bool:
        return any(
            all(not granted.isdisjoint(self._enough_for(name)) for name in alternative)
            for alternative in needed.alternatives
        )

    def _enough_for(self, name: str) -> frozenset[str]:
        """Return every scope that includes this one, itself among them."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _MAX_REMEMBERED:  # routes name few scopes; who makes them up at run time shall not
                self._known.clear()
            known = self._known[name] = self._find_enough(name)
        return known

    def _find_enough(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        pending = {name}
        while pending:
            scope = pending.pop()
            found.add(scope)
            including = {including for including, *included in self.implied if scope in included}
            pending |= including.union(self._above(scope)) - found
        return frozenset(found)

    def _above(self, scope: str) -> list[str]:
        """Return the scopes that include this one by how they are spelt."""
        if self.strategy == "exact":
            return []
        star = "*" if self.strategy == "wildcard" else ""
        inner = range(1, len(scope) - 1)
        ends = [end for end in inner if scope[end] in _SEPARATORS and _is_between_segments(scope, end)]
        return [scope[: end + 1] + star if star else scope[:end] for end in ends]


def _is_between_segments(scope: str, place: int) -> bool:
    """Tell whether what stands beside a separator is no separator: ``https`` includes no URL."""
    return scope[place - 1] not in _SEPARATORS and scope[place + 1] not in _SEPARATORS


def all_of(*scopes: str | Scopes) -> Scopes:
    """Demand every one of these scopes.

    Args:
        scopes: scope tokens (RFC 6749 section 3.3), or requirements made by this module.

    Raises:
        ConfigurationError: a scope token has a character that can never stand in a challenge.
    """
    combined = Scopes()
    for scope in scopes:
        combined = combined & as_scopes(scope)
    return combined


def any_of(*scopes: str | Scopes) -> Scopes:
    """Demand at least one of these scopes; a challenge names the first.

    Args:
        scopes: one or more scope tokens, or requirements made by this module.

    Raises:
        ConfigurationError: there is no alternative, or a scope token has an illegal character.
    """
    alternatives = (alternative for scope in scopes for alternative in as_scopes(scope).alternatives)
    return Scopes(tuple(dict.fromkeys(alternatives)))


def as_scopes(scope: str | Scopes) -> Scopes:
    """Let the name of a scope stand for the demand of it."""
    return scope if isinstance(scope, Scopes) else Scopes(((scope,),))
