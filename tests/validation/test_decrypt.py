"""Encrypted access tokens: when one is decrypted, what may be inside, and by what it is remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from resource_server import Assurance
from resource_server._protocol import jose
from resource_server._protocol.jws import parse_jws
from resource_server._validation.limiter import RATE_LIMITED
from resource_server._validation.state import FAILED_DECRYPTIONS
from resource_server._validation.validate import Presented, validate
from resource_server._validation.verdict import Active, Inactive, Unavailable
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.errors import Reason
from tests.support.jwe import encrypt, encryption_key
from tests.support.jwt import (
    AUDIENCE,
    ISSUER,
    NOW,
    REMOVED,
    Part,
    access_token,
    claims,
    ecdsa_twin,
    encoded,
    header,
    sign,
    sign_hmac,
    signing_key,
    unsigned,
    with_signature,
)
from tests.support.play import REFUSED, World, digest, key_set, no, yes

KEY = encryption_key()
RSA = encryption_key("RSA")
SIGNER = signing_key("ES256")
INSIDE = access_token(SIGNER)
TOKEN = encrypt(INSIDE)
JWKS = ("jwks", key_set(SIGNER))
PEER = "192.0.2.1"


def server(mode: str = "required", **changes: Any) -> World:
    """Make a server that has a key for what is encrypted, and by default verifies tokens itself."""
    return World(**{"strategy": "jwks", "encrypted_tokens": mode, "decryption_key": KEY.text()} | changes)


def send(world: World, token: str, *script: Any, peer: str | None = PEER) -> Any:
    """Find out about a token that a client sends."""
    return world.play(validate(world.state, Presented(digest(token), token.encode(), peer=peer)), *script)


def twin() -> str:
    """Write the same token with the other signature that verifies."""
    parsed = parse_jws(INSIDE.encode())
    assert parsed is not None
    return with_signature(INSIDE, ecdsa_twin(parsed.signature, SIGNER))


@pytest.fixture
def decrypted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keep the algorithm of everything that is decrypted."""
    seen: list[str] = []
    decrypt = jose.decrypt

    def watched(jwe: Any, key: Any) -> bytes | None:
        seen.append(jwe.algorithm)
        return decrypt(jwe, key)

    monkeypatch.setattr(jose, "decrypt", watched)
    return seen


@pytest.mark.rfc("9068-4-g")
@pytest.mark.attack("A-J-13")
def test_off_is_the_default(decrypted: list[str]) -> None:
    """RFC 9068 §4: where encryption was not agreed on, an encrypted token is refused, and not decrypted."""
    assert World(strategy="jwks").validate(TOKEN) == Inactive("malformed")
    assert server("off").validate(TOKEN) == Inactive("malformed")
    assert decrypted == []


@pytest.mark.rfc("9068-4-g")
def test_off_leaves_it_to_whoever_is_asked(decrypted: list[str]) -> None:
    """A token with five parts is opaque to whom it does not concern: the authorization server says what it is."""
    for world in (World(strategy="introspect"), server("off", strategy="introspect_then_jwks")):
        assert isinstance(world.validate(TOKEN, ("introspection", yes())), Active)
    assert decrypted == []


@pytest.mark.rfc("9068-4-g", "9068-4-d")
@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("kind", ["P-256", "RSA", "X25519"])
def test_what_is_inside_counts(mode: str, kind: str) -> None:
    """RFC 9068 §4: an encrypted token is decrypted, and then judged as one that never was encrypted."""
    key = encryption_key(kind)
    world = server(mode, decryption_key=key.text())
    verdict = world.validate(encrypt(INSIDE, key, head={"typ": "JWT", "iss": ISSUER, "aud": AUDIENCE}), JWKS)
    assert isinstance(verdict, Active)
    assert (verdict.principal.subject, verdict.principal.assurance) == ("subject-1", Assurance.LOCAL)


@pytest.mark.rfc("9068-4-g")
def test_one_that_is_not_encrypted() -> None:
    """RFC 9068 §4: where encryption is required, a JWT without it is refused; where it is optional, it is judged."""
    assert server("required").validate(INSIDE) == Inactive("not_encrypted")
    assert server("required", strategy="introspect").validate(INSIDE) == Inactive("not_encrypted")
    assert isinstance(server("optional").validate(INSIDE, JWKS), Active)


def test_an_opaque_token_has_nothing_to_hide() -> None:
    """What says nothing by itself need not be encrypted."""
    world = server("required", strategy="introspect")
    assert isinstance(world.validate("opaque", ("introspection", yes())), Active)
    assert isinstance(world.validate("a.b.c.d.e", ("introspection", yes())), Active)


@pytest.mark.rfc("8725-3.3-a", "8725bis-3.13-a", "8725bis-3.15-a", "7519-5.3-a", "9701-8.1-a")
@pytest.mark.attack("A-J-1", "A-J-13")
@pytest.mark.parametrize("strategy", ["jwks", "introspect", "introspect_then_jwks"])
@pytest.mark.parametrize(
    ("content", "head", "reason"),
    [
        pytest.param(unsigned({"alg": "none", "typ": "at+jwt"}, claims()), {}, "algorithm_not_allowed", id="alg none"),
        pytest.param(
            sign_hmac({"alg": "HS256", "typ": "at+jwt"}, claims(), b"s"), {}, "algorithm_not_allowed", id="HS256"
        ),
        pytest.param(encoded(claims()), {}, "malformed", id="claims that nobody has signed"),
        pytest.param(encoded(claims()), {"cty": REMOVED}, "malformed", id="the same, and says so"),
        pytest.param(encrypt(INSIDE), {}, "malformed", id="encrypted twice"),
        pytest.param(INSIDE, {"cty": REMOVED}, "malformed", id="no cty"),
        pytest.param(INSIDE, {"cty": "token-introspection+jwt"}, "malformed", id="cty of another token"),
        pytest.param(INSIDE, {"sub": "admin"}, "malformed", id="another sub outside"),
        pytest.param(INSIDE, {"zip": "DEF"}, "malformed", id="zip"),
        pytest.param(INSIDE, {"crit": ["exp"]}, "malformed", id="crit"),
        pytest.param(INSIDE, {"alg": "RSA1_5"}, "algorithm_not_allowed", id="RSA1_5"),
        pytest.param(INSIDE, {"alg": "PBES2-HS512+A256KW", "p2c": 2**31}, "algorithm_not_allowed", id="PBES2"),
        pytest.param(INSIDE, {"alg": "dir"}, "algorithm_not_allowed", id="dir"),
        pytest.param(INSIDE, {"kid": "another"}, "unknown_key", id="for somebody else"),
    ],
)
def test_refused_without_a_question(strategy: str, content: Part, head: dict[str, Any], reason: Reason) -> None:
    """RFC 8725 §3.3: every layer is judged, whoever is to be asked about the token; nobody is, where one fails."""
    assert server(strategy=strategy).validate(encrypt(content, head=head)) == Inactive(reason)


@pytest.mark.rfc("8725-3.3-a", "9701-8.1-a")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (access_token(SIGNER, head={"typ": "token-introspection+jwt"}), "wrong_type"),
        (access_token(SIGNER, head={"typ": "JWT"}), "wrong_type"),
        (access_token(SIGNER, aud="https://other.example.com"), "wrong_audience"),
        (access_token(SIGNER, iss="https://other.example.com"), "wrong_issuer"),
        (access_token(SIGNER, now=NOW - 7200), "expired"),
        (access_token(SIGNER, exp=REMOVED), "malformed"),
    ],
)
def test_the_profile_holds_inside(content: str, reason: Reason) -> None:
    """RFC 9068 §4: that it was encrypted excuses nothing."""
    assert server().validate(encrypt(content)) == Inactive(reason)


@pytest.mark.rfc("8725-3.3-a")
def test_the_signature_inside() -> None:
    """RFC 8725 §3.3: anybody can encrypt for us, so it is the signature inside that says whose word it is."""
    stranger = signing_key("ES256", "stranger")
    forged = sign(header(stranger, kid=SIGNER.kid), claims(sub="admin"), stranger)
    assert server().validate(encrypt(forged), JWKS) == Inactive("bad_signature")


def test_a_key_that_has_gone() -> None:
    """What is encrypted with another key does not come out, whatever it says."""
    other = encrypt(INSIDE, encryption_key("P-256", "other"), head={"kid": KEY.kid})
    assert server().validate(other) == Inactive("malformed")


def test_the_server_is_asked_about_what_was_sent() -> None:
    """RFC 7662 §2.1: the question names the token as it came; the answer is compared with what is inside."""
    world = server(strategy="introspect")
    assert isinstance(world.validate(TOKEN, ("introspection", yes(sub="subject-1"))), Active)
    assert parse_qs(world.requests[0].body.decode())["token"] == [TOKEN]
    mixed_up = world.validate(encrypt(INSIDE), ("introspection", yes(sub="admin")))
    assert mixed_up == Unavailable("answer_mismatch", fault="configuration")


def test_an_outage_leaves_what_is_inside() -> None:
    """Where nobody answers, an encrypted token is as good as its signature."""
    verdict = server(strategy="introspect_then_jwks").validate(TOKEN, ("introspection", REFUSED), JWKS)
    assert isinstance(verdict, Active)
    assert verdict.principal.assurance is Assurance.LOCAL


@pytest.mark.attack("A-J-14")
def test_a_no_holds_however_it_is_encrypted() -> None:
    """A token that is inactive stays so in an outage, encrypted anew and with the twin of its signature."""
    world = server("optional", strategy="introspect_then_jwks")
    world.play(fetch_keys(world.state), JWKS)
    assert world.validate(TOKEN, ("introspection", no())) == Inactive("inactive")
    for again in (encrypt(INSIDE), encrypt(INSIDE, alg="ECDH-ES+A128KW", enc="A128GCM"), encrypt(twin()), INSIDE):
        assert world.validate(again, ("introspection", REFUSED)) == Inactive("inactive")


@pytest.mark.attack("A-J-14")
def test_a_revocation_holds_however_it_is_encrypted() -> None:
    """What is revoked is what is inside: neither another wrapping of it nor none is good after that."""
    world = server("optional")
    assert isinstance(world.validate(TOKEN, JWKS), Active)
    world.server.revoke(token=TOKEN)
    for again in (TOKEN, encrypt(INSIDE), encrypt(twin()), INSIDE):
        assert world.validate(again) == Inactive("revoked")


@pytest.mark.parametrize("token", [encrypt(b"x"), encrypt(INSIDE, head={"kid": "another"})])
def test_what_cannot_be_decrypted_can_be_revoked(token: str) -> None:
    """Of a token that tells us nothing its own text is revoked."""
    world = server("optional")
    world.server.revoke(token=token)
    assert [known.kind for known in world.state.revocations.all()] == ["token"]


def test_one_decryption_for_one_token(decrypted: list[str]) -> None:
    """What had to be decrypted to be refused is remembered; what is told by its looks pushes nothing out."""
    world = server()
    for token in (encrypt(b"x"), encrypt(INSIDE, encryption_key("P-256", "other"), head={"kid": KEY.kid})):
        assert send(world, token) == Inactive("malformed")
        assert world.cached(token) == Inactive("malformed")
    assert len(decrypted) == 2
    for token in (encrypt(b"x", head={"zip": "DEF"}), encrypt(b"x", head={"kid": "another"})):
        send(world, token)
        assert world.cached(token) is None
    assert len(decrypted) == 2


@pytest.mark.attack("A-J-13", "A-S-7")
def test_a_flood_of_garbage_is_cut_off(decrypted: list[str]) -> None:
    """One client may send only so much that costs a decryption and comes to nothing; others and good tokens go on."""
    world = server(decryption_key=RSA.text())
    _, at_once = FAILED_DECRYPTIONS
    good, other = encrypt(INSIDE, RSA), encrypt(access_token(SIGNER, jti="other"), RSA)
    assert isinstance(send(world, good, JWKS), Active)
    template = encrypt(b"x", RSA).split(".")
    for number in range(at_once):
        template[3] = f"{number:04}"
        assert send(world, ".".join(template)) == Inactive("malformed")
    template[3] = "zzzz"
    limited = send(world, ".".join(template))
    assert isinstance(limited, Unavailable)
    assert (limited.cause, limited.fault) == (RATE_LIMITED, "crowd")
    assert len(decrypted) == at_once + 1
    assert isinstance(send(world, good), Active), "it was good a moment ago"
    assert isinstance(send(world, other, peer="192.0.2.2"), Active), "another client"
    world.time.advance(1)
    assert isinstance(send(world, other), Active), "some time later"


@pytest.mark.attack("A-J-13", "A-S-7")
def test_a_flood_of_bad_tokens_that_are_well_encrypted(decrypted: list[str]) -> None:
    """Anybody can encrypt for us: what can be decrypted and is no good is charged like what cannot."""
    world = server(decryption_key=RSA.text())
    _, at_once = FAILED_DECRYPTIONS
    assert isinstance(send(world, encrypt(INSIDE, RSA), JWKS), Active)
    head, payload, signature = INSIDE.split(".")
    forged, unsigned = f"{head}.{payload}.{signature[::-1]}", access_token(SIGNER, head={"alg": "none"})
    for number in range(at_once):
        assert isinstance(send(world, encrypt((forged, unsigned)[number % 2], RSA)), Inactive)
    limited = send(world, encrypt(forged, RSA))
    assert isinstance(limited, Unavailable)
    assert limited.cause == RATE_LIMITED
    assert len(decrypted) == at_once + 1


def test_good_tokens_are_not_charged() -> None:
    """However many new tokens one client sends, they are decrypted as long as they are good."""
    world = server()
    send(world, TOKEN, JWKS)
    _, at_once = FAILED_DECRYPTIONS
    for number in range(at_once + 1):
        token = encrypt(access_token(SIGNER, jti=str(number)))
        assert isinstance(send(world, token), Active)


@pytest.mark.attack("A-S-7")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"token_format": "opaque"}, "malformed"),
        ({"token_pattern": "x.*"}, "malformed"),
        ({"algorithms": "RS256"}, "algorithm_not_allowed"),
        ({"token_format": "jwt", "algorithms": "RS256"}, "algorithm_not_allowed"),
    ],
)
def test_looks(options: dict[str, Any], reason: Reason) -> None:
    """The pattern is the token's as it is sent; its format and algorithm are those of what is inside."""
    world = server(**{"strategy": "introspect", "token_pattern": "ey.*"} | options)
    assert world.validate(TOKEN) == Inactive(reason)
    fitting = server(strategy="introspect", token_format="jwt", token_pattern="ey.*")
    assert isinstance(fitting.validate(TOKEN, ("introspection", yes())), Active)


def test_without_a_key_nothing_is_decrypted() -> None:
    """A policy that has come without a key refuses what is encrypted."""
    world = server()
    world.state.policy = replace(world.state.policy, decryption=None)
    assert world.validate(TOKEN) == Inactive("unknown_key")


def test_what_the_wrapper_says_is_inside() -> None:
    """RFC 7516 §4.1.12: ``cty`` may name an access token's type, for who validates it and for who revokes it."""
    named = encrypt(INSIDE, head={"cty": "at+jwt"})
    world = server("optional")
    assert isinstance(world.validate(named, JWKS), Active)
    world.server.revoke(token=named)
    assert world.validate(INSIDE) == Inactive("revoked")


def test_looks_come_first(decrypted: list[str]) -> None:
    """A token that does not match the pattern is not decrypted, and what is told is the first thing that is wrong."""
    assert server(token_pattern="x.*").validate(TOKEN) == Inactive("malformed")
    assert decrypted == []
    assert server(token_pattern="x.*").validate(INSIDE) == Inactive("malformed")
    both = server(strategy="introspect", token_format="opaque", algorithms="RS256")
    assert both.validate(TOKEN) == Inactive("malformed")


@pytest.mark.attack("A-J-13", "A-S-7")
def test_a_flood_of_forged_signatures() -> None:
    """Who encrypts tokens with signatures of nobody is cut off, and learns for how long."""
    world = server()
    rate, at_once = FAILED_DECRYPTIONS
    assert isinstance(send(world, TOKEN, JWKS), Active)
    forged = with_signature(INSIDE, b"x" * 64)
    for _ in range(at_once):
        assert send(world, encrypt(forged)) == Inactive("bad_signature")
    limited = send(world, encrypt(forged))
    assert (limited.cause, limited.fault) == (RATE_LIMITED, "crowd")
    assert limited.retry_after == pytest.approx(1 / rate)


@pytest.mark.attack("A-J-13", "A-S-7")
def test_a_flood_beyond_the_other_limit() -> None:
    """What may not be asked about has been decrypted for nothing, and is charged for that."""
    world = server(strategy="introspect", rate_limit=0.001, rate_limit_burst=1)
    send(world, TOKEN, ("introspection", yes()))
    before = world.state.decryptions.charge(PEER, world.time.monotonic)
    assert before is None
    world.state.decryptions.refund(PEER)
    for number in range(FAILED_DECRYPTIONS[1]):
        limited = send(world, encrypt(INSIDE, head={"number": number}))
        assert (limited.cause, limited.fault) == (RATE_LIMITED, "crowd")
    assert world.state.decryptions.charge(PEER, world.time.monotonic) is not None


def test_an_outage_is_nobodys_flood() -> None:
    """That nobody answers is not the client's doing: its tokens are decrypted as before."""
    world = server(strategy="introspect")
    for _ in range(FAILED_DECRYPTIONS[1] + 1):
        closed = world.state.breaker("introspection").status(world.time.monotonic).open
        verdict = send(world, TOKEN, *[("introspection", REFUSED)] * (not closed))
        assert isinstance(verdict, Unavailable)
        assert verdict.fault == "outage"
