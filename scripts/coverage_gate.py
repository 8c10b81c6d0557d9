"""Hold the coverage of each package to its own mark, from one run's JSON report.

`coverage report --fail-under` knows one mark for everything; here the library and the mock have one each:

    python scripts/coverage_gate.py build/coverage.json resource_server=100 mock_as=95
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def covered_percent(files: dict[str, Any], package: str) -> float:
    """Return the share of lines and branches of a package that ran, in percent.

    Raises:
        LookupError: nothing of the package was measured, which is no coverage, not full coverage.
    """
    summaries: list[dict[str, int]] = [
        report["summary"] for path, report in files.items() if Path(path).parts[0] == package
    ]
    total = sum(summary["num_statements"] + summary["num_branches"] for summary in summaries)
    if not total:
        raise LookupError(f"nothing of {package} was measured")
    return 100 * sum(summary["covered_lines"] + summary["covered_branches"] for summary in summaries) / total


def main(report: str, *marks: str) -> int:
    """Print one line for each mark, written `package=percent`; return 1 when one of them is missed."""
    files: dict[str, Any] = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    missed = 0
    for package, mark in (item.split("=") for item in marks):
        percent = covered_percent(files, package)
        reached = percent >= float(mark)
        missed += not reached
        print(f"{'ok' if reached else 'MISSED'}  {package}: {percent:.2f} % covered, {mark} % required")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
