"""Authorization details (RFC 9396): which of a token's are those that a route demands."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from resource_server import Assurance, ConfigurationError, Principal
from resource_server._protocol.authorization_details import Detail, detail
from resource_server._protocol.claims import ClaimRules, judge_claims

PAYMENT: dict[str, Any] = {
    "type": "payment",
    "actions": ["initiate", "status", "cancel"],
    "amount": {"currency": "EUR", "value": "123.50"},
    "limit": 3,
    "instant": True,
    "tags": [["a", 1], {"b": None}],
    "creditor": "Merchant",
    "pairs": [["b"]],
    "rate": 0.5,
    "note": None,
}


def found_in(wanted: Detail, *details: dict[str, Any]) -> bool:
    """Tell whether one of a token's details is the one that is wanted."""
    claims = {"authorization_details": list(details)}
    principal = judge_claims(claims, ClaimRules(issuer="https://as.example.com"), Assurance.LOCAL)
    assert isinstance(principal, Principal)
    return wanted.granted_by(principal.authorization_details)


def at_most(limit: int) -> Callable[[Any], bool]:
    """Make a judgement of an amount."""
    return lambda amount: Decimal(amount["value"]) <= limit


@pytest.mark.rfc("9396-9-a")
@pytest.mark.parametrize(
    ("members", "is_there"),
    [
        pytest.param({}, True, id="type alone"),
        pytest.param({"actions": ["initiate"]}, True, id="list, a part of it"),
        pytest.param({"actions": ("cancel", "initiate")}, True, id="list, in another order"),
        pytest.param({"actions": []}, True, id="list, nothing of it"),
        pytest.param({"actions": ["initiate", "refund"]}, False, id="list, more than there is"),
        pytest.param({"actions": "initiate"}, False, id="text for a list"),
        pytest.param({"creditor": ["Merchant"]}, False, id="list for a text"),
        pytest.param({"creditor": "Merchant"}, True, id="text"),
        pytest.param({"creditor": "merchant"}, False, id="another text"),
        pytest.param({"limit": 3}, True, id="number"),
        pytest.param({"limit": 3.0}, True, id="number, spelt differently"),
        pytest.param({"limit": 4}, False, id="another number"),
        pytest.param({"limit": True}, False, id="true for a number"),
        pytest.param({"instant": True}, True, id="true"),
        pytest.param({"instant": 1}, False, id="number for true"),
        pytest.param({"instant": False}, False, id="false"),
        pytest.param({"amount": {"value": "123.50", "currency": "EUR"}}, True, id="object"),
        pytest.param({"amount": {"currency": "EUR"}}, False, id="object, a part of it"),
        pytest.param({"amount": {"currency": "EUR", "value": True}}, False, id="object, another value"),
        pytest.param({"tags": [["a", 1]]}, True, id="list in a list"),
        pytest.param({"tags": [["a"]]}, False, id="list in a list, a part of it"),
        pytest.param({"tags": [["a", True]]}, False, id="list in a list, another value"),
        pytest.param({"tags": [{"b": None}]}, True, id="object in a list"),
        pytest.param({"tags": [["b"]]}, False, id="list for an object in a list"),
        pytest.param({"tags": [{"a": 1}]}, False, id="object for a list in a list"),
        pytest.param({"pairs": [{"b": None}]}, False, id="object for its names"),
        pytest.param({"creditor": ["M"]}, False, id="list for the letters of a text"),
        pytest.param({"limit": [3]}, False, id="list for a number"),
        pytest.param({"rate": 0.5}, True, id="fraction"),
        pytest.param({"note": None}, True, id="null"),
        pytest.param({"absent": None}, False, id="absent is not null"),
        pytest.param({"amount": at_most(200)}, True, id="function"),
        pytest.param({"amount": at_most(100)}, False, id="function that says no"),
        pytest.param({"creditor": at_most(100)}, False, id="function that cannot read it"),
        pytest.param({"absent": lambda _: True}, False, id="function of what is absent"),
        pytest.param({"limit": lambda limit: limit}, False, id="function that says neither"),
    ],
)
def test_members(members: dict[str, Any], is_there: bool) -> None:  # noqa: FBT001 - a table's column
    """RFC 9396 §9: of a list a part is enough, another value must be the same as JSON, a function must say True."""
    wanted = detail("payment", **members)
    assert found_in(wanted, {"type": "other", "creditor": "x"}, PAYMENT) is is_there
    assert not found_in(wanted)
    assert not found_in(detail("Payment", **members), PAYMENT)


@pytest.mark.rfc("9396-9-a")
def test_one_detail_has_it_all() -> None:
    """RFC 9396 §9: what is demanded together must be granted together, not half by one detail and half by another."""
    wanted = detail("payment", actions=["initiate"], creditor="Merchant")
    halves: list[dict[str, Any]] = [
        {"type": "payment", "actions": ["initiate"]},
        {"type": "payment", "creditor": "Merchant"},
    ]
    assert not found_in(wanted, *halves)
    assert found_in(wanted, *halves, halves[0] | halves[1])


def test_bugs_are_loud() -> None:
    """A function that is wrong itself is not taken for a no: its mistake is seen."""

    def judge(_: Any) -> bool:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        found_in(detail("payment", limit=judge), PAYMENT)


def test_values_are_kept() -> None:
    """A demand is a value: equal to another of the same members in whatever order, hashable, and not to be changed."""
    actions, amount = ["initiate"], {"value": "1"}
    one = detail("payment", actions=actions, amount=amount)
    other = detail("payment", amount={"value": "1"}, actions=("initiate",))
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, detail("payment"), detail("x")}) == 3
    assert len({hash(one), hash(detail("payment")), hash(detail("x"))}) == 3
    actions.append("cancel")
    amount["value"] = "2"
    assert one == other
    assert repr(one) == "Detail(type='payment', members=(('actions', ('initiate',)), ('amount', {'value': '1'})))"


@pytest.mark.parametrize("wrong", ["", None, 5])
def test_type_is_needed(wrong: Any) -> None:
    """RFC 9396 §2: a detail has a type, which is a text."""
    with pytest.raises(ConfigurationError, match="type"):
        detail(wrong)


@pytest.mark.parametrize("wrong", [{"a"}, b"x", object(), [lambda _: True], {"a": {1}}])
def test_values_are_json(wrong: Any) -> None:
    """A value that no token can have is a mistake, and is said to be one when the route is declared."""
    with pytest.raises(ConfigurationError, match="actions"):
        detail("payment", actions=wrong)
