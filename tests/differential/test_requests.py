"""An implementation that nobody here wrote judges the same requests as ours does, and no difference is unexplained."""

from __future__ import annotations

import pytest

from tests.differential.cases import cases, make
from tests.differential.compare import compare, same
from tests.differential.draft import Case
from tests.differential.page import PAGE, renewed
from tests.differential.rules import RULES, explain
from tests.interop.oracle import oracle
from tests.support.jwt import NOW

pytestmark = pytest.mark.anyio

DAY = 86_400
SEED, COUNT = 1, 2000
"""A share of the series that ``python -m benchmarks differential`` goes through."""


async def test_no_unexplained_difference() -> None:
    """Both accept or both refuse, and see the same claims; or a rule foresees that one of them is stricter."""
    with oracle() as judge:
        tally = await compare(cases(SEED, COUNT), judge)
    assert "\n".join(map(str, tally.unexplained[:5])) == ""
    assert tally.judged == COUNT
    assert min(tally.accepted, tally.refused) > COUNT / 20  # else the generator has lost its balance


async def test_every_rule_counts() -> None:
    """A rule has a name and a reason of its own, so that the table of differences can be read."""
    assert len({rule.name for rule in RULES}) == len({rule.reason for rule in RULES}) == len(RULES)


async def test_page_is_up_to_date() -> None:
    """The documentation has every rule with its reason; ``python -m tests.differential.page`` writes them there."""
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page


async def test_good_request_needs_no_rule() -> None:
    """The rules are about what is wrong with a request: to an ordinary one none of them applies."""
    ordinary = next(
        case for case in map(make, map(str, range(200))) if (case.world.name, case.mutations) == ("declared", ())
    )
    assert explain(ordinary, "ours") is None


async def test_difference_is_noticed() -> None:
    """What the judges differ about is found: here the other one goes by another clock."""
    with oracle() as judge:
        tally = await compare(cases(SEED, 50), judge, now=NOW + DAY)
    assert tally.unexplained
    assert all(difference.ours.accepted for difference in tally.unexplained)
    assert "ours: accepts; theirs: OAUTH_JWT_TIMESTAMP_CHECK_FAILED" in str(tally.unexplained[0])


async def test_another_reason_is_no_explanation() -> None:
    """What we let in is explained by the reason that a rule names, not by what else is odd about the request."""
    assert all(bool(rule.says) == (rule.stricter == "theirs") for rule in RULES)
    odd = next(case for case in map(make, map(str, range(2000))) if case.world.name == "declared" and _is_odd(case))
    assert explain(odd, "theirs", 'JWT "cnf" (confirmation) claim missing') is not None
    assert explain(odd, "theirs", "OAUTH_JWT_TIMESTAMP_CHECK_FAILED") is None
    assert explain(odd, "theirs") is None


def _is_odd(case: Case) -> bool:
    return "cnf" not in case.claims() and bool(case.sent(b"dpop"))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"a": [1, 2.5, None]}, {"a": [1.0, 2.5, None]}, True),
        ({"a": 2**53 + 1}, {"a": 2.0**53}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
        ("1", 1, False),
        (None, None, True),
    ],
)
async def test_same(ours: object, theirs: object, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """Claims are compared as JavaScript can tell numbers apart, and otherwise to the letter."""
    assert same(ours, theirs) is expected
