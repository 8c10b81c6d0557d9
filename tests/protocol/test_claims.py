"""Whose token it is, for whom, and of what kind: what is judged of claims, whoever vouches for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resource_server import Assurance, Principal
from resource_server._protocol.claims import ClaimRules, judge_claims
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS
from resource_server.errors import Reason
from tests.support.jwt import AUDIENCE, ISSUER, REMOVED, claims

INTROSPECTION = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE}))
JWT = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE}), required=REQUIRED_CLAIMS["rfc9068"])
RULES = pytest.mark.parametrize("rules", [pytest.param(INTROSPECTION, id="introspection"), pytest.param(JWT, id="jwt")])


def judge(rules: ClaimRules = INTROSPECTION, **changes: Any) -> Principal | Reason:
    """Judge the claims of a good access token, changed as asked."""
    return judge_claims(claims(**changes), rules, Assurance.LOCAL)


def accepted(rules: ClaimRules = INTROSPECTION, **changes: Any) -> Principal:
    """Judge claims that must be good."""
    principal = judge(rules, **changes)
    assert isinstance(principal, Principal)
    return principal


@RULES
def test_good_claims(rules: ClaimRules) -> None:
    """RFC 9068 §2.2, RFC 7662 §2.2: every claim reaches its place in the principal."""
    principal = accepted(rules, acr="loa2", auth_time=1_699_999_000, nbf=1_700_000_000)
    assert (principal.subject, principal.client_id, principal.token_id) == ("subject-1", "client-1", "token-1")
    assert (principal.issuer, principal.audience) == (ISSUER, (AUDIENCE,))
    assert principal.scopes == {"read", "write"}
    assert (principal.expires_at, principal.not_before) == (1_700_003_600, 1_700_000_000)
    assert (principal.acr, principal.auth_time) == ("loa2", 1_699_999_000)
    assert (principal.confirmation, principal.assurance) == (None, Assurance.LOCAL)


@pytest.mark.rfc("7662-2.2-h", "7519-4-b")
@RULES
def test_unknown_claims(rules: ClaimRules) -> None:
    """RFC 7662 §2.2, RFC 7519 §4: unknown members are allowed and reach the application, at any depth, read-only."""
    principal = accepted(rules, **{"https://x.example/é": {"deep": [1, {"er": [True, None, "ü"]}]}})
    assert principal.claims["https://x.example/é"] == {"deep": (1, {"er": (True, None, "ü")})}
    with pytest.raises(TypeError):
        principal.claims["https://x.example/é"]["deep"][1]["er"] = ()


@pytest.mark.attack("A-C-11")
def test_claims_are_a_copy() -> None:
    """What the principal shows does not change with the answer it was made of."""
    members = claims(groups=["a"])
    principal = judge_claims(members, INTROSPECTION, Assurance.INTROSPECTED)
    members["groups"].append("admin")
    members["sub"] = "root"
    assert isinstance(principal, Principal)
    assert (principal.claims["groups"], principal.claims["sub"]) == (("a",), "subject-1")


@pytest.mark.rfc("9068-4-b", "7662-2.2-f", "7519-4.1.2-a", "8725-3.8-a")
@pytest.mark.attack("A-I-8", "A-J-21")
@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(f"{ISSUER}/", id="a slash more"),
        pytest.param("https://AS.example.com", id="another case"),
        pytest.param(f"{ISSUER}:443", id="the default port"),
        pytest.param("https://%61s.example.com", id="percent-encoding"),
        pytest.param(f"{ISSUER}.evil.example", id="a longer name"),
        pytest.param(ISSUER[:-1], id="a prefix"),
        pytest.param(f"{ISSUER} ", id="a blank"),
        pytest.param("https://\uff41s.example.com", id="a compatible letter"),
        pytest.param("", id="empty"),
        pytest.param([ISSUER], id="a list"),
        pytest.param({ISSUER: 1}, id="an object"),
        pytest.param(None, id="null"),
        pytest.param(0, id="a number"),
        pytest.param(True, id="a boolean"),
    ],
)
@RULES
def test_issuer(rules: ClaimRules, issuer: object) -> None:
    """RFC 9068 §4: iss is the configured issuer, code point by code point."""
    assert judge(rules, iss=issuer) == "wrong_issuer"


def test_issuer_may_be_left_out_of_an_introspection_answer() -> None:
    """RFC 7662 §2.2: iss is optional there; the answer comes from the configured issuer anyway."""
    assert accepted(iss=REMOVED).issuer == ISSUER
    assert judge(JWT, iss=REMOVED) == "wrong_issuer"


@pytest.mark.rfc("9068-4-c", "7662-2.2-e", "7519-4.1.3-a", "8725-3.9-a", "mcp-1")
@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        pytest.param(AUDIENCE, (AUDIENCE,), id="a string"),
        pytest.param([AUDIENCE], (AUDIENCE,), id="a list"),
        pytest.param(["https://other.example", AUDIENCE], ("https://other.example", AUDIENCE), id="among others"),
    ],
)
@RULES
def test_audience(rules: ClaimRules, audience: object, expected: tuple[str, ...]) -> None:
    """RFC 7519 §4.1.3: aud is our name, or a list with it."""
    assert accepted(rules, aud=audience).audience == expected


@pytest.mark.rfc("9068-4-c", "7662-2.2-e", "7519-4.1.3-a", "8725-3.9-a", "mcp-1")
@pytest.mark.attack("A-I-8", "A-J-21")
@pytest.mark.parametrize(
    "audience",
    [
        pytest.param("https://other.example", id="another"),
        pytest.param(f"{AUDIENCE}/", id="a slash more"),
        pytest.param(AUDIENCE.upper(), id="another case"),
        pytest.param(AUDIENCE[:-1], id="a prefix"),
        pytest.param(f"{AUDIENCE}.evil.example", id="a longer name"),
        pytest.param(f"{AUDIENCE} https://other.example", id="two in one text"),
        pytest.param("", id="empty"),
        pytest.param([], id="an empty list"),
        pytest.param([""], id="a list of an empty text"),
        pytest.param([AUDIENCE, 5], id="not only texts"),
        pytest.param([[AUDIENCE]], id="a list in a list"),
        pytest.param({AUDIENCE: True}, id="an object"),
        pytest.param({}, id="an empty object"),
        pytest.param(None, id="null"),
        pytest.param(5, id="a number"),
        pytest.param(True, id="a boolean"),
        pytest.param(REMOVED, id="missing"),
    ],
)
@RULES
def test_wrong_audience(rules: ClaimRules, audience: object) -> None:
    """RFC 9068 §4, RFC 7519 §4.1.3: a token that is not meant for us, or does not say so, is refused."""
    assert judge(rules, aud=audience) == "wrong_audience"


@pytest.mark.rfc("7662-2.2-e")
def test_audience_left_to_the_authorization_server() -> None:
    """RFC 7662 §2.2: aud may be missing where that was asked for, and still must not name somebody else."""
    rules = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE}), require_audience=False)
    assert accepted(rules, aud=REMOVED).audience == ()
    assert judge(rules, aud="https://other.example") == "wrong_audience"
    assert judge(rules, aud=[]) == "wrong_audience"
    assert judge(rules, aud=None) == "wrong_audience"


def test_no_audience_configured() -> None:
    """A server without a name of its own takes tokens for anybody, but no aud of a wrong type."""
    rules = ClaimRules(issuer=ISSUER)
    assert accepted(rules, aud="https://other.example").audience == ("https://other.example",)
    assert accepted(rules, aud=REMOVED).audience == ()
    assert judge(rules, aud={"x": 1}) == "wrong_audience"


def test_several_names_of_ours() -> None:
    """RFC 7519 §4.1.3: a server with several names accepts a token for any of them."""
    rules = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE, "urn:rs"}))
    assert accepted(rules, aud="urn:rs").audience == ("urn:rs",)


@pytest.mark.rfc("8725-3.12-a", "7662-2.2-g", "9701-8.1-a")
@pytest.mark.attack("A-J-10", "A-I-10")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"token_use": "id"}, id="an ID token (token_use)"),
        pytest.param({"token_use": "refresh"}, id="a refresh token (token_use)"),
        pytest.param({"token_use": ""}, id="token_use empty"),
        pytest.param({"token_use": ["access_token"]}, id="token_use as a list"),
        pytest.param({"token_use": {"access": 1}}, id="token_use as an object"),
        pytest.param({"token_use": True}, id="token_use as a boolean"),
        pytest.param({"token_type": "refresh_token"}, id="a refresh token (token_type)"),
        pytest.param({"token_type": "id_token"}, id="an ID token (token_type)"),
        pytest.param({"token_type": "mac"}, id="a scheme of another kind"),
        pytest.param({"token_type": ["Bearer"]}, id="token_type as a list"),
        pytest.param({"token_type": 1}, id="token_type as a number"),
        pytest.param({"typ": "ID"}, id="an ID token (typ)"),
        pytest.param({"typ": "Refresh"}, id="a refresh token (typ)"),
        pytest.param({"typ": "Offline"}, id="an offline token (typ)"),
        pytest.param({"typ": "Logout"}, id="a logout token (typ)"),
        pytest.param({"at_hash": "x"}, id="an ID token (at_hash)"),
        pytest.param({"c_hash": "x"}, id="an ID token (c_hash)"),
        pytest.param({"s_hash": "x"}, id="an ID token (s_hash)"),
        pytest.param({"events": {}}, id="a security event"),
        pytest.param({"token_introspection": {"active": True}}, id="an introspection answer"),
    ],
)
@RULES
def test_other_kinds_of_token(rules: ClaimRules, changes: dict[str, Any]) -> None:
    """RFC 8725 §3.12: what shows itself to be another kind of token is none to access anything with."""
    assert judge(rules, **changes) == "wrong_type"


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "Bearer"},
        {"token_type": "bearer"},
        {"token_type": "N_A"},
        {"token_type": "access_token"},
        {"token_type": "JWT"},
        {"token_use": "access_token"},
        {"token_use": "access"},
        {"typ": "Bearer"},
        {"typ": 5},
        {"token_type": None},
    ],
    ids=json.dumps,
)
def test_access_tokens(changes: dict[str, Any]) -> None:
    """RFC 7662 §2.2: the words with which authorization servers name an access token are accepted."""
    assert accepted(**changes).confirmation is None


@pytest.mark.rfc("7662-2.2-g", "9449-7.2-a", "8705-3-b", "8705-3.1-b")
@pytest.mark.attack("A-D-3")
@pytest.mark.parametrize(
    ("changes", "confirmation"),
    [
        pytest.param({"cnf": {"jkt": "x"}}, {"jkt": "x"}, id="a key"),
        pytest.param({"cnf": {"x5t#S256": "x"}}, {"x5t#S256": "x"}, id="a certificate"),
        pytest.param({"cnf": {"kid": "x", "unknown": [1]}}, {"kid": "x", "unknown": (1,)}, id="something unknown"),
        pytest.param({"cnf": {}}, {}, id="nothing in particular"),
        pytest.param({"token_type": "DPoP"}, {}, id="DPoP by name"),
        pytest.param({"token_type": "pop"}, {}, id="proof of possession by name"),
        pytest.param({"token_type": "DPoP", "cnf": {"jkt": "x"}}, {"jkt": "x"}, id="both"),
    ],
)
@RULES
def test_bound_tokens(rules: ClaimRules, changes: dict[str, Any], confirmation: dict[str, Any]) -> None:
    """RFC 9449 §6, RFC 8705 §3: a token that is bound says so in its principal, and is no plain bearer token."""
    assert accepted(rules, **changes).confirmation == confirmation


@pytest.mark.rfc("9068-2.2-a")
@pytest.mark.parametrize("name", sorted(REQUIRED_CLAIMS["rfc9068"] - {"iss", "aud"}))
def test_required_claims(name: str) -> None:
    """RFC 9068 §2.2: a JWT access token without one of the required claims is refused; an answer may leave it out."""
    assert judge(JWT, **{name: REMOVED}) == "malformed"
    assert isinstance(judge(**{name: REMOVED}), Principal)


def test_nothing_but_the_required_claims() -> None:
    """RFC 9068 §2.2: the seven required claims are enough; a token without scope grants none."""
    exactly = {name: value for name, value in claims().items() if name in JWT.required}
    principal = judge_claims(exactly, JWT, Assurance.LOCAL)
    assert isinstance(principal, Principal)
    assert principal.scopes == set()


def test_nothing_but_active() -> None:
    """RFC 7662 §2.2: an answer that says no more than active is enough, where no audience is demanded."""
    principal = judge_claims({"active": True}, ClaimRules(issuer=ISSUER), Assurance.INTROSPECTED)
    assert principal == Principal(issuer=ISSUER, claims={"active": True})


def test_the_earliest_time() -> None:
    """RFC 7519 §2: one second after the epoch is a time, though long past; the epoch itself is nobody's."""
    assert accepted(exp=1).expires_at == 1
    assert judge(exp=0) == "malformed"


def parsed(**changes: Any) -> Principal:
    """Judge good claims that came as JSON of their own, so that no string of theirs is there already."""
    principal = judge_claims(json.loads(json.dumps(claims(**changes))), INTROSPECTION, Assurance.LOCAL)
    assert isinstance(principal, Principal)
    return principal


@pytest.mark.parametrize("name", ["iss", "client_id", "scope", "token_type", "aud", "azp", "tenant"])
def test_what_many_tokens_have_in_common(name: str) -> None:
    """Strings that are the same in a whole fleet of tokens are kept once."""
    members = {"token_type": "Bearer", "azp": "client-1", "tenant": "tenant-1"}
    assert parsed(**members).claims[name] is parsed(**members).claims[name]


def test_what_a_token_has_for_itself() -> None:
    """A string that is of one token only is not shared with any other."""
    assert parsed().claims["jti"] is not parsed().claims["jti"]


@pytest.mark.parametrize(
    ("others", "shared"),
    [
        pytest.param([], True, id="one name"),
        pytest.param(["x" * 600], False, id="a long name"),
        pytest.param(["x"] * 300, False, id="many short names"),
    ],
)
def test_long_audiences_are_not_kept(others: list[str], shared: bool) -> None:  # noqa: FBT001 - parametrized
    """Anybody can write a long audience into a token: it is judged like a short one, and is not kept."""
    one, other = parsed(aud=[AUDIENCE, *others]), parsed(aud=[AUDIENCE, *others])
    assert one.audience == other.audience == (AUDIENCE, *others)
    assert (one.audience is other.audience) == shared


@pytest.mark.parametrize(("others", "shared"), [(1, True), (300, False)])
def test_long_scopes_are_not_kept(others: int, shared: bool) -> None:  # noqa: FBT001 - parametrized
    """Anybody can write a long scope into a token: it is read like a short one, and is not kept."""
    scope = " ".join(f"s{number}" for number in range(others))
    one, other = parsed(scope=scope), parsed(scope=scope)
    assert one.scopes == other.scopes == set(scope.split())
    assert (one.scopes is other.scopes) == shared
