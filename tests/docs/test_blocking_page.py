"""The application of docs/blocking.md does what the page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from mock_as import MockAS
from resource_server import parse_challenges
from tests.docs.pages import run_python


def call(app: Any, **environ: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """Send one request to a WSGI application that is held to the standard, and return the response."""
    setup_testing_defaults(environ)
    environ["QUERY_STRING"] = ""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        begun.append((status, headers))
        return lambda _: None

    answer: Any = validator(app)(environ, start_response)
    body = b"".join(answer)
    answer.close()
    return (*begun[0], body)


@pytest.mark.parametrize(
    ("scope", "status"), [("orders:read", "200 OK"), ("orders:write", "403 Forbidden"), (None, "401 Unauthorized")]
)
def test_the_application_of_the_page(environment: Path, mock_as_server: MockAS, scope: str | None, status: str) -> None:
    """A good token is let in, one that grants too little is not, and no token is challenged."""
    page = run_python("docs/blocking.md")
    fields: dict[str, str] = {}
    if scope is not None:
        fields["HTTP_AUTHORIZATION"] = mock_as_server.token(sub="alice", scope=scope).bearer["Authorization"]
    found, headers, body = call(page["app"], **fields)
    subject = page["subject_of"](fields.get("HTTP_AUTHORIZATION", "Bearer none").removeprefix("Bearer "))
    page["rs"].close()
    assert found == status
    assert subject == ("alice" if scope == "orders:read" else None)
    challenges = [parse_challenges(value) for name, value in headers if name == "www-authenticate"]
    if scope == "orders:read":
        assert (body, challenges) == (b"Hello, alice", [])
    else:
        [[challenge]] = challenges
        assert challenge.scheme == "bearer"
