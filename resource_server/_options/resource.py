"""What this resource server says of itself, and how its refusals look."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr, field_validator

from resource_server._options.words import Words
from resource_server._protocol.grammar import is_quotable, is_scope_token
from resource_server._protocol.problem import ErrorFormat


class ResourceOptions(BaseModel):
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
