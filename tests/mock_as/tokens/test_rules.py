"""Claims that tokens get by what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_as import MockAS, UsageError
from mock_as.clients import Client
from mock_as.tokens.minting import Order
from mock_as.tokens.rules import FACTS, Rule, claims_by_rule

ROLES = {"roles": ["admin"]}


def said(when: Mapping[str, str], **order: Any) -> bool:
    """Tell whether a token says what a rule wants it to say."""
    mock = MockAS(rules=[Rule(when=when, claims=ROLES)])
    return mock.mint(Order(**order)).claims.get("roles") == ["admin"]


@pytest.mark.parametrize(
    ("when", "order", "expected"),
    [
        ({}, {}, True),
        ({"scope": "admin*"}, {"scope": "read admin:users"}, True),
        ({"scope": "admin*"}, {"scope": "read write"}, False),
        ({"scope": "admin*"}, {"scope": "read admin", "sub": "bob"}, True),
        ({"scope": "*"}, {"scope": None}, False),
        ({"client_id": "web"}, {"client_id": "web"}, True),
        ({"client_id": "we?"}, {"client_id": "WEB"}, False),
        ({"sub": "alice"}, {"sub": "alice"}, True),
        ({"sub": "svc"}, {}, True),
        ({"aud": "https://b.*"}, {"aud": ["https://a.test", "https://b.test"]}, True),
        ({"aud": "https://api.example.test"}, {}, True),
        ({"grant_type": "password"}, {"grant_type": "password"}, True),
        ({"grant_type": "*"}, {}, False),
        ({"sub": "alice", "scope": "read"}, {"sub": "alice"}, True),
        ({"sub": "alice", "scope": "write"}, {"sub": "alice"}, False),
    ],
)
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
def test_rule_fits_by_every_fact(
    when: dict[str, str],
    order: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a parameter of the rule
    token_format: str,
) -> None:
    """A rule fits a token if each of its patterns fits one value of its fact, in either format."""
    assert said(when, **order, format=token_format) is expected


def test_later_rules_come_after_earlier_ones() -> None:
    """Of two rules that fit, the later one decides; over both decides the test, and over the client both do."""
    rules = [Rule(claims={"a": 1, "b": 1, "c": 1}), Rule(when={"sub": "*"}, claims={"b": 2})]
    own = Client(id="own", secret="s", claims={"a": 0, "tenant": "${client_id}"})
    mock = MockAS(rules=rules, clients=[own])
    claims = mock.token(client_id="own", claims={"c": 3}).claims
    assert (claims["a"], claims["b"], claims["c"], claims["tenant"]) == (1, 2, 3, "own")


def test_rules_are_undone_by_a_reset() -> None:
    """Rules that are set while the server runs end with a reset."""
    mock = MockAS()
    mock.rules = (Rule(claims=ROLES),)
    assert mock.token().claims["roles"] == ["admin"]
    mock.reset()
    assert "roles" not in mock.token().claims


def test_refuses_facts_that_there_are_not() -> None:
    """A rule that asks for something else than the facts could never fit, and is refused."""
    with pytest.raises(UsageError, match=r"^when: 'scopes' is unknown; did you mean 'scope'"):
        Rule(when={"scopes": "x"})


TEXT = st.text("ab", max_size=3)
VALUES = st.fixed_dictionaries({fact: st.lists(TEXT, max_size=2) for fact in FACTS})
WHEN = st.dictionaries(st.sampled_from(FACTS), TEXT | st.just("*"), max_size=3)


@given(WHEN, VALUES)
def test_pattern_without_wildcards_is_equality(when: dict[str, str], facts: dict[str, list[str]]) -> None:
    """A pattern of plain letters fits that text alone, and a star fits whatever there is."""
    expected = all(facts[fact] if pattern == "*" else pattern in facts[fact] for fact, pattern in when.items())
    assert Rule(when=when).fits(facts) is bool(expected)
    assert claims_by_rule([Rule(when=when, claims=ROLES)], facts) == (ROLES if expected else {})
