"""What an OpenAPI document says about the tokens that are needed, and about getting one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from resource_server._protocol.demand import Demand
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.openapi import (
    SCHEME_NAMES,
    describe_flows,
    describe_security,
    spell_alternatives,
)
from resource_server._protocol.scopes import Scopes, all_of, any_of
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


def secured(*entries: dict[str, list[str]]) -> dict[str, Any]:
    """Write a document as a framework does, with an operation that has this security."""
    names = {name for entry in entries for name in entry}
    return {
        "paths": {"/x": {"get": {"security": list(entries)}, "post": {}}},
        "components": {"securitySchemes": {name: {"type": "http", "scheme": "bearer"} for name in sorted(names)}},
    }


BY_SERVER, OFF, OPTIONAL, REQUIRED = (SCHEME_NAMES[mode] for mode in (None, "off", "optional", "required"))


@pytest.mark.parametrize(
    ("scopes", "texts"),
    [
        (all_of(), []),
        (all_of("a", "b"), ["a", "b"]),
        (any_of("a", "b"), ["a | b"]),
        ("c" & any_of("a", all_of("b", "d")), ["c a | c b d"]),
        (any_of("a", all_of()), ["a | "]),
    ],
)
def test_spelling(scopes: Scopes, texts: list[str]) -> None:
    """What is needed together is a list, alternatives are one text; read back it is the same demand."""
    assert spell_alternatives(scopes) == texts
    document = secured({BY_SERVER: texts})
    describe_security(document, "off")
    found = document["paths"]["/x"]["get"]["security"]
    assert found == [{"BearerToken": list(alternative)} for alternative in scopes.alternatives]


@pytest.mark.parametrize(
    ("names", "server", "offered"),
    [
        ([BY_SERVER], "off", ["BearerToken"]),
        ([BY_SERVER], "optional", ["BearerToken", "DPoPToken"]),
        ([BY_SERVER], "required", ["DPoPToken"]),
        ([OFF], "required", ["BearerToken"]),
        ([OPTIONAL], "off", ["BearerToken", "DPoPToken"]),
        ([REQUIRED], "off", ["DPoPToken"]),
        ([BY_SERVER, OPTIONAL], "off", ["BearerToken", "DPoPToken"]),
        ([OPTIONAL, REQUIRED], "off", ["DPoPToken"]),
        ([REQUIRED, OPTIONAL], "off", ["DPoPToken"]),
        ([OFF, OPTIONAL], "off", ["BearerToken", "DPoPToken"]),
        ([OPTIONAL, OFF], "required", ["BearerToken"]),
    ],
)
def test_schemes(names: list[str], server: Demand, offered: list[str]) -> None:
    """The schemes are those of the route, as a requirement combines what is said of it, or else the server's."""
    document = secured(*({name: [f"s{number}"]} for number, name in enumerate(names)))
    for _ in range(2):
        describe_security(document, server)
        scopes = [f"s{number}" for number in range(len(names))]
        assert document["paths"]["/x"]["get"]["security"] == [{scheme: scopes} for scheme in offered]
        assert sorted(document["components"]["securitySchemes"]) == sorted(offered)
        assert document["paths"]["/x"]["post"] == {}


def test_security_besides() -> None:
    """Schemes of the application's own, and operations with nothing else, stay as they are."""
    document = secured({"Own": ["of their | own"]}, {BY_SERVER: ["a", "a", "b | a"]})
    document["paths"]["/y"] = {"get": {"security": [{"Own": []}]}}
    describe_security(document, "off")
    assert document["paths"]["/x"]["get"]["security"] == [
        {"BearerToken": ["a", "b"]},
        {"BearerToken": ["a"]},
        {"Own": ["of their | own"]},
    ]
    assert document["paths"]["/y"]["get"]["security"] == [{"Own": []}]
    assert document["components"]["securitySchemes"]["Own"] == {"type": "http", "scheme": "bearer"}
    others: list[dict[str, Any]] = [{}, {"paths": {}}, secured({"Own": []})]
    for other in others:
        unchanged = copy.deepcopy(other)
        describe_security(unchanged, "required")
        assert unchanged == other


def test_descriptions() -> None:
    """The schemes are those of HTTP, by their registered names; the first names can be read as they are, too."""
    document = secured({BY_SERVER: ["a"]})
    describe_security(document, "optional")
    assert document["components"]["securitySchemes"] == {
        "BearerToken": {"type": "http", "scheme": "bearer", "description": "An OAuth 2.0 access token."},
        "DPoPToken": {"type": "http", "scheme": "DPoP", "description": "An OAuth 2.0 access token bound to a key."},
    }
    describe_flows(document, "BearerToken", BOTH)
    token = {"tokenUrl": TOKEN, "scopes": {"a": "a"}}
    assert document["components"]["securitySchemes"]["BearerToken"] == {
        "type": "oauth2",
        "description": "An OAuth 2.0 access token.",
        "flows": {"clientCredentials": token, "authorizationCode": {"authorizationUrl": AUTHORIZE, **token}},
    }
    assert SCHEME_NAMES == {
        None: "AccessToken",
        "off": "AccessTokenOfBearer",
        "optional": "AccessTokenOfAnybody",
        "required": "AccessTokenOfKeyHolder",
    }
