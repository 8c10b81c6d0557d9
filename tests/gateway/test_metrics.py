"""What Prometheus is told of the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resource_server._gateway.metrics import Metrics
from resource_server.events import AuthorizationServerAsked, StoreAvailable
from tests.gateway.door import Door

pytestmark = pytest.mark.anyio


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Read what was exposed: each number under its name and the values of its labels."""
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_is_counted() -> None:
    """Counted are the outcomes that are meant, what was asked for them, and what went wrong; never what callers say."""
    door = Door(counted=True, unavailable_status=503)
    token = door.mock_as.token(sub="subject-canary")
    for path in ("/auth", "/auth/nginx", "/auth/nginx"):
        await door.ask(path, token)
    await door.ask("/auth/nginx", "unknown-canary")
    await door.ask("/auth/nginx")
    await door.ask("/auth/nginx", query="nonsense=1")
    door.mock_as.fault("introspect", status=500)
    door.mock_as.fault("jwks", status=500)
    await door.ask("/auth/nginx", door.mock_as.token(format="opaque"))
    answer = await door.ask("/metrics")
    assert (answer.header("content-type") or "").startswith("text/plain")
    text = answer.body.decode()
    told = samples(text)
    checks = {labels: value for (name, labels), value in told.items() if name == "resource_server_checks_total"}
    assert checks == {
        ("auth", "200"): 1,
        ("nginx", "200"): 2,
        ("nginx", "401"): 2,
        ("nginx", "500"): 1,
        ("nginx", "503"): 1,
    }
    assert told["resource_server_check_seconds_count", ("nginx",)] == 6
    issuer = door.mock_as.issuer
    assert told["resource_server_validations_total", ("introspected", issuer, "active", "introspection")] == 1
    assert told["resource_server_validations_total", ("", issuer, "inactive", "introspection")] == 1
    assert told["resource_server_validation_seconds_count", (issuer, "introspection")] == 2
    assert told["resource_server_validation_seconds_count", (issuer, "none")] == 1
    assert told["resource_server_refusals_total", (issuer, "inactive", "401")] == 1
    assert told["resource_server_refusals_total", (issuer, "no_token", "401")] == 1
    assert told["resource_server_refusals_total", (issuer, "unavailable", "503")] == 1
    assert told["resource_server_faults_total", ("status_500", "introspection", issuer, "outage")] == 1
    assert told["resource_server_lookups_total", (issuer, "hit")] == 2
    assert "canary" not in text
    assert len([event for event in door.events if not isinstance(event, AuthorizationServerAsked)]) == 8


async def test_other_events_are_handed_on() -> None:
    """An event that is not counted is told all the same."""
    told: list[object] = []
    Metrics(told.append)(StoreAvailable("https://as.example.test"))
    assert told == [StoreAvailable("https://as.example.test")]


async def test_what_cannot_be_counted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting that fails, as where the disk is full, keeps no event from the log."""
    told: list[object] = []
    metrics = Metrics(told.append)

    def fail(event: object) -> None:
        raise OSError

    monkeypatch.setattr(metrics, "_metrics", fail)
    metrics(StoreAvailable("https://as.example.test"))
    assert told == [StoreAvailable("https://as.example.test")]


async def test_several_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the client counts for several workers, what all of them have counted is told."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    metrics = Metrics()
    metrics.judged("auth", 200, 0.001)
    # Which way of counting holds is decided when the client is imported: here nothing is in the folder.
    assert metrics.expose()[1] == b""
