"""Describe how to get a token, in an OpenAPI document: from the authorization server's own metadata.

References: OpenAPI Specification 3.1 section 4.8.28 (OAuth Flows Object), RFC 8414 section 2
"""

from __future__ import annotations

from typing import Any

from resource_server._protocol.metadata import Metadata


def describe_flows(schema: dict[str, Any], scheme: str, metadata: Metadata) -> None:
    """Turn a document's bearer scheme into an OAuth 2.0 one with the flows and scopes a client can ask for.

    Args:
        schema: the OpenAPI document; changed in place, and left alone where it has no such scheme.
        scheme: the name of the security scheme.
        metadata: what the authorization server says of itself; without a token endpoint nothing changes.
    """
    schemes = schema.get("components", {}).get("securitySchemes", {})
    flows = _flows(metadata, _scopes_of(schema, scheme))
    if scheme in schemes and flows:
        schemes[scheme] = {"type": "oauth2", "description": "An OAuth 2.0 access token.", "flows": flows}


def _flows(metadata: Metadata, scopes: dict[str, str]) -> dict[str, Any]:
    token: dict[str, Any] = {"tokenUrl": metadata.token_endpoint, "scopes": scopes}
    code = {"authorizationUrl": metadata.authorization_endpoint, **token}
    flows = {"clientCredentials": token, "authorizationCode": code}
    return {name: flow for name, flow in flows.items() if None not in flow.values()}


def _scopes_of(schema: dict[str, Any], scheme: str) -> dict[str, str]:
    items = [item for path in schema.get("paths", {}).values() for item in path.values()]
    operations = (item for item in items if isinstance(item, dict) and "security" in item)
    demands = (entry.get(scheme, ()) for operation in operations for entry in operation["security"])
    return {scope: scope for demand in demands for scope in demand}
