"""What Prometheus is told: every pinned metric, under bounded labels, and nothing that a caller has brought."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mock_as import MockAS
from resource_server import Assurance, BlockingResourceServer, ConfigurationError, Event, ResourceServer
from resource_server.events import (
    AuthorizationServerAsked,
    AuthorizationServerUnavailable,
    ConfigurationFault,
    RequestRefused,
    RequestUnverifiable,
    RevocationHeard,
    SecurityEventReceived,
    StoreAvailable,
    TokenValidated,
)
from resource_server.prometheus import Metrics, _leave_out_the_dead, instrument
from tests.support.api import API
from tests.support.origin import Origin
from tests.support.play import options

pytestmark = pytest.mark.anyio
ISSUER = "https://as.example.com"
EVENTS: list[Event] = [
    TokenValidated("0123456789ab", "active", Assurance.INTROSPECTED, None, 0.25, ISSUER, "l2"),
    RequestRefused(401, "invalid_token", "expired", "0123456789ab", ISSUER),
    RequestRefused(401, None, None, None, ISSUER),
    RequestUnverifiable(503, "0123456789ab", ISSUER),
    AuthorizationServerAsked("introspection", "POST", "as.example.com", 443, 503, None, 0.5, None, ISSUER),
    AuthorizationServerUnavailable("introspection", "status_503", None, ISSUER),
    ConfigurationFault("introspection", "status_401", ISSUER),
    RevocationHeard(0.125, ISSUER),
    SecurityEventReceived(None, 1, ISSUER),
    SecurityEventReceived("invalid_key", 0, ISSUER),
    StoreAvailable(ISSUER),
]
"""One of each that is counted, and one that is not."""


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read what was exposed: each number under its name and its labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return a number, as it is shown now."""
    return samples(generate_latest(registry).decode()).get((name, frozenset(labels.items())))


def server(**changes: Any) -> ResourceServer:
    """Make a server of whom nothing is asked."""
    return ResourceServer(transport=Origin(), **options(**changes))


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        (
            "validations_total",
            {"outcome": "active", "source": "l2", "assurance": "introspected"},
            1,
        ),
        ("validation_seconds_sum", {"source": "l2"}, 0.25),
        ("refusals_total", {"status": "401", "reason": "expired"}, 1),
        ("refusals_total", {"status": "401", "reason": "no_token"}, 1),
        ("refusals_total", {"status": "503", "reason": "unavailable"}, 1),
        ("asks_total", {"endpoint": "introspection", "outcome": "5xx"}, 1),
        ("ask_seconds_sum", {"endpoint": "introspection"}, 0.5),
        ("faults_total", {"kind": "outage", "endpoint": "introspection", "cause": "status_503"}, 1),
        ("faults_total", {"kind": "configuration", "endpoint": "introspection", "cause": "status_401"}, 1),
        ("revocation_lag_seconds_sum", {}, 0.125),
        ("security_events_total", {"result": "accepted"}, 1),
        ("security_events_total", {"result": "invalid_key"}, 1),
    ],
)
def test_every_event_is_counted(name: str, labels: dict[str, str], value: float) -> None:
    """An event adds one where it belongs."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for event in EVENTS:
        metrics(event)
    assert shown(registry, f"resource_server_{name}", issuer=ISSUER, **labels) == value


async def test_what_is_read_when_somebody_asks(mock_as: MockAS) -> None:
    """What a request finds, and what a server holds, is read when somebody asks."""
    api, registry = API(mock_as), CollectorRegistry()
    instrument(api.server, registry)
    token = mock_as.token(scope="read")
    for _ in range(3):
        await api.send(token=token)
    await api.send(token="unknown")
    await api.send(token="unknown")
    issuer = mock_as.issuer
    found = {
        result: shown(registry, "resource_server_lookups_total", issuer=issuer, result=result)
        for result in ("hit", "negative_hit", "miss")
    }
    assert found == {"hit": 2, "negative_hit": 1, "miss": 2}
    assert shown(registry, "resource_server_cached_tokens", issuer=issuer, verdict="active") == 1
    assert shown(registry, "resource_server_cached_tokens", issuer=issuer, verdict="inactive") == 1
    assert shown(registry, "resource_server_keys", issuer=issuer) == 1
    assert shown(registry, "resource_server_in_flight", issuer=issuer) == 0
    assert shown(registry, "resource_server_breaker_open", issuer=issuer, endpoint="introspection") == 0
    assert shown(registry, "resource_server_store_up", issuer=issuer) is None
    health = {name: shown(registry, "resource_server_health", status=name) for name in ("ready", "degraded", "down")}
    assert health == {"ready": 1, "degraded": 0, "down": 0}
    assert shown(registry, "resource_server_asks_total", issuer=issuer, endpoint="introspection", outcome="2xx") == 2


async def test_what_is_no_more_is_not_shown(mock_as: MockAS) -> None:
    """A number that nobody tells any more is taken away, and nothing else of it is left."""
    api, registry = API(mock_as), CollectorRegistry()
    metrics = instrument(api.server, registry)
    await api.send(token=mock_as.token(scope="read"))
    issuer = mock_as.issuer
    assert shown(registry, "resource_server_in_flight", issuer=issuer) == 0
    metrics._servers.discard(api.server)
    assert shown(registry, "resource_server_in_flight", issuer=issuer) is None
    assert shown(registry, "resource_server_lookups_total", issuer=issuer, result="miss") == 1


def test_servers_share_a_registry() -> None:
    """Two servers may be counted in one registry, and one that is instrumented twice is counted once."""
    registry = CollectorRegistry()
    first, second = server(), server(issuer="https://other.example.com")
    metrics = instrument(first, registry)
    assert instrument(second, registry) is metrics
    assert instrument(second, registry) is metrics
    for each in (first, second):
        each.tell_fault("door", "broken")
    for issuer in (ISSUER, "https://other.example.com"):
        labels = {"issuer": issuer, "kind": "configuration", "endpoint": "door", "cause": "broken"}
        assert shown(registry, "resource_server_faults_total", **labels) == 1


def test_threads_are_counted_too() -> None:
    """A server for threads is instrumented in the same way."""
    registry = CollectorRegistry()
    instrument(blocking := BlockingResourceServer(**options()), registry)
    assert shown(registry, "resource_server_in_flight", issuer=ISSUER) == 0
    blocking.close()


def test_the_usual_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the metrics are where the client has its own."""
    registry = CollectorRegistry()
    monkeypatch.setattr("resource_server.prometheus.REGISTRY", registry)
    metrics = instrument(server())
    kind, text = metrics.expose()
    assert kind.startswith("text/plain")
    assert samples(text.decode()) == samples(generate_latest(registry).decode())


WORKER = """
    import sys
    from resource_server import ResourceServer
    from resource_server.prometheus import _leave_out_the_dead, instrument
    from prometheus_client import CollectorRegistry

    server = ResourceServer(issuer="https://as.example.com", audience="a", client_id="c", client_secret="s" * 32)
    metrics = instrument(server, CollectorRegistry())
    lookups = server._core.state.cache.lookups
    lookups.hits = 5
    server.tell_fault("door", "broken")  # an event: what was counted so far is written down
    lookups.hits = 7
    server.tell_fault("door", "broken")  # too soon for another time
    if len(sys.argv) > 1:
        sys.stdout.write(metrics.expose()[1].decode())
"""


def test_several_workers(tmp_path: Path) -> None:
    """Workers write down what they count, and whoever is asked tells of all: of itself what it is now."""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    script = textwrap.dedent(WORKER)
    _, told = (
        samples(
            subprocess.run(
                [sys.executable, "-c", script, *last], env=environment, stdout=subprocess.PIPE, text=True, check=True
            ).stdout
        )
        for last in ([], ["expose"])
    )
    hits = frozenset({("issuer", ISSUER), ("result", "hit")})
    assert told["resource_server_lookups_total", hits] == 5 + 7
    broken = {("issuer", ISSUER), ("kind", "configuration"), ("endpoint", "door"), ("cause", "broken")}
    assert told["resource_server_faults_total", frozenset(broken)] == 4
    assert told["resource_server_in_flight", frozenset({("issuer", ISSUER)})] == 0


def test_dead_workers_hold_nothing(tmp_path: Path) -> None:
    """What a worker held is told for as long as it lives; what it has counted stays."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    held = {name: tmp_path / f"gauge_livemax_{name}.db" for name in (dead.pid, os.getpid(), 10**30, "odd")}
    counted = tmp_path / f"counter_{dead.pid}.db"
    for path in (*held.values(), counted):
        path.touch()
    _leave_out_the_dead(tmp_path)
    assert set(tmp_path.iterdir()) == {counted, *held.values()} - {held[dead.pid]}


def test_names_that_are_taken() -> None:
    """A registry that has other metrics by these names is refused, and shows its own as before."""
    registry = CollectorRegistry()
    Gauge("resource_server_info", "Of the application.", registry=registry).set(7)
    with pytest.raises(ConfigurationError, match=r"^registry "):
        instrument(server(), registry)
    assert samples(generate_latest(registry).decode())["resource_server_info", frozenset()] == 7


def test_who_asks_while_the_metrics_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape in that very moment waits until all of them are there: it takes the lock that is held meanwhile."""
    held: list[bool] = []
    make = Metrics._make_gauges

    def make_watched(metrics: Metrics) -> None:
        held.append(metrics._lock.locked())
        make(metrics)

    monkeypatch.setattr(Metrics, "_make_gauges", make_watched)
    metrics = instrument(server(), CollectorRegistry())
    assert (held, metrics._lock.locked()) == ([True], False)


def test_what_takes_long_is_done_seldom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Writing down for other workers takes no more than a hundredth of the time."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    now, written = [0.0], list[float]()
    metrics = Metrics(CollectorRegistry())

    def take_long() -> None:
        written.append(now[0])
        now[0] += 0.5

    monkeypatch.setattr(metrics, "refresh", take_long)
    monkeypatch.setattr("resource_server.prometheus.time.monotonic", lambda: now[0])
    for _ in range(200):
        metrics(StoreAvailable(ISSUER))
        now[0] += 1.0
    assert written == [0.0, 50.5, 101.0, 151.5]
