"""Responses as the developer tools of browsers have them in JSON: a HAR file, one entry of it, or one response."""

from __future__ import annotations

import json
from typing import Any

from resource_server._explain.answer import Answer, Sent, UnreadableError


def read_json(text: str) -> tuple[Answer, ...]:
    """Read responses.

    Args:
        text: a HAR document, one entry of it, or an object with ``status``, ``headers`` and perhaps ``body``.

    Raises:
        UnreadableError: it is no JSON, or there is no status in it.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("this is not JSON") from None
    entries = _member(_member(document, "log"), "entries")
    if not isinstance(entries, list):
        entries = document if isinstance(document, list) else [document]
    answers = tuple(answer for answer in map(_read_entry, entries) if answer is not None)
    if not answers:
        raise UnreadableError("this JSON has no response with a status")
    return answers


def _read_entry(entry: object) -> Answer | None:
    response = _member(entry, "response") or entry
    status = _member(response, "status") or _member(response, "statusCode")
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:  # noqa: PLR2004
        return None
    reason = _member(response, "statusText")
    body = _member(_member(response, "content"), "text") or _member(response, "body") or ""
    return Answer(
        status,
        reason if isinstance(reason, str) else "",
        tuple(_read_fields(_member(response, "headers"))),
        body if isinstance(body, str) else json.dumps(body),
        _read_sent(_member(entry, "request")),
    )


def _read_fields(headers: object) -> list[tuple[str, str]]:
    """Read an object by names, or a list of objects with ``name`` and ``value``."""
    found: list[tuple[object, object]] = []
    if isinstance(headers, dict):
        for name, value in headers.items():
            found += [(name, item) for item in (value if isinstance(value, list) else [value])]
    elif isinstance(headers, list):
        found = [(_member(item, "name"), _member(item, "value")) for item in headers]
    return [
        (name.lower(), str(value)) for name, value in found if isinstance(name, str) and isinstance(value, str | int)
    ]


def _read_sent(request: object) -> Sent | None:
    if request is None:
        return None
    values = [value for name, value in _read_fields(_member(request, "headers")) if name == "authorization"]
    scheme, _, secret = (values or [""])[0].partition(" ")
    return Sent(scheme.lower() or None, secret.strip())


def _member(value: Any, name: str) -> Any:  # noqa: ANN401 - JSON
    return value.get(name) if isinstance(value, dict) else None
