"""Read a request again, for the rules: leniently, and with nothing of what judges it."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, TypeGuard

from tests.differential.draft import Case, members
from tests.support.jwt import b64url

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_TYPES = {"R": "RSA", "P": "RSA", "E": "EC"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
_COORDINATES = ("n", "e", "x", "y")


def object_of(text: bytes) -> dict[str, Any]:
    """Read a JSON object as the most lenient reader would."""
    return members(text)


def objects(text: bytes) -> list[list[tuple[str, Any]]]:
    """List the members of every object in a JSON text, as they stand, also those that stand twice."""
    found: list[list[tuple[str, Any]]] = []
    _scan(text, object_pairs_hook=found.append)
    return found


def numbers(text: bytes) -> list[str]:
    """List the numbers of a JSON text, as they are written."""
    found: list[str] = []
    _scan(text, parse_int=found.append, parse_float=found.append)
    return found


def depth(value: Any) -> int:
    """Tell how many arrays and objects lie in each other."""
    deepest, level = 0, [value]
    while level := [item for item in level if isinstance(item, list | dict)]:
        deepest += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return deepest


def is_number(value: Any) -> TypeGuard[int | float]:
    """Tell whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_spelt_canonically(case: Case) -> bool:
    """Tell whether what was sent for a token and for a proof is parts of base64url, each in its one spelling."""
    credentials = [sent.strip(" \t").partition(" ")[2].lstrip(" ") for sent in case.sent(b"authorization")]
    proofs = [sent.strip(" \t") for sent in case.sent(b"dpop")]
    return all(_is_canonical(part) for jwt in (*credentials[:1], *proofs[:1]) for part in jwt.split("."))


def fitting_keys(case: Case) -> list[Mapping[str, Any]]:
    """List the keys of the issuer that a token's header could mean, by type, curve and key id."""
    head = case.head_members()
    algorithm = str(head.get("alg"))
    kty, curve = _TYPES.get(algorithm[:1], ""), _CURVES.get(algorithm)
    if algorithm in {"EdDSA", "Ed25519"}:
        kty = "OKP"
    return [
        key
        for key in case.world.keys
        if (key.get("kty"), key.get("crv")) == (kty, curve) and ("kid" not in head or head["kid"] == key.get("kid"))
    ]


def key_of_proof(case: Case) -> Mapping[str, Any]:
    """Return the key that a proof carries; nothing where there is none."""
    key = members(case.proof_head).get("jwk")
    return key if isinstance(key, dict) else {}


def has_malformed_key(case: Case) -> bool:
    """Tell whether the key that a header means is no JWK to the letter."""
    return any(
        not isinstance(key.get("key_ops", []), list)
        or not all(_is_canonical(str(key[name])) for name in _COORDINATES if name in key)
        for key in (*fitting_keys(case), key_of_proof(case))
    )


def _is_canonical(part: str) -> bool:
    if _BASE64URL.fullmatch(part) is None or len(part) % 4 == 1:
        return False
    return b64url(urlsafe_b64decode(part + "=" * (-len(part) % 4))) == part


def _scan(text: bytes, **hooks: Any) -> None:
    try:
        json.loads(text.decode("utf-8", "replace").removeprefix("\ufeff"), **hooks)
    except (ValueError, RecursionError):
        return
