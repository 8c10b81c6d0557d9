"""Try clauses on a target, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from resource_server.conformance.authorization_server import AuthorizationServer
from resource_server.conformance.clause import Clause, Outcome
from resource_server.conformance.clauses import CLAUSES
from resource_server.conformance.errors import SuiteError
from resource_server.conformance.printable import printable
from resource_server.conformance.processes import mock_authorization_server, started
from resource_server.conformance.report import Report, Result
from resource_server.conformance.stand import Stand
from resource_server.conformance.target import Target

_FIRST = 10.0
"""Seconds in which a target that serves has to let its first good token in."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried, and with which authorization server."""

    target: Target
    authorization_server: str = ""
    """The URL of a mock that runs already; where there is none, one is started."""
    port: int = 0
    """Where the one that is started listens; 0 for any port that is free."""
    clauses: Sequence[Clause] = field(default=CLAUSES)


@contextmanager
def open_stand(plan: Plan) -> Generator[Stand]:
    """Start what has to run, and end it.

    Args:
        plan: the target and its authorization server.

    Raises:
        SuiteError: something does not start.
    """
    with ExitStack() as stack:
        if plan.authorization_server:
            server = AuthorizationServer(plan.authorization_server)
        else:
            server = stack.enter_context(mock_authorization_server(plan.target.audience, plan.port))
        # The key of the target's algorithm is made and published when it is first used.
        server.mint({"format": "jwt", "alg": plan.target.alg})
        stand = Stand(stack.enter_context(started(plan.target, server)), server)
        if stand.settle(_FIRST) is None:
            said = stand.exchanges[-1].answer.text
            named = f"to a token for the audience {plan.target.audience}"
            raise SuiteError(f"the target {plan.target.name} lets no good token in; it answers {said}, {named}")
        yield stand


def run(plan: Plan, told: Callable[[Clause], None] = lambda _: None) -> Report:
    """Try all clauses of a plan.

    Args:
        plan: what is tried.
        told: hears of each clause before it is tried.

    Raises:
        SuiteError: something does not start, or ends in the middle.
    """
    began, at = time.monotonic(), datetime.now(UTC)
    with open_stand(plan) as stand:
        results: list[Result] = []
        for one in plan.clauses:
            told(one)
            results.append(try_clause(one, stand))
    return Report(plan.target, tuple(results), at.isoformat(timespec="seconds"), time.monotonic() - began)


def try_clause(one: Clause, stand: Stand) -> Result:
    """Try one clause.

    Args:
        one: the clause.
        stand: the target, with its authorization server.

    Raises:
        SuiteError: the authorization server ended.
    """
    began = time.monotonic()
    reasons = [reason for need in one.needs if (reason := stand.target.missing(need))]
    if reasons:
        outcome = Outcome("not_applicable", "", "; ".join(reasons))
    else:
        try:
            outcome = one.probe(stand)
        except OSError as error:
            outcome = Outcome("undecided", one.title, f"the target could not be reached: {type(error).__name__}")
    outcome = replace(outcome, source=one.source, observed=printable(outcome.observed))
    return Result(one, outcome, time.monotonic() - began)


def choose(names: Iterable[str]) -> tuple[Clause, ...]:
    """Return the clauses with these ids, in the order of the suite; all of them where there are no names.

    Args:
        names: ids, or the beginnings of several: ``9068`` stands for all clauses of RFC 9068.

    Raises:
        SuiteError: there is none of a name.
    """
    wanted = tuple(names)
    for name in wanted:
        if not any(one.id.startswith(name) for one in CLAUSES):
            raise SuiteError(f"there is no clause {name!r}")
    return tuple(one for one in CLAUSES if not wanted or any(one.id.startswith(name) for name in wanted))
