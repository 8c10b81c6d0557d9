"""What of a request and its answer may be seen: nothing that somebody could use."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.journal import Entry
from mock_as.messages import Answer, Form, Request, json_answer
from mock_as.redaction import public_answer, public_entry, public_form, written_down
from tests.mock_as.conftest import Post

IDS = {"known-token": "tok-1"}


def test_parameters() -> None:
    """What is known to be harmless is shown, tokens by their ids, and of everything else only that it is there."""
    form = Form(
        [
            ("grant_type", "refresh_token"),
            ("scope", "read"),
            ("token", "other-token"),
            ("refresh_token", "other-token"),
            ("subject_token", "known-token"),
            ("client_secret", "canary"),
            ("code", "canary"),
            ("code_verifier", "canary"),
            ("X-Unheard-Of", "canary"),
        ]
    )
    assert public_form(form, IDS.get) == {
        "grant_type": "refresh_token",
        "scope": "read",
        "token": "unknown token",
        "refresh_token": "***",
        "subject_token": "tok-1",
        "client_secret": "***",
        "code": "***",
        "code_verifier": "***",
        "X-Unheard-Of": "***",
    }


def test_answer() -> None:
    """Tokens and secrets in an answer are not shown, at any depth; everything else is."""
    document: dict[str, Any] = {
        "access_token": "known-token",
        "refresh_token": "canary",
        "client_secret": 5,
        "token_type": "Bearer",
        "deep": [{"id_token": "canary", "d": "canary", "x": "known-token"}],
    }
    assert public_answer(json_answer(document), IDS.get) == {
        "access_token": "tok-1",
        "refresh_token": "***",
        "client_secret": "***",
        "token_type": "Bearer",
        "deep": [{"id_token": "***", "d": "***", "x": "tok-1"}],
    }


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"not JSON", "8 bytes of text/html"),
        (b'"' + b"x" * 5000 + b'"', "5002 bytes of text/html"),
        (b"\xff\xfe", "2 bytes of text/html"),
        (b"[" * 2000, "2000 bytes of text/html"),
        (b"[" * 20 + b"]" * 20, [[[[[[[[[[[[[[[["…"]]]]]]]]]]]]]]]]),
    ],
)
def test_answer_that_is_no_document(body: bytes, shown: object) -> None:
    """Of what is no JSON, or too much of it, only the length is shown."""
    assert public_answer(Answer(200, (("content-type", "text/html"),), body), IDS.get) == shown


def test_answer_without_a_type() -> None:
    """An answer that does not say what it is has a length all the same."""
    assert public_answer(Answer(302, (), b""), IDS.get) == "0 bytes of nothing in particular"


def test_request_without_an_answer() -> None:
    """Where the network failed there is no answer to show."""
    request = Request("GET", "/jwks", (("authorization", "Basic canary"),), None)
    entry = Entry(endpoint="jwks", request=request, answer=None, fault="reset", at=0, duration=0)
    shown = public_entry(entry, IDS.get)
    assert (shown["answer"], shown["status"], shown["fault"]) == (None, None, "reset")
    assert shown["headers"] == (("authorization", "Basic ***"),)
    assert "canary" not in repr(entry) + repr(shown)


@pytest.mark.anyio
async def test_no_token_in_the_journal(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token that a client gets and sends again is nowhere in the journal, though both are seen to be the same."""
    grant = {"grant_type": "client_credentials", "scope": "read"}
    token = (await client.post("/token", data=grant, auth=mock.credentials("svc"))).json()["access_token"]
    await client.post("/introspect", data={"token": token}, auth=mock.credentials("rs"))
    response = await client.get("/_mock/requests")
    [issued, introspected] = response.json()["requests"]
    assert issued["answer"]["access_token"] == introspected["form"]["token"] == "tok-1"
    assert token not in response.text
    assert "svc-secret" not in response.text


def report(mock: MockAS) -> str:
    """Return what somebody reads whose test has failed."""
    return written_down(mock.requests(), mock.tokens.id_of)


@pytest.mark.anyio
async def test_written_down(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Each request has its client, its parameters and its answer, with tokens by their ids."""
    token = mock.token("alice", scope="read", claims={"jti": None})
    await introspect(token, token_type_hint="access_token")
    await client.get("/jwks")
    line, answer, keys = report(mock).splitlines()
    assert line == f"introspect: POST /introspect by rs token={token.id} token_type_hint=access_token → 200"
    assert '"active": true' in answer
    assert '"scope": "read"' in answer
    assert keys == "jwks: GET /jwks → 200"
    assert token.value not in answer


@pytest.mark.anyio
async def test_faults_written_down(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """A fault is named beside what it has done, be it to an answer, to the connection or to the keys."""
    mock.fault("introspect", 503, times=1)
    mock.fault("introspect", "timeout", times=1)
    mock.fault("jwks", "empty_body", times=1)
    await introspect("x")
    with pytest.raises(httpx.ReadTimeout):
        await introspect("x")
    await client.get("/jwks")
    lines = report(mock).splitlines()
    assert lines[0] == "introspect: POST /introspect by rs token=unknown token → 503 fault=status(503)"
    assert lines[2] == "introspect: POST /introspect by rs token=unknown token → no answer fault=timeout"
    assert lines[3] == "jwks: GET /jwks → 200 fault=empty_body"
    assert len(lines) == 5


@pytest.mark.anyio
async def test_nothing_and_much(mock: MockAS, introspect: Post) -> None:
    """Where nothing was asked that is said, and a long answer is cut short."""
    assert report(mock) == "no request"
    await introspect(mock.token(claims={"long": "x" * 1000}))
    _, answer = report(mock).splitlines()
    assert answer.endswith("x…")
    assert len(answer) < 450
