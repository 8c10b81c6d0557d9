"""Compare what came of a cell with what the oracle says, and sort the differences by how bad they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.grid.cells import PATIENCE, TIMEOUTS, Probe
from tests.grid.oracle import expected

STATUSES = {200, 400, 401, 403, 429, 503}
GRACE = 0.25
"""Seconds after its deadline by which every request must have been answered."""
WRONG_ACCEPT, ODD_ANSWER, LATE, WRONG_REFUSAL = "wrong accepts", "odd answers", "late answers", "wrong refusals"
KINDS = (WRONG_ACCEPT, ODD_ANSWER, LATE, WRONG_REFUSAL)


@dataclass(frozen=True)
class Finding:
    """One answer that was not right."""

    kind: str
    probe: Probe

    def __str__(self) -> str:
        """Say it in words."""
        probe = self.probe
        expects = sorted(expected(*probe.cell, lapsed=probe.lapsed))
        when = "past its time to live" if probe.lapsed else "at once"
        told = f"{probe.status or probe.fault} after {probe.seconds:.2f} s, expected {expects}"
        return f"{self.kind}: {probe.cell}, {when}: {told}"


def findings(probes: Iterable[Probe]) -> list[Finding]:
    """Return everything that was not right."""
    return [Finding(kind, probe) for probe in probes if (kind := _kind(probe)) is not None]


def counts(found: Iterable[Finding]) -> Counter[str]:
    """Count findings by kind."""
    return Counter(finding.kind for finding in found)


def _kind(probe: Probe) -> str | None:
    right = expected(*probe.cell, lapsed=probe.lapsed)
    if probe.status == 200 and 200 not in right:
        return WRONG_ACCEPT
    if probe.status not in STATUSES:
        return ODD_ANSWER
    if probe.seconds > TIMEOUTS.get(probe.cell.fault, PATIENCE) + GRACE:
        return LATE
    return None if probe.status in right else WRONG_REFUSAL
