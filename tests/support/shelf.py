"""A store without a network, for flows that are played by hand: it keeps what it is told, and time is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from resource_server._validation.flow import AddOnce, Recall, Recalled, Release, Remember, Sleep, StoreCall
from tests.support.play import Player, Script, Time, World, digest


@dataclass
class Shelf:
    """What several worlds share."""

    times: list[Time] = field(default_factory=list[Time])
    """The clocks of all workers; the store's own is the first one's."""
    values: dict[bytes, tuple[bytes, float]] = field(default_factory=dict[bytes, tuple[bytes, float]])
    """Each value, with the monotonic second in which it ends."""
    claims: dict[bytes, tuple[object, float]] = field(default_factory=dict[bytes, tuple[object, float]])
    """Who has each claim, and until when."""
    calls: list[StoreCall] = field(default_factory=list[StoreCall])
    is_up: bool = True

    def perform(self, call: StoreCall, owner: object) -> Recalled | bool | None:
        """Carry out a call of one worker's."""
        self.calls.append(call)
        if not self.is_up:
            return None
        now = self.times[0].monotonic
        if isinstance(call, Recall):
            return self._recall(call, owner, now)
        if isinstance(call, AddOnce):
            is_new = call.name not in self.values
            self.values.setdefault(call.name, (b"1", now + call.ttl))
            return is_new
        if isinstance(call, Remember):
            self._remember(call, owner, now)
        elif self._owner(call.name, now) is owner:
            del self.claims[call.name]
        return None

    def advance(self, seconds: float) -> None:
        """Let time pass, as all clocks see it."""
        for moment in self.times:
            moment.advance(seconds)

    def _recall(self, call: Recall, owner: object, now: float) -> Recalled:
        value, end = self.values.get(call.name, (b"", now))
        if end - now > call.min_ttl:
            return Recalled(value, end - now)
        if self._owner(call.name, now) not in {None, owner}:
            return Recalled()
        self.claims[call.name] = (owner, now + call.claim_for)
        return Recalled(claimed=True)

    def _remember(self, call: Remember, owner: object, now: float) -> None:
        is_there = self.values.get(call.name, (b"", now))[1] > now
        if call.replace or self._owner(call.name, now) is owner:
            self.claims.pop(call.name, None)
        elif is_there:
            return
        self.values[call.name] = (call.value, now + call.ttl)

    def _owner(self, name: bytes, now: float) -> object | None:
        owner, until = self.claims.get(name, (None, now))
        return owner if until > now else None


class Worker(World):
    """One of several resource servers that share a shelf, and its clock.

    Args:
        shelf: what they share.
        changes: options, as for :class:`World`.
    """

    def __init__(self, shelf: Shelf, **changes: Any) -> None:
        """Begin with nothing known."""
        super().__init__(**({"cache_url": "redis://cache", "strategy": "introspect"} | changes))
        self.shelf = shelf
        self.naps: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []
        """What happens at each nap, in order."""
        shelf.times.append(self.time)

    def play(self, flow: Generator[Any, Any, Any], *script: tuple[str, Any]) -> Any:
        """Run a flow against a script and the shelf."""
        player = _Player(list[tuple[str, Any]](script), worker=self)
        result = player.run(flow)
        assert player.script == [], "not everything was asked that should have been"
        self.requests, self.naps = player.requests, player.naps
        return result

    def name(self, token: str) -> bytes:
        """Return where the verdict about a token is kept."""
        vault = self.state.vault
        assert vault is not None
        return vault.name("verdict", digest(token).hex())


class _Player(Player):
    """Answers also what the store is asked, and lets time pass at each nap."""

    def __init__(self, script: Script, worker: Worker) -> None:
        super().__init__(script)
        self._worker = worker

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Recall | AddOnce | Remember | Release):
            return self._worker.shelf.perform(effect, self._worker)
        if isinstance(effect, Sleep):
            self._worker.shelf.advance(effect.seconds)
            if self._worker.meanwhile:
                self._worker.meanwhile.pop(0)()
        return super()._perform(effect)
