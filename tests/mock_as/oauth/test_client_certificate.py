"""Clients that authenticate by their certificates, and tokens that are bound to them.

References: RFC 8705, RFC 9440
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mock_as import Client, MockAS
from mock_as.keys.of_clients import key_pair
from mock_as.messages import Form, Request
from mock_as.oauth.authorization_server import HonestServer
from mock_as.oauth.client_certificate import is_own, is_registered, shown_certificate, thumbprint
from tests.mock_as.asking import CLIENT_CREDENTIALS, ask, assert_refused, record_of

SUBJECT = "CN=orders,OU=Sales\\, North,O=Example"


def make_certificate(subject: str, alternatives: Iterable[x509.GeneralName] = ()) -> bytes:
    """Make a certificate that says something."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
    )
    if names := list(alternatives):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


NAMED = make_certificate(
    SUBJECT,
    [
        x509.DNSName("orders.example.test"),
        x509.UniformResourceIdentifier("https://orders.example.test/id"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.RFC822Name("orders@example.test"),
    ],
)
PLAIN = make_certificate("CN=orders")
MTLS = {**CLIENT_CREDENTIALS, "client_id": "svc.mtls"}


def shown(certificate: bytes) -> dict[str, str]:
    """Pass a certificate on as a proxy does: RFC 9440 section 2.2."""
    return {"Client-Cert": f":{base64.b64encode(certificate).decode()}:"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject_dn", SUBJECT),
        ("san_dns", "orders.example.test"),
        ("san_uri", "https://orders.example.test/id"),
        ("san_ip", "2001:db8:0::1"),
        ("san_email", "orders@example.test"),
    ],
)
def test_registered_name(name: str, value: str) -> None:
    """A certificate is known by the one name that is registered: RFC 8705 section 2.1.2."""
    client = Client(id="c", auth_methods=("tls_client_auth",), certificate={name: value})
    assert is_registered(client, NAMED)
    assert not is_registered(client, PLAIN)
    assert not is_registered(client, b"no certificate")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject_dn", "CN=orders"),
        ("subject_dn", "O=Example,OU=Sales\\, North,CN=orders"),
        ("subject_dn", "no name"),
        ("san_dns", "other.example.test"),
        ("san_dns", "*.example.test"),
        ("san_ip", "orders"),
        ("san_uri", "orders@example.test"),
    ],
)
def test_other_name(name: str, value: str) -> None:
    """A name that the certificate does not have, or has as another kind of name, is none of it."""
    assert not is_registered(Client(id="c", auth_methods=("tls_client_auth",), certificate={name: value}), NAMED)


def test_client_without_a_name_is_nobody() -> None:
    """A client that is registered without a name has no certificate."""
    assert not is_registered(Client(id="c", secret="s"), NAMED)


@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        ({"x5c": [base64.b64encode(NAMED).decode()]}, True),
        ({"x5t#S256": thumbprint(NAMED)}, True),
        ({"x5t#S256": thumbprint(NAMED), "x5c": ["%"]}, True),
        ({"x5c": [base64.b64encode(PLAIN).decode(), base64.b64encode(NAMED).decode()]}, False),
        ({"x5c": []}, False),
        ({"x5c": [7]}, False),
        ({"x5c": "text"}, False),
        ({"x5c": ["%"]}, False),
        ({}, False),
    ],
)
def test_own_certificate(jwk: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - what is expected
    """A self-signed certificate is known from the JWKS of the client, of a chain by the first: RFC 8705 section 2.2."""
    client = Client(id="c", auth_methods=("self_signed_tls_client_auth",), jwks={"keys": [{"kty": "EC", **jwk}]})
    assert is_own(client, NAMED) is expected
    assert not is_own(client, b"no certificate")


def test_thumbprint_as_the_rfc_has_it() -> None:
    """The thumbprint is the SHA-256 of the DER in base64url, without padding: RFC 8705 section 3.1."""
    assert thumbprint(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.parametrize("field", ["", ":", "::x", "AAAA", ":%:", ":AA", "AA:", ":AAAA:, :AAAA:"])
def test_header_that_is_no_certificate(field: str) -> None:
    """What is not one byte sequence of a structured field is no certificate."""
    assert shown_certificate(Request("POST", "/token", (("client-cert", field),), Form())) is None


def test_certificate_of_tls_comes_first() -> None:
    """Whoever has shown a certificate in TLS is not somebody else because of a header field."""
    headers = tuple((name.lower(), value) for name, value in shown(PLAIN).items())
    assert shown_certificate(Request("POST", "/token", headers, Form(), certificate=NAMED)) == NAMED
    assert shown_certificate(Request("POST", "/token", headers, Form())) == PLAIN


# ------------------------------------------------------------------------------------------------------ the endpoints


@pytest.mark.anyio
async def test_client_shows_its_certificate(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client gets in with its certificate, and its tokens are bound to it: RFC 8705 section 3."""
    certificate = key_pair("svc.mtls").certificate
    response = await ask(client, MTLS, headers=shown(certificate))
    record = record_of(mock, response)
    assert record.token.claims["cnf"] == {"x5t#S256": thumbprint(certificate)}
    assert response.json()["token_type"] == "Bearer"


def test_certificate_of_the_tls_layer(mock: MockAS) -> None:
    """The certificate of the TLS layer is as good as one that a proxy has passed on."""
    certificate = key_pair("svc.mtls").certificate
    answer = HonestServer(mock).token(Request("POST", "/token", (), Form(tuple(MTLS.items())), certificate=certificate))
    record = mock.tokens.find(answer.json()["access_token"])
    assert record is not None
    assert record.token.claims["cnf"] == {"x5t#S256": thumbprint(certificate)}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("form", "headers"),
    [
        (MTLS, {}),
        (MTLS, shown(PLAIN)),
        (MTLS, shown(b"no certificate")),
        (MTLS, {"Client-Cert": "garbage"}),
        (CLIENT_CREDENTIALS, shown(key_pair("svc.mtls").certificate)),
        ({**CLIENT_CREDENTIALS, "client_id": "svc"}, shown(key_pair("svc.mtls").certificate)),
        ({**CLIENT_CREDENTIALS, "client_id": "nobody"}, shown(key_pair("svc.mtls").certificate)),
        ({**CLIENT_CREDENTIALS, "client_id": "spa"}, shown(key_pair("svc.mtls").certificate)),
    ],
)
async def test_wrong_certificate(client: httpx.AsyncClient, form: dict[str, str], headers: dict[str, str]) -> None:
    """Without a certificate, with another's, and for another client, nobody gets in."""
    assert_refused(await ask(client, form, headers=headers), "invalid_client", 401)


@pytest.mark.anyio
async def test_secret_beside_a_certificate(client: httpx.AsyncClient) -> None:
    """A client that is known by its certificate does not get in with its secret, certificate or not."""
    headers = shown(key_pair("svc.mtls").certificate)
    response = await ask(client, CLIENT_CREDENTIALS, ("svc.mtls", "svc.mtls-secret"), headers)
    assert_refused(response, "invalid_client", 401)


@pytest.mark.anyio
async def test_tokens_of_a_client_with_a_secret_may_be_bound_too() -> None:
    """A client that authenticates by a secret shows the certificate that its tokens are to be bound to."""
    mock = MockAS(clients=[Client(id="bound", secret="s", mtls_bound=True)])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        bound = await ask(client, CLIENT_CREDENTIALS, ("bound", "s"), shown(PLAIN))
        assert record_of(mock, bound).token.claims["cnf"] == {"x5t#S256": thumbprint(PLAIN)}
        assert_refused(await ask(client, CLIENT_CREDENTIALS, ("bound", "s")), "invalid_request", about="certificate")
        unbound = await ask(client, CLIENT_CREDENTIALS, ("svc", "svc-secret"), shown(PLAIN))
        assert "cnf" not in record_of(mock, unbound).token.claims


def test_certificate_over_a_socket(mock: MockAS) -> None:
    """A client that shows a certificate in a real handshake gets in with it."""
    with mock.serve(tls=True) as url:
        response = httpx.post(f"{url}/token", data=MTLS, verify=mock.authority.client_context("svc.mtls"))
        stranger = httpx.post(f"{url}/token", data=MTLS, verify=mock.authority.client_context("orders"))
        nobody = httpx.post(f"{url}/token", data=MTLS, verify=mock.authority.client_context())
    assert set(record_of(mock, response).token.claims["cnf"]) == {"x5t#S256"}
    assert_refused(stranger, "invalid_client", 401)
    assert_refused(nobody, "invalid_client", 401)
