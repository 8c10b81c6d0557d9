"""Read a JWK Set into keys that may verify access tokens. One exotic key never fails the set.

Ignored are symmetric keys, keys that come with their private part (whoever reads the set can sign with them), keys for
encryption, RSA keys below 2048 bits, above 8192, or with an exponent that is trivial or huge (to verify then costs as
much as to sign), Ed25519 points of small order (anybody can sign for them), and everything that is not understood.
Nothing here needs cryptography: whether a point is on its curve is found out when a key is first used.

References: RFC 7517 sections 4 and 5, RFC 7518 section 6, RFC 8037 section 2, RFC 8725 section 3.5
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

from resource_server._protocol.answers import read_json_object
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable

MAX_JWKS_BYTES = 524_288
MAX_KEYS = 256
_P25519 = 2**255 - 19
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P25519 - 1, _Y8, _P25519 - _Y8})  # the y of the points of order 4, 1, 2, 8 and 8
_MIN_RSA_BITS, _MAX_RSA_BITS, _MIN_EXPONENT, _MAX_EXPONENT_BITS = 2048, 8192, 3, 64
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_MEDIA_TYPES = ("application/json", "application/jwk-set+json")
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_ED25519 = frozenset({"Ed25519", "EdDSA"})  # two names for one thing since RFC 9864
_CURVES = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): _ED25519,
}
_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}

ALGORITHMS = tuple(sorted(_RSA_ALGORITHMS | frozenset().union(*_CURVES.values())))
"""Every signature algorithm this package can verify; ``none`` and the symmetric ones are not among them."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a set, reduced to its public members."""

    key_id: str | None
    algorithms: frozenset[str]
    """The algorithms this key may be used with: its own ``alg``, or all of its type and curve."""
    members: tuple[tuple[str, str], ...] = field(repr=False)
    """``kty`` and the public members, as the set has them."""


def jwks_request(url: str) -> HTTPRequest:
    """Build the question for a JWK Set."""
    return HTTPRequest("GET", url, "jwks", MAX_JWKS_BYTES, headers=(("accept", ", ".join(_MEDIA_TYPES)),))


def process_jwks_response(response: HTTPResponse, now: float) -> tuple[PublicKey, ...] | Unavailable:
    """Judge a JWK Set; one without a single usable key is a fault, so that it never replaces a good one.

    Args:
        response: the answer.
        now: seconds since the epoch.
    """
    document = read_json_object(response, now, _MEDIA_TYPES)
    if isinstance(document, Unavailable):
        return document
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        return Unavailable("not_a_key_set")
    keys = tuple(key for key in map(read_key, entries) if key is not None)
    return keys or Unavailable("no_usable_key")


def read_key(entry: object) -> PublicKey | None:
    """Read one JWK, or return ``None`` where it may not verify access tokens."""
    if not isinstance(entry, dict) or not _is_for_verification(entry):
        return None
    permitted = _algorithms_of(entry)
    declared, key_id = entry.get("alg"), entry.get("kid")
    if isinstance(declared, str):
        permitted &= _ED25519 if declared in _ED25519 else {declared}
    if not permitted or not all(value is None or isinstance(value, str) for value in (declared, key_id)):
        return None
    kty = entry["kty"]
    members = tuple((name, entry.get(name, "")) for name in _PUBLIC_MEMBERS[kty])
    if not all(isinstance(value, str) and value for _, value in members):
        return None
    return PublicKey(key_id, permitted, (("kty", kty), *members))


def _is_for_verification(entry: dict[str, Any]) -> bool:
    if entry.get("use", "sig") != "sig" or "d" in entry or "k" in entry:
        return False
    operations = entry.get("key_ops")
    return operations is None or (isinstance(operations, list) and "verify" in operations)


def _algorithms_of(entry: dict[str, Any]) -> frozenset[str]:
    kty = entry.get("kty")
    if kty == "RSA":
        return _RSA_ALGORITHMS if _is_strong_rsa(entry) else frozenset()
    curve = entry.get("crv")
    if not (isinstance(kty, str) and isinstance(curve, str)):
        return frozenset()
    if curve == "Ed25519" and _is_small_order(entry):
        return frozenset()
    return _CURVES.get((kty, curve), frozenset())


def _is_strong_rsa(entry: dict[str, Any]) -> bool:
    modulus, exponent = _integer(entry.get("n")), _integer(entry.get("e"))
    is_sound = exponent >= _MIN_EXPONENT and exponent % 2 == 1 and exponent.bit_length() <= _MAX_EXPONENT_BITS
    return is_sound and _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS


def _is_small_order(entry: dict[str, Any]) -> bool:
    encoded = _decode(entry.get("x"))
    return (int.from_bytes(encoded, "little") & (2**255 - 1)) % _P25519 in _SMALL_ORDER


def _integer(value: object) -> int:
    """Read a Base64urlUInt; 0 where it is none."""
    return int.from_bytes(_decode(value), "big")


def _decode(value: object) -> bytes:
    """Decode base64url; nothing where it is none."""
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value) or len(value) % 4 == 1:
        return b""
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))
