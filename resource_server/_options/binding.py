"""Tokens that are bound to a key or to a certificate."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from resource_server._options.words import Count, Words
from resource_server._protocol.demand import Demand
from resource_server._protocol.jwks import ALGORITHMS

_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
"""A token of RFC 9110 section 5.6.2."""


class BindingOptions(BaseSettings):
    """How the sender of a token shows that it is his."""

    dpop: Demand = Field(default="off", description="Whether tokens must come with a DPoP proof, or may (RFC 9449).")
    dpop_algorithms: Words = Field(
        default=("ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "RS256"),
        description="The signature algorithms a proof may have.",
    )
    dpop_window: float = Field(
        default=60.0, gt=0, le=3600, description="Seconds for which a proof can be used after it was made."
    )
    dpop_nonce: bool = Field(default=False, description="Demand a nonce of ours in every proof.")
    dpop_secret: SecretStr | None = Field(
        default=None,
        description="What nonces are made from, the same in all workers, 32 bytes or more; else made from "
        "`client_secret`.",
    )
    dpop_replay: Literal["worker", "shared"] | None = Field(
        default=None,
        description="Who remembers which proofs were used: each worker by itself, or all together at `cache_url`; "
        "where that is silent, a proof is refused as in an outage. By default `shared` where there is a `cache_url`.",
    )
    dpop_replay_size: Count = Field(
        default=100_000,
        description="How many proofs one worker remembers; beyond that it refuses further ones.",
    )
    mtls: Demand = Field(
        default="off",
        description="Whether tokens must be bound to the client's certificate, or may be (RFC 8705).",
    )
    certificate_header: str | None = Field(
        default=None,
        description="The header in which a trusted proxy passes on the client's certificate: `Client-Cert` (RFC 9440), "
        "`X-Forwarded-Client-Cert` (Envoy), or any other with escaped PEM (nginx).",
    )
    trusted_proxies: Words = Field(
        default=(),
        description="The addresses and networks of proxies that are believed: what `certificate_header` says, and at "
        "the gateway what they tell of the original request.",
    )
    sender_constrained: bool = Field(
        default=False, description="Refuse a token that is bound neither to a key nor to a certificate."
    )

    @field_validator("dpop_algorithms")
    @classmethod
    def _known_proof_algorithms(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or set(algorithms) - set(ALGORITHMS):
            raise ValueError(f"must be some of {', '.join(ALGORITHMS)}")
        return algorithms

    @field_validator("certificate_header")
    @classmethod
    def _field_name(cls, name: str | None) -> str | None:
        if name is not None and not _FIELD_NAME.fullmatch(name):
            raise ValueError("is not the name of a header field")
        return name

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if ip_network(proxy).prefixlen == 0:  # which says itself what is wrong with others
                raise ValueError(f"{proxy} is everybody, and not the proxy alone")
        return proxies
