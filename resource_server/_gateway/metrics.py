"""What Prometheus is told of the gateway: what every server counts, and what it answers to proxies.

No label has a value that callers choose: no path, no subject, no token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resource_server._runtime.observe import notify
from resource_server.events import Event, LoggingObserver, Observer
from resource_server.statistics import SEVERAL

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

    from resource_server.server import ResourceServer

__all__ = ["SEVERAL", "Metrics"]

_CHECK_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts what a server does; an observer, which hands every event on.

    Args:
        then: the observer that comes after it; by default events are logged.
    """

    def __init__(self, then: Observer | None = None) -> None:
        """Make a registry of its own: the application's has other things in it."""
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415 - comes with an extra

        from resource_server import prometheus  # noqa: PLC0415 - as above

        self._then: Observer = then or LoggingObserver()
        self._registry = registry = CollectorRegistry()
        self._metrics = prometheus.Metrics(registry)
        self._checks = Counter(
            "resource_server_checks", "Requests judged for a proxy.", ("endpoint", "status"), registry=registry
        )
        self._check_seconds = Histogram(
            "resource_server_check_seconds",
            "How long that took.",
            ("endpoint",),
            registry=registry,
            buckets=_CHECK_SECONDS,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def __call__(self, event: Event) -> None:
        """Count an event."""
        notify(self._metrics, event)  # a full disk, where workers count in files, keeps nothing from being logged
        self._then(event)

    def watch(self, server: ResourceServer) -> None:
        """Read the numbers of a server, too, when somebody asks.

        Args:
            server: the gateway's, which tells its events already.
        """
        self._metrics.watch(server)

    def judged(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that a proxy has asked about.

        Args:
            endpoint: the gateway's, by its name.
            status: the one that is meant.
            seconds: how long it took.
        """
        known = self._known.get((endpoint, status))
        if known is None:
            # To look up a label costs as much as to count.
            counters = self._checks.labels(endpoint, str(status)), self._check_seconds.labels(endpoint)
            known = self._known[endpoint, status] = counters
        known[0].inc()
        known[1].observe(seconds)

    def expose(self) -> tuple[bytes, bytes]:
        """Return the media type and the body for who asks; with several workers, of all of them together."""
        kind, text = self._metrics.expose()
        return kind.encode("ascii"), text
