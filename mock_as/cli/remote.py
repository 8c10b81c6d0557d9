"""Ask a running server, with nothing but the standard library: a command is over before httpx is loaded."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from mock_as.errors import UsageError

URL = "MOCK_AS_URL"
"""The variable that says where the server is."""
_PATIENCE = 10.0
_INVALID = 422
# A proxy that the environment names for the world outside is none for a server of the tests.
_opener = build_opener(ProxyHandler({}))
_ARGUMENTS = frozenset({"action", "endpoint", "kid", "token"})


class RemoteError(Exception):
    """The server cannot be reached, or says no."""


def base_url() -> str:
    """Return where the server is: as the environment says it, or where it listens by default.

    Raises:
        UsageError: the environment says something that is no URL.
    """
    port = os.environ.get("MOCK_AS_ADMIN_PORT") or os.environ.get("MOCK_AS_PORT", "9000")
    url = os.environ.get(URL, f"http://127.0.0.1:{port if port.isdigit() else 9000}")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise UsageError(URL, "is not an http(s) URL")
    return url.rstrip("/")


def call(method: str, *path: str, body: object = None, **query: object) -> dict[str, Any]:
    """Ask the control plane.

    Args:
        method: the method.
        path: the segments of the path, after ``/_mock``.
        body: what is sent as JSON; ``None`` to send nothing.
        query: parameters; those that are ``None`` are left out.

    Returns:
        The document that it answers.

    Raises:
        RemoteError: it cannot be reached, or says no.
        UsageError: it says that a value cannot be used.
    """
    said = {name: value for name, value in query.items() if value is not None}
    request = Request(  # noqa: S310 - base_url() has looked at the scheme
        "/".join([base_url(), "_mock", *(quote(segment, safe="") for segment in path)])
        + (f"?{urlencode(said)}" if said else ""),
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **_authorization()},
    )
    with _sent(request, _PATIENCE) as response:
        return _document(response.read())


def introspect(token: str, client: Mapping[str, str]) -> dict[str, Any]:
    """Ask about a token, as a resource server does.

    Args:
        token: the token.
        client: the ``client_id`` and the ``client_secret`` of who asks.

    Raises:
        RemoteError: the server cannot be reached, or says no.

    References: RFC 7662 section 2.1
    """
    pair = ":".join(urlencode({"": client[name]})[1:] for name in ("client_id", "client_secret"))
    request = Request(  # noqa: S310 - base_url() has looked at the scheme
        f"{base_url()}/introspect",
        data=urlencode({"token": token}).encode(),
        headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"},
    )
    with _sent(request, _PATIENCE) as response:
        return _document(response.read())


def events() -> Generator[dict[str, Any]]:
    """Follow the requests, from those that it remembers to those that are still to come, until the server ends.

    Raises:
        RemoteError: it cannot be reached, or says no.
    """
    request = Request(f"{base_url()}/_mock/events?since=0", headers=_authorization())  # noqa: S310 - see above
    with _sent(request, None) as response:
        for line in response:
            if line.startswith(b"data: "):
                yield _document(line.removeprefix(b"data: "))


def _authorization() -> dict[str, str]:
    token = os.environ.get("MOCK_AS_ADMIN_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextmanager
def _sent(request: Request, timeout: float | None) -> Generator[HTTPResponse]:
    try:
        with cast("HTTPResponse", _opener.open(request, timeout=timeout)) as response:
            yield response
    except HTTPError as error:
        with error:
            raise _refusal(error.code, error.read()) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise RemoteError(f"no answer from {base_url()}: {reason}; is it where {URL} says?") from None


def _refusal(status: int, body: bytes) -> Exception:
    """Return what a refusal means: a problem document names the field that is wrong."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    problem: dict[str, Any] = document if isinstance(document, dict) else {}
    errors: list[dict[str, str]] = problem.get("errors") or []
    if status == _INVALID and errors:
        *others, last = [(_spelled(error["field"]), error["message"]) for error in errors]
        return UsageError("; ".join([*(f"{field}: {message}" for field, message in others), last[0]]), last[1])
    said = problem.get("detail") or problem.get("error_description") or problem.get("error") or problem.get("title")
    return RemoteError(f"the server answers {status}" + (f": {said}" if said else ""))


def _spelled(field: str) -> str:
    """Return the name of a field as the command line has it."""
    return field.upper() if field in _ARGUMENTS else f"--{field.replace('_', '-')}"


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RemoteError(f"{base_url()} does not answer in JSON; is it a mock authorization server?")
    return document
