"""The one place where a refusal becomes a response: status, headers and body.

Bodies are problem details by default, or the OAuth error JSON where the client asks for ``application/json`` and
nothing wider. They say no more than the challenge does.

References: RFC 9457 section 3, RFC 6750 section 3, RFC 9110 sections 10.2.3 and 12.5.1
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from http import HTTPStatus
from typing import Literal, NamedTuple

from resource_server._protocol.challenge import CHALLENGE_HEADER, build_challenge
from resource_server.errors import BearerTokenError, VerificationUnavailable

ErrorFormat = Literal["auto", "problem", "oauth"]
_MAX_ACCEPT = 512
_PROBLEM, _JSON = "application/problem+json", "application/json"

_VERBOSE = {
    "algorithm_not_allowed": "The signature algorithm is not allowed here",
    "bad_signature": "The signature does not verify",
    "binding_mismatch": "The access token is bound to a key or certificate that was not shown",
    "expired": "The access token expired",
    "inactive": "The access token is not active",
    "malformed": "The access token is malformed",
    "not_yet_valid": "The access token is not valid yet",
    "rate_limited": "Too many unknown access tokens were sent",
    "revoked": "The access token was revoked",
    "too_long": "The access token is too long",
    "unavailable": "The access token cannot be verified at the moment",
    "unknown_key": "The access token is signed with an unknown key",
    "wrong_audience": "The access token is meant for another resource server",
    "wrong_issuer": "The access token is from another authorization server",
    "wrong_type": "The token is not an access token",
}


class ErrorStyle(NamedTuple):
    """How refusals look, decided once per server."""

    realm: str = "api"
    format: ErrorFormat = "auto"
    verbose: bool = False
    """Tell the client why its token was refused. Opt-in: it helps whoever tries out stolen tokens as well."""


class ErrorResponse(NamedTuple):
    """A response ready to be sent. Header names are lower case, as ASGI wants them."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def render_error(
    error: BearerTokenError | VerificationUnavailable,
    style: ErrorStyle,
    *,
    accept: bytes = b"",
    forbid: bool | None = None,
) -> ErrorResponse:
    """Render a refusal.

    Args:
        error: what was raised.
        style: the server's realm, format and verbosity.
        accept: the request's ``Accept`` field value, empty where there is none.
        forbid: send 403 instead of 401, for a request that a login redirect would break; ``None`` where the route has
            no such rule, and so does not vary by it.

    Returns:
        Status, headers and body; the caller leaves the body out for HEAD.
    """
    oauth = style.format == "oauth" or (style.format == "auto" and _prefers_json(accept[:_MAX_ACCEPT]))
    vary = ", ".join(_vary(style, forbid))
    if isinstance(error, VerificationUnavailable):
        return _render_unavailable(error.status, max(1, math.ceil(error.retry_after)), oauth=oauth, vary=vary)
    description = error.error_description
    if style.verbose and error.error == "invalid_token" and error.reason is not None:
        description = _VERBOSE[error.reason]
    status = 403 if forbid and error.status == HTTPStatus.UNAUTHORIZED else error.status
    return _render_refusal(status, error.error, description, error.scope, style.realm, oauth=oauth, vary=vary)


def _vary(style: ErrorStyle, forbid: bool | None) -> list[str]:  # noqa: FBT001 - passed on as it came
    names = ["Accept"] if style.format == "auto" else []
    return names if forbid is None else [*names, "X-Requested-With"]


@lru_cache(maxsize=1024)
def _render_refusal(  # noqa: PLR0913 - the key of a cache: everything the bytes depend on
    status: int,
    error: str | None,
    description: str | None,
    scope: tuple[str, ...],
    realm: str,
    *,
    oauth: bool,
    vary: str,
) -> ErrorResponse:
    challenge = build_challenge(realm=realm, error=error, error_description=description, scope=scope)
    body = _oauth_body(error, description, scope) if oauth else _problem_body(status, error, description, scope)
    return _response(status, body, {CHALLENGE_HEADER: challenge}, oauth=oauth, vary=vary)


@lru_cache(maxsize=1024)
def _render_unavailable(status: int, retry_after: int, *, oauth: bool, vary: str) -> ErrorResponse:
    detail = _VERBOSE["rate_limited" if status == HTTPStatus.TOO_MANY_REQUESTS else "unavailable"]
    body = _oauth_body("temporarily_unavailable", detail, ()) if oauth else _problem_body(status, None, detail, ())
    return _response(status, body, {"retry-after": str(retry_after)}, oauth=oauth, vary=vary)


def _problem_body(status: int, error: str | None, detail: str | None, scope: tuple[str, ...]) -> dict[str, object]:
    body: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body["detail"] = detail or "An access token is needed"
    if error is not None:
        body["error"] = error
        if scope:
            body["scope"] = " ".join(scope)
    return body


def _oauth_body(error: str | None, description: str | None, scope: tuple[str, ...]) -> dict[str, object]:
    if error is None:
        return {"detail": "An access token is needed"}
    body: dict[str, object] = {"error": error, "error_description": description}
    return body | {"scope": " ".join(scope)} if scope else body


def _response(status: int, body: dict[str, object], extra: dict[str, str], *, oauth: bool, vary: str) -> ErrorResponse:
    content = json.dumps(body).encode("ascii")
    headers = {
        **extra,
        "content-type": _JSON if oauth else _PROBLEM,
        "content-length": str(len(content)),
        "cache-control": "no-store",
    }
    if vary:
        headers["vary"] = vary
    encoded = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in headers.items())
    return ErrorResponse(status, encoded, content)


@lru_cache(maxsize=256)
def _prefers_json(accept: bytes) -> bool:
    """Tell whether ``application/json`` is wanted more than problem details; a tie goes to problem details."""
    qualities: dict[str, float] = {}
    for element in accept.decode("latin-1").lower().split(","):
        media_range, *params = (part.strip() for part in element.split(";"))
        qualities[media_range] = max([_quality(param) for param in params if param.startswith("q=")], default=1.0)
    wider = qualities.get("application/*", qualities.get("*/*", 0.0))
    return qualities.get(_JSON, wider) > qualities.get(_PROBLEM, wider)


def _quality(param: str) -> float:
    try:
        return float(param.removeprefix("q="))
    except ValueError:
        return 0.0
