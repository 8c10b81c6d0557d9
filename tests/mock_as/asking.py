"""Ask the token endpoint as clients do, and insist on how it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import httpx

from mock_as import MockAS
from mock_as.keys.of_clients import key_pair
from mock_as.keys.signing import SigningKey
from mock_as.messages import encode_json
from tests.mock_as.reading import directives, is_json

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT_CREDENTIALS = {"grant_type": "client_credentials"}

_numbers = itertools.count(1)


async def ask(
    client: httpx.AsyncClient,
    form: Mapping[str, Any],
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    path: str = "/token",
) -> httpx.Response:
    """Send a form to an endpoint, by default to that for tokens."""
    if auth is None:
        return await client.post(path, data=dict(form), headers=headers)
    return await client.post(path, data=dict(form), headers=headers, auth=auth)


def assertion(
    mock: MockAS,
    client_id: str = "svc.jwt",
    key: SigningKey | None = None,
    header: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """Sign an assertion that is good, but for what is said differently; None leaves a claim out."""
    signer = key_pair(client_id).key if key is None else key
    now = int(mock.clock.now())
    said = {
        "iss": client_id,
        "sub": client_id,
        "aud": mock.issuer,
        "exp": now + 60,
        "iat": now,
        "jti": f"jti-{next(_numbers)}",
        **claims,
    }
    payload = {name: value for name, value in said.items() if value is not None}
    return signer.jws({"typ": "JWT", **(header or {})}, encode_json(payload))


def with_assertion(text: str, form: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a form in which a client authenticates by an assertion."""
    return {
        **(CLIENT_CREDENTIALS if form is None else form),
        "client_assertion": text,
        "client_assertion_type": ASSERTION_TYPE,
    }


def assert_refused(response: httpx.Response, error: str, status: int = 400, about: str | None = None) -> None:
    """Insist on an error as RFC 6749 section 5.2 has it."""
    document = response.json()
    assert (response.status_code, document["error"]) == (status, error), document
    assert is_json(response)
    assert "no-store" in directives(response)
    assert set(document) <= {"error", "error_description"}
    if about is not None:
        assert about in document["error_description"]
    assert ("www-authenticate" in response.headers) == (status == 401)


def record_of(mock: MockAS, response: httpx.Response) -> Any:
    """Return what the server remembers about the access token of an answer."""
    assert response.status_code == 200, response.json()
    record = mock.tokens.find(response.json()["access_token"])
    assert record is not None
    return record
