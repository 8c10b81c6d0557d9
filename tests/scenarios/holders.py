"""Clients that hold something: a key, by which they prove possession, or a certificate. Their tokens are bound to it.

They ask for tokens over HTTP, at the token endpoint of any judge, and know nothing of how it was written.

References: RFC 9449 sections 5 and 8, RFC 8705 section 3
"""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.scenarios.judges import Judge, OIDCProvider
from tests.support.jwt import REMOVED, SigningKey, b64url, sign, signing_key

_RESOURCES = {"opaque": "https://api.example/opaque", "jwt": "https://api.example/jwt-es256"}
_names = count()


def token_endpoint(judge: Judge) -> str:
    """Look up where a judge issues tokens."""
    with httpx.Client(trust_env=False) as client:
        metadata = client.get(f"{judge.issuer}/.well-known/openid-configuration").raise_for_status().json()
    return str(metadata["token_endpoint"])


@dataclass(frozen=True)
class KeyHolder:
    """A client with a key.

    Args:
        judge: who issues its tokens.
        key: what it signs its proofs with.
    """

    judge: Judge
    key: SigningKey = field(default_factory=lambda: signing_key("ES256", "holder"))

    def proof(self, method: str, uri: str, *, token: str | None = None, nonce: str | None = None) -> str:
        """Make a proof for a request.

        Args:
            method: of the request.
            uri: of the request.
            token: the access token that goes with it.
            nonce: what the server has demanded.
        """
        head = {
            "typ": "dpop+jwt",
            "alg": self.key.algorithm,
            "jwk": self.key.jwk(kid=REMOVED, use=REMOVED, alg=REMOVED),
        }
        claims: dict[str, Any] = {
            "jti": f"proof-{next(_names)}",
            "htm": method,
            "htu": uri,
            "iat": int(self.judge.now()),
        }
        if token is not None:
            claims["ath"] = b64url(sha256(token.encode()).digest())
        if nonce is not None:
            claims["nonce"] = nonce
        return sign(head, claims, self.key)

    def token(self, kind: str, *, nonce: bool = False) -> str:
        """Ask for a token that is bound to the key.

        Args:
            kind: ``opaque`` or ``jwt``, where the judge knows the difference.
            nonce: whether the judge is to demand a nonce first.
        """
        endpoint, real = token_endpoint(self.judge), isinstance(self.judge, OIDCProvider)
        names = ("svc-dpop", "svc-dpop") if real else ("svc.dpop", "svc.dpop.nonce")
        headers = {"x-require-dpop-nonce": "1"} if real and nonce else {}
        form = {"grant_type": "client_credentials", "scope": "read", **_resource(self.judge, kind)}
        client = names[nonce]
        answer = self._ask(endpoint, client, form, headers)
        if nonce:
            assert answer.json()["error"] == "use_dpop_nonce"
            answer = self._ask(endpoint, client, form, headers, answer.headers["dpop-nonce"])
        document = answer.raise_for_status().json()
        assert document["token_type"].lower() == "dpop"
        return str(document["access_token"])

    def _ask(
        self, endpoint: str, client: str, form: Mapping[str, str], headers: Mapping[str, str], nonce: str | None = None
    ) -> httpx.Response:
        fields = {**headers, "dpop": self.proof("POST", endpoint, nonce=nonce)}
        return httpx.post(endpoint, data=form, headers=fields, auth=(client, f"{client}-secret"), trust_env=False)


@dataclass(frozen=True)
class CertificateHolder:
    """A client with a certificate.

    Args:
        judge: who issues its tokens.
        certificate: the bytes of what it shows.
    """

    judge: Judge
    certificate: bytes

    @property
    def field(self) -> str:
        """The certificate as a proxy passes it on (RFC 9440 section 2.1)."""
        return f":{b64encode(self.certificate).decode()}:"

    def token(self, kind: str) -> str:
        """Ask for a token that is bound to the certificate."""
        real = isinstance(self.judge, OIDCProvider)
        form = {"grant_type": "client_credentials", "scope": "read", **_resource(self.judge, kind)}
        if not real:
            form["client_id"] = "svc.mtls"  # the certificate is all it has to show
        answer = httpx.post(
            token_endpoint(self.judge),
            data=form,
            headers={"client-cert": self.field},
            auth=("svc-mtls", "svc-mtls-secret") if real else None,
            trust_env=False,
        )
        return str(answer.raise_for_status().json()["access_token"])


def make_certificate(name: str) -> bytes:
    """Make a certificate for a name, good for a long time, and signed by nobody in particular."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _resource(judge: Judge, kind: str) -> dict[str, str]:
    return {"resource": _RESOURCES[kind]} if isinstance(judge, OIDCProvider) else {}
