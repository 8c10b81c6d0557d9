"""Whose token one is: by what it says of itself, and by what it looks like."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from resource_server._protocol.routing import Mark, ambiguity, find_issuer
from resource_server._protocol.shape import TokenShape
from tests.support.jwt import REMOVED, access_token, signing_key

ONE, OTHER = "https://one.example.com", "https://other.example.com"
KEY = signing_key("ES256")
ANY = TokenShape("any", frozenset({"ES256"}))
JWT = TokenShape("jwt", frozenset({"ES256"}))
OPAQUE = TokenShape("opaque", frozenset({"ES256"}))
HEXADECIMAL = TokenShape("any", frozenset({"ES256"}), re.compile("[0-9a-f]+", re.ASCII))


def issued_by(issuer: Any) -> bytes:
    """Make an access token with this ``iss``."""
    return access_token(KEY, iss=issuer).encode()


def test_a_jwt_says_whose_it_is() -> None:
    """The ``iss`` of a JWT counts to the letter, whatever else the token looks like, and whoever is known."""
    marks = [Mark(ONE, ANY, "eyJ"), Mark(OTHER, JWT)]
    assert find_issuer(issued_by(OTHER), marks) == OTHER
    assert find_issuer(issued_by("https://else.example.com/"), marks) == "https://else.example.com/"
    assert find_issuer(issued_by(OTHER), ()) == OTHER


@pytest.mark.parametrize("issuer", [[ONE], None, 1, True, {"iss": ONE}], ids=repr)
@pytest.mark.attack("A-J-6")
def test_an_iss_that_is_no_text(issuer: Any) -> None:
    """An ``iss`` that is not a string names nobody, and is not passed over either."""
    assert find_issuer(issued_by(issuer), [Mark(ONE, ANY)]) is None


def test_a_prefix_decides() -> None:
    """What does not name its issuer is told by what it begins with; others do not fit one that has a prefix."""
    marks = [Mark(ONE, ANY, "one_"), Mark(OTHER, ANY, "other_")]
    assert [find_issuer(token, marks) for token in (b"one_1", b"other_1", b"1")] == [ONE, OTHER, None]


def test_the_looks_decide() -> None:
    """Else by what only one issuer's tokens look like, a pattern before everything else."""
    assert find_issuer(b"opaque", [Mark(ONE, JWT), Mark(OTHER, OPAQUE)]) == OTHER
    assert find_issuer(issued_by(REMOVED), [Mark(ONE, JWT), Mark(OTHER, OPAQUE)]) == ONE
    marks = [Mark(ONE, HEXADECIMAL), Mark(OTHER, ANY)]
    assert [find_issuer(token, marks) for token in (b"c0ffee", b"tea")] == [ONE, OTHER]


def test_nobody_or_too_many() -> None:
    """A token that fits none of them, or more than one, is nobody's."""
    assert find_issuer(b"opaque", [Mark(ONE, JWT), Mark(OTHER, JWT)]) is None
    assert find_issuer(b"c0ffee", [Mark(ONE, HEXADECIMAL), Mark(OTHER, HEXADECIMAL)]) is None
    assert find_issuer(issued_by(REMOVED), [Mark(ONE, JWT), Mark(OTHER, ANY)]) is None


def test_a_jws_whose_content_is_no_object() -> None:
    """What is signed and holds no claims is told by its looks."""
    header, content = (
        urlsafe_b64encode(text).rstrip(b"=") for text in (b'{"alg":"ES256"}', json.dumps([ONE]).encode())
    )
    token = header + b"." + content + b".c2ln"
    assert find_issuer(token, [Mark(ONE, ANY), Mark(OTHER, OPAQUE)]) == ONE


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        ([Mark(ONE, JWT), Mark(ONE, OPAQUE)], "more than once"),
        ([Mark(ONE, ANY, "a"), Mark(OTHER, ANY, "ab")], "token_prefix 'ab'"),
        ([Mark(ONE, ANY, "a"), Mark(OTHER, ANY, "a")], "token_prefix 'a'"),
        ([Mark(ONE, ANY), Mark(OTHER, OPAQUE)], "an opaque token could be of"),
    ],
)
def test_what_could_not_be_told_apart(marks: list[Mark], text: str) -> None:
    """Two of the same name, of prefixes that overlap, or that both take any opaque token, are a mistake."""
    assert text in (ambiguity(marks) or "")


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [Mark(ONE, ANY)],
        [Mark(ONE, JWT), Mark(OTHER, JWT)],
        [Mark(ONE, ANY), Mark(OTHER, ANY, "o_")],
        [Mark(ONE, ANY), Mark(OTHER, HEXADECIMAL)],
        [Mark(ONE, ANY, "a_"), Mark(OTHER, ANY, "b_")],
    ],
)
def test_what_can_be_told_apart(marks: list[Mark]) -> None:
    """At most one of them takes what has no mark at all."""
    assert ambiguity(marks) is None


def encrypted(**head: Any) -> bytes:
    """Make what looks like an encrypted token, with this in its header."""
    parts = (json.dumps({"alg": "ECDH-ES", "enc": "A128GCM"} | head).encode(), b"", b"0" * 12, b"content", b"0" * 16)
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def test_an_encrypted_token() -> None:
    """It is of the issuer that its header repeats, or else of the only one that encrypts; in doubt it is nobody's."""
    plain, one, other = Mark(OTHER, JWT), Mark(ONE, JWT, encrypts=True), Mark(OTHER, JWT, encrypts=True)
    assert find_issuer(encrypted(iss=OTHER), [one, other]) == OTHER
    assert find_issuer(encrypted(iss=[OTHER]), [one]) is None
    assert find_issuer(encrypted(), [one, plain]) == ONE
    assert find_issuer(encrypted(), [one, other]) is None


def test_what_lacks_the_prefix() -> None:
    """A token that does not begin with an issuer's prefix is not of that issuer, though it be the only one."""
    assert find_issuer(b"1", [Mark(ONE, ANY, "one_")]) is None


def test_an_opaque_token_where_jwts_are_encrypted() -> None:
    """That an issuer encrypts its JWTs makes no opaque token one of its own."""
    assert find_issuer(b"opaque", [Mark(ONE, JWT, encrypts=True)]) is None
