"""Take a compact JWE apart and judge its header, without decrypting anything and without any cryptography.

What is encrypted says nothing about who has encrypted it: the key for that is public. So what comes out is always a
signed JWT again, and judged like one that was never encrypted.

References: RFC 7516 sections 3.1, 4 and 5.2, RFC 7518 sections 4 and 5, RFC 7519 section 5.3, RFC 8725 section 3.3
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resource_server._protocol.base64url import decode
from resource_server._protocol.jws import JWS, MAX_HEADER_BYTES, parse_jws
from resource_server._protocol.strict_json import loads_object
from resource_server.errors import Reason

_RSA = frozenset({"RSA-OAEP", "RSA-OAEP-256"})
_AGREEMENT = frozenset({"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"})
DECRYPTION_ALGORITHMS = tuple(sorted(_RSA | _AGREEMENT))
"""How a key may be wrapped: never with RSA1_5, whose padding tells tales, nor with a secret or a password."""

_SIZES = {
    "A128CBC-HS256": (16, 16),
    "A192CBC-HS384": (16, 24),
    "A256CBC-HS512": (16, 32),
    "A128GCM": (12, 16),
    "A192GCM": (12, 16),
    "A256GCM": (12, 16),
}
"""The bytes of the initialization vector and of the authentication tag: a shorter tag is easier to guess."""
CONTENT_ENCRYPTION_ALGORITHMS = tuple(sorted(_SIZES))

_CURVES = {
    ("EC", "P-256"): (("x", 32), ("y", 32)),
    ("EC", "P-384"): (("x", 48), ("y", 48)),
    ("EC", "P-521"): (("x", 66), ("y", 66)),
    ("OKP", "X25519"): (("x", 32),),
}
_MAX_WRAPPED_BYTES = 1_024
"""The key, wrapped with RSA of 8192 bits."""
_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")
_JOSE = frozenset(
    {
        "alg",
        "apu",
        "apv",
        "cty",
        "enc",
        "epk",
        "jku",
        "jwk",
        "kid",
        "typ",
        "x5c",
        "x5t",
        "x5t#S256",
        "x5u",
    }
)
"""Header parameters that mean something of their own: a claim of such a name is not repeated in them."""


@dataclass(frozen=True, slots=True)
class JWE:
    """A compact JWE whose header is a JSON object with a string ``alg`` and ``enc``. Nothing in it is trusted yet."""

    algorithm: str
    encryption: str
    header: Mapping[str, Any] = field(repr=False)
    token: bytes = field(repr=False)
    """All of it, as it stands."""
    sizes: tuple[int, int, int] = field(repr=False)
    """The bytes of the wrapped key, of the initialization vector and of the authentication tag."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """One key of ours, and what it may be used for."""

    key_id: str | None
    algorithms: frozenset[str]
    curve: str | None
    """The curve that an ephemeral key must be on; ``None`` for RSA."""
    native: Any = field(repr=False, compare=False)
    """The key as ``jose`` uses it."""


@dataclass(frozen=True, slots=True)
class Decryption:
    """Our keys, and how what is encrypted for us may be encrypted."""

    keys: tuple[PrivateKey, ...] = field(repr=False)
    algorithms: frozenset[str]
    encryptions: frozenset[str]

    def select(self, jwe: JWE) -> PrivateKey | None:
        """Select the one key to try: the one that is named, or the first that has no name and fits.

        Args:
            jwe: what is encrypted, whose header has been judged.
        """
        key_id, ephemeral = jwe.header.get("kid"), jwe.header.get("epk", {})
        fitting = [
            key for key in self.keys if jwe.algorithm in key.algorithms and key.curve in {None, ephemeral.get("crv")}
        ]
        if key_id is None:
            return fitting[0] if fitting else None
        named = [key for key in fitting if key.key_id == key_id] + [key for key in fitting if key.key_id is None]
        return named[0] if named else None


def parse_jwe(token: bytes) -> JWE | None:
    """Parse a token as a compact JWE.

    Returns:
        The parts, or ``None`` where the token is no well-formed JWE: it may be opaque, or garbage.
    """
    found = _COMPACT.fullmatch(token)
    if found is None or len(found.group(1)) > MAX_HEADER_BYTES:
        return None
    try:
        raw_header, wrapped, vector, _, tag = (decode(part) for part in found.groups())
        header = loads_object(raw_header)
    except ValueError:
        return None
    algorithm, encryption = header.get("alg"), header.get("enc")
    if not isinstance(algorithm, str) or not isinstance(encryption, str):
        return None
    return JWE(algorithm, encryption, header, token, (len(wrapped), len(vector), len(tag)))


def judge_jwe(jwe: JWE, decryption: Decryption) -> Reason | None:
    """Judge everything that can be judged without a key.

    ``zip`` is always refused: a few bytes can be the whole of a disk (RFC 8725 section 3.6). So is ``crit``: no
    extension is understood here.

    Args:
        jwe: the parsed token.
        decryption: what is allowed.

    Returns:
        Why it is refused, or ``None``.
    """
    header = jwe.header
    if not header.keys().isdisjoint({"zip", "crit", "b64"}):
        return "malformed"
    if jwe.algorithm not in decryption.algorithms or jwe.encryption not in decryption.encryptions:
        return "algorithm_not_allowed"
    if not all(isinstance(header[name], str) for name in ("kid", "typ", "cty", "apu", "apv") if name in header):
        return "malformed"
    wrapped, *rest = jwe.sizes
    if tuple(rest) != _SIZES[jwe.encryption] or wrapped > _MAX_WRAPPED_BYTES:
        return "malformed"
    if (wrapped == 0) != (jwe.algorithm == "ECDH-ES"):
        return "malformed"
    has_none = "epk" not in header and jwe.algorithm in _RSA
    return None if has_none or _is_ephemeral_key(header.get("epk")) else "malformed"


def read_nested(jwe: JWE, content: bytes, typ: str) -> JWS | None:
    """Read what was encrypted, which must be a JWT: the claims themselves would be anybody's.

    Args:
        jwe: what it was in.
        content: what came out of it.
        typ: the type of JWT that is expected, which servers name in ``cty`` in the place of ``JWT``.

    Returns:
        The JWT, or ``None`` where it is none, or what its wrapper says about it is not true (RFC 7519 section 5.3).
    """
    if str(jwe.header.get("cty")).lower().removeprefix("application/") not in {"jwt", typ}:
        return None
    jws = parse_jws(content)
    if jws is None:
        return None
    claims = jws.claims() or {}
    repeated = (name for name in jwe.header if name not in _JOSE and name in claims)
    return jws if all(jwe.header[name] == claims[name] for name in repeated) else None


def usable_with(kty: object, curve: object) -> frozenset[str]:
    """Say how a key may be wrapped for one of ours.

    Args:
        kty: the type of the key, as in a JWK.
        curve: its curve; ``None`` where it has none.
    """
    if kty == "RSA":
        return _RSA
    return _AGREEMENT if (kty, curve) in _CURVES else frozenset()


def _is_ephemeral_key(epk: object) -> bool:
    """Tell whether something looks like a public key; whether it is on its curve is found out when it is used."""
    if not isinstance(epk, dict) or "d" in epk:
        return False
    kty, curve = epk.get("kty"), epk.get("crv")
    if not isinstance(kty, str) or not isinstance(curve, str):
        return False
    coordinates = _CURVES.get((kty, curve))
    return coordinates is not None and all(_size(epk.get(name)) == size for name, size in coordinates)


def _size(value: object) -> int | None:
    if not isinstance(value, str) or re.fullmatch("[A-Za-z0-9_-]+", value) is None:
        return None
    try:
        return len(decode(value.encode("ascii")))
    except ValueError:
        return None
