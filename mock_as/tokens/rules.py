"""Claims that tokens get by what they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from mock_as.errors import unknown

FACTS = ("client_id", "sub", "scope", "aud", "grant_type")
"""What a rule can ask about a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every token says that fits a description."""

    when: Mapping[str, str] = field(default_factory=dict[str, str])
    """Patterns by fact, of :data:`FACTS`; ``*`` and ``?`` as in file names."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What such a token says."""

    def __post_init__(self) -> None:
        """Refuse what could never fit."""
        for fact in self.when:
            if fact not in FACTS:
                raise unknown("when", fact, FACTS)

    def fits(self, facts: Mapping[str, Iterable[str]]) -> bool:
        """Tell whether a token is one that the rule is about.

        Args:
            facts: the values of each fact; one of them that fits the pattern is enough.
        """
        return all(any(fnmatchcase(value, pattern) for value in facts[fact]) for fact, pattern in self.when.items())


def claims_by_rule(rules: Iterable[Rule], facts: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return what a token says because of rules; where two say the same claim, the later one does.

    Args:
        rules: every rule there is.
        facts: the values of each of :data:`FACTS`; none for a fact that the token does not have.
    """
    return {name: value for rule in rules if rule.fits(facts) for name, value in rule.claims.items()}
