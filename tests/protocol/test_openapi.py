"""What an OpenAPI document says about getting a token."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from resource_server._protocol.metadata import Metadata
from resource_server._protocol.openapi import describe_flows
from tests.support.jwt import ISSUER

TOKEN, AUTHORIZE = f"{ISSUER}/token", f"{ISSUER}/authorize"
BOTH = Metadata(issuer=ISSUER, token_endpoint=TOKEN, authorization_endpoint=AUTHORIZE)
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/orders": {
            "summary": "Orders, and their security",
            "parameters": [{"name": "security", "in": "query"}],
            "get": {"security": [{"BearerToken": ["read"]}]},
            "post": {"security": [{"BearerToken": ["write", "read"]}, {"Other": ["x"]}]},
        },
        "/health": {"get": {}},
    },
    "components": {"securitySchemes": {"BearerToken": {"type": "http", "scheme": "bearer"}, "Other": {"type": "http"}}},
}


def described(metadata: Metadata, document: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """Describe the flows in a copy of a document."""
    changed = copy.deepcopy(document)
    describe_flows(changed, "BearerToken", metadata)
    return changed


@pytest.mark.parametrize(
    ("metadata", "flows"),
    [
        pytest.param(BOTH, {"clientCredentials", "authorizationCode"}, id="both endpoints"),
        pytest.param(Metadata(issuer=ISSUER, token_endpoint=TOKEN), {"clientCredentials"}, id="a token endpoint"),
    ],
)
def test_flows(metadata: Metadata, flows: set[str]) -> None:
    """RFC 8414 §2: each flow whose endpoints are known is described, with every scope that an operation names."""
    scheme = described(metadata)["components"]["securitySchemes"]["BearerToken"]
    assert scheme["type"] == "oauth2"
    assert scheme["flows"].keys() == flows
    for flow in scheme["flows"].values():
        assert flow["tokenUrl"] == TOKEN
        assert flow["scopes"] == {"read": "read", "write": "write"}
    assert {flow.get("authorizationUrl") for flow in scheme["flows"].values()} <= {None, AUTHORIZE}


def test_the_rest_is_left_alone() -> None:
    """Nothing but the scheme of that name changes: not another scheme, and no operation."""
    changed = described(BOTH)
    changed["components"]["securitySchemes"]["BearerToken"] = DOCUMENT["components"]["securitySchemes"]["BearerToken"]
    assert changed == DOCUMENT


@pytest.mark.parametrize(
    "metadata",
    [Metadata(issuer=ISSUER), Metadata(issuer=ISSUER, authorization_endpoint=AUTHORIZE)],
    ids=["none", "one"],
)
def test_no_token_endpoint(metadata: Metadata) -> None:
    """RFC 8414 §2: without a token endpoint there is no flow to describe, and the scheme stays as it was."""
    assert described(metadata) == DOCUMENT


@pytest.mark.parametrize(
    "document", [{}, {"paths": {}}, {"components": {"securitySchemes": {"Other": {"type": "http"}}}}]
)
def test_no_such_scheme(document: dict[str, Any]) -> None:
    """A document without a protected operation is left as it is."""
    assert described(BOTH, document) == document
