"""The token request, and the shape of its answer."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._protocol.token_request import (
    GrantedToken,
    TokenAnswer,
    TokenRefused,
    process_token_response,
    token_request,
)
from tests.support.jwt import NOW, REMOVED
from tests.support.local import json_response

ENDPOINT = "https://as.example.com/token"


def process(document: Any, *, status: int = 200) -> TokenAnswer:
    """Judge an answer with this body."""
    return process_token_response(json_response(document, status=status), NOW)


def response(**changes: Any) -> dict[str, Any]:
    """Write an answer with a token, changed as asked."""
    members = {"access_token": "abc", "token_type": "Bearer", "expires_in": 100} | changes
    return {name: value for name, value in members.items() if value is not REMOVED}


def test_request() -> None:
    """RFC 6749 §4.4.2: a POST of a form; a parameter may be there more than once (RFC 8693 §2.1)."""
    request = token_request(ENDPOINT, [("grant_type", "x"), ("audience", "a b"), ("audience", "c")])
    assert (request.method, request.url, request.endpoint) == ("POST", ENDPOINT, "token")
    assert request.body == b"grant_type=x&audience=a+b&audience=c"
    assert dict(request.headers) == {
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert "a b" not in repr(request)


@pytest.mark.parametrize(
    ("changes", "lifetime"),
    [
        ({}, 100.0),
        ({"token_type": "bearer"}, 100.0),
        ({"expires_in": REMOVED}, 60.0),
        ({"expires_in": "100"}, 60.0),
        ({"expires_in": True}, 60.0),
        ({"expires_in": -5}, 0.0),
        ({"expires_in": 10**9}, 86_400.0),
        ({"issued_token_type": "urn:ietf:params:oauth:token-type:jwt", "refresh_token": "x"}, 100.0),
    ],
    ids=str,
)
def test_a_token(changes: dict[str, Any], lifetime: float) -> None:
    """RFC 6749 §5.1: a token and its lifetime; one that is not told is taken to be short."""
    assert process(response(**changes)) == GrantedToken("abc", lifetime)
    assert "abc" not in repr(process(response(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "DPoP"},
        {"token_type": "N_A"},
        {"issued_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"issued_token_type": None},
        {"issued_token_type": []},
    ],
    ids=str,
)
def test_a_token_that_we_cannot_use(changes: dict[str, Any]) -> None:
    """RFC 6749 §7.1: a token of a type that is not understood must not be used."""
    assert process(response(**changes)) == TokenRefused("unsupported_token")


@pytest.mark.attack("A-S-2")
@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": REMOVED},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a b"},
        {"access_token": "a\r\nx: y"},
        {"access_token": "ä"},
        {"token_type": REMOVED},
        {"token_type": 7},
    ],
    ids=str,
)
def test_no_token_response(changes: dict[str, Any]) -> None:
    """RFC 6749 §5.1: without a token that a header can hold, and its type, an answer is none."""
    assert process(response(**changes)) == Unavailable("not_a_token_response")


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("error", ["invalid_client", "invalid_grant", "invalid_target", "unauthorized_client"])
def test_a_refusal(error: Any, status: int) -> None:
    """RFC 6749 §5.2, RFC 8693 §2.2.2: a refusal is known by its code; what else it says is passed over."""
    assert process({"error": error, "error_description": "canary"}, status=status) == TokenRefused(error)


@pytest.mark.parametrize("document", [{}, {"error": "unsupported_token"}, {"error": "other"}, {"error": []}, b"<html>"])
def test_a_refusal_without_a_code(document: Any) -> None:
    """A 400 that no standard explains is a fault of the configuration; so is a code that is ours alone."""
    assert process(document, status=400) == Unavailable("status_400", fault="configuration")


@pytest.mark.parametrize(("status", "fault"), [(500, "outage"), (503, "outage"), (404, "configuration")])
def test_no_answer(status: int, fault: Any) -> None:
    """Other statuses say nothing about the token."""
    assert process({"error": "invalid_grant"}, status=status) == Unavailable(f"status_{status}", fault=fault)


def test_not_json() -> None:
    """An answer that cannot be read is none."""
    assert process(b"no") == Unavailable("not_json")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "a", "Bearer", "ä"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "error"]), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["access_token", "token_type", "expires_in", "issued_token_type", "error"])


@given(st.dictionaries(MEMBERS, VALUES), st.sampled_from([200, 201, 302, 400, 401, 403, 500]))
def test_whatever_is_answered(members: dict[str, Any], status: int) -> None:
    """Whatever an answer holds, it is a token, a refusal or no answer."""
    found = process(response() | members, status=status)
    assert isinstance(found, GrantedToken | TokenRefused | Unavailable)


@given(st.binary())
def test_whatever_is_sent(content: bytes) -> None:
    """Whatever bytes are in its place, they are no answer."""
    assert isinstance(process(content), Unavailable)


def test_a_lifetime_with_a_fraction() -> None:
    """RFC 8259 §6: a number is a number, with a fraction or without."""
    assert process(response(expires_in=99.5)) == GrantedToken("abc", 99.5)


def test_an_access_token_by_its_name() -> None:
    """RFC 8693 §3: that an access token was issued may be said in so many words."""
    named = response(issued_token_type="urn:ietf:params:oauth:token-type:access_token")
    assert process(named) == GrantedToken("abc", 100.0)


def test_a_date_to_come_back_at() -> None:
    """RFC 9110 §10.2.3: ``Retry-After`` may be a date, which is so far away as it is from now."""
    headers = (("content-type", "application/json"), ("retry-after", formatdate(NOW + 30, usegmt=True)))
    assert process_token_response(HTTPResponse(503, headers, b"{}"), NOW) == Unavailable("status_503", 30.0)
