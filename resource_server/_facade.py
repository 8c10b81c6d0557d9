"""What a resource server offers that needs no waiting, the same for tasks and for threads.

``ResourceServer`` and ``BlockingResourceServer`` add the verbs that wait.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from resource_server._core import Core
from resource_server._protocol.bearer import TokenMethods
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.problem import ErrorResponse, render_error
from resource_server._reload import Files
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.feed import FeedStatus
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.events import ConfigurationFault, ConfigurationReloaded
from resource_server.health import Health, assess
from resource_server.principal import Principal

if TYPE_CHECKING:
    from resource_server.settings import Settings


class Facade(ABC):
    """The verbs that answer at once.

    Args:
        core: what judges.
    """

    def __init__(self, core: Core) -> None:
        """Keep the core."""
        self._core = core
        self._files: Files | None = None

    def __repr__(self) -> str:
        """Name the issuer; nothing secret."""
        return f"{type(self).__name__}(issuer={self.settings.issuer!r}, strategy={self.settings.strategy!r})"

    def render(
        self, error: BearerTokenError | VerificationUnavailable, *, accept: bytes = b"", forbid: bool | None = None
    ) -> ErrorResponse:
        """Make the response for a refusal: status, headers with the challenge, and body.

        Args:
            error: what was raised.
            accept: the request's ``Accept`` field value.
            forbid: answer 403 in place of 401; ``None`` where the route knows no such rule.
        """
        return render_error(error, self._core.intake.error_style, accept=accept, forbid=forbid)

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
        """Tell how this server is doing, from what its requests have met; asks nobody."""
        core = self._core
        now = core.clock.monotonic()
        return assess(core.state, core.reports.faults, now, stores=self._stores_seen(), feeds=self._feeds_seen())

    def revoke(  # noqa: PLR0913 - one of five things, by its name
        self,
        *,
        token: str | bytes | None = None,
        jti: str | None = None,
        sub: str | None = None,
        sid: str | None = None,
        client_id: str | None = None,
        before: float | datetime | None = None,
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

        Raises:
            TypeError: not exactly one of the five is given, or it has another type, or ``before`` is given with
                ``token`` or ``jti``.
            ValueError: a value is empty, or ``before`` is far ahead, or has no time zone.

        References: RFC 7009, RFC 7662 section 4
        """
        named = {"token": token, "jti": jti, "sub": sub, "sid": sid, "client_id": client_id}
        self._core.revoke(named, before)
        self._start_feed()

    @property
    def settings(self) -> Settings:
        """The options, as they are in force."""
        return self._core.settings

    @property
    def token_methods(self) -> TokenMethods:
        """Where a token may be in a request."""
        return self._core.intake.token_methods

    def dpop_nonce(self, principal: Principal) -> str | None:
        """Return the nonce for a client's next proof, for the ``DPoP-Nonce`` field of its response.

        Args:
            principal: who was let in.

        Returns:
            The nonce, or ``None`` where none is needed.

        References: RFC 9449 section 9
        """
        return self._core.intake.possession.nonce(principal)

    @property
    def metadata(self) -> Metadata | None:
        """The authorization server's metadata, as far as it has been needed yet."""
        return self._core.state.metadata

    def _follow(self, files: Files) -> None:
        """Keep to the options in these files, as they change."""
        self._files = files
        self._core.look_at_files = lambda: self._look_at(files, anyway=files.may_doubt(self._core.clock.monotonic()))

    def _look_at_files(self) -> None:
        """Look whether the options have changed, at most once a second; called where a request has to wait anyway."""
        files = self._files
        if files is not None and files.may_look(self._core.clock.monotonic()):
            self._look_at(files)

    def _look_at(self, files: Files, *, anyway: bool = False) -> None:
        try:
            self._renew(files, anyway=anyway)
        except ConfigurationError:
            self._core.reports.tell(ConfigurationFault("configuration", "unacceptable", self.settings.issuer))

    def _renew(self, files: Files, *, anyway: bool) -> bool:
        core = self._core
        change = files.renew(lambda: core.settings, core.reconfigure, anyway=anyway)
        if change is not None:
            core.reports.tell(ConfigurationReloaded(change.changed, change.at_a_restart, core.settings.issuer))
        return change is not None

    @abstractmethod
    def _stores_seen(self) -> Iterable[BreakerStatus]:
        """Return what has been seen of the shared store; nothing where there is none."""

    def _feeds_seen(self) -> Iterable[FeedStatus]:
        """Return how it goes with what the workers tell each other; nothing where they do not."""
        feed = self._core.feed
        return () if feed is None else (feed.status,)

    @abstractmethod
    def _start_feed(self) -> None:
        """Get in touch with the other workers, where that is possible from here; else the next request does."""
