"""The answers of the gateway, in the form in which each kind of proxy can pass them on.

Caddy, Traefik and Envoy pass on what they get. nginx knows only yes, 401 and 403 from whom it asks, so what is meant
travels in header fields, for its configuration to replay.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import NamedTuple

from resource_server._gateway.identity import NOBODY, Fields
from resource_server._protocol.problem import ErrorResponse

_NOT_FOLDED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_EMPTY: Fields = ((b"content-length", b"0"), (b"cache-control", b"no-store"))
_NO_ERROR: Fields = ((b"x-error-status", b""), (b"x-error-body", b""))


class Answer(NamedTuple):
    """What is sent."""

    status: int
    headers: Fields
    body: bytes = b""
    outcome: int | None = None
    """The status that is meant, where another one is sent."""


def problem(status: HTTPStatus, detail: str) -> ErrorResponse:
    """Make a refusal that has nothing to do with a token."""
    document = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    body = json.dumps(document).encode("ascii")
    headers = (
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
    )
    return ErrorResponse(int(status), headers, body)


NOT_FOUND = problem(HTTPStatus.NOT_FOUND, "There is nothing here")
"""What a hidden 403 looks like, too."""
UNKNOWN_REQUEST = problem(HTTPStatus.FORBIDDEN, "It is not certain which request this is")
MISCONFIGURED = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway cannot judge this request as it is configured")


def _for_nginx(identity: Fields) -> Fields:
    """Leave out the second spelling: nginx reads both as one field, and since 1.23 it joins what they say."""
    return tuple(field for field in identity if not field[0].startswith(b"x_"))


_NOBODY_FOR_NGINX = _for_nginx(NOBODY)


def refuse(refusal: ErrorResponse, *, folded: bool) -> Answer:
    """Answer no.

    Args:
        refusal: what is meant.
        folded: say it as nginx can pass it on.
    """
    if not folded:
        return Answer(refusal.status, refusal.headers + NOBODY, refusal.body)
    status = refusal.status if refusal.status in _NOT_FOLDED else HTTPStatus.FORBIDDEN
    kept = tuple(field for field in refusal.headers if field[0] != b"content-length")
    told: Fields = (
        (b"content-length", b"0"),
        (b"x-error-status", str(refusal.status).encode("ascii")),
        (b"x-error-body", refusal.body),
    )
    return Answer(int(status), kept + told + _NOBODY_FOR_NGINX, b"", refusal.status)


def admit(identity: Fields, *, folded: bool) -> Fields:
    """Return the fields of a yes.

    Args:
        identity: who is let in.
        folded: with what nginx replays, which is empty.
    """
    return (*_EMPTY, *_NO_ERROR, *_for_nginx(identity)) if folded else (*_EMPTY, *identity)
