"""Proofs of possession at the token endpoint.

References: RFC 9449
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.base64url import base64url
from mock_as.keys.signing import generate_key
from mock_as.messages import encode_json
from mock_as.oauth.dpop import Expected, NonceError, Nonces, ProofError, judge_proof
from mock_as.tokens.proofs import Prover
from tests.mock_as.asking import CLIENT_CREDENTIALS, ask, assert_refused, record_of

KEY = generate_key("ES256")
URL = "https://as.example.test/token"
NOW = 1_562_262_616.0
SVC = ("svc", "svc-secret")
BOUND = ("svc.dpop", "svc.dpop-secret")
NONCE = ("svc.dpop.nonce", "svc.dpop.nonce-secret")
# RFC 9449 sections 4.2 and 6.1
RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq"
    "dGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ijox"
    "NTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def expected(**changes: Any) -> Expected:
    """Expect a proof for the token endpoint, but for what is said differently."""
    return replace(Expected(method="POST", url=URL, now=NOW), **changes)


def make_proof(header: Mapping[str, Any] | None = None, key: Any = KEY, **claims: Any) -> str:
    """Make a proof that is good, but for what is said differently; None leaves something out."""
    said = {"jti": "1", "htm": "POST", "htu": URL, "iat": int(NOW), **claims}
    head = {"typ": "dpop+jwt", "jwk": key.jwk.as_dict(private=False), "kid": None, **(header or {})}
    payload = {name: value for name, value in said.items() if value is not None}
    members = {name: value for name, value in head.items() if value is not None}
    message = f"{base64url(encode_json({'alg': key.alg} | members))}.{base64url(encode_json(payload))}"
    return f"{message}.{base64url(key.sign(message.encode()))}"


def test_proof_of_the_rfc() -> None:
    """The proof in the RFC proves the key whose thumbprint the RFC gives."""
    proof = judge_proof(RFC_PROOF, expected(url="https://server.example.com/token"))
    assert (proof.thumbprint, proof.jti) == (RFC_THUMBPRINT, "-BwC3ESc6acc2lTc")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519", "EdDSA"])
def test_algorithms(alg: str) -> None:
    """A proof may be signed by every asymmetric algorithm, however long the key is in its header."""
    key = generate_key(alg)
    assert judge_proof(make_proof(key=key), expected()).thumbprint == key.thumbprint()


@pytest.mark.parametrize(
    "htu",
    [
        "https://as.example.test/token",
        "HTTPS://AS.example.test/token",
        "https://as.example.test:443/token",
        "https://as.example.test/token?query",
        "https://as.example.test/token#fragment",
    ],
)
def test_same_target(htu: str) -> None:
    """The target is compared after normalization, without query and fragment: RFC 9449 section 4.3."""
    assert judge_proof(make_proof(htu=htu), expected()).jti == "1"


@pytest.mark.parametrize("seconds", [-300, 300])
def test_proof_near_now(seconds: int) -> None:
    """A proof is good for some minutes around its making."""
    assert judge_proof(make_proof(), expected(now=NOW + seconds)).jti == "1"


WRONG: dict[str, tuple[str, str]] = {
    "garbage": ("garbage", "no JWT"),
    "empty": ("", "no JWT"),
    "two proofs as one": (f"{make_proof()}, {make_proof()}", "no JWT"),
    "typ": (make_proof({"typ": "JWT"}), "typ"),
    "no typ": (make_proof({"typ": None}), "typ"),
    "alg none": (make_proof({"alg": "none"}), "algorithm"),
    "alg of a secret": (make_proof({"alg": "HS256"}), "algorithm"),
    "another alg": (make_proof({"alg": "ES384"}), "signature"),
    "no jwk": (make_proof({"jwk": None}), "jwk"),
    "jwk that is a text": (make_proof({"jwk": "key"}), "jwk"),
    "jwk of nothing": (make_proof({"jwk": {}}), "jwk"),
    "jwk with its private part": (make_proof({"jwk": KEY.jwk.as_dict(private=True)}), "jwk"),
    "jwk that is a secret": (make_proof({"jwk": {"kty": "oct", "k": "AAAA"}}), "jwk"),
    "jwk off the curve": (make_proof({"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}), "jwk"),
    "jwk of 1024 bits": (make_proof({"jwk": {"kty": "RSA", "n": "v" * 171, "e": "AQAB"}}), "jwk"),
    "jwk that takes for ever": (make_proof({"jwk": {"kty": "RSA", "n": "v" * 9999, "e": "AQAB"}}), "jwk"),
    "jwk of another": (make_proof({"jwk": generate_key("ES256").jwk.as_dict(private=False)}), "signature"),
    "crit": (make_proof({"crit": ["exp"], "exp": 1}), "critical"),
    "another method": (make_proof(htm="GET"), "htm"),
    "method in lower case": (make_proof(htm="post"), "htm"),
    "no method": (make_proof(htm=None), "htm"),
    "another path": (make_proof(htu="https://as.example.test/par"), "htu"),
    "a slash more": (make_proof(htu=f"{URL}/"), "htu"),
    "another host": (make_proof(htu="https://evil.test/token"), "htu"),
    "another scheme": (make_proof(htu="http://as.example.test/token"), "htu"),
    "another port": (make_proof(htu="https://as.example.test:8443/token"), "htu"),
    "an impossible port": (make_proof(htu="https://as.example.test:x/token"), "htu"),
    "credentials": (make_proof(htu="https://user@as.example.test/token"), "htu"),
    "no target": (make_proof(htu=None), "htu"),
    "target that is no text": (make_proof(htu=[URL]), "htu"),
    "no iat": (make_proof(iat=None), "iat"),
    "iat that is a text": (make_proof(iat=str(int(NOW))), "iat"),
    "too old": (make_proof(iat=int(NOW) - 301), "iat"),
    "too new": (make_proof(iat=int(NOW) + 301), "iat"),
    "no jti": (make_proof(jti=None), "jti"),
    "empty jti": (make_proof(jti=""), "jti"),
    "jti that is a number": (make_proof(jti=1), "jti"),
}


@pytest.mark.parametrize(("proof", "about"), WRONG.values(), ids=WRONG)
def test_wrong_proof(proof: str, about: str) -> None:
    """A proof that misses any of what RFC 9449 section 4.3 asks for proves nothing."""
    with pytest.raises(ProofError, match=about):
        judge_proof(proof, expected())


def test_access_token_is_no_proof() -> None:
    """Another JWT, although rightly signed, is no proof: RFC 9449 section 11.5."""
    with pytest.raises(ProofError, match="typ"):
        judge_proof(MockAS().token().value, expected())


def test_nonce_is_good_for_some_minutes() -> None:
    """A nonce is good until five to ten minutes have passed, and none of another server is."""
    now = [NOW]
    nonces = Nonces(lambda: now[0])
    nonce = nonces.current()
    assert nonces.is_good(nonce)
    now[0] += 300
    assert nonces.is_good(nonce)
    assert nonces.current() != nonce
    now[0] += 300
    assert not nonces.is_good(nonce)
    assert not nonces.is_good(Nonces(lambda: now[0]).current())
    assert not nonces.is_good(None)


def test_nonce_is_judged_last() -> None:
    """A client that is told to repeat a nonce has a proof that is good otherwise."""
    nonces = Nonces(lambda: NOW)
    wanted = expected(nonce_is_good=nonces.is_good)
    with pytest.raises(NonceError):
        judge_proof(make_proof(), wanted)
    with pytest.raises(NonceError):
        judge_proof(make_proof(nonce="other"), wanted)
    with pytest.raises(ProofError, match="htm"):
        judge_proof(make_proof(htm="GET"), wanted)
    assert judge_proof(make_proof(nonce=nonces.current()), wanted).jti == "1"


# ------------------------------------------------------------------------------------------------------ the endpoint


@pytest.fixture
def prover(mock: MockAS) -> Prover:
    """Make a client's own key."""
    return Prover(KEY, mock.clock.now)


@pytest.mark.rfc("9449-as-a")
@pytest.mark.anyio
@pytest.mark.parametrize("auth", [SVC, BOUND])
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_token_is_bound_to_the_key(
    mock: MockAS, client: httpx.AsyncClient, prover: Prover, auth: tuple[str, str], token_format: Any
) -> None:
    """Whoever sends a proof gets a token that is bound to its key, and introspection says so: RFC 9449 section 5."""
    mock.configure(token_format=token_format)
    response = await ask(client, CLIENT_CREDENTIALS, auth, {"DPoP": prover.proof("POST", mock.url.token)})
    assert record_of(mock, response).token.claims["cnf"] == {"jkt": prover.thumbprint}
    assert response.json()["token_type"] == "DPoP"
    form = {"token": response.json()["access_token"]}
    said = (await ask(client, form, ("rs", "rs-secret"), path="/introspect")).json()
    assert (said["cnf"], said["token_type"]) == ({"jkt": prover.thumbprint}, "DPoP")


@pytest.mark.anyio
async def test_client_that_must_prove(client: httpx.AsyncClient) -> None:
    """A client that is registered for bound tokens gets no other: RFC 9449 section 5.2."""
    assert_refused(await ask(client, CLIENT_CREDENTIALS, BOUND), "invalid_dpop_proof", about="one proof")


@pytest.mark.anyio
async def test_two_proofs(mock: MockAS, client: httpx.AsyncClient, prover: Prover) -> None:
    """There is one header field of that name, not two."""
    headers = [("DPoP", prover.proof("POST", mock.url.token)) for _ in range(2)]
    assert_refused(await ask(client, CLIENT_CREDENTIALS, BOUND, headers), "invalid_dpop_proof", about="one proof")


@pytest.mark.anyio
@pytest.mark.parametrize("auth", [SVC, BOUND])
async def test_wrong_proof_at_the_endpoint(client: httpx.AsyncClient, auth: tuple[str, str]) -> None:
    """A proof that is not good is refused, although the client could have left it out."""
    assert_refused(
        await ask(client, CLIENT_CREDENTIALS, auth, {"DPoP": "garbage"}), "invalid_dpop_proof", about="no JWT"
    )


@pytest.mark.anyio
async def test_proof_comes_once(mock: MockAS, client: httpx.AsyncClient, prover: Prover) -> None:
    """A proof is not taken twice, for as long as it would be good: RFC 9449 section 11.1."""
    # The longest time that a proof can be good: it comes from the future.
    headers = {"DPoP": prover.proof("POST", mock.url.token, iat=int(mock.clock.now()) + 290)}
    assert (await ask(client, CLIENT_CREDENTIALS, SVC, headers)).status_code == 200
    for seconds in (0, 580):
        mock.clock.advance(seconds)
        refused = await ask(client, CLIENT_CREDENTIALS, SVC, headers)
        assert_refused(refused, "invalid_dpop_proof", about="before")
    mock.clock.advance(20)
    assert_refused(await ask(client, CLIENT_CREDENTIALS, SVC, headers), "invalid_dpop_proof", about="iat")


@pytest.mark.anyio
async def test_proofs_of_two_keys_may_have_one_name(mock: MockAS, client: httpx.AsyncClient, prover: Prover) -> None:
    """What has come before is another proof of the same key, not another key's of the same name."""
    other = Prover(generate_key("ES256"), mock.clock.now)
    for key in (prover, other):
        headers = {"DPoP": key.proof("POST", mock.url.token, jti="same")}
        assert (await ask(client, CLIENT_CREDENTIALS, SVC, headers)).status_code == 200


@pytest.mark.anyio
async def test_nonce_is_asked_for(mock: MockAS, client: httpx.AsyncClient, prover: Prover) -> None:
    """A client that must repeat a nonce is told which, and gets its token with that: RFC 9449 section 8."""
    headers = {"DPoP": prover.proof("POST", mock.url.token)}
    refused = await ask(client, CLIENT_CREDENTIALS, NONCE, headers)
    assert_refused(refused, "use_dpop_nonce")
    [nonce] = refused.headers.get_list("dpop-nonce")
    headers = {"DPoP": prover.proof("POST", mock.url.token, nonce=nonce)}
    assert (await ask(client, CLIENT_CREDENTIALS, NONCE, headers)).status_code == 200
    mock.clock.advance(601)
    headers = {"DPoP": prover.proof("POST", mock.url.token, nonce=nonce)}
    again = await ask(client, CLIENT_CREDENTIALS, NONCE, headers)
    assert_refused(again, "use_dpop_nonce")
    assert again.headers["dpop-nonce"] != nonce


@pytest.mark.anyio
async def test_credentials_come_first(client: httpx.AsyncClient) -> None:
    """Whoever does not authenticate is not told about proofs."""
    refused = await ask(client, CLIENT_CREDENTIALS, ("svc.dpop.nonce", "wrong"), {"DPoP": "garbage"})
    assert_refused(refused, "invalid_client", 401)
    assert "dpop-nonce" not in refused.headers


@pytest.mark.anyio
async def test_key_and_certificate_at_once() -> None:
    """A token may be bound to a key and to a certificate."""
    mock = MockAS(clients=[Client(id="bound", secret="s", mtls_bound=True, dpop_bound=True)])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        proof = Prover(KEY, mock.clock.now).proof("POST", mock.url.token)
        response = await ask(client, CLIENT_CREDENTIALS, ("bound", "s"), {"DPoP": proof, "Client-Cert": ":AAAA:"})
        assert set(record_of(mock, response).token.claims["cnf"]) == {"jkt", "x5t#S256"}
