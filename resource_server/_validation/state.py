"""What one resource server knows about one issuer: its policy, and everything it remembers.

The policy is plain values, already validated by ``settings``; the clocks are injected, so that time can be moved.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.client_auth import ClientCredentials
from resource_server._protocol.jwt_access_token import JWTProfile
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.metadata import Metadata
from resource_server._validation.breaker import Breaker
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.keys import KeyRing
from resource_server._validation.revocations import Revocations
from resource_server._validation.vault import Vault

Strategy = Literal["introspect_then_jwks", "introspect", "jwks", "jwks_then_introspect"]


class Clock(NamedTuple):
    """Two clocks, one that dates tokens and one that only ever goes forward, and what spreads work in time."""

    wall: Callable[[], float] = time.time
    """Seconds since the epoch."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment."""
    chance: Callable[[], float] = random.random
    """A number between 0 and 1, anew with each call: no two workers are to ask, or ask again, in step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The options that decide about tokens."""

    issuer: str
    strategy: Strategy
    client: ClientCredentials | None
    introspection_rules: ClaimRules
    jwt_rules: ClaimRules
    jwt_profile: JWTProfile
    algorithms: frozenset[str]
    introspection_endpoint: str | None = None
    jwks_uri: str | None = None
    leeway: float = 0.0
    retries: int = 0
    timeout: float = 5.0
    cache_ttl: float = 60.0
    negative_cache_ttl: float = 10.0
    stale_if_error: float = 0.0
    fallback_max_age: float = 3600.0
    fallback_on_configuration_fault: bool = False
    cross_check: bool = True
    allow_insecure_http: bool = False


Report = Callable[[str, Unavailable], None]
"""Told of every answer that could not be relied on: the endpoint, and what happened."""


class IssuerState:
    """Everything that is remembered about one issuer.

    Args:
        policy: what is demanded.
        cache: the verdicts.
        tombstones: the tokens that stay inactive.
        revocations: what we have been told is revoked.
        clock: what time it is.
        report: who is told about faults.
        digest: names bytes with a keyed digest.
        vault: makes and reads what is kept in the store that all workers share; ``None`` where there is none.
    """

    def __init__(  # noqa: PLR0913 - what is remembered, each by name
        self,
        policy: Policy,
        *,
        cache: VerdictCache,
        tombstones: Tombstones,
        revocations: Revocations,
        clock: Clock,
        report: Report,
        digest: Callable[[bytes], bytes],
        vault: Vault | None = None,
    ) -> None:
        """Start without keys and metadata."""
        self.policy = policy
        self.cache = cache
        self.tombstones = tombstones
        self.revocations = revocations
        self.clock = clock
        self.report = report
        self.digest = digest
        self.vault = vault
        self.keys = KeyRing()
        self.metadata: Metadata | None = None
        self.metadata_due = 0.0
        self._breakers = {name: Breaker(clock.chance) for name in ("introspection", "jwks", "metadata")}

    def breaker(self, endpoint: str) -> Breaker:
        """Return the breaker of one endpoint."""
        return self._breakers[endpoint]

    def flight(self, name: str) -> tuple[str, str]:
        """Name a shared flow of this issuer's."""
        return (self.policy.issuer, name)
