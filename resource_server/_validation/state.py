"""What one resource server knows about one issuer: its policy, and everything it remembers.

The policy is plain values, already validated by ``settings``; the clocks are injected, so that time can be moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.client_auth import ClientCredentials
from resource_server._protocol.jwt_access_token import JWTProfile
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.metadata import Metadata
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.keys import KeyRing

Strategy = Literal["introspect_then_jwks", "introspect", "jwks", "jwks_then_introspect"]


class Clock(NamedTuple):
    """Two clocks: the one tokens are dated by, and the one that only ever goes forward."""

    wall: Callable[[], float] = time.time
    """Seconds since the epoch."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment."""


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
        clock: what time it is.
        report: who is told about faults.
    """

    def __init__(
        self, policy: Policy, cache: VerdictCache, tombstones: Tombstones, clock: Clock, report: Report
    ) -> None:
        """Start without keys and metadata."""
        self.policy = policy
        self.cache = cache
        self.tombstones = tombstones
        self.clock = clock
        self.report = report
        self.keys = KeyRing()
        self.metadata: Metadata | None = None
        self.metadata_due = 0.0
