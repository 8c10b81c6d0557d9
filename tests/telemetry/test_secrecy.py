"""Nothing that a caller has brought, and no secret of ours, is in any label, attribute or line of what is told."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mock_as import MockAS
from resource_server import AuthorizationServer, BearerTokenError, Event, Requirement, ResourceServer, all_of
from resource_server.events import (
    AuthorizationServerAsked,
    AuthorizationServerUnavailable,
    ConfigurationFault,
    RequestRefused,
    TokenValidated,
)
from resource_server.prometheus import Metrics, instrument
from tests.support.api import API
from tests.support.jwt import access_token, signing_key
from tests.support.origin import Origin, publishes, says_yes
from tests.support.play import Time, options
from tests.support.stage import Stage, bearer
from tests.telemetry.traces import Telemetry

pytestmark = [pytest.mark.anyio, pytest.mark.attack("A-S-1")]
WRITE = Requirement(scopes=all_of("write"))
CANARIES = ("canary-subject", "canary-client", "canary-claim", "canary-token", "canary-kid", "canary-scope")


async def everything(api: API, mock_as: MockAS) -> None:
    """Meet what there is to meet: good tokens, bad ones, strange ones, and an authorization server that fails."""
    whom: dict[str, Any] = {"sub": "canary-subject", "client_id": "canary-client", "scope": "read canary-scope"}
    tokens: list[Any] = [
        mock_as.token(**whom),
        mock_as.token(format="opaque", **whom),
        mock_as.token(expires_in=-60, **whom),
        mock_as.token(aud="https://canary-claim.example.com", **whom),
        "canary-token",
        "canary-token\x7f",
        access_token(head={"kid": "canary-kid"}, sub="canary-subject", iss="https://canary-claim.example.com"),
    ]
    for token in [*tokens, *tokens]:
        with suppress(BearerTokenError):
            await api.server.authenticate(bearer(getattr(token, "value", token)), WRITE)
    for status in (503, 400):
        mock_as.fault("introspect", status=status, body='{"error": "canary-claim"}', times=1)
        await api.send(token=f"canary-token-{status}")


async def test_nothing_secret_is_told(mock_as: MockAS) -> None:
    """Neither metrics nor spans hold a token, a subject, a client, a claim, a key id, a scope or our own secret."""
    api, registry = API(mock_as), CollectorRegistry()
    instrument(api.server, registry)
    telemetry = Telemetry(api.server)
    with telemetry.tracer.start_as_current_span("request"):
        await everything(api, mock_as)
    client_id, secret = mock_as.credentials("rs")
    spans = telemetry.spans()
    assert spans
    told = [
        generate_latest(registry).decode(),
        *(span.to_json() for span in spans),
        *(f"{name} {dict(labels)}" for name, labels in telemetry.points()),
    ]
    for text in told:
        assert not [canary for canary in (*CANARIES, secret) if canary in text]
        assert f'"{client_id}"' not in text


async def test_only_spans_name_a_token(mock_as: MockAS) -> None:
    """A fingerprint is another one with each token: no metric has a label with it."""
    api, registry = API(mock_as), CollectorRegistry()
    instrument(api.server, registry)
    telemetry = Telemetry(api.server)
    for number in range(30):
        await api.send(token=f"unknown-{number}")
    fingerprints = {
        str((span.attributes or {})["resource_server.token.fingerprint"])
        for span in telemetry.spans("resource_server.validate")
    }
    assert len(fingerprints) == 30
    shown = generate_latest(registry).decode() + str(telemetry.points())
    assert not [each for each in fingerprints if each in shown]


def series(registry: CollectorRegistry) -> int:
    """Count what is exposed."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return sum(len(family.samples) for family in families)


async def test_a_flood_makes_no_series(mock_as: MockAS) -> None:
    """However many different tokens come, the metrics are the same ones."""
    api, registry = API(mock_as), CollectorRegistry()
    instrument(api.server, registry)
    for number in range(5):
        await api.send(token=f"unknown-{number}")
    before = series(registry)
    for number in range(200):
        await api.send(token=f"other-{number}")
    assert series(registry) == before


async def test_a_thousand_issuers() -> None:
    """Of a thousand issuers twenty are told by name, and the rest together; none is lost."""

    async def resolve(issuer: str) -> AuthorizationServer:
        return AuthorizationServer(issuer=issuer, jwks_uri=f"{issuer}/jwks")

    shared = options(authorization_servers=resolve, strategy="jwks")
    for name in ("issuer", "client_id", "client_secret", "introspection_endpoint", "jwks_uri"):
        shared.pop(name, None)
    server = ResourceServer(transport=Origin(jwks=publishes(signing_key())), clock=Time().clock, **shared)
    registry = CollectorRegistry()
    instrument(server, registry)
    telemetry = Telemetry(server)
    for number in range(1000):
        token = access_token(iss=f"https://{number}.example.com")
        with suppress(BearerTokenError):
            await server.authenticate(bearer(token))
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    for name in ("resource_server_validations_total", "resource_server_asks_total"):
        found = [sample for family in families for sample in family.samples if sample.name == name]
        assert len({sample.labels["issuer"] for sample in found}) == 21
        assert sum(sample.value for sample in found) == 1000
    points = telemetry.points()
    issuers = {dict(labels)["issuer"] for name, labels in points if name == "resource_server.validations"}
    assert len(issuers) == 21
    assert "other" in issuers
    lookups = [value for (name, _), value in points.items() if name == "resource_server.lookups"]
    assert sum(lookups) <= 1000


def test_whatever_an_authorization_server_answers() -> None:
    """Statuses and causes without end make a bounded number of series."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    stage = Stage(introspect=says_yes(), jwks=publishes(signing_key()))
    telemetry = Telemetry(stage.server)
    stage.server.observe(metrics)
    issuer = "https://as.example.com"
    for number in range(2000):
        cause = (f"status_{number}", f"odd_{number}", f'"}}\n{number}')[number % 3]
        events: list[Event] = [
            AuthorizationServerAsked("jwks", "GET", "as.example.com", 443, number, None, 0.1, None, issuer),
            AuthorizationServerAsked("jwks", "GET", "as.example.com", 443, None, cause, 0.1, None, issuer),
            AuthorizationServerUnavailable("jwks", cause, None, issuer),
            ConfigurationFault("jwks", cause, issuer),
            RequestRefused(401, cause, None, None, issuer),
            TokenValidated(f"{number:012x}", "inactive", None, cause, 0.1, issuer),
        ]
        for event in events:
            stage.server._core.reports.tell(event)
    assert series(registry) < 700
    assert len(telemetry.points()) < 400
