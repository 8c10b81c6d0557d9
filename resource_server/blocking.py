"""The resource server for threads: the same verbs, for WSGI applications and whatever else runs no event loop.

It owns the caches and the connections of one issuer, is used by as many threads as there are, and needs no start. A
process that is forked off keeps what is known, and opens connections and threads of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from resource_server._core import Core, Unknown, Unproven
from resource_server._facade import Facade
from resource_server._issuers import Unresolved
from resource_server._options.authorization_server import is_async
from resource_server._protocol.bearer import Credential
from resource_server._protocol.messages import RequestParts, Unavailable
from resource_server._reload import Files
from resource_server._resolved import Question
from resource_server._thread_line import ThreadLine, ThreadMeans
from resource_server._upkeep import acknowledge, receive_notice
from resource_server._validation.forks import after_fork
from resource_server._validation.state import Clock
from resource_server.errors import ConfigurationError
from resource_server.events import Observer
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

if TYPE_CHECKING:
    from resource_server._options.keywords import Options
    from resource_server._runtime.blocking_exchange import BlockingClient, BlockingTransport
    from resource_server._runtime.resolve import ThreadResolving
    from resource_server.settings import Settings

STARTERS = 16
"""How many authorization servers are asked at once at the start."""


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

        try:
            settings = Settings.build(**options)
        finally:
            # Or what is raised would show the secrets among them, in the variables of this frame.
            cast("dict[str, Any]", options).clear()
        self._means = ThreadMeans(client, transport)
        self._resolving: ThreadResolving | None = None
        self._is_deaf = False
        super().__init__(settings, clock, observer)
        resolver = settings.authorization_servers
        if callable(resolver) and is_async(resolver):
            raise ConfigurationError("authorization_servers: BlockingResourceServer takes a function that is not async")
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
        del options  # as above
        found = files.read().model_dump(exclude_unset=True)
        server = cls(client=client, transport=transport, observer=observer, clock=clock, **found)
        server._follow(files)
        return server

    def authenticate(self, request: RequestParts, requirement: Requirement = ANY_TOKEN) -> Principal:
        """Judge a request: extract its token, validate it, admit it for this request, authorize it.

        Args:
            request: method, path, headers, query, and the certificate its client has shown; no body.
            requirement: what the route demands.

        Returns:
            Who is calling.

        Raises:
            MissingToken: there is no access token.
            InvalidRequest: there is more than one, or the request is malformed.
            InvalidToken: the token is not good, or is bound to something that was not shown.
            InvalidDPoPProof: the proof that its key is at hand is missing or not good.
            UseDPoPNonce: the proof needs another nonce.
            InsufficientUserAuthentication: the token is good, and its user must authenticate better or anew.
            InsufficientScope: it is good, and grants too little.
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503.
        """
        if self._is_deaf:
            self._is_deaf = False
            self._start_feeds()  # what is known came along through the fork, and may have been revoked since
            for line in self._lines():
                line.catch_up()
        known = self._judge.begin(request, requirement)
        return known if isinstance(known, Principal) else self._go_on(known)

    def revalidate(self, credential: Credential) -> Principal:
        """Judge a token for whom it was let in before: nothing is to be shown again.

        Args:
            credential: the token as it was presented.

        Raises:
            InvalidToken: the token is not good any more.
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503.
        """
        known = self._judge.begin_again(credential)
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
        core = self._addressee(token)
        key = ("event", core.digest(token))
        return acknowledge(_line(core).share(key, lambda: receive_notice(core, token)))

    def start(self) -> None:
        """Fetch metadata and keys ahead of the first request. Optional; a failure is reported and stops nothing.

        Takes no longer than ``timeout``: what has not been answered by then goes on in the background. Before a fork
        it spares every process that is forked off from doing the same.
        """
        lines = self._lines()
        if len(lines) == 1:
            lines[0].start()
            return
        with ThreadPoolExecutor(STARTERS, thread_name_prefix="resource-server-start") as starters:
            list(starters.map(ThreadLine.start, lines))

    def close(self) -> None:
        """Close the connections; the server can still be used and opens new ones."""
        for line in self._all_lines():
            line.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _go_on(self, known: Unknown | Unproven | Unresolved) -> Principal:
        """Find out what is missing to judge a request."""
        if isinstance(known, Unresolved):
            found = known.issuers.begin_resolved(known, self._resolve(known.question))
            return found if isinstance(found, Principal) else self._go_on(found)
        line = _line(known.core)
        if isinstance(known, Unknown):
            self._look_at_files()
            for core in self._outlived():
                _line(core).close()
            verdict = line.find_out(known.presented)
            line.catch_up()  # who is new may not know what the others have revoked
            judged = known.core.complete(known, verdict)
            return judged if isinstance(judged, Principal) else self._go_on(judged)
        # Nobody shares this: the same proof again is another use of it.
        key = (known.first_use.digest, object())
        is_first = line.share(key, lambda: known.core.use_once(known))
        return known.core.accept(known, is_first if isinstance(is_first, bool) else None)

    def _resolve(self, question: Question) -> Core | Unavailable | None:
        """Ask the application whose tokens are those that name an issuer."""
        self._look_at_files()
        if self._resolving is None:
            from resource_server._runtime.resolve import ThreadResolving  # noqa: PLC0415 - for who has a resolver

            self._resolving = ThreadResolving(lambda: self.settings.timeout)
        return self._resolving.ask(question.issuer, question.resolve, question.settle)

    def _addressee(self, token: bytes) -> Core:
        """Find out who judges a security event."""
        judge = self._judge
        if isinstance(judge, Core):
            return judge
        found = judge.addressee(token)
        return found if isinstance(found, Core) else judge.addressee_resolved(self._resolve(found))

    def _lines(self) -> list[ThreadLine]:
        return list(map(_line, self._cores()))

    def _all_lines(self) -> list[ThreadLine]:
        return [*self._lines(), *(_line(core) for _, core in self._dropped)]

    def _open_core(self, settings: Settings) -> Core:
        line = ThreadLine(partial(self._make_core, settings), self._means, self._look_at_files)
        line.core.state.host = self
        return line.core

    def _start_anew(self) -> None:
        """Leave connections and threads to the process that has them: this one was forked off."""
        self._resolving = None
        self._is_deaf = sum([line.start_anew() for line in self._all_lines()]) > 0  # each of them


def _line(core: Core) -> ThreadLine:
    return cast("ThreadLine", core.line)
