"""The suite finds what is wrong: a right server passes whole, and one with a mistake fails the clause about it."""

from __future__ import annotations

import pytest

from resource_server.conformance.clauses import CLAUSES
from tests.conformance_suite.mutants import MUTANTS
from tests.conformance_suite.small_server import SmallServer
from tests.conformance_suite.stands import judge, judge_one


def test_a_right_server_passes_whole(issuer: str) -> None:
    """Nothing fails, nothing is left undecided, and most clauses apply."""
    report = judge(SmallServer, issuer)
    assert [(one.clause.id, one.outcome) for one in report.failed] == []
    assert report.whole
    assert sum(one.outcome.verdict == "passed" for one in report.results) >= 100
    assert len(report.results) == len(CLAUSES)


def test_there_are_twenty_mistakes_and_each_has_a_clause_of_its_own() -> None:
    """No two servers are caught by the same clause."""
    assert len({kind.caught_by for kind in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.__name__)
def test_each_mistake_is_found_by_the_clause_about_it(kind: type[SmallServer], issuer: str) -> None:
    """The clause fails, which passes on the server without the mistake."""
    result = judge_one(kind, issuer, kind.caught_by)
    assert result.outcome.verdict == "failed", result.outcome
