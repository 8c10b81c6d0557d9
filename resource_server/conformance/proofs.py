"""DPoP proofs, right and wrong: ES256 in plain arithmetic, for a tool that signs a dozen times and needs no library.

It is not for secrets: it takes a different time for different keys.

References: RFC 9449 section 4.2, FIPS 186-5 section 6.4
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

Point = tuple[int, int]

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G: Point = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_LENGTH = 32


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return what base64url without padding stands for."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _add(one: Point | None, other: Point | None) -> Point | None:
    """Add two points of P-256; ``None`` is the point at infinity.

    That two points are each other's inverse is as likely as to guess a key, and is left out.
    """
    if one is None or other is None:
        return other or one
    if one == other:
        slope = 3 * (one[0] * one[0] - 1) * pow(2 * one[1], -1, _P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P)
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _multiply(number: int, point: Point) -> Point | None:
    total: Point | None = None
    step: Point | None = point
    while number:
        if number & 1:
            total = _add(total, step)
        step = _add(step, step)
        number >>= 1
    return total


def sign(message: bytes, private: int) -> bytes:
    """Return the signature ES256 has for a message: R and S, 32 bytes each."""
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    nonce = secrets.randbelow(_N - 1) + 1
    r = (_multiply(nonce, _G) or _G)[0] % _N
    s = pow(nonce, -1, _N) * (digest + r * private) % _N
    return r.to_bytes(_LENGTH, "big") + s.to_bytes(_LENGTH, "big")


def new_key() -> dict[str, str]:
    """Make a private key, as a JWK."""
    private = secrets.randbelow(_N - 1) + 1
    x, y = _multiply(private, _G) or _G
    numbers = {"x": x, "y": y, "d": private}
    return {"kty": "EC", "crv": "P-256"} | {name: encode(n.to_bytes(_LENGTH, "big")) for name, n in numbers.items()}


def proof(  # noqa: PLR0913 - what a proof says
    key: Mapping[str, Any],
    method: str,
    url: str,
    token: str,
    *,
    header: Mapping[str, Any] | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """Make a DPoP proof.

    Args:
        key: a private key on P-256, as a JWK.
        method: the method of the request.
        url: its URL, without query and fragment.
        token: the access token that it carries.
        header: header parameters that differ; a value of ``None`` leaves one out.
        claims: claims that differ; a value of ``None`` leaves one out.
    """
    public = {name: key[name] for name in ("kty", "crv", "x", "y")}
    usual = {
        "jti": secrets.token_urlsafe(16),
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
        "ath": encode(hashlib.sha256(token.encode()).digest()),
    }
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public, **(header or {})}
    parts = [
        {name: value for name, value in part.items() if value is not None}
        for part in (head, usual | dict(claims or {}))
    ]
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{encode(sign(signed.encode(), int.from_bytes(decode(key['d']), 'big')))}"
