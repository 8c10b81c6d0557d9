"""The dashboard asks for what is exposed, in words that Prometheus understands, and leaves nothing out."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mock_as import MockAS
from resource_server import ResourceServer
from resource_server.forward_auth import Metrics
from resource_server.prometheus import instrument
from tests.support.prometheus import DASHBOARD, expressions, promtool, rules

DOCUMENT: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DOCUMENT["panels"]
ASKED = re.compile(r"resource_server_\w+")
SERIES = ("_bucket", "_count", "_sum")


@pytest.fixture(scope="module")
def exposed() -> set[str]:
    """Return the names of all metrics, those of the gateway among them."""
    mock = MockAS()
    server = ResourceServer(issuer=mock.issuer, audience="https://api.example.test", strategy="jwks")
    registry = CollectorRegistry()
    instrument(server, registry)
    families = [*registry.collect(), *text_string_to_metric_families(Metrics().expose()[1].decode())]
    return {family.name + "_total" * (family.type == "counter") for family in families}


def named(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    return {re.sub(f"({'|'.join(SERIES)})$", "", name) for name in ASKED.findall(expression)}


def test_prometheus_understands_each_question(tmp_path: Path) -> None:
    """Each expression parses, the variables filled in."""
    recorded = [{"record": f"asked:{number}", "expr": asked} for number, asked in enumerate(expressions())]
    assert len(recorded) > 30
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}), encoding="utf-8")
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stderr


def test_all_of_it_is_exposed(exposed: set[str]) -> None:
    """Panels, variables and alerts name no metric that does not exist."""
    asked = {name for expression in expressions() for name in named(expression)}
    asked |= {name for variable in DOCUMENT["templating"]["list"] for name in named(json.dumps(variable))}
    asked |= {name for rule in rules() for name in named(rule["expr"])}
    assert asked <= exposed


def test_nothing_is_left_out(exposed: set[str]) -> None:
    """Each metric that is exposed can be seen on some panel."""
    assert exposed == {name for expression in expressions() for name in named(expression)}


def test_labels_of_legends() -> None:
    """A legend names labels that its expression keeps."""
    for target in [target for panel in PANELS for target in panel.get("targets", ())]:
        wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        [*kept] = re.findall(r"\bby \(([\w, ]+)\)", target["expr"])
        assert not kept or wanted <= set(re.split(", ?", kept[0])), target


def test_it_is_a_dashboard() -> None:
    """Grafana 10 and newer take it: whose data it shows is chosen in it, and so are jobs and issuers."""
    assert DOCUMENT["schemaVersion"] >= 38
    assert [variable["name"] for variable in DOCUMENT["templating"]["list"]] == ["datasource", "job", "issuer"]
    for target in [target for panel in PANELS for target in panel.get("targets", ())]:
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_rows_answer_questions() -> None:
    """The rows go from what callers see to what is behind it."""
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == [
        "Are callers served?",
        "Who refuses, and why?",
        "The authorization server",
        "Cache",
        "Keys and clock",
        "Fleet and revocations",
        "The gateway, where there is one",
    ]


def test_no_panel_covers_another() -> None:
    """Each panel has a place of its own, within the width of the page, and says what it shows."""
    taken = sorted((panel["gridPos"]["y"], panel["gridPos"]["x"], panel["gridPos"]["w"]) for panel in PANELS)
    for (y, x, width), (next_y, next_x, _) in pairwise(taken):
        assert x + width <= 24
        assert next_y > y or next_x >= x + width
    assert all(panel["title"] for panel in PANELS)
    assert all(panel.get("description") for panel in PANELS if panel["type"] != "row")
