"""Whatever is sent, the mock answers, and what it answers is never a failure of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_as import MockAS
from mock_as.messages import FORM_TYPE

TEXT = st.text(st.characters(exclude_categories=()))  # half characters included, which JSON can carry
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "sub", "client_id", "scope", "format", "aud", "expires_in", "nbf_in", "iat_in", "alg", "claims", "header", "key",
    "known", "defect", "token", "id", "all", "overlap", "freeze", "advance", "offset", "endpoint", "action", "status",
    "retry_after", "times", "body", "headers", "match",
]  # fmt: skip
PATHS = ["/tokens", "/tokens/revoke", "/tokens/expire", "/keys/rotate", "/clock", "/faults"]
LIKELY = st.sampled_from(["introspect", "jwks", "*", "timeout", "status(204)", "jwt", "opaque", "ES256", "unpublished"])


def post(path: str, content: bytes, content_type: str) -> httpx.Response:
    """Send a request to a new mock."""

    async def send() -> httpx.Response:
        mock = MockAS()
        headers = {"Content-Type": content_type}
        async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
            return await client.post(path, content=content, headers=headers, auth=mock.credentials("rs"))

    return asyncio.run(send())


@settings(max_examples=150)
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(FIELDS), LIKELY | JSON, max_size=4))
def test_control_plane_never_fails(path: str, document: dict[str, Any]) -> None:
    """Any document at all is either done or refused: there is no third way."""
    response = post(f"/_mock{path}", json.dumps(document).encode(), "application/json")
    assert response.status_code in {200, 201, 400, 422}


@settings(max_examples=100)
@given(st.sampled_from(["/token", "/introspect", "/revoke"]), st.binary(max_size=200))
def test_endpoints_never_fail(path: str, content: bytes) -> None:
    """Any form at all is answered: well, or with an error that OAuth has."""
    response = post(path, content, FORM_TYPE)
    assert response.status_code in {200, 400, 401}
    assert isinstance(response.json(), dict)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_credentials_never_fail(credentials: bytes) -> None:
    """Any Authorization header at all is answered: whoever is not let in is told so."""

    async def send() -> httpx.Response:
        mock = MockAS()
        header = b"Basic " + credentials.replace(b"\r", b"").replace(b"\n", b"")
        async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
            return await client.post("/introspect", data={"token": "x"}, headers=[(b"Authorization", header)])

    assert asyncio.run(send()).status_code == 401
