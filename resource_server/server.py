"""The resource server: one object that judges requests.

It owns the caches and the connections of one issuer, works in any event loop (each gets connections of its own), and
needs no start: whatever it lacks it fetches when it is first needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack
from weakref import WeakKeyDictionary

from resource_server._core import Core, Unknown
from resource_server._facade import Facade
from resource_server._protocol.messages import RequestParts
from resource_server._validation.flow import Flow
from resource_server._validation.state import Clock
from resource_server._validation.verdict import Verdict
from resource_server.events import Observer
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

if TYPE_CHECKING:
    from resource_server._runtime.drive import Driver, Store
    from resource_server._runtime.exchange import Client, Transport
    from resource_server.settings import Options


class ResourceServer(Facade):
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

        settings = Settings.build(**options)
        super().__init__(Core(settings, clock=clock, observer=observer, refresh=self._begin_refresh))
        self._client, self._transport = client, transport
        self._drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, Driver] = WeakKeyDictionary()

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
        known = self._core.begin(request, requirement)
        return await self._find_out(known) if isinstance(known, Unknown) else known

    async def start(self) -> None:
        """Fetch metadata and keys ahead of the first request. Optional; a failure is reported and stops nothing."""
        driver = self._driver()
        for key, flow in self._core.preparations():
            await driver.share(key, flow)

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

    async def _find_out(self, unknown: Unknown) -> Principal:
        presented = unknown.presented
        verdict = await self._driver().share(presented.key, lambda: self._core.find_out(presented))
        return self._core.complete(unknown, verdict)

    def _begin_refresh(self, key: bytes, flow: Callable[[], Flow[Verdict]]) -> None:
        self._driver().begin(key, flow)

    def _driver(self) -> Driver:
        loop = asyncio.get_running_loop()
        driver = self._drivers.get(loop)
        if driver is None:
            from resource_server._runtime.drive import Driver  # noqa: PLC0415 - httpx is loaded when first needed
            from resource_server._runtime.exchange import Exchange  # noqa: PLC0415 - as above

            settings = self.settings
            exchange = Exchange(
                timeout=settings.timeout,
                attempt_timeout=settings.attempt_timeout,
                places=settings.max_concurrent_calls,
                client=self._client,
                transport=self._transport,
                ca_file=None if settings.ca_file is None else str(settings.ca_file),
                trust_env=settings.trust_env,
            )
            driver = self._drivers[loop] = Driver(exchange, self._open_store())
        return driver

    def _open_store(self) -> Store | None:
        url = self.settings.cache_url
        if url is None:
            return None
        from resource_server.stores.valkey import ValkeyStore  # noqa: PLC0415 - an extra

        return ValkeyStore(url.get_secret_value(), timeout=self.settings.cache_timeout, clock=self._core.clock)
