"""Whatever is sent to the control plane, it answers, and a refusal changes nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_as import Clock, MockAS
from mock_as.control import create_control_app
from mock_as.members import as_members
from tests.mock_as.reading import problem

OPENAPI = create_control_app().openapi()
ROUTES = [
    pytest.param(method, path, operation, id=f"{method} {path}")
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
    if "requestBody" in operation or ("{" in path and not path.endswith(("/wait", "/key")))
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
NAMES = [
    "alice",
    "svc",
    "rs",
    "tok-1",
    "introspect",
    "503",
    "jwt",
    "ES256",
    "opaque",
    "read",
    "strict",
    "keys",
    "https://x.test",
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NAMES)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def members_of(operation: dict[str, Any]) -> list[str]:
    """Return the names of the members that a route takes."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    references = [schema["$ref"].rpartition("/")[2] for schema in body.get("anyOf", [body]) if "$ref" in schema]
    return [name for reference in references for name in OPENAPI["components"]["schemas"][reference]["properties"]]


def fingerprint(mock: MockAS) -> Any:
    """Return everything that a request could have changed."""
    registries = [[as_members(entry) for entry in kind.values()] for kind in (mock.clients, mock.users, mock.resources)]
    tokens = [(record.token.id, dict(record.token.claims), record.revoked) for record in mock.tokens.select()]
    faults = [fault.describe() for fault in mock.faults]
    clock = (mock.clock.offset, mock.clock.frozen)
    return registries, tokens, faults, clock, mock.keys.describe(), mock.options, mock.metadata_edits, [*mock.tenants]


async def send(mock: MockAS, method: str, path: str, body: bytes) -> httpx.Response:
    """Send a body to the control plane."""
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        return await client.request(method, path, content=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "operation"), ROUTES)
@settings(max_examples=15)
@given(data=st.data())
def test_every_body_is_answered(method: str, path: str, operation: dict[str, Any], data: st.DataObject) -> None:
    """No body and no path makes the server fail, and what is refused has changed nothing."""
    mock = MockAS(clock=Clock(lambda: 1_700_000_000))
    mock.token()
    names = members_of(operation)
    objects = st.dictionaries(st.sampled_from(names), VALUES, max_size=4) if names else VALUES
    body = json.dumps(data.draw(objects | VALUES)).encode()
    for name in [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"]:
        drawn = data.draw(st.sampled_from([*NAMES, "publish", "delete"]) | TEXT)
        path = path.replace(f"{{{name}}}", quote(drawn, safe=""))
    before = fingerprint(mock)
    response = asyncio.run(send(mock, method, path, body))
    assert response.status_code < 500
    if response.is_client_error:
        assert problem(response)["title"]
        assert fingerprint(mock) == before
