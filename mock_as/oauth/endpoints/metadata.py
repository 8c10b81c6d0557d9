"""The metadata document, which advertises what works and nothing else.

References: RFC 8414 sections 2 and 3, OpenID Connect Discovery 1.0 section 3
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mock_as.clients import AUTH_METHODS, DEFAULT_SCOPES, OPENID_SCOPES
from mock_as.identity import URLs
from mock_as.issuer import Issuer
from mock_as.jwts import MAC_ALGORITHMS, SIGNATURE_ALGORITHMS
from mock_as.keys import DEFAULT_ALGORITHM
from mock_as.messages import Answer, Request, json_answer
from mock_as.oauth.authorization_request import CHALLENGE_METHODS, PROMPTS
from mock_as.oauth.dpop import PROOF_ALGORITHMS
from mock_as.oauth.endpoints.identified import Server
from mock_as.oauth.redirection import RESPONSE_MODES
from mock_as.oauth.signed_introspection import ENCRYPTION_ALGORITHMS, ENCRYPTION_ENCODING
from mock_as.users import CLAIMS_OF_SCOPES
from mock_as.version import package_version

_ASSERTIONS = {"client_secret_jwt": MAC_ALGORITHMS, "private_key_jwt": SIGNATURE_ALGORITHMS}
_TOKEN_CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "sid")
"""What ID tokens say of themselves."""


def document(server: Server) -> dict[str, Any]:
    """Describe a server.

    Args:
        server: which one.
    """
    issuer = server.issuer
    described = {
        "issuer": issuer.issuer,
        **_endpoints(issuer.url),
        **_abilities(server),
        **_authentication("token", _methods_of(server, grants_of(server))),
        **_authentication("introspection", _methods_of(server, _endpoint_classes(server, "introspection"))),
        **_authentication("revocation", _methods_of(server, _endpoint_classes(server, "revocation"))),
        # So that nobody takes it for the real thing.
        "mock_as": package_version(),
    }
    edited = {**described, **issuer.metadata_edits}
    return {name: value for name, value in edited.items() if value is not None}


def answer(server: Server, _request: Request) -> Answer:
    """Answer with the document.

    Args:
        server: which server it describes.
    """
    return json_answer(document(server), headers={})


def grants_of(server: Server) -> list[Any]:
    """Return the grants that the token endpoint of a server takes, as Authlib's classes.

    Args:
        server: which one.
    """
    registered: Any = server
    grants = [grant for grant, _ in registered._token_grants]  # noqa: SLF001 - Authlib keeps them nowhere else
    return [each for each in grants if each.GRANT_TYPE != "password" or server.issuer.options.password_grant]


def _endpoint_classes(server: Server, name: str) -> list[Any]:
    registered: Any = server
    return list(registered._endpoints.get(name, ()))  # noqa: SLF001 - see above


def _methods_of(server: Server, classes: Iterable[Any]) -> list[str]:
    """Return the ways to authenticate that some classes take and that the server knows."""
    registered: Any = server
    taken = {method for each in classes for method in _taken_by(each)}
    known: Any = registered._client_auth._methods  # noqa: SLF001 - see above
    return [method for method in AUTH_METHODS if method in known and method in taken]


def _taken_by(each: Any) -> Iterable[str]:  # noqa: ANN401 - a class of Authlib's, or an object of one
    methods: Iterable[str] = getattr(each, "TOKEN_ENDPOINT_AUTH_METHODS", None) or each.CLIENT_AUTH_METHODS
    return methods


def _endpoints(url: URLs) -> dict[str, str]:
    return {
        "authorization_endpoint": url.authorization,
        "token_endpoint": url.token,
        "jwks_uri": url.jwks,
        "introspection_endpoint": url.introspection,
        "revocation_endpoint": url.revocation,
        "userinfo_endpoint": url.userinfo,
        "pushed_authorization_request_endpoint": url.pushed_authorization,
        "device_authorization_endpoint": url.device_authorization,
        "registration_endpoint": url.registration,
        "end_session_endpoint": url.end_session,
    }


def _abilities(server: Server) -> dict[str, Any]:
    return {
        "scopes_supported": _scopes(server.issuer),
        "claims_supported": [*_TOKEN_CLAIMS, *(name for names in CLAIMS_OF_SCOPES.values() for name in names)],
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [grant.GRANT_TYPE for grant in grants_of(server)],
        "code_challenge_methods_supported": list(CHALLENGE_METHODS),
        "prompt_values_supported": list(PROMPTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [DEFAULT_ALGORITHM],
        "authorization_response_iss_parameter_supported": True,
        # Left out, this one would be true.
        "request_uri_parameter_supported": False,
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
        "introspection_signing_alg_values_supported": [DEFAULT_ALGORITHM],
        "introspection_encryption_alg_values_supported": list(ENCRYPTION_ALGORITHMS),
        "introspection_encryption_enc_values_supported": [ENCRYPTION_ENCODING],
    }


def _scopes(issuer: Issuer) -> list[str]:
    of_clients = (scope for client in issuer.clients.values() for scope in client.scopes)
    return list(dict.fromkeys((*OPENID_SCOPES, *DEFAULT_SCOPES, *of_clients)))


def _authentication(endpoint: str, methods: list[str]) -> dict[str, list[str]]:
    algorithms = [alg for method, algorithms in _ASSERTIONS.items() if method in methods for alg in algorithms]
    lists = {
        f"{endpoint}_endpoint_auth_methods_supported": methods,
        f"{endpoint}_endpoint_auth_signing_alg_values_supported": algorithms,
    }
    return {name: values for name, values in lists.items() if values}
