"""Each front door passes whole: a real process, judged by every clause."""

from __future__ import annotations

from pathlib import Path

import pytest

from resource_server.conformance.clauses import CLAUSES
from resource_server.conformance.run import Plan, run
from resource_server.conformance.target import load_target

TARGETS = Path(__file__).parents[2] / "conformance" / "targets"
DOORS = {"asgi": 0, "fastapi": 0, "flask": 0, "gateway": 17}
"""How many clauses are not applicable: the gateway as such has no missing page and no proofs."""


@pytest.mark.parametrize("door", DOORS)
def test_our_own_doors_pass_whole(door: str) -> None:
    """No clause fails, none is left undecided, and what does not apply says why."""
    report = run(Plan(load_target(TARGETS / door / "target.toml")))
    surprises = [one for one in report.results if one.outcome.verdict in {"failed", "undecided"}]
    assert [(one.clause.id, one.outcome.observed) for one in surprises] == []
    not_applicable = [one for one in report.results if one.outcome.verdict == "not_applicable"]
    assert (len(not_applicable), len(report.results)) == (DOORS[door], len(CLAUSES))
    assert all(one.outcome.observed for one in not_applicable)


def test_every_door_is_judged() -> None:
    """No folder is left out."""
    assert {path.parent.name for path in TARGETS.glob("*/target.toml")} == set(DOORS)
