"""The one place where a refusal becomes a response: status, headers and body.

Bodies are problem details by default, or the OAuth error JSON where the client asks for ``application/json`` and
nothing wider. They say no more than the challenge does, but for the name of this one refusal, ``instance``, which is
random and in the event as well. What else is in them is made once and kept.

References: RFC 9457 section 3, RFC 6750 section 3, RFC 9110 sections 10.2.3 and 12.5.1, RFC 9449 sections 7 and 9
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from http import HTTPStatus
from typing import Literal, NamedTuple

from resource_server._protocol.challenge import CHALLENGE_HEADER, EXPOSED_HEADERS, build_challenge
from resource_server.errors import (
    BearerTokenError,
    InsufficientUserAuthentication,
    Scheme,
    UseDPoPNonce,
    VerificationUnavailable,
)

ErrorFormat = Literal["auto", "problem", "oauth"]
DPOP_NONCE_HEADER = b"dpop-nonce"
_MAX_ACCEPT = 512
_PROBLEM, _JSON = "application/problem+json", "application/json"
_INSTANCE, _END = b', "instance": "urn:uuid:', b'"}'
_LENGTH_OF_UUID = 36

_VERBOSE = {
    "algorithm_not_allowed": "The signature algorithm is not allowed here",
    "bad_signature": "The signature does not verify",
    "binding_mismatch": "The access token is bound to a key or certificate that was not shown",
    "expired": "The access token expired",
    "inactive": "The access token is not active",
    "malformed": "The access token is malformed",
    "not_bound": "The access token is not bound to a key or certificate, and must be",
    "not_encrypted": "The access token is not encrypted, and must be",
    "not_yet_valid": "The access token is not valid yet",
    "proof_invalid": "The DPoP proof is malformed, or its signature does not verify",
    "proof_mismatch": "The DPoP proof is for another request, token or key",
    "proof_missing": "A DPoP proof is needed",
    "proof_nonce": "The DPoP proof needs the nonce that comes along",
    "proof_replayed": "The DPoP proof was used before",
    "proof_stale": "The DPoP proof is too old, or from the future",
    "rate_limited": "Too many unknown access tokens were sent",
    "revoked": "The access token was revoked",
    "too_long": "The access token is too long",
    "too_many_proofs": "No further DPoP proof can be remembered at the moment",
    "unavailable": "The access token cannot be verified at the moment",
    "unknown_key": "The access token is signed with an unknown key",
    "wrong_audience": "The access token is meant for another resource server",
    "wrong_issuer": "The access token is from another authorization server",
    "wrong_type": "The token is not an access token",
}
_EXPLAINED = frozenset({"invalid_token", "invalid_dpop_proof"})


class ErrorStyle(NamedTuple):
    """How refusals look, decided once per server."""

    realm: str = "api"
    format: ErrorFormat = "auto"
    verbose: bool = False
    """Tell the client why its token was refused. Opt-in: it helps whoever tries out stolen tokens as well."""
    algs: tuple[str, ...] = ()
    """The signature algorithms a DPoP proof may have."""
    resource_metadata: str | None = None
    """The URL of this resource server's metadata."""


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
        retry_after = max(1, math.ceil(error.retry_after))
        status, headers, body = _render_unavailable(error.status, retry_after, oauth=oauth, vary=vary)
    else:
        refusal = _refusal(error, style, forbid=bool(forbid))
        status, headers, body = _render_refusal(refusal, style, oauth=oauth, vary=vary)
    if isinstance(error, UseDPoPNonce):
        headers = (*headers, (DPOP_NONCE_HEADER, error.nonce.encode("ascii")))
    return ErrorResponse(status, headers, body if oauth else body + error.correlation_id.encode("ascii") + _END)


class _Refusal(NamedTuple):
    """What of a refusal is told, and so everything that its bytes depend on besides the style."""

    status: int
    error: str | None
    description: str | None
    scope: tuple[str, ...]
    acr_values: tuple[str, ...]
    max_age: int | None
    schemes: tuple[Scheme, ...]


def _refusal(error: BearerTokenError, style: ErrorStyle, *, forbid: bool) -> _Refusal:
    description = error.error_description
    if style.verbose and error.reason is not None and error.error in _EXPLAINED:
        description = _VERBOSE.get(error.reason, description)
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    if isinstance(error, InsufficientUserAuthentication):
        acr_values, max_age = error.acr_values, error.max_age
    status = 403 if forbid and error.status == HTTPStatus.UNAUTHORIZED else error.status
    return _Refusal(status, error.error, description, error.scope, acr_values, max_age, error.schemes)


def _vary(style: ErrorStyle, forbid: bool | None) -> list[str]:  # noqa: FBT001 - passed on as it came
    names = ["Accept"] if style.format == "auto" else []
    return names if forbid is None else [*names, "X-Requested-With"]


@lru_cache(maxsize=1024)
def _render_refusal(refusal: _Refusal, style: ErrorStyle, *, oauth: bool, vary: str) -> ErrorResponse:
    challenges = [_challenge(refusal, style, scheme) for scheme in refusal.schemes]
    headers = {CHALLENGE_HEADER: ", ".join(challenges)}  # one field: there are proxies that pass on no second one
    if "DPoP" in refusal.schemes:
        headers["access-control-expose-headers"] = EXPOSED_HEADERS
    return _response(refusal.status, _oauth_body(refusal) if oauth else _problem_body(refusal), headers, oauth, vary)


def _challenge(refusal: _Refusal, style: ErrorStyle, scheme: Scheme) -> str:
    """Write the challenge of one scheme; the error stands in the first one only (RFC 9449 section 7.2)."""
    tells = scheme == refusal.schemes[0]
    return build_challenge(
        scheme=scheme,
        realm=style.realm,
        error=refusal.error if tells else None,
        error_description=refusal.description if tells else None,
        scope=refusal.scope,
        acr_values=refusal.acr_values if tells else (),
        max_age=refusal.max_age if tells else None,
        algs=style.algs if scheme == "DPoP" else (),
        resource_metadata=style.resource_metadata,
    )


@lru_cache(maxsize=1024)
def _render_unavailable(status: int, retry_after: int, *, oauth: bool, vary: str) -> ErrorResponse:
    detail = _VERBOSE["rate_limited" if status == HTTPStatus.TOO_MANY_REQUESTS else "unavailable"]
    oauth_body: dict[str, object] = {"error": "temporarily_unavailable", "error_description": detail}
    body = oauth_body if oauth else _problem(status, detail)
    return _response(status, body, {"retry-after": str(retry_after)}, oauth, vary)


def _problem(status: int, detail: str | None) -> dict[str, object]:
    detail = detail or "An access token is needed"
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}


def _problem_body(refusal: _Refusal) -> dict[str, object]:
    body = _problem(refusal.status, refusal.description)
    return body if refusal.error is None else body | {"error": refusal.error} | _needs(refusal)


def _oauth_body(refusal: _Refusal) -> dict[str, object]:
    if refusal.error is None:
        return {"detail": "An access token is needed"}
    return {"error": refusal.error, "error_description": refusal.description} | _needs(refusal)


def _needs(refusal: _Refusal) -> dict[str, object]:
    """Say what would be enough, in the words of the challenge."""
    needs: dict[str, object] = {"scope": " ".join(refusal.scope), "acr_values": " ".join(refusal.acr_values)}
    needs = {name: value for name, value in needs.items() if value}
    return needs if refusal.max_age is None else needs | {"max_age": refusal.max_age}


def _response(
    status: int,
    body: dict[str, object],
    extra: dict[str, str],
    oauth: bool,  # noqa: FBT001 - passed on as it came
    vary: str,
) -> ErrorResponse:
    """Make a response; the body of a problem ends where the UUID of its instance comes (RFC 9457 section 3.1.5)."""
    content = json.dumps(body).encode("ascii")
    length = len(content)
    if not oauth:
        content = content[:-1] + _INSTANCE
        length = len(content) + _LENGTH_OF_UUID + len(_END)
    headers = {
        **extra,
        "content-type": _JSON if oauth else _PROBLEM,
        "content-length": str(length),
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
