"""The resource server: one object that judges requests.

It owns the caches and the connections of one issuer, works in any event loop (each gets connections of its own), and
needs no start: whatever it lacks it fetches when it is first needed.
"""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from resource_server._core import Core, Unknown, Unproven
from resource_server._facade import Facade
from resource_server._issuers import Unresolved
from resource_server._line import Line, Means
from resource_server._options.authorization_server import is_async
from resource_server._protocol.bearer import Credential
from resource_server._protocol.messages import RequestParts, Unavailable
from resource_server._reload import Files
from resource_server._resolved import Question
from resource_server._upkeep import acknowledge, receive_notice
from resource_server._validation.state import Clock
from resource_server.errors import ConfigurationError
from resource_server.events import Observer
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

if TYPE_CHECKING:
    from resource_server._options.keywords import Options
    from resource_server._runtime.exchange import Client, Transport
    from resource_server._runtime.resolve import Resolving
    from resource_server.settings import Settings


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

        try:
            settings = Settings.build(**options)
        finally:
            # Or what is raised would show the secrets among them, in the variables of this frame.
            cast("dict[str, Any]", options).clear()
        self._means = Means(client, transport)
        self._resolving: Resolving | None = None
        super().__init__(settings, clock, observer)
        resolver = settings.authorization_servers
        if callable(resolver) and not is_async(resolver):
            raise ConfigurationError("authorization_servers: ResourceServer takes an async function")

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
        del options  # as above
        found = files.read().model_dump(exclude_unset=True)
        server = cls(client=client, transport=transport, observer=observer, clock=clock, **found)
        server._follow(files)
        return server

    async def authenticate(self, request: RequestParts, requirement: Requirement = ANY_TOKEN) -> Principal:
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
        known = self._judge.begin(request, requirement)
        return known if isinstance(known, Principal) else await self._go_on(known)

    async def revalidate(self, credential: Credential) -> Principal:
        """Judge a token for whom it was let in before: nothing is to be shown again.

        Args:
            credential: the token as it was presented.

        Raises:
            InvalidToken: the token is not good any more.
            VerificationUnavailable: it cannot be verified, and that is configured to be a 503.
        """
        known = self._judge.begin_again(credential)
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
        core = await self._addressee(token)
        key = ("event", core.digest(token))
        return acknowledge(await _line(core).share(key, lambda: receive_notice(core, token)))

    async def start(self) -> None:
        """Fetch metadata and keys ahead of the first request. Optional; a failure is reported and stops nothing.

        Takes no longer than ``timeout``: what has not been answered by then goes on in the background.
        """
        await asyncio.gather(*(line.start() for line in self._lines()))

    async def aclose(self) -> None:
        """Close the connections of this event loop; the server can still be used and opens new ones."""
        if self._resolving is not None:
            await self._resolving.aclose()
        dropped = [_line(core) for _, core in self._dropped]
        await asyncio.gather(*(line.aclose() for line in [*self._lines(), *dropped]))

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    async def _go_on(self, known: Unknown | Unproven | Unresolved) -> Principal:
        """Find out what is missing to judge a request."""
        if isinstance(known, Unresolved):
            found = known.issuers.begin_resolved(known, await self._resolve(known.question))
            return found if isinstance(found, Principal) else await self._go_on(found)
        line = _line(known.core)
        if isinstance(known, Unknown):
            presented = known.presented
            self._look_at_files()
            await self._close_outlived()
            verdict = await line.share(presented.key, lambda: known.core.find_out(presented))
            # Who is new may not know what the others have revoked.
            await line.catch_up(known.core.settings.cache_timeout)
            judged = known.core.complete(known, verdict)
            return judged if isinstance(judged, Principal) else await self._go_on(judged)
        # Nobody shares this: the same proof again is another use of it.
        key = (known.first_use.digest, object())
        return known.core.accept(known, await line.share(key, lambda: known.core.use_once(known)))

    async def _resolve(self, question: Question) -> Core | Unavailable | None:
        """Ask the application whose tokens are those that name an issuer."""
        self._look_at_files()
        if self._resolving is None:
            from resource_server._runtime.resolve import Resolving  # noqa: PLC0415 - for who has a resolver

            self._resolving = Resolving(lambda: self.settings.timeout)
        return await self._resolving.ask(question.issuer, question.resolve, question.settle)

    async def _addressee(self, token: bytes) -> Core:
        """Find out who judges a security event."""
        judge = self._judge
        if isinstance(judge, Core):
            return judge
        found = judge.addressee(token)
        return found if isinstance(found, Core) else judge.addressee_resolved(await self._resolve(found))

    async def _close_outlived(self) -> None:
        """Close the connections to authorization servers that are not ours any more."""
        for core in self._outlived():
            line = _line(core)
            await line.aclose()
            if line.is_open:  # in another event loop, which closes its own
                self._drop_core(core)

    def _lines(self) -> list[Line]:
        return list(map(_line, self._cores()))

    def _open_core(self, settings: Settings) -> Core:
        line = Line(partial(self._make_core, settings), self._means, self._look_at_files)
        line.core.state.host = self
        return line.core


def _line(core: Core) -> Line:
    return cast("Line", core.line)
