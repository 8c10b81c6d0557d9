"""A clause that cannot fail says nothing: each is seen to fail on some server."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from resource_server.conformance import stand
from resource_server.conformance.authorization_server import AuthorizationServer
from resource_server.conformance.clause import Clause
from resource_server.conformance.clauses import CLAUSES, patience
from resource_server.conformance.run import try_clause
from resource_server.conformance.target import FEATURES
from tests.conformance_suite.awful import AWFUL, Awful, LetsEverybodyIn
from tests.conformance_suite.stands import served

ROUTES = {"hidden": "/hidden", "missing": "/nothing", "step_up": "/step-up"}
OF_ITS_OWN = {"7662-2.3-c"}
"""What needs a server that is right but for one mistake: see ``mutants.py``."""
ABOUT_GOOD_TOKENS = {"6750-2.1-a", "7662-2.1-c", "9068-2.1-b"}
ABOUT_REFUSALS = {"9110-11.6.1-a"}


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing that will not happen."""
    monkeypatch.setattr(stand, "_MENDED", 0.0)
    monkeypatch.setattr(patience, "_LIFETIME", 1)
    monkeypatch.setattr(patience, "_CROWD", 3)


def failed(kind: type[Awful], issuer: str, clauses: Iterable[Clause]) -> set[str]:
    """Return those of some clauses that a server fails which claims everything."""
    features: dict[str, bool] = dict.fromkeys(FEATURES, True)
    claims = {"cache_seconds": 0.01}
    with served(kind, issuer, features=features, routes=ROUTES, claims=claims) as target:
        opened = stand.Stand(target, AuthorizationServer(issuer))
        return {one.id for one in clauses if try_clause(one, opened).outcome.verdict == "failed"}


def test_whoever_lets_everybody_in_fails_whatever_is_critical(issuer: str) -> None:
    """No wrong accept goes unseen: only what is about good tokens, and about refusals that there are none of, holds."""
    critical = [one for one in CLAUSES if one.severity == "critical"]
    held = {one.id for one in critical} - failed(LetsEverybodyIn, issuer, critical)
    assert held == ABOUT_GOOD_TOKENS | ABOUT_REFUSALS


def test_every_clause_can_fail(issuer: str) -> None:
    """Those who do nothing right fail all clauses together, each judged by what none before it has failed."""
    left = {one.id: one for one in CLAUSES}
    for kind in AWFUL:
        for name in failed(kind, issuer, tuple(left.values())):
            del left[name]
    assert set(left) == OF_ITS_OWN
