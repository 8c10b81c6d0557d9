"""An application's own telemetry, kept in memory."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resource_server import BlockingResourceServer, ResourceServer
from resource_server.opentelemetry import instrument

Point = tuple[str, frozenset[tuple[str, Any]]]


class Telemetry:
    """Providers of an application, and what has come to them."""

    def __init__(self, server: ResourceServer | BlockingResourceServer) -> None:
        """Instrument a server."""
        self._reader, self._exporter = InMemoryMetricReader(), InMemorySpanExporter()
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.tracer_provider.get_tracer("application")
        self.watch(server)

    def watch(self, server: ResourceServer | BlockingResourceServer) -> None:
        """Instrument one more server."""
        instrument(server, meter_provider=self.meter_provider, tracer_provider=self.tracer_provider)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans that have ended, of one name where one is given."""
        return [span for span in self._exporter.get_finished_spans() if name in (None, span.name)]

    def points(self) -> dict[Point, float]:
        """Return every number: of a histogram the sum."""
        found: dict[Point, float] = {}
        for metric in self._metrics():
            for point in metric.data.data_points:
                value = getattr(point, "value", None)
                labels = frozenset((point.attributes or {}).items())
                found[metric.name, labels] = getattr(point, "sum", 0.0) if value is None else value
        return found

    def units(self) -> dict[str, str | None]:
        """Return the unit of each metric."""
        return {metric.name: metric.unit for metric in self._metrics()}

    def _metrics(self) -> list[Metric]:
        data = self._reader.get_metrics_data()
        scopes = [scope for each in ([] if data is None else data.resource_metrics) for scope in each.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]
