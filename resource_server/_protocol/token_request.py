"""Ask the token endpoint for a token, and judge its answer.

References: RFC 6749 sections 4.4.2, 5.1 and 5.2, RFC 8693 sections 2.1 and 2.2, RFC 8707 section 2
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import urlencode

from resource_server._protocol.answers import read_json_object, status_fault
from resource_server._protocol.grammar import TOKEN68
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._protocol.strict_json import StrictJSONError, loads_object
from resource_server.errors import TokenError

MAX_TOKEN_RESPONSE_BYTES = 65_536
DEFAULT_LIFETIME, MAX_LIFETIME = 60.0, 86_400.0
"""Seconds: how long a token is used whose lifetime is not told, and how long any is."""
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type
_TYPES = (ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt")

_ERRORS: dict[object, TokenError] = {error: error for error in get_args(TokenError) if error != "unsupported_token"}


@dataclass(frozen=True, slots=True)
class GrantedToken:
    """A bearer token, and for how long it is good."""

    value: str = field(repr=False)
    lifetime: float
    """Seconds from the moment it was asked for."""


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The authorization server has answered, and we have no token."""

    error: TokenError


TokenAnswer = GrantedToken | TokenRefused | Unavailable


def token_request(endpoint: str, form: Iterable[tuple[str, str]]) -> HTTPRequest:
    """Build a token request; who sends it is added to it.

    Args:
        endpoint: the token endpoint's URL.
        form: its parameters; some may be there more than once.
    """
    return HTTPRequest(
        method="POST",
        url=endpoint,
        endpoint="token",
        max_bytes=MAX_TOKEN_RESPONSE_BYTES,
        headers=(("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")),
        body=urlencode(list(form)).encode("ascii"),
        priority=True,
    )


def process_token_response(response: HTTPResponse, now: float) -> TokenAnswer:
    """Judge an answer of the token endpoint.

    Args:
        response: the answer, read whole.
        now: seconds since the epoch.
    """
    if response.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        error = _ERRORS.get(_error_code(response))
        return status_fault(response, now) if error is None else TokenRefused(error)
    members = read_json_object(response, now)
    return members if isinstance(members, Unavailable) else _read(members)


def _read(members: dict[str, Any]) -> TokenAnswer:
    value, kind = members.get("access_token"), members.get("token_type")
    if not isinstance(value, str) or not isinstance(kind, str) or not TOKEN68.fullmatch(value.encode()):
        return Unavailable("not_a_token_response")
    # RFC 6749 section 7.1: what we do not know how to use must not be used.
    if kind.lower() != "bearer" or members.get("issued_token_type", ACCESS_TOKEN) not in _TYPES:
        return TokenRefused("unsupported_token")
    return GrantedToken(value, _lifetime(members.get("expires_in")))


def _lifetime(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return DEFAULT_LIFETIME
    return min(max(0.0, float(expires_in)), MAX_LIFETIME)


def _error_code(response: HTTPResponse) -> object:
    try:
        code = loads_object(response.body).get("error")
    except StrictJSONError:
        return None
    return code if isinstance(code, str) else None
