"""What a token looks like, judged before anybody is asked."""

from __future__ import annotations

import re
from typing import Any

import pytest

from resource_server._protocol.jws import parse_jws
from resource_server._protocol.shape import ANY_SHAPE, TokenShape, judge_shape
from resource_server.errors import Reason
from tests.support.jwt import access_token, claims, signing_key, unsigned

ES256 = signing_key("ES256")
JWT = access_token(ES256)
OPAQUE = "2YotnFZFEjr1zCsicMWpAA"
TOKENS = {
    "jwt": JWT,
    "opaque": OPAQUE,
    "two dots": "a.b.c",
    "alg none": unsigned({"alg": "none"}, claims()),
    "alg HS256": unsigned({"alg": "HS256"}, claims(), b"x" * 32),
    "five parts": "a.b.c.d.e",
}


def judged(token: str, shape: TokenShape) -> Reason | None:
    """Judge a token by its looks."""
    return judge_shape(token.encode(), parse_jws(token.encode()), shape)


@pytest.mark.attack("A-S-7")
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_any(token: str) -> None:
    """Unless told otherwise, nobody knows what a token looks like."""
    assert judged(token, ANY_SHAPE) is None


@pytest.mark.attack("A-S-7")
@pytest.mark.rfc("8725-3.1-a")
@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("jwt", None),
        ("opaque", "malformed"),
        ("two dots", "malformed"),
        ("five parts", "malformed"),
        ("alg none", "algorithm_not_allowed"),
        ("alg HS256", "algorithm_not_allowed"),
    ],
)
def test_jwt(kind: str, refused: Reason | None) -> None:
    """RFC 7515 §3.1: a JWT is a compact JWS, and only with an allowed algorithm is it worth a question."""
    assert judged(TOKENS[kind], TokenShape("jwt", frozenset({"ES256"}))) == refused


@pytest.mark.attack("A-S-7")
@pytest.mark.parametrize(
    ("kind", "refused"),
    [("jwt", "malformed"), ("alg none", "malformed"), ("opaque", None), ("two dots", None), ("five parts", None)],
)
def test_opaque(kind: str, refused: Reason | None) -> None:
    """A token that can be taken apart is no opaque one."""
    assert judged(TOKENS[kind], TokenShape("opaque", frozenset({"ES256"}))) == refused


@pytest.mark.attack("A-S-7")
@pytest.mark.parametrize(
    ("pattern", "token", "refused"),
    [
        (r"gho_[A-Za-z0-9]{8}", "gho_abcdEFGH", None),
        (r"gho_[A-Za-z0-9]{8}", "gho_abcdEFGHi", "malformed"),
        (r"gho_[A-Za-z0-9]{8}", "xgho_abcdEFGH", "malformed"),
        (r"\w+", "abc", None),
        (r"a|ab", "ab", None),
    ],
)
def test_pattern(pattern: str, token: str, refused: Any) -> None:
    """A pattern has to match the whole token, not a part of it."""
    assert judged(token, TokenShape("any", frozenset(), re.compile(pattern, re.ASCII))) == refused


@pytest.mark.attack("A-J-14")
@pytest.mark.rfc("8725bis-3.14-a")
@pytest.mark.parametrize("shape", [ANY_SHAPE, TokenShape("opaque", frozenset())])
@pytest.mark.parametrize("end", ["=", "==", "~", "AA=", ""])
def test_a_jwt_has_one_spelling(shape: TokenShape, end: str) -> None:
    """RFC 7515 §2: what some decoder may forgive is refused, or one token would have many names."""
    other = JWT + end if end else JWT[:-1] + unused_bit(JWT[-1])
    assert judged(other, shape) == "malformed"
    header = JWT.partition(".")[0]
    assert judged(f"{header}.key.iv.text.ta=", shape) == "malformed"


def unused_bit(last: str) -> str:
    """Return another last character for the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(last) + 1]


@pytest.mark.parametrize("token", ["e30.a.b=", "eyJhbGciOjF9.a.b=", "e=.a.b=", "v4.local.abc=", "x.A.B="])
def test_dots_alone_make_no_jwt(token: str) -> None:
    """Without the header of one it is an opaque token, whatever it consists of."""
    assert judged(token, ANY_SHAPE) is None


@pytest.mark.parametrize("rest", ["..AAAA.BBBB.CCCC", ".key0.AAAA.BBBB.CCCC"])
def test_an_encrypted_token_is_opaque(rest: str) -> None:
    """A JWE cannot be taken apart here, and is asked about."""
    assert judged(JWT.partition(".")[0] + rest, ANY_SHAPE) is None


def test_pattern_and_format() -> None:
    """Where both are given, both must hold."""
    shape = TokenShape("jwt", frozenset({"ES256"}), re.compile("ey.*"))
    assert judged(JWT, shape) is None
    assert judged("eyOpaque", shape) == "malformed"
