"""The doctor looks at certificates as a client with our options does, and at names, ports and silence."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path

import pytest

from mock_as import MockAS
from resource_server import Clock
from resource_server._doctor.reach import Place, Reached, Unreached, place_of, reach
from tests.support.examined import examined, first_red, of
from tests.support.sockets import certificate, raw_server

pytestmark = pytest.mark.anyio


async def test_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    """A certificate of an authority in our file is good, and it is told for how long."""
    mock, authority = MockAS(), tmp_path / "authority.pem"
    with mock.serve(tls=True):
        mock.authority.write(authority)
        report = await examined(mock, ca_file=authority)
    found = of(report, "tls")
    assert found.verdict in {"ok", "warning"}
    assert "TLSv1.3" in found.says
    assert of(report, "discovery").verdict == "ok"


async def test_a_certificate_of_a_stranger() -> None:
    """Without that file it is a stranger's, which is the cause of all that follows."""
    mock = MockAS()
    with mock.serve(tls=True):
        report = await examined(mock)
    assert first_red(report).check == "tls"
    assert "RESOURCE_SERVER_CA_FILE" in (first_red(report).mend or "")
    assert of(report, "discovery").says == "because tls failed"


@pytest.mark.parametrize(
    ("host", "days", "trusted", "word"),
    [
        ("127.0.0.1", -1, True, "expired"),
        ("other.example", 30, True, "another"),
        ("127.0.0.1", 30, False, "signed by itself"),
    ],
)
async def test_a_certificate_that_is_refused(host: str, days: int, trusted: bool, word: str, tmp_path: Path) -> None:  # noqa: FBT001 - a column of the table
    """An end that is over, another name, and another authority are told apart."""
    made = certificate(tmp_path, host=host, days=days)
    context = ssl.create_default_context(cafile=made.certificate if trusted else None)
    with raw_server(b"", tls=made.server_context()) as server:
        found = await reach(Place("127.0.0.1", server.port, tls=True), context, 5.0)
    assert isinstance(found, Unreached)
    assert found.handshake
    assert word in found.says


async def test_tls_that_ends_soon(mock_as_server: MockAS, tmp_path: Path) -> None:
    """A certificate that ends within two weeks is a warning; an endpoint behind it is still asked."""
    made = certificate(tmp_path, days=3)
    with raw_server(b"", tls=made.server_context()) as server:
        url = f"https://127.0.0.1:{server.port}/jwks"
        report = await examined(mock_as_server, jwks_uri=url, ca_file=made.certificate)
    assert of(report, "tls").verdict == "warning"
    assert "3 days more" in of(report, "tls").says or "2 days more" in of(report, "tls").says
    assert first_red(report).check == "jwks"


async def test_an_endpoint_with_a_certificate_of_a_stranger(mock_as_server: MockAS, tmp_path: Path) -> None:
    """Where one endpoint alone is behind such a certificate, the others are looked at."""
    made = certificate(tmp_path, days=30)
    with raw_server(b"", tls=made.server_context()) as server:
        report = await examined(mock_as_server, jwks_uri=f"https://127.0.0.1:{server.port}/jwks")
    assert first_red(report).check == "tls"
    assert of(report, "jwks").says == "because tls failed"
    assert of(report, "introspection").verdict == "ok"


async def test_tls_where_nobody_speaks_it(mock_as_server: MockAS) -> None:
    """Plain HTTP at an https port does not complete a handshake."""
    place = place_of(mock_as_server.issuer)
    found = await reach(Place(place.host, place.port, tls=True), ssl.create_default_context(), 5.0)
    assert isinstance(found, Unreached)
    assert found.handshake
    assert "does not complete a TLS handshake" in found.says


async def test_an_https_port_where_nobody_listens(mock_as_server: MockAS) -> None:
    """Nobody there is no matter of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    report = await examined(mock_as_server, jwks_uri=f"https://127.0.0.1:{port}/jwks", strategy="jwks")
    assert of(report, "tls").says == "because no connection could be made"
    assert first_red(report).check == "jwks"


async def test_proxies_of_the_environment(mock_as_server: MockAS) -> None:
    """Where a proxy may be in between, a connection of our own would show nothing."""
    report = await examined(mock_as_server, trust_env=True)
    assert of(report, "tls").verdict == "skipped"
    assert of(report, "jwks").verdict == "ok"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name as.example.com cannot be resolved"),
        (UnicodeError("label too long"), "cannot be resolved"),
        (ConnectionRefusedError(), "nobody listens at as.example.com:443"),
        (OSError(113, "No route to host"), "cannot be reached"),
        (TimeoutError(), "gives no answer in 5 s"),
        (ssl.SSLError(1, "[SSL] odd"), "does not complete"),
    ],
)
async def test_why_it_cannot_be_reached(error: Exception, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, ports, routes and silence are told apart, in words of our own."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio, "open_connection", fail)
    found = await reach(place_of("https://as.example.com"), None, 5.0)
    assert isinstance(found, Unreached)
    assert word in found.says


async def test_an_unknown_fault_of_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault without words of its own has its number."""
    error = ssl.SSLCertVerificationError(1, "odd")
    error.verify_code = 99

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio, "open_connection", fail)
    found = await reach(place_of("https://as.example.com:8443"), None, 5.0)
    assert isinstance(found, Unreached)
    assert "as.example.com:8443: its certificate is refused (code 99)" in found.says


async def test_a_version_of_yesterday(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS 1.0 is odd, even where it is still spoken."""

    async def find(*_: object) -> Reached:
        return Reached("TLSv1", time.time() + 1e7)

    monkeypatch.setattr("resource_server._doctor.unit.reach", find)
    report = await examined(mock_as_server, jwks_uri="https://127.0.0.1:9/jwks")
    assert (of(report, "tls").verdict, of(report, "tls").mend) == ("warning", "let it speak TLS 1.2 or later")


async def test_silence(mock_as_server: MockAS) -> None:
    """A server that accepts and says nothing is given up in time."""
    with raw_server(None) as server:
        async with asyncio.timeout(5):
            found = first_red(await examined(mock_as_server, issuer=server.url, patience=0.3))
    assert found.check == "discovery"
    assert "(timeout)" in found.says


async def test_the_clock_of_the_doctor_is_the_one_it_is_given(mock_as_server: MockAS) -> None:
    """Days are counted by the clock that is injected."""
    report = await examined(mock_as_server, clock=Clock())
    assert of(report, "clock").verdict == "ok"
