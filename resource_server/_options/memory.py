"""What is remembered, what all workers share, and what holds in outages and floods."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from resource_server._options.words import Count, Seconds, number
from resource_server._protocol.store_url import read_store_url
from resource_server._sources import refuse_missing_files
from resource_server._validation.vault import MIN_SECRET_BYTES


class MemoryOptions(BaseSettings):
    """What is remembered, and for how long."""

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
    unavailable_status: Annotated[Literal[401, 503], BeforeValidator(number)] = Field(
        default=401, description="The answer where a token cannot be verified: 401, or 503 with Retry-After."
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
    rate_limit: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Unknown tokens per second that one client address may have looked up; no limit by default.",
    )
    rate_limit_burst: Count = Field(default=50, description="How many of them at once, after a quiet time.")
    rate_limited_status: Annotated[Literal[401, 429], BeforeValidator(number)] = Field(
        default=429, description="The answer beyond `rate_limit`: 429 with Retry-After, or 401."
    )

    @field_validator("cache_url")
    @classmethod
    def _usable_store(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            refuse_missing_files(read_store_url(url.get_secret_value()).files)
            if find_spec("redis") is None:
                raise ValueError("needs the extra valkey: pip install 'resource-server[valkey]'")
        return url

    @field_validator("cache_secret", "dpop_secret", check_fields=False)
    @classmethod
    def _strong_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have {MIN_SECRET_BYTES} bytes or more")
        return secret
