"""The line to one authorization server, for threads: who judges its tokens, and what it is asked through.

Nothing of it is shared with another one: neither places nor connections, so that a slow one is slow by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from resource_server._core import Core, Refresh
from resource_server._protocol.messages import Unavailable
from resource_server._upkeep import preparations
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import Flow
from resource_server._validation.forks import fork_safe_lock
from resource_server._validation.validate import Presented
from resource_server._validation.verdict import Verdict

if TYPE_CHECKING:
    from resource_server._runtime.blocking_drive import BlockingDriver, BlockingStore
    from resource_server._runtime.blocking_exchange import BlockingClient, BlockingExchange, BlockingTransport
    from resource_server._runtime.thread_feed import FeedThreads

T = TypeVar("T")


class ThreadMeans(NamedTuple):
    """What to ask with in place of our own connections, where an application says so."""

    client: BlockingClient | None
    transport: BlockingTransport | None


class ThreadLine:
    """Reaches one authorization server from any thread.

    Args:
        core: makes the line's core out of what is to be called when something is to be renewed ahead of its end.
        means: what to ask with.
        look_at_files: looks whether the options have changed, now and then.
    """

    def __init__(
        self,
        core: Callable[[Refresh], Core],
        means: ThreadMeans,
        look_at_files: Callable[[], None],
    ) -> None:
        """Open nothing yet."""
        self.core = core(self._begin_refresh)
        self.core.line = self
        self._means = means
        self._look_at_files = look_at_files
        self._opening = fork_safe_lock()
        self._opened: BlockingDriver | None = None
        self._feed: FeedThreads | None = None

    def share(self, key: object, flow: Callable[[], Flow[T]]) -> T | Unavailable:
        """Run a flow once for everybody who asks for it under this key at the same time."""
        return self.driver().share(key, flow)

    def find_out(self, presented: Presented) -> Verdict:
        """Find out about a token, with whoever else asks about it."""
        return self.share(presented.key, lambda: self._look_again(presented))

    def start(self) -> None:
        """Fetch metadata and keys ahead of the first request, within ``timeout``."""
        until = monotonic() + self.core.settings.timeout
        self.driver().prepare(preparations(self.core))
        if self._feed is not None:
            self._feed.catch_up(max(0.0, until - monotonic()))

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            driver, self._opened = self._opened, None
            feed, self._feed = self._feed, None
        if feed is not None:
            feed.close(self.core.settings.cache_timeout)
        if driver is not None:
            driver.close()

    def catch_up(self) -> None:
        """Hear what has been revoked before this worker was there, where the store says so in its time."""
        feed = self._feed
        if feed is not None:
            feed.catch_up(self.core.settings.cache_timeout)

    @property
    def stores_seen(self) -> Iterable[BreakerStatus]:
        """What has been seen of the store that all workers share."""
        status = None if self._opened is None else self._opened.store_status
        return () if status is None else (status,)

    def driver(self) -> BlockingDriver:
        """Return what runs the flows of this process."""
        driver = self._opened
        if driver is None:
            with self._opening:
                driver = self._opened = self._opened or self._open()
            self.start_feed()
        elif driver.connections != self.core.connections:
            self._reconnect(driver)
        return driver

    def start_feed(self) -> None:
        """Get in touch with the other workers."""
        feed, url = self.core.feed, self.core.settings.cache_url
        if feed is None or url is None:
            return
        from resource_server._runtime.thread_feed import FeedThreads  # noqa: PLC0415 - for who has a store
        from resource_server.stores.valkey_stream import BlockingValkeyStream  # noqa: PLC0415 - an extra

        with self._opening:
            if self._feed is None:
                self._feed = FeedThreads(feed, partial(BlockingValkeyStream, url.get_secret_value(), feed.stream))

    def start_anew(self) -> bool:
        """Leave connections and threads to the process that has them: this one was forked off.

        Returns:
            Whether that one heard what others have revoked, which this one does not.
        """
        self._opening = fork_safe_lock()  # what is done under it may take longer than a fork waits
        driver, self._opened = self._opened, None
        if driver is not None:
            driver.abandon()
        feed, self._feed = self._feed, None
        return feed is not None

    def _look_again(self, presented: Presented) -> Flow[Verdict]:
        """Find out about a token, unless another thread has done so since this one looked."""
        core = self.core
        known = core.state.cache.get(presented.key, core.clock.monotonic())
        return (yield from core.find_out(presented)) if known is None else known

    def _begin_refresh(self, key: bytes, flow: Callable[[], Flow[Verdict]]) -> None:
        self._look_at_files()
        self.driver().begin(key, flow)

    def _reconnect(self, driver: BlockingDriver) -> None:
        """Make connections anew, unless another thread has."""
        with self._opening:
            if driver.connections != self.core.connections:
                driver.connections = self.core.connections
                driver.replace(self._open_exchange())

    def _open(self) -> BlockingDriver:
        from resource_server._runtime.blocking_drive import BlockingDriver  # noqa: PLC0415 - httpx, when first needed

        connections = self.core.connections
        driver = BlockingDriver(self._open_exchange(), self._open_store())
        driver.connections = connections
        return driver

    def _open_exchange(self) -> BlockingExchange:
        from resource_server._runtime.blocking_exchange import BlockingExchange  # noqa: PLC0415 - as above

        settings = self.core.settings
        return BlockingExchange(
            timeout=settings.timeout,
            attempt_timeout=settings.attempt_timeout,
            places=settings.max_concurrent_calls,
            client=self._means.client,
            transport=self._means.transport,
            ca_file=None if settings.ca_file is None else str(settings.ca_file),
            certificate=settings.certificate_files,
            trust_env=settings.trust_env,
        )

    def _open_store(self) -> BlockingStore | None:
        core = self.core
        url, timeout = core.settings.cache_url, core.settings.cache_timeout
        if url is None:
            return None
        from resource_server.stores.valkey import BlockingValkeyStore  # noqa: PLC0415 - an extra

        return BlockingValkeyStore(url.get_secret_value(), timeout=timeout, clock=core.clock, report=core.reports.store)
