"""Tokens for what was granted.

References: RFC 6749 section 5.1, RFC 8707, RFC 9396, OpenID Connect Core 1.0 section 2
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from mock_as import Client, MockAS
from mock_as.granted import Granted
from mock_as.oauth.grants.issue import REFRESH_LIFETIME, issue, issue_refresh_token, revoke_family
from mock_as.tokens.resources import Resource
from mock_as.tokens.rules import Rule

DETAILS = ({"type": "account", "actions": ["read"]},)
GRANTED = Granted(client_id="web", grant_type="authorization_code", sub="alice", scopes=("read", "openid"))


def grant(**facts: Any) -> Granted:
    """Grant something to a web application in somebody's name, but for what is said differently."""
    return replace(Granted(client_id="web", grant_type="authorization_code", sub="alice"), **facts)


def record(mock: MockAS, token: str) -> Any:
    """Return what the server remembers about a token."""
    found = mock.tokens.find(token)
    assert found is not None
    return found


def test_answer_has_what_the_client_needs(mock: MockAS) -> None:
    """The answer names the token, its type, its lifetime and its scope, and nothing that was not asked for."""
    document = issue(mock, GRANTED)
    claims = record(mock, document.pop("access_token")).token.claims
    assert document == {"token_type": "Bearer", "expires_in": 3600, "scope": "read openid"}
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("alice", "web", "read openid")


def test_token_without_scope(mock: MockAS) -> None:
    """Where no scope was granted the answer has none, rather than an empty one: RFC 6749 section 3.3."""
    document = issue(mock, grant())
    assert "scope" not in document
    assert "scope" not in record(mock, document["access_token"]).token.claims


def test_client_in_its_own_name(mock: MockAS) -> None:
    """A grant in nobody's name is one of the client itself."""
    document = issue(mock, grant(client_id="svc", sub=None), refresh=True)
    assert record(mock, document["access_token"]).token.claims["sub"] == "svc"
    assert record(mock, document["refresh_token"]).token.claims["sub"] == "svc"


@pytest.mark.rfc("9396-9-b")
def test_token_says_how_it_was_granted(mock: MockAS) -> None:
    """The token says in which session, when and how its person logged in, who acts, and what was granted in detail."""
    facts = {"auth_time": 1, "acr": "urn:loa:2", "sid": "s", "act": {"sub": "svc"}}
    document = issue(mock, grant(**facts, claims={"tenant": "acme"}, authorization_details=DETAILS))
    claims = record(mock, document["access_token"]).token.claims
    assert {name: claims[name] for name in facts} == facts
    assert claims["tenant"] == "acme"
    assert claims["authorization_details"] == document["authorization_details"] == [dict(DETAILS[0])]


@pytest.mark.rfc("9396-9-b")
@pytest.mark.parametrize(
    ("resources", "told"),
    [
        (("https://one.test",), ["anywhere", "one", "odd"]),
        (("https://two.test",), ["anywhere", "odd"]),
        (("https://one.test", "https://two.test"), ["anywhere", "one", "odd"]),
        ((), ["anywhere", "one", "odd"]),
    ],
)
def test_details_are_told_to_whom_they_concern(mock: MockAS, resources: tuple[str, ...], told: list[str]) -> None:
    """A token has the details that may be used where it is to be used; its client is told all: RFC 9396 section 9.1."""
    details = (
        {"type": "anywhere"},
        {"type": "one", "locations": ["https://one.test", {"no": "location"}]},
        {"type": "odd", "locations": "https://three.test"},
    )
    document = issue(mock, grant(resources=resources, authorization_details=details))
    claims = record(mock, document["access_token"]).token.claims
    assert [detail["type"] for detail in claims["authorization_details"]] == told
    assert len(document["authorization_details"]) == len(details)


def test_confirmation(mock: MockAS) -> None:
    """A bound token says so, and its type is that of the scheme it is sent by."""
    bearer = issue(mock, GRANTED, confirmation={"x5t#S256": "t"})
    dpop = issue(mock, GRANTED, confirmation={"jkt": "t"})
    assert record(mock, bearer["access_token"]).token.claims["cnf"] == {"x5t#S256": "t"}
    assert (bearer["token_type"], dpop["token_type"]) == ("Bearer", "DPoP")


def test_claims_of_the_client() -> None:
    """What a client is registered to have in its tokens is there, unless the grant says it differently."""
    claims = {"tenant": "acme", "me": "${client_id}", "both": 1}
    mock = MockAS(clients=[Client(id="orders", secret="s", claims=claims)])
    document = issue(mock, grant(client_id="orders", claims={"both": 2}))
    said = record(mock, document["access_token"]).token.claims
    assert (said["tenant"], said["me"], said["both"]) == ("acme", "orders", 2)


@pytest.mark.rfc("9068-5-a")
def test_resources_and_rules() -> None:
    """A token for a resource is as the resource wants it, and says what the rules make it say."""
    mock = MockAS(
        resources=[Resource(uri="https://opaque.test", format="opaque", lifetime=7)],
        rules=[Rule(when={"grant_type": "authorization_code"}, claims={"roles": ["admin"]})],
    )
    document = issue(mock, grant(resources=("https://opaque.test",)))
    found = record(mock, document["access_token"])
    assert (found.token.format, document["expires_in"]) == ("opaque", 7)
    assert (found.token.claims["aud"], found.token.claims["roles"]) == ("https://opaque.test", ["admin"])


def test_format_that_is_asked_for(mock: MockAS) -> None:
    """A grant may ask for a format of its own."""
    document = issue(mock, grant(client_id="svc.opaque"), token_format="jwt")
    assert record(mock, document["access_token"]).token.format == "jwt"


def test_lifetime_that_is_no_time() -> None:
    """Where a rule spoils a time or a scope the answer says what can be said."""
    mock = MockAS(rules=[Rule(claims={"exp": "soon", "scope": ["read", "write"]})])
    document = issue(mock, GRANTED)
    assert "expires_in" not in document
    assert document["scope"] == "read write"


def test_refresh_token_is_remembered_with_its_grant(mock: MockAS) -> None:
    """A refresh token is opaque, for nobody but the server, and known with everything it stands for."""
    document = issue(mock, grant(scopes=("read",), sid="s"), refresh=True, confirmation={"jkt": "t"})
    found = record(mock, document["refresh_token"])
    claims = found.token.claims
    assert (found.kind, found.client_id, found.token.format) == ("refresh_token", "web", "opaque")
    assert (claims["aud"], claims["sid"], claims["cnf"]) == (mock.issuer, "s", {"jkt": "t"})
    assert claims["exp"] - claims["iat"] == REFRESH_LIFETIME
    assert found.granted.scopes == ("read",)
    assert found.is_active(mock.clock.now())
    mock.clock.advance(REFRESH_LIFETIME + 1)
    assert not found.is_active(mock.clock.now())
    assert document["refresh_token"] not in repr(found.token)


def test_family_is_revoked_together(mock: MockAS) -> None:
    """What goes back to one decision is revoked at once, and nothing else is."""
    first, second = (issue(mock, GRANTED, refresh=True) for _ in range(2))
    family = record(mock, first["refresh_token"]).granted.family
    assert revoke_family(mock, family) == 2
    texts = [document[name] for document in (first, second) for name in ("access_token", "refresh_token")]
    assert [record(mock, text).revoked for text in texts] == [True, True, False, False]


def test_refresh_token_alone(mock: MockAS) -> None:
    """A refresh token can be issued for what was granted before."""
    found = record(mock, issue_refresh_token(mock, grant(family="f"), None))
    assert (found.granted.family, found.token.claims.get("scope"), found.token.claims.get("cnf")) == ("f", None, None)


def test_seed_repeats_refresh_tokens() -> None:
    """With a seed the same refresh tokens come again."""
    one, other = (issue(MockAS(seed=7), GRANTED, refresh=True) for _ in range(2))
    assert one["refresh_token"] == other["refresh_token"]


def test_snapshot_knows_refresh_tokens(mock: MockAS) -> None:
    """A refresh token is back after a restore, as it was."""
    text = issue(mock, GRANTED, refresh=True)["refresh_token"]
    snapshot = mock.snapshot()
    record(mock, text).revoke(mock.clock.now())
    mock.restore(snapshot)
    found = record(mock, text)
    assert (found.revoked, found.kind, found.granted.sub) == (False, "refresh_token", "alice")


def test_id_token(mock: MockAS) -> None:
    """The ID token is for the client, signed with a published key, and bound to the access token."""
    facts = {"nonce": "n", "auth_time": 1, "acr": "a", "sid": "s"}
    document = issue(mock, grant(**facts, claims={"iss": "https://evil.test", "tenant": "acme"}), id_token=True)
    token = jwt.decode(document["id_token"], KeySet.import_key_set(mock.keys.jwks()), algorithms=["ES256"])  # type: ignore[arg-type]
    claims = token.claims
    assert token.header["typ"] == "JWT"
    assert (claims["iss"], claims["sub"], claims["aud"], claims["tenant"]) == (mock.issuer, "alice", "web", "acme")
    assert {name: claims[name] for name in facts} == facts
    assert claims["exp"] > claims["iat"]
    half = hashlib.sha256(document["access_token"].encode()).digest()[:16]
    assert base64.urlsafe_b64decode(claims["at_hash"] + "==") == half


def test_id_token_says_nothing_that_is_not_known(mock: MockAS) -> None:
    """An ID token of a grant without a session or a nonce has none."""
    document = issue(mock, grant(client_id="svc", sub=None), id_token=True)
    token = jwt.decode(document["id_token"], KeySet.import_key_set(mock.keys.jwks()), algorithms=["ES256"])  # type: ignore[arg-type]
    assert set(token.claims) == {"iss", "sub", "aud", "iat", "exp", "at_hash"}
    assert token.claims["sub"] == "svc"


def test_scope_that_is_none() -> None:
    """Whatever a rule makes of the scope, the answer has it as a text."""
    assert issue(MockAS(rules=[Rule(claims={"scope": 7})]), GRANTED)["scope"] == "7"


@pytest.mark.parametrize("client_id", ["svc", "unregistered"])
def test_nothing_more_than_needed_is_kept(mock: MockAS, client_id: str) -> None:
    """An access token that nothing else goes with does not keep its grant."""
    document = issue(mock, grant(client_id=client_id, sub=None))
    assert record(mock, document["access_token"]).granted is None
