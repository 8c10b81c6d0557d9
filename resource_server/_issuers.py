"""Several authorization servers behind one resource server: whose token it is, is decided before anything else.

Each issuer has a core of its own, with its own caches, keys and breakers: nothing that is known about a token of one
is ever looked up for another. What they share is what clients see.

References: RFC 8725 section 3.8, RFC 9207 section 4
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resource_server._core import NO_REQUEST, PROVEN, Core, Unknown, Unproven
from resource_server._intake import Intake
from resource_server._listed import Listed
from resource_server._protocol.bearer import Credential, extract_credential
from resource_server._protocol.jws import parse_jws
from resource_server._protocol.messages import RequestParts, Unavailable
from resource_server._protocol.routing import Mark, find_issuer
from resource_server._reload import Change
from resource_server._reports import Reports
from resource_server._resolved import Question, Resolved
from resource_server._validation.admit import DEFAULT_RETRY_AFTER, admit
from resource_server._validation.limiter import Limiter
from resource_server._validation.state import Clock
from resource_server._validation.verdict import Active
from resource_server.errors import (
    BearerTokenError,
    EventRefusal,
    InvalidToken,
    MissingToken,
    SecurityEventRefused,
    TooManyTokens,
    VerificationUnavailable,
)
from resource_server.events import Observer
from resource_server.health import Check
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement, authorize

if TYPE_CHECKING:
    from resource_server.settings import Settings

ROUTES = 50_000
"""How many tokens are remembered by whose they are; then all are read anew."""


class Unresolved(NamedTuple):
    """A request whose token names an issuer that the resolver must be asked about."""

    issuers: Issuers
    question: Question
    credential: Credential
    requirement: Requirement
    request: RequestParts


class Table(Protocol):
    """The issuers that are trusted."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What tells the tokens of those apart that do not name their issuer."""
        ...

    def find(self, issuer: str) -> Core | Question | None:
        """Return who judges the tokens of an issuer, what is to be asked first, or nobody."""
        ...

    def cores(self) -> list[Core]:
        """Return those that judge at this moment."""
        ...

    def revoke(self, named: Mapping[str, object], before: object, issuer: str | None) -> None:
        """Note what a caller wants revoked, at one issuer or at all."""
        ...

    def check(self) -> Check | None:
        """Tell how the resolver is doing, where there is one."""
        ...

    def reconfigure(self, settings: Settings, *, certificates_changed: bool = False) -> tuple[str, ...]:
        """Put other options in force; return the names of those that take effect at a restart."""
        ...


class Issuers:
    """Hands each request to the core of the issuer whose token it brings.

    Args:
        settings: the options of the whole resource server.
        intake: what all cores share.
        clock: what time it is.
        observer: called with every event.
        open_core: makes the core of an issuer, out of its options.
        drop_core: told of a core that judges no more.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, each by name
        self,
        settings: Settings,
        *,
        intake: Intake,
        clock: Clock,
        observer: Observer | None,
        open_core: Callable[[Settings], Core],
        drop_core: Callable[[Core], None],
    ) -> None:
        """Make the cores of all issuers that are listed."""
        self.settings = settings
        self.reports = Reports("", observer, clock)
        self._table: Table
        if callable(settings.authorization_servers):
            resolve = settings.authorization_servers
            self._table = Resolved(settings, resolve, self.reports, clock, open_core=open_core, drop_core=drop_core)
        else:
            self._table = Listed(settings, open_core=open_core, drop_core=drop_core)
        self._intake = intake
        self._clock = clock
        self._digest_key = token_bytes(32)
        self._routes: dict[bytes, str] = {}
        self._limiter = Limiter(settings.rate_limit, settings.rate_limit_burst)

    def cores(self) -> list[Core]:
        """Return those that judge at this moment."""
        return self._table.cores()

    def check(self) -> Check | None:
        """Tell how the resolver is doing, where there is one."""
        return self._table.check()

    def reconfigure(self, change: Change) -> tuple[str, ...]:
        """Put other options in force; return the names of those of single issuers that take effect at a restart.

        Args:
            change: what is different.
        """
        postponed = self._table.reconfigure(change.settings, certificates_changed=change.connections)
        self.settings, self._routes = change.settings, {}
        self._limiter = Limiter(change.settings.rate_limit, change.settings.rate_limit_burst)
        return postponed

    def begin(self, request: RequestParts, requirement: Requirement) -> Principal | Unknown | Unproven | Unresolved:
        """Judge a request by what is known; where that is nothing, return what is to be found out.

        Raises:
            BearerTokenError: as :meth:`resource_server.ResourceServer.authenticate` says.
            VerificationUnavailable: as above.
        """
        intake = self._intake
        credential: Credential | None = None
        try:
            if intake.acting_principal is not None:
                return self._act(intake.acting_principal, requirement)
            credential = extract_credential(request, intake.token_methods)
            if credential is None or (credential.scheme != "bearer" and not intake.takes_dpop(requirement)):
                raise MissingToken(scope=requirement.scopes.preferred)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._refuse(error, requirement, credential)
            raise
        return self._hand_over(credential, requirement, request)

    def begin_again(self, credential: Credential) -> Principal | Unknown | Unproven | Unresolved:
        """Judge a token by what is known, for whom it was let in before: nothing is to be proved again.

        Raises:
            BearerTokenError: as above.
            VerificationUnavailable: as above.
        """
        return self._hand_over(credential._replace(scheme=PROVEN.scheme), ANY_TOKEN, NO_REQUEST)

    def begin_resolved(self, asked: Unresolved, found: Core | Unavailable | None) -> Principal | Unknown | Unproven:
        """Judge a request by what the resolver has said of its issuer.

        Raises:
            BearerTokenError: as above.
            VerificationUnavailable: as above.
        """
        if isinstance(found, Core):
            self._limiter.refund(asked.request.client or asked.request.peer)
            return found.begin_with(asked.credential, asked.requirement, asked.request)
        try:
            if isinstance(found, Unavailable):
                self._admit(found, asked.requirement)
            raise InvalidToken("wrong_issuer")
        except (BearerTokenError, VerificationUnavailable) as error:
            self._refuse(error, asked.requirement, asked.credential)
            raise

    def revoke(self, named: Mapping[str, object], before: object, issuer: str | None) -> None:
        """Note what a caller wants revoked, at one issuer or at all.

        Raises:
            TypeError: as :meth:`resource_server.ResourceServer.revoke` says.
            ValueError: as above.
        """
        self._table.revoke(named, before, issuer)

    def core_of(self, token: bytes) -> Core:
        """Return who judges a token that was let in.

        Raises:
            InvalidToken: nobody does.
        """
        issuer = self._routes.get(self._digest(token)) or find_issuer(token, self._table.marks)
        found = None if issuer is None else self._table.find(issuer)
        if isinstance(found, Core):
            return found
        raise InvalidToken("wrong_issuer")

    def addressee(self, token: bytes) -> Core | Question:
        """Return who judges a security event, or what is to be asked first.

        Raises:
            SecurityEventRefused: nobody does.
        """
        issuer = find_issuer(token, ())
        found = None if issuer is None else self._table.find(issuer)
        if found is not None:
            return found
        refusal: EventRefusal = "invalid_request" if parse_jws(token) is None else "invalid_issuer"
        self.reports.received(refusal, 0)
        raise SecurityEventRefused(refusal)

    def addressee_resolved(self, found: Core | Unavailable | None) -> Core:
        """Return who judges a security event, after the resolver was asked about its issuer.

        Raises:
            SecurityEventRefused: nobody does.
            VerificationUnavailable: the resolver could not say.
        """
        if isinstance(found, Core):
            return found
        if found is None:
            self.reports.received("invalid_issuer", 0)
            raise SecurityEventRefused("invalid_issuer")
        raise VerificationUnavailable(DEFAULT_RETRY_AFTER)

    def _hand_over(
        self, credential: Credential, requirement: Requirement, request: RequestParts
    ) -> Principal | Unknown | Unproven | Unresolved:
        key, routes = self._digest(credential.token), self._routes  # those there are now: others come with a reload
        issuer = routes.get(key) or find_issuer(credential.token, self._table.marks)
        found = None if issuer is None else self._table.find(issuer)
        if isinstance(found, Core):
            if len(routes) >= ROUTES:
                routes.clear()
            routes[key] = found.settings.issuer
            return found.begin_with(credential, requirement, request)
        payer = request.client or request.peer
        wait = None if found is None else self._limiter.charge(payer, self._clock.monotonic())
        if found is not None and wait is None:
            return Unresolved(self, found, credential, requirement, request)
        error = InvalidToken("wrong_issuer") if wait is None else self._too_many_tokens(wait)
        self._refuse(error, requirement, credential)
        raise error

    def _too_many_tokens(self, wait: float) -> InvalidToken | TooManyTokens:
        answers_429 = self.settings.rate_limited_status == TooManyTokens.status
        return TooManyTokens(wait) if answers_429 else InvalidToken("rate_limited")

    def _act(self, principal: Principal, requirement: Requirement) -> Principal:
        admitted = self._admit(Active(principal), requirement)
        settings, rules = self.settings, self._intake.scope_rules
        authorize(admitted, requirement, now=self._clock.wall(), leeway=settings.leeway, rules=rules)
        return admitted

    def _admit(self, verdict: Active | Unavailable, requirement: Requirement) -> Principal:
        settings, now = self.settings, self._clock.wall()
        status = settings.unavailable_status
        return admit(verdict, requirement, now=now, leeway=settings.leeway, unavailable_status=status)

    def _refuse(
        self,
        error: BearerTokenError | VerificationUnavailable,
        requirement: Requirement,
        credential: Credential | None,
    ) -> None:
        if isinstance(error, BearerTokenError):
            self._intake.challenge(error, requirement, credential)
        self.reports.refusal(error, None if credential is None else self._digest(credential.token))

    def _digest(self, content: bytes) -> bytes:
        return blake2b(content, digest_size=32, key=self._digest_key).digest()
