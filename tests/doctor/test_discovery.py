"""The doctor judges metadata: whether they are there, whose they are, and what they lack."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server import Clock, Settings
from resource_server._doctor.discovery import judge_discovery
from resource_server._doctor.unit import Unit
from tests.support.examined import examined, first_red, of, options
from tests.support.sockets import ok, raw_server

pytestmark = pytest.mark.anyio


def document(mock: MockAS, **changes: Any) -> dict[str, Any]:
    """Return metadata that are good, but for some members; ``None`` takes one away."""
    usual = {
        "issuer": mock.issuer,
        "introspection_endpoint": f"{mock.issuer}/introspect",
        "jwks_uri": f"{mock.issuer}/jwks",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


async def test_another_issuer(mock_as_server: MockAS) -> None:
    """Metadata of another issuer are told by its name, with whatever it holds made harmless."""
    mock_as_server.fault("discovery", 200, body=document(mock_as_server, issuer="https://\x1b[31mevil"))
    found = first_red(await examined(mock_as_server))
    assert found.check == "discovery"
    assert r"https://\x1b[31mevil" in found.says


async def test_a_final_slash(mock_as_server: MockAS) -> None:
    """The usual mistake is named."""
    mock_as_server.fault("discovery", 200, body=document(mock_as_server, issuer=f"{mock_as_server.issuer}/"))
    assert "final slash" in (first_red(await examined(mock_as_server)).mend or "")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"action": 404}, "/.well-known/openid-configuration"),
        ({"action": 500}, "fails (status_500)"),
        ({"action": 403}, "refuses the question (status_403)"),
        ({"action": 302}, "redirect"),
        ({"action": 429}, "too many questions"),
        ({"action": 200, "body": "<html>"}, "JSON"),
        ({"action": 204}, "cannot be relied on (status_204)"),
    ],
)
async def test_no_metadata(answer: dict[str, Any], word: str, mock_as_server: MockAS) -> None:
    """Whatever comes in their place is named, and what to do about it."""
    mock_as_server.fault("discovery", **answer)
    report = await examined(mock_as_server)
    assert first_red(report).check == "discovery"
    assert word in first_red(report).says
    assert of(report, "jwks").says == "because discovery failed"
    assert of(report, "introspection").says == "because discovery failed"


@pytest.mark.parametrize(
    ("changes", "lacking", "verdict"),
    [
        ({"strategy": "introspect_then_jwks"}, "introspection_endpoint", "failed"),
        ({"strategy": "introspect_then_jwks"}, "jwks_uri", "warning"),
        ({"strategy": "introspect"}, "introspection_endpoint", "failed"),
        ({"strategy": "jwks"}, "jwks_uri", "failed"),
        ({"strategy": "jwks_then_introspect"}, "introspection_endpoint", "warning"),
    ],
)
async def test_a_missing_endpoint(changes: dict[str, Any], lacking: str, verdict: str, mock_as_server: MockAS) -> None:
    """An endpoint that comes first is needed; one that comes second is missed."""
    mock_as_server.fault("discovery", 200, body=document(mock_as_server, **{lacking: None}))
    report = await examined(mock_as_server, **changes)
    assert of(report, "discovery").verdict == verdict
    assert lacking in of(report, "discovery").says
    check = "jwks" if lacking == "jwks_uri" else "introspection"
    assert [one.verdict for one in report.findings if one.check == check] == ["skipped"]


async def test_configured_endpoints(mock_as_server: MockAS) -> None:
    """Who is told all endpoints looks none up, and the doctor does not either."""
    issuer = mock_as_server.issuer
    said: dict[str, Any] = {"introspection_endpoint": f"{issuer}/introspect", "jwks_uri": f"{issuer}/jwks"}
    report = await examined(mock_as_server, **said)
    assert report.verdict == "ok"
    assert of(report, "discovery").verdict == "skipped"
    assert mock_as_server.requests("discovery").count == 0


async def test_an_endpoint_that_is_not_there(mock_as_server: MockAS) -> None:
    """An endpoint at another place is reached by itself, and what fails is what is there."""
    said: dict[str, Any] = {"jwks_uri": "http://127.0.0.1:9/jwks"}
    report = await examined(mock_as_server, **said)
    assert first_red(report).check == "jwks"
    assert "nobody listens at 127.0.0.1:9" in first_red(report).says
    assert of(report, "introspection").verdict == "ok"


async def test_a_body_of_megabytes(mock_as_server: MockAS) -> None:
    """What is too long is not read, and so not shown."""
    with raw_server(ok(b'{"issuer":"' + b"x" * 600_000 + b'"}')) as server:
        found = first_red(await examined(mock_as_server, issuer=server.url))
    assert "too_large" in found.says


async def test_what_is_no_object(mock_as_server: MockAS) -> None:
    """A document that cannot be read names nobody."""
    unit = Unit(Settings.build(**options(mock_as_server)), Clock(), 5.0)
    mock_as_server.fault("discovery", 200, body='["issuer"]', headers={"content-type": "application/json"})
    try:
        [found] = await judge_discovery(unit)
    finally:
        await unit.aclose()
    assert "not JSON" in found.says
