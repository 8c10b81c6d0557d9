"""What one resource server knows about one issuer: its policy, and everything it remembers.

The policy is plain values, already validated by ``settings``; the clocks are injected, so that time can be moved.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from resource_server._protocol.bearer import Credential, TokenMethods
from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.client_auth import ClientCredentials, Credentials
from resource_server._protocol.demand import Demand
from resource_server._protocol.jwe import Decryption
from resource_server._protocol.jwt_access_token import JWTProfile
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.shape import ANY_SHAPE, TokenShape
from resource_server._validation.breaker import Breaker
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.exchanged import ExchangedTokens
from resource_server._validation.forks import after_fork
from resource_server._validation.keys import KeyRing
from resource_server._validation.limiter import Limiter
from resource_server._validation.own_token import OwnToken
from resource_server._validation.revocations import Revocations
from resource_server._validation.vault import Vault
from resource_server.principal import Principal

FAILED_DECRYPTIONS = (100.0, 200)
"""How many tokens that cannot be decrypted one client may send: in a second, and at once."""
_ENDPOINTS = ("introspection", "jwks", "metadata", "token")
_EXCHANGED = 10_000
"""How many tokens for other services are remembered."""

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
    client: Credentials | None
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
    token_endpoint: str | None = None
    token_client: ClientCredentials | None = None
    """Our credentials at the token endpoint."""
    signed_introspection: Demand = "off"
    encrypted_tokens: Demand = "off"
    decryption: Decryption | None = None
    """What opens tokens and answers that are encrypted for us."""
    shows_certificate: bool = False
    """A certificate is shown to the authorization server, which may have endpoints of their own for that."""
    own_names: frozenset[str] = frozenset()
    """What an answer that is meant for us may call us."""
    cross_check: bool = True
    allow_insecure_http: bool = False
    shape: TokenShape = ANY_SHAPE
    rate_limit: float | None = None
    rate_limit_burst: int = 1

    @property
    def needs_keys(self) -> bool:
        """Whether anything is verified with the issuer's keys: tokens, or what it says about them."""
        return self.strategy != "introspect" or self.signed_introspection != "off"


class Host(Protocol):
    """The server that judges requests, in a task or in a thread; a lease asks it again."""

    @property
    def token_methods(self) -> TokenMethods:
        """Where a token may be in a request."""
        ...

    def revalidate(self, credential: Credential, /) -> Principal | Awaitable[Principal]:
        """Judge a token for whom it was let in before."""
        ...


Report = Callable[[str, Unavailable], None]
"""Told of every answer that could not be relied on: the endpoint, and what happened."""


class Asked(NamedTuple):
    """One question to the authorization server, and what came of it."""

    request: HTTPRequest
    outcome: HTTPResponse | Unavailable
    seconds: float
    clock_skew: float | None
    """Seconds by which its clock is ahead of ours, where its answer tells the time."""


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
        self.host: Host | None = None
        self.other_policy: Callable[[Policy], Policy | None] = _none
        """Returns one with other credentials, to try them where those of a policy are refused."""
        self.on_asked: Callable[[Asked], None] = _heedless
        """Told of every question to the authorization server."""
        self.in_flight: set[object] = set()
        """What stands for each question that is not answered yet."""
        self.clock_skew: float | None = None
        """As the last answer has told it that tells the time."""
        self.own_token = OwnToken()
        self.exchanged = ExchangedTokens(_EXCHANGED)
        self.keys = KeyRing()
        self.limiter = Limiter(policy.rate_limit, policy.rate_limit_burst)
        self.decryptions = Limiter(*FAILED_DECRYPTIONS)
        """Charged with what is encrypted and comes to nothing."""
        self.metadata: Metadata | None = None
        self.metadata_due = 0.0
        self._close_breakers()
        after_fork(self._leave_to_parent)

    def breaker(self, endpoint: str) -> Breaker:
        """Return the breaker of one endpoint."""
        return self._breakers[endpoint]

    def breakers(self) -> dict[str, Breaker]:
        """Return the breakers of all endpoints."""
        return dict(self._breakers)

    def flight(self, name: str) -> tuple[str, str]:
        """Name a shared flow of this issuer's."""
        return (self.policy.issuer, name)

    def adopt(self, policy: Policy, cache: VerdictCache) -> None:
        """Serve another policy of the same issuer; for a copy, so that what is under way is finished under the old one.

        Args:
            policy: what is demanded from now on.
            cache: the verdicts.
        """
        old, self.policy, self.cache = self.policy, policy, cache
        if (policy.rate_limit, policy.rate_limit_burst) != (old.rate_limit, old.rate_limit_burst):
            self.limiter = Limiter(policy.rate_limit, policy.rate_limit_burst)
        if policy.jwks_uri != old.jwks_uri:
            self.keys = KeyRing()
        if (policy.client, policy.token_client) != (old.client, old.token_client):
            self.own_token = OwnToken()
        if _endpoints(policy) != _endpoints(old):
            self._close_breakers()
        after_fork(self._leave_to_parent)

    def _close_breakers(self) -> None:
        self._breakers = {name: Breaker(self.clock.chance) for name in _ENDPOINTS}

    def _leave_to_parent(self) -> None:
        """Count on nothing that is under way: the threads that do it are not in a process that was forked off."""
        self.in_flight.clear()
        for breaker in self._breakers.values():
            breaker.leave()
        self.keys.leave()


def _endpoints(policy: Policy) -> tuple[str | None, ...]:
    return (policy.introspection_endpoint, policy.jwks_uri, policy.token_endpoint)


def _none(_: Policy) -> None:
    """Know of no other credentials."""


def _heedless(_: Asked) -> None:
    """Tell nobody."""
