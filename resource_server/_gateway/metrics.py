"""What Prometheus is told. The only module that speaks to its client, which comes with an extra.

No label has a value that callers choose: no path, no subject, no token.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from resource_server.events import (
    AuthorizationServerUnavailable,
    ConfigurationFault,
    Event,
    LoggingObserver,
    Observer,
    RequestRefused,
    RequestUnverifiable,
    TokenValidated,
)

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

SEVERAL = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which the client counts for all workers of one host together."""
_CHECK_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ASKING_SECONDS = _CHECK_SECONDS[3:]


class Metrics:
    """Counts what a server does; an observer, which hands every event on.

    Args:
        then: the observer that comes after it; by default events are logged.
    """

    def __init__(self, then: Observer | None = None) -> None:
        """Make a registry of its own: the application's has other things in it."""
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415 - comes with an extra

        self._then: Observer = then or LoggingObserver()
        self._registry = registry = CollectorRegistry()
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
        self._validations = Counter(
            "resource_server_validations",
            "Tokens found out about, which were not in the cache.",
            ("outcome", "assurance"),
            registry=registry,
        )
        self._validation_seconds = Histogram(
            "resource_server_validation_seconds", "How long that took.", registry=registry, buckets=_ASKING_SECONDS
        )
        self._refusals = Counter("resource_server_refusals", "Requests refused.", ("reason",), registry=registry)
        self._faults = Counter(
            "resource_server_faults",
            "Outages met, and faults that somebody must mend.",
            ("kind", "endpoint"),
            registry=registry,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, TokenValidated):
            self._validations.labels(event.outcome, event.assurance or "").inc()
            self._validation_seconds.observe(event.seconds)
        elif isinstance(event, RequestRefused):
            self._refusals.labels(event.reason or event.error or "no_token").inc()
        elif isinstance(event, RequestUnverifiable):
            self._refusals.labels("unavailable").inc()
        elif isinstance(event, AuthorizationServerUnavailable):
            self._faults.labels("outage", event.endpoint).inc()
        elif isinstance(event, ConfigurationFault):
            self._faults.labels("configuration", event.endpoint).inc()
        self._then(event)

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
        from prometheus_client import CollectorRegistry, exposition  # noqa: PLC0415 - as above

        registry = self._registry
        if SEVERAL in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - for several workers

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client's own omission
        return exposition.CONTENT_TYPE_LATEST.encode("ascii"), exposition.generate_latest(registry)
