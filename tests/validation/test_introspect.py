"""Asking about one token: what is sent, and whose answer is believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from resource_server import InvalidToken
from resource_server._protocol.client_auth import ClientCredentials
from resource_server._validation.introspect import introspect
from resource_server._validation.state import Policy
from resource_server._validation.verdict import Active, Inactive, Unavailable
from resource_server.events import ConfigurationFault
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, access_token
from tests.support.play import INTROSPECTION, SECRET, World, answer, no, unsupported, yes

TOKEN = access_token()


@pytest.fixture
def world() -> World:
    """A server that introspects every token."""
    return World(strategy="introspect")


@pytest.mark.rfc("7662-2.1-a", "7662-2.1-b", "7662-2.1-e")
def test_the_question(world: World) -> None:
    """RFC 7662 §2.1: a POST of a form with the exact token in its body, and nowhere else."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO+gx/U=="
    world.validate(token, ("introspection", yes()))
    (request,) = world.requests
    assert (request.method, request.url) == ("POST", INTROSPECTION)
    assert dict(request.headers)["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(request.body.decode(), strict_parsing=True) == [
        ("token", token),
        ("token_type_hint", "access_token"),
    ]
    assert token not in repr(request)
    assert not any(token in value for _, value in request.headers)


@pytest.mark.rfc("7662-2.1-c")
def test_the_secret_in_the_form() -> None:
    """RFC 7662 §2.1: ``client_secret_post`` sends our credentials in the form, and no ``Authorization``."""
    world = World(strategy="introspect", client_auth_method="client_secret_post")
    world.validate("opaque", ("introspection", yes()))
    (request,) = world.requests
    form = dict(parse_qsl(request.body.decode()))
    assert (form["client_id"], form["client_secret"]) == ("rs", SECRET)
    assert "authorization" not in dict(request.headers)


@pytest.mark.rfc("7662-2.2-d", "7662-2.2-e", "7662-2.2-f", "7662-2.2-g")
@pytest.mark.attack("A-I-8", "A-I-10")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"exp": int(NOW) - 1}, "expired", id="exp past"),
        pytest.param({"exp": int(NOW)}, "expired", id="exp now"),
        pytest.param({"exp": str(int(NOW) + 60)}, "malformed", id="exp is a string"),
        pytest.param({"exp": True}, "malformed", id="exp is a boolean"),
        pytest.param({"exp": None}, "malformed", id="exp is null"),
        pytest.param({"nbf": "tomorrow"}, "malformed", id="nbf is a string"),
        pytest.param({"iss": ISSUER + "/"}, "wrong_issuer", id="iss with a slash"),
        pytest.param({"iss": [ISSUER]}, "wrong_issuer", id="iss is a list"),
        pytest.param({"aud": "https://other.example.com"}, "wrong_audience", id="aud of another"),
        pytest.param({"aud": {}}, "wrong_audience", id="aud is an object"),
        pytest.param({"aud": REMOVED}, "wrong_audience", id="no aud"),
        pytest.param({"token_use": "refresh_token"}, "wrong_type", id="refresh token"),
        pytest.param({"token_type": "N/A+id_token"}, "wrong_type", id="unknown token_type"),
        pytest.param({"sub": ["a"]}, "malformed", id="sub is a list"),
    ],
)
def test_active_is_not_everything(world: World, changes: dict[str, Any], reason: Any) -> None:
    """RFC 7662 §4: the members of an active answer are judged as if nobody had vouched for them."""
    assert world.validate("opaque", ("introspection", yes(**changes))) == Inactive(reason)


@pytest.mark.rfc("7662-2.2-d")
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_from_the_future_is_refused_until_then(world: World, name: str) -> None:
    """RFC 7662 §2.2: ``nbf`` is judged by ourselves and at every request, ``iat`` with a minute's tolerance."""
    verdict = world.validate("opaque", ("introspection", yes(**{name: int(NOW) + 120})))
    for ahead in (120, 61):
        world.time.wall = NOW + 120 - ahead
        with pytest.raises(InvalidToken) as refused:
            world.admit(verdict)
        assert refused.value.reason == "not_yet_valid"
    world.time.wall = NOW + 120
    assert world.admit(verdict).subject == "subject-1"


def test_audience_left_to_the_authorization_server() -> None:
    """An absent ``aud`` is accepted by choice only; a wrong one never."""
    world = World(strategy="introspect", require_audience=False)
    assert isinstance(world.validate("a", ("introspection", yes(aud=REMOVED))), Active)
    assert world.validate("b", ("introspection", yes(aud="other"))) == Inactive("wrong_audience")


@pytest.mark.rfc("7662-2.2-h")
def test_unknown_members_reach_the_principal(world: World) -> None:
    """RFC 7662 §2.2: members that we do not know are the application's to read, at every depth and read-only."""
    verdict = world.validate("opaque", ("introspection", yes(tenant={"id": 7, "tags": ["ä"]})))
    principal = world.admit(verdict)
    assert principal.claims["tenant"]["tags"] == ("ä",)
    with pytest.raises(TypeError):
        principal.claims["tenant"]["id"] = 8


@pytest.mark.attack("A-I-9")
@pytest.mark.parametrize("name", ["iss", "sub", "jti"])
def test_an_answer_about_another_token(world: World, name: str) -> None:
    """An answer that contradicts the JWT is neither a yes nor a no about it; it is loud, and never cached."""
    verdict = world.validate(TOKEN, ("introspection", yes(**{name: "another"})))
    assert verdict == Unavailable("answer_mismatch", fault="configuration")
    assert world.events == [ConfigurationFault("introspection", "answer_mismatch", ISSUER)]
    assert world.cached(TOKEN) is None


@pytest.mark.attack("A-I-9")
@pytest.mark.parametrize(
    ("token", "options", "changes"),
    [
        pytest.param(TOKEN, {}, {"jti": REMOVED, "sub": REMOVED}, id="members that the answer lacks"),
        pytest.param(access_token(sub=REMOVED, jti=REMOVED), {}, {"jti": "x"}, id="claims that the token lacks"),
        pytest.param(TOKEN, {}, {"client_id": "another", "scope": "less"}, id="other members"),
        pytest.param(TOKEN, {"cross_check": False}, {"sub": "pseudonym"}, id="by choice"),
        pytest.param("opaque", {}, {"sub": "another"}, id="an opaque token"),
    ],
)
def test_no_contradiction(token: str, options: dict[str, Any], changes: dict[str, Any]) -> None:
    """Only ``iss``, ``sub``, ``jti`` and ``cnf``, on both sides, are compared, and only with a JWT."""
    world = World(strategy="introspect", **options)
    assert isinstance(world.validate(token, ("introspection", yes(**changes))), Active)


@pytest.mark.attack("A-I-9", "A-D-3")
@pytest.mark.parametrize("cross_check", [True, False])
def test_an_answer_that_forgets_what_a_token_is_bound_to(cross_check: bool) -> None:  # noqa: FBT001 - parametrized
    """A JWT is bound to what it says itself, where the answer says nothing of that: else a stolen one would be good."""
    world = World(strategy="introspect", cross_check=cross_check)
    verdict = world.validate(access_token(cnf={"jkt": "key"}), ("introspection", yes()))
    assert isinstance(verdict, Active)
    assert verdict.principal.confirmation == verdict.principal.claims["cnf"] == {"jkt": "key"}


@pytest.mark.attack("A-I-9", "A-D-3")
def test_an_answer_that_names_another_key(world: World) -> None:
    """Nobody can tell whose token it is that is bound to one key by itself and to another one by the answer."""
    token = access_token(cnf={"jkt": "key"})
    verdict = world.validate(token, ("introspection", yes(cnf={"jkt": "another"})))
    assert verdict == Unavailable("answer_mismatch", fault="configuration")


@pytest.mark.rfc("7662-2.2-b")
def test_a_no_is_not_cross_checked(world: World) -> None:
    """RFC 7662 §2.2: ``active: false`` is a no whatever else the answer says."""
    reply = answer({"active": False, "sub": "another", "scope": "read", "exp": 9_999_999_999})
    assert world.validate(TOKEN, ("introspection", reply)) == Inactive("inactive")


def test_a_payload_that_is_no_json_object_contradicts_nothing(world: World) -> None:
    """What only has the shape of a JWS says nothing that could be compared."""
    token = access_token().split(".")
    token[1] = "WzFd"  # the JSON text [1]
    assert isinstance(world.validate(".".join(token), ("introspection", yes(sub="x"))), Active)


def test_unsupported_token_type_is_about_jwts_only(world: World) -> None:
    """A server that refuses to introspect an opaque token at all is configured wrongly, and says so in the log."""
    assert world.validate("opaque", ("introspection", unsupported())) == Unavailable(
        "unsupported_token_type", fault="configuration"
    )
    assert world.events == [ConfigurationFault("introspection", "unsupported_token_type", ISSUER)]


def test_without_credentials_nobody_is_asked(world: World) -> None:
    """RFC 7662 §2.1: the endpoint wants to know who asks, so a server without credentials does not try."""
    world.state.policy = replace(world.state.policy, client=None)
    verdict = world.play(introspect(world.state, b"opaque", None))
    assert verdict == Unavailable("no_client_credentials", fault="configuration")


@pytest.mark.rfc("7662-2.2-c")
@pytest.mark.attack("A-I-12")
@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("read write", {"read", "write"}),
        ("", set()),
        ("read  write", {"read", "write"}),
        (["read", "write"], {"read", "write"}),
        (["read write"], set()),
        (7, set()),
        ({"read": True}, set()),
        ("read\u0000 write", {"write"}),
        ("x" * 60_000, {"x" * 60_000}),
    ],
    ids=["two", "none", "two blanks", "list", "one string of two", "number", "object", "control", "huge"],
)
def test_scope(world: World, scope: object, scopes: set[str]) -> None:
    """RFC 7662 §2.2: ``scope`` is a list of words in one string; nothing else makes a scope out of two."""
    verdict = world.validate("opaque", ("introspection", yes(scope=scope)))
    assert world.admit(verdict).scopes == scopes


def test_the_audience_of_a_list(world: World) -> None:
    """RFC 7662 §2.2: ``aud`` may be a list, one member of which must name us."""
    verdict = world.validate("opaque", ("introspection", yes(aud=["https://x.example.com", AUDIENCE])))
    assert world.admit(verdict).audience == ("https://x.example.com", AUDIENCE)


def test_one_no_is_told_once(world: World) -> None:
    """A no is no fault, so nothing is reported about the authorization server."""
    world.validate("opaque", ("introspection", no()))
    assert world.events == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_asked_about_again_with_other_credentials(world: World, status: int) -> None:
    """Where our credentials are refused and there are others, the same question is asked with those, once."""
    other = ClientCredentials("rs", "another", "client_secret_post")
    refused: list[str] = []

    def look(policy: Policy) -> Policy:
        refused.append(policy.issuer)
        return replace(policy, client=other)

    world.state.other_policy = look
    verdict = world.validate("opaque", ("introspection", answer({}, status=status)), ("introspection", yes()))
    assert isinstance(verdict, Active)
    assert refused == [ISSUER]
    assert dict(parse_qsl(world.requests[1].body.decode()))["client_secret"] == "another"
    world.validate("another", ("introspection", answer({}, status=status)), ("introspection", answer({}, status=401)))
    assert world.events[-1] == ConfigurationFault("introspection", "status_401", ISSUER)


@pytest.mark.parametrize("status", [400, 404, 500])
def test_other_refusals_are_not_about_our_credentials(world: World, status: int) -> None:
    """Only a 401 or a 403 makes us look for other credentials."""
    world.state.other_policy = lambda _: pytest.fail("looked")
    world.validate("opaque", ("introspection", answer({}, status=status)))
