"""What a run has found: counted by how much hangs on it, never as one number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resource_server.conformance.clause import SEVERITIES, VERDICTS, Clause, Outcome, Severity, Verdict
from resource_server.conformance.target import Target


@dataclass(frozen=True, slots=True)
class Result:
    """One clause, and what was found."""

    clause: Clause
    outcome: Outcome
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as members of JSON."""
        return {
            "id": self.clause.id,
            "title": self.clause.title,
            "source": self.outcome.source,
            "severity": self.clause.severity,
            "level": self.clause.level,
            "verdict": self.outcome.verdict,
            "expected": self.outcome.expected,
            "observed": self.outcome.observed,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found about a target."""

    target: Target
    results: tuple[Result, ...]
    at: str
    """When it began, in UTC."""
    seconds: float

    @property
    def failed(self) -> tuple[Result, ...]:
        """What is not as it should be."""
        return tuple(one for one in self.results if one.outcome.verdict == "failed")

    @property
    def whole(self) -> bool:
        """Whether nothing failed, and nothing that applies was left undecided."""
        return all(one.outcome.verdict in {"passed", "not_applicable"} for one in self.results)

    def score(self) -> Mapping[Severity, Mapping[Verdict, int]]:
        """Count the verdicts of each severity."""
        counts = Counter((one.clause.severity, one.outcome.verdict) for one in self.results)
        return {severity: {verdict: counts[severity, verdict] for verdict in VERDICTS} for severity in SEVERITIES}

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON document."""
        return {
            "target": {"name": self.target.name, "version": self.target.version, "format": self.target.format},
            "at": self.at,
            "seconds": round(self.seconds, 3),
            "whole": self.whole,
            "score": self.score(),
            "clauses": [one.as_json() for one in self.results],
        }
