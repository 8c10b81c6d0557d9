"""What holds for every answer of the resource server, in one place; and the canaries that no log may show.

References: RFC 6750 sections 3 and 5.3, RFC 9110 sections 5.5 and 11, RFC 9111 section 5.2.2, RFC 9457 sections 3 and 4
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.support.answer import Answer
from tests.support.headers import bearer_params
from tests.support.instance import instance_in

CLIENT_SECRET = "client-secret-canary"
PRESENTED: set[str] = set()
"""The tokens that the running test has presented; made-up ones are called canaries instead, wherever they stand."""

_SHORTEST_SECRET = 8
# At DEBUG these write down every header field of a WebSocket's handshake; what servers and clients log is theirs.
_HANDSHAKES = {"uvicorn.error", "websockets.client"}
_OURS = (400, 401, 403, 503)
_PROBLEM, _OAUTH = "application/problem+json", "application/json"


def assert_promises(answer: Answer) -> dict[str, str]:
    """Assert what holds for every answer, and return the parameters of the challenge where it is a refusal.

    No server error but a 503 with Retry-After; a challenge with every 401 and 403 that parses strictly, no parameter
    twice; no-store; no cookie; nothing that a shared cache could read as permission to keep it; a body that
    agrees with the header; no token and no secret anywhere.
    """
    assert answer.status < 500 or answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert_keeps_secrets(_text(answer))
    fields = [(name.lower(), value) for name, value in answer.headers]
    assert all(char >= " " and char != "\x7f" for _, value in fields for char in value)
    assert "set-cookie" not in dict(fields)
    assert _cache_directives(fields).isdisjoint({"public", "must-revalidate", "s-maxage"})
    if answer.status not in _OURS or (answer.status == HTTPStatus.BAD_REQUEST and not _challenges(fields)):
        return {}  # the application's own answer
    assert _cache_directives(fields) == {"no-store"}
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        assert int(dict(fields)["retry-after"]) >= 1
        assert _challenges(fields) == []
        _assert_body(answer, fields, None)
        return {}
    params = bearer_params(", ".join(_challenges(fields)))
    _assert_body(answer, fields, params.get("error"))
    return params


def assert_refused(
    answer: Answer, status: int, error: str | None = None, *, scope: str | None = None, forbidden: bool = False
) -> dict[str, str]:
    """Assert a refusal, and everything that holds for each of them.

    Args:
        answer: what came back.
        status: the status expected.
        error: the error code expected; without one no error information may be there at all (RFC 6750 section 3.1).
        scope: the scope tokens expected, separated by spaces, in any order; ``None`` where there must be none.
        forbidden: a 403 stands for a 401.

    Returns:
        The challenge's parameters.
    """
    assert answer.status == status
    params = assert_promises(answer)
    assert params["realm"]
    assert params.get("error") == error
    assert sorted(params.get("scope", "").split()) == sorted((scope or "").split())
    assert ("error_description" in params) == (error is not None)
    assert "error_uri" not in params
    statuses = {None: 401, "invalid_token": 401, "invalid_request": 400, "insufficient_scope": 403}
    assert status == (403 if forbidden else statuses[error])
    return params


def assert_unavailable(answer: Answer, retry_after: int | None = None) -> None:
    """Assert a 503 that says when to come back, and challenges nobody."""
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert_promises(answer)
    found = next(int(value) for name, value in answer.headers if name.lower() == "retry-after")
    assert retry_after in (None, found)


def assert_keeps_secrets(text: str) -> None:
    """Assert that no token presented and nothing that is called a canary is in a text."""
    assert [token for token in PRESENTED if len(token) >= _SHORTEST_SECRET and token in text] == []
    assert "canary" not in text


@pytest.fixture(autouse=True)
def logs_keep_secrets(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Log everything at DEBUG, and find no token and no secret in it afterwards."""
    PRESENTED.clear()
    caplog.set_level(logging.DEBUG)
    yield
    formatter = logging.Formatter("%(name)s %(message)s %(args)r")
    records = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    records = [record for record in records if record.name not in _HANDSHAKES]
    assert_keeps_secrets("\n".join(map(formatter.format, records)))


def _challenges(fields: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in fields if name == "www-authenticate"]


def _cache_directives(fields: list[tuple[str, str]]) -> set[str]:
    values = [value for name, value in fields if name == "cache-control"]
    return {part.strip().partition("=")[0].lower() for value in values for part in value.split(",")}


def _assert_body(answer: Answer, fields: list[tuple[str, str]], error: str | None) -> None:
    """Assert that the body says what the header says, and nothing else (RFC 9457 section 3)."""
    headers = dict(fields)
    if not answer.body:  # an answer to HEAD
        return
    assert int(headers["content-length"]) == len(answer.body)
    body: dict[str, Any] = json.loads(answer.body)
    if headers["content-type"] == _PROBLEM:
        assert set(body) <= {"type", "title", "status", "detail", "error", "scope", "instance"}
        assert instance_in(answer.body) or "detail" not in body  # a proxy's own words, where nobody could be asked
        assert (body["type"], body["title"]) == ("about:blank", HTTPStatus(answer.status).phrase)
        assert body["status"] == answer.status
        assert body.get("error") == error
    else:
        assert headers["content-type"] == _OAUTH
        assert set(body) <= {"detail", "error", "error_description", "scope"}
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE or body.get("error") == error


def _text(answer: Answer) -> str:
    return repr(answer.headers) + answer.body.decode("utf-8", "replace")
