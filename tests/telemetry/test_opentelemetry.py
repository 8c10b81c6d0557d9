"""What OpenTelemetry is told: metrics by the same names, and spans in the trace of the request that waited."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from contextlib import suppress
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from mock_as import MockAS
from resource_server import Assurance, BearerTokenError, Event, InvalidToken
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
from resource_server.opentelemetry import instrument
from resource_server.statistics import CAUSES, OTHER
from tests.support.api import API
from tests.support.blocking import BlockingStage
from tests.support.jwt import access_token, signing_key
from tests.support.origin import Gate, fails, publishes, says, says_no, says_yes
from tests.support.stage import Stage, bearer
from tests.telemetry.traces import Telemetry

pytestmark = pytest.mark.anyio
ISSUER = "https://as.example.com"


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return what a span says."""
    return dict(span.attributes or {})


def asked(
    status: int | None, cause: str | None = None, address: str = "as.example.com", port: int = 443
) -> AuthorizationServerAsked:
    """Make the event of a question."""
    return AuthorizationServerAsked("introspection", "POST", address, port, status, cause, 0.5, None, ISSUER)


def tell(stage: Stage, *events: Event) -> None:
    """Let a server tell events."""
    for event in events:
        stage.server._core.reports.tell(event)


@pytest.mark.parametrize(
    ("event", "name", "labels", "value"),
    [
        (
            TokenValidated("0123456789ab", "active", Assurance.LOCAL, None, 0.25, ISSUER, "jwks"),
            "resource_server.validations",
            {"issuer": ISSUER, "outcome": "active", "source": "jwks", "assurance": "local"},
            1,
        ),
        (
            TokenValidated("0123456789ab", "inactive", None, "expired", 0.25, ISSUER, "jwks"),
            "resource_server.validation",
            {"issuer": ISSUER, "source": "jwks"},
            0.25,
        ),
        (
            RequestRefused(403, "insufficient_scope", None, None, ISSUER),
            "resource_server.refusals",
            {"issuer": ISSUER, "status": 403, "reason": "insufficient_scope"},
            1,
        ),
        (
            RequestUnverifiable(503, None, ISSUER),
            "resource_server.refusals",
            {"issuer": ISSUER, "status": 503, "reason": "unavailable"},
            1,
        ),
        (
            AuthorizationServerUnavailable("jwks", "timeout", None, ISSUER),
            "resource_server.faults",
            {"issuer": ISSUER, "kind": "outage", "endpoint": "jwks", "cause": "timeout"},
            1,
        ),
        (
            ConfigurationFault("jwks", "status_404", ISSUER),
            "resource_server.faults",
            {"issuer": ISSUER, "kind": "configuration", "endpoint": "jwks", "cause": "status_404"},
            1,
        ),
        (RevocationHeard(0.5, ISSUER), "resource_server.revocation_lag", {"issuer": ISSUER}, 0.5),
        (
            SecurityEventReceived("invalid_key", 0, ISSUER),
            "resource_server.security_events",
            {"issuer": ISSUER, "result": "invalid_key"},
            1,
        ),
        (
            asked(503),
            "http.client.request.duration",
            {
                "http.request.method": "POST",
                "server.address": "as.example.com",
                "server.port": 443,
                "http.response.status_code": 503,
                "error.type": "503",
                "resource_server.endpoint": "introspection",
            },
            0.5,
        ),
        (
            asked(None, "timeout"),
            "http.client.request.duration",
            {
                "http.request.method": "POST",
                "server.address": "as.example.com",
                "server.port": 443,
                "error.type": "timeout",
                "resource_server.endpoint": "introspection",
            },
            0.5,
        ),
    ],
)
def test_every_event_is_counted(event: Event, name: str, labels: dict[str, Any], value: float) -> None:
    """An event adds one where it belongs; what is not counted adds nothing."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    tell(stage, event, StoreAvailable(ISSUER))
    assert telemetry.points()[name, frozenset(labels.items())] == value


async def test_what_is_read_when_somebody_asks(mock_as: MockAS) -> None:
    """What a request finds, and what a server holds, is read when the metrics are collected."""
    api = API(mock_as)
    telemetry = Telemetry(api.server)
    telemetry.watch(api.server)  # a second time, which changes nothing
    token = mock_as.token(scope="read")
    for _ in range(3):
        await api.send(token=token)
    issuer = ("issuer", mock_as.issuer)
    points = telemetry.points()
    assert points["resource_server.lookups", frozenset({issuer, ("result", "hit")})] == 2
    assert points["resource_server.lookups", frozenset({issuer, ("result", "miss")})] == 1
    assert points["resource_server.cached_tokens", frozenset({issuer, ("verdict", "active")})] == 1
    assert points["resource_server.keys", frozenset({issuer})] == 1
    assert points["resource_server.health", frozenset({("status", "ready")})] == 1
    assert points["resource_server.health", frozenset({("status", "down")})] == 0
    await api.send(token=token)
    assert telemetry.points()["resource_server.lookups", frozenset({issuer, ("result", "hit")})] == 3
    assert len(telemetry.spans("resource_server.validate")) == 1
    assert telemetry.units()["resource_server.key_set_age"] == "s"


def test_a_bounded_number_of_descriptions() -> None:
    """However many hosts and statuses there are, a metric names the first of them and tells the rest together."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    tell(stage, *(asked(200, address=f"{number}.example.com") for number in range(100)))
    tell(stage, *(asked(status) for status in range(300, 600)))
    series = [dict(labels) for name, labels in telemetry.points() if name == "http.client.request.duration"]
    assert len({each["server.address"] for each in series}) == 21
    assert len({each.get("http.response.status_code") for each in series}) == 41
    assert {each["error.type"] for each in series if "http.response.status_code" not in each} == {"_OTHER"}
    assert all(("server.port" in each) == (each["server.address"] != "other") for each in series)


def test_a_bounded_number_of_causes() -> None:
    """Whatever a cause is called, no more than so many are told apart."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    tell(stage, *(asked(None, f"cause_{number}") for number in range(100)), asked(None, "No word, at all"))
    series = [dict(labels) for name, labels in telemetry.points() if name == "http.client.request.duration"]
    assert len({each["error.type"] for each in series}) == CAUSES + 1
    assert {each["error.type"] for each in series} - {f"cause_{number}" for number in range(100)} == {OTHER}


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (asked(200), StatusCode.UNSET),
        (asked(307), StatusCode.UNSET),
        (asked(400), StatusCode.ERROR),
        (asked(503), StatusCode.ERROR),
        (asked(None, "timeout"), StatusCode.ERROR),
    ],
)
def test_the_span_of_a_question(event: AuthorizationServerAsked, status: StatusCode) -> None:
    """It is as long as the question was, and an error where the answer was one (the semantic conventions say so)."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    with telemetry.tracer.start_as_current_span("request"):
        tell(stage, event)
    (span,) = telemetry.spans("POST")
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 500_000_000
    assert span.status.status_code is status


def test_a_host_with_many_ports() -> None:
    """A server whose metadata name another port each time makes no more series than one with many hosts."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    tell(stage, *(asked(200, port=port) for port in range(1, 1000)))
    series = [dict(labels) for name, labels in telemetry.points() if name == "http.client.request.duration"]
    assert len({each.get("server.port") for each in series}) == 21


async def test_a_request_and_what_it_waited_for(mock_as: MockAS) -> None:
    """In the trace of a request is every question that it waited for, and what was found out about its token."""
    api = API(mock_as)
    telemetry = Telemetry(api.server)
    with telemetry.tracer.start_as_current_span("request") as request:
        await api.send(token=mock_as.token(format="opaque", scope="read"))
    (validated,) = telemetry.spans("resource_server.validate")
    (introspected,) = [
        span for span in telemetry.spans("POST") if attributes(span)["resource_server.endpoint"] == "introspection"
    ]
    for span in (validated, introspected):
        assert span.parent is not None
        assert span.parent.span_id == request.get_span_context().span_id
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
    assert introspected.kind is SpanKind.CLIENT
    assert attributes(introspected)["http.response.status_code"] == 200
    assert introspected.status.status_code is StatusCode.UNSET
    assert validated.kind is SpanKind.INTERNAL
    told = attributes(validated)
    assert len(told.pop("resource_server.token.fingerprint")) == 12
    assert told == {
        "resource_server.issuer": mock_as.issuer,
        "resource_server.outcome": "active",
        "resource_server.source": "introspection",
    }


async def test_a_refusal_is_in_the_span_of_its_request() -> None:
    """The span of a request says why it was refused, by the id that its sender was told."""
    stage = Stage(introspect=says_no(), jwks=publishes(signing_key()))
    telemetry = Telemetry(stage.server)
    with telemetry.tracer.start_as_current_span("request"), pytest.raises(InvalidToken) as refused:
        await stage.server.authenticate(bearer("bad"))
    (request,) = telemetry.spans("request")
    assert attributes(request) == {
        "resource_server.refusal.reason": "inactive",
        "resource_server.correlation_id": refused.value.correlation_id,
    }
    (validated,) = telemetry.spans("resource_server.validate")
    assert attributes(validated)["resource_server.reason"] == "inactive"


async def test_an_outage_is_an_error() -> None:
    """A question without an answer, and a token that nobody can tell anything of, are marked as errors."""
    stage = Stage({"strategy": "introspect", "retries": 0}, introspect=fails(httpx.ConnectError("no")))
    telemetry = Telemetry(stage.server)
    with telemetry.tracer.start_as_current_span("request"), suppress(BearerTokenError):
        await stage.server.authenticate(bearer("any"))
    for name in ("POST", "resource_server.validate"):
        (span,) = telemetry.spans(name)
        assert span.status.status_code is StatusCode.ERROR
    (request,) = telemetry.spans("request")
    assert attributes(request)["resource_server.refusal.reason"] == "unavailable"


def test_a_refusal_that_has_no_id() -> None:
    """An event without a correlation id marks its span all the same."""
    stage = Stage()
    telemetry = Telemetry(stage.server)
    with telemetry.tracer.start_as_current_span("request"):
        tell(stage, RequestUnverifiable(503, None, ISSUER), RequestRefused(401, None, None, None, ISSUER))
    (request,) = telemetry.spans("request")
    assert attributes(request) == {"resource_server.refusal.reason": "no_token"}


async def test_what_many_wait_for_is_in_the_trace_of_the_first() -> None:
    """One question for many is one span, in the trace of whoever came first."""
    gate = Gate(says_yes())
    stage = Stage({"strategy": "introspect"}, introspect=gate)
    telemetry = Telemetry(stage.server)
    spans: list[trace.Span] = []

    async def request() -> None:
        with telemetry.tracer.start_as_current_span("request") as span:
            spans.append(span)
            await stage.server.authenticate(bearer("shared"))

    tasks = [asyncio.ensure_future(request()) for _ in range(5)]
    await gate.arrived()
    gate.open()
    await asyncio.gather(*tasks)
    (question,) = telemetry.spans("POST")
    assert question.parent is not None
    assert question.parent.span_id == spans[0].get_span_context().span_id


async def test_what_outlives_its_request_begins_a_trace() -> None:
    """A renewal that ends after its request is in a trace of its own, with a link to the one it comes from."""
    gate = Gate(says_yes())
    stage = Stage({"strategy": "introspect", "cache_ttl": 60.0}, introspect=says_yes())
    telemetry = Telemetry(stage.server)
    await stage.server.authenticate(bearer("in-use"))
    stage.time.advance(59.0)
    stage.origin.replies["introspect"] = gate
    with telemetry.tracer.start_as_current_span("request") as request:
        await stage.server.authenticate(bearer("in-use"))
        await gate.arrived()
    validated = asyncio.Event()
    stage.server.observe(lambda event: validated.set() if isinstance(event, TokenValidated) else None)
    gate.open()
    await validated.wait()
    renewed = [span for span in telemetry.spans("resource_server.validate") if span.links]
    (link,) = renewed[0].links
    assert link.context.span_id == request.get_span_context().span_id
    assert renewed[0].parent is None
    assert renewed[0].context is not None
    assert renewed[0].context.trace_id != request.get_span_context().trace_id


def test_threads_keep_the_trace() -> None:
    """In threads, too, the keys that a request waits for are fetched in its trace, whichever thread does it."""
    stage = BlockingStage({"strategy": "jwks"}, jwks=publishes(signing_key()))
    telemetry = Telemetry(stage.server)
    with telemetry.tracer.start_as_current_span("request") as request:
        stage.server.authenticate(bearer(access_token()))
    questions = telemetry.spans("GET")
    assert questions
    assert {span.parent and span.parent.span_id for span in questions} == {request.get_span_context().span_id}


async def test_without_an_sdk() -> None:
    """Without an SDK nothing is told, and nothing else happens."""
    stage = Stage(introspect=says(200, {"active": False}), jwks=publishes(signing_key()))
    instrument(stage.server)
    instrument(Stage().server)
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("bad"))


async def test_an_exporter_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """What an exporter raises reaches no request."""

    class Broken:
        def on_start(self, *_: object) -> None:
            raise ValueError

    stage = Stage(introspect=says_yes(), jwks=publishes(signing_key()))
    telemetry = Telemetry(stage.server)
    telemetry.tracer_provider.add_span_processor(Broken())  # type: ignore[arg-type]  # as broken as can be
    assert (await stage.server.authenticate(bearer("good"))).subject
    assert "observer_failed" in caplog.text


BEFORE_AND_AFTER = """
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from resource_server import ResourceServer
    from resource_server.opentelemetry import instrument

    servers = [
        ResourceServer(issuer="https://as.example.com", audience="a", client_id="c", client_secret="s" * 32)
        for _ in range(2)
    ]
    instrument(servers[0])
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    instrument(servers[1])
    for server, hits in zip(servers, (3, 4)):
        server._core.state.cache.lookups.hits = hits
    for each in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
        if each.name == "resource_server.lookups":
            print(sum(point.value for point in each.data.data_points))
"""


def test_before_the_sdk_and_after_it() -> None:
    """Servers are told together, whether they were instrumented before the application chose its SDK or after that."""
    script = textwrap.dedent(BEFORE_AND_AFTER)
    told = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert told.split() == ["7"]
