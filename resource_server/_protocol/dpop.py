"""Read and judge a DPoP proof, up to its signature.

A proof is a JWT that a client signs for one request, with a key that it sends along. That the signature verifies says
nothing by itself, for anybody can make a key: what counts is that it is the key the token is bound to.

References: RFC 9449 sections 4.2, 4.3 and 11.1, RFC 7519 sections 4.1.4 and 4.1.5, RFC 7638 section 3
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple

from resource_server._protocol.base64url import encode
from resource_server._protocol.jwks import PublicKey, read_key
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.messages import RawHeaders
from resource_server._protocol.target_uri import normal_form
from resource_server.errors import InvalidDPoPProof, Reason

MAX_PROOF_BYTES = 16_384
MAX_AHEAD = 5.0
"""Seconds by which a client's clock may be ahead in any case (RFC 9449 section 11.1)."""
_FIELD_NAME = b"dpop"
_TYPES = frozenset({"dpop+jwt", "application/dpop+jwt"})  # one media type, written in two ways: RFC 7515 section 4.1.9
_CANONICAL = json.JSONEncoder(separators=(",", ":"), sort_keys=True)
_PRIVATE_MEMBERS = frozenset({"p", "q", "dp", "dq", "qi", "oth"})
"""Those of RSA keys beside ``d``, with which, as with ``k``, no key is read at all."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A well-formed proof. Nothing in it is trusted yet."""

    jws: JWS
    key: PublicKey
    thumbprint: str
    """The key's thumbprint (RFC 7638), which is the ``jkt`` of a token that is bound to it."""
    proof_id: str = field(repr=False)
    """``jti``."""
    method: str
    """``htm``."""
    uri: str = field(repr=False)
    """``htu``."""
    issued_at: float
    """``iat``, in seconds since the epoch."""
    token_hash: str = field(repr=False)
    """``ath``."""
    nonce: str | None = field(repr=False)
    lifetime: tuple[float, float]
    """Since when it is good and until when, by its own ``nbf`` and ``exp``, which it need not have."""


class Occasion(NamedTuple):
    """The request that a proof must be for."""

    method: str
    uri: str | None
    """Its address in normal form, or ``None`` where it has none that a proof could name."""
    token: bytes
    """The access token that goes with it."""
    now: float
    """Seconds since the epoch."""

    def __repr__(self) -> str:
        """Show the method only: the rest holds a token."""
        return f"Occasion(method={self.method!r})"


def read_proof(headers: RawHeaders, algorithms: frozenset[str]) -> Proof:
    """Take the one proof out of a request's headers.

    Args:
        headers: all of them, names in any case.
        algorithms: the signature algorithms a proof may have.

    Raises:
        InvalidDPoPProof: there is none, there are several, or it is not well-formed.
    """
    values = [value for name, value in headers if name.lower() == _FIELD_NAME]
    if not values:
        raise InvalidDPoPProof("proof_missing")
    value = values[0].strip(b" \t")
    proof = _parse(value, algorithms) if len(values) == 1 and len(value) <= MAX_PROOF_BYTES else None
    if proof is None:
        raise InvalidDPoPProof("proof_invalid")
    return proof


def judge_proof(proof: Proof, occasion: Occasion, *, window: float, leeway: float) -> Reason | None:
    """Judge whether a proof is for this request, this token and this moment.

    Args:
        proof: the proof.
        occasion: what it must be for.
        window: seconds for which a proof can be used after it was made.
        leeway: seconds by which the clocks may differ, towards the future.

    Returns:
        Why it is refused, or ``None``.
    """
    if proof.method != occasion.method or occasion.uri is None or normal_form(proof.uri) != occasion.uri:
        return "proof_mismatch"
    if not compare_digest(proof.token_hash.encode(), token_hash(occasion.token).encode()):
        return "proof_mismatch"
    begins, ends = proof.lifetime
    is_recent = occasion.now - window <= proof.issued_at <= occasion.now + leeway + MAX_AHEAD
    return None if is_recent and begins - leeway <= occasion.now < ends + leeway else "proof_stale"


def token_hash(token: bytes) -> str:
    """Name an access token as ``ath`` does."""
    return encode(sha256(token).digest())


def key_thumbprint(key: PublicKey) -> str:
    """Name a key by its required members alone, in their one order (RFC 7638 section 3)."""
    return encode(sha256(_CANONICAL.encode(dict(key.members)).encode()).digest())


def _parse(value: bytes, algorithms: frozenset[str]) -> Proof | None:
    jws = parse_jws(value)
    if jws is None or jws.typ is None or jws.typ.lower() not in _TYPES or jws.algorithm not in algorithms:
        return None
    key = _read_public_key(jws)
    if key is None:
        return None
    claims = jws.claims()
    if claims is None or not _are_well_typed(claims):
        return None
    return Proof(
        jws,
        key,
        key_thumbprint(key),
        claims["jti"],
        claims["htm"],
        claims["htu"],
        claims["iat"],
        claims["ath"],
        claims.get("nonce"),
        (claims.get("nbf", -math.inf), claims.get("exp", math.inf)),
    )


def _read_public_key(jws: JWS) -> PublicKey | None:
    if not isinstance(jws.jwk, dict) or not _PRIVATE_MEMBERS.isdisjoint(jws.jwk):
        return None
    key = read_key(jws.jwk)
    return key if key is not None and jws.algorithm in key.algorithms else None


def _are_well_typed(claims: dict[str, Any]) -> bool:
    texts = [claims.get(name) for name in ("jti", "htm", "htu", "ath")]
    if not all(isinstance(text, str) and text for text in texts) or not isinstance(claims.get("nonce", ""), str):
        return False
    times = [claims.get("iat"), *(claims[name] for name in ("exp", "nbf") if name in claims)]
    return all(isinstance(time, int | float) and not isinstance(time, bool) for time in times)
