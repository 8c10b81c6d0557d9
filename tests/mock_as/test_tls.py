"""The server over TLS: certificates that are right, wrong ones, and those of clients."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mock_as import MockAS
from mock_as.tls import Authority

PATIENCE = 5.0


@pytest.fixture(scope="module")
def mock() -> MockAS:
    """Make a mock whose issuer is where it is served."""
    return MockAS(issuer="auto")


@pytest.fixture(scope="module", params=["httptools", "h11"])
def url(mock: MockAS, request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve the mock over TLS."""
    with mock.serve(http=request.param, tls=True) as url:
        yield url


@pytest.fixture
def trust(mock: MockAS) -> ssl.SSLContext:
    """Trust the authority of the mock."""
    return mock.authority.client_context()


def test_round_trip(mock: MockAS, url: str, trust: ssl.SSLContext) -> None:
    """Over TLS the issuer and its endpoints are https URLs, and a client that trusts the authority reaches them."""
    assert url.startswith("https://127.0.0.1:")
    metadata = httpx.get(f"{url}/.well-known/oauth-authorization-server", verify=trust).json()
    assert metadata["issuer"] == mock.issuer == url
    assert httpx.get(metadata["jwks_uri"], verify=trust).json() == mock.keys.jwks()
    assert httpx.get(f"{url.replace('127.0.0.1', 'localhost')}/jwks", verify=trust).status_code == 200


def test_nobody_else_trusts_it(url: str) -> None:
    """A client that does not know the authority refuses the server."""
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{url}/jwks", verify=ssl.create_default_context())


def test_authority_can_be_written_to_a_file(mock: MockAS, url: str, tmp_path: Path) -> None:
    """A client that reads a file can trust the authority too."""
    path = tmp_path / "ca.pem"
    mock.authority.write(path)
    assert path.read_bytes() == mock.authority.pem
    assert httpx.get(f"{url}/jwks", verify=ssl.create_default_context(cafile=str(path))).status_code == 200


def test_certificate_of_a_client_is_seen(mock: MockAS, url: str, trust: ssl.SSLContext) -> None:
    """The certificate that a client shows is part of the request, and a client need not show one."""
    httpx.get(f"{url}/jwks", verify=trust)
    assert mock.requests("jwks").last.request.certificate is None
    httpx.get(f"{url}/jwks", verify=mock.authority.client_context("svc.mtls"))
    certificate = mock.requests("jwks").last.request.certificate
    assert certificate is not None
    assert "svc.mtls" in ssl.DER_cert_to_PEM_cert(certificate) or b"svc.mtls" in certificate


def test_strangers_certificate_is_refused(mock: MockAS, url: str) -> None:
    """A client whose certificate is by another authority gets no further than the handshake."""
    stranger = Authority().client_context("svc.mtls")
    stranger.load_verify_locations(cadata=mock.authority.pem.decode())
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/jwks", verify=stranger, timeout=PATIENCE)


def test_connection_outlives_its_certificate(mock: MockAS, url: str, trust: ssl.SSLContext) -> None:
    """A fault of handshakes happens to new connections, and not to the requests of those that there are."""
    with httpx.Client(verify=trust) as client:
        assert client.get(f"{url}/jwks").status_code == 200
        fault = mock.fault("jwks", "tls_expired", times=1)
        assert client.get(f"{url}/jwks").status_code == 200
        assert fault.applied == 0
    with pytest.raises(httpx.ConnectError, match="certificate has expired"):
        httpx.get(f"{url}/jwks", verify=trust)
    assert httpx.get(f"{url}/jwks", verify=trust).status_code == 200
    mock.clear_faults()


def test_handshake_of_a_tenant(mock: MockAS, url: str, trust: ssl.SSLContext) -> None:
    """All issuers at an address share its handshakes, so that a fault of any of them happens to the next one."""
    tenant = mock.tenant()
    fault = tenant.fault("*", "tls_wrong_host", times=1)
    with pytest.raises(httpx.ConnectError, match="is not valid for"):
        httpx.get(f"{url}/jwks", verify=trust)
    assert fault.exhausted
    assert httpx.get(f"{tenant.issuer}/jwks", verify=trust).status_code == 200


@pytest.mark.parametrize("action", ["reset", "empty", "truncated"])
def test_connection_fails_inside_tls(mock: MockAS, url: str, trust: ssl.SSLContext, action: str) -> None:
    """A fault of the network breaks a connection with TLS as well, and the next one is whole."""
    mock.fault("userinfo", action, times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        httpx.get(f"{url}/userinfo", verify=trust)
    assert httpx.get(f"{url}/userinfo", verify=trust).status_code == 401


def test_named_hosts_are_in_the_certificate() -> None:
    """The certificate is for the hosts that the issuer was given, beside those of this machine."""
    mock = MockAS(issuer="https://as.example.test", front_url="https://front.example.test")
    assert {"as.example.test", "front.example.test", "localhost"} <= set(mock.authority._names)
