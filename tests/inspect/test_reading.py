"""What a token says of itself is read without asking anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resource_server._inspect.reading import read_token
from resource_server._inspect.times import spell_distance, spell_moment, spell_times
from resource_server._protocol.base64url import encode

NOW = 1_700_000_000.0


def jwt(header: Any, claims: Any) -> bytes:
    """Write a JWT with a signature that nobody made."""
    parts = [encode(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, "AAAA"]).encode()


def jwe() -> bytes:
    """Write an encrypted JWT that nobody can open."""
    header = encode(json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM"}).encode())
    return f"{header}.AAAA.AAAA.AAAA.AAAA".encode()


@pytest.mark.parametrize(
    ("token", "kind", "word"),
    [
        (b"opaque-token", "opaque token", "opaque"),
        (jwt({"alg": "ES256"}, {"sub": "alice"}), "JWT", "a JWT with a signature"),
        (jwt({"alg": "ES256"}, ["alice"]), "JWT", "no JSON object"),
        (jwe(), "encrypted JWT", "not opened here"),
        (jwt({"alg": "ES256"}, {}) + b"=", "no token", "spelled as none may be"),
        (jwt({"alg": "ES256"}, {})[:-5], "opaque token", "its end is missing"),
        (jwt({"alg": "ES256"}, {})[:9], "opaque token", "its end is missing"),
        (b"{}", "no token", "characters that no token has"),
        ("ünïcode".encode(), "no token", "characters that no token has"),
    ],
)
def test_each_kind(token: bytes, kind: str, word: str) -> None:
    """Each kind is told by its name."""
    found = read_token(token, NOW)
    assert (found.kind, found.length) == (kind, len(token))
    assert word in found.says


def test_header_and_claims() -> None:
    """Header and claims are told as they are, the moments among them for people."""
    found = read_token(jwt({"alg": "none", "kid": "1"}, {"exp": NOW + 240, "iat": True, "nbf": "soon"}), NOW)
    assert found.header == {"alg": "none", "kid": "1"}
    assert found.times == {"exp": "2023-11-14 22:17:20 UTC (in 4 min)"}


@pytest.mark.parametrize("inside", [b'{"exp": 1700000000}', b"[", None])
def test_an_encrypted_one(inside: bytes | None) -> None:
    """Of an encrypted one the header is told, and its claims where our key opens it."""
    found = read_token(jwe(), NOW, inside)
    assert found.header == {"alg": "RSA-OAEP-256", "enc": "A256GCM"}
    opened = inside is not None and inside.startswith(b"{")
    assert (found.claims is not None) == opened
    assert found.times == ({"exp": "2023-11-14 22:13:20 UTC (now)"} if opened else {})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "now"),
        (240, "in 4 min"),
        (-7_500, "2 h 5 min ago"),
        (90_061, "in 1 d 1 h"),
        (-3_600, "1 h ago"),
        (59.7, "in 1 min"),
    ],
)
def test_a_distance(seconds: float, text: str) -> None:
    """A distance is told in two units at most."""
    assert spell_distance(seconds) == text


@pytest.mark.parametrize("moment", [1e30, -1e30, float("nan"), 10**400])
def test_no_moment(moment: float) -> None:
    """A number that no calendar has is told as that."""
    assert spell_moment(moment, NOW) == "no moment that a calendar has"


def test_moments_only() -> None:
    """Other members are no moments."""
    assert spell_times({"sub": "alice", "exp": None}, NOW) == {}
