"""How the resource server shows the authorization server who it is.

References: RFC 6749 section 2.3.1 and appendix B, RFC 7521 section 4.2, RFC 7523 sections 2.2 and 3, RFC 7662
section 2.1, RFC 8705 section 2
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote_plus, urlencode

from resource_server._protocol.base64url import encode
from resource_server._protocol.messages import HTTPRequest

if TYPE_CHECKING:
    from pathlib import Path

    from resource_server._protocol.jose import SigningKey

ClientAuthMethod = Literal[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "bearer",
]
AssertionAudience = Literal["issuer", "endpoint"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 60
"""Seconds from the making of an assertion to its end: it is made anew for every request."""
MIN_MAC_SECRET_BYTES = 32
"""The shortest secret for HS256 (RFC 7518 section 3.2)."""

Pairs = tuple[tuple[str, str], ...]


class ClientProof(NamedTuple):
    """What shows in one request who sends it."""

    headers: Pairs = ()
    form: Pairs = ()

    def __repr__(self) -> str:
        """Show nothing: all of it is secret, or may be."""
        return "ClientProof()"


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client identifier, and what shows that it is ours."""

    client_id: str
    secret: str = field(default="", repr=False)
    method: ClientAuthMethod = "client_secret_basic"
    key: SigningKey | None = field(default=None, repr=False)
    """The private key of ``private_key_jwt``."""
    audience: AssertionAudience = "issuer"
    """Whom an assertion names as its audience."""


@dataclass(frozen=True, slots=True)
class BearerCredentials:
    """An access token of our own: a fixed one, one that is in a file, or else one that is fetched."""

    token: str = field(default="", repr=False)
    file: Path | None = None
    method: ClientAuthMethod = field(default="bearer", init=False)


Credentials = ClientCredentials | BearerCredentials


def client_proof(client: ClientCredentials, *, audience: str, now: float, jti: str) -> ClientProof:
    """Show once who we are.

    Args:
        client: our credentials.
        audience: the authorization server's issuer identifier, or the URL of the endpoint.
        now: seconds since the epoch.
        jti: what names this assertion; no other one has it (RFC 7523 section 3).
    """
    match client.method:
        case "client_secret_basic":
            return ClientProof(headers=(("authorization", _basic(client)),))
        case "client_secret_post":
            return ClientProof(form=(("client_id", client.client_id), ("client_secret", client.secret)))
        case "client_secret_jwt" | "private_key_jwt":
            assertion = _assertion(client, audience, now, jti)
            return ClientProof(form=(("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)))
        case _:  # the certificate of the connection shows the rest (RFC 8705 section 2)
            return ClientProof(form=(("client_id", client.client_id),))


def bearer_proof(token: str) -> ClientProof:
    """Show an access token of ours (RFC 7662 section 2.1)."""
    return ClientProof(headers=(("authorization", f"Bearer {token}"),))


def authenticated(request: HTTPRequest, proof: ClientProof) -> HTTPRequest:
    """Add to a request with a form what shows who sends it."""
    form = urlencode(proof.form).encode("ascii")
    body = b"&".join(part for part in (request.body, form) if part)
    return replace(request, headers=(*request.headers, *proof.headers), body=body)


def _basic(client: ClientCredentials) -> str:
    # RFC 6749 section 2.3.1: both are form-urlencoded before base64, or a colon in the id would move the split.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")


def _assertion(client: ClientCredentials, audience: str, now: float, jti: str) -> str:
    key, issued_at = client.key, int(now)
    header = {"alg": "HS256", "typ": "JWT"} if key is None else {"alg": key.algorithm, "typ": "JWT"}
    if key is not None and key.key_id is not None:
        header["kid"] = key.key_id
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "jti": jti,
        "iat": issued_at,
        "exp": issued_at + ASSERTION_LIFETIME,
    }
    signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    signature = _mac(client.secret, signed.encode()) if key is None else key.sign(signed.encode())
    return f"{signed}.{encode(signature)}"


def _mac(secret: str, content: bytes) -> bytes:
    return hmac.digest(secret.encode(), content, hashlib.sha256)
