"""What a client says of itself when it registers, and the client that this makes.

References: RFC 7591 section 2, RFC 8705 section 2.1.2, RFC 9449 section 5.2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc7591 import ClientMetadataClaims, InvalidClientMetadataError
from joserfc.errors import JoseError

from mock_as.clients import CERTIFICATE_NAMES, DEFAULT_SCOPES, OPENID_SCOPES, SECRET_METHODS, Client
from mock_as.errors import UsageError
from mock_as.oauth.redirection import is_redirect_uri

_LISTS = ("redirect_uris", "post_logout_redirect_uris", "grant_types", "response_types", "contacts")
_TEXTS = ("token_endpoint_auth_method", "scope", "client_name")
_FLAGS = ("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens")
_ADDRESSES = ("redirect_uris", "post_logout_redirect_uris")
_CERTIFICATE = "tls_client_auth_"
_MORE = (*_FLAGS, "post_logout_redirect_uris", *(f"{_CERTIFICATE}{name}" for name in CERTIFICATE_NAMES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A client that has registered itself."""

    metadata: Mapping[str, Any]
    token: str = field(repr=False)
    """What it shows to change its registration."""
    issued_at: int


def read_metadata(said: object, server_metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Judge what a client says of itself, and add what it leaves unsaid; what nobody knows is left out.

    Args:
        said: the body of the request.
        server_metadata: what the server can do.

    Raises:
        OAuth2Error: something of it cannot be registered.

    References: RFC 7591 sections 2 and 3.2.2
    """
    if not isinstance(said, dict):
        raise InvalidClientMetadataError("The metadata must be a JSON object.")
    _judge_types(said)
    for name in _ADDRESSES:
        if not all(is_redirect_uri(uri) for uri in said.get(name, ())):
            raise OAuth2Error("A redirect URI must be absolute and have no fragment.", error="invalid_redirect_uri")
    if "jwks_uri" in said:
        raise InvalidClientMetadataError("Send the keys as jwks: this server fetches nothing.")
    claims = ClientMetadataClaims(
        {"grant_types": ["authorization_code"], "response_types": ["code"], **said},
        {},
        ClientMetadataClaims.get_claims_options(dict(server_metadata)),
    )
    try:
        claims.validate()
    except (AttributeError, JoseError, KeyError, TypeError, ValueError) as error:
        # Keys that are no keys come as any of these.
        raise InvalidClientMetadataError(f"The {getattr(error, 'claim', 'jwks')} cannot be registered.") from None
    metadata = {**claims.get_registered_claims(), **{name: said[name] for name in _MORE if name in said}}
    metadata.setdefault("scope", " ".join((*OPENID_SCOPES, *DEFAULT_SCOPES)))
    if "authorization_code" in metadata["grant_types"] and not metadata.get("redirect_uris"):
        raise OAuth2Error("A client that redirects people needs redirect_uris.", error="invalid_redirect_uri")
    return metadata


def _judge_types(said: Mapping[str, object]) -> None:
    for name, value in said.items():
        good = True
        if name in _LISTS:
            good = isinstance(value, list) and all(isinstance(part, str) for part in value)
        elif name in _TEXTS or name.startswith(_CERTIFICATE) or name.endswith("_uri"):
            good = isinstance(value, str)
        elif name in _FLAGS:
            good = isinstance(value, bool)
        if not good:
            raise InvalidClientMetadataError(f"The {name} has the wrong type.")


def make_client(client_id: str, secret: str, metadata: Mapping[str, Any]) -> Client:
    """Make the client that metadata describe.

    Args:
        client_id: its id.
        secret: its secret, for the methods that use one.
        metadata: what it says of itself, judged.

    Raises:
        InvalidClientMetadataError: it could never work.
    """
    method = metadata["token_endpoint_auth_method"]
    certificate = {name: metadata[key] for name in CERTIFICATE_NAMES if (key := f"{_CERTIFICATE}{name}") in metadata}
    try:
        return Client(
            id=client_id,
            secret=secret if method in SECRET_METHODS else "",
            description=metadata.get("client_name", "a client that has registered itself"),
            auth_methods=(method,),
            grants=tuple(metadata["grant_types"]),
            scopes=tuple(metadata["scope"].split()),
            redirect_uris=tuple(metadata.get("redirect_uris", ())),
            post_logout_redirect_uris=tuple(metadata.get("post_logout_redirect_uris", ())),
            jwks=metadata.get("jwks"),
            certificate=certificate,
            dpop_bound=metadata.get("dpop_bound_access_tokens", False),
            mtls_bound=metadata.get("tls_client_certificate_bound_access_tokens", False),
        )
    except UsageError as error:
        raise InvalidClientMetadataError(f"The {error.field} cannot be registered.") from None
