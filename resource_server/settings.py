"""Every option, in one place: its name, its unit, its bounds and its default.

The same words are constructor keywords (``cache_ttl``), environment variables (``RESOURCE_SERVER_CACHE_TTL``), lines
of a ``.env`` file, names of secret files, and keys of a TOML file.
"""

from __future__ import annotations

import os
import re
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.client_auth import ClientAuthMethod, ClientCredentials
from resource_server._protocol.grammar import is_quotable
from resource_server._protocol.jwks import ALGORITHMS
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS, JWTProfile
from resource_server._protocol.problem import ErrorFormat
from resource_server._protocol.shape import TokenFormat, TokenShape
from resource_server._protocol.store_url import read_store_url
from resource_server._protocol.urls import url_problem
from resource_server._sources import ENV_PREFIX, configuration_error, refuse_missing_files, refuse_misspelt, sources
from resource_server._validation.state import Policy, Strategy
from resource_server._validation.vault import MIN_SECRET_BYTES, Vault, stretched
from resource_server.errors import ConfigurationError


def _words(value: object) -> object:
    """Let a list stand as one text, separated by commas or spaces, as it must in an environment variable."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        raise ValueError("must be written with commas or spaces, not as JSON")
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _number(value: object) -> object:
    """Let a number stand as text, as it must in an environment variable; a literal takes no text for a number."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Options(TypedDict, total=False):
    """The keywords of :class:`~resource_server.ResourceServer`, for type checkers; see :class:`Settings` for each."""

    issuer: str
    audience: str | tuple[str, ...] | list[str]
    client_id: str
    client_secret: str
    client_auth_method: ClientAuthMethod
    introspection_endpoint: str
    jwks_uri: str
    strategy: Strategy
    cache_ttl: float
    negative_cache_ttl: float
    cache_size: int
    negative_cache_size: int
    stale_if_error: float
    fallback_max_age: float
    fallback_on_configuration_fault: bool
    unavailable_status: Literal[401, 503]
    leeway: float
    timeout: float
    retries: int
    max_concurrent_calls: int
    cache_url: str
    cache_secret: str
    cache_timeout: float
    revocation_memory: float
    token_format: TokenFormat
    token_pattern: str
    rate_limit: float
    rate_limit_burst: int
    rate_limited_status: Literal[401, 429]
    jwt_profile: JWTProfile
    algorithms: tuple[str, ...] | list[str]
    require_audience: bool
    scope_claims: tuple[str, ...] | list[str]
    cross_check: bool
    max_token_length: int
    query_token: bool
    form_token: bool
    realm: str
    error_format: ErrorFormat
    verbose_errors: bool
    allow_insecure_http: bool
    ca_file: str | Path
    trust_env: bool


class Settings(BaseSettings):
    """The options of one resource server, validated. Constructed directly it reads nothing but its keywords."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: str = Field(description="The authorization server's issuer URL, to the letter.")
    audience: Words = Field(default=(), description="Our own names, one of which a token's `aud` must contain.")
    client_id: str | None = Field(default=None, description="Our client identifier at the introspection endpoint.")
    client_secret: SecretStr | None = Field(default=None, description="Our client secret.")
    client_auth_method: ClientAuthMethod = Field(
        default="client_secret_basic", description="How the secret is sent: in a header or in the form."
    )
    introspection_endpoint: str | None = Field(default=None, description="Its URL; else from the metadata.")
    jwks_uri: str | None = Field(default=None, description="The key set's URL; else from the metadata.")
    strategy: Strategy = Field(
        default="introspect_then_jwks",
        description="Whom to ask: the authorization server, the token's own signature, or one after the other.",
    )
    cache_ttl: Seconds = Field(default=60.0, description="Seconds a good token is served without asking again.")
    negative_cache_ttl: Seconds = Field(default=10.0, description="Seconds a bad token is refused unasked.")
    cache_size: Count = Field(default=50_000, description="How many good tokens are remembered.")
    negative_cache_size: Count = Field(default=10_000, description="How many bad tokens are remembered.")
    stale_if_error: Seconds = Field(
        default=0.0, description="Seconds beyond `cache_ttl` for which an earlier yes is served in an outage."
    )
    fallback_max_age: Seconds = Field(
        default=3600.0, description="Seconds for which the last fetched keys are trusted while no new ones can be had."
    )
    fallback_on_configuration_fault: bool = Field(
        default=False, description="Fall back also where the authorization server refuses our own credentials."
    )
    unavailable_status: Annotated[Literal[401, 503], BeforeValidator(_number)] = Field(
        default=401, description="The answer where a token cannot be verified: 401, or 503 with Retry-After."
    )
    leeway: Seconds = Field(default=0.0, le=300, description="Seconds by which the clocks may differ.")
    timeout: float = Field(default=5.0, gt=0, le=300, description="Seconds for all questions about one token together.")
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a question is repeated where that helps, all within `timeout`; one attempt may then "
        "take half of it.",
    )
    max_concurrent_calls: int = Field(
        default=64, ge=1, le=10_000, description="How many introspections run at once; the others wait."
    )
    cache_url: SecretStr | None = Field(
        default=None,
        description="A Valkey or Redis that all workers share: `redis://`, `rediss://`, `unix://`, "
        "`redis+sentinel://` or `redis+cluster://`.",
    )
    cache_secret: SecretStr | None = Field(
        default=None,
        description="What seals the values there, the same in all workers, 32 bytes or more; else made from "
        "`client_secret`.",
    )
    cache_timeout: float = Field(
        default=0.05, gt=0, le=5, description="Seconds a request waits for the shared store before it goes on without."
    )
    revocation_memory: float = Field(
        default=86_400.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds a revocation is remembered: as long as a token lives at most.",
    )
    token_format: TokenFormat = Field(
        default="any", description="The kind of token accepted; the others are refused before anybody is asked."
    )
    token_pattern: str | None = Field(
        default=None, description="A regular expression all of a token must match, or it is refused unasked."
    )
    rate_limit: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Unknown tokens per second that one client address may have looked up; no limit by default.",
    )
    rate_limit_burst: Count = Field(default=50, description="How many of them at once, after a quiet time.")
    rate_limited_status: Annotated[Literal[401, 429], BeforeValidator(_number)] = Field(
        default=429, description="The answer beyond `rate_limit`: 429 with Retry-After, or 401."
    )
    jwt_profile: JWTProfile = Field(
        default="rfc9068", description="`lenient` accepts `typ: JWT` and tokens with `iss`, `aud` and `exp` only."
    )
    algorithms: Words = Field(default=ALGORITHMS, description="The signature algorithms allowed.")
    require_audience: bool = Field(
        default=True, description="Refuse an introspected token without `aud`; `False` trusts the authorization server."
    )
    scope_claims: Words = Field(default=("scope",), description="Where scopes stand; the first one present counts.")
    cross_check: bool = Field(
        default=True, description="Refuse an answer whose iss, sub or jti contradicts the JWT that was asked about."
    )
    max_token_length: Count = Field(default=16_384, description="Bytes; a longer token is refused unseen.")
    query_token: bool = Field(default=False, description="Take a token from the query too. It will be in logs.")
    form_token: bool = Field(default=False, description="Take a token from a form-urlencoded body too.")
    realm: str = Field(default="api", description="The realm named in challenges.")
    error_format: ErrorFormat = Field(
        default="auto", description="`problem` (RFC 9457), `oauth` (error JSON), or by the request's `Accept`."
    )
    verbose_errors: bool = Field(default=False, description="Tell clients why their token was refused.")
    allow_insecure_http: bool = Field(default=False, description="Talk http to hosts other than this machine.")
    ca_file: Path | None = Field(default=None, description="PEM file of the certificates to trust instead.")
    trust_env: bool = Field(default=False, description="Take proxies and certificates from the environment.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings' own
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read keywords only: what a constructor call says is all there is."""
        return (init_settings,)

    @field_validator("algorithms")
    @classmethod
    def _known_algorithms(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(algorithms) - set(ALGORITHMS))
        if unknown or not algorithms:
            raise ValueError(f"must be some of {', '.join(ALGORITHMS)}")
        return algorithms

    @field_validator("realm")
    @classmethod
    def _sendable_realm(cls, realm: str) -> str:
        if not is_quotable(realm):
            raise ValueError("must be printable ASCII: it is sent in a header")
        return realm

    @field_validator("cache_url")
    @classmethod
    def _usable_store(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            refuse_missing_files(read_store_url(url.get_secret_value()).files)
            if find_spec("redis") is None:
                raise ValueError("needs the extra valkey: pip install 'resource-server[valkey]'")
        return url

    @field_validator("cache_secret")
    @classmethod
    def _strong_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have {MIN_SECRET_BYTES} bytes or more")
        return secret

    @field_validator("token_pattern")
    @classmethod
    def _regular_expression(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "", re.ASCII)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return pattern

    @field_validator("ca_file")
    @classmethod
    def _usable_certificates(cls, ca_file: Path | None) -> Path | None:
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError:
            raise ValueError("is not a file of PEM certificates") from None
        return ca_file

    @model_validator(mode="after")
    def _judge_together(self) -> Self:
        self._judge_urls()
        if self.strategy != "jwks" and (not self.client_id or not self.client_secret):
            raise ValueError(f"strategy {self.strategy!r} introspects, which needs client_id and client_secret")
        if self.strategy != "introspect" and not self.audience:
            raise ValueError(f"strategy {self.strategy!r} verifies JWTs, which needs audience (RFC 9068 section 4)")
        if (self.strategy, self.token_format) == ("jwks", "opaque"):
            raise ValueError("token_format 'opaque' leaves nothing to accept: strategy 'jwks' verifies JWTs only")
        if self.cache_url is not None and not (self.cache_secret or self.client_secret):
            raise ValueError("cache_url needs cache_secret, where there is no client_secret to make it from")
        if self.cache_url is not None and self.cache_timeout > self.timeout / 2:
            raise ValueError(f"cache_timeout {self.cache_timeout} leaves too little of timeout {self.timeout}")
        return self

    def _judge_urls(self) -> None:
        for name in ("issuer", "introspection_endpoint", "jwks_uri"):
            url = getattr(self, name)
            if url is None:
                continue
            problem = url_problem(url, allow_insecure_http=self.allow_insecure_http, allow_query=name != "issuer")
            if problem is not None:
                shown = "(not shown)" if "@" in url else repr(url)  # it may hold a password
                raise ValueError(f"{name} {shown} {problem}")

    @classmethod
    def build(cls, **options: Any) -> Self:  # noqa: ANN401 - validated here
        """Validate options.

        Raises:
            TypeError: an option does not exist.
            ConfigurationError: a value is not acceptable; the message names the option and the value.
        """
        unknown = sorted(set(options) - set(cls.model_fields))
        if unknown:
            raise TypeError(f"ResourceServer has no option {', '.join(map(repr, unknown))}")
        try:
            return cls(**options)
        except ValidationError as error:
            raise configuration_error(error, options) from None

    @classmethod
    def from_env(
        cls,
        *,
        env_file: str | Path | None = ".env",
        secrets_dir: str | Path | None = None,
        toml_file: str | Path | None = None,
        **overrides: Any,  # noqa: ANN401 - validated by build
    ) -> Self:
        """Read options from the environment, a ``.env`` file, secret files and a TOML file; the first one wins.

        Args:
            env_file: a file of ``RESOURCE_SERVER_*`` lines; one that does not exist is passed over.
            secrets_dir: a folder with one file per option, named like the environment variable, in lower case.
            toml_file: a TOML file with the options as its top-level keys.
            overrides: options that win over all of them.

        Raises:
            ConfigurationError: a value is not acceptable or a file cannot be read.
        """
        refuse_misspelt(os.environ, cls.model_fields)
        found: dict[str, Any] = {}
        try:
            for source in sources(cls, env_file, secrets_dir, toml_file):
                found = {**source(), **found}
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"the configuration cannot be read: {error}") from None
        unknown = sorted(set(found) - set(cls.model_fields))
        if unknown:
            raise ConfigurationError(f"unknown option {', '.join(map(repr, unknown))} in a configuration file")
        return cls.build(**(found | overrides))

    def policy(self) -> Policy:
        """Reduce the options to those that decide about tokens."""
        rules = ClaimRules(
            issuer=self.issuer,
            audience=frozenset(self.audience),
            require_audience=self.require_audience,
            scope_claims=self.scope_claims,
        )
        return Policy(
            issuer=self.issuer,
            strategy=self.strategy,
            client=self._client(),
            introspection_rules=rules,
            jwt_rules=ClaimRules(
                issuer=self.issuer,
                audience=rules.audience,
                required=REQUIRED_CLAIMS[self.jwt_profile],
                scope_claims=self.scope_claims,
            ),
            jwt_profile=self.jwt_profile,
            algorithms=frozenset(self.algorithms),
            introspection_endpoint=self.introspection_endpoint,
            jwks_uri=self.jwks_uri,
            leeway=self.leeway,
            retries=self.retries,
            timeout=self.timeout,
            cache_ttl=self.cache_ttl,
            negative_cache_ttl=self.negative_cache_ttl,
            stale_if_error=self.stale_if_error,
            fallback_max_age=self.fallback_max_age,
            fallback_on_configuration_fault=self.fallback_on_configuration_fault,
            cross_check=self.cross_check,
            allow_insecure_http=self.allow_insecure_http,
            shape=self._shape(),
            rate_limit=self.rate_limit,
            rate_limit_burst=self.rate_limit_burst,
        )

    @property
    def attempt_timeout(self) -> float:
        """Seconds for one attempt: half of ``timeout``, where there can be a second one."""
        return self.timeout / 2 if self.retries else self.timeout

    def vault(self) -> Vault | None:
        """Make what names and seals the values in the shared store; ``None`` where there is none."""
        if self.cache_url is None:
            return None
        identity = (self.issuer, self.client_id or "", self.introspection_endpoint or "", *self.audience)
        if self.cache_secret is not None:
            return Vault(self.cache_secret.get_secret_value().encode(), identity)
        return Vault(stretched((self.client_secret or SecretStr("")).get_secret_value()), identity)

    def _shape(self) -> TokenShape:
        pattern = None if self.token_pattern is None else re.compile(self.token_pattern, re.ASCII)
        kind = self.token_format
        if self.strategy == "jwks" and kind == "any":
            kind = "jwt"  # nobody could verify anything else
        return TokenShape(kind, frozenset(self.algorithms), pattern)

    def _client(self) -> ClientCredentials | None:
        if self.client_id is None or self.client_secret is None:
            return None
        return ClientCredentials(self.client_id, self.client_secret.get_secret_value(), self.client_auth_method)
