"""Authorization server metadata: where it is, and what of it may be believed.

References: RFC 8414 sections 3 and 3.3, RFC 8705 section 5, OpenID Connect Discovery 1.0 section 4
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from resource_server._protocol.answers import read_json_object
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._protocol.urls import url_problem

MAX_METADATA_BYTES = 524_288


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The members of the metadata that a resource server uses."""

    issuer: str
    introspection_endpoint: str | None = None
    jwks_uri: str | None = None
    token_endpoint: str | None = None
    authorization_endpoint: str | None = None
    introspection_auth_methods: frozenset[str] | None = None
    """How clients may authenticate at the introspection endpoint; ``None`` where that is not said."""
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where some endpoints are for who shows a certificate (RFC 8705 section 5)."""

    def endpoint(self, name: str, *, shows_certificate: bool) -> str | None:
        """Return the URL of an endpoint, or ``None`` where there is none.

        Args:
            name: the member's name.
            shows_certificate: whether the client shows a certificate in the TLS handshake.
        """
        url: str | None = self.aliases.get(name) if shows_certificate else None
        return url or getattr(self, name)


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Say where the metadata of an issuer can be: the RFC 8414 place first, then the OpenID Connect one.

    The well-known string goes between host and path, after removing a final slash (RFC 8414 section 3.1); OpenID
    Connect appends it instead.
    """
    parts = urlsplit(issuer)
    path = parts.path.removesuffix("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


def metadata_request(url: str) -> HTTPRequest:
    """Build the question for one of :func:`metadata_urls`."""
    return HTTPRequest("GET", url, "metadata", MAX_METADATA_BYTES, headers=(("accept", "application/json"),))


def process_metadata_response(
    response: HTTPResponse, issuer: str, now: float, *, allow_insecure_http: bool
) -> Metadata | Unavailable:
    """Judge a metadata document.

    Args:
        response: the answer.
        issuer: the configured issuer; the document must name it to the letter (RFC 8414 section 3.3).
        now: seconds since the epoch.
        allow_insecure_http: accept ``http`` endpoints beyond the loopback interface.
    """
    document = read_json_object(response, now)
    if isinstance(document, Unavailable):
        return document
    if document.get("issuer") != issuer:
        return Unavailable("issuer_mismatch", fault="configuration")
    endpoints = _members(document, ("introspection_endpoint", "jwks_uri", "token_endpoint", "authorization_endpoint"))
    aliases = _members(document.get("mtls_endpoint_aliases"), ("introspection_endpoint", "token_endpoint"))
    urls = (*endpoints.values(), *aliases.values())
    if any(url_problem(url, allow_insecure_http=allow_insecure_http) for url in urls):
        return Unavailable("insecure_endpoint", fault="configuration")
    methods = document.get("introspection_endpoint_auth_methods_supported")
    listed = frozenset(filter(_is_text, methods)) if isinstance(methods, list) else None
    return Metadata(issuer=issuer, introspection_auth_methods=listed, aliases=aliases, **endpoints)


def _members(document: object, names: tuple[str, ...]) -> dict[str, Any]:
    members = document if isinstance(document, dict) else {}
    return {name: members[name] for name in names if members.get(name) is not None}


def _is_text(value: object) -> bool:
    return isinstance(value, str)
