"""Authorization server metadata: where it is, and what of it may be believed.

References: RFC 8414 sections 3 and 3.3, OpenID Connect Discovery 1.0 section 4
"""

from __future__ import annotations

from dataclasses import dataclass
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
    names = ("introspection_endpoint", "jwks_uri", "token_endpoint", "authorization_endpoint")
    endpoints: dict[str, Any] = {name: document[name] for name in names if document.get(name) is not None}
    if any(url_problem(url, allow_insecure_http=allow_insecure_http) for url in endpoints.values()):
        return Unavailable("insecure_endpoint", fault="configuration")
    return Metadata(issuer=issuer, **endpoints)
