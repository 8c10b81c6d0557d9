"""What can be wrong with a token: each defect is the one its name says, and the only one."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import JWKRegistry

from mock_as import Clock, MockAS, Token, UsageError
from mock_as.keys import ALGORITHMS
from mock_as.tokens.defects import DEFECTS
from mock_as.tokens.rules import Rule
from tests.mock_as.jose import header_of, is_by, is_signed, payload_of, unpad

NOW = 1_700_000_000
ISSUER = "https://as.example.test"
AUDIENCE = "https://api.example.test"
ATTACKER = "https://attacker.example.test/"
LENIENT = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
PAGE = Path(__file__).parents[3] / "docs/mock-as.md"


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW + 0.75))


@dataclass
class Seen:
    """A token as its receiver sees it."""

    mock: MockAS
    token: Token

    @property
    def text(self) -> str:
        """What was sent."""
        return self.token.value

    @property
    def parts(self) -> list[str]:
        """What stands between the dots."""
        return self.text.split(".")

    @property
    def header(self) -> dict[str, Any]:
        """The JOSE header."""
        return header_of(self.text)

    @property
    def claims(self) -> Any:
        """The payload."""
        return payload_of(self.text)

    @property
    def verifies(self) -> bool:
        """Whether the published key that the header names verifies it."""
        return is_by(self.text, self.mock.keys.jwks())

    @property
    def kid(self) -> str:
        """The name of the key that signs."""
        return self.mock.keys.signing().kid

    def is_by_own_key(self) -> bool:
        """Tell whether a key verifies it that was never published."""
        own = self.mock.keys.unpublished()
        return self.header["kid"] == own.kid and is_signed(self.text, own.public()) and not self.verifies


def is_hmac(seen: Seen) -> bool:
    """Tell whether the public key was taken for a secret."""
    message, _, signature = seen.text.rpartition(".")
    secret = seen.mock.keys.signing().jwk.as_pem(private=False)
    return hmac.compare_digest(unpad(signature), hmac.digest(secret, message.encode(), "sha256"))


def is_one_bit_off(seen: Seen) -> bool:
    """Tell whether the signature would be good but for one bit."""
    raw = bytearray(unpad(seen.parts[2]))
    raw[0] ^= 1
    message = seen.text.rpartition(".")[0].encode()
    key = JWKRegistry.import_key(seen.mock.keys.signing().public())
    return jws.JWSRegistry.algorithms["ES256"].verify(message, bytes(raw), key)


def is_encrypted(seen: Seen) -> bool:
    """Tell whether a JWE holds the token, for a key that is not published."""
    key = seen.mock.keys.unpublished()
    decrypted = jwe.decrypt_compact(seen.text, type(key.jwk).import_key({**key.bare(), **private(key.jwk)}))
    return is_by((decrypted.plaintext or b"").decode(), seen.mock.keys.jwks())


def private(jwk: Any) -> dict[str, Any]:
    """Return the private part of a key."""
    return {"d": jwk.as_dict(private=True)["d"]}


Expectation = Callable[[Seen], bool]

IN_CLAIMS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "expired": lambda claims: claims["iat"] < claims["exp"] < NOW,
    "not_yet_valid": lambda claims: NOW < claims["nbf"] < claims["exp"],
    "iat_future": lambda claims: NOW < claims["iat"] < claims["exp"],
    "no_exp": lambda claims: "exp" not in claims,
    "exp_string": lambda claims: claims["exp"] == str(NOW + 3600),
    "exp_float": lambda claims: claims["exp"] == NOW + 3600.5,
    "far_future": lambda claims: claims["exp"] == NOW + 100 * 365 * 24 * 3600,
    "wrong_iss": lambda claims: claims["iss"] not in {ISSUER, f"{ISSUER}/"},
    "iss_slash": lambda claims: claims["iss"] == f"{ISSUER}/",
    "wrong_aud": lambda claims: claims["aud"] != AUDIENCE,
    "no_aud": lambda claims: "aud" not in claims,
    "scope_list": lambda claims: claims["scope"] == ["read"],
    "scp": lambda claims: claims["scp"] == ["read"] and "scope" not in claims,
    "no_scope": lambda claims: "scope" not in claims,
    "refresh_token": lambda claims: claims["typ"] == "Refresh" and claims["aud"] == ISSUER,
    "cnf_unsupported": lambda claims: not {"jkt", "jwk", "jwe", "kid", "x5t#S256"} & set(claims["cnf"]),
    "dpop_other_key": lambda claims: list(claims["cnf"]) == ["jkt"],
}
WELL_SIGNED: dict[str, Expectation] = {
    "id_token": lambda seen: seen.header["typ"] == "JWT" and seen.claims["aud"] == "web" and "nonce" in seen.claims,
    "logout_token": lambda seen: seen.header["typ"] == "logout+jwt" and "events" in seen.claims,
    "wrong_typ": lambda seen: seen.header["typ"] == "JWT",
    "crit_unknown": lambda seen: len(seen.header["crit"]) == 1 and seen.header["crit"][0] in seen.header,
    "b64_false": lambda seen: seen.header["b64"] is False and seen.header["crit"] == ["b64"],
    "payload_array": lambda seen: seen.claims == [seen.token.claims],
    "payload_not_json": lambda seen: unpad(seen.parts[1]) == b"not JSON",
    "oversized": lambda seen: len(seen.text) > 64 * 1024,
}
BADLY_SIGNED: dict[str, Expectation] = {
    "bad_signature": lambda seen: seen.header["kid"] == seen.kid and is_one_bit_off(seen),
    "other_key": lambda seen: (
        seen.header["kid"] == seen.kid and is_signed(seen.text, seen.mock.keys.unpublished().public())
    ),
    "alg_none": lambda seen: seen.header["alg"] == "none" and seen.parts[2] == "",
    "hs256_with_public_key": lambda seen: (
        seen.header["alg"] == "HS256" and seen.header["kid"] == seen.kid and is_hmac(seen)
    ),
    "alg_confusion": lambda seen: seen.header["alg"] == "ES384" and seen.header["kid"] == seen.kid,
    "unknown_kid": lambda seen: seen.header["kid"] not in {key["kid"] for key in seen.mock.keys.describe()},
    "no_kid": lambda seen: "kid" not in seen.header and is_signed(seen.text, seen.mock.keys.signing().public()),
    "jwk_header": lambda seen: seen.is_by_own_key() and is_signed(seen.text, seen.header["jwk"]),
    "jku_header": lambda seen: seen.is_by_own_key() and seen.header["jku"].startswith(ATTACKER),
    "x5u_header": lambda seen: seen.is_by_own_key() and seen.header["x5u"].startswith(ATTACKER),
}
MISSHAPEN: dict[str, Expectation] = {
    "jwe": is_encrypted,
    "two_parts": lambda seen: len(seen.parts) == 2,
    "five_parts": lambda seen: len(seen.parts) == 5,
    "bad_base64": lambda seen: "*" in seen.parts[1],
    "empty": lambda seen: seen.text == "",
    "non_ascii": lambda seen: not seen.text.isascii() and seen.text.encode("latin-1").isascii() is False,
    "whitespace": lambda seen: " " in seen.text.strip() and is_by(seen.text.replace(" ", ""), seen.mock.keys.jwks()),
}


def on_claims(says: Callable[[dict[str, Any]], bool]) -> Expectation:
    """Expect something of the claims."""
    return lambda seen: says(seen.claims)


HOW: dict[str, tuple[Expectation, bool | None]] = {
    **{name: (on_claims(says), True) for name, says in IN_CLAIMS.items()},
    **{name: (says, True) for name, says in WELL_SIGNED.items()},
    **{name: (says, False) for name, says in BADLY_SIGNED.items()},
    **{name: (says, None) for name, says in MISSHAPEN.items()},
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_is_really_there(mock: MockAS, defect: str) -> None:
    """A token is wrong as its defect says: the signature is good unless that is what is wrong, or there is none."""
    seen = Seen(mock, mock.token(sub="alice", client_id="web", format="jwt", defect=defect))
    says, verifies = HOW[defect]
    assert says(seen)
    if verifies is not None:
        assert seen.verifies is verifies
        assert seen.header == seen.token.header


@pytest.mark.parametrize("defect", IN_CLAIMS)
def test_introspection_shows_it_too(mock: MockAS, defect: str) -> None:
    """A defect of the claims can be one of an opaque token as well, of which introspection says the same."""
    assert not DEFECTS[defect].jwt_only
    assert IN_CLAIMS[defect](dict(mock.token(defect=defect, format="opaque").claims))


def test_others_have_no_opaque_shape() -> None:
    """Every other defect is one of JWTs."""
    assert {name for name, defect in DEFECTS.items() if not defect.jwt_only} == set(IN_CLAIMS)


def test_iss_slash_is_the_other_spelling() -> None:
    """An issuer that ends with a slash is spelt without one by the defect."""
    mock = MockAS(issuer="https://as.example.test/one/")
    assert mock.token(defect="iss_slash").claims["iss"] == "https://as.example.test/one"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_confused_algorithm_is_not_the_keys(mock: MockAS, alg: str) -> None:
    """Of every algorithm a token can be made that names another one; of EC and RSA keys it really is that one."""
    token = mock.token(alg=alg, defect="alg_confusion")
    named = header_of(token.value)["alg"]
    assert named != alg
    if not alg.startswith("Ed"):
        assert is_signed(token.value, mock.keys.signing(alg).bare(), named)


def test_other_tokens_are_no_access_tokens(mock: MockAS) -> None:
    """An ID token and a logout token have none of the claims that only an access token has."""
    for defect in ("id_token", "logout_token"):
        claims = payload_of(mock.token(sub="alice", client_id="web", defect=defect).value)
        assert not {"scope", "client_id"} & set(claims)


def test_proofs_are_by_another_key(mock: MockAS) -> None:
    """The token that is bound to another key comes with a key of its own, which is not the one."""
    token = mock.token(defect="dpop_other_key")
    assert token.prover is not None
    assert token.claims["cnf"]["jkt"] != token.prover.thumbprint


@pytest.mark.parametrize("defect", ["jwk_header", "jku_header", "no_kid", "unknown_kid"])
def test_tempting_tokens_are_well_signed(mock: MockAS, defect: str) -> None:
    """A token that brings its own key, or hides which one it is by, verifies with that key: only trust is missing."""
    token = mock.token(defect=defect)
    own = mock.keys.unpublished() if defect in {"jwk_header", "jku_header"} else mock.keys.signing()
    read_back = jws.deserialize_compact(token.value, JWKRegistry.import_key(own.public()), registry=LENIENT)
    assert json.loads(read_back.payload or b"") == token.claims


@pytest.mark.parametrize(("defect", "claim"), [("exp_float", "exp"), ("scope_list", "scope")])
def test_defect_that_cannot_be_is_refused(defect: str, claim: str) -> None:
    """A claim that a rule has already spoilt cannot be spoilt in another way; the error names it."""
    mock = MockAS(rules=[Rule(claims={claim: {"not": "what it was"}})])
    with pytest.raises(UsageError, match=rf"^defect: the {claim} of the token"):
        mock.token(defect=defect)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "jti", "scope", "cnf", "active", "alg", "kid", "typ", "x"])
MEMBERS = st.none() | st.dictionaries(NAMES, JSON, max_size=3)
WHATEVER = st.fixed_dictionaries(
    {},
    optional={
        "sub": st.none() | st.text(max_size=3),
        "scope": st.none() | st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=2),
        "format": st.sampled_from([None, "jwt", "opaque"]),
        "aud": st.none() | st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=2),
        "expires_in": st.none() | st.floats() | st.integers(),
        "alg": st.none() | st.sampled_from(["ES256", "Ed25519", "none", ""]),
        "claims": MEMBERS,
        "header": MEMBERS,
        "key": st.none() | st.sampled_from(["unpublished", "previous", "nobody"]),
        "token_type": st.sampled_from(["Bearer", "DPoP"]),
        "cnf": MEMBERS,
        "active": st.none() | st.booleans(),
        "known": st.none() | st.booleans(),
        "id": st.none() | st.text(max_size=3),
        "jti": st.none() | st.text(max_size=3),
        "defect": st.none() | st.sampled_from([*DEFECTS]),
    },
)


@settings(max_examples=200, deadline=None)
@given(WHATEVER, st.none() | st.dictionaries(NAMES, JSON, max_size=2))
def test_whatever_is_ordered_is_made_or_refused(order: dict[str, Any], rule: dict[str, Any] | None) -> None:
    """Any order at all is carried out, or refused as one that cannot be; there is no third way, and nothing is left."""
    mock = MockAS(rules=[Rule(claims=rule or {})])
    try:
        token = mock.token(**order)
    except UsageError:
        assert len(mock.tokens) == 0
    else:
        assert mock.tokens.find(token) is mock.tokens.get(token.value)
        assert token.value not in repr(token) or token.value == ""


def test_table_of_the_documentation_is_this_one() -> None:
    """The documentation describes each defect in the words of the table, in its order."""
    _, _, rest = PAGE.read_text().partition("| defect | the token |\n|---|---|\n")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", rest.partition("\n\n")[0], re.MULTILINE)
    assert rows == [(name, defect.description) for name, defect in DEFECTS.items()]
