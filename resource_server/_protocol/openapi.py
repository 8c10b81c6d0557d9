"""Describe in an OpenAPI document what tokens its operations need, and how to get one.

A framework lets a route name a scheme and a list of texts, and has no word for an alternative within one scheme. So
what a route demands is first spelt in that name and those texts, and then, in the whole document, as what it means.

References: OpenAPI Specification 3.1 sections 4.8.27 (Security Scheme Object), 4.8.28 (OAuth Flows Object) and 4.8.30
(Security Requirement Object), RFC 8414 section 2
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resource_server._protocol.demand import Demand
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.scopes import Scopes

SCHEME_NAMES: dict[Demand | None, str] = {
    None: "AccessToken",
    "off": "AccessTokenOfBearer",
    "optional": "AccessTokenOfAnybody",
    "required": "AccessTokenOfKeyHolder",
}
"""What a scheme is called at first, by what a route says of DPoP; ``None`` leaves it to the server."""
BEARER_SCHEME, DPOP_SCHEME = "BearerToken", "DPoPToken"

_OR = " | "
_SCHEMES = {
    BEARER_SCHEME: {"type": "http", "scheme": "bearer", "description": "An OAuth 2.0 access token."},
    DPOP_SCHEME: {"type": "http", "scheme": "DPoP", "description": "An OAuth 2.0 access token bound to a key."},
}
_OFFERED: dict[Demand, tuple[str, ...]] = {
    "off": (BEARER_SCHEME,),
    "optional": (BEARER_SCHEME, DPOP_SCHEME),
    "required": (DPOP_SCHEME,),
}


def spell_alternatives(scopes: Scopes) -> list[str]:
    """Spell a demand as a framework takes it: scopes that are all needed, or alternatives in one text."""
    if len(scopes.alternatives) == 1:
        return list(scopes.preferred)
    return [_OR.join(" ".join(alternative) for alternative in scopes.alternatives)]


def describe_security(schema: dict[str, Any], dpop: Demand) -> None:
    """Write out what each operation needs: an entry for each complete way in, and for each scheme it may come with.

    Args:
        schema: the OpenAPI document; changed in place.
        dpop: the server's own setting.
    """
    schemes: dict[str, Any] = schema.get("components", {}).get("securitySchemes", {})
    spelt: dict[str, Demand | None] = {name: mode for mode, name in SCHEME_NAMES.items() if schemes.pop(name, None)}
    for operation in _operations(schema) if spelt else ():
        ours = {name: texts for entry in operation["security"] for name, texts in entry.items() if name in spelt}
        offered = _OFFERED[_mode([spelt[name] for name in ours], dpop)] if ours else ()
        ways = _ways([text for texts in ours.values() for text in texts])
        others = [entry for entry in operation["security"] if spelt.keys().isdisjoint(entry)]
        operation["security"] = [*({scheme: way} for scheme in offered for way in ways), *others]
        schemes.update((scheme, dict(_SCHEMES[scheme])) for scheme in offered)


def _mode(said: list[Demand | None], default: Demand) -> Demand:
    """Combine what several parts of a route say: a demand holds, or else the part nearest to the route."""
    if "required" in said:
        return "required"
    explicit: list[Demand] = [mode for mode in said if mode is not None]
    return (default, *explicit)[-1]


def _ways(texts: list[str]) -> list[list[str]]:
    """Multiply out the alternatives in each text: all texts are needed together."""
    ways: list[tuple[str, ...]] = [()]
    for text in texts:
        ways = [(*way, *alternative.split()) for way in ways for alternative in text.split(_OR)]
    return [list(way) for way in dict.fromkeys(tuple(dict.fromkeys(way)) for way in ways)]


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    items = [item for path in schema.get("paths", {}).values() for item in path.values()]
    return (item for item in items if isinstance(item, dict) and "security" in item)


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
    demands = (entry.get(scheme, ()) for operation in _operations(schema) for entry in operation["security"])
    return {scope: scope for demand in demands for scope in demand}
