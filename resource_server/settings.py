"""All options put together: how they are read, and judged as a whole; the groups are in ``_options``.

The same words are constructor keywords (``cache_ttl``), environment variables (``RESOURCE_SERVER_CACHE_TTL``), lines
of a ``.env`` file, names of secret files, and keys of a TOML file.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from resource_server._options.asking import AskingOptions
from resource_server._options.binding import BindingOptions
from resource_server._options.memory import MemoryOptions
from resource_server._options.resource import ResourceOptions
from resource_server._options.tokens import TokenOptions
from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.client_auth import ClientCredentials
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS
from resource_server._protocol.protected_resource import metadata_url
from resource_server._protocol.shape import TokenShape
from resource_server._protocol.urls import url_problem
from resource_server._sources import ENV_PREFIX, configuration_error, refuse_misspelt, sources
from resource_server._validation.possession import PossessionRules
from resource_server._validation.state import Policy
from resource_server._validation.vault import Vault, stretched
from resource_server.errors import ConfigurationError
from resource_server.requirements import ScopeRules

_URLS = (
    "issuer",
    "introspection_endpoint",
    "jwks_uri",
    "token_endpoint",
    "resource",
    "external_url",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
)
_BARE = ("issuer", "external_url")
"""Those that have no query."""


class Settings(AskingOptions, TokenOptions, MemoryOptions, BindingOptions, ResourceOptions, BaseSettings):
    """The options of one resource server, validated. Constructed directly it reads nothing but its keywords."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

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

    @model_validator(mode="after")
    def _judge_together(self) -> Self:
        self._judge_urls()
        if self.strategy != "jwks" and (not self.client_id or not self.client_secret):
            raise ValueError(f"strategy {self.strategy!r} introspects, which needs client_id and client_secret")
        if self.strategy != "introspect" and not self.audience:
            raise ValueError(f"strategy {self.strategy!r} verifies JWTs, which needs audience (RFC 9068 section 4)")
        if (self.strategy, self.token_format) == ("jwks", "opaque"):
            raise ValueError("token_format 'opaque' leaves nothing to accept: strategy 'jwks' verifies JWTs only")
        self._judge_binding()
        if self.encrypted_tokens != "off" and self.decryption_key is None:
            raise ValueError(f"encrypted_tokens {self.encrypted_tokens!r} needs decryption_key")
        if self.cache_url is not None and not (self.cache_secret or self.client_secret):
            raise ValueError("cache_url needs cache_secret, where there is no client_secret to make it from")
        if self.cache_url is not None and self.cache_timeout > self.timeout / 2:
            raise ValueError(f"cache_timeout {self.cache_timeout} leaves too little of timeout {self.timeout}")
        return self

    def _judge_binding(self) -> None:
        if self.dpop != "off" and self.base_url is None:
            raise ValueError(f"dpop {self.dpop!r} needs external_url or resource: a proof names the URL it is for")
        if self.dpop_nonce and self.dpop_secret is None and self.client_secret is None:
            raise ValueError("dpop_nonce needs dpop_secret, where there is no client_secret to make nonces from")
        if self.dpop_replay == "shared" and self.cache_url is None:
            raise ValueError("dpop_replay 'shared' needs cache_url")
        if (self.certificate_header is None) != (not self.trusted_proxies):
            raise ValueError("certificate_header and trusted_proxies need each other")

    def _judge_urls(self) -> None:
        for name in _URLS:
            url = getattr(self, name)
            if url is None:
                continue
            problem = url_problem(url, allow_insecure_http=self.allow_insecure_http, allow_query=name not in _BARE)
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
            token_endpoint=self.token_endpoint,
            signed_introspection=self.signed_introspection,
            encrypted_tokens=self.encrypted_tokens,
            own_names=frozenset(name for name in (*self.audience, self.client_id, self.resource) if name is not None),
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

    def possession(self) -> PossessionRules:
        """Reduce the options to what is demanded of the sender of a token."""
        header = self.certificate_header
        return PossessionRules(
            dpop=self.dpop,
            mtls=self.mtls,
            sender_constrained=self.sender_constrained,
            external_url=self.base_url,
            dpop_algorithms=frozenset(self.dpop_algorithms),
            dpop_window=self.dpop_window,
            leeway=self.leeway,
            nonce_secret=self._nonce_secret() if self.dpop_nonce else None,
            shared_replay=self.cache_url is not None and self.dpop_replay != "worker",
            replay_size=self.dpop_replay_size,
            certificate_header=None if header is None else header.lower().encode(),
            trusted_proxies=tuple(map(ip_network, self.trusted_proxies)),
        )

    def scope_rules(self) -> ScopeRules:
        """Reduce the options to which scopes a granted one includes."""
        return ScopeRules(self.scope_strategy, tuple((name, *implied) for name, implied in self.implied_scopes.items()))

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

    def _nonce_secret(self) -> bytes:
        if self.dpop_secret is not None:
            return self.dpop_secret.get_secret_value().encode()
        return stretched((self.client_secret or SecretStr("")).get_secret_value())

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
        return ClientCredentials(
            self.client_id, self.client_secret.get_secret_value(), self.client_auth_method or "client_secret_basic"
        )
