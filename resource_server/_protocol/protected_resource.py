"""What a resource server says of itself, and where: made from its options alone, never from a request.

References: RFC 9728 sections 2, 3 and 5.1
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from resource_server._protocol.base64url import encode

if TYPE_CHECKING:
    from resource_server._protocol.jose import SigningKey

_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_METHODS = "GET, HEAD, OPTIONS"
_MAX_AGE = 3600
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")


def metadata_url(resource: str) -> str:
    """Say where the metadata of a resource is: the well-known string goes between host and path.

    Args:
        resource: the resource identifier, an https URL without a fragment.

    References: RFC 9728 section 3.1
    """
    parts = urlsplit(resource)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{_metadata_path(parts.path)}{query}"


def _metadata_path(path: str) -> str:
    return _WELL_KNOWN + ("" if path == "/" else path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMetadata:
    """The members of the document, by their names there; what has no value is left out of it.

    There is no ``jwks_uri`` and no ``resource_signing_alg_values_supported``: answers are not signed.
    """

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    bearer_methods_supported: tuple[str, ...] = ()
    resource_name: str | None = None
    resource_documentation: str | None = None
    resource_policy_uri: str | None = None
    resource_tos_uri: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    dpop_bound_access_tokens_required: bool = False

    def document(self) -> dict[str, Any]:
        """Return the JSON object (RFC 9728 section 3.2)."""
        members = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in members.items() if value}


class MetadataAnswer(NamedTuple):
    """The answer to a request for the document. Header names are lower case, as ASGI wants them."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class ProtectedResource:
    """A resource's metadata, written once, and how requests for them are answered.

    Args:
        metadata: what the document says.
        key: what signs it; ``None`` where nothing is signed.
    """

    def __init__(self, metadata: ResourceMetadata, key: SigningKey | None = None) -> None:
        """Write the document; signed, it says of itself who says so (RFC 9728 section 2.2)."""
        document = metadata.document()
        if key is not None:
            document["signed_metadata"] = _sign({"iss": metadata.resource, **document}, key)
        self._body = json.dumps(document).encode("ascii")
        self.path = unquote(_metadata_path(urlsplit(metadata.resource).path))
        """Where it is on this host, decoded: any host is as good as another, for none is looked at."""

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object."""
        found: dict[str, Any] = json.loads(self._body)
        return found

    def answer(self, method: str) -> MetadataAnswer:
        """Answer a request: anybody may read it, from any origin and without a token.

        Args:
            method: the request's method; the caller leaves the body out for HEAD.

        References: RFC 9728 section 3.2
        """
        if method in ("GET", "HEAD"):
            about = ((b"content-type", b"application/json"), (b"cache-control", b"public, max-age=%d" % _MAX_AGE))
            return _answer(HTTPStatus.OK, self._body, about)
        if method == "OPTIONS":  # browsers ask so before a request that has fields of its own
            allowed = ((b"access-control-allow-methods", _METHODS.encode()), (b"access-control-allow-headers", b"*"))
            return _answer(HTTPStatus.NO_CONTENT, b"", allowed)
        return _answer(HTTPStatus.METHOD_NOT_ALLOWED, b"", ((b"allow", _METHODS.encode()),))


def _answer(status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> MetadataAnswer:
    length = () if status == HTTPStatus.NO_CONTENT else ((b"content-length", str(len(body)).encode()),)
    return MetadataAnswer(status, (*headers, *length, _ANY_ORIGIN), body)


def _sign(claims: Mapping[str, Any], key: SigningKey) -> str:
    header = {"alg": key.algorithm} if key.key_id is None else {"alg": key.algorithm, "kid": key.key_id}
    signed = ".".join(encode(json.dumps(part).encode("ascii")) for part in (header, claims))
    return f"{signed}.{encode(key.sign(signed.encode('ascii')))}"
