"""What makes a token good."""

from __future__ import annotations

import re

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from resource_server._options.words import Count, ImpliedScopes, Seconds, Words
from resource_server._protocol.grammar import is_scope_token
from resource_server._protocol.jwks import ALGORITHMS
from resource_server._protocol.jwt_access_token import JWTProfile
from resource_server._protocol.shape import TokenFormat
from resource_server.requirements import ScopeStrategy


class TokenOptions(BaseSettings):
    """What is demanded of every token."""

    audience: Words = Field(default=(), description="Our own names, one of which a token's `aud` must contain.")
    require_audience: bool = Field(
        default=True, description="Refuse an introspected token without `aud`; `False` trusts the authorization server."
    )
    jwt_profile: JWTProfile = Field(
        default="rfc9068", description="`lenient` accepts `typ: JWT` and tokens with `iss`, `aud` and `exp` only."
    )
    algorithms: Words = Field(default=ALGORITHMS, description="The signature algorithms allowed.")
    scope_claims: Words = Field(default=("scope",), description="Where scopes stand; the first one present counts.")
    leeway: Seconds = Field(default=0.0, le=300, description="Seconds by which the clocks may differ.")
    cross_check: bool = Field(
        default=True, description="Refuse an answer whose iss, sub, jti or cnf contradicts the JWT asked about."
    )
    max_token_length: Count = Field(default=16_384, description="Bytes; a longer token is refused unseen.")
    query_token: bool = Field(default=False, description="Take a token from the query too. It will be in logs.")
    form_token: bool = Field(default=False, description="Take a token from a form-urlencoded body too.")
    token_format: TokenFormat = Field(
        default="any", description="The kind of token accepted; the others are refused before anybody is asked."
    )
    token_pattern: str | None = Field(
        default=None, description="A regular expression all of a token must match, or it is refused unasked."
    )
    token_prefix: str | None = Field(
        default=None, description="What this issuer's tokens begin with, where there are several issuers."
    )
    scope_strategy: ScopeStrategy = Field(
        default="exact",
        description="What a granted scope includes: itself; with `hierarchic` `orders` includes `orders.read` and "
        "`orders:read`; with `wildcard` `orders.*` does.",
    )
    implied_scopes: ImpliedScopes = Field(
        default={},
        description="Scopes that a granted one includes besides, as `admin=read,write;writer=read`.",
    )

    @field_validator("algorithms")
    @classmethod
    def _known_algorithms(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(algorithms) - set(ALGORITHMS))
        if unknown or not algorithms:
            raise ValueError(f"must be some of {', '.join(ALGORITHMS)}")
        return algorithms

    @field_validator("implied_scopes")
    @classmethod
    def _scope_tokens_only(cls, table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not all(is_scope_token(scope) for name, implied in table.items() for scope in (name, *implied)):
            raise ValueError("must be scope tokens")
        return table

    @field_validator("token_pattern")
    @classmethod
    def _regular_expression(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "", re.ASCII)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return pattern
