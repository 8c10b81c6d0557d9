"""What both facades share: everything about judging requests that does not depend on how one waits.

A facade adds a driver: it runs the flows that are made here, in tasks or in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple

from resource_server._protocol.bearer import TokenMethods, extract_credential
from resource_server._protocol.messages import RequestParts, Unavailable
from resource_server._protocol.problem import ErrorStyle
from resource_server._runtime.observe import notify
from resource_server._validation.admit import admit
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.discover import discover
from resource_server._validation.flow import Flow
from resource_server._validation.revocations import Revocations
from resource_server._validation.state import Clock, IssuerState
from resource_server._validation.validate import Presented, validate
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.errors import BearerTokenError, MissingToken, VerificationUnavailable
from resource_server.events import (
    AuthorizationServerUnavailable,
    ConfigurationFault,
    Event,
    LoggingObserver,
    Observer,
    RequestRefused,
    RequestUnverifiable,
    TokenValidated,
)
from resource_server.principal import Principal
from resource_server.requirements import Requirement, authorize

if TYPE_CHECKING:
    from resource_server.settings import Settings

_FINGERPRINT_BYTES = 6


class Unknown(NamedTuple):
    """A request whose token must be found out about before it can be judged."""

    presented: Presented
    requirement: Requirement


class Core:
    """Judge requests as far as that needs nobody else, and make the flows for the rest.

    Args:
        settings: the options.
        clock: what time it is.
        observer: called with every event.
        refresh: starts a flow in the background, shared under a key: to renew what is in use before it ends.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None,
        observer: Observer | None,
        refresh: Callable[[bytes, Callable[[], Flow[Verdict]]], None],
    ) -> None:
        """Start with nothing known."""
        self.settings = settings
        self.clock = clock or Clock()
        self.error_style = ErrorStyle(settings.realm, settings.error_format, settings.verbose_errors)
        self.token_methods = TokenMethods(settings.max_token_length, settings.query_token, settings.form_token)
        self.acting_principal: Principal | None = None
        self._observer: Observer = observer or LoggingObserver()
        self._refresh = refresh
        # Keys of the cache are digests under a key that never leaves this object, or is made from the secret that all
        # workers share: a dump of it tells no token, and no two servers can mistake each other's entries.
        vault = settings.vault()
        self._digest_key = token_bytes(32) if vault is None else vault.digest_key
        self.state = IssuerState(
            settings.policy(),
            cache=_cache(settings, self.clock),
            tombstones=Tombstones(settings.cache_size),
            revocations=Revocations(),
            clock=self.clock,
            report=self._report_fault,
            digest=self.digest,
            vault=vault,
        )

    def digest(self, content: bytes) -> bytes:
        """Name bytes by a digest that nobody else can make."""
        return blake2b(content, digest_size=32, key=self._digest_key).digest()

    def begin(self, request: RequestParts, requirement: Requirement) -> Principal | Unknown:
        """Judge a request by what is known; where that is nothing, return what is to be found out.

        Raises:
            BearerTokenError: as :meth:`resource_server.ResourceServer.authenticate` says.
            VerificationUnavailable: as above.
        """
        key: bytes | None = None
        try:
            if self.acting_principal is not None:
                return self._admit(Active(self.acting_principal), requirement)
            credential = extract_credential(request, self.token_methods)
            if credential is None:
                raise MissingToken(scope=requirement.scopes.preferred)
            key = blake2b(credential.token, digest_size=32, key=self._digest_key).digest()
            now = self.clock.monotonic()
            entry = self.state.cache.find(key, now)
            if entry is None:
                return Unknown(Presented(key, credential.token), requirement)
            if now >= entry.soft_end and self.state.cache.take_refresh(key, entry):
                renewed = Presented(key, credential.token, ahead=True)
                self._refresh(key, lambda: self.find_out(renewed))
            return self._admit(entry.verdict, requirement)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._report_refusal(error, key)
            raise

    def complete(self, unknown: Unknown, verdict: Verdict) -> Principal:
        """Judge a request by what has been found out about its token.

        Raises:
            BearerTokenError: as above.
            VerificationUnavailable: as above.
        """
        try:
            return self._admit(verdict, unknown.requirement)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._report_refusal(error, unknown.presented.key)
            raise

    def find_out(self, presented: Presented) -> Flow[Verdict]:
        """Find out about a token, remember it and report it."""
        started = self.clock.monotonic()
        verdict = yield from validate(self.state, presented)
        self.tell(_validated(presented.key, verdict, self.clock.monotonic() - started))
        return verdict

    def preparations(self) -> list[tuple[tuple[str, str], Callable[[], Flow[object]]]]:
        """Return what to fetch ahead of the first request, one after the other, each under the key it is shared by."""
        state, settings = self.state, self.settings
        introspects, verifies = settings.strategy != "jwks", settings.strategy != "introspect"
        found: list[tuple[tuple[str, str], Callable[[], Flow[object]]]] = []
        if (introspects and settings.introspection_endpoint is None) or (verifies and settings.jwks_uri is None):
            # Under a key of its own: the flow joins the one called "metadata", and would wait for itself.
            found.append((state.flight("start"), lambda: discover(state)))
        if verifies and state.keys.needs_fetch(self.clock.monotonic()):
            found.append((state.flight("jwks"), lambda: fetch_keys(state)))
        return found

    def tell(self, event: Event) -> None:
        """Tell the observer."""
        notify(self._observer, event)

    def _admit(self, verdict: Verdict, requirement: Requirement) -> Principal:
        settings = self.settings
        if isinstance(verdict, Active) and self.state.revocations.condemns(verdict):
            verdict = Inactive("revoked")
        principal = admit(
            verdict,
            requirement,
            now=self.clock.wall(),
            leeway=settings.leeway,
            unavailable_status=settings.unavailable_status,
        )
        authorize(principal, requirement)
        return principal

    def _report_fault(self, endpoint: str, fault: Unavailable) -> None:
        issuer = self.settings.issuer
        if fault.fault == "configuration":
            self.tell(ConfigurationFault(endpoint, fault.cause, issuer))
        else:
            self.tell(AuthorizationServerUnavailable(endpoint, fault.cause, fault.retry_after, issuer))

    def _report_refusal(self, error: BearerTokenError | VerificationUnavailable, key: bytes | None) -> None:
        fingerprint = None if key is None else _fingerprint(key)
        if isinstance(error, VerificationUnavailable) or error.reason == "unavailable":
            self.tell(RequestUnverifiable(error.status, fingerprint))
        else:
            self.tell(RequestRefused(error.status, error.error, error.reason, fingerprint))


def _cache(settings: Settings, clock: Clock) -> VerdictCache:
    return VerdictCache(
        size=settings.cache_size,
        ttl=settings.cache_ttl,
        negative_size=settings.negative_cache_size,
        negative_ttl=settings.negative_cache_ttl,
        stale_if_error=settings.stale_if_error,
        chance=clock.chance,
    )


def _fingerprint(key: bytes) -> str:
    return key[:_FINGERPRINT_BYTES].hex()


def _validated(key: bytes, verdict: Verdict, seconds: float) -> TokenValidated:
    fingerprint = _fingerprint(key)
    if isinstance(verdict, Active):
        return TokenValidated(fingerprint, "active", verdict.principal.assurance, None, seconds)
    if isinstance(verdict, Inactive):
        return TokenValidated(fingerprint, "inactive", None, verdict.reason, seconds)
    return TokenValidated(fingerprint, "unavailable", None, verdict.cause, seconds)
