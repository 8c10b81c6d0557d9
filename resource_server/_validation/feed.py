"""Revocations go round: each worker tells the others what it learns, and hears what they say.

All workers share a log in the store. It is read from its beginning, and then as it grows: what is new and what was
missed are the same thing. Whoever is cut off reads on where it was; nothing is lost in between.

What a worker has to say waits in its outbox until it has read it in the log itself. So neither an outage nor a store
that forgets what it has confirmed loses it. A log that has vanished (the last entry we read is not there any more) is
read from its beginning, and told again what is missing in it: every worker would, and whoever is first spares the
others, for they read it before it is their turn.

Here are only the steps; who carries them out is in ``_runtime``::

    Read(...)    ->  Page, or Unavailable
    Append(...)  ->  None, or Unavailable
    Pause(...)   ->  None, after so many seconds, or sooner for one that may be woken
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation, read_revocation
from resource_server._validation.outbox import BATCH, Outbox
from resource_server._validation.revocations import Place, Revocations
from resource_server._validation.state import Clock
from resource_server._validation.vault import Vault

BEGINNING = b"0-0"
LISTEN_FOR = 0.5
"""Seconds for which a worker waits for something new, before it looks whether the log is still there."""
FIRST_WAIT, LONGEST_WAIT = 0.05, 0.4
"""Seconds until the next attempt at a log that is not there, at first and at most."""
SPREAD = 0.25
"""Seconds over which the workers spread what all of them would write."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read what comes after a place in the log."""

    after: bytes
    wait: float
    """Seconds to wait for it where there is nothing yet."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was read."""

    entries: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """Places and values, in their order."""
    continued: bool = True
    """The entry at the place we read on from is still there: this is the log we know."""


@dataclass(frozen=True, slots=True)
class Append:
    """Write to the end of the log, and let go of what is too old to mean anything."""

    values: tuple[bytes, ...] = field(repr=False)
    keep_for: float
    """Seconds, by the store's clock."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float
    wakeable: bool = False
    """Something new in the outbox ends it."""


Step = Read | Append | Pause
Steps = Generator[Step, Any, None]


class FeedStatus(NamedTuple):
    """How it goes."""

    connected: bool
    """The log answered when it was last asked."""
    last_heard: float
    """Monotonic seconds of its last answer; ``-inf`` for never."""
    cause: str | None
    """Why it did not answer, where it did not."""
    waiting: int
    """How many revocations the others may not have heard of."""


class Feed:
    """The part of one resource server in what its workers tell each other.

    Args:
        vault: seals what goes into the log, and opens what is ours.
        revocations: what is remembered here.
        clock: what time it is.
        memory: seconds for which a revocation matters at most.
        report: told that the log does not answer, and why; ``None`` when it does again.
        on_heard: told of each revocation that is news, and how many seconds it was under way.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, each by name
        self,
        vault: Vault,
        revocations: Revocations,
        *,
        clock: Clock,
        memory: float,
        report: Callable[[str | None], None],
        on_heard: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Start unconnected, with nothing to tell."""
        self.stream = vault.name("revocations", "")
        self.outbox = Outbox(revocations)
        self._vault = vault
        self._revocations = revocations
        self._clock = clock
        self._memory = memory
        self._report = report
        self._on_heard = on_heard
        self._caught_up = False
        self._last_heard = -math.inf
        self._causes: dict[Literal["hear", "tell"], str | None] = {"hear": None, "tell": None}

    @property
    def status(self) -> FeedStatus:
        """How it goes, for the health of the server."""
        connected = self._cause is None and self._last_heard > -math.inf
        return FeedStatus(connected, self._last_heard, self._cause, len(self.outbox))

    def note(self, revocation: Revocation) -> None:
        """Have the other workers told."""
        self.outbox.put([revocation.place], self._clock.monotonic())

    def hear(self, on_caught_up: Callable[[], None] = lambda: None) -> Steps:
        """Read the log, for ever.

        Args:
            on_caught_up: called when the end of the log is reached, and where there is none to reach.
        """
        place, misses, wait = BEGINNING, 0, 0.0
        lost: set[Place] | None = None
        while True:
            page = cast("Page | Unavailable", (yield Read(place, wait)))
            if isinstance(page, Unavailable):
                self._trouble("hear", page.cause)
                on_caught_up()
                yield self._pause(misses)
                misses, wait = misses + 1, 0.0
                continue
            self._hears(again=misses > 0)
            misses = 0
            heard = [self._accept(value) for _, value in page.entries]
            if not page.continued:
                place, wait, lost = BEGINNING, 0.0, {known.place for known in self._revocations.all()}
                continue
            place = page.entries[-1][0] if page.entries else place
            lost = None if lost is None else lost.difference(heard)
            if len(page.entries) < BATCH:
                if lost:
                    self._tell_again(lost)
                wait, lost = LISTEN_FOR, None
                self._caught_up = True
                on_caught_up()

    def tell(self) -> Steps:
        """Write what is in the outbox, for ever."""
        misses = 0
        while True:
            failed = yield from self._write()
            self._trouble("tell", None if failed is None else failed.cause)
            if failed is None:
                misses = 0
                yield Pause(self.outbox.next_due(self._clock.monotonic()), wakeable=True)
            else:
                yield self._pause(misses)
                misses += 1

    def flush(self) -> Steps:
        """Write what is in the outbox, once."""
        self.outbox.hurry(self._clock.monotonic())
        yield from self._write()

    def _write(self) -> Generator[Step, Any, Unavailable | None]:
        while batch := self.outbox.take(self._clock.monotonic()):
            sealed = tuple(map(self._seal, batch))
            failed = cast("Unavailable | None", (yield Append(sealed, self._memory)))
            if failed is not None:
                self.outbox.put([revocation.place for revocation in batch], self._clock.monotonic())
                return failed
        return None

    def _seal(self, revocation: Revocation) -> bytes:
        noted_at = self._revocations.noted_at(revocation.place, now=self._clock.monotonic(), wall=self._clock.wall())
        return self._vault.seal({**revocation.members(), "noted_at": noted_at}, name=self.stream)

    def _accept(self, value: bytes) -> Place | None:
        """Note what one of us has written; whatever else stands in the log is nothing to us."""
        members = self._vault.open(value, name=self.stream) or {}
        noted_at, wall = members.get("noted_at"), self._clock.wall()
        heard = read_revocation(members)
        if heard is None:
            return None
        is_news = self._revocations.add(heard, now=self._clock.monotonic(), wall=wall)
        # What was there before us is no late news.
        if is_news and self._caught_up and isinstance(noted_at, float):
            self._on_heard(max(0.0, wall - noted_at))
        self.outbox.confirm(heard)
        return heard.place

    def _tell_again(self, lost: set[Place]) -> None:
        """Tell what the log has lost. Every worker does, each from another point on, and hears the others meanwhile."""
        wall, chance = self._clock.wall(), self._clock.chance()
        places = [known.place for known in self._revocations.all() if known.place in lost and known.until > wall]
        first = int(len(places) * chance)
        self.outbox.put(places[first:] + places[:first], self._clock.monotonic() + SPREAD * chance)

    def _pause(self, misses: int) -> Pause:
        longest = min(FIRST_WAIT * 2 ** min(misses, 8), LONGEST_WAIT)
        return Pause(longest * (1 + self._clock.chance()) / 2)

    def _hears(self, *, again: bool) -> None:
        self._last_heard = self._clock.monotonic()
        self._trouble("hear", None)
        if again:
            self.outbox.hurry(self._last_heard)

    def _trouble(self, doing: Literal["hear", "tell"], cause: str | None) -> None:
        was = self._cause
        self._causes[doing] = cause
        if (was is None) != (self._cause is None):
            self._report(self._cause)

    @property
    def _cause(self) -> str | None:
        return self._causes["hear"] or self._causes["tell"]
