"""The resource server: one object that judges requests.

It owns the caches and the connections of one issuer, works in any event loop (each gets connections of its own), and
needs no start: whatever it lacks it fetches when it is first needed.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from secrets import token_bytes
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack
from weakref import WeakKeyDictionary

from resource_server._protocol.bearer import TokenMethods, extract_credential
from resource_server._protocol.messages import RequestParts, Unavailable
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.problem import ErrorResponse, ErrorStyle, render_error
from resource_server._runtime.observe import notify
from resource_server._validation.admit import admit
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.discover import discover
from resource_server._validation.flow import Flow
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
from resource_server.requirements import ANY_TOKEN, Requirement, authorize

if TYPE_CHECKING:
    from resource_server._runtime.drive import Client, Driver, Transport
    from resource_server.settings import Options, Settings

_FINGERPRINT_BYTES = 6


class ResourceServer:
    """Judge OAuth 2.0 access tokens at an authorization server, with a cache and a fallback.

    Args:
        client: an ``AsyncClient`` of httpx or httpx2 to ask with, in place of our own connections. It stays yours to
            close; redirects, cookies and its ``auth`` are not used.
        transport: an httpx transport to ask with, for instance one that answers in the same process.
        observer: called with every event; by default they are logged.
        clock: what time it is.
        options: the options of :class:`resource_server.Settings`, for instance ``issuer``, ``audience``,
            ``client_id`` and ``client_secret``.

    Raises:
        TypeError: an option does not exist.
        ConfigurationError: an option's value is not acceptable.
    """

    def __init__(
        self,
        *,
        client: Client | None = None,
        transport: Transport | None = None,
        observer: Observer | None = None,
        clock: Clock | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Validate the options; nothing is asked yet."""
        from resource_server.settings import Settings  # noqa: PLC0415 - pydantic is loaded when options are validated

        self.settings = settings = Settings.build(**options)
        self.error_style = ErrorStyle(settings.realm, settings.error_format, settings.verbose_errors)
        self.token_methods = TokenMethods(settings.max_token_length, settings.query_token, settings.form_token)
        self._clock = clock or Clock()
        self._observer: Observer = observer or LoggingObserver()
        # Keys of the cache are digests under a key that never leaves this object: a dump of it tells no token, and no
        # two servers can mistake each other's entries.
        self._digest_key = token_bytes(32)
        self._client, self._transport = client, transport
        self._drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, Driver] = WeakKeyDictionary()
        self._acting_principal: Principal | None = None
        self._state = IssuerState(
            settings.policy(), _cache(settings), Tombstones(settings.cache_size), self._clock, self._report_fault
        )

    @classmethod
    def from_env(
        cls,
        *,
        client: Client | None = None,
        transport: Transport | None = None,
        observer: Observer | None = None,
        clock: Clock | None = None,
        **options: Any,  # noqa: ANN401 - validated by Settings
    ) -> Self:
        """Read the options from ``RESOURCE_SERVER_*`` and the files that ``Settings.from_env`` knows.

        Args:
            client: as for the constructor.
            transport: as for the constructor.
            observer: as for the constructor.
            clock: as for the constructor.
            options: options that win over the environment, and ``env_file``, ``secrets_dir`` and ``toml_file``.

        Raises:
            ConfigurationError: an option's value is not acceptable.
        """
        from resource_server.settings import Settings  # noqa: PLC0415 - as above

        found = Settings.from_env(**options).model_dump(exclude_unset=True)
        return cls(client=client, transport=transport, observer=observer, clock=clock, **found)

    def __repr__(self) -> str:
        """Name the issuer; nothing secret."""
        return f"ResourceServer(issuer={self.settings.issuer!r}, strategy={self.settings.strategy!r})"

    async def authenticate(self, request: RequestParts, requirement: Requirement = ANY_TOKEN) -> Principal:
        """Judge a request: extract its token, validate it, admit it for this request, authorize it.

        Args:
            request: method, headers and query; no body.
            requirement: what the route demands.

        Returns:
            Who is calling.

        Raises:
            MissingToken: there is no access token.
            InvalidRequest: there is more than one, or the request is malformed.
            InvalidToken: the token is not good.
            InsufficientScope: it is good, and grants too little.
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503.
        """
        key: bytes | None = None
        try:
            if self._acting_principal is not None:
                verdict: Verdict = Active(self._acting_principal)
            else:
                credential = extract_credential(request, self.token_methods)
                if credential is None:
                    raise MissingToken(scope=requirement.scopes.preferred)
                key = blake2b(credential.token, digest_size=32, key=self._digest_key).digest()
                known = self._state.cache.get(key, self._clock.monotonic())
                verdict = known or await self._validate(Presented(key, credential.token))
            principal = admit(
                verdict,
                requirement,
                now=self._clock.wall(),
                leeway=self.settings.leeway,
                unavailable_status=self.settings.unavailable_status,
            )
            authorize(principal, requirement)
        except (BearerTokenError, VerificationUnavailable) as error:
            self._report_refusal(error, key)
            raise
        return principal

    def render(
        self, error: BearerTokenError | VerificationUnavailable, *, accept: bytes = b"", forbid: bool | None = None
    ) -> ErrorResponse:
        """Make the response for a refusal: status, headers with the challenge, and body.

        Args:
            error: what was raised.
            accept: the request's ``Accept`` field value.
            forbid: answer 403 in place of 401; ``None`` where the route knows no such rule.
        """
        return render_error(error, self.error_style, accept=accept, forbid=forbid)

    async def start(self) -> None:
        """Fetch metadata and keys ahead of the first request. Optional; a failure is reported and stops nothing."""
        driver, state, settings = self._driver(), self._state, self.settings
        introspects, verifies = settings.strategy != "jwks", settings.strategy != "introspect"
        if (introspects and settings.introspection_endpoint is None) or (verifies and settings.jwks_uri is None):
            # Under a key of its own: the flow joins the one called "metadata", and would wait for itself.
            await driver.share("start", lambda: discover(state))
        if verifies and state.keys.needs_fetch(self._clock.monotonic()):
            await driver.share("jwks", lambda: fetch_keys(state))

    async def aclose(self) -> None:
        """Close the connections of this event loop; the server can still be used and opens new ones."""
        driver = self._drivers.pop(asyncio.get_running_loop(), None)
        if driver is not None:
            await driver.aclose()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    @property
    def metadata(self) -> Metadata | None:
        """The authorization server's metadata, as far as it has been needed yet."""
        return self._state.metadata

    async def _validate(self, presented: Presented) -> Verdict:
        started = self._clock.monotonic()
        return await self._driver().share(presented.key, lambda: self._observed(presented, started))

    def _observed(self, presented: Presented, started: float) -> Flow[Verdict]:
        verdict = yield from validate(self._state, presented)
        self._tell(_validated(presented.key, verdict, self._clock.monotonic() - started))
        return verdict

    def _driver(self) -> Driver:
        loop = asyncio.get_running_loop()
        driver = self._drivers.get(loop)
        if driver is None:
            from resource_server._runtime.drive import Driver, Exchange  # noqa: PLC0415 - httpx is loaded when first needed

            settings = self.settings
            exchange = Exchange(
                timeout=settings.timeout,
                client=self._client,
                transport=self._transport,
                ca_file=None if settings.ca_file is None else str(settings.ca_file),
                trust_env=settings.trust_env,
            )
            driver = self._drivers[loop] = Driver(exchange)
        return driver

    def _tell(self, event: Event) -> None:
        notify(self._observer, event)

    def _report_fault(self, endpoint: str, fault: Unavailable) -> None:
        if fault.fault == "configuration":
            self._tell(ConfigurationFault(endpoint, fault.cause))
        else:
            self._tell(AuthorizationServerUnavailable(endpoint, fault.cause, fault.retry_after))

    def _report_refusal(self, error: BearerTokenError | VerificationUnavailable, key: bytes | None) -> None:
        fingerprint = None if key is None else _fingerprint(key)
        if isinstance(error, VerificationUnavailable) or error.reason == "unavailable":
            self._tell(RequestUnverifiable(error.status, fingerprint))
        else:
            self._tell(RequestRefused(error.status, error.error, error.reason, fingerprint))


def _cache(settings: Settings) -> VerdictCache:
    return VerdictCache(
        size=settings.cache_size,
        ttl=settings.cache_ttl,
        negative_size=settings.negative_cache_size,
        negative_ttl=settings.negative_cache_ttl,
        stale_if_error=settings.stale_if_error,
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
