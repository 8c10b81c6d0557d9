"""A JWT access token from its first byte to the verdict, with the issuer's keys at hand and nobody to ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import Assurance
from resource_server._protocol.jws import parse_jws
from resource_server._validation.flow import Join
from resource_server._validation.verdict import Active, Inactive
from tests.support.jwt import (
    ISSUER,
    NOW,
    REMOVED,
    access_token,
    b64url,
    claims,
    header,
    public_pem,
    sign,
    sign_hmac,
    signing_key,
    unsigned,
)
from tests.support.local import judge, judge_with, local_state

KEY = signing_key("RS256")
EC = signing_key("ES256")


@pytest.mark.rfc("9068-2.1-a", "9068-4-a")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_good_token(typ: str) -> None:
    """RFC 9068 §2.1: an RS256 access token of the issuer is good, and known by its signature only."""
    verdict = judge(access_token(KEY, head={"typ": typ}), KEY)
    assert isinstance(verdict, Active)
    assert verdict.principal.assurance is Assurance.LOCAL
    assert verdict.principal.subject == "subject-1"


@pytest.mark.rfc("9068-2.1-a", "7515-4.1.1-a", "8725-3.2-a")
@pytest.mark.attack("A-J-1")
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("profile", ["rfc9068", "lenient"])
def test_no_signature(algorithm: str, profile: str) -> None:
    """RFC 8725 §3.2: alg none is refused in every spelling, with no signature, with a good one, and with garbage."""
    head = header(KEY, alg=algorithm)
    tokens = [unsigned(head, claims()), unsigned(head, claims(), b"x"), sign(head, claims(), KEY)]
    assert {judge(token, KEY, profile=profile) for token in tokens} == {Inactive("algorithm_not_allowed")}
    assert judge(unsigned(head, claims()).rstrip("."), KEY, profile=profile) == Inactive("malformed")


@pytest.mark.rfc("9068-4-d")
@pytest.mark.attack("A-J-1")
def test_stripped_signature() -> None:
    """RFC 9068 §4: a good header with the signature taken away is a token without a signature."""
    assert judge(unsigned(header(KEY), claims()), KEY) == Inactive("bad_signature")


@pytest.mark.rfc("8725-3.1-a", "8725-3.5-a", "7518-3.2-a")
@pytest.mark.attack("A-J-1")
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(public_pem(KEY), id="PEM"),
        pytest.param(json.dumps(KEY.jwk()).encode(), id="JWK"),
        pytest.param(KEY.jwk()["n"].encode(), id="modulus"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_public_key_as_a_shared_secret(secret: bytes) -> None:
    """RFC 8725 §3.1: a public key never serves as an HMAC secret, in whatever form somebody used it as one."""
    token = sign_hmac(header(KEY, alg="HS256"), claims(), secret)
    assert judge(token, KEY.jwk(alg=None)) == Inactive("algorithm_not_allowed")
    assert judge(sign_hmac(header(KEY), claims(), secret), KEY) == Inactive("bad_signature")


@pytest.mark.rfc("8725-3.1-a", "8725-3.1-b")
def test_algorithms_of_this_server() -> None:
    """RFC 8725 §3.1: an algorithm that this server does not allow is refused, though the key and the signature fit."""
    assert judge(access_token(KEY), KEY, algorithms=["ES256"]) == Inactive("algorithm_not_allowed")
    assert isinstance(judge(access_token(EC), EC, algorithms=["ES256"]), Active)


@pytest.mark.rfc("8725-3.1-a")
def test_one_key_one_algorithm() -> None:
    """RFC 8725 §3.1: a key that names RS512 verifies nothing signed with RS256; one that names none does."""
    assert judge(access_token(KEY), KEY.jwk(alg="RS512")) == Inactive("unknown_key")
    assert isinstance(judge(access_token(KEY), KEY.jwk(alg=None)), Active)


@pytest.mark.rfc("7515-4.1.2-a", "8725-3.10-a")
@pytest.mark.parametrize("kid", [KEY.kid, "attacker", REMOVED])
def test_keys_in_the_token(kid: object) -> None:
    """RFC 8725 §3.10: a key the token brings along, or an address it names, is neither used nor fetched."""
    attacker = signing_key("RS256", "attacker")
    head = {
        "jwk": attacker.jwk(),
        "x5c": [b64url(public_pem(attacker))],
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x5u",
        "kid": kid,
    }
    verdict = judge(access_token(attacker, head=head), KEY)
    assert verdict == Inactive("unknown_key" if kid == "attacker" else "bad_signature")


@pytest.mark.rfc("7515-4-a")
def test_unknown_header_parameters() -> None:
    """RFC 7515 §4: a header parameter nobody knows changes nothing."""
    head = {"nonce": "x", "https://x.example/a": {"b": [1]}, "x5t": "abc", "cty": "x"}
    assert isinstance(judge(access_token(KEY, head=head), KEY), Active)


@pytest.mark.rfc("7515-4.1.11-a", "7797-7-a")
@pytest.mark.parametrize("head", [{"crit": ["foo"], "foo": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}])
def test_extensions(head: dict[str, Any]) -> None:
    """RFC 7515 §4.1.11, RFC 7797 §7: a validly signed token that asks for an extension is refused."""
    assert judge(access_token(KEY, head=head), KEY) == Inactive("malformed")


@pytest.mark.rfc("7515-4.1.4-a")
@pytest.mark.attack("A-J-5")
@pytest.mark.parametrize(
    "kid",
    ["unknown", "", "../../dev/null", "' OR 1=1--", "a\x00b", "a\r\nb", "rs256", "RS256 ", "\u0280S256", "k" * 4000],
)
def test_unknown_key_id(kid: str) -> None:
    """RFC 7515 §4.1.4: a key id that is not in the set, to the letter, finds no key, whatever it says."""
    assert judge(access_token(KEY, head={"kid": kid}), KEY) == Inactive("unknown_key")


@pytest.mark.attack("A-J-7")
@pytest.mark.parametrize("others", [0, 1, 3])
def test_no_key_id(others: int) -> None:
    """RFC 7515 §4.1.4: kid is optional; without it the few keys that fit the algorithm are tried."""
    keys = [signing_key("RS256", str(number)) for number in range(others)]
    token = access_token(KEY, head={"kid": REMOVED})
    assert isinstance(judge(token, *keys, KEY, EC, signing_key("Ed25519")), Active)


@pytest.mark.attack("A-J-7")
def test_no_key_id_and_many_keys() -> None:
    """A token does not decide how many signatures are verified for it: no more than a few keys are tried."""
    state = local_state(*[EC.jwk(kid=str(number)) for number in range(50)])
    token = access_token(signing_key("ES256", "other"), head={"kid": REMOVED})
    jws = parse_jws(token.encode())
    assert jws is not None
    assert len(state.keys.candidates(jws)) == 4
    assert judge_with(state, token)[0] == Inactive("bad_signature")


@pytest.mark.attack("A-J-6")
@pytest.mark.parametrize("order", [1, -1])
def test_two_keys_with_one_id(order: int) -> None:
    """RFC 7517 §4.5: two keys may share an id; those that fit the algorithm are tried, in whatever order they stand."""
    shared = [key.jwk(kid="shared") for key in (KEY, signing_key("RS256", "other"), EC)][::order]
    for signer in (KEY, signing_key("RS256", "other"), EC):
        assert isinstance(judge(access_token(signer, head={"kid": "shared"}), *shared), Active)
    assert judge(access_token(signing_key("ES256", "other"), head={"kid": "shared"}), *shared) == Inactive(
        "bad_signature"
    )


@pytest.mark.rfc("8725-3.8-a")
@pytest.mark.attack("A-J-6", "A-K-5")
def test_keys_of_another_issuer() -> None:
    """RFC 8725 §3.8: a token names its issuer and is verified with the keys of that one only."""
    other = signing_key("RS256", "other")
    token = access_token(other, iss="https://other.example", head={"kid": KEY.kid})
    assert judge(token, KEY) == Inactive("wrong_issuer")
    assert judge(access_token(other, head={"kid": KEY.kid}), KEY) == Inactive("bad_signature")


@pytest.mark.attack("A-K-5")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "https://other.example"},
        {"exp": NOW - 1},
        {"jti": REMOVED},
        {"token_use": "id"},
    ],
    ids="".join,
)
def test_nothing_is_fetched_for_a_token_that_cannot_be_good(changes: dict[str, Any]) -> None:
    """RFC 8725 §3.8: issuer and content are judged before any key is looked for: a bad token causes no fetch."""
    token = access_token(KEY, head={"kid": "unknown"}, **changes)
    for keys in ([KEY], []):
        verdict, effects = judge_with(local_state(*keys), token)
        assert isinstance(verdict, Inactive)
        assert effects == []


def test_an_unknown_key_is_looked_for_at_the_issuer() -> None:
    """RFC 7517 §5: only a token that is good otherwise makes us ask, and only for the issuer's own key set."""
    _, effects = judge_with(local_state(KEY), access_token(KEY, head={"kid": "unknown"}))
    assert [effect.key for effect in effects if isinstance(effect, Join)] == [(ISSUER, "jwks")]
    assert len(effects) == 1


@pytest.mark.rfc("7518-3.3-a", "8725-3.4-a")
@pytest.mark.attack("A-J-16", "A-K-4")
@pytest.mark.parametrize(
    "broken",
    [
        EC.jwk(kid="broken", y=b64url(b"x" * 32)),
        {"kty": "EC", "crv": "P-256"},
        {"kty": "RSA", "n": "AQAB", "e": "Aw"},
        None,
    ],
)
def test_a_broken_key_beside_a_good_one(broken: Any) -> None:
    """RFC 8725 §3.4: a key that makes no sense verifies nothing, and keeps no other from doing so."""
    keys = [broken if broken is not None else {}, EC]
    assert isinstance(judge(access_token(EC), *keys), Active)
    assert judge(access_token(EC, head={"kid": "broken"}), *keys) in {
        Inactive("bad_signature"),
        Inactive("unknown_key"),
    }


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ID token": ({"typ": "JWT"}, {"nonce": "n", "at_hash": "x", "azp": "client-1"}),
    "ID token without a hash": ({"typ": "JWT"}, {"nonce": "n", "client_id": REMOVED}),
    "logout token": ({"typ": "logout+jwt"}, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
    "client assertion": ({"typ": "client-authentication+jwt"}, {"iss": "client-1", "sub": "client-1"}),
    "security event": ({"typ": "secevent+jwt"}, {"events": {"urn:x": {}}}),
    "introspection answer": ({"typ": "token-introspection+jwt"}, {"token_introspection": {"active": True}}),
    "DPoP proof": ({"typ": "dpop+jwt"}, {"htm": "GET", "htu": "https://rs.example.com/"}),
    "userinfo": ({"typ": REMOVED}, {"jti": REMOVED, "exp": REMOVED, "email": "a@example.com"}),
    "refresh token": ({"typ": "rt+jwt"}, {"token_use": "refresh"}),
    "request object": ({"typ": "oauth-authz-req+jwt"}, {"response_type": "code"}),
}


@pytest.mark.rfc("8725-3.11-a", "8725-3.12-a", "9701-8.1-a", "9449-11.5-a")
@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize(("head", "changes"), KINDS.values(), ids=KINDS)
def test_other_kinds_of_jwt(head: dict[str, Any], changes: dict[str, Any]) -> None:
    """RFC 8725 §3.12: another kind of JWT, by the same issuer, validly signed and meant for us, is no access token."""
    token = access_token(KEY, head=head, **changes)
    assert judge(token, KEY) == Inactive("wrong_type")


@pytest.mark.rfc("8725-3.12-a")
@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize("name", sorted(set(KINDS) - {"ID token without a hash"}))
def test_other_kinds_of_jwt_in_the_lenient_profile(name: str) -> None:
    """RFC 8725 §3.12: the lenient profile is lenient about the type's absence, not about the kind of a token."""
    head, changes = KINDS[name]
    verdict = judge(access_token(KEY, head=head, **changes), KEY, profile="lenient")
    assert isinstance(verdict, Inactive)


@pytest.mark.rfc("9068-4-a")
@pytest.mark.parametrize("typ", ["JWT", REMOVED])
def test_lenient_profile(typ: object) -> None:
    """RFC 9068 §4: where asked for, a token with the general typ and just iss, aud and exp is accepted."""
    token = access_token(KEY, head={"typ": typ}, jti=REMOVED, client_id=REMOVED, sub=REMOVED, iat=REMOVED)
    assert judge(token, KEY) == Inactive("wrong_type")
    assert isinstance(judge(token, KEY, profile="lenient"), Active)


@pytest.mark.rfc("9068-2.2-a", "9068-4-b", "9068-4-c")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("iss", "wrong_issuer"),
        ("aud", "wrong_audience"),
        ("exp", "malformed"),
        ("sub", "malformed"),
        ("client_id", "malformed"),
        ("iat", "malformed"),
        ("jti", "malformed"),
    ],
)
def test_required_claims(name: str, reason: Any) -> None:
    """RFC 9068 §2.2: each required claim is required, signature or not."""
    assert judge(access_token(KEY, **{name: REMOVED}), KEY) == Inactive(reason)


@pytest.mark.rfc("9068-4-e", "7519-4.1.4-a")
@pytest.mark.parametrize(
    ("offset", "leeway", "good"),
    [(1, 0.0, True), (0, 0.0, False), (-30, 30.0, False), (-31, 30.0, False), (-29, 30.0, True)],
)
def test_expiry(offset: float, leeway: float, good: bool) -> None:  # noqa: FBT001 - parametrized
    """RFC 9068 §4: the current time must be before exp."""
    verdict = judge(access_token(KEY, exp=NOW + offset), KEY, leeway=leeway)
    assert isinstance(verdict, Active) if good else verdict == Inactive("expired")


@pytest.mark.rfc("7519-4.1.4-a", "7519-7.2-a", "7519-4-a")
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"[]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(json.dumps(claims()).encode().replace(b'"exp"', b'"exp":9999999999,"exp"'), id="exp twice"),
        pytest.param(json.dumps(claims(exp=0)).encode().replace(b'"exp": 0', b'"exp":1e400'), id="infinity"),
        pytest.param(json.dumps(claims(exp=0)).encode().replace(b'"exp": 0', b'"exp":NaN'), id="NaN"),
        pytest.param(json.dumps(claims(exp=True)).encode(), id="a boolean"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(claims()).encode(), id="a byte order mark"),
        pytest.param(json.dumps(claims()).encode("utf-16"), id="UTF-16"),
        pytest.param(json.dumps(claims()).encode()[:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", id="deep"),
    ],
)
def test_payload(payload: bytes) -> None:
    """RFC 7519 §7.2: a validly signed payload without one meaning is refused."""
    assert judge(sign(header(KEY), payload, KEY), KEY) == Inactive("malformed")


@pytest.mark.rfc("8725-3.3-a", "9068-4-g", "8725bis-3.15-a", "8725bis-3.13-a")
@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize("alg", ["dir", "RSA-OAEP", "RSA1_5", "PBES2-HS256+A128KW", "ECDH-ES"])
def test_encrypted_token(alg: str) -> None:
    """RFC 9068 §4: nothing is ever decrypted: a JWE is no token here, whatever it holds and however it would unpack."""
    head = b64url(json.dumps({"alg": alg, "enc": "A128GCM", "zip": "DEF", "p2c": 2**31, "cty": "JWT"}).encode())
    inner = b64url(access_token(KEY).encode())
    assert judge(f"{head}.a2V5.aXY.{inner}.dGFn", KEY) == Inactive("malformed")


def test_jws_with_the_algorithm_of_a_jwe() -> None:
    """RFC 7518 §4: a key management algorithm in a token of three parts is not one this server knows."""
    assert judge(sign(header(KEY, alg="RSA-OAEP"), claims(), KEY), KEY) == Inactive("algorithm_not_allowed")


HEADS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "x"]),
    st.none() | st.integers(0, 9) | st.text(max_size=5) | st.sampled_from(["none", "HS256", "ES256"]),
)


@given(HEADS, st.sampled_from(["sign", "strip", "mac"]), st.booleans())
def test_only_one_header_makes_a_good_token(changes: dict[str, Any], how: str, lenient: bool) -> None:  # noqa: FBT001 - drawn
    """RFC 8725 §3.1: of all the headers, only one with our key, its algorithm and the right type is accepted."""
    head = header(EC) | changes
    tokens = {
        "sign": sign(head, claims(), EC),
        "strip": unsigned(head, claims()),
        "mac": sign_hmac(head, claims(), public_pem(EC)),
    }
    verdict = judge(tokens[how], EC, profile="lenient" if lenient else "rfc9068")
    if isinstance(verdict, Active):
        assert how == "sign"
        assert (head["alg"], head["kid"], head["typ"]) == ("ES256", "ES256", "at+jwt")
        assert "crit" not in head
