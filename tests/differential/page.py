"""Write the table of meant differences into the documentation: ``python -m tests.differential.page``."""

from __future__ import annotations

from pathlib import Path

from tests.differential.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "second-opinion.md"
_BEGIN, _END = "<!-- the table of differences -->\n", "<!-- its end -->"
_WHO = {"ours": "this library", "theirs": "oauth4webapi"}


def table() -> str:
    """Return the table: one row for each rule."""
    rows = [f"| {rule.name} | {_WHO[rule.stricter]} | {rule.reason} |" for rule in RULES]
    return "\n".join(["| what is sent | who refuses it | why |", "|---|---|---|", *rows])


def renewed(page: str) -> str:
    """Return the page with the table as it should be."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table()}\n\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
