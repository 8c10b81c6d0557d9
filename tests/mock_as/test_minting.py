"""Tokens, right and wrong: each defect is the one its name says, and the only one."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import JWKRegistry

from mock_as import Clock, MockAS, Token, UsageError
from mock_as.minting import DEFECTS

NOW = 1_700_000_000
ISSUER = "https://as.example.test"
AUDIENCE = "https://api.example.test"


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    clock = Clock(lambda: NOW + 0.75)
    return MockAS(clock=clock)


def decode(segment: str) -> Any:
    """Read a part of a JWT."""
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def read(token: Token) -> tuple[dict[str, Any], Any]:
    """Read header and payload of a JWT, without any check."""
    header, payload, _ = token.value.split(".")
    return decode(header), decode(payload)


def verifies(mock: MockAS, token: Token) -> bool:
    """Tell whether the signature is good under the published key that the header names."""
    message, _, signature = token.value.rpartition(".")
    header = decode(token.value.split(".")[0])
    keys = {key["kid"]: key for key in mock.keys.jwks()["keys"]}
    if header["alg"] == "none" or header.get("kid") not in keys:
        return False
    key = JWKRegistry.import_key(keys[header["kid"]])
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    return jws.JWSRegistry.algorithms[str(key.alg)].verify(message.encode(), raw, key)


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


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "Ed25519"])
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


CLAIM_DEFECTS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "expired": lambda claims: claims["exp"] < NOW and claims["iat"] < claims["exp"],
    "not_yet_valid": lambda claims: NOW < claims["nbf"] < claims["exp"],
    "iat_future": lambda claims: NOW < claims["iat"] < claims["exp"],
    "no_exp": lambda claims: "exp" not in claims,
    "exp_string": lambda claims: claims["exp"] == str(NOW + 3600),
    "exp_float": lambda claims: claims["exp"] == NOW + 3600.5,
    "wrong_iss": lambda claims: claims["iss"] not in {ISSUER, f"{ISSUER}/"},
    "iss_slash": lambda claims: claims["iss"] == f"{ISSUER}/",
    "wrong_aud": lambda claims: claims["aud"] != AUDIENCE,
    "no_aud": lambda claims: "aud" not in claims,
    "scope_list": lambda claims: claims["scope"] == ["read"],
    "no_scope": lambda claims: "scope" not in claims,
    "refresh_token": lambda claims: claims["typ"] == "Refresh" and claims["aud"] == ISSUER,
}


@pytest.mark.parametrize("defect", CLAIM_DEFECTS)
def test_defect_in_the_claims(mock: MockAS, defect: str) -> None:
    """A defect in the claims is in the claims alone, and in both formats; the signature is good."""
    token = mock.token(defect=defect, format="jwt")
    _, claims = read(token)
    assert CLAIM_DEFECTS[defect](claims)
    assert verifies(mock, token)
    opaque = mock.token(defect=defect, format="opaque")
    assert CLAIM_DEFECTS[defect](dict(opaque.claims))


def test_iss_slash_is_the_other_spelling() -> None:
    """An issuer that ends with a slash is spelt without one by the defect."""
    mock = MockAS(issuer="https://as.example.test/one/")
    assert mock.token(defect="iss_slash").claims["iss"] == "https://as.example.test/one"


SIGNATURE_DEFECTS: dict[str, Callable[[MockAS, dict[str, Any]], bool]] = {
    "bad_signature": lambda mock, header: header["kid"] == mock.keys.signing().kid,
    "other_key": lambda mock, header: header["kid"] == mock.keys.signing().kid,
    "alg_none": lambda _mock, header: header["alg"] == "none",
    "hs256_with_public_key": lambda mock, header: header["alg"] == "HS256" and header["kid"] == mock.keys.signing().kid,
    "unknown_kid": lambda mock, header: header["kid"] not in {key["kid"] for key in mock.keys.describe()},
    "no_kid": lambda _mock, header: "kid" not in header,
    "jwk_header": lambda mock, header: header["jwk"] == mock.keys.unpublished().public(),
    "jku_header": lambda _mock, header: header["jku"].startswith("https://attacker.example.test/"),
}


@pytest.mark.parametrize("defect", SIGNATURE_DEFECTS)
def test_defect_in_the_signature(mock: MockAS, defect: str) -> None:
    """A forged token says about itself what its defect wants, and no published key that it names verifies it."""
    token = mock.token(defect=defect)
    header, _ = read(token)
    assert SIGNATURE_DEFECTS[defect](mock, header)
    assert token.header == header
    assert not verifies(mock, token)


@pytest.mark.parametrize("defect", ["jwk_header", "jku_header", "no_kid", "unknown_kid"])
def test_tempting_tokens_are_well_signed(mock: MockAS, defect: str) -> None:
    """A token that brings its own key, or hides which one it is by, verifies with that key: only trust is missing."""
    token = mock.token(defect=defect)
    own = mock.keys.unpublished() if defect in {"jwk_header", "jku_header"} else mock.keys.signing()
    read_back = jws.deserialize_compact(token.value, JWKRegistry.import_key(own.public()), registry=LENIENT)
    assert json.loads(read_back.payload or b"") == token.claims


LENIENT = jws.JWSRegistry(algorithms=["ES256", "HS256"], strict_check_header=False)


def test_hs256_is_keyed_with_the_public_key(mock: MockAS) -> None:
    """The confused algorithm is real: whoever takes the public key for a secret finds the signature good."""
    token = mock.token(defect="hs256_with_public_key")
    secret = mock.keys.signing().jwk.as_pem(private=False)
    message, _, signature = token.value.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert hmac.compare_digest(raw, hmac.digest(secret, message.encode(), "sha256"))


def test_bad_signature_is_one_bit_away(mock: MockAS) -> None:
    """The bad signature has the length of a good one, and would be good but for one bit."""
    token = mock.token(defect="bad_signature")
    message, _, signature = token.value.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    repaired = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    key = JWKRegistry.import_key(mock.keys.signing().public())
    read_back = jws.deserialize_compact(f"{message}.{repaired}", key, registry=LENIENT)
    assert json.loads(read_back.payload or b"") == token.claims


HEADER_DEFECTS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "wrong_typ": lambda header: header["typ"] == "JWT",
    "id_token": lambda header: header["typ"] == "JWT",
    "logout_token": lambda header: header["typ"] == "logout+jwt",
    "crit_unknown": lambda header: len(header["crit"]) == 1 and header["crit"][0] in header,
    "b64_false": lambda header: header["b64"] is False and header["crit"] == ["b64"],
}


@pytest.mark.parametrize("defect", HEADER_DEFECTS)
def test_defect_in_the_header(mock: MockAS, defect: str) -> None:
    """A defect in the header leaves the signature good: only the header gives it away."""
    token = mock.token(sub="alice", client_id="web", defect=defect)
    header, _ = read(token)
    assert HEADER_DEFECTS[defect](header)
    assert verifies(mock, token)


def test_other_tokens_look_like_themselves(mock: MockAS) -> None:
    """An ID token and a logout token have their own claims, and none of an access token's."""
    _, identity = read(mock.token(sub="alice", client_id="web", defect="id_token"))
    _, logout = read(mock.token(sub="alice", client_id="web", defect="logout_token"))
    assert identity["aud"] == logout["aud"] == "web"
    assert {"nonce", "auth_time"} <= set(identity)
    assert list(logout["events"]) == ["http://schemas.openid.net/event/backchannel-logout"]
    assert not {"scope", "client_id"} & (set(identity) | set(logout))


def test_wrong_number_of_parts(mock: MockAS) -> None:
    """A JWT can have too few parts and too many."""
    assert len(mock.token(defect="two_parts").value.split(".")) == 2
    assert len(mock.token(defect="five_parts").value.split(".")) == 5


def test_payload_that_cannot_be_read(mock: MockAS) -> None:
    """A payload can be no base64url, no JSON, or JSON that is no object; the last two are well signed."""
    bad = mock.token(defect="bad_base64").value.split(".")[1]
    assert "*" in bad
    not_json = mock.token(defect="payload_not_json")
    assert base64.urlsafe_b64decode(not_json.value.split(".")[1] + "==") == b"not JSON"
    array = mock.token(defect="payload_array")
    assert read(array)[1] == [array.claims]
    assert verifies(mock, not_json)
    assert verifies(mock, array)


def test_every_defect_is_tested_here() -> None:
    """No defect is without a test of what it does."""
    shapes = {"two_parts", "five_parts", "bad_base64", "payload_not_json", "payload_array"}
    assert {*CLAIM_DEFECTS, *SIGNATURE_DEFECTS, *HEADER_DEFECTS, *shapes} == set(DEFECTS)


@pytest.mark.parametrize("defect", [name for name, defect in DEFECTS.items() if defect.jwt_only])
def test_opaque_token_cannot_have_an_inside(defect: str) -> None:
    """A defect of a part that an opaque token lacks makes a JWT, unless an opaque one is insisted on."""
    mock = MockAS(token_format="opaque")
    assert mock.token(defect=defect).format == "jwt"
    with pytest.raises(UsageError, match="needs format='jwt'"):
        mock.token(defect=defect, format="opaque")


def test_refuses_names_that_are_none(mock: MockAS) -> None:
    """A defect or a format that does not exist is an error that names what was meant."""
    with pytest.raises(UsageError, match="did you mean 'alg_none'"):
        mock.token(defect="alg_non")
    with pytest.raises(UsageError, match="format: 'jws' is unknown"):
        mock.token(format="jws")  # type: ignore[arg-type]
    assert len(mock.tokens) == 0
