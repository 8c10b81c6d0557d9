"""Whose word counts about a client's certificate."""

from __future__ import annotations

import ssl
from hashlib import sha256
from ipaddress import ip_network

import pytest

from resource_server import RequestParts
from resource_server._validation.certificates import shown_certificate

OURS, PROXYS = b"the client's", b"the proxy's"
HEADER = b"x-client-cert"
PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def pem(der: bytes) -> bytes:
    """Write bytes as a proxy does that passes on PEM with its line breaks escaped."""
    return ssl.DER_cert_to_PEM_cert(der).replace("\n", "%0A").encode()


def shown(
    *headers: tuple[bytes, bytes], peer: str | None = "10.1.2.3", tls: bytes | None = PROXYS, header: bytes = HEADER
) -> bytes | None:
    """Find the certificate of a request."""
    return shown_certificate(RequestParts("GET", headers, peer=peer, certificate=tls), header, PROXIES)


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"])
def test_a_trusted_proxy(peer: str) -> None:
    """RFC 9440 §4: a trusted proxy's header tells the client's certificate; the connection's is its own."""
    assert shown((b"X-Client-Cert", pem(OURS)), peer=peer) == sha256(OURS).digest()
    assert shown(peer=peer) is None


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
@pytest.mark.parametrize("peer", ["192.0.2.1", "::1", "::ffff:192.0.2.1", None, "", "10.1.2.3.4", "unix:"])
def test_anybody_else(peer: str | None) -> None:
    """RFC 8705 §6.5: from anybody else the header is nothing, and the connection's own certificate counts."""
    assert shown((HEADER, pem(OURS)), peer=peer) == sha256(PROXYS).digest()
    assert shown((HEADER, pem(OURS)), peer=peer, tls=None) is None


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
@pytest.mark.parametrize(
    "headers",
    [
        [(HEADER, pem(OURS)), (HEADER, pem(OURS))],
        [(HEADER, pem(OURS)), (b"X-Client-CERT", pem(PROXYS))],
        [(HEADER, pem(OURS)), (b"x_client_cert", pem(PROXYS))],
        [(b"x_client_cert", pem(OURS))],
    ],
    ids=["twice", "in another case", "with its twin", "the twin alone"],
)
def test_a_header_that_is_not_alone(headers: list[tuple[bytes, bytes]]) -> None:
    """A field that is there twice, or in the spelling that some servers take for the same, shows nothing."""
    assert shown(*headers) is None


def test_without_a_header() -> None:
    """Where no header is configured, the connection's certificate counts, whoever it comes from."""
    request = RequestParts("GET", [(b"client-cert", pem(OURS))], peer="10.1.2.3", certificate=PROXYS)
    assert shown_certificate(request, None, ()) == sha256(PROXYS).digest()


def test_without_a_header_from_a_trusted_proxy() -> None:
    """Where proxies are trusted and no header is configured, the connection's certificate counts."""
    request = RequestParts("GET", [(b"client-cert", pem(OURS))], peer="10.1.2.3", certificate=PROXYS)
    assert shown_certificate(request, None, PROXIES) == sha256(PROXYS).digest()
