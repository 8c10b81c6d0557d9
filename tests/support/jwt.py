"""Make JWTs by hand, right ones and every kind of wrong one, without the code that will judge them.

A token is put together from exactly the header, payload and signature asked for: nothing is corrected, and the
algorithm that signs need not be the one the header names.

References: RFC 7515, RFC 7518, RFC 8037, RFC 9068 section 2
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, cast

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://as.example.com"
AUDIENCE = "https://rs.example.com"
NOW = 1_700_000_000.0
"""The moment at which :func:`claims` are good, in seconds since the epoch; they expire an hour later."""


class _Removed(Enum):
    """A value that is no value: it has the same name in every process, as the ids of tests must."""

    REMOVED = "REMOVED"


REMOVED: Any = _Removed.REMOVED
"""The value that takes a claim or a header parameter away."""

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Part = Mapping[str, Any] | list[Any] | str | float | bytes | None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the algorithm it signs with unless told otherwise."""

    private: _Private
    algorithm: str
    kid: str

    def sign(self, content: bytes, algorithm: str | None = None) -> bytes:
        """Sign as JWS does (RFC 7518 section 3): ECDSA signatures are R and S side by side."""
        name = algorithm or self.algorithm
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(content)
        digest = _HASHES[name[2:]]()
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            size = (self.private.curve.key_size + 7) // 8
            return join_rs(*decode_dss_signature(self.private.sign(content, ec.ECDSA(digest))), size)
        if name.startswith("RS"):
            return self.private.sign(content, padding.PKCS1v15(), digest)
        return self.sign_pss(content, digest, salt_length=digest.digest_size)

    def sign_pss(self, content: bytes, digest: hashes.HashAlgorithm, salt_length: int) -> bytes:
        """Sign with RSASSA-PSS and a salt of any length."""
        private = cast("rsa.RSAPrivateKey", self.private)
        return private.sign(content, padding.PSS(padding.MGF1(digest), salt_length), digest)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Write the public part as a JWK, with members changed, added, or taken away by ``REMOVED``."""
        return _changed({"kid": self.kid, "use": "sig", "alg": self.algorithm} | _public_members(self.private), changes)

    def private_jwk(self, **changes: Any) -> dict[str, Any]:
        """Write the JWK that should never be published: with the private members."""
        return _changed(self.jwk() | _private_members(self.private), changes)


@cache
def signing_key(algorithm: str = "RS256", name: str = "") -> SigningKey:
    """Return a key, the same one for the same algorithm and name throughout a test session.

    Args:
        algorithm: ``RS256`` to ``PS512`` (2048 bits), ``ES256`` to ``ES512``, ``Ed25519`` or ``EdDSA``.
        name: tells apart several keys for one algorithm.
    """
    private: _Private
    if algorithm in _CURVES:
        private = ec.generate_private_key(_CURVES[algorithm]())
    elif algorithm[:2] in {"RS", "PS"}:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    return SigningKey(private, algorithm, f"{algorithm}-{name}".rstrip("-"))


def jwks(*keys: SigningKey | Mapping[str, Any]) -> dict[str, Any]:
    """Write a JWK Set of keys and of JWKs."""
    return {"keys": [key.jwk() if isinstance(key, SigningKey) else dict(key) for key in keys]}


def claims(now: float = NOW, **changes: Any) -> dict[str, Any]:
    """Write the claims of a good access token (RFC 9068 section 2.2), changed as asked."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "subject-1",
        "client_id": "client-1",
        "jti": "token-1",
        "iat": int(now),
        "exp": int(now) + 3600,
        "scope": "read write",
    }
    return _changed(good, changes)


def header(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """Write the header of an access token signed with this key, changed as asked."""
    return _changed({"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid}, changes)


def access_token(
    key: SigningKey | None = None, *, head: Mapping[str, Any] | None = None, now: float = NOW, **changes: Any
) -> str:
    """Make a signed access token.

    Args:
        key: who signs it; by default the session's RS256 key.
        head: changes of the header.
        now: seconds since the epoch; it is issued now and expires in an hour.
        changes: changes of the claims.
    """
    signer = key or signing_key()
    return sign(header(signer, **(head or {})), claims(now, **changes), signer)


def sign(head: Part, payload: Part, key: SigningKey, algorithm: str | None = None) -> str:
    """Sign any header and payload, whatever the header says; bytes stand for themselves, the rest is made JSON."""
    signing_input = f"{b64url(encoded(head))}.{b64url(encoded(payload))}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode(), algorithm))}"


def sign_raw(head: str, payload: str, key: SigningKey) -> str:
    """Sign two parts as they stand, whether or not they are base64url."""
    signing_input = f"{head}.{payload}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode()))}"


def sign_hmac(head: Part, payload: Part, secret: bytes) -> str:
    """Make a token with HMAC-SHA-256, as somebody who takes a public key for a shared secret would."""
    signing_input = f"{b64url(encoded(head))}.{b64url(encoded(payload))}"
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(signing_input.encode())
    return f"{signing_input}.{b64url(mac.finalize())}"


def unsigned(head: Part, payload: Part, signature: bytes = b"") -> str:
    """Put a token together with any bytes for a signature, or none."""
    return f"{b64url(encoded(head))}.{b64url(encoded(payload))}.{b64url(signature)}"


def with_signature(token: str, signature: bytes) -> str:
    """Replace a token's signature."""
    return f"{token.rpartition('.')[0]}.{b64url(signature)}"


def ecdsa_twin(signature: bytes, key: SigningKey) -> bytes:
    """Return the other signature that verifies for the same bytes: (r, n - s) in place of (r, s)."""
    size = len(signature) // 2
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    return join_rs(r, _ORDERS[key.algorithm] - s, size)


def der(signature: bytes) -> bytes:
    """Rewrite an ECDSA signature as the ASN.1 structure that X.509 uses, and JWS does not."""
    size = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def join_rs(r: int, s: int, size: int) -> bytes:
    """Write R and S side by side, each with this many bytes."""
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def encoded(part: Part) -> bytes:
    """Write JSON without blanks; bytes stand for themselves."""
    return part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()


def b64url(content: bytes) -> str:
    """Write base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def b64uint(number: int, size: int | None = None) -> str:
    """Write a Base64urlUInt (RFC 7518 section 2), or with ``size`` bytes where the width is fixed."""
    return b64url(number.to_bytes(size or max(1, (number.bit_length() + 7) // 8), "big"))


def public_pem(key: SigningKey) -> bytes:
    """Write the public key as PEM: what an attacker would use as an HMAC secret."""
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def thumbprint(key: SigningKey) -> str:
    """Compute the JWK thumbprint (RFC 7638)."""
    members = _public_members(key.private)
    return b64url(sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


_ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


def _changed(members: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | dict(changes)).items() if value is not REMOVED}


def _public_members(private: _Private) -> dict[str, str]:
    if isinstance(private, rsa.RSAPrivateKey):
        rsa_numbers = private.public_key().public_numbers()
        return {"kty": "RSA", "n": b64uint(rsa_numbers.n), "e": b64uint(rsa_numbers.e)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = private.public_key().public_numbers()
        size = (private.curve.key_size + 7) // 8
        curve = f"P-{private.curve.key_size}"
        return {"kty": "EC", "crv": curve, "x": b64uint(point.x, size), "y": b64uint(point.y, size)}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(private.public_key().public_bytes_raw())}


def _private_members(private: _Private) -> dict[str, str]:
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.private_numbers()
        return {"d": b64uint(numbers.d), "p": b64uint(numbers.p), "q": b64uint(numbers.q)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        size = (private.curve.key_size + 7) // 8
        return {"d": b64uint(private.private_numbers().private_value, size)}
    return {"d": b64url(private.private_bytes_raw())}
