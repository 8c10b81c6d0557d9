"""Verify JWTs that clients have signed.

joserfc's own reader takes no header of more than 512 bytes, which the public key in a DPoP proof alone may exceed; what
it knows of keys and signatures is used here all the same.

References: RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725 section 3
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mock_as.base64url import from_base64url
from mock_as.keys.signing import ALGORITHMS
from mock_as.tokens.store import as_time

SIGNATURE_ALGORITHMS = ALGORITHMS
"""The algorithms that clients may sign with."""
MAC_ALGORITHMS = ("HS256", "HS384", "HS512")
"""Those that take a secret."""
LEEWAY = 60
"""By how much clocks may differ, in seconds."""

PublicKey = ECKey | RSAKey | OKPKey | OctKey

_PARTS = 3
# 2048 and 8192 bits, in base64url
_SHORTEST_MODULUS, _LONGEST_MODULUS = 342, 1366


class JWTError(ValueError):
    """A JWT is not what it has to be; the message says why, and nothing of what is in it."""


class JWT(NamedTuple):
    """A JWT in its parts."""

    header: dict[str, Any]
    claims: dict[str, Any]
    message: bytes
    """What is signed."""
    signature: bytes


def read(text: str) -> JWT:
    """Take a JWT apart, and believe nothing of it.

    Args:
        text: the JWT, in the compact serialization.

    Raises:
        JWTError: it is none.
    """
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise JWTError("It is no JWT.")
    header, claims = _members(parts[0]), _members(parts[1])
    if "crit" in header:
        raise JWTError("It has a critical header parameter.")
    return JWT(header, claims, f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2]))


def verify(jwt: JWT, keys: Iterable[PublicKey], algorithms: Collection[str]) -> None:
    """Insist that one of some keys has signed a JWT.

    Args:
        jwt: the JWT.
        keys: the keys that may have.
        algorithms: those that are accepted.

    Raises:
        JWTError: none of them has, or by another algorithm.
    """
    alg = jwt.header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise JWTError("Its algorithm is not one that is accepted.")
    if not any(_has_signed(jwt, alg, key) for key in keys):
        raise JWTError("Its signature is not that of a known key.")


def import_keys(jwks: Iterable[Mapping[str, Any]], kid: object = None) -> list[PublicKey]:
    """Read public keys; those that cannot be read are left out.

    Args:
        jwks: the keys as JWKs.
        kid: take only the keys of this name, if it is one.
    """
    wanted = [jwk for jwk in jwks if kid is None or jwk.get("kid") in (None, kid)]
    return [key for key in map(import_key, wanted) if key is not None]


def import_key(jwk: Mapping[str, Any]) -> PublicKey | None:
    """Read a key.

    Args:
        jwk: the key as a JWK.

    Returns:
        The key, or ``None`` where it is none that can be read.
    """
    if jwk.get("kty") == "RSA" and not _is_fair(jwk.get("n")):
        return None
    try:
        return JWKRegistry.import_key(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def judge_times(claims: Mapping[str, Any], now: float) -> None:
    """Insist that a JWT has an end, and that it is neither too old nor too new.

    Args:
        claims: what it says.
        now: the time, in seconds since the epoch.

    Raises:
        JWTError: it has not, or is.

    References: RFC 7519 section 4.1
    """
    end = claims.get("exp")
    if end is None:
        raise JWTError("It has no exp.")
    if as_time(end, -math.inf) <= now - LEEWAY:  # type: ignore[operator] # with a default it is a number
        raise JWTError("It has expired.")
    for name in ("nbf", "iat"):
        if name in claims and as_time(claims[name], math.inf) > now + LEEWAY:  # type: ignore[operator] # see above
            raise JWTError(f"Its {name} is in the future.")


def judge_audience(claims: Mapping[str, Any], audiences: Collection[str]) -> None:
    """Insist that a JWT is meant for this server.

    Args:
        claims: what it says.
        audiences: the names of this server.

    Raises:
        JWTError: it is meant for nobody, or for somebody else.
    """
    said = claims.get("aud")
    values = said if isinstance(said, list) else [said]
    if not any(isinstance(value, str) and value in audiences for value in values):
        raise JWTError("It is not meant for this server.")


def _is_fair(modulus: object) -> bool:
    """Tell whether an RSA key is long enough to be trusted (RFC 7518 section 3.3), and short enough to compute with."""
    return isinstance(modulus, str) and _SHORTEST_MODULUS <= len(modulus) <= _LONGEST_MODULUS


def _has_signed(jwt: JWT, alg: str, key: PublicKey) -> bool:
    algorithm = JWSRegistry.algorithms[alg]
    try:
        algorithm.check_key(key)
        return algorithm.verify(jwt.message, jwt.signature, key)
    except (JoseError, ValueError):
        return False


def _members(segment: str) -> dict[str, Any]:
    try:
        members = json.loads(_decode(segment))
    except (ValueError, RecursionError):
        raise JWTError("It is no JWT.") from None
    if not isinstance(members, dict):
        raise JWTError("It is no JWT.")
    return members


def _decode(segment: str) -> bytes:
    try:
        return from_base64url(segment)
    except ValueError:
        raise JWTError("It is no JWT.") from None
