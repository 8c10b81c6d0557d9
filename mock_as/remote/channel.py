"""Ask the control plane of another process.

References: RFC 9457 (what it says when something is wrong)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote

import httpx

from mock_as.errors import UsageError
from mock_as.members import as_members
from mock_as.messages import encode_json
from mock_as.tokens import Token

_NOT_FOUND, _TIMEOUT, _UNPROCESSABLE = 404, 408, 422
_GRACE = 5.0


class ControlPlaneError(RuntimeError):
    """The control plane refused a request, for another reason than a value in it.

    Args:
        status: the HTTP status.
        message: what it said.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class Channel:
    """Asks a control plane.

    Args:
        client: sends the requests.
        base: the URL of the issuer, without a slash at its end.
        admin_token: the token of the control plane, if it has one.
    """

    def __init__(self, client: httpx.Client, base: str, admin_token: str | None) -> None:
        self._base = base
        self._client = client
        self._headers = {} if admin_token is None else {"authorization": f"Bearer {admin_token}"}

    def ask(self, method: str, path: str, document: object = None, **query: object) -> dict[str, Any]:
        """Ask for something, and return the answer.

        Args:
            method: the HTTP method.
            path: what comes after ``/_mock``.
            document: what to send as JSON.
            query: the parameters of the URL; one that is ``None`` is left out, and a list is several of a name.

        Raises:
            UsageError: a value cannot be acted on.
            LookupError: what the path names is not there.
            TimeoutError: what was waited for did not happen.
            ControlPlaneError: it was refused for another reason.
            httpx.TransportError: the server could not be reached.
        """
        response = self._client.request(
            method,
            f"{self._base}/_mock{path}",
            content=None if document is None else _encoded(document),
            params=[(name, str(part)) for name, value in query.items() for part in _several(value)],
            headers=self._headers if document is None else {**self._headers, "content-type": "application/json"},
            timeout=float(str(query.get("timeout", 0))) + _GRACE,
        )
        answer = _document(response)
        if not response.is_success:
            raise _error(response.status_code, answer)
        return answer


def _several(value: object) -> list[object]:
    if isinstance(value, list):
        return cast("list[object]", value)
    return [] if value is None else [value]


def _encoded(document: object) -> bytes:
    try:
        return encode_json(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError("body", f"cannot be sent as JSON: {error}") from error


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ControlPlaneError(response.status_code, "is not an answer of the control plane of mock_as")
    return cast("dict[str, Any]", document)


def _error(status: int, problem: dict[str, Any]) -> Exception:
    errors = problem.get("errors") or []
    if status == _UNPROCESSABLE and errors:
        return UsageError(errors[0]["field"], errors[0]["message"])
    message = str(problem.get("detail") or problem.get("title"))
    kinds = {_TIMEOUT: TimeoutError, _NOT_FOUND: LookupError}
    return kinds[status](message) if status in kinds else ControlPlaneError(status, message)


def segment(name: str) -> str:
    """Return a name as one segment of a path.

    Args:
        name: the name.
    """
    return quote(name, safe="")


def text_of(token: Token | str) -> str:
    """Return the text of a token, or its id where only that is known.

    Args:
        token: the token, its text or its id.
    """
    return token.value if isinstance(token, Token) else token


def differences(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Return what a dataclass says beside its defaults, as JSON has it.

    Args:
        value: the dataclass.

    Raises:
        UsageError: JSON has no such value.
    """
    fields = {item.name: item for item in dataclasses.fields(value)}
    changed = {name: member for name, member in as_members(value).items() if member != fields[name].default}
    return {name: plain(name, member) for name, member in changed.items()}


def plain(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON holds any value
    """Return a value as JSON has it: tokens by their texts, bytes as text, several as a list.

    Args:
        name: the name of the member, for the message of the error.
        value: the value.

    Raises:
        UsageError: it has bytes that are no UTF-8.
    """
    if isinstance(value, Token):
        return value.value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise UsageError(name, "must be UTF-8 to be sent to another process") from None
    if isinstance(value, Mapping):
        return {key: plain(name, member) for key, member in value.items()}
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
