"""The keys that the mock makes for a client."""

from __future__ import annotations

import hashlib
import ssl

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mock_as import MockAS
from mock_as.base64url import base64url
from mock_as.keys.of_clients import KeyPair, key_pair


def test_keys_stay_the_same() -> None:
    """Keys are made once, for each client its own."""
    assert key_pair("svc.jwt") is key_pair("svc.jwt")
    assert key_pair("svc.jwt").key is key_pair("svc.jwt").key
    assert key_pair("svc.jwt").private_jwk != key_pair("svc.mtls").private_jwk
    assert key_pair("rs.jwe").encryption_key is key_pair("rs.jwe").encryption_key


def test_certificate_is_for_the_key_and_names_the_client() -> None:
    """The certificate is signed by the key itself, names the client, and fits the private key as it is handed out."""
    pair = KeyPair("orders")
    certificate = x509.load_pem_x509_certificate(pair.certificate_pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=orders"
    certificate.verify_directly_issued_by(certificate)
    key = load_pem_private_key(pair.private_pem.encode(), None)
    assert key.public_key() == certificate.public_key()
    assert pair.certificate == ssl.PEM_cert_to_DER_cert(pair.certificate_pem)


@pytest.mark.parametrize(
    "client_id", ["https://client.example.test/with/a/very/long/path/to/its/metadata/document", "é"]
)
def test_client_of_any_name(client_id: str) -> None:
    """A client may be called what no certificate can be, and has one all the same."""
    certificate = x509.load_der_x509_certificate(KeyPair(client_id).certificate)
    [name] = certificate.subject
    assert client_id.startswith(str(name.value))


def test_private_parts_do_not_show() -> None:
    """The representation of the keys is the name of the client."""
    assert repr(KeyPair("orders")) == "KeyPair('orders')"


def test_public_keys_are_public() -> None:
    """The key that signs comes with its certificate, the key that decrypts says so, and neither has a private part."""
    pair = KeyPair("orders")
    signing, encrypting = pair.public_jwks
    assert (signing["use"], encrypting["use"], encrypting["alg"]) == ("sig", "enc", "ECDH-ES")
    assert "d" not in signing
    assert "d" not in encrypting
    assert pair.describe()["jwk"]["d"] == pair.private_jwk["d"]
    assert pair.describe()["encryption_jwk"]["d"]


@pytest.mark.anyio
async def test_keys_over_http(client: httpx.AsyncClient, mock: MockAS) -> None:
    """Tests in other languages get the keys from the control plane, which has none for a client without."""
    document = (await client.get("/_mock/clients/svc.jwt/key")).json()
    assert document["jwk"] == key_pair("svc.jwt").private_jwk
    assert (await client.get("/_mock/clients/svc/key")).status_code == 422
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(document["certificate"])).digest()
    assert base64url(digest) == base64url(hashlib.sha256(key_pair("svc.jwt").certificate).digest())
    assert "svc.jwt" in mock.clients
