"""All options put together: how they are read, and judged as a whole; the groups are in ``_options``.

The same words are constructor keywords (``cache_ttl``), environment variables (``RESOURCE_SERVER_CACHE_TTL``), lines
of a ``.env`` file, names of secret files, and keys of a TOML file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, PlainValidator, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from resource_server._options.asking import AskingOptions
from resource_server._options.authorization_server import (
    AuthorizationServer,
    BlockingResolver,
    Resolver,
    read_authorization_servers,
)
from resource_server._options.binding import BindingOptions
from resource_server._options.credentials import introspection_client, token_client
from resource_server._options.memory import MemoryOptions
from resource_server._options.resource import ResourceOptions
from resource_server._options.tokens import TokenOptions
from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.jwe import Decryption
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS
from resource_server._protocol.protected_resource import ProtectedResource, ResourceMetadata
from resource_server._protocol.routing import Mark, ambiguity
from resource_server._protocol.shape import TokenShape
from resource_server._protocol.target_uri import normal_form
from resource_server._protocol.urls import url_problem
from resource_server._sources import ENV_PREFIX, configuration_error, refuse_misspelt, sources
from resource_server._validation.possession import PossessionRules
from resource_server._validation.state import Policy
from resource_server._validation.vault import Vault, stretched
from resource_server.errors import ConfigurationError
from resource_server.requirements import ScopeRules

if TYPE_CHECKING:
    from resource_server._protocol.jose import SigningKey

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

    authorization_servers: Annotated[
        tuple[AuthorizationServer, ...] | Resolver | BlockingResolver, PlainValidator(read_authorization_servers)
    ] = Field(
        default=(),
        description="In place of `issuer`: a list of authorization servers, each with its own options, or a function "
        "that finds one by its issuer.",
    )

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
        if self.authorization_servers:
            return self._judge_several()
        if "issuer" not in self.model_fields_set:
            raise ValueError(f"issuer: is required (in the environment: {ENV_PREFIX}ISSUER), or authorization_servers")
        self._judge_urls()
        if introspection_client(self) is None and self.strategy != "jwks":
            raise ValueError(
                f"strategy {self.strategy!r} introspects, which needs client_id and client_secret, or another "
                "client_auth_method with what it takes"
            )
        if self.strategy != "introspect" and not self.audience:
            raise ValueError(f"strategy {self.strategy!r} verifies JWTs, which needs audience (RFC 9068 section 4)")
        if (self.strategy, self.token_format) == ("jwks", "opaque"):
            raise ValueError("token_format 'opaque' leaves nothing to accept: strategy 'jwks' verifies JWTs only")
        self._judge_binding()
        self._metadata_key()
        if self.encrypted_tokens != "off" and self.decryption_key is None:
            raise ValueError(f"encrypted_tokens {self.encrypted_tokens!r} needs decryption_key")
        self.decryption()
        if self.cache_url is not None and not (self.cache_secret or self.client_secret):
            raise ValueError("cache_url needs cache_secret, where there is no client_secret to make it from")
        if self.cache_url is not None and self.cache_timeout > self.timeout / 2:
            raise ValueError(f"cache_timeout {self.cache_timeout} leaves too little of timeout {self.timeout}")
        return self

    def _judge_binding(self) -> None:
        if self.dpop != "off" and self.base_url is None:
            raise ValueError(f"dpop {self.dpop!r} needs external_url or resource: a proof names the URL it is for")
        if self.base_url is not None and normal_form(self.base_url) is None:
            name = "resource" if self.external_url is None else "external_url"
            raise ValueError(f"{name} {getattr(self, name)!r} is no address that a DPoP proof could name")
        if self.dpop_nonce and not (self.dpop_secret or self.client_secret):
            raise ValueError("dpop_nonce needs dpop_secret, where there is no client_secret to make nonces from")
        if self.dpop_replay == "shared" and self.cache_url is None:
            raise ValueError("dpop_replay 'shared' needs cache_url")
        if self.certificate_header is not None and not self.trusted_proxies:
            raise ValueError("certificate_header needs trusted_proxies")

    def _judge_several(self) -> Self:
        """Judge what is said for all; what is said of each is judged with it, for it is used with it only."""
        if "issuer" in self.model_fields_set:
            raise ValueError("issuer and authorization_servers exclude each other: name it in the list")
        self._judge_urls()
        self._judge_binding()
        self._metadata_key()
        if not callable(self.authorization_servers):
            problem = ambiguity([unit.mark() for unit in self.units()])
            if problem is not None:
                raise ValueError(f"authorization_servers: {problem}")
        return self

    def _judge_urls(self) -> None:
        for name in _URLS:
            url = getattr(self, name)
            if url is None or name not in self.model_fields_set:
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
        try:
            _refuse_unknown(options, cls.model_fields)
            return cls(**options)
        except ValidationError as error:
            secrets = {name for name, field in cls.model_fields.items() if "SecretStr" in str(field.annotation)}
            secrets.add("authorization_servers")  # there may be some in it
            raise configuration_error(error, options, frozenset(secrets)) from None
        finally:
            options.clear()  # or what is raised would show the secrets among them, in the variables of this frame

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
            found.clear()
            overrides.clear()
            raise ConfigurationError(f"unknown option {', '.join(map(repr, unknown))} in a configuration file")
        try:
            return cls.build(**(found | overrides))
        finally:
            found.clear()  # as in build
            overrides.clear()

    def unit(self, server: AuthorizationServer) -> Settings:
        """Return the options of one of several authorization servers: its own, and what is said for all.

        Raises:
            ConfigurationError: they are not acceptable together.
        """
        shared = self.model_dump(exclude_unset=True, exclude={"authorization_servers"})
        try:
            return Settings.build(**{**shared, **server.options})
        except ConfigurationError as error:
            raise ConfigurationError(f"authorization server {server.issuer!r}: {error}") from None

    def units(self) -> tuple[Settings, ...]:
        """Return the options of each authorization server that is known by configuration."""
        if callable(self.authorization_servers):
            return ()
        return tuple(map(self.unit, self.authorization_servers)) or (self,)

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers that are known by configuration."""
        if callable(self.authorization_servers):
            return ()
        return tuple(server.issuer for server in self.authorization_servers) or (self.issuer,)

    def mark(self) -> Mark:
        """Reduce the options of one authorization server to what its tokens can be told by."""
        return Mark(self.issuer, self._shape(), self.token_prefix, self.encrypted_tokens != "off")

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
            client=introspection_client(self),
            token_client=token_client(self),
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
            shows_certificate=self.client_certificate_file is not None or "tls" in (self.client_auth_method or ""),
            encrypted_tokens=self.encrypted_tokens,
            decryption=self.decryption(),
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

    def decryption(self) -> Decryption | None:
        """Read our keys for what is encrypted.

        Raises:
            ValueError: they are none.
        """
        if self.decryption_key is None:
            return None
        from resource_server._protocol.jose import read_decryption_keys  # noqa: PLC0415 - loads cryptography

        keys = read_decryption_keys(self.decryption_key.get_secret_value())
        if isinstance(keys, tuple):
            allowed = frozenset(self.decryption_algorithms), frozenset(self.content_encryption_algorithms)
            return Decryption(keys, *allowed)
        raise ValueError(f"decryption_key {keys}")

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

    def protected_resource(self) -> ProtectedResource | None:
        """Reduce the options to what we say of ourselves; ``None`` without ``resource``."""
        if self.resource is None:
            return None
        methods = {"header": True, "body": self.form_token, "query": self.query_token}
        metadata = ResourceMetadata(
            resource=self.resource,
            authorization_servers=self.issuers,
            scopes_supported=self.scopes_supported,
            bearer_methods_supported=tuple(name for name, taken in methods.items() if taken),
            resource_name=self.resource_name,
            resource_documentation=self.resource_documentation,
            resource_policy_uri=self.resource_policy_uri,
            resource_tos_uri=self.resource_tos_uri,
            tls_client_certificate_bound_access_tokens=self.mtls != "off",
            dpop_signing_alg_values_supported=() if self.dpop == "off" else self.dpop_algorithms,
            dpop_bound_access_tokens_required=self.dpop == "required",
        )
        return ProtectedResource(metadata, self._metadata_key())

    def _metadata_key(self) -> SigningKey | None:
        if self.metadata_key is None:
            return None
        from resource_server._protocol.jose import read_signing_key  # noqa: PLC0415 - loads cryptography

        key = read_signing_key(self.metadata_key.get_secret_value())
        if isinstance(key, str):
            raise ConfigurationError(f"metadata_key {key}")
        return key

    def _nonce_secret(self) -> bytes:
        if self.dpop_secret is not None:
            return self.dpop_secret.get_secret_value().encode()
        return stretched((self.client_secret or SecretStr("")).get_secret_value())

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


def _refuse_unknown(options: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"ResourceServer has no option {', '.join(map(repr, unknown))}")
