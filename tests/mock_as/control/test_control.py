"""The control plane: the verbs of Python over HTTP, and nothing changed by what is wrong.

References: RFC 9457
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from mock_as import Clock, MockAS
from tests.mock_as.conftest import Post
from tests.mock_as.reading import is_json, problem

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW))


async def ask(client: httpx.AsyncClient, method: str, path: str, document: Any = None) -> dict[str, Any]:
    """Ask the control plane for something that it can do."""
    response = await client.request(method, f"/_mock{path}", json=document)
    assert response.is_success, response.text
    assert is_json(response)
    answer: dict[str, Any] = response.json()
    return answer


def fingerprint(mock: MockAS) -> Any:
    """Return everything that a request could have changed."""
    tokens = [(record.token.id, record.revoked, record.expires_at) for record in mock.tokens.select()]
    return (
        tokens,
        mock.keys.describe(),
        mock.clock.now(),
        [fault.describe() for fault in mock.faults],
        len(mock.requests()),
    )


async def test_health(client: httpx.AsyncClient) -> None:
    """Whoever waits for the server learns that it is there, and its version."""
    assert (await ask(client, "GET", "/health"))["status"] == "ok"


async def test_state_is_one_document(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Everything there is is in one document, without secrets and without the text of a token."""
    token = mock.token(sub="alice")
    mock.revoke(mock.token())
    mock.fault("jwks", 503)
    await client.get("/jwks")
    state = await ask(client, "GET", "/state")
    assert (state["issuer"], state["audience"]) == (mock.issuer, mock.options.audience)
    assert state["clock"] == {"now": NOW, "offset": 0, "frozen": False}
    assert state["keys"] == mock.keys.describe()
    assert state["requests"] == 1
    assert [fault["applied"] for fault in state["faults"]] == [1]
    assert [(item["id"], item["sub"], item["active"], item["revoked"]) for item in state["tokens"]] == [
        ("tok-1", "alice", True, False),
        ("tok-2", "svc", False, True),
    ]
    assert {"id": "rs", "scopes": list(mock.clients["rs"].scopes), "introspect": True} in state["clients"]
    assert {"sub": "mallory", "disabled": True} in state["users"]
    assert (state["profile"], state["resources"]) == ("strict", [])
    assert token.value not in json.dumps(state)
    assert "secret" not in json.dumps(state)


async def test_reset(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A reset is the reset of Python."""
    before = fingerprint(mock)
    mock.token()
    mock.fault("jwks", 503)
    mock.clock.advance(5)
    assert await ask(client, "POST", "/reset") == {"reset": True}
    assert fingerprint(mock) == before


# ------------------------------------------------------------------------------------------------------------ tokens


async def test_token_with_every_wish(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token can be all that it can be in Python."""
    wishes = {
        "sub": "alice",
        "client_id": "web",
        "scope": ["read", "write"],
        "format": "jwt",
        "aud": ["https://a.test", "https://b.test"],
        "expires_in": 60,
        "nbf_in": -1,
        "iat_in": -2,
        "alg": "Ed25519",
        "claims": {"tenant": "acme"},
        "header": {"x": 1},
        "key": "unpublished",
        "known": True,
    }
    answer = await ask(client, "POST", "/tokens", wishes)
    assert answer["claims"] == {
        "iss": mock.issuer,
        "aud": ["https://a.test", "https://b.test"],
        "sub": "alice",
        "client_id": "web",
        "iat": NOW - 2,
        "exp": NOW + 60,
        "nbf": NOW - 1,
        "jti": answer["jti"],
        "scope": "read write",
        "tenant": "acme",
    }
    assert answer["header"] == {"typ": "at+jwt", "alg": "Ed25519", "kid": mock.keys.unpublished("Ed25519").kid, "x": 1}
    record = mock.tokens.find(answer["id"])
    assert record is not None
    assert record.token.value == answer["token"]
    assert answer["token"] in answer["curl"]


@pytest.mark.parametrize("document", [None, {}])
async def test_token_without_wishes(mock: MockAS, client: httpx.AsyncClient, document: Any) -> None:
    """Without wishes, or without a body at all, a token is the one that Python makes."""
    response = await client.post("/_mock/tokens", json=document) if document else await client.post("/_mock/tokens")
    assert response.status_code == 201
    assert response.json()["claims"]["sub"] == "svc"
    assert len(mock.tokens) == 1


async def test_token_with_a_defect(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A defect can be asked for, and the server does not know what it would not have issued."""
    answer = await ask(client, "POST", "/tokens", {"defect": "alg_none"})
    assert answer["header"]["alg"] == "none"
    assert mock.tokens.find(answer["token"]) is None


async def test_text_that_cannot_be_encoded(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Half a character in a claim is carried through, in the answers as in the token."""
    body = b'{"sub": "\\ud800", "claims": {"name": "\\ud800"}}'
    response = await client.post("/_mock/tokens", content=body, headers={"Content-Type": "application/json"})
    assert response.json()["claims"]["name"] == "\ud800"
    assert (await introspect(response.json()["token"])).json()["name"] == "\ud800"
    assert len(mock.tokens) == 1


@pytest.mark.parametrize(("verb", "answer"), [("revoke", "revoked"), ("expire", "expired")])
async def test_tokens_are_ended(
    mock: MockAS, client: httpx.AsyncClient, introspect: Post, verb: str, answer: str
) -> None:
    """Tokens are named by text, id, subject or client, or are all meant; introspection knows at once."""
    tokens = [mock.token(), mock.token(), mock.token("alice"), mock.token(client_id="web"), mock.token()]
    names = [{"token": tokens[0].value}, {"id": tokens[1].id}, {"sub": "alice"}, {"client_id": "web"}]
    for name in names:
        assert await ask(client, "POST", f"/tokens/{verb}", name) == {answer: 1}
    active = [(await introspect(token)).json()["active"] for token in tokens]
    assert active == [False, False, False, False, True]
    assert await ask(client, "POST", f"/tokens/{verb}", {"token": "unknown"}) == {answer: 0}
    assert await ask(client, "POST", f"/tokens/{verb}", {"all": True}) == {answer: 5}
    assert (await introspect(tokens[4])).json() == {"active": False}


# -------------------------------------------------------------------------------------------------------------- keys


async def test_keys_are_shown_and_rotated(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The keys are shown with their states; a rotation answers with the new ones."""
    old = mock.keys.signing().kid
    answer = await ask(client, "POST", "/keys/rotate", {"alg": "ES256", "overlap": False})
    [new] = answer["rotated"]
    assert new == mock.keys.signing().kid
    shown = await ask(client, "GET", "/keys")
    assert shown["keys"] == answer["keys"] == mock.keys.describe()
    assert [key["kid"] for key in shown["jwks"]["keys"]] == [new]
    await ask(client, "POST", "/keys/rotate")
    assert old not in [key["kid"] for key in mock.keys.jwks()["keys"]]
    assert mock.keys.previous().kid == new


# ------------------------------------------------------------------------------------------------------------- clock


async def test_clock_is_moved(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The clock is read, advanced, set off, stopped and reset, several of these in one request."""
    assert await ask(client, "GET", "/clock") == {"now": NOW, "offset": 0, "frozen": False}
    assert (await ask(client, "POST", "/clock", {"advance": 3601}))["now"] == NOW + 3601
    assert (await ask(client, "POST", "/clock", {"offset": -5}))["now"] == NOW - 5
    assert await ask(client, "POST", "/clock", {"freeze": True}) == {"now": NOW - 5, "offset": -5, "frozen": True}
    stopped = await ask(client, "POST", "/clock", {"reset": True, "freeze": 1000, "advance": 1.5})
    assert stopped == {"now": 1001.5, "offset": 1.5, "frozen": True}
    assert await ask(client, "POST", "/clock", {"reset": True}) == {"now": NOW, "offset": 0, "frozen": False}
    assert mock.clock.now() == NOW


# ------------------------------------------------------------------------------------------------------------ faults


@pytest.mark.rfc("as-4")
async def test_fault_with_every_wish(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """A fault can be all that it can be in Python; it is shown, and taken back by its name."""
    token = mock.token(sub="alice")
    wishes = {
        "endpoint": "introspect",
        "action": "html_error",
        "status": 500,
        "retry_after": 7,
        "times": 2,
        "body": {"error": "x"},
        "headers": {"x-cause": "test"},
        "match": {"token": token.id, "client_id": "rs"},
    }
    set_ = await ask(client, "POST", "/faults", wishes)
    assert (set_["id"], set_["action"], set_["applied"], set_["left"]) == ("fault-1", "html_error", 0, 2)
    response = await introspect(token)
    assert (response.status_code, response.json(), response.headers["retry-after"]) == (500, {"error": "x"}, "7")
    assert (await introspect("other")).status_code == 200
    shown = await ask(client, "GET", "/faults")
    assert shown["left"] == ["fault-1"]
    assert shown["faults"] == [{**set_, "applied": 1, "left": 1}]
    assert await ask(client, "DELETE", "/faults/fault-1") == {"cleared": True}
    assert (await introspect(token)).status_code == 200
    missing = await client.delete("/_mock/faults/fault-1")
    assert missing.status_code == 404
    assert problem(missing)["title"] == "There is no such fault."


async def test_faults_are_cleared(mock: MockAS, client: httpx.AsyncClient) -> None:
    """All faults are taken back at once."""
    mock.fault("jwks", 503)
    mock.fault("token", "timeout")
    assert await ask(client, "DELETE", "/faults") == {"cleared": True}
    assert list(mock.faults) == []


# ---------------------------------------------------------------------------------------------------------- requests


async def test_requests_are_shown_without_secrets(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Requests are shown with tokens by their ids and without secrets, and are counted and forgotten."""
    token = mock.token()
    await introspect(token, token_type_hint="access_token")
    await introspect("unknown", "rs.denied")
    form = {"token": token.value, "client_id": "rs", "client_secret": "rs-secret"}
    await client.post("/introspect", data=form)
    shown = await ask(client, "GET", "/requests")
    assert shown["count"] == 3
    forms = [request["form"] for request in shown["requests"]]
    assert forms == [
        {"token": "tok-1", "token_type_hint": "access_token"},
        {"token": "unknown token"},
        {"token": "tok-1", "client_id": "rs", "client_secret": "***"},
    ]
    assert [request["client_id"] for request in shown["requests"]] == ["rs", "rs.denied", "rs"]
    assert ["authorization", "Basic ***"] in shown["requests"][0]["headers"]
    assert "rs-secret" not in json.dumps(shown)
    assert token.value not in json.dumps(shown)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3),
        ({"endpoint": "introspect"}, 2),
        ({"endpoint": "*"}, 3),
        ({"endpoint": "token"}, 0),
        ({"client_id": "rs.denied"}, 1),
        ({"token": "tok-1"}, 1),
        ({"status": "405"}, 1),
        ({"method": "POST", "endpoint": "introspect"}, 2),
        ({"fault": "status(503)"}, 1),
        ({"parameter": "token=x"}, 1),
    ],
)
async def test_requests_are_found(
    mock: MockAS, client: httpx.AsyncClient, introspect: Post, query: dict[str, str], count: int
) -> None:
    """Requests are found, counted and shown by what they were."""
    await introspect(mock.token())
    mock.fault("introspect", 503)
    await introspect("x", "rs.denied")
    await client.post("/jwks")
    assert (await client.get("/_mock/requests/count", params=query)).json() == {"count": count}
    shown = (await client.get("/_mock/requests", params=query)).json()
    assert (shown["count"], len(shown["requests"])) == (count, count)


async def test_requests_are_forgotten(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The journal is emptied."""
    await client.get("/jwks")
    assert await ask(client, "DELETE", "/requests") == {"cleared": True}
    assert mock.requests().count == 0


# -------------------------------------------------------------------------------------------------------- what is wrong

WRONG: list[tuple[str, Any, str]] = [
    ("/tokens", {"defect": "alg_nune"}, "defect"),
    ("/tokens", {"defect": "alg_none", "format": "opaque"}, "defect"),
    ("/tokens", {"format": "jws"}, "format"),
    ("/tokens", {"alg": "HS256"}, "alg"),
    ("/tokens", {"key": "unknown"}, "key"),
    ("/tokens", {"key": "previous"}, "key"),
    ("/tokens", {"expires_in": "60"}, "expires_in"),
    ("/tokens", {"expires_in": 1e300}, "expires_in"),
    ("/tokens", {"nbf_in": True}, "nbf_in"),
    ("/tokens", {"claims": []}, "claims"),
    ("/tokens", {"scope": 5}, "scope.str"),
    ("/tokens", {"aud": []}, "audience"),
    ("/tokens", {"sub": 5}, "sub"),
    ("/tokens", {"unknown": 5}, "unknown"),
    ("/tokens", [], "body"),
    ("/tokens", "text", "body"),
    ("/tokens/revoke", {}, "body"),
    ("/tokens/revoke", None, "body"),
    ("/tokens/revoke", {"token": "a", "sub": "b"}, "body"),
    ("/tokens/revoke", {"all": False}, "body"),
    ("/tokens/revoke", {"all": "yes"}, "all"),
    ("/tokens/expire", {"sub": 5}, "sub"),
    ("/keys/rotate", {"alg": "HS256"}, "alg"),
    ("/keys/rotate", {"overlap": "no"}, "overlap"),
    ("/clock", {"advance": "1h"}, "advance"),
    ("/clock", {"advance": 1e10}, "advance"),
    ("/clock", {"advance": 10, "freeze": "now"}, "freeze.bool"),
    ("/clock", {"advanced": 10}, "advanced"),
    ("/faults", {"endpoint": "introspection", "action": "timeout"}, "endpoint"),
    ("/faults", {"endpoint": "introspect", "action": "timeoot"}, "action"),
    ("/faults", {"endpoint": "introspect"}, "action"),
    ("/faults", {"endpoint": "introspect", "status": 99}, "status"),
    ("/faults", {"endpoint": "introspect", "status": 503, "times": 0}, "times"),
    ("/faults", {"endpoint": "introspect", "status": 503, "match": {"endpoint": "jwks"}}, "match"),
    ("/faults", {"endpoint": "introspect", "headers": {"a": "b\nc"}}, "headers"),
    ("/faults", {"action": "timeout"}, "endpoint"),
]


@pytest.mark.parametrize(("path", "document", "field"), WRONG)
async def test_what_is_wrong_is_named_and_changes_nothing(
    mock: MockAS, client: httpx.AsyncClient, path: str, document: Any, field: str
) -> None:
    """A wish that makes no sense is a problem that names the field, and leaves everything as it was."""
    mock.token()
    before = fingerprint(mock)
    response = await client.post(f"/_mock{path}", json=document)
    assert response.status_code == 422
    errors = problem(response)["errors"]
    assert field in [error["field"] for error in errors]
    assert all(error["message"] for error in errors)
    assert fingerprint(mock) == before


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not JSON",
        b'{"expires_in": 1e999}',
        b'{"expires_in": NaN}',
        b"\xff",
        b'{"claims": ' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}",
        b'{"claims": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
        b'{"claims": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}",
        b'{"claims": {"a": ' + b"9" * 5000 + b"}}",
    ],
)
async def test_body_that_cannot_be_read(mock: MockAS, client: httpx.AsyncClient, body: bytes) -> None:
    """A body that is no JSON, or no reasonable one, is the client's mistake and changes nothing."""
    response = await client.post("/_mock/tokens", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500
    assert problem(response)["title"]
    assert len(mock.tokens) == 0


async def test_no_json_is_about_the_body(client: httpx.AsyncClient) -> None:
    """A body that is no JSON is named as such, and not by the place where it went wrong."""
    response = await client.post("/_mock/tokens", content=b"no JSON", headers={"Content-Type": "application/json"})
    message = "is not JSON: Expecting value at character 0"
    assert problem(response)["errors"] == [{"field": "body", "message": message}]


async def test_body_that_does_not_say_what_it_is(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A body that is not called JSON is not taken for it: a web page could send one without asking."""
    response = await client.post("/_mock/tokens", content=b'{"sub": "alice"}', headers={"Content-Type": "text/plain"})
    assert response.status_code == 422
    [error] = problem(response)["errors"]
    assert error["field"] == "body"
    assert error["message"].endswith("without Content-Type: application/json")
    assert len(mock.tokens) == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"endpoint": "introspection"}, "endpoint"),
        ({"status": "ok"}, "status"),
        ({"unknown": "1"}, "unknown"),
        ({"parameter": "token_type_hint"}, "parameter.0"),
    ],
)
@pytest.mark.parametrize("path", ["/requests", "/requests/count"])
async def test_wrong_questions(client: httpx.AsyncClient, path: str, query: dict[str, str], field: str) -> None:
    """A question with a parameter there is not, or a value that it cannot have, is not answered with nothing."""
    response = await client.get(f"/_mock{path}", params=query)
    assert response.status_code == 422
    assert [error["field"] for error in problem(response)["errors"]] == [field]
