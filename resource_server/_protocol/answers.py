"""What every answer of an authorization server is held to, before its content is looked at.

References: RFC 9110 sections 10.2.3 and 15, RFC 9111 section 5.2.2
"""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._protocol.strict_json import StrictJSONError, loads_object

_PASSING_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.TOO_EARLY})
_DELTA_SECONDS = re.compile(r"[0-9]+")
_CHARSET = re.compile(r';[ \t]*charset="?([^";\s]*)"?', re.IGNORECASE)
_DAY = 86_400.0


def read_json_object(
    response: HTTPResponse, now: float, media_types: tuple[str, ...] = ("application/json",)
) -> dict[str, Any] | Unavailable:
    """Read a JSON object out of a 200 answer, or say why it cannot be relied on.

    Args:
        response: the answer.
        now: seconds since the epoch, to read a ``Retry-After`` date.
        media_types: the media types this endpoint may answer with.
    """
    if response.status != HTTPStatus.OK:
        return status_fault(response, now)
    charset = _CHARSET.search(response.header("content-type") or "")
    if response.media_type not in media_types or (charset is not None and charset.group(1).lower() != "utf-8"):
        return Unavailable("content_type")
    try:
        return loads_object(response.body)
    except StrictJSONError:
        return Unavailable("not_json")


def status_fault(response: HTTPResponse, now: float) -> Unavailable:
    """Sort a status other than 200 into what passes by itself and what waits for somebody."""
    cause = f"status_{response.status}"
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in _PASSING_STATUS:
        return Unavailable(cause, retry_after(response, now))
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        return Unavailable(cause)
    return Unavailable(cause, fault="configuration")


def retry_after(response: HTTPResponse, now: float) -> float | None:
    """Read ``Retry-After`` as seconds from now: a number or a date; at most a day, ``None`` where it is neither."""
    value = (response.header("retry-after") or "").strip()
    if _DELTA_SECONDS.fullmatch(value):
        return min(float(value), _DAY)
    moment = _moment(value)
    return None if moment is None else min(max(0.0, math.ceil(moment - now)), _DAY)


def clock_skew(response: HTTPResponse, now: float) -> float | None:
    """Tell by how many seconds the server's clock is ahead of ours; ``None`` where its ``Date`` does not say.

    An answer with an ``Age`` was made earlier, and comes out of a cache.

    Args:
        response: the answer, just received.
        now: seconds since the epoch.

    References: RFC 9110 section 6.6.1, RFC 9111 section 5.1
    """
    moment = None if response.header("age") is not None else _moment(response.header("date") or "")
    return None if moment is None else moment - now


def max_age(response: HTTPResponse) -> float | None:
    """Read ``Cache-Control: max-age`` in seconds; 0 for no-store and no-cache, ``None`` for nothing usable."""
    found: float | None = None
    for directive in (response.header("cache-control") or "").lower().split(","):
        name, _, value = (part.strip() for part in directive.partition("="))
        if name in ("no-store", "no-cache"):
            return 0.0
        if name == "max-age":
            if found is not None or not _DELTA_SECONDS.fullmatch(value):
                return None
            found = float(value)
    return found


def _moment(value: str) -> float | None:
    """Read an HTTP date as seconds since the epoch."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # An HTTP date is in UTC in each of its three forms (RFC 9110 section 5.6.7), and one of them does not say so.
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
