"""What the page of the conformance suite says of every clause, from the clauses themselves."""

from __future__ import annotations

from resource_server.conformance.clause import Clause
from resource_server.conformance.clauses import CLAUSES

_HEAD = "| clause | source | severity | level | rule | needs |\n|---|---|---|---|---|---|"


def clauses() -> str:
    """Write the table of clauses."""
    return "\n".join([f"There are {len(CLAUSES)}.\n", _HEAD, *map(_row, CLAUSES)])


def _row(one: Clause) -> str:
    needs = ", ".join(f"`{need.removeprefix('route:')}`" for need in one.needs)
    return f"| `{one.id}` | {one.source} | {one.severity} | {one.level} | {one.title} | {needs} |"
