"""How the resource server shows the authorization server who it is."""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from base64 import b64decode, urlsafe_b64decode
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from resource_server._protocol.client_auth import (
    ASSERTION_TYPE,
    MIN_MAC_SECRET_BYTES,
    BearerCredentials,
    ClientAuthMethod,
    ClientCredentials,
    ClientProof,
    authenticated,
    bearer_proof,
    client_proof,
)
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.jose import SigningKey, read_signing_key
from tests.support.jwt import ISSUER, NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "RS256", "P-256", "AQAB", "RSA", "oct"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=4,
)
TEXTS = st.text(st.characters(codec="utf-8"))
SECRET = "canary-client-secret-of-32-bytes-or-more"


def proof(client: ClientCredentials, *, audience: str = ISSUER, jti: str = "jti-1") -> ClientProof:
    """Show who we are."""
    return client_proof(client, audience=audience, now=NOW, jti=jti)


def assertion(shown: ClientProof) -> str:
    """Return the assertion in a form."""
    assert shown.headers == ()
    assert dict(shown.form)["client_assertion_type"] == ASSERTION_TYPE
    return dict(shown.form)["client_assertion"]


def part(token: str, number: int) -> Any:
    """Decode a part of a JWT."""
    encoded = token.split(".")[number]
    return json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


def signing_key(text: str) -> SigningKey:
    """Read a private key that is one."""
    key = read_signing_key(text)
    assert isinstance(key, SigningKey)
    return key


def decoded(credentials: ClientCredentials) -> tuple[str, str]:
    """Read a Basic header as an authorization server does: base64, then the first colon, then form decoding."""
    [(name, value)] = proof(credentials).headers
    assert name == "authorization"
    assert value.startswith("Basic ")
    client_id, _, secret = b64decode(value.removeprefix("Basic "), validate=True).decode("ascii").partition(":")
    return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")


@pytest.mark.rfc("7662-2.1-c")
def test_basic_example() -> None:
    """RFC 6749 §2.3.1: the example's client identifier and secret make the example's header."""
    credentials = ClientCredentials("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")
    expected = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    assert proof(credentials) == ClientProof(headers=(("authorization", expected),))


@pytest.mark.rfc("7662-2.1-d")
@given(TEXTS, TEXTS)
def test_basic_is_form_encoded_first(client_id: str, secret: str) -> None:
    """RFC 6749 §2.3.1: both are form-urlencoded before base64, so that a colon or an umlaut changes nothing."""
    assert decoded(ClientCredentials(client_id, secret)) == (client_id, secret)


@pytest.mark.rfc("7662-2.1-d")
def test_basic_with_everything_awkward() -> None:
    """RFC 6749 appendix B: colon, at sign, percent, plus, blank and an accent survive the way."""
    assert decoded(ClientCredentials("rs:1", "p@ss:%+ é")) == ("rs:1", "p@ss:%+ é")


@pytest.mark.rfc("7662-2.1-c")
def test_post() -> None:
    """RFC 6749 §2.3.1: client_secret_post sends both as form parameters, and no header."""
    credentials = ClientCredentials("rs:1", "p@ss", "client_secret_post")
    assert proof(credentials) == ClientProof(form=(("client_id", "rs:1"), ("client_secret", "p@ss")))


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_certificate(method: ClientAuthMethod) -> None:
    """RFC 8705 §2: with a certificate in the connection, the form says only which client this is."""
    assert proof(ClientCredentials("rs", "", method)) == ClientProof(form=(("client_id", "rs"),))


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.attack("A-S-8")
def test_secret_jwt() -> None:
    """RFC 7523 §2.2: client_secret_jwt sends an assertion under HS256 and not the secret."""
    token = assertion(proof(ClientCredentials("rs", SECRET, "client_secret_jwt")))
    signed, _, signature = token.rpartition(".")
    assert part(token, 0) == {"alg": "HS256", "typ": "JWT"}
    expected = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256)
    assert urlsafe_b64decode(signature + "=") == expected


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.attack("A-S-8")
def test_claims_of_an_assertion() -> None:
    """RFC 7523 §3: iss and sub are the client, aud is one text, jti names it, and it ends within a minute."""
    claims = part(assertion(proof(ClientCredentials("rs", SECRET, "client_secret_jwt"), jti="abc")), 1)
    assert claims == {"iss": "rs", "sub": "rs", "aud": ISSUER, "jti": "abc", "iat": int(NOW), "exp": int(NOW) + 60}


KEYS = [
    pytest.param(RSAKey.generate_key(2048), "RS256", id="RSA"),
    pytest.param(ECKey.generate_key("P-256"), "ES256", id="P-256"),
    pytest.param(ECKey.generate_key("P-384"), "ES384", id="P-384"),
    pytest.param(ECKey.generate_key("P-521"), "ES512", id="P-521"),
    pytest.param(OKPKey.generate_key("Ed25519"), "Ed25519", id="Ed25519"),
]


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize(("key", "algorithm"), KEYS)
def test_private_key_jwt_with_pem(key: RSAKey | ECKey | OKPKey, algorithm: str) -> None:
    """RFC 7523 §2.2: an assertion that another implementation verifies with the public key; the key says how."""
    own = signing_key(key.as_pem(private=True).decode())
    token = assertion(proof(ClientCredentials("rs", "", "private_key_jwt", own)))
    assert part(token, 0) == {"alg": algorithm, "typ": "JWT"}
    assert jwt.decode(token, type(key).import_key(key.as_dict(private=False)), [algorithm]).claims["sub"] == "rs"


@pytest.mark.parametrize(("key", "algorithm"), KEYS)
def test_private_key_jwt_with_a_jwk(key: RSAKey | ECKey | OKPKey, algorithm: str) -> None:
    """RFC 7517 §4: a JWK says what it is called and, where a key could be used in more ways than one, how."""
    named = {"RS256": "PS384", "Ed25519": "EdDSA"}.get(algorithm, algorithm)
    own = signing_key(json.dumps(key.as_dict(private=True) | {"kid": "k-1", "alg": named}))
    token = assertion(proof(ClientCredentials("rs", "", "private_key_jwt", own)))
    assert part(token, 0) == {"alg": named, "typ": "JWT", "kid": "k-1"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RFC 9864 has given EdDSA another name
        assert jwt.decode(token, type(key).import_key(key.as_dict(private=False)), [named]).claims["aud"] == ISSUER


def test_keys_are_equal_where_nothing_differs() -> None:
    """A key that is read again is no other one; one with another name, or another one, is."""
    first, second = (ECKey.generate_key("P-256").as_dict(private=True) for _ in range(2))
    assert signing_key(json.dumps(first)) == signing_key(json.dumps(first))
    assert signing_key(json.dumps(first)) != signing_key(json.dumps(first | {"kid": "k-2"}))
    assert signing_key(json.dumps(first)) != signing_key(json.dumps(second))


P256 = ECKey.generate_key("P-256")
BAD_KEYS = {
    "garbage": "canary",
    "JSON of another kind": "[]",
    "a public JWK": json.dumps(P256.as_dict(private=False)),
    "a public PEM": P256.as_pem(private=False).decode(),
    "an encrypted PEM": P256.as_pem(private=True, password="canary").decode(),
    "PEM of nothing": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
    "secp256k1": ECKey.generate_key("secp256k1").as_pem(private=True).decode(),
    "Ed448": OKPKey.generate_key("Ed448").as_pem(private=True).decode(),
    "X25519 to encrypt": OKPKey.generate_key("X25519").as_pem(private=True).decode(),
    "a symmetric key": json.dumps({"kty": "oct", "k": "Y2FuYXJ5", "d": "Y2FuYXJ5"}),
    "alg of another type": json.dumps(P256.as_dict(private=True) | {"alg": "RS256"}),
    "alg of another kind": json.dumps(P256.as_dict(private=True) | {"alg": 1}),
    "the private part of another key": json.dumps(
        P256.as_dict(private=False) | {"d": ECKey.generate_key("P-256").as_dict(private=True)["d"]}
    ),
    "a broken private part": json.dumps(P256.as_dict(private=False) | {"d": 1}),
    "a key to verify with": json.dumps(P256.as_dict(private=True) | {"key_ops": ["verify"]}),
}


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key(text: str) -> None:
    """What is no private key to sign with is said to be none, and nothing of it is repeated."""
    said = read_signing_key(text)
    assert isinstance(said, str)
    assert said.startswith("is ")
    assert "canary" not in said


def test_a_weak_key() -> None:
    """RFC 7518 §3.3: an RSA key has 2048 bits or more, in whatever form it comes."""
    with pytest.warns(match="2048"):
        weak = RSAKey.generate_key(1024)
    for text in (weak.as_pem(private=True).decode(), json.dumps(weak.as_dict(private=True))):
        assert "2048 bits" in str(read_signing_key(text))


def test_bearer() -> None:
    """RFC 7662 §2.1: an access token of ours stands in the header."""
    assert bearer_proof("abc") == ClientProof(headers=(("authorization", "Bearer abc"),))


@pytest.mark.rfc("7662-2.1-a")
def test_a_proof_is_added_to_a_question() -> None:
    """RFC 7523 §2.2: what shows who asks comes after what is asked, in one form; and nothing where it is a header."""
    asked = introspection_request("https://as.example.com/introspect", b"t")
    shown = authenticated(asked, proof(ClientCredentials("rs:1", "p&s", "client_secret_post")))
    assert parse_qsl(shown.body.decode())[2:] == [("client_id", "rs:1"), ("client_secret", "p&s")]
    assert shown.headers == asked.headers
    with_header = authenticated(asked, bearer_proof("abc"))
    assert with_header.body == asked.body
    assert dict(with_header.headers)["authorization"] == "Bearer abc"


@pytest.mark.attack("A-S-1")
def test_nothing_secret_is_shown() -> None:
    """No representation shows a secret, a key, a token or an assertion."""
    key = signing_key(P256.as_pem(private=True).decode())
    credentials = ClientCredentials("rs", "canary", "private_key_jwt", key)
    shown = "".join(map(repr, (credentials, key, BearerCredentials("canary"), bearer_proof("canary"))))
    assert "rs" in shown
    assert "canary" not in shown
    assert str(P256.as_dict(private=True)["d"]) not in shown


@pytest.mark.parametrize(
    "private", [P256, RSAKey.generate_key(2048), OKPKey.generate_key("Ed25519")], ids=["P", "R", "O"]
)
@given(name=st.sampled_from(["alg", "crv", "kty", "kid", "d", "n", "e", "x", "y", "p", "use", "key_ops"]), value=JSON)
def test_a_key_with_anything_in_it(private: RSAKey | ECKey | OKPKey, name: str, value: Any) -> None:
    """Whatever stands in a JWK, it is read or refused."""
    text = json.dumps(private.as_dict(private=True) | {name: value})
    assert isinstance(read_signing_key(text), SigningKey | str)


def test_what_is_not_said_of_credentials() -> None:
    """RFC 7523 §3: no secret but the one given is held; an assertion is for the issuer unless told otherwise."""
    client = ClientCredentials("rs")
    assert (client.secret, client.method, client.key, client.audience) == ("", "client_secret_basic", None, "issuer")
    bearer = BearerCredentials()
    assert (bearer.token, bearer.file, bearer.method) == ("", None, "bearer")


def test_a_token_is_shown_in_one_way() -> None:
    """RFC 6750 §2: an access token of ours is a bearer token, whatever else is asked for."""
    other: Any = {"method": "client_secret_post"}
    with pytest.raises(TypeError, match="method"):
        BearerCredentials(**other)


@pytest.mark.attack("A-S-1")
def test_a_key_is_not_shown_with_its_owner() -> None:
    """Credentials show whose they are, and nothing of a key; a key shows no more than its names."""
    key = signing_key(P256.as_pem(private=True).decode())
    shown = repr(ClientCredentials("rs", "", "private_key_jwt", key))
    assert shown == "ClientCredentials(client_id='rs', method='private_key_jwt', audience='issuer')"
    assert repr(key) == f"SigningKey(algorithm='ES256', key_id=None, thumbprint={key.thumbprint!r})"


def test_the_shortest_secret() -> None:
    """RFC 7518 §3.2: a secret is at least as long as the hash it is used with."""
    assert hashlib.sha256().digest_size == MIN_MAC_SECRET_BYTES
