"""The page names every metric with its labels, and no other."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from resource_server.prometheus import Metrics
from resource_server.statistics import GAUGES
from tests.docs.pages import read
from tests.support.stage import Stage
from tests.telemetry.traces import Telemetry

PAGE = "docs/telemetry.md"
_ROW = re.compile(r"^\| `(resource_server_\w+)` \| (.*?) ?\|", re.MULTILINE)
_WITHOUT_ISSUER = {"resource_server_health", "resource_server_info"}


def shown() -> dict[str, set[str]]:
    """Return the metrics of the page, each with its labels."""
    return {
        name: set(re.findall(r"`(\w+)`", labels)) | (set() if name in _WITHOUT_ISSUER else {"issuer"})
        for name, labels in _ROW.findall(read(PAGE))
    }


def test_every_metric_is_on_the_page() -> None:
    """Each metric of Prometheus is in the table under its name, with its labels."""
    registry = CollectorRegistry()
    Metrics(registry)
    found: dict[str, set[str]] = {}
    for collector in registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            (metric,) = collector.describe()
            suffix = "_total" if metric.type == "counter" else ""
            found[metric.name + suffix] = set(collector._labelnames)
    assert found == shown()


def test_the_other_names_follow_from_these() -> None:
    """The metrics of OpenTelemetry have the names that the page derives from those of Prometheus."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    meters = {name for name in telemetry.units() if name.startswith("resource_server.")}
    derived = {
        name.replace("resource_server_", "resource_server.").removesuffix("_total").removesuffix("_seconds")
        for name in shown()
    }
    assert meters
    assert meters <= derived
    assert {f"resource_server.{gauge.name.removesuffix('_seconds')}" for gauge in GAUGES} <= derived
