"""What is advised: for every response of this library, and for those of others, by codes and never by words."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from resource_server._explain.answer import Answer, Sent
from resource_server._explain.explain import explain
from resource_server._explain.paste import read_paste
from resource_server._explain.words import Action, Defect, Explanation, Severity, Turn
from tests.docs.pages import Block, blocks

RESPONSES = blocks("docs/errors.md", "http")
ADVICE: dict[str, tuple[Action, dict[str, Any]]] = {
    "GET /orders": (Action.GET_TOKEN, {"scope": ["orders:read"]}),
    "GET /orders with two Authorization fields": (Action.CORRECT_REQUEST, {}),
    "GET /orders with an inactive token": (Action.RENEW_TOKEN, {}),
    "GET /orders with an inactive token, verbose": (Action.RENEW_TOKEN, {}),
    "POST /orders with a token for orders:read": (Action.ASK_SCOPE, {"scope": ["orders:write"]}),
    "GET /admin with a token for orders:read": (Action.CHECK_ADDRESS, {}),
    "GET /account with a token for orders:read": (Action.STEP_UP, {"acr_values": ["gold"], "max_age": 300}),
    "GET /payments with a bound token and no proof": (
        Action.SEND_PROOF,
        {"algs": ["ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "RS256"]},
    ),
    "GET /orders/live while the authorization server is down": (Action.WAIT, {"seconds": 5}),
    "GET /orders with an unknown token, one too many of its client's": (Action.WAIT, {"seconds": 10}),
    "GET /widget with X-Requested-With: XMLHttpRequest": (Action.GET_TOKEN, {"scope": ["orders:read"]}),
    "GET /orders with an inactive token and Accept: application/json": (Action.RENEW_TOKEN, {}),
    "POST /orders with a token for orders:read and Accept: application/json": (
        Action.ASK_SCOPE,
        {"scope": ["orders:write"]},
    ),
    "GET /orders/live while the authorization server is down, and Accept: application/json": (
        Action.WAIT,
        {"seconds": 5},
    ),
    "GET /orders with Accept: application/json": (Action.GET_TOKEN, {"scope": ["orders:read"]}),
}
"""For each response on the page about errors, by its title: what a client is to do, and with which values."""
NEEDED = ("scope", "acr_values", "max_age", "algs", "seconds", "nonce", "resource_metadata", "claims", "location")


def of(status: int, *challenges: str, body: str = "", sent: Sent | None = None, **fields: str) -> Explanation:
    """Explain one response."""
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return explain([Answer(status, "", [*(("www-authenticate", item) for item in challenges), *named], body, sent)])


def defects(explanation: Explanation) -> set[Defect]:
    """Return what is wrong or odd, by its codes."""
    return {remark.defect for remark in explanation.remarks}


def needed(explanation: Explanation) -> dict[str, Any]:
    """Return the values that steps need."""
    return {name: value for name, value in explanation.advice.values.items() if name in NEEDED}


def test_every_response_of_the_page_has_an_advice() -> None:
    """The table of this test has the titles of the page, no more and no less."""
    assert [block.title for block in RESPONSES] == list(ADVICE)


@pytest.mark.parametrize("block", RESPONSES, ids=lambda block: block.title)
def test_advice_for_every_response_of_the_page(block: Block) -> None:
    """For each documented response the advice is the right one, has its values, and nothing is wrong with it."""
    for text in (block.text, block.text.replace("\n  ", " ").replace("\n", "\r\n")):
        explanation = explain(read_paste(text))
        assert block.title is not None
        assert (explanation.advice.action, needed(explanation)) == ADVICE[block.title]
        assert explanation.remarks == ()
        assert explanation.sound


def test_every_advice_names_a_clause_and_a_step() -> None:
    """What this library answers is explained by clauses of RFCs, and followed by steps."""
    for block in RESPONSES:
        advice = explain(read_paste(block.text)).advice
        assert all(re.fullmatch(r"RFC \d{4} section \d+(\.\d+)*", clause) for clause in advice.clauses)
        assert advice.clauses
        assert advice.steps


@pytest.mark.parametrize(
    ("status", "challenge", "action", "turn"),
    [
        (401, 'Bearer realm="x"', Action.GET_TOKEN, Turn.CLIENT),
        (401, 'DPoP algs="ES256"', Action.GET_TOKEN, Turn.CLIENT),
        (401, 'Bearer error="invalid_token"', Action.RENEW_TOKEN, Turn.CLIENT),
        (403, 'Bearer error="insufficient_scope", scope="a b"', Action.ASK_SCOPE, Turn.USER),
        (401, 'Bearer error="insufficient_user_authentication", max_age="5"', Action.STEP_UP, Turn.USER),
        (401, 'DPoP error="use_dpop_nonce"', Action.SEND_NONCE, Turn.CLIENT),
        (401, 'DPoP error="invalid_dpop_proof"', Action.SEND_PROOF, Turn.CLIENT),
        (401, 'Bearer error="of_our_own"', Action.RENEW_TOKEN, Turn.CLIENT),
        (403, 'Bearer error="of_our_own"', Action.DO_NOT_RETRY, Turn.CLIENT),
        (401, 'Basic realm="x"', Action.USE_OTHER_CREDENTIALS, Turn.CLIENT),
        (401, "Negotiate", Action.USE_OTHER_CREDENTIALS, Turn.CLIENT),
        (401, 'UMA realm="x", as_uri="https://as.example", ticket="t1ck3t"', Action.EXCHANGE_TICKET, Turn.CLIENT),
        (403, "", Action.DO_NOT_RETRY, Turn.CLIENT),
        (200, "", Action.NONE, Turn.NOBODY),
        (201, "", Action.NONE, Turn.NOBODY),
        (304, "", Action.NONE, Turn.CLIENT),
        (308, "", Action.FOLLOW_REDIRECT, Turn.CLIENT),
        (400, "", Action.CORRECT_REQUEST, Turn.CLIENT),
        (405, "", Action.CHECK_ADDRESS, Turn.CLIENT),
        (407, "", Action.USE_OTHER_CREDENTIALS, Turn.CLIENT),
        (418, "", Action.CORRECT_REQUEST, Turn.CLIENT),
        (431, "", Action.CORRECT_REQUEST, Turn.CLIENT),
        (500, "", Action.REPORT, Turn.API_OPERATOR),
        (502, "", Action.WAIT, Turn.CLIENT),
        (504, "", Action.WAIT, Turn.CLIENT),
        (507, "", Action.REPORT, Turn.API_OPERATOR),
    ],
)
def test_advice_by_status_and_challenge(status: int, challenge: str, action: Action, turn: Turn) -> None:
    """The error code decides; where there is none, the scheme and the status do."""
    advice = of(status, *filter(None, [challenge])).advice
    assert (advice.action, advice.turn) == (action, turn)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("invalid_grant", Action.GET_TOKEN),
        ("invalid_client", Action.CHECK_CREDENTIALS),
        ("unauthorized_client", Action.CHECK_CREDENTIALS),
        ("invalid_scope", Action.CORRECT_REQUEST),
        ("unsupported_grant_type", Action.CORRECT_REQUEST),
        ("access_denied", Action.DO_NOT_RETRY),
        ("temporarily_unavailable", Action.WAIT),
        ("server_error", Action.REPORT),
    ],
)
def test_errors_of_an_authorization_server(error: str, action: Action) -> None:
    """Whoever pastes an answer of a token endpoint is told whose it is, and what it means."""
    explanation = of(400, body=json.dumps({"error": error}))
    assert (explanation.error, explanation.advice.action) == (error, action)


def test_the_challenge_of_the_own_scheme_counts() -> None:
    """Of several challenges the one with an error speaks; else the one of the scheme that was used."""
    both = ('Bearer realm="b", scope="one"', 'DPoP algs="ES256", scope="two"')
    assert of(401, *both, sent=Sent("dpop", "t0ken")).advice.values["scope"] == ["two"]
    assert of(401, *both, sent=Sent("bearer", "t0ken")).advice.values["scope"] == ["one"]
    for sent in (None, Sent("bearer", "t0ken")):
        errors = of(401, 'Bearer realm="b"', 'DPoP error="use_dpop_nonce"', dpop_nonce="n-1", sent=sent)
        assert errors.advice.action == Action.SEND_NONCE
    explanation = of(401, 'Bearer realm="b"', 'DPoP error="use_dpop_nonce"', dpop_nonce="n-1", cache_control="no-store")
    assert (explanation.advice.action, needed(explanation)) == (Action.SEND_NONCE, {"nonce": "n-1"})
    assert defects(explanation) == {Defect.SEVERAL_SCHEMES}
    assert explanation.sound


def test_a_token_that_was_not_seen() -> None:
    """A token that was sent, and an answer as if there were none: the way between is to be looked at."""
    sent = Sent("bearer", "t0ken")
    assert of(401, 'Bearer realm="x"', sent=sent).advice.action is Action.CHECK_DELIVERY
    assert of(401, sent=sent).advice.action is Action.CHECK_DELIVERY
    assert of(403, sent=sent).advice.action is Action.DO_NOT_RETRY
    assert of(401, 'Bearer realm="x"', sent=Sent("basic", "t0ken")).advice.action is Action.GET_TOKEN


def test_metadata_of_the_resource() -> None:
    """Where a client learns of the authorization server is handed on (RFC 9728), and must be https."""
    url = "https://api.example/.well-known/oauth-protected-resource"
    explanation = of(401, f'Bearer resource_metadata="{url}"')
    assert (explanation.advice.action, needed(explanation)) == (Action.GET_TOKEN, {"resource_metadata": url})
    assert any("authorization_servers" in step for step in explanation.advice.steps)
    plain = of(401, 'Bearer resource_metadata="http://api.example/x"')
    assert defects(plain) == {Defect.METADATA_NOT_HTTPS}
    assert plain.sound


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_claims_challenge(encode: Any) -> None:
    """A claims challenge, as Entra sends it, is decoded, whichever base64 it is in."""
    claims = {"access_token": {"nbf": {"essential": True, "value": "1604106651"}}}
    coded = encode(json.dumps(claims).encode()).decode().rstrip("=")
    challenge = (
        f'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/v2.0/authorize", '
        f'error="insufficient_claims", claims="{coded}"'
    )
    explanation = of(401, challenge)
    assert (explanation.advice.action, needed(explanation)) == (Action.STEP_UP, {"claims": claims})
    assert explanation.sound


@pytest.mark.parametrize("claims", ["", "!", "Wzod", "e30tLQ", "_w"])
def test_claims_that_cannot_be_read(claims: str) -> None:
    """What is no JSON object in base64 is left out."""
    assert needed(of(401, f'Bearer error="insufficient_claims", claims="{claims}"')) == {}


@pytest.mark.parametrize(
    ("name", "status", "action"),
    [
        ("UnauthorizedException", 401, Action.GET_TOKEN),
        ("AccessDeniedException", 403, Action.DO_NOT_RETRY),
        ("ForbiddenException", 403, Action.DO_NOT_RETRY),
        ("MissingAuthenticationTokenException", 403, Action.CHECK_ADDRESS),
        ("IncompleteSignatureException", 403, Action.USE_OTHER_CREDENTIALS),
        ("InvalidSignatureException:http://x/", 403, Action.USE_OTHER_CREDENTIALS),
        ("ThrottledException", 429, Action.WAIT),
        ("SomethingElse", 403, Action.DO_NOT_RETRY),
    ],
)
def test_amazon_api_gateway(name: str, status: int, action: Action) -> None:
    """What API Gateway says is read from its own field, where there is no challenge."""
    explanation = of(status, x_amzn_errortype=name, body='{"message": "Forbidden"}')
    assert explanation.advice.action is action
    assert explanation.advice.values["error_description"] == "Forbidden"


@pytest.mark.parametrize(
    "location",
    [
        "https://team.cloudflareaccess.com/cdn-cgi/access/x?kid=1",
        "/oauth2/start?rd=%2Forders",
        "/oauth2/sign_in",
        "https://login.microsoftonline.com/t/x",
        "https://idp.example/realms/x?client_id=a&response_type=code",
        "/login",
        "/saml2/x",
    ],
)
def test_redirect_to_a_login_page(location: str) -> None:
    """A login page in place of a 401 is recognized, before and after it was followed; no query is shown."""
    first = Answer(302, "Found", [("location", location)])
    for answers in ([first], [first, Answer(200, "OK", [("content-type", "text/html")], "<html>")]):
        explanation = explain(answers)
        assert (explanation.advice.action, explanation.advice.turn) == (Action.LOG_IN_NOT_MEANT, Turn.API_OPERATOR)
        assert defects(explanation) == {Defect.LOGIN_REDIRECT}
        assert "?" not in json.dumps(explanation.as_json()).replace("?P", "")


@pytest.mark.parametrize("location", ["", "/orders/", "https://[broken/login", "https://api.example/v2/orders?x=1"])
def test_any_other_redirect(location: str) -> None:
    """A redirect that is no login is followed with care for the token."""
    explanation = explain([Answer(307, "", [("location", location)])])
    assert explanation.advice.action is Action.FOLLOW_REDIRECT
    assert explanation.remarks == ()


def test_login_page_without_a_redirect() -> None:
    """A login page with status 200 or 403 is recognized too."""
    for body in ('<form action="/oauth2/sign_in">', '<input name="p" type="password">'):
        explanation = of(403, body=body, content_type="text/html; charset=utf-8")
        assert explanation.advice.action is Action.LOG_IN_NOT_MEANT
        assert defects(explanation) == {Defect.LOGIN_PAGE}


def test_what_came_before_is_told() -> None:
    """Redirects are told without query and password; that a token may be lost there is the first step."""
    moved = Answer(301, "", [("location", "https://me:secret@other.example/orders?access_token=abc")])
    explanation = explain(
        [moved, Answer(401, "", [("www-authenticate", 'Bearer realm="x"')], sent=Sent("bearer", "t0k"))]
    )
    assert explanation.redirects == ("301 to https://other.example/orders",)
    assert explanation.advice.action is Action.CHECK_DELIVERY
    assert "redirect" in explanation.advice.steps[0]
    same = explain([Answer(308, "", [("location", "/orders/")]), Answer(401, "", [("www-authenticate", "Bearer a=b")])])
    assert same.redirects == ("308 to /orders/",)
    assert "redirect" not in same.advice.steps[0]
    assert explain([Answer(401), Answer(200)]).redirects == ("401",)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "99999999999999999999"}, 10_000_000),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 -0000"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(fields: dict[str, str], seconds: int | None) -> None:
    """Retry-After is a number of seconds, or a date that counts from the response's own."""
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    assert explain([Answer(503, fields=named)]).advice.values.get("seconds") == seconds


def test_the_words_of_the_server_are_shortened() -> None:
    """What a server says in its own words is shown, up to a length."""
    said = of(400, body=json.dumps({"message": "no " * 500})).advice.values["error_description"]
    assert len(said) < 310
    assert "error_description" not in of(400, body='{"message": {}}').advice.values
    assert of(400, body="[1]").error is None


def test_an_error_that_is_none() -> None:
    """A member called error in the body of a 200, or with a text that is no code, is the application's own affair."""
    assert of(200, body='{"error": "invalid_token"}').error is None
    assert of(401, body='{"error": "Unauthorized"}').error is None
    assert of(401, body='{"error": {"code": 1}}').error is None


def test_the_document() -> None:
    """As JSON an explanation has every part, in words that programs may rely on."""
    document = of(401, "Bearer", sent=Sent("bearer", "s3cr3t-t0ken")).as_json()
    assert json.loads(json.dumps(document)) == document
    assert (document["status"], document["action"], document["turn"]) == (401, "check_delivery", "client")
    assert (document["otherwise"], document["secret_in_paste"]) == ("api_operator", True)
    [remark] = document["remarks"]
    assert (remark["defect"], remark["severity"]) == (Defect.BARE_CHALLENGE, Severity.WRONG)
    assert list(document) == [
        "status", "reason", "error", "says", "clauses", "action", "turn", "otherwise", "steps", "values", "remarks",
        "redirects", "secret_in_paste",
    ]  # fmt: skip
