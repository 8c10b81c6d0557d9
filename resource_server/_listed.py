"""Authorization servers that are named in the configuration, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from resource_server._core import Core
from resource_server._protocol.routing import Mark, find_issuer
from resource_server._reload import compare
from resource_server._upkeep import revoke

if TYPE_CHECKING:
    from resource_server.settings import Settings


class Listed:
    """The authorization servers of a list.

    Args:
        settings: the options of the whole resource server.
        open_core: makes the core of an issuer, out of its options.
        drop_core: told of a core that judges no more.
    """

    def __init__(
        self, settings: Settings, *, open_core: Callable[[Settings], Core], drop_core: Callable[[Core], None]
    ) -> None:
        """Make a core for each."""
        self._open_core = open_core
        self._drop_core = drop_core
        self._cores: dict[str, Core] = {}
        self.marks: tuple[Mark, ...] = ()
        """What tells the tokens of those apart that do not name their issuer."""
        self.reconfigure(settings)

    def find(self, issuer: str) -> Core | None:
        """Return who judges the tokens of an issuer, where there is anybody."""
        return self._cores.get(issuer)

    def cores(self) -> list[Core]:
        """Return those that judge at this moment."""
        return list(self._cores.values())

    def check(self) -> None:
        """Tell nothing: there is no resolver."""

    def reconfigure(self, settings: Settings, *, certificates_changed: bool = False) -> tuple[str, ...]:
        """Put other options in force: an issuer that stays keeps what is known of it.

        Args:
            settings: the options of the whole resource server.
            certificates_changed: a file of certificates may have other content.

        Returns:
            The names of those that take effect at a restart.
        """
        units, cores, postponed = settings.units(), dict[str, Core](), set[str]()
        for unit in units:
            core = cores[unit.issuer] = self._cores.get(unit.issuer) or self._open_core(unit)
            change = compare(core.settings, unit, certificates_changed=certificates_changed)
            if change is not None:
                core.reconfigure(change)
                postponed.update(change.at_a_restart)
        dropped = [core for issuer, core in self._cores.items() if issuer not in cores]
        self._cores, self.marks = cores, tuple(unit.mark() for unit in units)
        for core in dropped:
            self._drop_core(core)
        return tuple(sorted(postponed))

    def revoke(self, named: Mapping[str, object], before: object, issuer: str | None) -> None:
        """Note what a caller wants revoked, at one issuer or at all; a token at its own, where it names that.

        Raises:
            TypeError: as :meth:`resource_server.ResourceServer.revoke` says.
            ValueError: as above, or the issuer is none of ours.
        """
        if issuer is not None and issuer not in self._cores:
            raise ValueError(f"{issuer!r} is none of the issuers that are trusted here")
        found = self._cores.get(issuer or self._issuer_of(named.get("token")) or "")
        for core in self.cores() if found is None else [found]:
            revoke(core, named, before)

    def _issuer_of(self, token: object) -> str | None:
        if isinstance(token, str):
            token = token.encode()
        return find_issuer(token, self.marks) if isinstance(token, bytes) else None
