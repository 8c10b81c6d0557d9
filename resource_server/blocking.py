"""The resource server for threads: the same verbs, for WSGI applications and whatever else runs no event loop.

It owns the caches and the connections of one issuer, is used by as many threads as there are, and needs no start. A
process that is forked off keeps what is known, and opens connections and threads of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from resource_server._core import Core, Unknown, Unproven
from resource_server._facade import Facade
from resource_server._protocol.messages import RequestParts
from resource_server._reload import Files
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import Flow
from resource_server._validation.forks import after_fork, fork_safe_lock
from resource_server._validation.state import Clock
from resource_server._validation.validate import Presented
from resource_server._validation.verdict import Verdict
from resource_server.events import Observer
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

if TYPE_CHECKING:
    from resource_server._options.keywords import Options
    from resource_server._runtime.blocking_drive import BlockingDriver, BlockingStore
    from resource_server._runtime.blocking_exchange import BlockingClient, BlockingExchange, BlockingTransport
    from resource_server._runtime.thread_feed import FeedThreads


class BlockingResourceServer(Facade):
    """Judge OAuth 2.0 access tokens at an authorization server, with a cache and a fallback, from any thread.

    Args:
        client: a ``Client`` of httpx or httpx2 to ask with, in place of our own connections. It stays yours to close;
            redirects, cookies and its ``auth`` are not used.
        transport: an httpx transport to ask with, for instance one that answers in the same process.
        observer: called with every event, in the thread that caused it; by default they are logged.
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
        client: BlockingClient | None = None,
        transport: BlockingTransport | None = None,
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
        self._opening = fork_safe_lock()
        self._opened: BlockingDriver | None = None
        self._feed: FeedThreads | None = None
        self._is_deaf = False
        after_fork(self._start_anew)

    @classmethod
    def from_env(
        cls,
        *,
        client: BlockingClient | None = None,
        transport: BlockingTransport | None = None,
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

    def authenticate(self, request: RequestParts, requirement: Requirement = ANY_TOKEN) -> Principal:
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
        if self._is_deaf:
            self._start_feed()  # what is known came along through the fork, and may have been revoked since
            self._catch_up()
        known = self._core.begin(request, requirement)
        return known if isinstance(known, Principal) else self._go_on(known)

    def revalidate(self, token: bytes) -> Principal:
        """Judge a token for whom it was let in before: nothing is to be shown again.

        Args:
            token: its exact bytes.

        Raises:
            InvalidToken: the token is not good any more.
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503.
        """
        known = self._core.begin_again(token)
        return known if isinstance(known, Principal) else self._go_on(known)

    def receive(self, token: bytes) -> int:
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
        return self._core.acknowledge(self._driver().share(key, lambda: self._core.receive(token)))

    def start(self) -> None:
        """Fetch metadata and keys ahead of the first request. Optional; a failure is reported and stops nothing.

        Takes no longer than ``timeout``: what has not been answered by then goes on in the background. Before a fork
        it spares every process that is forked off from doing the same.
        """
        until = monotonic() + self.settings.timeout
        self._driver().prepare(self._core.preparations())
        if self._feed is not None:
            self._feed.catch_up(max(0.0, until - monotonic()))

    def close(self) -> None:
        """Close the connections; the server can still be used and opens new ones."""
        with self._opening:
            driver, self._opened = self._opened, None
            feed, self._feed = self._feed, None
        if feed is not None:
            feed.close(self.settings.cache_timeout)
        if driver is not None:
            driver.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _go_on(self, known: Unknown | Unproven) -> Principal:
        """Find out what is missing to judge a request."""
        if isinstance(known, Unknown):
            presented = known.presented
            self._look_at_files()
            verdict = self._driver().share(presented.key, lambda: self._look_again(known.core, presented))
            self._catch_up()  # who is new may not know what the others have revoked
            judged = known.core.complete(known, verdict)
            return judged if isinstance(judged, Principal) else self._go_on(judged)
        # Nobody shares this: the same proof again is another use of it.
        key = (known.first_use.digest, object())
        found = self._driver().share(key, lambda: known.core.use_once(known))
        return known.core.accept(known, found if isinstance(found, bool) else None)

    def _look_again(self, core: Core, presented: Presented) -> Flow[Verdict]:
        """Find out about a token, unless another thread has done so since this one looked."""
        known = core.state.cache.get(presented.key, core.clock.monotonic())
        return (yield from core.find_out(presented)) if known is None else known

    def _stores_seen(self) -> Iterable[BreakerStatus]:
        status = None if self._opened is None else self._opened.store_status
        return () if status is None else (status,)

    def _begin_refresh(self, key: bytes, flow: Callable[[], Flow[Verdict]]) -> None:
        self._look_at_files()
        self._driver().begin(key, flow)

    def _driver(self) -> BlockingDriver:
        driver = self._opened
        if driver is None:
            with self._opening:
                driver = self._opened = self._opened or self._open()
            self._start_feed()
        elif driver.connections != self._core.connections:
            self._reconnect(driver)
        return driver

    def _reconnect(self, driver: BlockingDriver) -> None:
        """Make connections anew, unless another thread has."""
        with self._opening:
            if driver.connections != self._core.connections:
                driver.connections = self._core.connections
                driver.replace(self._open_exchange())

    def _open(self) -> BlockingDriver:
        from resource_server._runtime.blocking_drive import BlockingDriver  # noqa: PLC0415 - httpx, when first needed

        connections = self._core.connections
        driver = BlockingDriver(self._open_exchange(), self._open_store())
        driver.connections = connections
        return driver

    def _open_exchange(self) -> BlockingExchange:
        from resource_server._runtime.blocking_exchange import BlockingExchange  # noqa: PLC0415 - as above

        settings = self.settings
        return BlockingExchange(
            timeout=settings.timeout,
            attempt_timeout=settings.attempt_timeout,
            places=settings.max_concurrent_calls,
            client=self._client,
            transport=self._transport,
            ca_file=None if settings.ca_file is None else str(settings.ca_file),
            trust_env=settings.trust_env,
        )

    def _open_store(self) -> BlockingStore | None:
        url = self.settings.cache_url
        if url is None:
            return None
        from resource_server.stores.valkey import BlockingValkeyStore  # noqa: PLC0415 - an extra

        core = self._core
        timeout = self.settings.cache_timeout
        return BlockingValkeyStore(url.get_secret_value(), timeout=timeout, clock=core.clock, report=core.reports.store)

    def _start_feed(self) -> None:
        feed, url = self._core.feed, self.settings.cache_url
        if feed is None or url is None:
            return
        from resource_server._runtime.thread_feed import FeedThreads  # noqa: PLC0415 - for who has a store
        from resource_server.stores.valkey_stream import BlockingValkeyStream  # noqa: PLC0415 - an extra

        with self._opening:
            self._is_deaf = False
            if self._feed is None:
                self._feed = FeedThreads(feed, partial(BlockingValkeyStream, url.get_secret_value(), feed.stream))

    def _catch_up(self) -> None:
        """Hear what has been revoked before this worker was there, where the store says so in its time."""
        feed = self._feed
        if feed is not None:
            feed.catch_up(self.settings.cache_timeout)

    def _start_anew(self) -> None:
        """Leave connections and threads to the process that has them: this one was forked off."""
        self._opening = fork_safe_lock()  # what is done under it may take longer than a fork waits
        driver, self._opened = self._opened, None
        if driver is not None:
            driver.abandon()
        self._feed, self._is_deaf = None, self._feed is not None
