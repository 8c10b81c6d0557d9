"""The steps by which workers tell each other what is revoked: played by hand, with a log that may vanish."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._validation.feed import (
    BEGINNING,
    FIRST_WAIT,
    LISTEN_FOR,
    LONGEST_WAIT,
    SPREAD,
    Append,
    Feed,
    Page,
    Pause,
    Read,
    Step,
)
from resource_server._validation.outbox import BATCH, UNCONFIRMED, Outbox
from resource_server._validation.revocations import Revocations
from resource_server._validation.state import Clock
from resource_server._validation.vault import Vault
from tests.support.play import Time

ALICE = ("sub", "alice")
DOWN = Unavailable("connect")


def revocation(value: str = "alice", memory: float = 3600.0) -> Revocation:
    """Make one."""
    return Revocation("sub", value, Time().wall, Time().wall + memory)


@dataclass
class SharedLog:
    """What the store holds, and whether it answers."""

    entries: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    is_up: bool = True
    number: Any = field(default_factory=lambda: count(1))

    def perform(self, step: Step) -> Page | Unavailable | None:
        """Carry out a step, as the store would."""
        if not self.is_up:
            return DOWN
        if isinstance(step, Append):
            self.entries += [(next(self.number), value) for value in step.values]
            return None
        assert isinstance(step, Read)
        after = int(step.after.partition(b"-")[0])
        found = [(b"%d-0" % place, value) for place, value in self.entries if place > after][:BATCH]
        return Page(tuple(found), after == 0 or any(place == after for place, _ in self.entries))


class Worker:
    """One worker: what it remembers, and its two flows of steps."""

    def __init__(self, log: SharedLog, *, secret: bytes = b"s" * 32, chance: float = 0.0, size: int = 1_000) -> None:
        """Start."""
        self.time = Time()
        self.log = log
        self.reports: list[str | None] = []
        self.reached_the_end = 0
        self.lags: list[float] = []
        self.revocations = Revocations(size)
        clock = Clock(lambda: self.time.wall, lambda: self.time.monotonic, lambda: chance)
        vault = Vault(secret, ("issuer",))
        self.vault = vault
        self.feed = Feed(
            vault, self.revocations, clock=clock, memory=60.0, report=self.reports.append, on_heard=self.lags.append
        )
        self._hearing, self._telling = self.feed.hear(self._note_the_end), self.feed.tell()
        self._outcomes: dict[Any, Any] = {}

    def _note_the_end(self) -> None:
        self.reached_the_end += 1

    def step(self, steps: Any) -> Step:
        """Take one step, and return it carried out."""
        step: Step = steps.send(self._outcomes.get(steps))
        self._outcomes[steps] = None if isinstance(step, Pause) else self.log.perform(step)
        return step

    def hear(self, times: int = 1) -> Step:
        """Take steps in hearing; return the last."""
        return [self.step(self._hearing) for _ in range(times)][-1]

    def tell(self) -> Step:
        """Take steps in telling, until there is a pause."""
        while not isinstance(step := self.step(self._telling), Pause):
            pass
        return step

    def note(self, *revocations: Revocation) -> None:
        """Learn of something at first hand."""
        for each in revocations:
            assert self.revocations.add(each, now=self.time.monotonic, wall=self.time.wall)
            self.feed.note(each)

    @property
    def known(self) -> set[str]:
        """Who is revoked, as far as this worker knows."""
        return {each.value for each in self.revocations.all()}


def test_what_one_tells_the_others_hear() -> None:
    """A revocation goes to the log, and from there to every worker, once."""
    log = SharedLog()
    first, second = Worker(log), Worker(log)
    first.note(revocation())
    assert first.tell() == Pause(UNCONFIRMED, wakeable=True)
    second.hear(2)
    first.hear(2)
    assert second.known == {"alice"}
    assert (len(first.feed.outbox), len(second.feed.outbox), len(log.entries)) == (0, 0, 1)
    assert first.tell() == Pause(float("inf"), wakeable=True)


def test_how_long_it_was_under_way() -> None:
    """A worker that listens is told how old news is: from the moment at which another one has learnt of it."""
    log = SharedLog()
    first, second = Worker(log), Worker(log)
    second.hear()
    first.note(revocation())
    for worker in (first, second):
        worker.time.advance(2.5)
    first.tell()
    second.hear()
    second.hear()
    first.hear(2)
    assert (first.lags, second.lags) == ([], [2.5])


def test_a_clock_that_is_ahead_makes_no_news_of_tomorrow() -> None:
    """Where the other worker's clock is ahead, what it tells was under way for no time at all."""
    log = SharedLog()
    first, second = Worker(log), Worker(log)
    second.hear()
    first.time.advance(7.0)
    first.note(revocation())
    first.tell()
    second.hear(2)
    assert second.lags == [0.0]


def test_what_was_there_before_is_no_late_news() -> None:
    """A worker that starts reads what is there, which was under way to nobody."""
    log = SharedLog()
    first, late = Worker(log), Worker(log)
    first.note(revocation())
    first.tell()
    late.time.advance(600.0)
    late.hear(2)
    assert (late.known, late.lags) == ({"alice"}, [])


def test_a_message_that_does_not_say_how_old_it_is() -> None:
    """A revocation without the moment at which somebody learnt of it is heard all the same."""
    log = SharedLog()
    worker = Worker(log)
    worker.hear()
    log.entries.append((next(log.number), worker.vault.seal(revocation().members(), name=worker.feed.stream)))
    worker.hear(2)
    assert (worker.known, worker.lags) == ({"alice"}, [])


def test_who_comes_late_reads_from_the_beginning() -> None:
    """A worker that starts later hears everything, and then waits for what is new."""
    log = SharedLog()
    first, late = Worker(log), Worker(log)
    first.note(*(revocation(str(number)) for number in range(BATCH + 5)))
    first.tell()
    assert late.hear() == Read(BEGINNING, 0.0)
    assert late.hear() == Read(b"%d-0" % BATCH, 0.0)
    assert late.reached_the_end == 0
    assert late.hear() == Read(b"%d-0" % (BATCH + 5), LISTEN_FOR)
    assert late.reached_the_end == 1
    assert len(late.known) == BATCH + 5


def test_nothing_is_lost_in_an_outage() -> None:
    """What is revoked while the store is down is told when it is back; what was told meanwhile is heard."""
    log = SharedLog()
    first, second = Worker(log), Worker(log)
    first.hear(2)
    second.hear(2)
    log.is_up = False
    first.note(revocation())
    first.hear(2)
    assert first.tell() == Pause(FIRST_WAIT / 2)
    assert first.feed.status == (False, first.time.monotonic, "connect", 1)
    log.is_up = True
    first.tell()
    second.hear(2)
    assert second.known == {"alice"}


def test_attempts_are_spaced_and_frequent() -> None:
    """Attempts at a log that is down come ever less often, and at least so often that it is back within a second."""
    log = SharedLog(is_up=False)
    worker = Worker(log, chance=1.0)
    steps = [worker.hear() for _ in range(40)]
    pauses = [step.seconds for step in steps if isinstance(step, Pause)]
    assert pauses[0] == FIRST_WAIT
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_WAIT <= 0.5
    assert all(step.wait == 0.0 for step in steps if isinstance(step, Read))


def test_an_outage_is_reported_once() -> None:
    """Its beginning and its end are told, with the cause, whichever direction met it; its middle is not."""
    log = SharedLog()
    worker = Worker(log)
    worker.hear(2)
    log.is_up = False
    worker.note(revocation())
    worker.hear(4)
    worker.tell()
    worker.tell()
    log.is_up = True
    worker.hear(3)
    assert worker.reports == ["connect"]
    worker.tell()
    assert worker.reports == ["connect", None]


def test_an_outage_ends_the_wait_for_the_end() -> None:
    """Where nothing can be heard, nobody waits until everything has been."""
    worker = Worker(SharedLog(is_up=False))
    worker.hear(2)
    assert worker.reached_the_end == 1
    assert worker.feed.status.connected is False


def test_not_connected_before_the_first_answer() -> None:
    """Before anything was heard there is no connection to speak of, and no fault."""
    status = Worker(SharedLog()).feed.status
    assert (status.connected, status.cause, status.waiting) == (False, None, 0)


def test_a_log_that_vanished_is_written_again() -> None:
    """What the workers remember goes back into a log that is empty, so that who comes later hears it."""
    log = SharedLog()
    first, second, late = Worker(log), Worker(log), Worker(log)
    first.note(revocation(), revocation("bob"))
    first.tell()
    first.hear(2)
    second.hear(2)
    log.entries.clear()
    first.hear(3)
    second.hear(3)
    assert first.tell() == Pause(UNCONFIRMED, wakeable=True)
    assert len(log.entries) == 2
    second.hear(2)
    assert second.tell() == Pause(float("inf"), wakeable=True)
    late.hear(2)
    assert late.known == {"alice", "bob"}
    assert len(log.entries) == 2


def test_what_is_new_in_a_vanished_log_is_not_overlooked() -> None:
    """Entries with places before the one we know are read too: the log is read from its beginning."""
    log = SharedLog()
    first, other = Worker(log), Worker(log)
    first.note(revocation(), revocation("carol"))
    first.tell()
    first.hear(2)
    log.entries, log.number = [], count(1)
    other.note(revocation("bob"))
    other.tell()
    first.hear(3)
    assert first.known == {"alice", "bob", "carol"}


def test_those_that_are_over_are_not_written_again() -> None:
    """A vanished log gets only what still matters."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(revocation(memory=10.0))
    worker.tell()
    worker.hear(2)
    log.entries.clear()
    worker.time.advance(20)
    worker.hear(3)
    worker.tell()
    assert log.entries == []


def test_the_workers_spread_what_they_write_again() -> None:
    """Each begins at another moment and another place, and leaves out what it hears from the others until then."""
    log = SharedLog()
    worker = Worker(log, chance=0.5)
    worker.note(*(revocation(name) for name in "abcd"))
    worker.tell()
    worker.hear(2)
    log.entries.clear()
    worker.hear(3)
    assert worker.tell() == Pause(SPREAD / 2, wakeable=True)
    worker.time.advance(SPREAD / 2)
    assert [known.value for known in worker.feed.outbox.take(worker.time.monotonic)] == list("cdab")


def test_what_was_confirmed_and_lost_is_told_again() -> None:
    """What the store said it has, and nobody could read, is written again: at once after an outage, else soon."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(revocation())
    worker.tell()
    log.entries.clear()
    worker.tell()
    assert log.entries == []
    worker.time.advance(UNCONFIRMED)
    worker.tell()
    assert len(log.entries) == 1
    log.entries.clear()
    log.is_up = False
    worker.hear(2)
    log.is_up = True
    worker.hear(2)
    worker.tell()
    assert len(log.entries) == 1


def test_old_news_confirms_nothing_newer() -> None:
    """An entry that says less than we know is not what we have to tell."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(revocation(memory=10.0))
    worker.tell()
    worker.note(revocation(memory=20.0))
    worker.hear(2)
    assert len(worker.feed.outbox) == 1


def test_what_is_forgotten_need_not_be_told() -> None:
    """What is not remembered any more leaves the outbox, and confirms itself."""
    log = SharedLog()
    worker = Worker(log, size=1)
    worker.note(revocation(), revocation("bob"))
    worker.tell()
    assert len(log.entries) == 1
    assert len(worker.feed.outbox) == 1
    Outbox(Revocations()).confirm(revocation())


@pytest.mark.attack("A-C-13")
def test_what_is_not_ours_is_nothing() -> None:
    """Garbage, another secret's entries, entries from another place and other contents are passed over."""
    log = SharedLog()
    other = Worker(log, secret=b"o" * 32)
    other.note(revocation("mallory"))
    other.tell()
    worker = Worker(log)
    vault = Vault(b"s" * 32, ("issuer",))
    stream = worker.feed.stream
    sealed = vault.seal(revocation("moved").members(), name=b"elsewhere")
    odd = vault.seal({"kind": "sub"}, name=stream)
    log.entries += [(7, b""), (8, b"garbage"), (9, sealed), (10, odd)]
    worker.note(revocation())
    worker.tell()
    reader = Worker(log)
    reader.hear(2)
    assert reader.known == {"alice"}


@pytest.mark.attack("A-C-13")
def test_replayed_entries_say_nothing_new() -> None:
    """Whoever writes an old entry again brings back nothing that is over, and takes nothing back."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(revocation(memory=10.0))
    worker.tell()
    log.entries *= 2
    log.entries[1] = (2, log.entries[1][1])
    late = Worker(log)
    late.time.advance(20)
    late.hear(2)
    assert late.known == set()


def test_flushed_in_one_go() -> None:
    """At the end everything untold is told at once, due or not; where that fails it ends."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(*(revocation(str(number)) for number in range(BATCH + 1)))
    steps = worker.feed.flush()
    assert [len(step.values) for step in (worker.step(steps) for _ in range(2)) if isinstance(step, Append)] == [
        BATCH,
        1,
    ]
    with pytest.raises(StopIteration):
        worker.step(steps)
    assert len(log.entries) == BATCH + 1
    log.is_up = False
    failing = worker.feed.flush()
    assert isinstance(worker.step(failing), Append)
    with pytest.raises(StopIteration):
        worker.step(failing)


def test_names_are_not_shown() -> None:
    """Neither entries nor values are in what is logged of a step."""
    assert "canary" not in repr(Page(((b"1-0", b"canary"),)))
    assert "canary" not in repr(Append((b"canary",), 1.0))


def test_all_versions_meet_in_one_log() -> None:
    """The log of all workers of a server has one name."""
    assert Worker(SharedLog()).feed.stream == Vault(b"s" * 32, ("issuer",)).name("revocations", "")


def test_attempts_double() -> None:
    """The wait doubles from attempt to attempt, in hearing and in telling, and starts anew after an answer."""
    expected = [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, LONGEST_WAIT]
    log = SharedLog(is_up=False)
    worker = Worker(log, chance=1.0)
    worker.note(revocation())
    heard = [step.seconds for step in (worker.hear() for _ in range(8)) if isinstance(step, Pause)]
    told = [step.seconds for step in (worker.tell() for _ in range(4)) if isinstance(step, Pause)]
    assert (heard, told) == (expected, expected)
    log.is_up = True
    worker.hear()
    worker.tell()
    log.is_up = False
    worker.hear()
    worker.note(revocation("bob"))
    assert worker.hear() == Pause(FIRST_WAIT)
    assert worker.tell() == Pause(FIRST_WAIT)


def test_only_what_a_vanished_log_lacks_is_told_again() -> None:
    """It is read from its beginning at once, and what is found there is not written a second time."""
    log = SharedLog()
    first, second = Worker(log), Worker(log)
    first.note(revocation(), revocation("bob"))
    first.tell()
    second.hear(2)
    del log.entries[1]
    assert second.hear(2) == Read(BEGINNING, 0.0)
    second.hear()
    assert [known.value for known in second.feed.outbox.take(second.time.monotonic)] == ["bob"]


def test_what_ends_this_moment_is_not_told_again() -> None:
    """What is over when a log has vanished does not wait to be written."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(revocation(memory=10.0))
    worker.tell()
    worker.hear(2)
    log.entries.clear()
    worker.time.advance(10)
    worker.hear(3)
    assert len(worker.feed.outbox) == 0


def test_an_answer_as_usual_hurries_nothing() -> None:
    """Only after an outage is what was not confirmed written again at once."""
    log = SharedLog()
    worker = Worker(log)
    worker.note(revocation())
    worker.tell()
    log.entries.clear()
    worker.hear(3)
    worker.tell()
    assert log.entries == []
