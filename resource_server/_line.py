"""The line to one authorization server: who judges its tokens, and in each event loop what it is asked through.

Nothing of it is shared with another one: neither places nor connections, so that a slow one is slow by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from resource_server._core import Core, Refresh
from resource_server._upkeep import introspection_endpoint, preparations
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import Flow
from resource_server._validation.verdict import Verdict

if TYPE_CHECKING:
    from resource_server._runtime.drive import Driver, Store
    from resource_server._runtime.exchange import Client, Exchange, Transport
    from resource_server._runtime.feed import FeedTasks

T = TypeVar("T")


class Means(NamedTuple):
    """What to ask with in place of our own connections, where an application says so."""

    client: Client | None
    transport: Transport | None


class Line:
    """Reaches one authorization server from any event loop; each gets connections of its own.

    Args:
        core: makes the line's core out of what is to be called when something is to be renewed ahead of its end.
        means: what to ask with.
        look_at_files: looks whether the options have changed, now and then.
    """

    def __init__(
        self,
        core: Callable[[Refresh], Core],
        means: Means,
        look_at_files: Callable[[], None],
    ) -> None:
        """Open nothing yet."""
        self.core = core(self._begin_refresh)
        self.core.line = self
        self._means = means
        self._look_at_files = look_at_files
        self._drivers: WeakKeyDictionary[asyncio.AbstractEventLoop, Driver] = WeakKeyDictionary()
        self._feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, FeedTasks] = WeakKeyDictionary()

    async def share(self, key: object, flow: Callable[[], Flow[T]]) -> T:
        """Run a flow once for everybody who asks for it under this key at the same time."""
        return await self.driver().share(key, flow)

    async def start(self) -> None:
        """Fetch metadata and keys ahead of the first request, within ``timeout``."""
        driver, core = self.driver(), self.core
        with suppress(TimeoutError):
            async with asyncio.timeout(core.settings.timeout):
                for key, flow in preparations(core):
                    await driver.share(key, flow)
                endpoint = introspection_endpoint(core)
                if endpoint is not None:
                    await driver.warm(endpoint)
                await self.catch_up()

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        feed = self._feeds.pop(asyncio.get_running_loop(), None)
        if feed is not None:
            await feed.aclose(self.core.settings.cache_timeout)
        driver = self._drivers.pop(asyncio.get_running_loop(), None)
        if driver is not None:
            await driver.aclose()

    async def catch_up(self, within: float | None = None) -> None:
        """Hear what has been revoked before this worker was there.

        Args:
            within: seconds it may take.
        """
        feed = self._feeds.get(asyncio.get_running_loop())
        if feed is not None:
            await feed.catch_up(within)

    @property
    def is_open(self) -> bool:
        """Whether there are connections in any event loop that is not over."""
        return any(not loop.is_closed() for loop in list(self._drivers))

    @property
    def stores_seen(self) -> Iterable[BreakerStatus]:
        """What has been seen of the store that all workers share, by each event loop."""
        seen = [driver.store_status for driver in list(self._drivers.values())]
        return [status for status in seen if status is not None]

    def driver(self) -> Driver:
        """Return what runs the flows of this event loop."""
        loop = asyncio.get_running_loop()
        driver = self._drivers.get(loop)
        if driver is None:
            from resource_server._runtime.drive import Driver  # noqa: PLC0415 - httpx is loaded when first needed

            # A driver's sockets know their loop, so that an entry keeps itself: those of loops that are over must go.
            for over in [known for known in self._drivers if known.is_closed()]:
                del self._drivers[over]
                self._feeds.pop(over, None)
            connections = self.core.connections
            driver = self._drivers[loop] = Driver(self._open_exchange(), self._open_store())
            driver.connections = connections
            self.start_feed()
        elif driver.connections != self.core.connections:
            driver.connections = self.core.connections
            driver.replace(self._open_exchange())
        return driver

    def start_feed(self) -> None:
        """Get in touch with the other workers, where that is possible from here."""
        feed, url = self.core.feed, self.core.settings.cache_url
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

    def _begin_refresh(self, key: bytes, flow: Callable[[], Flow[Verdict]]) -> None:
        self._look_at_files()
        self.driver().begin(key, flow)

    def _open_exchange(self) -> Exchange:
        from resource_server._runtime.exchange import Exchange  # noqa: PLC0415 - httpx is loaded when first needed

        settings = self.core.settings
        return Exchange(
            timeout=settings.timeout,
            attempt_timeout=settings.attempt_timeout,
            places=settings.max_concurrent_calls,
            client=self._means.client,
            transport=self._means.transport,
            ca_file=None if settings.ca_file is None else str(settings.ca_file),
            certificate=settings.certificate_files,
            trust_env=settings.trust_env,
        )

    def _open_store(self) -> Store | None:
        core = self.core
        url, timeout = core.settings.cache_url, core.settings.cache_timeout
        if url is None:
            return None
        from resource_server.stores.valkey import ValkeyStore  # noqa: PLC0415 - an extra

        return ValkeyStore(url.get_secret_value(), timeout=timeout, clock=core.clock, report=core.reports.store)
