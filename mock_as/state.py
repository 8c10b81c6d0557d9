"""What an issuer consists of: everything is in memory and belongs to one object, whichever way it is reached."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mock_as.chance import Chance
from mock_as.clients import Client, registry
from mock_as.clock import Clock
from mock_as.errors import UsageError, unknown
from mock_as.faults.book import FaultBook
from mock_as.faults.plan import Plan
from mock_as.identity import Identity
from mock_as.journal import EVERYWHERE, Journal
from mock_as.keys import KeyRing
from mock_as.keys.signing import SigningKey
from mock_as.latches import Gates
from mock_as.mint import House, Mint
from mock_as.options import Options
from mock_as.pending import Pending
from mock_as.tokens import Token
from mock_as.tokens.resources import Resource, resource_registry
from mock_as.tokens.rules import Rule
from mock_as.tokens.store import TokenStore
from mock_as.users import User, user_registry

KEEPABLE = ("clients", "clock", "keys", "resources", "tokens", "users")
"""What a reset can leave as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What an issuer is made from, and goes back to at a reset."""

    options: Options = field(default_factory=Options)
    clients: tuple[Client, ...] = ()
    users: tuple[User, ...] = ()
    resources: tuple[Resource, ...] = ()
    rules: tuple[Rule, ...] = ()
    keys: tuple[SigningKey, ...] = ()
    faults: tuple[Plan, ...] = ()


class State:
    """The parts of an issuer.

    Args:
        identity: who it is.
        blueprint: what it is made from.
        clock: what tells it the time.
    """

    def __init__(self, identity: Identity, blueprint: Blueprint, clock: Clock) -> None:
        self.blueprint = blueprint
        self.identity = identity
        self.options = blueprint.options
        self.clock = clock
        self.chance = Chance(blueprint.options.seed, identity.path)
        self.clients = registry(blueprint.clients)
        self.users = user_registry(blueprint.users)
        self.resources = resource_registry(blueprint.resources)
        self.rules = blueprint.rules
        self.metadata_edits: dict[str, Any] = {}
        self.keys = KeyRing(blueprint.keys)
        self.tokens = TokenStore(clock.now)
        self.pending = Pending(clock.now)
        self.journal = Journal(self.text_of)
        self.faults = FaultBook(clock.now, self.chance.fraction)
        self.gates = Gates(EVERYWHERE)
        self._mint = Mint(self._house(), self.chance)
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._misbehave()

    def _misbehave(self) -> None:
        for plan in self.blueprint.faults:
            self.faults.set(plan)

    def _house(self) -> House:
        return House(
            identity=self.identity,
            options=lambda: self.options,
            clients=self.clients,
            clock=self.clock,
            keys=self.keys,
            store=self.tokens,
            resources=self.resources,
            rules=lambda: self.rules,
        )

    def text_of(self, token: Token | str) -> str:
        """Return the text of a token, however it is named.

        Args:
            token: the token, its text or its id.
        """
        if isinstance(token, Token):
            return token.value
        record = self.tokens.find(token)
        return token if record is None else record.token.value

    def seed(self, seed: int | None) -> None:
        """Make everything random follow from a number from now on.

        Args:
            seed: the number; ``None`` to be unpredictable.
        """
        self.chance.seed(seed)

    def reset(self, *, keep: Iterable[str] = ()) -> None:
        """Go back to how it all was after construction; the first keys stay as they are.

        Args:
            keep: what stays as it is, of :data:`KEEPABLE`.

        Raises:
            UsageError: something else is to be kept.
        """
        kept = set(keep)
        for name in kept:
            if name not in KEEPABLE:
                raise unknown("keep", name, KEEPABLE)
        self.faults.reset()
        self.gates.clear()
        for name in KEEPABLE:
            if name not in kept:
                getattr(self, name).reset()
        self.pending.reset()
        self.journal.clear()
        if "tokens" not in kept:
            self._mint.reset()
        self.chance.reset()
        self.options, self.rules, self.metadata_edits = self.blueprint.options, self.blueprint.rules, {}
        self._snapshots.clear()
        self._misbehave()

    def snapshot(self) -> str:
        """Remember how everything is, except for the journal, which tells what has happened.

        Returns:
            The name to restore it by.
        """
        name = f"snapshot-{next(self._numbers)}"
        parts = {part: getattr(self, part).dump() for part in _DUMPED}
        plain = {part: getattr(self, part) for part in ("options", "rules")}
        self._snapshots[name] = {**parts, **plain, "metadata_edits": dict(self.metadata_edits)}
        return name

    def restore(self, snapshot: str | None = None) -> str:
        """Go back to how everything was; it can be done again.

        Args:
            snapshot: the name of a snapshot; by default the latest.

        Returns:
            The name.

        Raises:
            UsageError: there is none of that name.
        """
        if not self._snapshots:
            raise UsageError("snapshot", "there is none yet")
        name = next(reversed(self._snapshots)) if snapshot is None else snapshot
        if name not in self._snapshots:
            raise unknown("snapshot", name, self._snapshots)
        saved = self._snapshots[name]
        for part in _DUMPED:
            getattr(self, part).load(saved[part])
        self.options, self.rules = saved["options"], saved["rules"]
        self.metadata_edits = dict(saved["metadata_edits"])
        return name

    def configure(self, **options: Any) -> None:  # noqa: ANN401 - each option has a type of its own
        """Change options until the next reset.

        Args:
            options: the fields of :class:`mock_as.options.Options`.

        Raises:
            UsageError: there is no such option, or it cannot have such a value.
        """
        names = [option.name for option in dataclasses.fields(Options)]
        for name in options:
            if name not in names:
                raise UsageError(name, f"is none of {', '.join(names)}")
        self.options = dataclasses.replace(self.options, **options)

    def release(self) -> None:
        """Let every request go on that is held, or left hanging by a fault."""
        self.gates.clear()
        for fault in self.faults:
            fault.release()
        self.journal.release()


_DUMPED = ("chance", "clients", "clock", "faults", "keys", "_mint", "pending", "resources", "tokens", "users")
