"""The keys that the mock makes for a client, so that tests can play it: made when somebody first asks for them.

Like the secrets of the ready-made clients they are the same for every issuer in a process, and no secrets at all.

References: RFC 7523 section 2.2, RFC 8705 section 2
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from mock_as.keys.files import parse_keys
from mock_as.keys.signing import SigningKey, generate_key
from mock_as.messages import encode_json

_VALID_FROM = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_VALID_UNTIL = dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
# RFC 5280 appendix A.1
_LONGEST_NAME = 64

_Made = TypeVar("_Made")


class _Once(Generic[_Made]):
    """Keeps what was made first, whoever else made one at the same time."""

    def __init__(self) -> None:
        self._made: dict[None, _Made] = {}

    def __bool__(self) -> bool:
        return bool(self._made)

    def keep(self, made: _Made) -> _Made:
        return self._made.setdefault(None, made)

    def get(self) -> _Made:
        return self._made[None]


def _decrypting() -> ECKey:
    key = ECKey.generate_key("P-256", {"use": "enc", "alg": "ECDH-ES"})
    key.ensure_kid()
    return key


class KeyPair:
    """The keys of one client, private part included, for the tests that play it.

    Args:
        client_id: the client, whose name the certificate has.
    """

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._key = _Once[SigningKey]()
        self._encryption_key = _Once[ECKey]()
        self._certificate = _Once[bytes]()

    @property
    def key(self) -> SigningKey:
        """The key that signs assertions."""
        return self._key.get() if self._key else self._key.keep(generate_key("ES256"))

    @property
    def certificate(self) -> bytes:
        """A certificate for the same key that the client has signed itself, as DER."""
        return self._certificate.get() if self._certificate else self._certificate.keep(self._signed())

    @property
    def private_jwk(self) -> dict[str, Any]:
        """The key with its private part, as a JWK."""
        return {**self.key.jwk.as_dict(private=True), "kid": self.key.kid}

    @property
    def encryption_key(self) -> ECKey:
        """The key that decrypts what is meant for the client."""
        return self._encryption_key.get() if self._encryption_key else self._encryption_key.keep(_decrypting())

    @property
    def public_jwks(self) -> tuple[dict[str, Any], ...]:
        """The keys as they are registered, the one that signs with the certificate: RFC 8705 section 2.2.2."""
        signing = {**self.key.public(), "x5c": [base64.b64encode(self.certificate).decode()]}
        return signing, dict(self.encryption_key.as_dict(private=False))

    @property
    def private_pem(self) -> str:
        """The key as a TLS library loads it."""
        return self.key.jwk.as_pem(private=True).decode()

    @property
    def certificate_pem(self) -> str:
        """The certificate as a TLS library loads it."""
        certificate = x509.load_der_x509_certificate(self.certificate)
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def describe(self) -> dict[str, Any]:
        """Return everything that a test needs to play the client, in any language."""
        pem = {"private_key": self.private_pem, "certificate": self.certificate_pem}
        decrypting = dict(self.encryption_key.as_dict(private=True))
        return {"jwk": self.private_jwk, "alg": self.key.alg, "encryption_jwk": decrypting, **pem}

    def adopt(self, key: SigningKey, encryption_key: ECKey, certificate: bytes) -> None:
        """Have these, instead of making them.

        Args:
            key: the key that signs assertions.
            encryption_key: the key that decrypts what is meant for the client.
            certificate: a certificate for the first, as DER.
        """
        self._key.keep(key)
        self._encryption_key.keep(encryption_key)
        self._certificate.keep(certificate)

    def __repr__(self) -> str:
        return f"KeyPair({self._client_id!r})"

    def _signed(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._client_id[:_LONGEST_NAME])])
        private: Any = self.key.jwk.private_key
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_VALID_FROM)
            .not_valid_after(_VALID_UNTIL)
        )
        if self._client_id.isascii():
            alternative = x509.SubjectAlternativeName([x509.DNSName(self._client_id)])
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


_PAIRS: dict[str, KeyPair] = {}


def key_pair(client_id: str) -> KeyPair:
    """Return the keys of a client, always the same ones.

    Args:
        client_id: the client.
    """
    return _PAIRS.get(client_id) or _PAIRS.setdefault(client_id, KeyPair(client_id))


def read_key_pair(client_id: str, described: Mapping[str, Any]) -> KeyPair:
    """Return the keys of a client that another process has made.

    Args:
        client_id: the client.
        described: what :meth:`KeyPair.describe` returned there.
    """
    [key] = parse_keys(encode_json(described["jwk"]))
    certificate = x509.load_pem_x509_certificate(described["certificate"].encode())
    pair = KeyPair(client_id)
    pair.adopt(
        key,
        ECKey.import_key(dict(described["encryption_jwk"])),
        certificate.public_bytes(serialization.Encoding.DER),
    )
    return pair
