"""Judge the proofs that clients send with requests for tokens, and hand out the nonces that some must repeat.

References: RFC 9449 sections 4.3, 8 and 11
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mock_as.base64url import base64url
from mock_as.clients import PRIVATE_MEMBERS
from mock_as.jwts import JWT, SIGNATURE_ALGORITHMS, JWTError, import_key, read, verify
from mock_as.tokens.store import as_time

PROOF_ALGORITHMS = SIGNATURE_ALGORITHMS
"""The algorithms that a proof may be signed with."""
PROOF_LIFETIME = 300
"""For how long a proof is good, in seconds, either way: a mock's clock and a client's may be apart."""

_NONCE_PERIOD = 300
_PORTS = {"http": 80, "https": 443}


class ProofError(ValueError):
    """A proof is not good; the message says why."""


class NonceError(ProofError):
    """A proof does not repeat a nonce of the server."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that is good but for its being used before."""

    thumbprint: str
    """That of the key, as ``cnf.jkt`` has it."""
    jti: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a proof has to prove."""

    method: str
    url: str
    now: float
    """The time, in seconds since the epoch."""
    nonce_is_good: Callable[[object], bool] | None = None
    """Judges the nonce, where the client must repeat one."""


def judge_proof(text: str, expected: Expected) -> Proof:
    """Judge a proof.

    Args:
        text: the value of the header field.
        expected: what it has to prove.

    Raises:
        ProofError: it does not.

    References: RFC 9449 section 4.3
    """
    try:
        jwt = read(text)
        thumbprint = _judge_signature(jwt)
    except JWTError as error:
        raise ProofError(str(error)) from None
    claims = jwt.claims
    if claims.get("htm") != expected.method:
        raise ProofError("Its htm is not the method of the request.")
    if not _same_target(claims.get("htu"), expected.url):
        raise ProofError("Its htu is not the URL of the request.")
    issued = as_time(claims.get("iat"), None)
    if issued is None or abs(expected.now - issued) > PROOF_LIFETIME:
        raise ProofError("Its iat is not now.")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise ProofError("It has no jti.")
    if expected.nonce_is_good is not None and not expected.nonce_is_good(claims.get("nonce")):
        raise NonceError("It does not repeat a nonce of this server.")
    return Proof(thumbprint, jti)


def _judge_signature(jwt: JWT) -> str:
    if jwt.header.get("typ") != "dpop+jwt":
        raise JWTError("Its typ is not dpop+jwt.")
    jwk: Any = jwt.header.get("jwk")
    if not isinstance(jwk, Mapping) or not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise JWTError("Its jwk is not a public key.")
    # What else the JWK says, such as an alg of its own, is the client's affair.
    key = import_key({name: value for name, value in jwk.items() if name not in {"alg", "use", "key_ops"}})
    if key is None:
        raise JWTError("Its jwk is not a public key.")
    verify(jwt, [key], PROOF_ALGORITHMS)
    return str(key.thumbprint())


def _same_target(said: object, url: str) -> bool:
    """Compare two URLs without query and fragment, after normalization: RFC 3986 section 6.2."""
    if not isinstance(said, str):
        return False
    try:
        return _target(said) == _target(url)
    except ValueError:
        return False


def _target(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("There are credentials in it.")
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme), parts.path or "/"


class Nonces:
    """The nonces of a server: each is good for some minutes, and none is remembered.

    Args:
        now: tells the time, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._secret = secrets.token_bytes(32)

    def current(self) -> str:
        """Return the nonce to hand out."""
        return self._of(self._period())

    def is_good(self, nonce: object) -> bool:
        """Tell whether a nonce was handed out not long ago.

        Args:
            nonce: the claim of a proof.
        """
        period = self._period()
        return isinstance(nonce, str) and nonce in {self._of(period), self._of(period - 1)}

    def _period(self) -> int:
        return int(self._now() // _NONCE_PERIOD)

    def _of(self, period: int) -> str:
        return base64url(hmac.digest(self._secret, str(period).encode(), "sha256"))
