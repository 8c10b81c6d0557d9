"""Tokens: what the test asks for, and what the server decides where it asks for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import Clock, MockAS, Token, UsageError
from mock_as.keys import ALGORITHMS
from mock_as.tokens.defects import DEFECTS
from mock_as.tokens.minting import Order
from tests.mock_as.jose import header_of, is_by, payload_of

NOW = 1_700_000_000
ISSUER = "https://as.example.test"
AUDIENCE = "https://api.example.test"


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    clock = Clock(lambda: NOW + 0.75)
    return MockAS(clock=clock)


def read(token: Token) -> tuple[dict[str, Any], Any]:
    """Read header and payload of a JWT, without any check."""
    return header_of(token.value), payload_of(token.value)


def verifies(mock: MockAS, token: Token) -> bool:
    """Tell whether the signature is good under the published key that the header names."""
    return is_by(token.value, mock.keys.jwks())


def test_honest_jwt_is_an_rfc_9068_token(mock: MockAS) -> None:
    """A token has the type, the claims and the signature that RFC 9068 section 2 asks for."""
    token = mock.token(sub="alice", client_id="web", scope=["read", "write"])
    header, claims = read(token)
    assert header == {"typ": "at+jwt", "alg": "ES256", "kid": mock.keys.signing().kid}
    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": token.jti,
        "scope": "read write",
    }
    assert (token.header, token.claims) == (header, claims)
    assert verifies(mock, token)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_signs(mock: MockAS, alg: str) -> None:
    """Each algorithm makes tokens that verify with a key that is published from then on."""
    token = mock.token(alg=alg)
    assert token.header["alg"] == alg
    assert verifies(mock, token)


def test_defaults_name_the_client(mock: MockAS) -> None:
    """A token that nobody asked anything of belongs to a client, which is its own subject."""
    claims = mock.token().claims
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("svc", "svc", "read")


@pytest.mark.parametrize("scope", [None, "", []])
def test_no_scope_is_no_claim(mock: MockAS, scope: Any) -> None:
    """A token without scopes has no such claim, rather than an empty one."""
    assert "scope" not in mock.token(scope=scope).claims


def test_times_are_counted_from_now(mock: MockAS) -> None:
    """Every time of a token is said in seconds from now, and a whole number stays one."""
    claims = mock.token(expires_in=-10, nbf_in=5.0, iat_in=-20).claims
    assert (claims["exp"], claims["nbf"], claims["iat"]) == (NOW - 10, NOW + 5, NOW - 20)
    assert {type(claims[name]) for name in ("exp", "nbf", "iat")} == {int}
    assert mock.token(expires_in=1.5).claims["exp"] == NOW + 1.5


@pytest.mark.parametrize("name", ["expires_in", "nbf_in", "iat_in"])
def test_refuses_what_is_no_time(mock: MockAS, name: str) -> None:
    """A time that is no number of seconds is refused under its own name."""
    with pytest.raises(UsageError, match=rf"^{name}: inf"):
        mock.token(**{name: float("inf")})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("aud", "expected"),
    [(None, AUDIENCE), ("https://a.test", "https://a.test"), (["https://a.test"], "https://a.test"),
     (["https://a.test", "https://b.test"], ["https://a.test", "https://b.test"])],
)  # fmt: skip
def test_audience_is_one_or_several(mock: MockAS, aud: Any, expected: Any) -> None:
    """One audience is a text, several are a list."""
    assert mock.token(aud=aud).claims["aud"] == expected


def test_no_audience_at_all_is_refused() -> None:
    """A server without an audience could not fill in the claim."""
    with pytest.raises(UsageError, match=r"^audience: "):
        MockAS(audience=[])


def test_test_has_the_last_word(mock: MockAS) -> None:
    """Claims and header parameters can be set and removed, over any defect."""
    claims = {"iss": "https://mine.test", "jti": None, "tenant": {"id": 7}}
    token = mock.token(defect="wrong_iss", claims=claims, header={"typ": "x", "kid": None})
    header, payload = read(token)
    assert payload["iss"] == "https://mine.test"
    assert payload["tenant"] == {"id": 7}
    assert "jti" not in payload
    assert header == {"typ": "x", "alg": "ES256"}


@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
@pytest.mark.parametrize("value", [object(), {1, 2}])
def test_refuses_what_json_cannot_say(mock: MockAS, token_format: Any, value: object) -> None:
    """A claim that is no JSON value is refused, in either format, and no token comes of it."""
    with pytest.raises(UsageError, match=r"^claims: cannot be written as JSON"):
        mock.token(format=token_format, claims={"x": value})
    with pytest.raises(UsageError, match=r"^header: cannot be written as JSON"):
        mock.token(format="jwt", header={"x": value})
    assert len(mock.tokens) == 0


def test_key_can_be_chosen(mock: MockAS) -> None:
    """A token can be signed by a key that is not published, by the one before, or by any that has a name."""
    old = mock.keys.signing().kid
    mock.keys.rotate()
    assert mock.token(key="previous").header["kid"] == old
    assert mock.token(key=old).header["kid"] == old
    unpublished = mock.token(key="unpublished")
    assert unpublished.header["kid"] == mock.keys.unpublished().kid
    assert not verifies(mock, unpublished)
    assert verifies(mock, mock.token(key="previous"))


def test_named_key_brings_its_algorithm(mock: MockAS) -> None:
    """A key that is named signs with its own algorithm, whatever the default is."""
    kid = mock.keys.signing("Ed25519").kid
    token = mock.token(key=kid)
    assert token.header["alg"] == "Ed25519"
    assert verifies(mock, token)


@pytest.mark.parametrize("defect", [name for name, defect in DEFECTS.items() if defect.jwt_only])
def test_opaque_token_cannot_have_an_inside(defect: str) -> None:
    """A defect of a part that an opaque token lacks makes a JWT, unless an opaque one is insisted on."""
    mock = MockAS(token_format="opaque")
    assert mock.token(defect=defect).format == "jwt"
    with pytest.raises(UsageError, match="needs format='jwt'"):
        mock.token(defect=defect, format="opaque")


def test_refuses_names_that_are_none(mock: MockAS) -> None:
    """A defect, a key or a format that does not exist is an error that names what was meant."""
    with pytest.raises(UsageError, match=r"^key: 'unpublishd' is unknown; did you mean 'unpublished'"):
        mock.token(key="unpublishd")
    with pytest.raises(UsageError, match="did you mean 'alg_none'"):
        mock.token(defect="alg_non")
    with pytest.raises(UsageError, match="format: 'jws' is unknown"):
        mock.token(format="jws")  # type: ignore[arg-type]
    assert len(mock.tokens) == 0


def test_refuses_orders_that_contradict_themselves(mock: MockAS) -> None:
    """A token that the server does not know cannot be one that it calls active, or inactive."""
    with pytest.raises(UsageError, match=r"^active: "):
        mock.mint(Order(known=False, active=True))
    with pytest.raises(UsageError, match="did you mean 'DPoP'"):
        mock.mint(Order(token_type="DPOP"))  # type: ignore[arg-type]


def test_confirmation_is_the_one_that_is_asked_for(mock: MockAS) -> None:
    """A token can be bound to a key that the test has, by any method of confirmation: RFC 7800 section 3.1."""
    cnf = {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}
    token = mock.mint(Order(cnf=cnf))
    assert payload_of(token.value)["cnf"] == cnf
    assert token.prover is None


def test_dpop_token_comes_with_its_key(mock: MockAS) -> None:
    """A DPoP token is bound to a key made for it, and each has a key of its own: RFC 9449 section 6.1."""
    one, other = mock.mint(Order(token_type="DPoP")), mock.mint(Order(token_type="DPoP", format="opaque"))
    assert one.prover is not None
    assert other.prover is not None
    assert one.claims["cnf"] == {"jkt": one.prover.thumbprint}
    assert other.claims["cnf"] == {"jkt": other.prover.thumbprint}
    assert one.prover.thumbprint != other.prover.thumbprint
