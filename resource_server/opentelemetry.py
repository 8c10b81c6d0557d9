"""OpenTelemetry: ``instrument(server)`` counts what a server does, and shows in traces what a request waited for.

Only the API is used: without an SDK nothing happens, and which exporter there is, is the application's to choose. A
request that is judged by what is known pays for nothing here. No attribute has a value that callers choose, but for a
token's fingerprint, which stands in spans alone.

References: OpenTelemetry semantic conventions for HTTP clients
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, MeterProvider, NoOpMeterProvider, Observation
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, Status, StatusCode, TracerProvider

from resource_server import statistics
from resource_server._validation.forks import fork_safe_lock
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

if TYPE_CHECKING:
    from resource_server._facade import Facade

__all__ = ["instrument"]

NAME = "resource_server"
"""Of the instrumentation, and before the name of each metric and attribute of our own."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
ADDRESSES, ANSWERS = 20, 40
"""How many hosts, and how many different statuses, are named in metrics."""
_BAD = 400
Attributes = dict[str, str | int | float | bool]


def instrument(
    server: Facade, *, meter_provider: MeterProvider | None = None, tracer_provider: TracerProvider | None = None
) -> None:
    """Count what a server does, and make a span of each question to its authorization server.

    Args:
        server: a ``ResourceServer`` or a ``BlockingResourceServer``; once for each.
        meter_provider: what makes the metrics; by default the global one.
        tracer_provider: what makes the spans; by default the global one.
    """
    provider = metrics.get_meter_provider() if meter_provider is None else meter_provider
    with _registering:
        # The global one is another object once there is an SDK, which takes over what was made before.
        key = _GLOBAL if provider is metrics.get_meter_provider() else provider
        known = _instrumented.get(key)
        meters = None if known is None else known()
        if meters is None:
            meters = _Meters(provider)
            _instrumented[key] = ref(meters)
    if meters.watch(server):
        server.observe(meters)
        server.observe(_Spans(trace.get_tracer(NAME, _version(), tracer_provider)))


class _Meters:
    """The metrics of one provider."""

    def __init__(self, provider: MeterProvider) -> None:
        self._labels = statistics.Labels()
        self._addresses, self._answers = statistics.Names(ADDRESSES), statistics.Names(ANSWERS)
        self._servers: WeakSet[Facade] = WeakSet()
        self._growth = statistics.Growth()
        self._lookups: dict[tuple[str, str], int] = {}
        self._lock = fork_safe_lock()
        meter = provider.get_meter(NAME, _version())
        counter = meter.create_counter
        self._validations = counter(f"{NAME}.validations", "{validation}", "Tokens found out about.")
        self._refusals = counter(f"{NAME}.refusals", "{request}", "Requests refused.")
        self._faults = counter(f"{NAME}.faults", "{fault}", "Outages met, and faults that somebody must mend.")
        self._security_events = counter(f"{NAME}.security_events", "{event}", "What was told unasked.")
        histogram = partial(meter.create_histogram, unit="s")
        self._validation = histogram(
            f"{NAME}.validation",
            description="How long it took to find out about a token.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._asked = histogram(
            "http.client.request.duration",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._lag = histogram(
            f"{NAME}.revocation_lag",
            description="How long a revocation of another worker was under way.",
            explicit_bucket_boundaries_advisory=LAG_SECONDS,
        )
        meter.create_observable_counter(
            f"{NAME}.lookups", [self._read_lookups], "{lookup}", "Requests with a token, by what was known of it."
        )
        for gauge in statistics.GAUGES:
            name = f"{NAME}.{gauge.name.removesuffix('_seconds')}"
            meter.create_observable_gauge(name, [partial(self._read, gauge)], gauge.unit, gauge.says)
        meter.create_observable_gauge(f"{NAME}.health", [self._read_health], "1", "How the server is doing.")

    def __call__(self, event: Event) -> None:
        """Count an event."""
        issuer = self._labels.issuer(event.issuer)
        if isinstance(event, TokenValidated):
            told = {"issuer": issuer, "source": event.source}
            more = {"outcome": event.outcome, "assurance": event.assurance or ""}
            self._validations.add(1, told | more)
            self._validation.record(event.seconds, told)
        elif isinstance(event, RequestRefused):
            reason = self._labels.reason(event.reason or event.error or "no_token")
            self._refusals.add(1, {"issuer": issuer, "status": event.status, "reason": reason})
        elif isinstance(event, RequestUnverifiable):
            self._refusals.add(1, {"issuer": issuer, "status": event.status, "reason": "unavailable"})
        elif isinstance(event, AuthorizationServerAsked):
            self._asked.record(event.seconds, self._of_a_question(event))
        else:
            self._count_what_is_rare(event, issuer)

    def watch(self, server: Facade) -> bool:
        """Read the numbers of one more server; tell whether it was none of them yet."""
        with self._lock:
            is_new = server not in self._servers
            self._servers.add(server)
        return is_new

    def _watched(self) -> list[Facade]:
        with self._lock:  # another one may be added meanwhile, in another thread
            return list(self._servers)

    def _count_what_is_rare(self, event: Event, issuer: str) -> None:
        if isinstance(event, AuthorizationServerUnavailable | ConfigurationFault):
            kind = "configuration" if isinstance(event, ConfigurationFault) else "outage"
            told = {"issuer": issuer, "kind": kind, "endpoint": event.endpoint}
            self._faults.add(1, told | {"cause": self._labels.cause(event.cause)})
        elif isinstance(event, RevocationHeard):
            self._lag.record(event.lag_seconds, {"issuer": issuer})
        elif isinstance(event, SecurityEventReceived):
            self._security_events.add(1, {"issuer": issuer, "result": event.error or "accepted"})

    def _of_a_question(self, event: AuthorizationServerAsked) -> Attributes:
        """Describe a question, with a bounded number of descriptions."""
        found = _describe(event)
        if self._addresses(f"{event.address} {event.port}") == statistics.OTHER:
            found |= {"server.address": statistics.OTHER}
            del found["server.port"]
        if event.status is not None and self._answers(str(event.status)) == statistics.OTHER:
            del found["http.response.status_code"]
            found["error.type"] = "_OTHER"
        if event.cause is not None:
            found["error.type"] = self._labels.cause(event.cause)
        return found

    def _read_lookups(self, _: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            for server in list(self._servers):
                for issuer, result, count in self._growth.take(server, server.statistics()):
                    key = (self._labels.issuer(issuer), result)
                    self._lookups[key] = self._lookups.get(key, 0) + count
            return [
                Observation(n, {"issuer": issuer, "result": result}) for (issuer, result), n in self._lookups.items()
            ]

    def _read(self, gauge: statistics.Gauge, _: CallbackOptions) -> Iterator[Observation]:
        told = [each for server in self._watched() for each in server.statistics()]
        for names, value in statistics.values(gauge, told, self._labels).items():
            yield Observation(value, dict(zip(("issuer", gauge.label or ""), names, strict=False)))

    def _read_health(self, _: CallbackOptions) -> Iterator[Observation]:
        status = statistics.worst(server.health().status for server in self._watched())
        for name in statistics.STATUSES:
            yield Observation(int(name == status), {"status": name})


class _Spans:
    """Makes spans of what has happened, in the trace of the request that has brought it about.

    What several requests wait for together is in the trace of the first of them. What has outlived its request, as a
    renewal in the background may, begins a trace of its own, with a link to the one it comes from.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, AuthorizationServerAsked):
            bad = event.status is None or event.status >= _BAD
            asked = _describe(event)
            asked[f"{NAME}.issuer"] = event.issuer
            self._show(event.method, SpanKind.CLIENT, event.seconds, asked, bad=bad)
        elif isinstance(event, TokenValidated):
            told: Attributes = {
                f"{NAME}.issuer": event.issuer,
                f"{NAME}.outcome": event.outcome,
                f"{NAME}.source": event.source,
                f"{NAME}.token.fingerprint": event.fingerprint,
            }
            if event.reason is not None:
                told[f"{NAME}.reason"] = event.reason
            bad = event.outcome == "unavailable"
            self._show(f"{NAME}.validate", SpanKind.INTERNAL, event.seconds, told, bad=bad)
        elif isinstance(event, RequestRefused | RequestUnverifiable):
            _mark(trace.get_current_span(), event)

    def _show(self, name: str, kind: SpanKind, seconds: float, told: Attributes, *, bad: bool) -> None:
        end = time.time_ns()
        context, links = _whence()
        span = self._tracer.start_span(
            name, context, kind=kind, attributes=told, links=links, start_time=end - round(seconds * 1e9)
        )
        if bad:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


def _whence() -> tuple[Context | None, tuple[Link, ...]]:
    """Return the context of a span, and what it is linked to."""
    current = trace.get_current_span()
    if current.is_recording() or isinstance(current, NonRecordingSpan):
        return None, ()
    return Context(), (Link(current.get_span_context()),)


def _mark(span: trace.Span, event: RequestRefused | RequestUnverifiable) -> None:
    """Say in the span of a request why it was refused."""
    reason = "unavailable" if isinstance(event, RequestUnverifiable) else event.reason or event.error or "no_token"
    span.set_attribute(f"{NAME}.refusal.reason", reason)
    if event.correlation_id is not None:
        span.set_attribute(f"{NAME}.correlation_id", event.correlation_id)


def _describe(event: AuthorizationServerAsked) -> Attributes:
    """Describe a question by the semantic conventions; of its URL only the host and the port."""
    told: Attributes = {
        "http.request.method": event.method,
        "server.address": event.address,
        "server.port": event.port,
        f"{NAME}.endpoint": event.endpoint,
    }
    if event.status is not None:
        told["http.response.status_code"] = event.status
    if event.status is None or event.status >= _BAD:
        told["error.type"] = event.cause or str(event.status)
    return told


def _version() -> str:
    return version("resource-server")


_instrumented: WeakKeyDictionary[MeterProvider, ReferenceType[_Meters]] = WeakKeyDictionary()
"""What belongs to a provider, which keeps it alive by what it reads."""
_GLOBAL = NoOpMeterProvider()
"""Stands for the global provider."""
_registering = fork_safe_lock()
