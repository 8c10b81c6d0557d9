"""The report for machines that know test suites."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from resource_server.conformance.report import Report, Result

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """Write a report as JUnit's XML: a failure for what failed, and skipped for what does not apply.

    Args:
        report: the report.
    """
    verdicts = [one.outcome.verdict for one in report.results]
    suite = Element(
        "testsuite",
        name=f"conformance of {report.target.name}",
        tests=str(len(verdicts)),
        failures=str(verdicts.count("failed")),
        errors=str(verdicts.count("undecided")),
        skipped=str(verdicts.count("not_applicable")),
        time=f"{report.seconds:.3f}",
        timestamp=report.at,
    )
    for one in report.results:
        _add(suite, one)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _add(suite: Element, one: Result) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=one.outcome.source,
        name=f"{one.clause.id} {one.clause.title}",
        time=f"{one.seconds:.3f}",
    )
    kind = {"failed": "failure", "undecided": "error", "not_applicable": "skipped"}.get(one.outcome.verdict)
    if kind is not None:
        message = one.outcome.observed
        if one.outcome.expected:
            message = f"expected: {one.outcome.expected}; observed: {message}"
        SubElement(case, kind, message=_NOT_XML.sub("?", message))
