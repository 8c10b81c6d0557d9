"""What the doctor finds: a verdict for each thing that was looked at, and the mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Check = Literal["configuration", "discovery", "tls", "clock", "jwks", "introspection", "token", "store", "proxy"]
Verdict = Literal["failed", "warning", "ok", "skipped"]
"""From the worst on."""
CHECKS: tuple[Check, ...] = get_args(Check)
"""In the order in which they are told: what is a cause comes before what may be its consequence."""
_RANK: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: Check
    verdict: Verdict
    says: str
    """What was found, in one sentence."""
    mend: str | None = None
    """What to do about it."""

    def as_json(self) -> dict[str, str | None]:
        """Return it as JSON has it."""
        return {"check": self.check, "verdict": self.verdict, "says": self.says, "mend": self.mend}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at, causes before consequences."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts; what was skipped is none."""
        found: list[Verdict] = [finding.verdict for finding in self.findings if finding.verdict != "skipped"]
        return "ok" if not found else min(found, key=_RANK.index)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"verdict": self.verdict, "findings": [finding.as_json() for finding in self.findings]}


def arranged(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Put findings into the order in which they are told: by what was looked at, and there the worst first.

    Args:
        findings: in the order in which they were made, which is kept otherwise.
    """
    return tuple(sorted(findings, key=lambda found: (CHECKS.index(found.check), _RANK.index(found.verdict))))


def fine(check: Check, says: str) -> Finding:
    """Find nothing wrong."""
    return Finding(check, "ok", says)


def odd(check: Check, says: str, mend: str | None = None) -> Finding:
    """Find what works, and should not be so."""
    return Finding(check, "warning", says, mend)


def broken(check: Check, says: str, mend: str | None = None) -> Finding:
    """Find what does not work."""
    return Finding(check, "failed", says, mend)


def passed_over(check: Check, why: str) -> Finding:
    """Say why something was not looked at."""
    return Finding(check, "skipped", why)


def because(check: Check, *culprits: Check) -> Finding:
    """Say that something was not looked at because of what failed before it."""
    return passed_over(check, f"because {' and '.join(culprits)} failed")
