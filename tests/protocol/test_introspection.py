"""The introspection question, and the shape of its answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.introspection import (
    IntrospectionAnswer,
    introspection_request,
    process_introspection_response,
)
from resource_server._protocol.messages import HTTPResponse, Unavailable
from tests.support.jwt import NOW
from tests.support.local import json_response
from tests.support.question import asked_by_rs

ENDPOINT = "https://as.example.com/introspect"
TOKENS = st.from_regex(rb"[A-Za-z0-9\-._~+/]{1,20}={0,2}", fullmatch=True)


def process(document: Any, *, status: int = 200) -> IntrospectionAnswer:
    """Judge an answer with this body."""
    return process_introspection_response(json_response(document, status=status), NOW)


@pytest.mark.rfc("7662-2.1-a", "7662-2.1-b", "7662-2.1-e")
def test_request() -> None:
    """RFC 7662 §2.1: as in its example: POST, form-urlencoded, the token in the body, an answer in JSON asked for."""
    request = introspection_request(ENDPOINT, b"mF_9.B5f-4.1JqM")
    headers = dict(request.headers)
    assert (request.method, request.url, request.max_bytes) == ("POST", ENDPOINT, 65_536)
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["accept"] == "application/json"
    assert request.body == b"token=mF_9.B5f-4.1JqM&token_type_hint=access_token"


@pytest.mark.rfc("7662-2.1-a")
@pytest.mark.parametrize(
    ("token", "encoded"),
    [(b"a+/==", b"a%2B%2F%3D%3D"), (b"-._~", b"-._~"), (b"%41", b"%2541"), (b"a&b=c", b"a%26b%3Dc")],
)
def test_token_is_encoded(token: bytes, encoded: bytes) -> None:
    """RFC 7662 §2.1: what means something in a form is percent-encoded."""
    assert introspection_request(ENDPOINT, token).body.partition(b"&")[0] == b"token=" + encoded


@given(TOKENS)
@pytest.mark.rfc("7662-2.1-a", "7662-2.1-e")
def test_token_arrives_unchanged(token: bytes) -> None:
    """RFC 7662 §2.1: the authorization server reads exactly the token that was presented, in the body only."""
    request = introspection_request(ENDPOINT, token)
    form = parse_qsl(request.body.decode("ascii"), strict_parsing=True)
    assert form == [("token", token.decode()), ("token_type_hint", "access_token")]
    assert request.url == ENDPOINT


@pytest.mark.rfc("7662-2.1-c")
def test_client_authentication() -> None:
    """RFC 7662 §2.1: we authenticate in the header or in the form, never in both."""
    in_header = asked_by_rs(ENDPOINT, b"t", "secret")
    in_form = asked_by_rs(ENDPOINT, b"t", "secret", method="client_secret_post")
    assert dict(in_header.headers)["authorization"].startswith("Basic ")
    assert b"secret" not in in_header.body
    assert "authorization" not in dict(in_form.headers)
    assert ("client_secret", "secret") in parse_qsl(in_form.body.decode())


@pytest.mark.rfc("7662-2.2-a")
def test_active() -> None:
    """RFC 7662 §2.2: active true makes the whole answer the claims, members nobody knows included."""
    members = {"active": True, "x": {"nested": ["é", 1]}, "scope": "read"}
    assert process(members) == members


@pytest.mark.rfc("7662-2.2-b")
@pytest.mark.parametrize("others", [{}, {"scope": "read", "exp": 9_999_999_999}, {"Active": True}])
def test_inactive(others: dict[str, Any]) -> None:
    """RFC 7662 §2.2: active false is a no, whatever else stands beside it."""
    assert process({"active": False} | others) == "inactive"


@pytest.mark.rfc("7662-2.2-a")
@pytest.mark.parametrize("active", ["true", "false", "True", "", 1, 0, 1.0, -1, None, [], [True], {}, {"active": True}])
def test_active_is_boolean(active: object) -> None:
    """RFC 7662 §2.2: active is a boolean; anything else is neither a yes nor a no."""
    assert process({"active": active, "scope": "read"}) == Unavailable("active_not_boolean")


@pytest.mark.rfc("7662-2.2-a")
@pytest.mark.parametrize("document", [{}, {"Active": True}, {"ACTIVE": True}, {"scope": "read", "exp": 9_999_999_999}])
def test_active_is_required(document: dict[str, Any]) -> None:
    """RFC 7662 §2.2: active is required, and member names have case."""
    assert process(document) == Unavailable("active_not_boolean")


@pytest.mark.rfc("7662-2.2-a", "8725-3.7-a")
@pytest.mark.attack("A-I-3")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"active":NaN}', id="NaN"),
        pytest.param(b'{"active":true,"active":false}', id="yes and no"),
        pytest.param(b'{"active":false,"active":true}', id="no and yes"),
        pytest.param(b'{"active":true', id="cut off"),
        pytest.param(b'{"active":true}{"active":false}', id="two answers"),
        pytest.param(b'[{"active":true}]', id="an array"),
        pytest.param(b"true", id="a boolean"),
        pytest.param(b"", id="empty"),
        pytest.param(b'\xef\xbb\xbf{"active":true}', id="a byte order mark"),
        pytest.param('{"active":true}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"active":true,"exp":1e400}', id="infinity"),
        pytest.param(b'{"active":true,"exp":' + b"9" * 5000 + b"}", id="5 000 digits"),
        pytest.param(b'{"active":true,"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", id="nested 20 000 deep"),
        pytest.param(b'{"active":true,"sub":"\\ud800"}', id="half a character"),
    ],
)
def test_ambiguous_answer(body: bytes) -> None:
    """RFC 7662 §2.2: a body without one meaning is no answer, so it is neither believed nor remembered."""
    assert process(body) == Unavailable("not_json")


@pytest.mark.attack("A-I-3")
@pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 302, 304, 307, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("active", [True, False])
def test_only_200_counts(status: int, active: bool) -> None:  # noqa: FBT001 - parametrized
    """RFC 7662 §2.2: an answer with another status is neither a yes nor a no, whatever its body says."""
    answer = process({"active": active}, status=status)
    assert isinstance(answer, Unavailable)
    assert answer.cause == f"status_{status}"


@pytest.mark.rfc("7662-2.3-a", "8414-2-b")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_our_own_fault(status: int) -> None:
    """RFC 7662 §2.3: refused credentials or a wrong endpoint are our misconfiguration, and say nothing of the token."""
    answer = process({"error": "invalid_client"}, status=status)
    assert answer == Unavailable(f"status_{status}", fault="configuration")


@pytest.mark.rfc("7662-2.3-a")
def test_unsupported_token_type() -> None:
    """RFC 7009 §2.2.1: a server that does not introspect this kind of token has said neither yes nor no."""
    assert process({"error": "unsupported_token_type"}, status=400) == "unsupported_token_type"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        pytest.param({"error": "unsupported_token_type"}, 401, id="another status"),
        pytest.param({"error": ["unsupported_token_type"]}, 400, id="a list"),
        pytest.param({"error": "invalid_request"}, 400, id="another error"),
        pytest.param({}, 400, id="no error"),
        pytest.param(b'{"error":"unsupported_token_type","error":"unsupported_token_type"}', 400, id="twice"),
        pytest.param(b"unsupported_token_type", 400, id="no JSON"),
        pytest.param(b'["unsupported_token_type"]', 400, id="an array"),
    ],
)
def test_not_unsupported_token_type(document: Any, status: int) -> None:
    """RFC 7662 §2.3: only that error code with a 400 means it; all else is a fault like any other."""
    assert process(document, status=status) == Unavailable(f"status_{status}", fault="configuration")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(JSON | st.fixed_dictionaries({"active": JSON}), st.sampled_from([200, 200, 200, 400, 503]))
def test_only_true_is_a_yes(document: Any, status: int) -> None:
    """RFC 7662 §2.2: of all the JSON there is, only an object with active true and status 200 is a yes."""
    answer = process(json.dumps(document).encode(), status=status)
    if isinstance(answer, dict):
        assert status == 200
        assert answer["active"] is True
    else:
        assert isinstance(answer, Unavailable) or (answer == "inactive" and document["active"] is False)


@given(st.binary(max_size=40), st.integers(100, 599))
def test_never_raises(body: bytes, status: int) -> None:
    """Whatever bytes come back, they are an answer or a fault, never an exception."""
    response = HTTPResponse(status, (("content-type", "application/json"),), body)
    answer = process_introspection_response(response, NOW)
    assert isinstance(answer, Unavailable) or status == 200


def test_come_again_at_a_date() -> None:
    """RFC 9110 §10.2.3: an answer may name the moment at which to ask again, which is told as seconds from now."""
    response = HTTPResponse(503, (("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT"),))
    assert process_introspection_response(response, NOW) == Unavailable("status_503", 60.0)


def test_priority() -> None:
    """A question goes ahead of others where that is asked for, and only there."""
    assert [introspection_request(ENDPOINT, b"t", priority=first).priority for first in (True, False)] == [True, False]
