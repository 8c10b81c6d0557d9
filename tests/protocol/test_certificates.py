"""A client's certificate, in every form in which servers and proxies tell it."""

from __future__ import annotations

import base64
import ssl
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.certificates import (
    MAX_CERTIFICATE_BYTES,
    certificate_digest,
    read_certificate_field,
    thumbprint,
)
from tests.support.vectors import example

DER = base64.b64decode(example(8705)["certificate"])
"""The certificate of RFC 8705 appendix A."""
DIGEST = sha256(DER).digest()
PEM = ssl.DER_cert_to_PEM_cert(DER)
BARE = base64.b64encode(DER)
ESCAPED = quote(PEM, safe="").encode()
NGINX = b"ssl-client-cert"
CLIENT_CERT, ENVOY = b"client-cert", b"x-forwarded-client-cert"
HASH = DIGEST.hex().encode()


@pytest.mark.rfc("8705-3-a", "8705-3.1-a")
def test_the_example_of_the_standard() -> None:
    """RFC 8705 appendix A: the thumbprint is base64url without padding, over the bytes of the certificate."""
    assert thumbprint(DIGEST) == example(8705)["confirmation"]["x5t#S256"]


@pytest.mark.parametrize("certificate", [DER, PEM, PEM.replace("\n", "\r\n"), f"\n{PEM}\n"])
def test_the_tls_layer(certificate: str | bytes) -> None:
    """The TLS layer tells a certificate as DER bytes or as PEM text."""
    assert certificate_digest(certificate) == DIGEST


@pytest.mark.rfc("8705-7.5-a")
@pytest.mark.parametrize(
    "certificate",
    ["", "no certificate", PEM + PEM, PEM.replace("CERTIFICATE", "PRIVATE KEY"), PEM.replace("M", "é"), PEM[:-40]],
)
def test_no_pem(certificate: str) -> None:
    """What is not one certificate in PEM is none."""
    assert certificate_digest(certificate) is None


@pytest.mark.attack("A-D-10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (CLIENT_CERT, b":" + BARE + b":"),
        (CLIENT_CERT, b"  :" + BARE + b":\t"),
        (NGINX, ESCAPED),
        (NGINX, quote(PEM).encode()),
        (NGINX, BARE),
        (NGINX, quote(BARE).encode()),
        (ENVOY, b"Hash=" + HASH),
        (ENVOY, b"Hash=" + HASH.upper()),
        (ENVOY, b'Cert="' + ESCAPED + b'"'),
        (ENVOY, b"By=spiffe://a;Hash=" + HASH + b';Cert="' + ESCAPED + b'";Subject="CN=\\"a\\", O=b";URI=x;URI=y'),
    ],
)
def test_the_forms_of_proxies(name: bytes, value: bytes) -> None:
    """RFC 9440 §2.1, Envoy, nginx and those that pass on the bare base64: each tells the same certificate."""
    assert read_certificate_field(name, value) == DIGEST


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-7.5-a", "8705-6.5-a")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (CLIENT_CERT, b""),
        (CLIENT_CERT, b"::"),
        (CLIENT_CERT, BARE),
        (CLIENT_CERT, b":" + BARE + b":, :" + BARE + b":"),
        (CLIENT_CERT, b":" + BARE[:-1] + b":"),
        (CLIENT_CERT, b":" + BARE + b";a=1:"),
        (CLIENT_CERT, ESCAPED),
        (NGINX, b""),
        (NGINX, b"(null)"),
        (NGINX, ESCAPED + ESCAPED),
        (NGINX, ESCAPED[:-60]),
        (NGINX, b"%ff%00"),
        (NGINX, b"A" * (MAX_CERTIFICATE_BYTES + 4)),
        (ENVOY, b""),
        (ENVOY, b"Subject=x"),
        (ENVOY, b"Hash=" + HASH + b",Hash=" + HASH),
        (ENVOY, b"Hash=" + HASH + b";Hash=" + sha256(b"other").hexdigest().encode()),
        (ENVOY, b"Hash=" + sha256(b"other").hexdigest().encode() + b';Cert="' + ESCAPED + b'"'),
        (ENVOY, b"Hash=xyz"),
        (ENVOY, b"Hash=xyz;Cert=" + ESCAPED),
        (ENVOY, b'Cert="' + ESCAPED),
        (ENVOY, b"garbage"),
    ],
)
def test_no_certificate(name: bytes, value: bytes) -> None:
    """What is malformed, too long, there twice or contradicts itself shows no certificate."""
    assert read_certificate_field(name, value) is None


@given(st.sampled_from([CLIENT_CERT, ENVOY, NGINX]), st.binary(max_size=200) | st.just(BARE) | st.just(ESCAPED))
def test_anything(name: bytes, value: bytes) -> None:
    """Whatever stands in the field, it is a digest or nothing."""
    assert len(read_certificate_field(name, value) or bytes(32)) == 32


@pytest.mark.parametrize(("name", "value"), [(NGINX, b"XAAX"), (NGINX, b" XAAX\t"), (ENVOY, b'Cert="XAAX"')])
def test_only_what_stands_around_it_is_left_out(name: bytes, value: bytes) -> None:
    """Blanks and quotation marks around a value are no part of it; every character of base64 is."""
    assert read_certificate_field(name, value) == sha256(base64.b64decode(b"XAAX")).digest()


def test_the_longest_field() -> None:
    """The limit is itself still allowed."""
    longest = b"A" * MAX_CERTIFICATE_BYTES
    assert read_certificate_field(NGINX, longest) == sha256(base64.b64decode(longest)).digest()
