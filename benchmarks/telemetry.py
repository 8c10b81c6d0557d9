"""What it costs a warm hit that somebody counts: the metrics are exported, or scraped, at the end of every round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider
from prometheus_client import CollectorRegistry, generate_latest

from benchmarks.harness import Figure, Work, interleave
from benchmarks.support import TOKEN, InProcessServer, resource_server
from resource_server import RequestParts, Requirement, ResourceServer, all_of, prometheus
from resource_server import opentelemetry as otel

HITS = 5_000
"""How many hits one export is paid for by: ten seconds of a worker with 500 requests in one."""
_REQUEST = RequestParts("GET", [(b"host", b"api.example"), (b"authorization", b"Bearer " + TOKEN.encode())])
_READ = Requirement(scopes=all_of("orders:read"))


async def measure() -> list[Figure]:
    """Compare a warm hit without telemetry to one with each kind of it."""
    with _sink() as url:
        exporter = OTLPMetricExporter(f"{url}/v1/metrics")
        meters = MeterProvider([PeriodicExportingMetricReader(exporter, 3_600_000)], shutdown_on_exit=False)
        registry = CollectorRegistry()
        plain, silent, exported, scraped = (resource_server(InProcessServer()) for _ in range(4))
        otel.instrument(silent, meter_provider=NoOpMeterProvider(), tracer_provider=NoOpTracerProvider())
        otel.instrument(exported, meter_provider=meters, tracer_provider=TracerProvider(shutdown_on_exit=False))
        prometheus.instrument(scraped, registry)
        rounds = await interleave(
            {
                "without": _hits(plain),
                "no-op": _hits(silent),
                "exported": _hits(exported, meters.force_flush),
                "scraped": _hits(scraped, lambda: generate_latest(registry)),
            },
            repetitions=HITS,
            rounds=21,
        )
        meters.shutdown()
    names = {"no-op": "OpenTelemetry, no provider", "exported": "OpenTelemetry, exported", "scraped": "Prometheus"}
    targets = {"no-op": 2.0, "exported": 8.0, "scraped": 8.0}
    figures = [Figure("warm hit without telemetry", rounds.median("without"), "µs")]
    for case, name in names.items():
        added = rounds.added(case, "without")
        figures.append(
            Figure(
                f"warm hit, {name}", rounds.median(case), "µs", "without", rounds.ratio(case, "without"), added,
                target=f"added <= {targets[case]:.0f} µs", met=added <= targets[case],
                note="" if case == "no-op" else f"one for {HITS:,} hits",
            )
        )  # fmt: skip
    return figures


def _hits(server: ResourceServer, tell: Callable[[], object] = lambda: None) -> Work:
    async def work(repetitions: int) -> None:
        for _ in range(repetitions):
            await server.authenticate(_REQUEST, _READ)
        await asyncio.to_thread(tell)

    return work


@contextmanager
def _sink() -> Generator[str]:
    """Receive whatever is exported, and look at nothing of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receive)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Receive(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name of it there
        """Say nothing."""
