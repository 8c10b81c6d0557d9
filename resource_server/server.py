"""The resource server: one object that judges requests.

It owns the caches and the connections of one issuer, works in any event loop (each gets connections of its own), and
needs no start: whatever it lacks it fetches when it is first needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack
from weakref import WeakKeyDictionary

from resource_server._core import Core, Unknown, Unproven
from resource_server._facade import Facade
from resource_server._protocol.messages import RequestParts
from resource_server._reload import Files
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import Flow
from resource_server._validation.state import Clock
from resource_server._validation.verdict import Verdict
from resource_server.events import Observer
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

if TYPE_CHECKING:
    from resource_server._options.keywords import Options
    from resource_server._runtime.drive import Driver, Store
    from resource_server._runtime.exchange import Client, Exchange, Transport
    from resource_server._runtime.feed import FeedTasks


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
        self._core.state.host = self
        self._client, self._transport = client, transport
        self._drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, Driver] = WeakKeyDictionary()
        self._feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, FeedTasks] = WeakKeyDictionary()

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
        files = Files(options)
        found = files.read().model_dump(exclude_unset=True)
        server = cls(client=client, transport=transport, observer=observer, clock=clock, **found)
        server._follow(files)
        return server

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
        return known if isinstance(known, Principal) else await self._go_on(known)

    async def revalidate(self, token: bytes) -> Principal:
        """Judge a token for whom it was let in before: nothing is to be shown again.

        Args:
            token: its exact bytes.

        Raises:
            InvalidToken: the token is not good any more.
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503.
        """
        known = self._core.begin_again(token)
        return known if isinstance(known, Principal) else await self._go_on(known)

    async def receive(self, token: bytes) -> int:
        """Receive what the authorization server tells unasked: a Security Event Token, or a logout token.

        What it revokes is revoked from this moment on. One that comes again says nothing new, and is no mistake.

        Args:
            token: its exact bytes.

        Returns:
            How many revocations it has brought that were not known.

        Raises:
            SecurityEventRefused: it is not accepted.
            VerificationUnavailable: it cannot be verified at the moment, and should be sent again.

        References: RFC 8417 section 2, RFC 8935 section 2, OpenID Connect Back-Channel Logout 1.0 section 2.6
        """
        key = ("event", self._core.digest(token))
        return self._core.acknowledge(await self._driver().share(key, lambda: self._core.receive(token)))

    async def start(self) -> None:
        """Fetch metadata and keys ahead of the first request. Optional; a failure is reported and stops nothing.

        Takes no longer than ``timeout``: what has not been answered by then goes on in the background.
        """
        driver = self._driver()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.timeout):
                for key, flow in self._core.preparations():
                    await driver.share(key, flow)
                if self._core.introspection_endpoint is not None:
                    await driver.warm(self._core.introspection_endpoint)
                await self._catch_up()

    async def aclose(self) -> None:
        """Close the connections of this event loop; the server can still be used and opens new ones."""
        feed = self._feeds.pop(asyncio.get_running_loop(), None)
        if feed is not None:
            await feed.aclose(self.settings.cache_timeout)
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

    async def _go_on(self, known: Unknown | Unproven) -> Principal:
        """Find out what is missing to judge a request."""
        if isinstance(known, Unknown):
            presented = known.presented
            self._look_at_files()
            verdict = await self._driver().share(presented.key, lambda: known.core.find_out(presented))
            await self._catch_up(self.settings.cache_timeout)  # who is new may not know what the others have revoked
            judged = known.core.complete(known, verdict)
            return judged if isinstance(judged, Principal) else await self._go_on(judged)
        # Nobody shares this: the same proof again is another use of it.
        key = (known.first_use.digest, object())
        return known.core.accept(known, await self._driver().share(key, lambda: known.core.use_once(known)))

    def _stores_seen(self) -> Iterable[BreakerStatus]:
        seen = [driver.store_status for driver in list(self._drivers.values())]
        return [status for status in seen if status is not None]

    def _begin_refresh(self, key: bytes, flow: Callable[[], Flow[Verdict]]) -> None:
        self._look_at_files()
        self._driver().begin(key, flow)

    def _driver(self) -> Driver:
        loop = asyncio.get_running_loop()
        driver = self._drivers.get(loop)
        if driver is None:
            from resource_server._runtime.drive import Driver  # noqa: PLC0415 - httpx is loaded when first needed

            # A driver's sockets know their loop, so that an entry keeps itself: those of loops that are over must go.
            for over in [known for known in self._drivers if known.is_closed()]:
                del self._drivers[over]
                self._feeds.pop(over, None)
            connections = self._core.connections
            driver = self._drivers[loop] = Driver(self._open_exchange(), self._open_store())
            driver.connections = connections
            self._start_feed()
        elif driver.connections != self._core.connections:
            driver.connections = self._core.connections
            driver.replace(self._open_exchange())
        return driver

    def _open_exchange(self) -> Exchange:
        from resource_server._runtime.exchange import Exchange  # noqa: PLC0415 - httpx is loaded when first needed

        settings = self.settings
        return Exchange(
            timeout=settings.timeout,
            attempt_timeout=settings.attempt_timeout,
            places=settings.max_concurrent_calls,
            client=self._client,
            transport=self._transport,
            ca_file=None if settings.ca_file is None else str(settings.ca_file),
            trust_env=settings.trust_env,
        )

    def _start_feed(self) -> None:
        feed, url = self._core.feed, self.settings.cache_url
        if feed is None or url is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop not in self._feeds:
            from resource_server._runtime.feed import FeedTasks  # noqa: PLC0415 - for who has a store
            from resource_server.stores.valkey_stream import ValkeyStream  # noqa: PLC0415 - an extra

            self._feeds[loop] = FeedTasks(feed, partial(ValkeyStream, url.get_secret_value(), feed.stream))

    async def _catch_up(self, within: float | None = None) -> None:
        """Hear what has been revoked before this worker was there."""
        feed = self._feeds.get(asyncio.get_running_loop())
        if feed is not None:
            await feed.catch_up(within)

    def _open_store(self) -> Store | None:
        url = self.settings.cache_url
        if url is None:
            return None
        from resource_server.stores.valkey import ValkeyStore  # noqa: PLC0415 - an extra

        core = self._core
        timeout = self.settings.cache_timeout
        return ValkeyStore(url.get_secret_value(), timeout=timeout, clock=core.clock, report=core.reports.store)
