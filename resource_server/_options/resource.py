"""What this resource server says of itself, and how its refusals look."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from resource_server._options.words import Words
from resource_server._protocol.grammar import is_quotable, is_scope_token
from resource_server._protocol.problem import ErrorFormat
from resource_server._protocol.protected_resource import metadata_url

_TOLD = (
    "resource_name",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
    "scopes_supported",
    "metadata_key",
)
"""What there is to say only in the metadata of a resource."""


class ResourceOptions(BaseSettings):
    """What clients are told."""

    resource: str | None = Field(
        default=None,
        description="Our resource identifier, an https URL: with it our metadata is served, and named in every "
        "challenge (RFC 9728).",
    )
    external_url: str | None = Field(
        default=None,
        description="The URL that the paths we serve are appended to, as clients see it; by default scheme and host "
        "of `resource`.",
    )
    resource_name: str | None = Field(default=None, description="Our name, for people.")
    resource_documentation: str | None = Field(default=None, description="URL of a page for developers.")
    resource_policy_uri: str | None = Field(default=None, description="URL of a page on how data may be used.")
    resource_tos_uri: str | None = Field(default=None, description="URL of our terms of service.")
    scopes_supported: Words = Field(default=(), description="The scopes that are told in our metadata.")
    metadata_key: SecretStr | None = Field(
        default=None, description="A private key to sign our metadata with: PEM text, or a JWK with `alg` and `kid`."
    )
    realm: str = Field(default="api", description="The realm named in challenges.")
    error_format: ErrorFormat = Field(
        default="auto", description="`problem` (RFC 9457), `oauth` (error JSON), or by the request's `Accept`."
    )
    verbose_errors: bool = Field(default=False, description="Tell clients why their token was refused.")

    @property
    def base_url(self) -> str | None:
        """What the paths we serve are appended to, as clients see it; without a final slash."""
        if self.external_url is not None:
            return self.external_url.removesuffix("/")
        return None if self.resource is None else "://".join(urlsplit(self.resource)[:2])

    @property
    def resource_metadata(self) -> str | None:
        """The URL of our metadata (RFC 9728 section 3.1)."""
        return None if self.resource is None else metadata_url(self.resource)

    @field_validator("scopes_supported")
    @classmethod
    def _scope_tokens(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_scope_token, scopes)):
            raise ValueError("must be scope tokens")
        return scopes

    @field_validator("realm")
    @classmethod
    def _sendable_realm(cls, realm: str) -> str:
        if not is_quotable(realm):
            raise ValueError("must be printable ASCII: it is sent in a header")
        return realm

    @model_validator(mode="after")
    def _nothing_untold(self) -> Self:
        for name in _TOLD if self.resource is None else ():
            if getattr(self, name):
                raise ValueError(f"{name} needs resource: without it no metadata are served")
        return self
