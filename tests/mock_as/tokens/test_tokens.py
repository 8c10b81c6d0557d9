"""A token as a test holds it."""

from __future__ import annotations

import hashlib
import shlex

import pytest
from joserfc.jwk import JWKRegistry

from mock_as import MockAS, UsageError
from mock_as.tokens import looks_like_jwt
from mock_as.tokens.minting import Order
from tests.mock_as.jose import header_of, payload_of, unpad


def test_text_never_shows_by_accident(mock: MockAS) -> None:
    """Neither `str` nor `repr` shows the token; they name what a person needs to tell it from others."""
    token = mock.token(sub="alice", scope="read write", defect="wrong_aud")
    for shown in (str(token), repr(token), f"{token}"):
        assert token.value not in shown
        assert shown == "Token(id='tok-1', format='jwt', sub='alice', scope='read write', defect='wrong_aud')"
    assert repr(mock.token(scope=None)) == "Token(id='tok-2', format='jwt', sub='svc')"


def test_bearer_is_the_header_that_sends_it(mock: MockAS) -> None:
    """A token knows how it is sent."""
    token = mock.token()
    assert token.bearer == {"Authorization": f"Bearer {token.value}"}


def test_curl_survives_the_shell(mock: MockAS) -> None:
    """The command line is one that a shell splits into what was meant, whatever the URL holds."""
    token = mock.token()
    url = "https://api.example.test/a?b=1&c='$HOME'"
    assert shlex.split(token.curl(url)) == ["curl", "-i", "-H", f"Authorization: Bearer {token.value}", url]
    assert shlex.split(token.curl)[:-1] == shlex.split(token.curl(url))[:-1]
    assert token.curl == token.curl()


def test_tokens_are_told_apart_by_their_text(mock: MockAS) -> None:
    """Two tokens are equal only if they are the same one, and they can be kept in a set."""
    first, second = mock.token(format="opaque"), mock.token(format="opaque")
    assert first != second
    assert len({first, second, first}) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("e30.b.c", True), ("a.b.c", False), ("W10.b.c", False), ("ab", False), ("e30.b.c.d.e", False), ("", False)],
)
def test_shape_of_a_jwt(text: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the rule
    """Three parts, the first of them a header, make a signed JWT."""
    assert looks_like_jwt(text) is expected


URL = "https://api.example.test/orders?page=2"


def test_dpop_sends_the_token_with_a_proof() -> None:
    """A DPoP token goes with a new proof for each request, made by the mock's own clock: RFC 9449 section 7.1."""
    mock = MockAS(clock=lambda: 1_700_000_000.0)
    token = mock.mint(Order(token_type="DPoP"))
    fields = token.dpop("GET", URL, nonce="n-1")
    assert fields["Authorization"] == f"DPoP {token.value}"
    claims = payload_of(fields["DPoP"])
    assert (claims["htm"], claims["htu"], claims["nonce"]) == ("GET", "https://api.example.test/orders", "n-1")
    assert unpad(claims["ath"]) == hashlib.sha256(token.value.encode()).digest()
    assert claims["iat"] == 1_700_000_000
    assert JWKRegistry.import_key(header_of(fields["DPoP"])["jwk"]).thumbprint() == token.claims["cnf"]["jkt"]
    assert token.dpop("GET", URL)["DPoP"] != fields["DPoP"]


def test_bearer_token_has_no_proof(mock: MockAS) -> None:
    """A token that is bound to nothing cannot be sent with a proof, and the error says how to get one that can."""
    with pytest.raises(UsageError, match="mint it with token_type='DPoP'"):
        mock.token().dpop("GET", URL)


def test_curl_sends_a_proof_too(mock: MockAS) -> None:
    """The command line of a DPoP token has both header fields."""
    words = shlex.split(mock.mint(Order(token_type="DPoP")).curl())
    assert [word.partition(":")[0] for word in words if ": " in word] == ["Authorization", "DPoP"]
    assert words[-1] == "https://api.example.test/"
