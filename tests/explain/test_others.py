"""Answers as others give them, in the shapes that they document: each gets the right advice, and its faults named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._explain.answer import UnreadableError
from resource_server._explain.explain import explain
from resource_server._explain.paste import read_paste
from resource_server._explain.words import Action, Defect

SECRET = "s3cr3t-t0ken-0f-s0meb0dy"
NGINX = (
    "<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<center><h1>403 Forbidden</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>"
)


class Case(NamedTuple):
    """An answer, and what is to be said of it."""

    name: str
    paste: str
    action: Action
    defects: frozenset[Defect] = frozenset()


CASES = [
    Case(
        "Spring Security, no token",
        "HTTP/1.1 401 \nWWW-Authenticate: Bearer\nX-Content-Type-Options: nosniff\nContent-Length: 0\n\n",
        Action.GET_TOKEN,
        frozenset({Defect.BARE_CHALLENGE}),
    ),
    Case(
        "Spring Security, expired",
        'HTTP/1.1 401 \nWWW-Authenticate: Bearer error="invalid_token", error_description="An error occurred while '
        'attempting to decode the Jwt: Jwt expired at 2026-01-01T00:00:00Z", '
        'error_uri="https://tools.ietf.org/html/rfc6750#section-3.1"\n\n',
        Action.RENEW_TOKEN,
    ),
    Case(
        "Spring Security, scope",
        'HTTP/1.1 403 \nWWW-Authenticate: Bearer error="insufficient_scope", error_description="The request requires '
        'higher privileges than provided by the access token.", '
        'error_uri="https://tools.ietf.org/html/rfc6750#section-3.1"\n\n',
        Action.ASK_SCOPE,
    ),
    Case(
        "Spring Boot, error attributes",
        'HTTP/1.1 401 \nWWW-Authenticate: Bearer realm="x"\n\n{"status": 401, "error": "Unauthorized", "path": "/"}',
        Action.GET_TOKEN,
    ),
    Case(
        "express-oauth2-jwt-bearer, expired",
        'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer realm="api", error="invalid_token", '
        'error_description="\\"exp\\" claim timestamp check failed"\n\n',
        Action.RENEW_TOKEN,
        frozenset({Defect.BAD_CHARACTER}),
    ),
    Case(
        "Keycloak, adapter",
        'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer realm="shop", error="invalid_token", '
        'error_description="Token is not active"\n\n',
        Action.RENEW_TOKEN,
    ),
    Case(
        "Keycloak, policy enforcer",
        'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: UMA realm="shop",as_uri="https://kc.example/realms/shop",'
        'ticket="016f84e8-f9b9-11e0-bd6f-0021cc6004de"\n\n',
        Action.EXCHANGE_TICKET,
    ),
    Case(
        "Entra ID, claims challenge",
        'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer realm="", authorization_uri='
        '"https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003", '
        'errorDescription="Continuous access evaluation resulted in challenge", error="insufficient_claims", '
        'claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ=="\n\n',
        Action.STEP_UP,
    ),
    Case(
        "MCP server",
        'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer error="invalid_token", error_description="Authentication '
        'required", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"\n\n'
        '{"error": "invalid_token", "error_description": "Authentication required"}',
        Action.RENEW_TOKEN,
    ),
    Case(
        "FastAPI's HTTPBearer of old",
        'HTTP/1.1 403 Forbidden\ncontent-type: application/json\n\n{"detail":"Not authenticated"}',
        Action.DO_NOT_RETRY,
    ),
    Case(
        "FastAPI, by hand",
        'HTTP/1.1 401 Unauthorized\ncontent-type: application/json\n\n{"detail":"Could not validate credentials"}',
        Action.GET_TOKEN,
        frozenset({Defect.NO_CHALLENGE}),
    ),
    Case(
        "Amazon API Gateway, HTTP API",
        'HTTP/2 401 \nwww-authenticate: Bearer scope="" error="invalid_token" error_description="the token has expired"'
        '\n\n{"message":"Unauthorized"}',
        Action.RENEW_TOKEN,
        frozenset({Defect.MISSING_COMMA}),
    ),
    Case(
        "Amazon API Gateway, REST API",
        "HTTP/2 403 \nx-amzn-errortype: MissingAuthenticationTokenException\n\n"
        '{"message":"Missing Authentication Token"}',
        Action.CHECK_ADDRESS,
    ),
    Case(
        "oauth2-proxy",
        "HTTP/1.1 302 Found\nLocation: https://idp.example/authorize?client_id=a&redirect_uri=https%3A%2F%2Fx&state=abc"
        "\nSet-Cookie: _oauth2_proxy_csrf=abc; Path=/\n\n",
        Action.LOG_IN_NOT_MEANT,
        frozenset({Defect.LOGIN_REDIRECT}),
    ),
    Case(
        "Cloudflare Access",
        "HTTP/2 302 \nlocation: https://t.cloudflareaccess.com/cdn-cgi/access/login/api.example?kid=a\n\nHTTP/2 200 \n"
        "content-type: text/html\n\n<html>Sign in</html>",
        Action.LOG_IN_NOT_MEANT,
        frozenset({Defect.LOGIN_REDIRECT}),
    ),
    Case(
        "nginx, its own page for a 403 of auth_request",
        f"HTTP/1.1 403 Forbidden\nServer: nginx\nContent-Type: text/html\n\n{NGINX}",
        Action.DO_NOT_RETRY,
    ),
    Case(
        "nginx, its own page for a 401",
        f"HTTP/1.1 401 Unauthorized\nServer: nginx\nContent-Type: text/html\n\n{NGINX}",
        Action.GET_TOKEN,
        frozenset({Defect.CHALLENGE_DROPPED}),
    ),
    Case(
        "a server that repeats the token",
        f'HTTP/1.1 401 No\nWWW-Authenticate: Bearer error="invalid_token", error_description="{SECRET} is bad"\n\n',
        Action.RENEW_TOKEN,
        frozenset({Defect.TOKEN_ECHOED}),
    ),
    Case(
        "a nonce of DPoP",
        'HTTP/1.1 401 No\nWWW-Authenticate: DPoP error="use_dpop_nonce", error_description="Resource server requires '
        'nonce in DPoP proof"\nDPoP-Nonce: eyJ7S_zG.eyJH0-Z.HX4w-7v\nCache-Control: no-store\n\n',
        Action.SEND_NONCE,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_of_others(case: Case) -> None:
    """The advice is right, what is wrong with the answer is named, and no secret of it comes out."""
    command = f"$ curl -iL -H 'Authorization: Bearer {SECRET}' https://x\n" if SECRET in case.paste else ""
    explanation = explain(read_paste(command + case.paste))
    found = frozenset(remark.defect for remark in explanation.remarks)
    assert (explanation.advice.action, found) == (case.action, case.defects)
    assert SECRET not in json.dumps(explanation.as_json())


def test_a_nonce_is_no_secret() -> None:
    """A nonce comes out as it was sent, for the client needs it."""
    [case] = [case for case in CASES if case.name == "a nonce of DPoP"]
    assert explain(read_paste(case.paste)).advice.values["nonce"] == "eyJ7S_zG.eyJH0-Z.HX4w-7v"


TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from('=", \\\r\n'), max_size=60)


@given(st.integers(200, 599), TEXT, TEXT, TEXT)
def test_anything_is_explained(status: int, challenge: str, name: str, body: str) -> None:
    """Whatever an answer holds: it is explained, as one document, or it is none."""
    text = f"HTTP/1.1 {status} {name}\nwww-authenticate: Bearer {challenge}\nlocation: {name}\n{name}: {body}\n\n{body}"
    document: dict[str, Any] = explain(read_paste(text)).as_json()
    assert document["action"] in set(Action)
    assert json.dumps(document, ensure_ascii=False).isprintable()


@given(TEXT)
def test_anything_is_read_or_refused(text: str) -> None:
    """Whatever is pasted: it has a response, or it is refused by the one error that says so."""
    for paste in (text, "{" + text, "< HTTP/2 401\n< " + text):
        with suppress(UnreadableError):
            assert read_paste(paste)
