"""What both facades share: everything about judging requests that does not depend on how one waits.

A facade adds a driver: it runs the flows that are made here, in tasks or in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from functools import partial
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeGuard, cast

from resource_server._intake import Intake
from resource_server._protocol.bearer import Credential, extract_credential
from resource_server._protocol.messages import RequestParts, Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._reload import Change, Handover
from resource_server._reports import Reports
from resource_server._validation.admit import DEFAULT_RETRY_AFTER, admit
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.feed import Feed
from resource_server._validation.flow import AddOnce, Flow
from resource_server._validation.limiter import RATE_LIMITED
from resource_server._validation.possession import FirstUse
from resource_server._validation.revocations import Revocations
from resource_server._validation.state import Clock, IssuerState, Policy
from resource_server._validation.validate import Presented, validate
from resource_server._validation.vault import Vault
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server.errors import (
    BearerTokenError,
    InvalidDPoPProof,
    InvalidToken,
    MissingToken,
    TooManyTokens,
    VerificationUnavailable,
)
from resource_server.events import Observer
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement, authorize

if TYPE_CHECKING:
    from resource_server.settings import Settings

Refresh = Callable[[bytes, Callable[[], Flow[Verdict]]], None]
"""Starts a flow in the background, shared under a key."""
NO_REQUEST = RequestParts("", ())
PROVEN = Credential("proven", b"")
"""Of whom nothing is to be shown: who acts in a test, or was let in before."""


class Unknown(NamedTuple):
    """A request whose token must be found out about before it can be judged."""

    core: Core
    presented: Presented
    requirement: Requirement
    credential: Credential
    request: RequestParts


class Unproven(NamedTuple):
    """A request that is good if its proof is used for the first time, which all workers remember together."""

    core: Core
    principal: Principal
    first_use: FirstUse
    requirement: Requirement
    credential: Credential


class Way(Protocol):
    """The way to an authorization server, for tasks or for threads."""

    @property
    def stores_seen(self) -> Iterable[BreakerStatus]:
        """What has been seen of the store that all workers share; nothing where there is none."""
        ...

    def start_feed(self) -> None:
        """Get in touch with the other workers, where that is possible from here; else the next request does."""

    def share(self, key: object, flow: Callable[[], Flow[Any]]) -> Any:  # noqa: ANN401 - or what waits for it
        """Run a flow once for everybody who asks for it under this key at the same time."""


class Core:
    """Judge requests as far as that needs nobody else, and make the flows for the rest.

    Args:
        settings: the options.
        clock: what time it is.
        observer: called with every event.
        refresh: starts a flow in the background, shared under a key: to renew what is in use before it ends.
        intake: what several of these share; by default one of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None,
        observer: Observer | None,
        refresh: Refresh,
        intake: Intake | None = None,
    ) -> None:
        """Start with nothing known."""
        self.settings = settings
        self.clock = clock or Clock()
        self.intake = intake or Intake(settings, self.clock)
        self.reports = Reports(settings.issuer, observer, self.clock)
        self._refresh = refresh
        # Keys of the cache are digests under a key that never leaves this object, or is made from the secret that all
        # workers share: a dump of it tells no token, and no two servers can mistake each other's entries.
        vault = settings.vault()
        self._digest_key = token_bytes(32) if vault is None else vault.digest_key
        self.state = self._begin_state(settings, vault)
        self.feed = None if vault is None else self._make_feed(vault, self.state.revocations)
        self._handover = Handover()
        self.connections = 0
        """Counts up when connections are to be made anew."""
        self.line: Way | None = None
        """What its flows run through."""
        self.look_at_files: Callable[[], None] = _nothing
        """Looks whether the options have changed where they were read, at once."""

    def digest(self, content: bytes) -> bytes:
        """Name bytes by a digest that nobody else can make."""
        return _digest(self._digest_key, content)

    def reconfigure(self, change: Change) -> tuple[str, ...]:
        """Put other options in force. What is under way is finished under the ones it began with.

        Args:
            change: what is different; what still holds under it is kept.

        Returns:
            The names of those that take effect at a restart.
        """
        before, settings = self.state, change.settings
        policy = settings.policy()
        if settings.issuer != before.policy.issuer:
            self.reports.begin_anew(settings.issuer)
            self._digest_key = token_bytes(32)
            self.state = self._begin_state(settings, None)
            self.state.host = before.host
        else:
            before.cache.retime(settings.cache_ttl, settings.negative_cache_ttl, settings.stale_if_error)
            cache = before.cache
            if change.judgement:
                cache = _cache(settings, self.clock)
                cache.lookups = before.cache.lookups
            state = copy(before)
            state.adopt(policy, cache)
            self.state = state
        self._handover.note(before.policy, policy, self.clock.monotonic())
        self.settings = settings
        self.connections += change.connections
        return change.at_a_restart

    def begin(self, request: RequestParts, requirement: Requirement) -> Principal | Unknown | Unproven:
        """Judge a request by what is known; where that is nothing, return what is to be found out.

        Raises:
            BearerTokenError: as :meth:`resource_server.ResourceServer.authenticate` says.
            VerificationUnavailable: as above.
        """
        key: bytes | None = None
        credential: Credential | None = None
        intake = self.intake
        try:
            if intake.acting_principal is not None:
                return self._admit(Active(intake.acting_principal), requirement, PROVEN, request)
            credential = extract_credential(request, intake.token_methods)
            if credential is None or (credential.scheme != "bearer" and not intake.takes_dpop(requirement)):
                raise MissingToken(scope=requirement.scopes.preferred)
            key = blake2b(credential.token, digest_size=32, key=self._digest_key).digest()
            return self._look_up(key, credential, requirement, request)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._refuse(error, requirement, credential, key)
            raise

    def begin_with(
        self, credential: Credential, requirement: Requirement, request: RequestParts
    ) -> Principal | Unknown | Unproven:
        """Judge a request whose credential is extracted already, as above.

        Raises:
            BearerTokenError: as above.
            VerificationUnavailable: as above.
        """
        key = self.digest(credential.token)
        try:
            return self._look_up(key, credential, requirement, request)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._refuse(error, requirement, credential, key)
            raise

    def begin_again(self, credential: Credential) -> Principal | Unknown | Unproven:
        """Judge a token by what is known, for whom it was let in before: nothing is to be proved again.

        Raises:
            BearerTokenError: as above.
            VerificationUnavailable: as above.
        """
        return self.begin_with(credential._replace(scheme=PROVEN.scheme), ANY_TOKEN, NO_REQUEST)

    def complete(self, unknown: Unknown, verdict: Verdict) -> Principal | Unproven:
        """Judge a request by what has been found out about its token.

        Raises:
            BearerTokenError: as above.
            VerificationUnavailable: as above.
        """
        try:
            if _is_rate_limited(verdict):
                raise self._too_many_tokens(verdict)
            return self._admit(verdict, unknown.requirement, unknown.credential, unknown.request)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._refuse(error, unknown.requirement, unknown.credential, unknown.presented.key)
            raise

    def use_once(self, unproven: Unproven) -> Flow[bool | None]:
        """Have a proof remembered by all workers; tell whether it is new, or ``None`` where nobody can tell."""
        first_use, vault = unproven.first_use, cast("Vault", self.state.vault)  # nothing is shared without one
        return cast("bool | None", (yield AddOnce(vault.name("proof", first_use.digest), first_use.ttl)))

    def accept(self, unproven: Unproven, is_first: bool | None) -> Principal:  # noqa: FBT001 - what use_once returns
        """Judge a request by whether its proof is new.

        Raises:
            InvalidDPoPProof: it is not.
            InvalidToken: nobody can tell, and that is configured to be a 401.
            VerificationUnavailable: nobody can tell.
        """
        if is_first:
            return unproven.principal
        requirement = unproven.requirement
        error: BearerTokenError | VerificationUnavailable = InvalidDPoPProof("proof_replayed")
        if is_first is None:
            status = requirement.unavailable_status or self.settings.unavailable_status
            outage = status == VerificationUnavailable.status
            error = VerificationUnavailable(DEFAULT_RETRY_AFTER) if outage else InvalidToken("unavailable")
        self._refuse(error, requirement, unproven.credential, None)
        raise error

    def find_out(self, presented: Presented) -> Flow[Verdict]:
        """Find out about a token, remember it and report it."""
        started = self.clock.monotonic()
        verdict = yield from validate(self.state, presented)
        if not _is_rate_limited(verdict):
            self.reports.validated(presented.key, verdict, self.clock.monotonic() - started)
        return verdict

    def note(self, revocation: Revocation) -> bool:
        """Note a revocation, and have the other workers told; say whether it says anything that was not known."""
        is_news = self.state.revocations.add(revocation, now=self.clock.monotonic(), wall=self.clock.wall())
        if is_news and self.feed is not None:
            self.feed.note(revocation)
        return is_news

    def _look_up(
        self,
        key: bytes,
        credential: Credential,
        requirement: Requirement,
        request: RequestParts,
    ) -> Principal | Unknown | Unproven:
        now = self.clock.monotonic()
        entry = self.state.cache.find(key, now)
        if entry is None:
            presented = Presented(key, credential.token, peer=request.client or request.peer)
            return Unknown(self, presented, requirement, credential, request)
        if now >= entry.soft_end and self.state.cache.take_refresh(key, entry):
            renewed = Presented(key, credential.token, ahead=True)
            self._refresh(key, lambda: self.find_out(renewed))
        return self._admit(entry.verdict, requirement, credential, request)

    def _admit(
        self, verdict: Verdict, requirement: Requirement, credential: Credential, request: RequestParts
    ) -> Principal | Unproven:
        settings, intake = self.settings, self.intake
        if isinstance(verdict, Active) and self.state.revocations.condemns(verdict):
            verdict = Inactive("revoked")
        now = self.clock.wall()
        principal = admit(
            verdict,
            requirement,
            now=now,
            leeway=settings.leeway,
            unavailable_status=settings.unavailable_status,
        )
        if (
            requirement.plain
            and principal.confirmation is None
            and credential.scheme == "bearer"
            and not intake.binds
            and requirement.scopes.granted_by(principal.scopes)
        ):
            return principal  # nearly all of them: what follows would say the same, and cost a tenth of it all
        first_use = self._prove(principal, requirement, credential, request)
        authorize(principal, requirement, now=now, leeway=settings.leeway, rules=intake.scope_rules)
        return principal if first_use is None else Unproven(self, principal, first_use, requirement, credential)

    def _prove(
        self, principal: Principal, requirement: Requirement, credential: Credential, request: RequestParts
    ) -> FirstUse | None:
        if credential.scheme == PROVEN.scheme:
            return None
        return self.intake.possession.judge(principal, requirement, credential, request)

    def _refuse(
        self,
        error: BearerTokenError | VerificationUnavailable,
        requirement: Requirement,
        credential: Credential | None,
        key: bytes | None,
    ) -> None:
        if isinstance(error, BearerTokenError):
            self.intake.challenge(error, requirement, credential)
        self.reports.refusal(error, key)

    def _too_many_tokens(self, limited: Unavailable) -> InvalidToken | TooManyTokens:
        if self.settings.rate_limited_status == TooManyTokens.status:
            return TooManyTokens(limited.retry_after or 0.0)
        return InvalidToken("rate_limited")

    def _make_feed(self, vault: Vault, revocations: Revocations) -> Feed:
        memory = self.settings.revocation_memory
        reports = self.reports
        return Feed(vault, revocations, clock=self.clock, memory=memory, report=reports.feed, on_heard=reports.heard)

    def _begin_state(self, settings: Settings, vault: Vault | None) -> IssuerState:
        state = IssuerState(
            settings.policy(),
            cache=_cache(settings, self.clock),
            tombstones=Tombstones(settings.cache_size),
            revocations=Revocations(leeway=settings.leeway, on_full=self.reports.forgotten),
            clock=self.clock,
            report=self.reports.fault,
            digest=partial(_digest, self._digest_key),
            vault=vault,
        )
        state.other_policy = self._other_policy
        state.on_asked = self.reports.asked
        return state

    def _other_policy(self, refused: Policy) -> Policy | None:
        """Return the policy that has replaced another one, or for a while the one that it has replaced."""
        if self.state.policy.client == refused.client:
            self.look_at_files()
        return self._handover.other(refused, self.state.policy, self.clock.monotonic())


def _nothing() -> None:
    """Look at no files: there are none."""


def _digest(key: bytes, content: bytes) -> bytes:
    return blake2b(content, digest_size=32, key=key).digest()


def _cache(settings: Settings, clock: Clock) -> VerdictCache:
    return VerdictCache(
        size=settings.cache_size,
        ttl=settings.cache_ttl,
        negative_size=settings.negative_cache_size,
        negative_ttl=settings.negative_cache_ttl,
        stale_if_error=settings.stale_if_error,
        chance=clock.chance,
    )


def _is_rate_limited(verdict: Verdict) -> TypeGuard[Unavailable]:
    return isinstance(verdict, Unavailable) and verdict.cause == RATE_LIMITED
