"""Authorization servers that the application finds as they are named by tokens, as where each tenant has its own.

Whoever sends tokens chooses what the resolver is asked about. So it is asked only about what can be an issuer, once at
a time, its answers are kept, and no more of them than there is room for.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from resource_server._core import Core
from resource_server._options.authorization_server import AuthorizationServer
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._protocol.routing import Mark, find_issuer
from resource_server._protocol.urls import url_problem
from resource_server._reload import compare
from resource_server._reports import Reports
from resource_server._upkeep import revoke
from resource_server._validation.forks import fork_safe_lock
from resource_server._validation.revoke import read_demand
from resource_server._validation.state import Clock
from resource_server.errors import ConfigurationError
from resource_server.health import Check, assess_resolver

if TYPE_CHECKING:
    from resource_server.settings import Settings

RESOLVED = 1_000
"""How many authorization servers are kept; then the one goes whose tokens came longest ago."""
RESOLVED_FOR = 300.0
"""Seconds after which the resolver is asked again about one that is in use: it may not be trusted any more."""
ASKED_AGAIN_AFTER = 10.0
"""Seconds after which the resolver is asked again about one that is in use, where it could not say."""
STANDING = 10_000
"""How many revocations are kept for issuers that are not resolved yet; then the oldest is forgotten."""
MAX_ISSUER_LENGTH = 2_048
"""Characters of an issuer that the resolver is asked about."""


class Question(NamedTuple):
    """What the application is to be asked, and what takes its answer."""

    issuer: str
    resolve: Callable[[str], object]
    settle: Callable[[object], Core | Unavailable | None]
    """Takes an authorization server, ``None`` for one that is not trusted, or what went wrong."""


class _Known(NamedTuple):
    core: Core
    server: AuthorizationServer
    until: float
    """Monotonic seconds."""


class _Standing(NamedTuple):
    issuer: str | None
    """``None`` for all."""
    revocation: Revocation


class Resolved:
    """The authorization servers that a resolver has found.

    Args:
        settings: the options of the whole resource server.
        resolve: the application's function.
        reports: told what goes wrong.
        clock: what time it is.
        open_core: makes the core of an issuer, out of its options.
        drop_core: told of a core that judges no more.
    """

    marks: tuple[Mark, ...] = ()
    """None: a token that does not name its issuer could be anybody's."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        settings: Settings,
        resolve: Callable[[str], object],
        reports: Reports,
        clock: Clock,
        *,
        open_core: Callable[[Settings], Core],
        drop_core: Callable[[Core], None],
    ) -> None:
        """Start with none."""
        self._settings = settings
        self._resolve = resolve
        self._reports = reports
        self._clock = clock
        self._open_core = open_core
        self._drop_core = drop_core
        self._lock = fork_safe_lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._absent: dict[str, float] = {}
        self._standing: list[_Standing] = []
        self._last_answer = -math.inf

    def cores(self) -> list[Core]:
        """Return those that judge at this moment."""
        with self._lock:
            return [known.core for known in self._known.values()]

    def find(self, issuer: str) -> Core | Question | None:
        """Return who judges the tokens of an issuer, what is to be asked first, or nobody."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._known.get(issuer)
            if known is not None and now < known.until:
                self._known.move_to_end(issuer)
                return known.core
            if now < self._absent.get(issuer, now):
                return None
        if len(issuer) > MAX_ISSUER_LENGTH:
            return None
        insecure = self._settings.allow_insecure_http
        if url_problem(issuer, allow_insecure_http=insecure, allow_query=False) is not None:
            return None
        return Question(issuer, self._resolve, partial(self.settle, issuer))

    def settle(self, issuer: str, found: object) -> Core | Unavailable | None:
        """Take what the resolver has said of an issuer; what it could not say changes nothing for one that is known.

        Args:
            issuer: whom it was asked about.
            found: an authorization server, ``None`` for one that is not trusted, or what went wrong.

        Returns:
            Who judges its tokens, nobody, or that it cannot be known at the moment.
        """
        unit = self._read(issuer, found)
        if isinstance(unit, Unavailable):
            return self._go_on(issuer, unit)
        self._last_answer = self._clock.monotonic()
        if unit is None or not isinstance(found, AuthorizationServer):
            self._dismiss(issuer)
            return None
        known = self._known.get(issuer)
        # Not under the lock, for what is made here has locks of its own.
        noted = self._standing
        core = self._open(unit, noted) if known is None else _renewed(known.core, unit)
        with self._lock:
            latest = self._known.get(issuer)
            core = core if latest is None else latest.core  # another event loop or thread was faster
            self._known[issuer] = _Known(core, found, self._clock.monotonic() + RESOLVED_FOR)
            self._known.move_to_end(issuer)
            standing, dropped = self._standing, self._make_room()
        if standing is not noted:
            _note_standing(core, issuer, standing)  # somebody has revoked something meanwhile
        if dropped is not None:
            self._drop_core(dropped)
        return core

    def check(self) -> Check:
        """Tell how the resolver is doing."""
        return assess_resolver(self._reports.faults, self._last_answer, self._clock.monotonic())

    def reconfigure(self, settings: Settings, *, certificates_changed: bool = False) -> tuple[str, ...]:
        """Put other options in force for those that are known and for those to come.

        Args:
            settings: the options of the whole resource server.
            certificates_changed: a file of certificates may have other content.

        Returns:
            The names of those that take effect at a restart.

        Raises:
            ConfigurationError: they are not acceptable together with what is said of one that is known.
        """
        postponed = set[str]()
        with self._lock:
            all_known = list(self._known.values())
        units = [(known.core, settings.unit(known.server)) for known in all_known]
        self._settings = settings  # nothing has changed where one of them is not acceptable
        for core, unit in units:
            change = compare(core.settings, unit, certificates_changed=certificates_changed)
            if change is not None:
                core.reconfigure(change)
                postponed.update(change.at_a_restart)
        return tuple(sorted(postponed))

    def revoke(self, named: Mapping[str, object], before: object, issuer: str | None) -> None:
        """Note what a caller wants revoked, at one issuer or at all, those that are not resolved yet among them.

        Raises:
            TypeError: as :meth:`resource_server.ResourceServer.revoke` says.
            ValueError: as above, or a token is of an issuer that is not resolved yet.
        """
        now, memory = self._clock.wall(), self._settings.revocation_memory
        kind, value, moment = read_demand(named, before, now=now, memory=memory)
        if isinstance(value, bytes) or kind == "token":
            token = value if isinstance(value, bytes) else value.encode()
            self._revoke_token(token, issuer, named)
            return
        revocation = Revocation(kind, value, moment, max(now + 1, moment) + memory)
        with self._lock:
            standing = [old for old in self._standing if old.revocation.until > now]
            self._standing = [*standing, _Standing(issuer, revocation)][-STANDING:]
            cores = [known.core for name, known in self._known.items() if issuer in (None, name)]
        if len(standing) >= STANDING:
            self._reports.forgotten()
        for core in cores:
            core.note(revocation)

    def _revoke_token(self, token: bytes, issuer: str | None, named: Mapping[str, object]) -> None:
        with self._lock:
            known = self._known.get(issuer or find_issuer(token, ()) or "")
        if known is None:
            raise ValueError("the token is of no issuer that is known here yet: name its jti, and the issuer")
        revoke(known.core, named, None)

    def _read(self, issuer: str, found: object) -> Settings | Unavailable | None:
        if found is None or isinstance(found, Unavailable):
            return found
        if not isinstance(found, AuthorizationServer) or found.issuer != issuer:
            return Unavailable("issuer_mismatch", fault="configuration")
        try:
            return self._settings.unit(found)
        except ConfigurationError:
            return Unavailable("unacceptable", fault="configuration")

    def _go_on(self, issuer: str, fault: Unavailable) -> Core | Unavailable:
        """Go on with what is known of an issuer while nobody can say whether it is still trusted."""
        self._reports.fault("resolver", fault)
        with self._lock:
            known = self._known.get(issuer)
            if known is None:
                return fault
            self._known[issuer] = known._replace(until=self._clock.monotonic() + ASKED_AGAIN_AFTER)
            return known.core

    def _dismiss(self, issuer: str) -> None:
        """Trust an issuer no more, or not at all."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._known.pop(issuer, None)
            self._forget_absent(now)
            self._absent[issuer] = now + self._settings.negative_cache_ttl
        if known is not None:
            self._drop_core(known.core)

    def _open(self, unit: Settings, standing: list[_Standing]) -> Core:
        core = self._open_core(unit)
        _note_standing(core, unit.issuer, standing)
        return core

    def _make_room(self) -> Core | None:
        """Let go of the one whose tokens came longest ago; of one with revocations only where all have them."""
        if len(self._known) <= RESOLVED:
            return None
        free = (issuer for issuer, known in self._known.items() if not len(known.core.state.revocations))
        issuer = next(free, None)
        if issuer is None:
            issuer = next(iter(self._known))
            self._reports.forgotten()
        return self._known.pop(issuer).core

    def _forget_absent(self, now: float) -> None:
        """Let go of what is over, and of everything where that was not enough."""
        if len(self._absent) >= self._settings.negative_cache_size:
            self._absent = {issuer: until for issuer, until in self._absent.items() if now < until}
        if len(self._absent) >= self._settings.negative_cache_size:
            self._absent = {}


def _note_standing(core: Core, issuer: str, all_standing: list[_Standing]) -> None:
    """Note in a core what was revoked before there was one."""
    for standing in all_standing:
        if standing.issuer in (None, issuer):
            core.note(standing.revocation)


def _renewed(core: Core, unit: Settings) -> Core:
    """Go on with a core, under other options where they are others, and with certificates as their files are now."""
    has_files = unit.ca_file is not None or unit.client_certificate_file is not None
    change = compare(core.settings, unit, certificates_changed=has_files)
    if change is not None:
        core.reconfigure(change)
    return core
