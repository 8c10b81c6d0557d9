"""The parsers of what binds, signs and encrypts: proofs, certificates, signed answers, JWEs, and new tokens."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from hashlib import sha256
from random import Random
from urllib.parse import quote_from_bytes

from resource_server._protocol import certificates, jose, jwe, jws, signed_introspection, target_uri, token_request
from resource_server._protocol.dpop import Occasion, judge_proof, read_proof
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.routing import Mark, find_issuer
from resource_server._protocol.shape import ANY_SHAPE
from resource_server.errors import InvalidDPoPProof
from tests.fuzz.mutate import b64url, mutate, mutate_json, mutate_jws, noise, written
from tests.fuzz.responses import respond
from tests.support.jwe import encrypt, encryption_key
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, access_token, sign, signing_key, thumbprint

ALGORITHMS = frozenset({"ES256", "Ed25519"})
_CLIENTS = [signing_key(name, "fuzz-client") for name in ALGORITHMS]
_OWNERS = {thumbprint(key) for key in _CLIENTS}
OCCASION = Occasion("GET", f"{AUDIENCE}/things", b"token", NOW)
_CLAIMS = {
    "jti": "x",
    "htm": "GET",
    "htu": f"{AUDIENCE}/things",
    "iat": int(NOW),
    "ath": b64url(sha256(b"token").digest()).decode(),
    "nonce": "x",
}
PROOFS = [
    sign(
        {"typ": "dpop+jwt", "alg": key.algorithm, "jwk": key.jwk(kid=REMOVED, use=REMOVED, alg=REMOVED)}, _CLAIMS, key
    ).encode()
    for key in _CLIENTS
]
_PROVEN = {proof.rpartition(b".")[0] for proof in PROOFS}
_ADDRESSES = (
    b"https://rs.example.com/a%20b/c",
    b"HTTPS://RS.example.com:443/%7Euser/;x=y",
    b"http://[2001:db8::1]:8080/a/../b?c#d",
)
_DER = b"0\x82\x01\x00" + bytes(range(256)) * 2
_PEM = b"-----BEGIN CERTIFICATE-----\n" + b64encode(_DER) + b"\n-----END CERTIFICATE-----\n"
_FIELDS: tuple[tuple[bytes, bytes], ...] = (
    (b"client-cert", b":" + b64encode(_DER) + b":"),
    (
        b"x-forwarded-client-cert",
        b"By=x;Hash=" + sha256(_DER).hexdigest().encode() + b';Subject="a,\\"b";URI=x',
    ),
    (b"x-forwarded-client-cert", b'Cert="' + quote_from_bytes(_PEM).encode() + b'";Chain="x"'),
    (b"x-ssl-client-cert", quote_from_bytes(_PEM).encode()),
    (b"x-ssl-client-cert", b64encode(_DER)),
)
_SIGNED_RULES = signed_introspection.AnswerRules(
    issuer=ISSUER, own_names=frozenset({"rs"}), algorithms=frozenset({"ES256"})
)
_SIGNED_HEAD = {"typ": "token-introspection+jwt", "alg": "ES256", "kid": "x"}
_SIGNED = {"iss": ISSUER, "aud": ["rs"], "iat": int(NOW), "token_introspection": {"active": True, "sub": "x"}}
_KEY = encryption_key(name="fuzz")
CONTENT = access_token(_CLIENTS[0])
JWES = [encrypt(CONTENT, _KEY, alg=alg).encode() for alg in ("ECDH-ES", "ECDH-ES+A256KW")]
_TOKEN = {"access_token": "abc", "token_type": "Bearer", "expires_in": 60, "scope": "read"}
_MARKS = (Mark(ISSUER, ANY_SHAPE), Mark("https://other.example.com", ANY_SHAPE, "oth_"))


def probe_dpop(random: Random) -> None:
    """Only a proof that its owner has signed is taken for one; whatever else is sent is a bad proof."""
    fields = [(b"DPoP", mutated_proof(random)) for _ in range(random.choice((1, 1, 1, 1, 2, 0)))]
    try:
        proof = read_proof(fields, ALGORITHMS)
    except InvalidDPoPProof:
        return
    reason = judge_proof(proof, OCCASION, window=60.0, leeway=0.0)
    if reason is None and proof.thumbprint in _OWNERS and jose.verify_proof(proof.jws, proof.key):
        assert proof.jws.signing_input in _PROVEN


def probe_address(random: Random) -> None:
    """A normal form is its own normal form, and no path leaves its origin."""
    address = mutate(random, random.choice(_ADDRESSES))
    form = target_uri.normal_form(address.decode("utf-8", "replace"))
    assert form is None or target_uri.normal_form(form) == form
    path = mutate(random, b"/a%20b/../c") if random.random() < 0.9 else noise(random)
    made = target_uri.target_uri("https://rs.example.com/api", path)
    assert made is None or made.startswith("https://rs.example.com/api/") or not path


def probe_certificate(random: Random) -> None:
    """A field is a digest of SHA-256, or nothing."""
    name, value = random.choice(_FIELDS)
    value = mutate(random, value) if random.random() < 0.95 else noise(random)
    digest = certificates.read_certificate_field(name, value)
    assert digest is None or len(digest) == sha256().digest_size
    shown = mutate(random, _PEM)
    certificates.certificate_digest(shown.decode("latin-1") if random.random() < 0.5 else shown)


def probe_signed_answer(random: Random) -> None:
    """A signed answer says something about a token, to us and from this issuer, or is a fault."""
    head, payload = (written(random, mutate_json(random, part)) for part in (_SIGNED_HEAD, _SIGNED))
    parsed = jws.parse_jws(b".".join((b64url(head), b64url(payload), b"AAAA")))
    if parsed is None:
        return
    found = signed_introspection.judge_signed_answer(parsed, _SIGNED_RULES, NOW)
    if not isinstance(found, Unavailable):
        claims = json.loads(parsed.payload)
        assert (parsed.typ or "").lower().removeprefix("application/") == "token-introspection+jwt"
        assert (parsed.algorithm, claims["iss"]) == ("ES256", ISSUER)
        assert "rs" in ([claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"])
        assert abs(claims["iat"] - NOW) <= signed_introspection.MAX_AGE
        assert found == claims["token_introspection"]


def probe_jwe(random: Random) -> None:
    """Only what was encrypted comes out of a JWE, and out of a changed one nothing."""
    token = _mutated_jwe(random)
    parsed = jwe.parse_jwe(token)
    if parsed is None or jwe.judge_jwe(parsed, DECRYPTION) is not None:
        return
    key = DECRYPTION.select(parsed)
    content = None if key is None else jose.decrypt(parsed, key)
    if content is not None:
        assert content == CONTENT.encode()
        assert token in JWES
    jwe.read_nested(parsed, mutate(random, CONTENT.encode()), "at+jwt")


def probe_token_response(random: Random) -> None:
    """An answer of a token endpoint is a bearer token that can be sent, a refusal, or a fault."""
    found = token_request.process_token_response(respond(random, _TOKEN), NOW)
    if isinstance(found, token_request.GrantedToken):
        assert found.value.isascii()
        assert not set(found.value) & set(' ",;\r\n')
        assert found.lifetime >= 0


def probe_routing(random: Random) -> None:
    """An issuer is found by name, or by looks, or not at all."""
    token = mutate_jws(random, CONTENT.encode()) if random.random() < 0.8 else mutate(random, b"oth_abc")
    if token.isascii():
        found = find_issuer(token, _MARKS)
        assert found is None or isinstance(found, str)


def _decryption() -> jwe.Decryption:
    keys = jose.read_decryption_keys(_KEY.text())
    assert isinstance(keys, tuple)
    return jwe.Decryption(
        keys, frozenset({"ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256"}), frozenset({"A256GCM", "A128CBC-HS256"})
    )


DECRYPTION = _decryption()


def mutated_proof(random: Random) -> bytes:
    """Make a proof that is nearly good."""
    chance = random.random()
    if chance < 0.05:
        return noise(random)
    proof = random.choice(PROOFS)
    return proof if chance < 0.1 else mutate_jws(random, proof)


def _mutated_jwe(random: Random) -> bytes:
    parts = random.choice(JWES).split(b".")
    which = random.choice((0, 0, 0, 1, 2, 3, 4))
    content = urlsafe_b64decode(parts[which] + b"=" * (-len(parts[which]) % 4))
    change = written(random, mutate_json(random, json.loads(content))) if which == 0 else mutate(random, content)
    parts[which] = b64url(change)
    token = b".".join(parts)
    return mutate(random, token) if random.random() < 0.2 else token
