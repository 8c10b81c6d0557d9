"""The issuers of the differential test: the same issuer again and again, each time with another kind of key set.

References: RFC 7517 section 4, RFC 7518 section 6
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.jwt import REMOVED, SigningKey, b64uint, b64url, signing_key

NEUTRAL_POINT = b64url(bytes([1]) + bytes(31))
"""The Ed25519 key that takes ``R = 1, S = 0`` for everybody's signature."""

_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
# Signing with RSA takes thirty times as long: its keys stand less often in the lists that signers are drawn from.
_OFTEN = ("ES256", "ES256", "ES256", "ES256", "Ed25519", "Ed25519", "Ed25519", "EdDSA", "EdDSA", "ES384")


@dataclass(frozen=True, slots=True)
class World:
    """An issuer with a key set; ``kids`` are the key ids of a token's header where they are not the keys' own."""

    name: str
    keys: tuple[Mapping[str, Any], ...]
    signers: tuple[SigningKey, ...]
    kids: Mapping[str, Any]

    def kid(self, key: SigningKey) -> Any:
        """Return the key id that a good token of this world names."""
        return self.kids.get(key.algorithm, key.kid)

    def __repr__(self) -> str:
        """Show the name only."""
        return f"World({self.name!r})"


def _declared() -> World:
    """Every key says what it is for."""
    keys = {name: signing_key(name) for name in _ALGORITHMS}
    published = tuple(key.jwk() for key in keys.values())
    return World("declared", published, tuple(keys[name] for name in (*_ALGORITHMS, *_OFTEN)), {})


def _bare() -> World:
    """One key of each type, which says nothing of itself, and tokens that name none."""
    keys = [signing_key(name, "bare") for name in ("RS256", "ES256", "ES384", "ES512", "Ed25519")]
    published = tuple(key.jwk(kid=REMOVED, use=REMOVED, alg=REMOVED) for key in keys)
    return World("bare", published, (*keys, *keys[1:], *keys[1:]), dict.fromkeys(_ALGORITHMS, REMOVED))


def _crowd() -> World:
    """Two keys for each algorithm: some without a key id, some with the same."""
    first, second = ({name: signing_key(name, which) for name in ("ES256", "Ed25519")} for which in ("one", "two"))
    anonymous = [key.jwk(kid=REMOVED) for key in (first["ES256"], second["ES256"])]
    homonymous = [key.jwk(kid="same") for key in (first["Ed25519"], second["Ed25519"])]
    kids = {"ES256": REMOVED, "Ed25519": "same"}
    return World("crowd", (*anonymous, *homonymous), (*first.values(), *second.values()), kids)


_ODD: dict[str, tuple[str, dict[str, Any]]] = {
    "enc": ("ES256", {"use": "enc"}),
    "use-null": ("ES256", {"use": None}),
    "use-other": ("ES256", {"use": "tls"}),
    "ops-sign": ("ES256", {"key_ops": ["sign"], "use": REMOVED}),
    "ops-both": ("ES256", {"key_ops": ["verify", "sign"], "use": REMOVED}),
    "ops-text": ("ES256", {"key_ops": "verify", "use": REMOVED}),
    "ops-number": ("ES256", {"key_ops": 5, "use": REMOVED}),
    "ops-empty": ("Ed25519", {"key_ops": []}),
    "alg-other": ("ES256", {"alg": "ES384"}),
    "alg-null": ("Ed25519", {"alg": None}),
    "alg-number": ("Ed25519", {"alg": 5}),
    "alg-unknown": ("Ed25519", {"alg": "HS256"}),
    "private": ("ES256", {"d": "AAAA"}),
    "kty": ("ES256", {"kty": "RSA"}),
    "crv": ("ES256", {"crv": "P-384"}),
    "x5c": ("Ed25519", {"x5c": ["AAAA"], "x5t#S256": "A"}),
    "ext": ("Ed25519", {"ext": False, "exp": 1}),
    "exponent": ("RS256", {"e": b64uint(1)}),
}
_NO_KEYS: tuple[dict[str, Any], ...] = (
    {"kty": "oct", "k": b64url(b"x" * 32), "kid": "oct", "alg": "HS256"},
    {"kty": "OKP", "crv": "Ed25519", "x": NEUTRAL_POINT, "kid": "small-order"},
    {"kty": "EC", "crv": "P-256", "x": b64url(bytes(32)), "y": b64url(bytes(32)), "kid": "off-curve"},
    {"kid": "nothing"},
)


def _odd() -> World:
    """Keys that must not verify access tokens, each with a private part that signs all the same; and a few that may."""
    good, padded = signing_key("ES256", "odd"), signing_key("Ed25519", "odd-padded")
    named = {name: signing_key(algorithm, f"odd-{name}") for name, (algorithm, _) in _ODD.items()}
    published = [key.jwk(**_ODD[name][1]) for name, key in named.items()]
    published += [good.jwk(), padded.jwk(x=f"{padded.jwk()['x']}=")]
    return World("odd", (*published, *_NO_KEYS), (good, good, good, padded, *named.values()), {})


@cache
def worlds() -> tuple[World, ...]:
    """Return the worlds, to be drawn from with equal chances: the ordinary one stands twice."""
    ordinary = _declared()
    return ordinary, ordinary, _bare(), _crowd(), _odd()
