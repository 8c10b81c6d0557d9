"""A real receiver of OTLP understands what is sent: metrics and spans come out of it as they were meant."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Generator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from mock_as import MockAS
from resource_server.opentelemetry import instrument
from tests.support.api import API
from tests.support.live import PATIENCE, end
from tests.support.valkey import free_port

pytestmark = pytest.mark.anyio
_ATTRIBUTE = re.compile(r"     -> ([a-z_.]+): \w+\((.*)\)")
_FIELD = re.compile(r"     -> (Name|Unit|DataType): (.*)")


def _program() -> Path | None:
    package = find_spec("rotel")
    program = Path(package.origin).with_name("rotel-agent") if package is not None and package.origin else None
    return program if program is not None and program.exists() else None


class Receiver:
    """Rotel, which writes down what it receives.

    Args:
        program: its program.
        folder: for its own files.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        """Start it."""
        http, grpc = free_port(), free_port()
        self.url = f"http://127.0.0.1:{http}"
        self._lines: Queue[str] = Queue()
        self._process = subprocess.Popen(
            [
                program, "start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed",
                "--debug-log", "traces", "--debug-log", "metrics", "--batch-timeout", "50ms",
                "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
                "--pid-file", folder / "pid", "--log-file", folder / "log",
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> None:
        """Return when it can be told something."""
        self.read_until(lambda lines: any("Starting Rotel" in line for line in lines))

    def read_until(self, has_all: Callable[[list[str]], bool]) -> list[str]:
        """Return what it has written, as soon as that is enough."""
        lines: list[str] = []
        deadline = monotonic() + PATIENCE
        while not has_all(lines):
            with suppress(Empty):
                lines.append(self._lines.get(timeout=deadline - monotonic()))
            assert monotonic() < deadline, "".join(lines)
        return lines

    def end(self) -> None:
        """End it."""
        end(self._process)
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))


@pytest.fixture
def receiver(tmp_path: Path) -> Generator[Receiver]:
    """Run a receiver for one test."""
    program = _program()
    if program is None:
        pytest.skip("rotel is not installed: the package rotel of constraints/dev.txt")
    running = Receiver(program, tmp_path)
    try:
        running.wait()
        yield running
    finally:
        running.end()


def spans(lines: list[str]) -> dict[str, dict[str, str]]:
    """Read the attributes of each span, by its name."""
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in lines:
        if line.startswith("    Name           : "):
            name = line.partition(": ")[2]
            found.setdefault(name, {})
        attribute = _ATTRIBUTE.fullmatch(line)
        if line.startswith("ResourceSpans"):
            name = ""
        elif attribute is not None and name:
            found[name] |= {attribute[1]: attribute[2]}
    return found


def units(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Read the unit and the type of each metric, by its name."""
    found: dict[str, tuple[str, str]] = {}
    told: dict[str, str] = {}
    for field in filter(None, map(_FIELD.fullmatch, lines)):
        told[field[1]] = field[2]
        if field[1] == "DataType":
            found[told["Name"]] = (told["Unit"], told["DataType"])
    return found


async def test_what_is_received(receiver: Receiver, mock_as: MockAS) -> None:
    """A request, a refusal and the numbers of a server come out of a receiver that others have written."""
    api = API(mock_as)
    resource = Resource({"service.name": "api"})
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.url}/v1/metrics"), 60_000)
    meters = MeterProvider([reader], resource, shutdown_on_exit=False)
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.url}/v1/traces")))
    instrument(api.server, meter_provider=meters, tracer_provider=tracers)
    with tracers.get_tracer("application").start_as_current_span("GET /things"):
        await api.send(token=mock_as.token(format="opaque", scope="read"))
        await api.send(token="unknown")
    meters.force_flush()
    lines = receiver.read_until(
        lambda lines: (
            {"GET /things", "POST", "resource_server.validate"} <= spans(lines).keys()
            and "resource_server.lookups" in units(lines)
            and "resource_server.health" in units(lines)
        )
    )
    meters.shutdown()
    tracers.shutdown()
    told = spans(lines)
    assert told["POST"]["http.request.method"] == "POST"
    assert told["POST"]["server.address"] == "as.example.test"
    assert told["POST"]["http.response.status_code"] == "200"
    assert told["resource_server.validate"]["resource_server.outcome"] == "inactive"
    assert told["GET /things"]["resource_server.refusal.reason"] == "inactive"
    numbers = units(lines)
    assert numbers["resource_server.lookups"] == ("{lookup}", "Sum")
    assert numbers["resource_server.health"] == ("1", "Gauge")
    assert numbers["http.client.request.duration"] == ("s", "Histogram")
    assert numbers["resource_server.in_flight"] == ("{question}", "Gauge")
