"""What a resource server offers that needs no waiting, the same for tasks and for threads.

``ResourceServer`` and ``BlockingResourceServer`` add the verbs that wait.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from resource_server._core import Core, Refresh, Way
from resource_server._intake import Intake
from resource_server._issuers import Issuers
from resource_server._protocol.bearer import TokenMethods
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.problem import ErrorResponse, render_error
from resource_server._protocol.protected_resource import ProtectedResource
from resource_server._reload import Change, Files
from resource_server._runtime.observe import Observers
from resource_server._upkeep import revoke
from resource_server._validation.forks import fork_safe_lock
from resource_server._validation.state import Clock
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.events import (
    ConfigurationFault,
    ConfigurationReloaded,
    Event,
    LoggingObserver,
    Observer,
    UnprotectedRoutes,
)
from resource_server.health import Health, assess, joined
from resource_server.principal import Principal
from resource_server.statistics import Statistics, measure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resource_server._protocol.messages import RequestParts
    from resource_server.downstream import IncomingRequest, TokenExchange
    from resource_server.settings import Settings


class Facade(ABC):
    """The verbs that answer at once.

    Args:
        settings: the options.
        clock: what time it is.
        observer: called with every event.
    """

    def __init__(self, settings: Settings, clock: Clock | None, observer: Observer | None) -> None:
        """Make what judges: one core, or one for each issuer and what decides between them."""
        self._clock = clock or Clock()
        self._observers = Observers[Event](observer or LoggingObserver())
        self._intake = Intake(settings, self._clock)
        self._files: Files | None = None
        self._dropped: list[tuple[float, Core]] = []
        self._dropping = fork_safe_lock()
        self._judge: Core | Issuers
        if settings.authorization_servers:
            self._judge = Issuers(
                settings,
                intake=self._intake,
                clock=self._clock,
                observer=self._observers,
                open_core=self._open_core,
                drop_core=self._drop_core,
            )
        else:
            self._judge = self._open_core(settings)

    def __repr__(self) -> str:
        """Name the issuer, or the issuers; nothing secret."""
        if not hasattr(self, "_judge"):  # one that could not be made, in what is shown of a traceback
            return f"{type(self).__name__}()"
        settings = self.settings
        if settings.authorization_servers:
            return f"{type(self).__name__}(issuers={settings.issuers!r})"
        return f"{type(self).__name__}(issuer={settings.issuer!r}, strategy={settings.strategy!r})"

    def render(
        self, error: BearerTokenError | VerificationUnavailable, *, accept: bytes = b"", forbid: bool | None = None
    ) -> ErrorResponse:
        """Make the response for a refusal: status, headers with the challenge, and body.

        Args:
            error: what was raised.
            accept: the request's ``Accept`` field value.
            forbid: answer 403 in place of 401; ``None`` where the route knows no such rule.
        """
        return render_error(error, self._intake.error_style, accept=accept, forbid=forbid)

    def reload(self) -> bool:
        """Read the options again from the files that :meth:`from_env` knows, and put them in force.

        That happens by itself within a second of a change, when a request needs it. Requests under way are finished
        under the options they began with.

        Returns:
            Whether anything has changed.

        Raises:
            ConfigurationError: they are not acceptable; the old ones stay in force.
        """
        return self._files is not None and self._renew(self._files, anyway=True)

    def health(self) -> Health:
        """Tell how this server is doing, from what its requests have met; asks nobody.

        Of several authorization servers each is told of by itself; together they are down where all of them are.
        """
        if isinstance(self._judge, Core):
            return self._assess(self._judge)
        return joined({core.settings.issuer: self._assess(core) for core in self._cores()}, self._judge.check())

    def statistics(self) -> tuple[Statistics, ...]:
        """Tell what this process has counted and what it holds, for each authorization server; asks nobody."""
        return tuple(map(self._measure, self._cores()))

    def observe(self, observer: Observer) -> None:
        """Tell one more observer of every event, beside those that are told already.

        Args:
            observer: called with every event; it must be quick. What it raises is reported and goes no further.
        """
        self._observers.add(observer)

    def revoke(  # noqa: PLR0913 - one of five things, by its name, and where
        self,
        *,
        token: str | bytes | None = None,
        jti: str | None = None,
        sub: str | None = None,
        sid: str | None = None,
        client_id: str | None = None,
        before: float | datetime | None = None,
        issuer: str | None = None,
    ) -> None:
        """Refuse a token, or all tokens of somebody, from this moment on: here, and in all workers within a second.

        Waits for nothing and nobody. With ``cache_url`` the other workers are told in the background, and later where
        the store is down. It is remembered for ``revocation_memory`` seconds, or until the token would have ended.

        Args:
            token: an access token, in whatever spelling of its signature.
            jti: the ``jti`` of one.
            sub: a subject.
            sid: a session, as OpenID Connect names it.
            client_id: a client.
            before: seconds since the epoch, or a ``datetime`` with a time zone: of a subject, a session or a client,
                only what was issued earlier is refused. By default that is the end of this second, for a token does
                not tell more exactly when it was issued.
            issuer: the one whose subject, session, client or token it is, where there are several; by default all.

        Raises:
            TypeError: not exactly one of the five is given, or it has another type, or ``before`` is given with
                ``token`` or ``jti``.
            ValueError: a value is empty, or ``before`` is far ahead, or has no time zone; or the issuer is
                none of ours.

        References: RFC 7009, RFC 7662 section 4
        """
        named = {"token": token, "jti": jti, "sub": sub, "sid": sid, "client_id": client_id}
        judge = self._judge
        if isinstance(judge, Issuers):
            judge.revoke(named, before, issuer)
        elif issuer in (None, judge.settings.issuer):
            revoke(judge, named, before)
        else:
            raise ValueError(f"{issuer!r} is not the issuer that is trusted here")
        self._start_feeds()

    def exchange(
        self,
        request: RequestParts | IncomingRequest | str | bytes,
        *,
        audience: str | Iterable[str] = (),
        resource: str | Iterable[str] = (),
        scope: str | Iterable[str] = (),
        actor_token: str | None = None,
    ) -> TokenExchange:
        """Exchange the token of a request for one that another service accepts, when that service is called.

        Args:
            request: the request, of whatever framework, after it was authenticated; or its access token itself.
            audience: what the authorization server calls the other service, or several.
            resource: its URL, or several (RFC 8707).
            scope: the scope tokens that the new token needs; by default as the authorization server sees fit.
            actor_token: the access token of who acts for the one whom the request's token stands for.

        Returns:
            The ``auth`` for requests of httpx or httpx2 to that service.

        Raises:
            MissingToken: the request has no token.
            InvalidToken: it is none of the authorization servers that are trusted here.

        References: RFC 8693 section 2.1
        """
        from resource_server.downstream import open_exchange  # noqa: PLC0415 - httpx is loaded when first needed

        self._look_at_files()
        return open_exchange(
            self._core_of,
            self.token_methods,
            request,
            audience=audience,
            resource=resource,
            scope=scope,
            actor_token=actor_token,
        )

    def tell_unprotected(self, routes: Iterable[str]) -> None:
        """Tell the observer which routes of an application let everybody in, when it starts.

        Args:
            routes: each as ``GET /path``, or the path alone where every method is meant; of none nothing is told.
        """
        told = tuple(routes)
        if told:
            self._judge.reports.tell(UnprotectedRoutes(told, self.settings.issuer))

    def tell_fault(self, where: str, cause: str) -> None:
        """Tell the observer of something around this server that cannot work until somebody mends it.

        Args:
            where: what is wrong, for instance a front door.
            cause: in what way, in a fixed vocabulary.
        """
        self._judge.reports.tell(ConfigurationFault(where, cause, self.settings.issuer))

    @property
    def settings(self) -> Settings:
        """The options, as they are in force; with several authorization servers, what is said for all of them."""
        return self._judge.settings

    @property
    def token_methods(self) -> TokenMethods:
        """Where a token may be in a request."""
        return self._intake.token_methods

    def dpop_nonce(self, principal: Principal) -> str | None:
        """Return the nonce for a client's next proof, for the ``DPoP-Nonce`` field of its response.

        Args:
            principal: who was let in.

        Returns:
            The nonce, or ``None`` where none is needed.

        References: RFC 9449 section 9
        """
        return self._intake.possession.nonce(principal)

    @property
    def adds_fields(self) -> bool:
        """Whether the responses to those who are let in need fields that depend on their requests."""
        intake = self._intake
        return intake.token_methods.query or intake.possession.rules.nonce_secret is not None

    @property
    def protected_resource(self) -> ProtectedResource | None:
        """What this server says of itself, and how to answer who asks; ``None`` without ``resource``.

        References: RFC 9728 section 3
        """
        return self._intake.protected_resource

    @property
    def metadata(self) -> Metadata | None:
        """The authorization server's metadata, as far as it has been needed yet; of several, the first one's."""
        cores = self._cores()
        return cores[0].state.metadata if cores else None

    @property
    def _core(self) -> Core:
        """What judges the tokens of the only authorization server, or of the first."""
        return self._cores()[0]

    def _core_of(self, token: bytes) -> Core:
        return self._judge if isinstance(self._judge, Core) else self._judge.core_of(token)

    def _cores(self) -> list[Core]:
        """Return what judges, for each authorization server that is known at this moment."""
        return [self._judge] if isinstance(self._judge, Core) else self._judge.cores()

    def _make_core(self, settings: Settings, refresh: Refresh) -> Core:
        core = Core(settings, clock=self._clock, observer=self._observers, refresh=refresh, intake=self._intake)
        core.look_at_files = self._doubt_files
        return core

    @abstractmethod
    def _open_core(self, settings: Settings) -> Core:
        """Make what judges the tokens of one authorization server, and reaches that."""

    def _drop_core(self, core: Core) -> None:
        """Note that a core judges no more; its connections are closed when nobody can wait for them any more."""
        with self._dropping:
            self._dropped.append((monotonic() + core.settings.timeout, core))

    def _outlived(self) -> list[Core]:
        """Take those cores whose connections are to be closed now."""
        if not self._dropped:
            return []
        with self._dropping:
            now, dropped = monotonic(), self._dropped
            self._dropped = [(due, core) for due, core in dropped if now < due]
        return [core for due, core in dropped if now >= due]

    def _follow(self, files: Files) -> None:
        """Keep to the options in these files, as they change."""
        self._files = files

    def _look_at_files(self) -> None:
        """Look whether the options have changed, at most once a second; called where a request has to wait anyway."""
        files = self._files
        if files is not None and files.may_look(self._clock.monotonic()):
            self._look_at(files)

    def _doubt_files(self) -> None:
        """Read the options again whatever their files look like, at most once a second: they may be wrong."""
        files = self._files
        if files is not None:
            self._look_at(files, anyway=files.may_doubt(self._clock.monotonic()))

    def _look_at(self, files: Files, *, anyway: bool = False) -> None:
        try:
            self._renew(files, anyway=anyway)
        except ConfigurationError:
            self._judge.reports.tell(ConfigurationFault("configuration", "unacceptable", self.settings.issuer))

    def _renew(self, files: Files, *, anyway: bool) -> bool:
        postponed: tuple[str, ...] = ()

        def apply(change: Change) -> None:
            nonlocal postponed
            postponed = self._judge.reconfigure(change)
            self._intake.reconfigure(change.settings)

        change = files.renew(lambda: self._judge.settings, apply, anyway=anyway)
        if change is not None:
            at_a_restart = tuple(sorted({*change.at_a_restart, *postponed}))
            self._judge.reports.tell(ConfigurationReloaded(change.changed, at_a_restart, self.settings.issuer))
        return change is not None

    def _assess(self, core: Core) -> Health:
        stores = () if core.line is None else core.line.stores_seen
        feeds = () if core.feed is None else (core.feed.status,)
        return assess(core.state, core.reports.faults, core.clock.monotonic(), stores=stores, feeds=feeds)

    def _measure(self, core: Core) -> Statistics:
        stores = () if core.line is None else core.line.stores_seen
        return measure(core.state, core.clock.monotonic(), stores=stores, feed=core.feed)

    def _start_feeds(self) -> None:
        """Get in touch with the other workers, where that is possible from here; else the next request does."""
        for line in self._lines():
            line.start_feed()

    @abstractmethod
    def _lines(self) -> Sequence[Way]:
        """Return the ways to all authorization servers that are known at this moment."""
