"""What a run has found, in JSON, as JUnit's XML, and as a page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree.ElementTree import fromstring

import pytest

from resource_server.conformance.clause import Clause, Level, Outcome, Severity, Verdict
from resource_server.conformance.html import to_html
from resource_server.conformance.junit import to_junit
from resource_server.conformance.report import Report, Result
from resource_server.conformance.target import Target


def result(
    name: str, verdict: Verdict, severity: Severity = "high", observed: str = "it", level: Level = "MUST"
) -> Result:
    """Make a result."""
    outcome = Outcome(verdict, "" if verdict == "not_applicable" else "that", observed, "RFC 1 section 2")
    clause = Clause(name, "RFC 1 section 2", severity, level, f"Rule {name}", (), lambda _: outcome)
    return Result(clause, outcome, 0.1234)


def report(*results: Result) -> Report:
    """Make a report."""
    return Report(Target("orders", "http://127.0.0.1:1", {}, version="1.2"), results, "2026-01-02T03:04:05+00:00", 1.5)


MIXED = report(
    result("a", "passed", "critical"),
    result("b", "failed", "critical", observed='<b>401 "x"\x00'),
    result("c", "not_applicable", "low", observed="no reason"),
    result("d", "undecided", "medium"),
)


def test_the_score_is_by_severity() -> None:
    """Verdicts of one severity do not make up for those of another."""
    score = MIXED.score()
    assert score["critical"] == {"passed": 1, "failed": 1, "not_applicable": 0, "undecided": 0}
    assert score["low"]["not_applicable"] == score["medium"]["undecided"] == 1


@pytest.mark.parametrize(
    ("verdict", "whole"), [("passed", True), ("not_applicable", True), ("failed", False), ("undecided", False)]
)
def test_whole_is_what_has_nothing_failed_or_undecided(verdict: Verdict, whole: bool) -> None:  # noqa: FBT001 - a parameter
    """What could not be found out is not well."""
    assert report(result("a", "passed"), result("b", verdict)).whole is whole


def test_json_has_every_clause() -> None:
    """The document can be written, and each clause says what was expected, observed, and where the rule stands."""
    document = json.loads(json.dumps(MIXED.as_json()))
    assert document["target"] == {"name": "orders", "version": "1.2", "format": "both"}
    assert [one["verdict"] for one in document["clauses"]] == ["passed", "failed", "not_applicable", "undecided"]
    assert document["clauses"][0] == {
        "id": "a",
        "title": "Rule a",
        "source": "RFC 1 section 2",
        "severity": "critical",
        "level": "MUST",
        "verdict": "passed",
        "expected": "that",
        "observed": "it",
        "seconds": 0.123,
    }
    assert document["whole"] is False


def test_junit_tells_failures_errors_and_what_is_skipped() -> None:
    """Failed is a failure, undecided an error, and not applicable skipped; characters that XML lacks are replaced."""
    suite = fromstring(to_junit(MIXED).encode())  # noqa: S314 - we have written it
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["skipped"], ["error"]]
    assert suite[1][0].get("message") == 'expected: that; observed: <b>401 "x"?'
    assert suite[2][0].get("message") == "no reason"


class Page(HTMLParser):
    """Reads the texts of a page, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append(tag)
        self.loads += [str(value) for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.cells.append(data)


def test_the_page_needs_nothing_else() -> None:
    """There is no script and no address in it, and what a server has said is text."""
    page = Page(to_html(MIXED))
    assert not page.loads
    assert not {"script", "link", "img", "iframe", "b"} & set(page.tags)
    assert '<b>401 "x"\x00' in page.cells


def test_the_page_tells_what_failed_first() -> None:
    """Sections are in the order in which they matter, and there are none without clauses."""
    headings = [text for text in Page(to_html(MIXED)).cells if text.endswith(": 1")]
    assert headings == ["Failed: 1", "Undecided: 1", "Passed: 1", "Not applicable: 1"]
    assert "Failed: 0" not in to_html(report(result("a", "passed")))
