"""A clause: one observable rule, where it is written, how much hangs on it, and the probe that looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from resource_server.conformance.stand import Stand

Verdict = Literal["passed", "failed", "not_applicable", "undecided"]
Severity = Literal["critical", "high", "medium", "low"]
Level = Literal["MUST", "SHOULD", "practice"]

VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "not_applicable", "undecided")
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe has found."""

    verdict: Verdict
    expected: str
    observed: str
    source: str = ""
    """The documents and sections that the expectation comes from."""


Probe = Callable[["Stand"], Outcome]


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule that is seen from outside."""

    id: str
    """Stable: the document, the section, and a letter; ``field-`` where users and not documents ask for it."""
    source: str
    severity: Severity
    level: Level
    """``practice`` is what no document demands, and every user of a resource server does."""
    title: str
    needs: tuple[str, ...]
    """What the target must claim or have: features, and routes as ``route:NAME``."""
    probe: Probe


def clause(
    name: str,
    source: str,
    severity: Severity,
    level: Level,
    title: str,
    *needs: str,
) -> Callable[[Probe], Clause]:
    """Make a clause of the function below.

    Args:
        name: its stable id.
        source: the documents and sections.
        severity: what it costs where it does not hold.
        level: how the documents say it.
        title: one sentence.
        needs: features and routes without which it is not applicable.
    """
    return lambda probe: Clause(name, source, severity, level, title, needs, probe)


def judged(*, met: bool, expected: str, observed: str) -> Outcome:
    """Return the outcome of a comparison."""
    return Outcome("passed" if met else "failed", expected, observed)


def undecided(expected: str, observed: str) -> Outcome:
    """Return the outcome of a probe whose own conditions could not be made."""
    return Outcome("undecided", expected, observed)
