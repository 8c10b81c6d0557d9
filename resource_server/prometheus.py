"""Prometheus: ``instrument(server)`` counts what a server does, in a registry of ``prometheus_client``.

A request that is judged by what is known pays for nothing here: everything but events is read when somebody asks for
the metrics. No label has a value that callers choose, and each has a bounded number of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

import prometheus_client
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.registry import Collector

from resource_server import statistics
from resource_server._validation.forks import fork_safe_lock
from resource_server.errors import ConfigurationError
from resource_server.events import (
    AuthorizationServerAsked,
    AuthorizationServerUnavailable,
    ConfigurationFault,
    Event,
    RequestRefused,
    RequestUnverifiable,
    RevocationHeard,
    SecurityEventReceived,
    TokenValidated,
)
from resource_server.statistics import SEVERAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Metric

    from resource_server._facade import Facade

__all__ = ["Metrics", "instrument"]

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
WRITTEN_EVERY = 1.0
"""Seconds between two times at which a worker writes down for the others what it has counted."""
SPARED = 100
"""How many times as long as that takes it does not: with a thousand issuers it takes a tenth of a second."""
_MODES: dict[str, Literal["livesum", "livemax", "livemin", "livemostrecent"]] = {
    "sum": "livesum",
    "max": "livemax",
    "min": "livemin",
    "farthest": "livemostrecent",
}


def instrument(server: Facade, registry: CollectorRegistry | None = None) -> Metrics:
    """Count what a server does.

    Servers may share a registry: what they count about one issuer is counted together.

    Args:
        server: a ``ResourceServer`` or a ``BlockingResourceServer``.
        registry: where the metrics are shown; by default the client's own.

    Returns:
        What counts. Nothing needs to be done with it.
    """
    where = REGISTRY if registry is None else registry
    with _registering:
        known = _instrumented.get(where)
        metrics = None if known is None else known()
        if metrics is None:
            metrics = Metrics(where)
            _instrumented[where] = ref(metrics)
    if metrics.watch(server):
        server.observe(metrics)
    return metrics


class Metrics:
    """The metrics in one registry: an observer, and what reads the numbers of servers when somebody asks.

    Args:
        registry: where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Start with nothing counted."""
        self._registry = registry
        self._labels = statistics.Labels()
        self._servers: WeakSet[Facade] = WeakSet()
        self._growth = statistics.Growth()
        self._shown: dict[str, set[tuple[str, ...]]] = {}
        self._write_at = 0.0
        self._lock = fork_safe_lock()
        reader = _Reader(self.refresh)
        with self._lock:  # who asks for the metrics meanwhile waits until all are there
            registry.register(reader)  # ahead of the others: they are shown in this order
            try:
                self._make_counters()
                self._make_gauges()
            except ValueError:
                registry.unregister(reader)
                raise ConfigurationError("registry must not have other metrics named resource_server_*") from None

    def __call__(self, event: Event) -> None:
        """Count an event."""
        issuer = self._labels.issuer(event.issuer)
        if isinstance(event, TokenValidated):
            self._validations.labels(issuer, event.outcome, event.source, event.assurance or "").inc()
            self._validation_seconds.labels(issuer, event.source).observe(event.seconds)
        elif isinstance(event, RequestRefused):
            self._refusals.labels(
                issuer, event.status, self._labels.reason(event.reason or event.error or "no_token")
            ).inc()
        elif isinstance(event, RequestUnverifiable):
            self._refusals.labels(issuer, event.status, "unavailable").inc()
        elif isinstance(event, AuthorizationServerAsked):
            self._asks.labels(issuer, event.endpoint, self._labels.outcome(event.status, event.cause)).inc()
            self._ask_seconds.labels(issuer, event.endpoint).observe(event.seconds)
        else:
            self._count_what_is_rare(event, issuer)
        if SEVERAL in os.environ:
            self._write()

    def watch(self, server: Facade) -> bool:
        """Read the numbers of one more server when somebody asks.

        Args:
            server: the server; it is not kept alive by this.

        Returns:
            Whether it was none of them yet.
        """
        with self._lock:
            is_new = server not in self._servers
            self._servers.add(server)
        return is_new

    def refresh(self) -> None:
        """Read the numbers of all servers; done by itself when somebody asks for the registry."""
        with self._lock:
            told: list[statistics.Statistics] = []
            for server in list(self._servers):
                numbers = server.statistics()
                told += numbers
                for issuer, result, count in self._growth.take(server, numbers):
                    self._lookups.labels(self._labels.issuer(issuer), result).inc(count)
            for gauge, shown in self._gauges:
                _show(shown, statistics.values(gauge, told, self._labels), self._shown.setdefault(gauge.name, set()))
            status = statistics.worst(server.health().status for server in list(self._servers))
            for name in statistics.STATUSES:
                self._health.labels(name).set(name == status)

    def expose(self) -> tuple[str, bytes]:
        """Return the media type and the text for who asks; with several workers, of all of them together."""
        from prometheus_client import exposition  # noqa: PLC0415 - for who has no other door to it

        registry = self._registry
        if SEVERAL in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - for several workers

            self.refresh()
            _leave_out_the_dead(Path(os.environ[SEVERAL]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client's own omission
        return exposition.CONTENT_TYPE_LATEST, exposition.generate_latest(registry)

    def _count_what_is_rare(self, event: Event, issuer: str) -> None:
        if isinstance(event, AuthorizationServerUnavailable | ConfigurationFault):
            kind = "configuration" if isinstance(event, ConfigurationFault) else "outage"
            self._faults.labels(issuer, kind, event.endpoint, self._labels.cause(event.cause)).inc()
        elif isinstance(event, RevocationHeard):
            self._lag.labels(issuer).observe(event.lag_seconds)
        elif isinstance(event, SecurityEventReceived):
            self._security_events.labels(issuer, event.error or "accepted").inc()

    def _write(self) -> None:
        """Write down for the other workers what this one has counted, now and then."""
        now = time.monotonic()
        if now >= self._write_at:
            self._write_at = now + WRITTEN_EVERY
            self.refresh()
            self._write_at = now + max(WRITTEN_EVERY, SPARED * (time.monotonic() - now))

    def _make_counters(self) -> None:
        self._lookups = self._counter("lookups", "Requests with a token, by what was known of it.", "result")
        self._validations = self._counter(
            "validations", "Tokens found out about, which were not known.", "outcome", "source", "assurance"
        )
        self._validation_seconds = self._histogram("validation_seconds", "How long that took.", "source")
        self._refusals = self._counter("refusals", "Requests refused.", "status", "reason")
        self._asks = self._counter("asks", "Questions to the authorization server.", "endpoint", "outcome")
        self._ask_seconds = self._histogram("ask_seconds", "How long the answer took.", "endpoint")
        self._faults = self._counter(
            "faults", "Outages met, and faults that somebody must mend.", "kind", "endpoint", "cause"
        )
        self._lag = self._histogram(
            "revocation_lag_seconds", "How long a revocation of another worker was under way.", buckets=LAG_SECONDS
        )
        self._security_events = self._counter("security_events", "What was told unasked.", "result")

    def _make_gauges(self) -> None:
        self._gauges = [(gauge, self._gauge(gauge)) for gauge in statistics.GAUGES]
        self._health = prometheus_client.Gauge(
            "resource_server_health", "How the server is doing.", ("status",), registry=self._registry,
            multiprocess_mode="livemax",
        )  # fmt: skip
        info = prometheus_client.Gauge(
            "resource_server_info", "What runs.", ("version",), registry=self._registry, multiprocess_mode="livemax"
        )
        info.labels(version("resource-server")).set(1)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"resource_server_{name}", says, ("issuer", *labels), registry=self._registry)

    def _histogram(self, name: str, says: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
        full_name = f"resource_server_{name}"
        return Histogram(full_name, says, ("issuer", *labels), registry=self._registry, buckets=buckets)

    def _gauge(self, gauge: statistics.Gauge) -> prometheus_client.Gauge:
        return prometheus_client.Gauge(
            f"resource_server_{gauge.name}",
            gauge.says,
            ("issuer",) if gauge.label is None else ("issuer", gauge.label),
            registry=self._registry,
            multiprocess_mode=_MODES[gauge.among],
        )


def _show(gauge: prometheus_client.Gauge, values: dict[tuple[str, ...], float], before: set[tuple[str, ...]]) -> None:
    """Show these values and no others."""
    for names, value in values.items():
        gauge.labels(*names).set(value)
    for names in before.difference(values) if SEVERAL not in os.environ else ():
        gauge.remove(*names)  # with several workers that cannot be: another one may still show it
    before.clear()
    before.update(values)


def _leave_out_the_dead(folder: Path) -> None:
    """Remove what workers held that are no more: an endpoint that was left alone when one died is not so for ever."""
    for path in folder.glob("gauge_live*_*.db"):
        worker = path.stem.rpartition("_")[2]
        if worker.isdecimal() and not _lives(int(worker)):
            path.unlink(missing_ok=True)


def _lives(worker: int) -> bool:
    try:
        os.kill(worker, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is somebody else's, or nobody can tell
        return True
    return True


class _Reader(Collector):
    """Shows nothing of its own: it has the numbers read before the others show them."""

    def __init__(self, read: Callable[[], None]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        self._read()
        return ()


_instrumented: WeakKeyDictionary[CollectorRegistry, ReferenceType[Metrics]] = WeakKeyDictionary()
"""What belongs to a registry, which keeps it alive by what it reads."""
_registering = fork_safe_lock()
