"""Have the doctor look at a mock authorization server, and read what it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mock_as import MockAS
from resource_server import Clock, Settings
from resource_server._doctor.examine import examine
from resource_server._doctor.finding import CHECKS, Check, Finding, Report
from resource_server._protocol.sample import Sample


def options(mock: MockAS, **changes: Any) -> dict[str, Any]:
    """Return the options of a resource server that is registered at a mock; ``None`` takes one away."""
    client_id, secret = mock.credentials("rs")
    usual = {
        "issuer": mock.issuer,
        "audience": mock.options.audience,
        "client_id": client_id,
        "client_secret": secret,
        "retries": 0,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


async def examined(
    mock: MockAS,
    *,
    token: str | None = None,
    url: str | None = None,
    patience: float | None = None,
    clock: Clock | None = None,
    **changes: Any,
) -> Report:
    """Examine a resource server with these options."""
    said = options(mock, **changes)
    return await report_on(lambda: Settings.build(**said), token=token, url=url, patience=patience, clock=clock)


async def report_on(
    read: Callable[[], Settings],
    *,
    token: str | None = None,
    url: str | None = None,
    patience: float | None = None,
    clock: Clock | None = None,
) -> Report:
    """Examine, and hold the report to what holds for each: every check is told of, in order, in printable words."""
    sample = None if token is None else Sample(token.encode())
    report = await examine(read, sample=sample, url=url, patience=patience, clock=clock)
    assert [check for check in CHECKS if any(found.check == check for found in report.findings)] == list(CHECKS)
    places = [CHECKS.index(found.check) for found in report.findings]
    assert places == sorted(places)
    for found in report.findings:
        assert found.says.isascii()
        assert found.says.isprintable()
        assert len(found.says) < 1500
        assert (found.mend is not None) >= (found.verdict == "failed")
    return report


def first_red(report: Report) -> Finding:
    """Return the first finding that is red."""
    return next(found for found in report.findings if found.verdict == "failed")


def of(report: Report, check: Check) -> Finding:
    """Return the first finding of a check, which is its worst."""
    return next(found for found in report.findings if found.check == check)


def verdicts(report: Report) -> dict[str, str]:
    """Return the worst verdict of each check."""
    return {check: of(report, check).verdict for check in CHECKS}
