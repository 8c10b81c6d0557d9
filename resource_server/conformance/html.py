"""The report as one page that needs nothing else: no script, no style sheet and no font from elsewhere."""

from __future__ import annotations

from html import escape

from resource_server.conformance.clause import SEVERITIES, VERDICTS, Verdict
from resource_server.conformance.report import Report, Result

_WORDS: dict[Verdict, str] = {
    "passed": "passed",
    "failed": "failed",
    "not_applicable": "not applicable",
    "undecided": "undecided",
}
_ORDER: tuple[Verdict, ...] = ("failed", "undecided", "passed", "not_applicable")
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { border-bottom: 1px solid #8886; padding: .4rem .6rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
.score { width: auto; }
.score td { text-align: right; }
.failed > :first-child { border-left: .4rem solid #c62828; }
.undecided > :first-child { border-left: .4rem solid #b26a00; }
.passed > :first-child { border-left: .4rem solid #2e7d32; }
.not_applicable > :first-child { border-left: .4rem solid #8888; }
code { font-size: .9em; }
"""


def to_html(report: Report) -> str:
    """Write a report as a page: the score by severity, and the clauses, those that failed first.

    Args:
        report: the report.
    """
    title = escape(f"Conformance of {report.target.name} {report.target.version}".strip())
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main>",
        f"<h1>{title}</h1>",
        f"<p>{escape(report.at)}, {len(report.results)} clauses in {report.seconds:.1f} seconds.</p>",
        *_score(report),
        *(line for verdict in _ORDER for line in _section(report, verdict)),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _row(tag: str, cells: list[str], kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<tr{attribute}>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _score(report: Report) -> list[str]:
    score = report.score()
    rows = [_row("td", [severity, *(str(score[severity][verdict]) for verdict in VERDICTS)]) for severity in SEVERITIES]
    head = _row("th", ["severity", *(_WORDS[verdict] for verdict in VERDICTS)])
    return ["<h2>Score</h2>", '<table class="score"><thead>', head, "</thead><tbody>", *rows, "</tbody></table>"]


def _section(report: Report, verdict: Verdict) -> list[str]:
    results = [one for one in report.results if one.outcome.verdict == verdict]
    if not results:
        return []
    head = _row("th", ["clause", "rule", "severity", "expected", "observed"])
    return [
        f"<h2>{_WORDS[verdict].capitalize()}: {len(results)}</h2>",
        "<table><thead>",
        head,
        "</thead><tbody>",
        *(_clause(one) for one in sorted(results, key=lambda one: SEVERITIES.index(one.clause.severity))),
        "</tbody></table>",
    ]


def _clause(one: Result) -> str:
    cells = [
        f"<code>{escape(one.clause.id)}</code><br>{escape(one.clause.source)}",
        escape(one.clause.title),
        f"{one.clause.severity}<br>{one.clause.level}",
        escape(one.outcome.expected),
        escape(one.outcome.observed),
    ]
    return _row("td", cells, one.outcome.verdict)
