"""Introspection answers that are signed: whose word is taken, and what becomes of a request when it is not."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server import Assurance, InvalidToken
from resource_server._protocol.messages import HTTPResponse
from resource_server._protocol.signed_introspection import MAX_AGE, MEDIA_TYPE
from resource_server._validation.flow import Recall, Release, Remember
from resource_server._validation.verdict import Active, Inactive, Unavailable
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.events import ConfigurationFault
from tests.support.jwe import encrypt, encryption_key
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, access_token, sign, sign_hmac, signing_key, unsigned
from tests.support.play import REFUSED, Answer, World, active_members, answer, key_set, no, unsupported, yes
from tests.support.shelf import Shelf, Worker

KEY = signing_key("ES256")
NEXT = signing_key("ES256", "next")
TOKEN = access_token(KEY)
JWKS = ("jwks", key_set(KEY))
DECRYPTION = encryption_key()


def claims(**changes: Any) -> dict[str, Any]:
    """Write the claims of an answer that says yes, changed as asked; those of the token stand in ``members``."""
    good = {"iss": ISSUER, "aud": "rs", "iat": int(NOW), "token_introspection": active_members()}
    return {name: value for name, value in (good | changes).items() if value is not REMOVED}


def head(**changes: Any) -> dict[str, Any]:
    """Write the header of an answer."""
    return {"typ": "token-introspection+jwt", "alg": "ES256", "kid": KEY.kid} | changes


def signed(**changes: Any) -> str:
    """Sign an answer."""
    return sign(head(), claims(**changes), KEY)


def says(jwt: str, content_type: str = MEDIA_TYPE) -> tuple[str, Answer]:
    """Answer an introspection with a JWT."""
    return ("introspection", HTTPResponse(200, (("content-type", content_type),), jwt.encode()))


def server(mode: str = "required", **changes: Any) -> World:
    """Make a server that wants answers signed, and has the keys of its issuer."""
    world = World(**{"signed_introspection": mode, "strategy": "introspect"} | changes)
    world.play(fetch_keys(world.state), JWKS)
    return world


GARBLED = f"{signed()[:-8]}AAAAAAAA"
WRONG = {
    "not a JWT": ("opaque", "answer_not_jwt"),
    "nothing": ("", "answer_not_jwt"),
    "alg none": (unsigned(head(alg="none"), claims()), "answer_algorithm"),
    "alg HS256": (sign_hmac(head(alg="HS256"), claims(), b"public"), "answer_algorithm"),
    "wrong typ": (sign(head(typ="at+jwt"), claims(), KEY), "answer_wrong_type"),
    "an access token": (access_token(KEY), "answer_wrong_type"),
    "wrong iss": (signed(iss="https://other.example.com"), "answer_wrong_issuer"),
    "wrong aud": (signed(aud="other"), "answer_wrong_audience"),
    "old": (signed(iat=NOW - MAX_AGE - 1), "answer_stale"),
    "not nested": (signed(token_introspection=REMOVED, **active_members(aud="rs")), "answer_not_nested"),
    "bad signature": (GARBLED, "answer_bad_signature"),
    "another key": (sign(head(), claims(), NEXT), "answer_bad_signature"),
    "encrypted": (encrypt(signed(), DECRYPTION), "answer_not_jwt"),
}


@pytest.mark.rfc("9701-4-a")
@pytest.mark.parametrize(
    ("mode", "accept"),
    [
        ("off", "application/json"),
        ("optional", f"{MEDIA_TYPE}, application/json;q=0.5"),
        ("required", MEDIA_TYPE),
    ],
)
def test_the_question(mode: str, accept: str) -> None:
    """RFC 9701 §4: the resource server asks for a signed answer by its media type."""
    world = server(mode)
    world.validate("opaque", ("introspection", REFUSED))
    assert dict(world.requests[0].headers)["accept"] == accept


@pytest.mark.rfc("9701-5-a", "9701-5-b", "9701-5-c", "9701-5-d")
@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("content_type", [MEDIA_TYPE, MEDIA_TYPE.upper(), f"{MEDIA_TYPE}; charset=utf-8"])
def test_a_signed_yes(mode: str, content_type: str) -> None:
    """RFC 9701 §5: an answer that the issuer has signed for us is judged like any other."""
    verdict = server(mode).validate("opaque", says(signed(), content_type))
    assert isinstance(verdict, Active)
    assert (verdict.principal.subject, verdict.principal.assurance) == ("subject-1", Assurance.INTROSPECTED)


@pytest.mark.rfc("9701-5-c", "9701-5-d")
def test_a_signed_no() -> None:
    """RFC 9701 §5: ``active: false`` below is a no, whatever stands at the top; it is final, and remembered."""
    world = server(strategy="introspect_then_jwks")
    denial = signed(token_introspection={"active": False}, active=True, sub="admin", scope="read")
    assert world.validate(TOKEN, says(denial)) == Inactive("inactive")
    assert world.cached(TOKEN) == Inactive("inactive")
    assert world.validate(TOKEN, ("introspection", REFUSED)) == Inactive("inactive")


@pytest.mark.rfc("9701-5-c")
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (active_members(aud="https://other.example.com"), "wrong_audience"),
        (active_members(iss="https://other.example.com"), "wrong_issuer"),
        (active_members(exp=int(NOW)), "expired"),
        (active_members(token_use="refresh"), "wrong_type"),
    ],
)
def test_a_signed_yes_is_judged(members: dict[str, Any], reason: Any) -> None:
    """RFC 7662 §4: that an answer is signed says who has given it, and no more."""
    assert server().validate("opaque", says(signed(token_introspection=members))) == Inactive(reason)


def test_a_signed_answer_about_another_token() -> None:
    """An answer names no question: where the token is a JWT, it must not contradict it."""
    other = signed(token_introspection=active_members(sub="admin"))
    assert server().validate(TOKEN, says(other)) == Unavailable("answer_mismatch", fault="configuration")


@pytest.mark.parametrize("active", [None, "true", 1])
def test_a_signed_neither(active: Any) -> None:
    """RFC 7662 §2.2: only the literal ``true`` is a yes, also below a signature."""
    answer_ = signed(token_introspection=active_members(active=active))
    assert server().validate("opaque", says(answer_)) == Unavailable("active_not_boolean")


@pytest.mark.rfc("9701-5-a", "9701-5-b", "9701-5-c", "9701-5-d", "8725-3.3-a")
@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks_then_introspect"])
@pytest.mark.parametrize(("jwt", "cause"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_lets_nobody_in(mode: str, strategy: str, jwt: str, cause: str) -> None:
    """RFC 9701 §5: a signed answer that is not right is no yes, no no, and no reason to look elsewhere for a yes."""
    world = server(mode, strategy=strategy, stale_if_error=600.0, cache_ttl=1.0)
    token = "opaque" if strategy == "jwks_then_introspect" else TOKEN
    assert isinstance(world.validate(token, says(signed())), Active)
    world.time.advance(2)
    verdict = world.validate(token, says(jwt))
    assert verdict == Unavailable(cause, fault="configuration")
    assert world.events[-1] == ConfigurationFault("introspection", cause, ISSUER)
    with pytest.raises(InvalidToken):
        world.admit(verdict)


@pytest.mark.rfc("9701-5-e")
@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks"])
@pytest.mark.parametrize(
    "plain", [yes(), no(), unsupported(), answer({}), answer("x"), answer({"active": "true"})], ids=str
)
def test_a_downgrade(strategy: str, plain: HTTPResponse) -> None:
    """RFC 9701 §5: what is not signed says nothing where that is required: no yes, no no, no "verify it yourself"."""
    world = server(strategy=strategy)
    assert world.validate(TOKEN, ("introspection", plain)) == Unavailable("not_signed", fault="configuration")
    assert world.cached(TOKEN) is None


@pytest.mark.rfc("9701-5-e")
def test_plain_answers_where_they_will_do() -> None:
    """Where a signature is optional, JSON is as good as ever, for a server that does not know better."""
    world = server("optional", strategy="introspect_then_jwks")
    assert isinstance(world.validate("one", ("introspection", yes())), Active)
    assert world.validate("two", ("introspection", no())) == Inactive("inactive")
    verdict = world.validate(TOKEN, ("introspection", unsupported()))
    assert isinstance(verdict, Active)
    assert verdict.principal.assurance is Assurance.LOCAL


def test_signed_answers_that_nobody_has_asked_for() -> None:
    """Where answers are not to be signed, one that is one has not been agreed on."""
    assert server("off").validate("opaque", says(signed())) == Unavailable("content_type")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (HTTPResponse(503), Unavailable("status_503")),
        (HTTPResponse(401), Unavailable("status_401", fault="configuration")),
        (answer({"error": "invalid_request"}, status=400), Unavailable("status_400", fault="configuration")),
        (answer(b"<html>", content_type="text/html"), Unavailable("content_type")),
        (HTTPResponse(500, (("content-type", MEDIA_TYPE),), signed().encode()), Unavailable("status_500")),
    ],
    ids=str,
)
def test_no_answer_needs_no_signature(response: HTTPResponse, expected: Unavailable) -> None:
    """RFC 9701 §5: errors are not signed; they let nobody in but where an outage does so anyway."""
    world = server(max_concurrent_calls=1)
    assert world.validate("opaque", ("introspection", response)) == expected


def test_an_outage_is_bridged_as_ever() -> None:
    """Whoever can keep an answer back can cause an outage: what that lets in is the operator's choice, as ever."""
    verdict = server(strategy="introspect_then_jwks").validate(TOKEN, ("introspection", REFUSED))
    assert isinstance(verdict, Active)
    assert verdict.principal.assurance is Assurance.LOCAL


@pytest.mark.parametrize("jwt", [GARBLED, "opaque"])
def test_a_fault_is_bridged_only_where_all_faults_are(jwt: str) -> None:
    """An operator who lets signatures stand in for a misconfigured server gets that, and is told each time."""
    world = server(strategy="introspect_then_jwks", fallback_on_configuration_fault=True)
    verdict = world.validate(TOKEN, says(jwt))
    assert isinstance(verdict, Active)
    assert verdict.principal.assurance is Assurance.LOCAL
    assert isinstance(world.events[-1], ConfigurationFault)


@pytest.mark.rfc("9701-5-d")
def test_a_key_that_is_new() -> None:
    """RFC 9701 §5: an answer signed with a key not seen before causes one fetch of the keys, and then counts."""
    world = server()
    by_next = says(sign(head(kid=NEXT.kid), claims(), NEXT))
    assert isinstance(world.validate("opaque", by_next, ("jwks", key_set(KEY, NEXT))), Active)
    assert isinstance(world.validate("other", by_next), Active)


@pytest.mark.rfc("9701-5-d")
def test_a_key_that_nobody_knows() -> None:
    """A key that the issuer does not publish signs nothing; nobody is let in meanwhile, whose fault it may be."""
    world = server(strategy="introspect_then_jwks")
    by_next = says(sign(head(kid=NEXT.kid), claims(), NEXT))
    refused = Unavailable("answer_unknown_key", fault="configuration")
    assert world.validate(TOKEN, by_next, JWKS) == refused
    assert world.validate(TOKEN, by_next) == refused, "not one more fetch for the next"


def test_no_keys_at_all() -> None:
    """Where the keys cannot be had, a signature cannot be verified: that is an outage, and not a yes."""
    world = World(signed_introspection="required", strategy="introspect")
    assert world.validate("opaque", says(signed()), ("jwks", REFUSED)) == Unavailable("no_recent_keys")
    assert isinstance(world.validate("opaque", says(signed()), JWKS), Active)


@pytest.mark.rfc("9701-5-d", "8725-3.3-a")
@pytest.mark.parametrize("alg", ["ECDH-ES", "ECDH-ES+A256KW"])
@pytest.mark.parametrize("cty", ["JWT", "token-introspection+jwt"])
def test_signed_and_encrypted(alg: str, cty: str) -> None:
    """RFC 9701 §5, RFC 7519 §5.2: an answer that is encrypted for us counts by what is signed inside."""
    world = server(decryption_key=DECRYPTION.text())
    nested = encrypt(signed(aud=AUDIENCE), alg=alg, head={"cty": cty, "iss": ISSUER, "aud": AUDIENCE})
    assert isinstance(world.validate("opaque", says(nested)), Active)
    assert isinstance(world.validate("other", says(signed())), Active), "a key of ours demands no encryption"


@pytest.mark.rfc("9701-5-d", "8725-3.3-a", "7519-5.3-a")
@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize(
    ("content", "header", "cause"),
    [
        pytest.param(claims(), {}, "answer_not_jwt", id="nobody has signed it"),
        pytest.param(unsigned(head(alg="none"), claims()), {}, "answer_algorithm", id="alg none"),
        pytest.param(sign(head(), claims(), NEXT), {}, "answer_bad_signature", id="another has"),
        pytest.param(signed(), {"zip": "DEF"}, "answer_not_jwt", id="zip"),
        pytest.param(signed(), {"kid": "another"}, "answer_not_jwt", id="for somebody else"),
        pytest.param(signed(), {"cty": "at+jwt"}, "answer_not_jwt", id="it is said to be an access token"),
        pytest.param(signed(), {"aud": "other"}, "answer_not_jwt", id="it is for another by its header"),
    ],
)
def test_encrypted_is_not_signed(content: Any, header: dict[str, Any], cause: str) -> None:
    """RFC 8725 §3.3: anybody can encrypt for us; only what is signed inside is the issuer's word."""
    world = server(decryption_key=DECRYPTION.text())
    assert world.validate("opaque", says(encrypt(content, head=header))) == Unavailable(cause, fault="configuration")


def test_what_is_shared_has_been_verified() -> None:
    """The store of all workers gets what an answer says once its signature is verified, and nothing before."""
    shelf = Shelf()
    world = Worker(shelf, signed_introspection="required", strategy="introspect")
    world.play(fetch_keys(world.state), JWKS)
    for jwt, calls in ((GARBLED, [Recall, Release]), (signed(), [Recall, Remember])):
        shelf.calls.clear()
        world.validate("opaque", says(jwt))
        assert [type(call) for call in shelf.calls] == calls
