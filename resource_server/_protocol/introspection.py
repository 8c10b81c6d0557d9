"""Ask about a token, and judge the answer's shape. What the answer says is judged in ``claims``.

References: RFC 7662 sections 2.1 to 2.3
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlencode

from resource_server._protocol.answers import read_json_object, status_fault
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._protocol.strict_json import StrictJSONError, loads_object

MAX_INTROSPECTION_BYTES = 65_536

IntrospectionAnswer = dict[str, Any] | Literal["inactive", "unsupported_token_type"] | Unavailable
"""The members of an active answer; or a no; or "not here, verify it yourself"; or no answer to rely on."""


def introspection_request(
    endpoint: str, token: bytes, *, accept: str = "application/json", priority: bool = False
) -> HTTPRequest:
    """Build the question: the token stands in the body only, never in the URL (RFC 7662 section 2.1).

    Args:
        endpoint: the introspection endpoint's URL.
        token: the access token's exact bytes.
        accept: the media types of answers that are wanted.
        priority: whether the question goes ahead of others that wait.
    """
    form = (("token", token.decode("ascii")), ("token_type_hint", "access_token"))
    return HTTPRequest(
        method="POST",
        url=endpoint,
        endpoint="introspection",
        max_bytes=MAX_INTROSPECTION_BYTES,
        headers=(
            ("accept", accept),
            ("content-type", "application/x-www-form-urlencoded"),
        ),
        body=urlencode(form).encode("ascii"),
        priority=priority,
    )


def process_introspection_response(response: HTTPResponse, now: float) -> IntrospectionAnswer:
    """Judge the shape of an answer. Only the JSON literal ``true`` is a yes, only ``false`` is a no.

    Args:
        response: the answer, read whole.
        now: seconds since the epoch.
    """
    if response.status == HTTPStatus.BAD_REQUEST:
        # Some servers refuse to introspect their own JWTs. That is neither a no nor an outage.
        refused = _error_code(response) == "unsupported_token_type"
        return "unsupported_token_type" if refused else status_fault(response, now)
    members = read_json_object(response, now)
    return members if isinstance(members, Unavailable) else judge_members(members)


def judge_members(members: dict[str, Any]) -> IntrospectionAnswer:
    """Judge what an answer says about the token: only ``true`` is a yes, only ``false`` is a no."""
    active = members.get("active")
    if active is False:
        return "inactive"
    return members if active is True else Unavailable("active_not_boolean")


def _error_code(response: HTTPResponse) -> object:
    try:
        return loads_object(response.body).get("error")
    except StrictJSONError:
        return None
