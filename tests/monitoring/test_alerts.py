"""The alert rules fire where they should, and where only something like it is wrong they do not."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import RULES, hurried, promtool, rules

SITUATIONS = Path(__file__).with_name("situations.yaml")
NAMES = {
    "ResourceServerAuthorizationServerDown": "warning",
    "ResourceServerClockSkew": "warning",
    "ResourceServerCredentialsRefused": "critical",
    "ResourceServerDegraded": "warning",
    "ResourceServerDown": "critical",
    "ResourceServerRefusalsRising": "warning",
    "ResourceServerRevocationsLate": "warning",
    "ResourceServerSlow": "warning",
    "ResourceServerStoreDown": "warning",
    "ResourceServerUnknownKeys": "warning",
}


@cache
def situations() -> list[dict[str, Any]]:
    """Read what is tried."""
    found: list[dict[str, Any]] = yaml.safe_load(SITUATIONS.read_text(encoding="utf-8"))["tests"]
    return found


def expected(test: dict[str, Any]) -> set[str]:
    """Return the alerts that a situation ends with, at whichever time."""
    samples = [sample["labels"] for query in test["promql_expr_test"] for sample in query["exp_samples"]]
    return {found[1] for labels in samples if (found := re.search(r'alertname="(\w+)"', labels))}


def test_prometheus_reads_them() -> None:
    """Prometheus takes the rules, templates included."""
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(NAMES)} rules found" in checked.stdout


def test_situations() -> None:
    """In each situation exactly the alerts fire that somebody can do something about."""
    tested = promtool("test", "rules", SITUATIONS)
    assert tested.returncode == 0, tested.stdout


def test_each_alert_has_its_situations() -> None:
    """Each alert fires in one situation at least, and is silent in others whose series it looks at."""
    for name in NAMES:
        fires = [test["name"] for test in situations() if name in expected(test)]
        silent = [test["name"] for test in situations() if name not in expected(test) and looks_at(name, test)]
        assert fires, name
        assert silent, name


def looks_at(name: str, test: dict[str, Any]) -> bool:
    """Tell whether a situation is told in series that a rule reads."""
    [expression] = [rule["expr"] for rule in rules() if rule["alert"] == name]
    read = set(re.findall(r"resource_server_\w+", expression))
    return any(series["series"].partition("{")[0] in read for series in test["input_series"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_what_each_says(rule: dict[str, Any]) -> None:
    """Each has a severity, a line to read in the night, some more, and the chapter that says what to do."""
    assert rule["labels"] == {"severity": NAMES[rule["alert"]]}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/monitoring.md#{rule['alert'].lower()}"
    assert len(rule["annotations"]["summary"]) <= 110
    assert rule["annotations"]["description"].endswith(".")


def test_all_of_them() -> None:
    """No alert is lost, and none comes unseen."""
    assert sorted(rule["alert"] for rule in rules()) == sorted(NAMES)


def test_a_critical_one_comes_at_once() -> None:
    """Who is woken is woken early, and only one of the two has to last: a refusal of our credentials does not pass."""
    waits = {rule["alert"]: rule.get("for") for rule in rules() if rule["labels"]["severity"] == "critical"}
    assert waits == {"ResourceServerDown": "1m", "ResourceServerCredentialsRefused": None}


def test_in_a_hurry() -> None:
    """The same rules in less time differ in their durations only, and in all of them."""
    text = "for: 1m\nexpr: rate(a_5m[5m] offset 1h) > 5 and max_over_time(b[90s]) == 1"
    assert (
        hurried(text) == "for: 2000ms\nexpr: rate(a_5m[10000ms] offset 120000ms) > 5 and max_over_time(b[3000ms]) == 1"
    )
    slow, duration = RULES.read_text(encoding="utf-8"), r"\d+(?:s|m|h|ms)(?=\]|\b)"
    assert re.findall(duration, hurried(slow, times=1)) != re.findall(duration, hurried(slow))
    assert re.sub(duration, "", hurried(slow)) == re.sub(duration, "", slow)
    assert not set(re.findall(r"\[\d+[smh]\]|offset \d+[smh]\b|for: \d+[smh]\b", hurried(slow)))
