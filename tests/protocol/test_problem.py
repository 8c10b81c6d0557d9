"""The response that a refusal becomes: status, headers and body."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import (
    BearerTokenError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidDPoPProof,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    TooManyTokens,
    UseDPoPNonce,
    VerificationUnavailable,
)
from resource_server._protocol.grammar import is_error_text
from resource_server._protocol.problem import ErrorResponse, ErrorStyle, render_error
from resource_server.errors import Reason
from tests.support.headers import bearer_params
from tests.support.instance import instance_in, without_instance

STYLE = ErrorStyle()
VERBOSE = ErrorStyle(verbose=True)
REASONS: tuple[Reason, ...] = get_args(Reason)
REFUSALS: list[BearerTokenError] = [
    MissingToken(),
    MissingToken(scope=("read", "write")),
    InvalidRequest("malformed"),
    InvalidToken("expired"),
    InvalidToken("wrong_audience", scope=("read",)),
    InsufficientScope(scope=("read", "write")),
    InsufficientScope(),
]
EVERY_REFUSAL = pytest.mark.parametrize(
    "error", REFUSALS, ids=lambda error: f"{type(error).__name__}-{len(error.scope)}"
)
EVERY_FORMAT = pytest.mark.parametrize("accept", [b"", b"application/json"], ids=["problem", "oauth"])


def headers(response: ErrorResponse) -> dict[str, str]:
    """Read the header, each name of which stands once and in lower case."""
    found = {name.decode("ascii"): value.decode("ascii") for name, value in response.headers}
    assert len(found) == len(response.headers)
    assert all(name == name.lower() for name in found)
    return found


def body(response: ErrorResponse) -> dict[str, Any]:
    """Read the body, whose length and type the header states."""
    assert headers(response)["content-length"] == str(len(response.body))
    members: dict[str, Any] = json.loads(without_instance(response.body))
    return members


def told(response: ErrorResponse) -> ErrorResponse:
    """Return what a response tells, which is all of it but the name of this one refusal."""
    return response._replace(body=without_instance(response.body))


@EVERY_REFUSAL
@EVERY_FORMAT
@pytest.mark.rfc("6750-3-a", "6750-3-b", "6750-3-c", "6750-3-g", "9110-11.2-a", "9110-11.5-a", "9457-x-a")
def test_challenge(error: BearerTokenError, accept: bytes) -> None:
    """RFC 6750 §3: a refusal has one Bearer challenge: realm, the error where a token came, the scope needed."""
    response = render_error(error, STYLE, accept=accept)
    params = bearer_params(headers(response)["www-authenticate"])
    wanted = {"realm": "api", "error": error.error, "error_description": error.error_description}
    expected = {name: value for name, value in wanted.items() if value is not None}
    assert params == expected | ({"scope": " ".join(error.scope)} if error.scope else {})
    assert response.status == error.status
    assert body(response).get("error") == params.get("error")


@pytest.mark.rfc("6750-3.1-a", "6750-3.1-b", "6750-3.1-c", "6750-3.1-d", "9110-11.6.1-a", "9110-11.4-a")
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (MissingToken(), 401, None),
        (InvalidRequest("malformed"), 400, "invalid_request"),
        (InvalidToken("expired"), 401, "invalid_token"),
        (InsufficientScope(scope=("read",)), 403, "insufficient_scope"),
    ],
    ids=["missing", "invalid_request", "invalid_token", "insufficient_scope"],
)
def test_status_and_code(error: BearerTokenError, status: int, code: str | None) -> None:
    """RFC 6750 §3.1: each error has its code and its status; no token has no code."""
    response = render_error(error, STYLE)
    assert response.status == status
    assert bearer_params(headers(response)["www-authenticate"]).get("error") == code


@EVERY_FORMAT
@pytest.mark.rfc("6750-3.1-d")
def test_no_token_no_error(accept: bytes) -> None:
    """RFC 6750 §3.1: whoever sent no token is told nothing but that one is needed, whatever the style."""
    response = render_error(MissingToken(), VERBOSE, accept=accept)
    assert set(bearer_params(headers(response)["www-authenticate"])) == {"realm"}
    assert not set(body(response)) & {"error", "error_description", "error_uri"}
    assert body(response)["detail"] == "An access token is needed"


@pytest.mark.rfc("6750-3.1-c", "mcp-3")
def test_every_scope_is_named() -> None:
    """RFC 6750 §3.1: the challenge names all scopes the route needs, in their order, so that a client asks once."""
    response = render_error(InsufficientScope(scope=("read", "write")), STYLE)
    assert bearer_params(headers(response)["www-authenticate"])["scope"] == "read write"
    assert body(response)["scope"] == "read write"


@EVERY_REFUSAL
@pytest.mark.rfc("9457-3-a", "9457-3-b")
def test_problem_details(error: BearerTokenError) -> None:
    """RFC 9457 §3.1: problem details repeat the status, and about:blank has its phrase for a title (§4.2.1)."""
    response = render_error(error, STYLE)
    expected: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(response.status).phrase,
        "status": response.status,
        "detail": error.error_description or "An access token is needed",
    }
    if error.error is not None:
        expected |= {"error": error.error} | ({"scope": " ".join(error.scope)} if error.scope else {})
    assert headers(response)["content-type"] == "application/problem+json"
    assert body(response) == expected


@pytest.mark.parametrize("error", [error for error in REFUSALS if error.error is not None], ids=repr)
def test_oauth_error(error: BearerTokenError) -> None:
    """RFC 6749 §5.2: the OAuth form has error, error_description and scope."""
    response = render_error(error, ErrorStyle(format="oauth"))
    expected = {"error": error.error, "error_description": error.error_description}
    assert headers(response)["content-type"] == "application/json"
    assert body(response) == expected | ({"scope": " ".join(error.scope)} if error.scope else {})


@pytest.mark.rfc("9111-5.2.2.7-a", "9111-3.5-a", "6750-5.3-a", "9110-15.5.5-a")
@pytest.mark.parametrize("error", [*REFUSALS, VerificationUnavailable(1)], ids=repr)
@EVERY_FORMAT
def test_never_stored(error: BearerTokenError | VerificationUnavailable, accept: bytes) -> None:
    """RFC 9111 §5.2.2.5: no answer about credentials is stored, and none sets a cookie."""
    found = headers(render_error(error, STYLE, accept=accept))
    assert found["cache-control"] == "no-store"
    assert "set-cookie" not in found


@pytest.mark.attack("A-H-2", "A-H-3", "A-S-1")
@pytest.mark.rfc("9457-4-a")
@EVERY_FORMAT
def test_reasons_are_not_told(accept: bytes) -> None:
    """RFC 9457 §4: one answer for every bad token: why it is bad helps whoever tries out stolen ones."""
    assert len({told(render_error(InvalidToken(reason), STYLE, accept=accept)) for reason in REASONS}) == 1


@pytest.mark.attack("A-H-3", "A-H-2")
@EVERY_FORMAT
def test_reasons_are_told_where_asked(accept: bytes) -> None:
    """RFC 6750 §3: the verbose style says why, in words of its own that fit the header, and nothing else changes."""
    responses = [render_error(InvalidToken(reason), VERBOSE, accept=accept) for reason in REASONS]
    texts = [bearer_params(headers(response)["www-authenticate"])["error_description"] for response in responses]
    assert len(set(texts)) == len(REASONS)
    assert all(map(is_error_text, texts))
    assert {(response.status, body(response)["error"]) for response in responses} == {(401, "invalid_token")}
    plain = render_error(InvalidToken(), VERBOSE, accept=accept)
    assert bearer_params(headers(plain)["www-authenticate"])["error_description"] == InvalidToken.error_description


@pytest.mark.parametrize("error", [InvalidRequest("malformed"), InsufficientScope(scope=("read",))], ids=repr)
def test_verbose_changes_nothing_else(error: BearerTokenError) -> None:
    """Only a bad token has reasons to tell."""
    assert render_error(error, VERBOSE) == render_error(error, STYLE)


@pytest.mark.rfc("9110-10.2.3-a")
@EVERY_FORMAT
@pytest.mark.parametrize(("seconds", "sent"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (4.2, "5"), (86_400.0, "86400")])
def test_unavailable(seconds: float, sent: str, accept: bytes) -> None:
    """RFC 9110 §15.6.4: 503 says when to come again, in whole seconds, at least one, and challenges nobody."""
    response = render_error(VerificationUnavailable(seconds), STYLE, accept=accept)
    assert response.status == 503
    assert headers(response)["retry-after"] == sent
    assert "www-authenticate" not in headers(response)
    detail = "The access token cannot be verified at the moment"
    assert body(response) == (
        {"error": "temporarily_unavailable", "error_description": detail}
        if accept
        else {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": detail}
    )


@pytest.mark.parametrize("forbid", [None, False, True])
@EVERY_REFUSAL
def test_forbid(error: BearerTokenError, forbid: bool | None) -> None:  # noqa: FBT001 - parametrized
    """A route may turn 401 into 403 for a script that a login redirect would break; the challenge stays as it is."""
    response, plain = render_error(error, STYLE, forbid=forbid), render_error(error, STYLE)
    assert response.status == (403 if forbid and error.status == 401 else error.status)
    assert body(response)["status"] == response.status
    assert headers(response)["www-authenticate"] == headers(plain)["www-authenticate"]


@pytest.mark.rfc("9110-12.5.5-a")
@pytest.mark.parametrize(
    ("style", "forbid", "vary"),
    [
        (STYLE, None, "Accept"),
        (STYLE, False, "Accept, X-Requested-With"),
        (STYLE, True, "Accept, X-Requested-With"),
        (ErrorStyle(format="oauth"), None, None),
        (ErrorStyle(format="problem"), None, None),
        (ErrorStyle(format="problem"), False, "X-Requested-With"),
    ],
)
@pytest.mark.parametrize("error", [InvalidToken(), VerificationUnavailable(1)], ids=["401", "503"])
def test_vary(
    error: BearerTokenError | VerificationUnavailable,
    style: ErrorStyle,
    forbid: bool | None,  # noqa: FBT001 - parametrized
    vary: str | None,
) -> None:
    """RFC 9110 §12.5.5: Vary names what the answer was chosen by, and nothing where there was no choice."""
    assert headers(render_error(error, style, forbid=forbid)).get("vary") == vary


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (b"", "problem"),
        (b"*/*", "problem"),
        (b"application/*", "problem"),
        (b"text/html", "problem"),
        (b"text/html,application/xhtml+xml,*/*;q=0.8", "problem"),
        (b"application/problem+json", "problem"),
        (b"application/json, application/problem+json", "problem"),
        (b"application/json, */*", "problem"),
        (b"application/json, application/problem+json;q=1", "problem"),
        pytest.param(b"x" * 495 + b",application/json", "oauth", id="512 bytes"),
        pytest.param(b"x" * 496 + b",application/json", "problem", id="513 bytes, of which the last is not read"),
        (b"application/json;q=0.5, application/problem+json", "problem"),
        (b"application/json;q=0", "problem"),
        (b"application/json;q=nonsense", "problem"),
        (b"application/json;q=nan", "problem"),
        (b"application/json", "oauth"),
        (b"APPLICATION/JSON", "oauth"),
        (b" application/json ; charset=utf-8", "oauth"),
        (b"application/json, text/plain", "oauth"),
        (b"application/json, text/plain, */*;q=0.5", "oauth"),
        (b"application/json, application/problem+json;q=0.9", "oauth"),
        (b"*/*, application/problem+json;q=0.1", "oauth"),
        (b"application/*, application/problem+json;q=0.1", "oauth"),
        (b"application/json;q=0.1;q=1, application/problem+json;q=0.5", "oauth"),
    ],
)
def test_accept(accept: bytes, chosen: str) -> None:
    """RFC 9110 §12.5.1: application/json is sent where it is wanted more than problem details are."""
    content_type = headers(render_error(InvalidToken(), STYLE, accept=accept))["content-type"]
    assert content_type == {"problem": "application/problem+json", "oauth": "application/json"}[chosen]


@pytest.mark.parametrize(("form", "expected"), [("problem", "application/problem+json"), ("oauth", "application/json")])
@pytest.mark.parametrize("accept", [b"", b"application/json", b"application/problem+json"])
def test_settled_format(form: Any, expected: str, accept: bytes) -> None:
    """RFC 9110 §12.1: a server that settled on one form sends it whatever is asked for."""
    response = render_error(InvalidToken(), ErrorStyle(format=form), accept=accept)
    assert headers(response)["content-type"] == expected


@pytest.mark.rfc("9110-5.5-a")
@pytest.mark.attack("A-H-2", "A-H-4")
@given(st.binary(max_size=600), st.sampled_from(REFUSALS))
def test_nothing_of_the_request_comes_back(accept: bytes, error: BearerTokenError) -> None:
    """RFC 9110 §5.5: whatever a client asks for, it gets one of two answers, and nothing it sent is in either."""
    response = render_error(error, STYLE, accept=accept)
    known = [render_error(error, STYLE, accept=known) for known in (b"", b"application/json")]
    assert response in known


@pytest.mark.rfc("6750-3-e")
@pytest.mark.parametrize("kind", [MissingToken, InvalidRequest, InvalidToken, InsufficientScope])
def test_realm(kind: type[BearerTokenError]) -> None:
    """RFC 9110 §11.5: the realm is the configured one, escaped where it must be."""
    value = headers(render_error(kind(), ErrorStyle(realm='a "b" \\')))["www-authenticate"]
    assert bearer_params(value)["realm"] == 'a "b" \\'


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_told_in_words(reason: Reason) -> None:
    """What is told of a reason begins with a word that is capitalised, and ends with a word and no full stop."""
    text = body(render_error(InvalidToken(reason), VERBOSE))["detail"]
    assert re.fullmatch(r"[A-Z][a-z]* .*[a-z]", text)


def test_reasons_of_a_proof_are_told_where_asked() -> None:
    """A client whose DPoP proof is refused is told why, as one whose token is."""
    response = render_error(InvalidDPoPProof("proof_replayed"), VERBOSE)
    assert body(response)["detail"] == "The DPoP proof was used before"


@EVERY_FORMAT
def test_too_many_tokens(accept: bytes) -> None:
    """RFC 6585 §4: who sends too many unknown tokens is told so, in the media type that was asked for."""
    response = render_error(TooManyTokens(1.0), STYLE, accept=accept)
    members = body(response)
    assert response.status == 429
    assert members["error_description" if accept else "detail"] == "Too many unknown access tokens were sent"
    assert headers(response)["content-type"] == ("application/json" if accept else "application/problem+json")


@EVERY_FORMAT
@pytest.mark.parametrize(("max_age", "told"), [(None, {}), (0, {"max_age": 0}), (300, {"max_age": 300})])
def test_what_would_be_enough(max_age: int | None, told: dict[str, int], accept: bytes) -> None:
    """RFC 9470 §3: the body says which authentication is needed in the words of the challenge, and in both forms."""
    error = InsufficientUserAuthentication(acr_values=("loa2", "loa3"), max_age=max_age)
    members = body(render_error(error, STYLE, accept=accept))
    assert members["error_description" if accept else "detail"] == error.error_description
    assert members["error"] == "insufficient_user_authentication"
    needs = {name: value for name, value in members.items() if name in {"scope", "acr_values", "max_age"}}
    assert needs == {"acr_values": "loa2 loa3", **told}


def test_what_a_script_may_read() -> None:
    """RFC 9449 §8: a refusal with a DPoP challenge lets scripts of other origins read it, and another one does not."""
    error = MissingToken()
    assert "access-control-expose-headers" not in headers(render_error(error, STYLE))
    error.schemes = ("Bearer", "DPoP")
    assert headers(render_error(error, STYLE))["access-control-expose-headers"] == "WWW-Authenticate, DPoP-Nonce"


def test_nonce() -> None:
    """RFC 9449 §9: the nonce that a proof needs stands in the field DPoP-Nonce."""
    assert headers(render_error(UseDPoPNonce("proof_nonce", nonce="n-1"), STYLE))["dpop-nonce"] == "n-1"


@pytest.mark.attack("A-H-2", "A-H-4")
@pytest.mark.parametrize("error", [*REFUSALS, VerificationUnavailable(1), UseDPoPNonce(nonce="n")], ids=repr)
def test_instance(error: BearerTokenError | VerificationUnavailable) -> None:
    """RFC 9457 §3.1.5: a problem names this one refusal, by the exception's random UUID, however often it is sent."""
    first, again = (render_error(error, STYLE) for _ in range(2))
    assert first == again
    assert instance_in(first.body) == error.correlation_id
    assert error.correlation_id not in repr(first.headers)


@EVERY_REFUSAL
def test_instance_of_each(error: BearerTokenError) -> None:
    """Two refusals for the same cause differ in what names them, and in nothing else."""
    other = type(error)(error.reason, scope=error.scope)
    first, second = render_error(error, STYLE), render_error(other, STYLE)
    assert told(first) == told(second)
    assert instance_in(first.body) != instance_in(second.body)


@pytest.mark.parametrize("error", [*REFUSALS, VerificationUnavailable(1)], ids=repr)
def test_no_instance_in_the_oauth_form(error: BearerTokenError | VerificationUnavailable) -> None:
    """RFC 6749 §5.2: the OAuth form has no member for it."""
    assert instance_in(render_error(error, ErrorStyle(format="oauth")).body) is None
