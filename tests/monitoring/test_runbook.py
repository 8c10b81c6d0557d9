"""The page about monitoring has a chapter for each alert, with the same parts, and what it shows can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import blocks, commands, read
from tests.support.prometheus import RULES, promtool, rules

PAGE = "docs/monitoring.md"
ALERTS = [rule["alert"] for rule in rules()]
PARTS = ["It means", "Callers see", "First:", "The mend", "Do not"]


def chapters() -> dict[str, str]:
    """Return the text of each chapter of the third level, by its heading."""
    _, *found = re.split(r"^### (.+)$", read(PAGE), flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


def test_a_chapter_for_each_alert() -> None:
    """Each alert has its chapter, and each chapter an alert, in the order of the rules where that is the page's."""
    assert sorted(chapters()) == sorted(ALERTS)


def test_each_alert_leads_to_its_chapter() -> None:
    """The address that an alert brings along is that of its chapter."""
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == PAGE
        assert anchor in {heading.lower() for heading in chapters()}


def test_the_table_tells_all_of_them() -> None:
    """The table of alerts has each of them, with its severity."""
    told = dict(re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \| (\w+) \|", read(PAGE), re.MULTILINE))
    assert told == {rule["alert"]: rule["labels"]["severity"] for rule in rules()}


@pytest.mark.parametrize("alert", ALERTS)
def test_each_chapter_has_the_same_parts(alert: str) -> None:
    """Who is woken finds the same five parts, in the same order, with three commands to begin with."""
    text = chapters()[alert]
    assert re.findall(r"^\*\*(It means|Callers see|First:|The mend|Do not):?\*\*", text, re.MULTILINE) == PARTS
    [first] = [block for block in blocks(PAGE, "console") if f"**First:**\n\n```console\n{block.text}```" in text]
    assert len(commands(first)) == 3
    assert any(command.line.startswith("resource-server doctor") for command in commands(first))


def test_metrics_that_it_names() -> None:
    """Commands and questions of the page look for metrics that the rules or the dashboard know."""
    known = {*re.findall(r"resource_server_\w+", RULES.read_text(encoding="utf-8"))}
    known |= {*re.findall(r"resource_server_\w+", RULES.with_name("dashboard.json").read_text(encoding="utf-8"))}
    asked = [line for block in blocks(PAGE, "console", "promql") for line in block.text.splitlines()]
    for name in {name for line in asked for name in re.findall(r"resource_server_\w+", line)}:
        assert any(metric.startswith(name.removesuffix("_sum")) for metric in known), name


def test_questions_are_understood(tmp_path: Path) -> None:
    """Prometheus understands the questions of the page."""
    asked = [{"record": f"asked:{number}", "expr": block.text} for number, block in enumerate(blocks(PAGE, "promql"))]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "page", "rules": asked}]}), encoding="utf-8")
    assert promtool("check", "rules", file).returncode == 0


def test_the_configuration_is_understood(tmp_path: Path) -> None:
    """Prometheus takes the configuration of the page, with the rules beside it."""
    [shown] = [block for block in blocks(PAGE, "yaml") if block.title == "prometheus.yml"]
    file = tmp_path / "prometheus.yml"
    file.write_text(shown.text, encoding="utf-8")
    (tmp_path / "alerts.yaml").write_bytes(RULES.read_bytes())
    checked = promtool("check", "config", file)
    assert checked.returncode == 0, checked.stderr
