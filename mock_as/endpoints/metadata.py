"""The metadata document, which advertises what works and nothing else.

References: RFC 8414 sections 2 and 3
"""

from __future__ import annotations

from typing import Any

from mock_as.clients import AUTH_METHODS, DEFAULT_SCOPES
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Request, json_answer
from mock_as.version import package_version

_SUFFIXES = ("oauth-authorization-server", "openid-configuration")


def paths(issuer: Issuer) -> list[str]:
    """Return the paths of the document: inserted before the path of the issuer, and appended to it.

    References: RFC 8414 section 3.1 and, for the second, section 5
    """
    inserted = [f"/.well-known/{suffix}{issuer.identity.path}" for suffix in _SUFFIXES]
    appended = [f"{issuer.identity.path}/.well-known/{suffix}" for suffix in _SUFFIXES]
    return list(dict.fromkeys(inserted + appended))


def document(issuer: Issuer) -> dict[str, Any]:
    """Describe the server."""
    url = issuer.url
    scopes = {scope: None for client in issuer.clients.values() for scope in client.scopes}
    return {
        "issuer": url.issuer,
        "token_endpoint": url.token,
        "jwks_uri": url.jwks,
        "introspection_endpoint": url.introspection,
        "revocation_endpoint": url.revocation,
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": list(dict.fromkeys((*DEFAULT_SCOPES, *scopes))),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        # So that nobody takes it for the real thing.
        "mock_as": package_version(),
    }


def answer(issuer: Issuer, _request: Request) -> Answer:
    """Answer with the document."""
    return json_answer(document(issuer), headers={})
