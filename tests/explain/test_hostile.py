"""A server that knows what its answer will be pasted into: it crashes nothing, holds nothing up, and shows no token."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from resource_server._explain.explain import explain
from resource_server._explain.paste import read_paste
from resource_server._explain.words import Explanation

TOKEN = "abcDEF-0123456789"
MANY = 200_000
"""Characters with which a search that looks at each twice for each one would take minutes."""


def explained(*fields: str, sent: str = TOKEN, reason: str = "Unauthorized", body: str = "") -> Explanation:
    """Explain what ``curl -v`` prints of a 401."""
    lines = ("> GET / HTTP/1.1", f"> Authorization: Bearer {sent}", ">", f"< HTTP/1.1 401 {reason}")
    return explain(read_paste("\n".join([*lines, *(f"< {one}" for one in fields), "<", body])))


def claims_field(claims: object) -> str:
    """Write a claims challenge."""
    encoded = base64.b64encode(json.dumps(claims).encode()).decode()
    return f'WWW-Authenticate: Bearer error="insufficient_claims", claims="{encoded}"'


@pytest.mark.parametrize(
    ("claims", "sent", "shown"),
    [
        ({"access_token": None}, TOKEN, {"access_token": None}),
        ({"id_token": {"acr": None}}, "null", {"id_token": {"acr": None}}),
        ({"password": 12345}, TOKEN, {"password": 12345}),
        ({"a": [f"it is {TOKEN}", True]}, TOKEN, {"a": ["it is [redacted]", True]}),
    ],
)
def test_claims_stay_claims(claims: Any, sent: str, shown: Any) -> None:
    """A member that is named like a secret is none; a text in which one stands is redacted, and the rest is kept."""
    assert explained(claims_field(claims), sent=sent).advice.values["claims"] == shown


@pytest.mark.attack("A-H-2")
@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (f"WWW-Authenticate: {TOKEN}", ""),
        ("X: y", f"{TOKEN[:5]}\u200b{TOKEN[5:]}"),
        (f"DPoP-Nonce: x{TOKEN}", ""),
        (f'WWW-Authenticate: Bearer realm="{TOKEN}"', ""),
    ],
)
def test_a_token_that_comes_back(field: str, reason: str) -> None:
    """Neither as a scheme, nor within a nonce, nor with something unseen in its middle is it shown."""
    assert TOKEN.lower() not in json.dumps(explained(field, reason=reason).as_json()).lower()


def test_a_password_without_digits() -> None:
    """The padding of Basic credentials shows what they are."""
    found = explained('WWW-Authenticate: Bearer realm="Basic dXNlcjpwYXNzd29yZA=="')
    assert found.advice.values["realm"] == "Basic [redacted]"


@pytest.mark.parametrize("before", ["", "session_", "x.y."])
def test_a_jwt_behind_something(before: str) -> None:
    """A JWT is found where it does not begin a word."""
    jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    found = explained(f'WWW-Authenticate: Bearer realm="{before}{jwt}"')
    assert "eyJ" not in found.advice.values["realm"]


@pytest.mark.attack("A-H-2")
@pytest.mark.parametrize(
    "body",
    [
        "eyJ" * MANY,
        "x" + "* Connection #1 to host a" * (MANY // 10),
        "bearer " * MANY,
        "<input " * (MANY // 10),
        '{"a":' * MANY,
    ],
)
def test_a_flood_in_the_body(body: str) -> None:
    """However it is made, a long body is read once."""
    assert explained("Content-Type: text/html", body=body).status == 401


def test_a_flood_of_fields() -> None:
    """A field that is folded into many lines is put together once."""
    found = explain(read_paste("HTTP/1.1 401\nA: b\n" + " c\n" * MANY))
    assert found.status == 401


def test_a_flood_of_responses() -> None:
    """Of many responses the last ones are told, and the tokens of all of them are known."""
    one = "> GET /{0} HTTP/1.1\n> Authorization: Bearer token-{0}\n< HTTP/1.1 302\n< Location: /token-0/{0}\n<\n"
    found = explain(read_paste("".join(map(one.format, range(MANY // 20)))))
    assert len(found.redirects) == 20
    assert found.redirects[-1] == "302 to /[redacted]/9998"
    assert found.hidden
