"""What the header of a JWT access token must say."""

from __future__ import annotations

import pytest

from resource_server._protocol.jws import JWS
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS, is_foreign, judge_header

ALLOWED = frozenset({"RS256", "ES256"})


def jws(algorithm: str = "RS256", typ: str | None = "at+jwt") -> JWS:
    """Make the parsed form of a token with this header."""
    return JWS(algorithm, None, typ, b"{}", b"", b"")


@pytest.mark.rfc("9068-4-a", "8725-3.11-a")
@pytest.mark.attack("A-J-11")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "at+JWT", "application/at+jwt", "application/AT+jwt"])
def test_access_token_types(typ: str) -> None:
    """RFC 9068 §4: typ is at+jwt or application/at+jwt; media types have no case."""
    assert judge_header(jws(typ=typ), "rfc9068", ALLOWED) is None
    assert judge_header(jws(typ=typ), "lenient", ALLOWED) is None


@pytest.mark.rfc("9068-4-a", "8725-3.11-a", "8725-3.12-a")
@pytest.mark.attack("A-J-10", "A-J-11")
@pytest.mark.parametrize(
    "typ",
    [
        "",
        " at+jwt",
        "at+jwt ",
        "at+jwt; x=1",
        "at+jwt\x00",
        "at jwt",
        "at",
        "id_token",
        "logout+jwt",
        "dpop+jwt",
        "token-introspection+jwt",
        "secevent+jwt",
        "rt+jwt",
        "client-authentication+jwt",
        "application/dpop+jwt",
        "text/at+jwt",
        "JOSE",
        "a\u212bt+jwt",
    ],
)
def test_other_types(typ: str) -> None:
    """RFC 9068 §4: every other typ is refused, in either profile: it says that this is another kind of token."""
    assert judge_header(jws(typ=typ), "rfc9068", ALLOWED) == "wrong_type"
    assert judge_header(jws(typ=typ), "lenient", ALLOWED) == "wrong_type"


@pytest.mark.rfc("9068-4-a")
@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "application/jwt"])
def test_general_types(typ: str | None) -> None:
    """RFC 9068 §4: no typ, or the general one, is refused, unless the lenient profile was asked for."""
    assert judge_header(jws(typ=typ), "rfc9068", ALLOWED) == "wrong_type"
    assert judge_header(jws(typ=typ), "lenient", ALLOWED) is None


@pytest.mark.rfc("7515-4.1.1-a", "8725-3.1-a", "8725-3.1-b", "8725-3.2-a", "8725bis-3.13-a")
@pytest.mark.attack("A-J-1")
@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "HS256", "PS256", "RS512", "PBES2-HS256+A128KW"],
)
def test_algorithm_allow_list(algorithm: str) -> None:
    """RFC 8725 §3.1: what is not on the list is refused; the names have case (RFC 7515 §4.1.1)."""
    assert judge_header(jws(algorithm), "rfc9068", ALLOWED) == "algorithm_not_allowed"


@pytest.mark.rfc("8725-3.11-a", "8725-3.12-a", "9701-8.1-a", "9449-11.5-a")
@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize(
    ("typ", "foreign"),
    [
        ("dpop+jwt", True),
        ("logout+jwt", True),
        ("secevent+jwt", True),
        ("token-introspection+jwt", True),
        ("client-authentication+jwt", True),
        ("Application/Token-Introspection+JWT", True),
        ("at+jwt", False),
        ("JWT", False),
        ("vendor+jwt", False),
        (None, False),
    ],
)
def test_foreign_types(typ: str | None, foreign: bool) -> None:  # noqa: FBT001 - parametrized
    """RFC 8725 §3.11: a token that says of itself that it is something else is nothing to ask anybody about."""
    assert is_foreign(jws(typ=typ)) == foreign


@pytest.mark.rfc("9068-2.2-a")
def test_required_claims() -> None:
    """RFC 9068 §2.2: seven claims are required; the lenient profile needs those without which nothing can be judged."""
    assert REQUIRED_CLAIMS["rfc9068"] == {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
    assert REQUIRED_CLAIMS["lenient"] == {"iss", "exp", "aud"}
