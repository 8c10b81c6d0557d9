"""Take a compact JWS apart, without verifying anything and without any cryptography.

References: RFC 7515 sections 3.1, 4 and 5.2, RFC 8725 sections 3.7 and 3.10
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

from resource_server._protocol.base64url import decode
from resource_server._protocol.strict_json import StrictJSONError, loads_object

MAX_HEADER_BYTES = 8_192
_PARTS = (3, 5)
_OBJECT = b"eyJ"
"""How a JSON object begins in base64url: with a brace and a quotation mark."""
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/_-]")
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class JWS:
    """A compact JWS whose header is a JSON object with a string ``alg``. Nothing in it is trusted yet."""

    algorithm: str
    key_id: str | None = field(repr=False)
    typ: str | None
    payload: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    jwk: object = field(default=None, repr=False, compare=False)
    """The key that the header itself brings along. Anybody can write one: only a DPoP proof is ever judged by it."""

    def claims(self) -> dict[str, Any] | None:
        """Parse the payload as claims, or return ``None`` where it is not a JSON object (RFC 7519 section 7.2)."""
        try:
            return loads_object(self.payload)
        except StrictJSONError:
            return None


def parse_jws(token: bytes) -> JWS | None:
    """Parse a token as a compact JWS.

    Header parameters that could point to keys (``jku``, ``x5u``, ``x5c``) are never looked at, and ``jwk`` is handed on
    unseen, for proofs. ``crit`` is always refused: no extension is understood here, and ``b64`` must not be used with a
    JWT (RFC 7797 section 7).

    Returns:
        The parts, or ``None`` where the token is no well-formed JWS: it may be opaque, or garbage.
    """
    found = _COMPACT.fullmatch(token)
    if found is None or len(found.group(1)) > MAX_HEADER_BYTES:
        return None
    try:
        raw_header, payload, signature = (decode(part) for part in found.groups())
        header = loads_object(raw_header)
    except (StrictJSONError, ValueError):
        return None
    algorithm, key_id, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or "crit" in header or "b64" in header:
        return None
    if not all(isinstance(header[name], str) for name in ("kid", "typ") if name in header):
        return None
    return JWS(algorithm, key_id, typ, payload, token[: found.end(2)], signature, header.get("jwk"))


def is_misspelt(token: bytes) -> bool:
    """Tell whether a token is a JWS or a JWE by its header, and yet not spelled as one.

    Decoders forgive padding, bits that encode nothing, and characters that are none of theirs. So whoever has a token
    could make another one of it that is as good at its authorization server, and is unknown here.

    References: RFC 7515 section 2, RFC 4648 section 3.5
    """
    parts = token.split(b".")
    if len(parts) not in _PARTS or len(parts[0]) > MAX_HEADER_BYTES:
        return False
    try:
        if not isinstance(loads_object(_forgiven(parts[0])).get("alg"), str):
            return False
    except ValueError:
        return False
    return not all(map(_is_base64url, parts))


def is_cut_off(token: bytes) -> bool:
    """Tell whether a token begins as a JWS or a JWE does, and has not enough parts to be one.

    A server can only take it for an opaque token.
    """
    return token.startswith(_OBJECT) and token.count(b".") + 1 < min(_PARTS)


def _forgiven(part: bytes) -> bytes:
    """Decode as those do that forgive most: what is no character of theirs is not there, and padding does not count."""
    kept = _FOREIGN.sub(b"", part)
    return urlsafe_b64decode(kept + b"=" * (-len(kept) % 4))


def _is_base64url(part: bytes) -> bool:
    try:
        decode(part)
    except ValueError:
        return False
    return _BASE64URL.fullmatch(part) is not None
