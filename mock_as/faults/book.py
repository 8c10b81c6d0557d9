"""When the authorization server misbehaves: the rules that tests set, and how far they have been carried out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mock_as.faults import ACTIONS, LATE, NETWORK, TLS, Scene
from mock_as.faults.plan import MATCHABLE, Incoming, Plan, Step, Wish, make_plan
from mock_as.journal import redact_headers
from mock_as.latches import Latch
from mock_as.messages import Answer

__all__ = ["MATCHABLE", "Fault", "FaultBook", "Happening", "Incoming", "Plan", "Wish", "make_plan"]


class Fault:
    """A plan, and how far it has been carried out.

    Args:
        fault_id: its name in the control plane.
        plan: what to do.
        since: when it was set, in seconds since the epoch.
    """

    def __init__(self, fault_id: str, plan: Plan, since: float) -> None:
        self.id = fault_id
        self.plan = plan
        self.since = since
        self.seen = 0
        """How many requests it could have happened to."""
        self.applied = 0
        """How often it has happened."""
        self.latch = Latch()
        """Holds the connections that the fault leaves hanging."""

    @property
    def exhausted(self) -> bool:
        """Whether it has happened as often as it was to."""
        return self.plan.limit is not None and self.applied >= self.plan.limit

    @property
    def left(self) -> bool:
        """Whether something that it was told to do has not happened."""
        return not self.exhausted if self.plan.limit is not None else self.applied == 0

    @property
    def concerns_handshakes(self) -> bool:
        """Whether what happens next happens before there is a request."""
        step = self.plan.step(self.applied)
        return step is not None and step.action in TLS

    def is_due(self, chance: Callable[[], float]) -> bool:
        """Count a request that it could happen to, and tell whether it does.

        Args:
            chance: returns a random number from 0 to 1, without 1.
        """
        plan, number = self.plan, self.seen - self.plan.after
        self.seen += 1
        return number >= 0 and number % plan.every == 0 and (plan.probability >= 1 or chance() < plan.probability)

    def happen(self) -> Happening | None:
        """Count that it happens; return what, unless it is nothing this time."""
        step, latch = self.plan.step(self.applied), self.latch
        # Whoever sees the count can release what is held: the latch has been taken by then.
        self.applied += 1
        return None if step is None else Happening(self.plan, step, self.applied, self.since, latch)

    def release(self) -> None:
        """Let the connections go on that the fault has left hanging; the next ones hang again."""
        held, self.latch = self.latch, Latch()
        held.open()

    def describe(self) -> dict[str, Any]:
        """Return what the control plane shows."""
        plan = self.plan
        left = None if plan.limit is None else plan.limit - self.applied
        match = dict(plan.match)
        if "token" in match:
            match["token"] = "***"  # noqa: S105 - in place of one
        if "header" in match:
            match["header"] = dict(redact_headers(tuple(match["header"].items())))
        facts = {"id": self.id, "endpoint": plan.endpoint, "action": plan.name, "status": plan.status}
        when = {"times": plan.times, "after": plan.after, "every": plan.every, "probability": plan.probability}
        return {**facts, **when, "headers": dict(plan.headers), "match": match, "applied": self.applied, "left": left}

    def __repr__(self) -> str:
        happened = f"{self.applied}" if self.plan.limit is None else f"{self.applied} of {self.plan.limit}"
        return f"Fault({self.plan.endpoint!r}, {self.plan.name!r}, applied={happened})"


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault as it happens to one request."""

    plan: Plan
    step: Step
    count: int
    """How often the fault has happened, this time included."""
    since: float
    """When the fault was set, in seconds since the epoch."""
    latch: Latch

    @property
    def name(self) -> str:
        """The action, as the journal has it."""
        return self.step.name

    @property
    def network(self) -> str | None:
        """The action, if it is the connection that fails and not the answer that is wrong."""
        return self.step.action if self.step.action in NETWORK else None

    @property
    def answers(self) -> bool:
        """Whether there is an answer already, however it gets to the client."""
        return self.network is None or self.network in LATE

    def spoil(self, answer: Answer, scene: Scene) -> Answer:
        """Return what is sent in the place of the honest answer.

        Args:
            answer: the honest one.
            scene: where and when.
        """
        plan, action = self.plan, self.step.action
        if action is not None:
            scene = replace(scene, argument=self.step.argument, count=self.count, since=self.since)
            answer = ACTIONS[action](answer, scene)
        return replace(
            answer.with_headers(plan.headers),
            status=answer.status if plan.status is None else plan.status,
            body=answer.body if plan.body is None else plan.body,
        )


class FaultBook:
    """The faults that are set, in the order in which they were: the first that concerns a request happens to it.

    Args:
        now: tells the time, in seconds since the epoch.
        fraction: returns a random number from 0 to 1, without 1.
    """

    def __init__(self, now: Callable[[], float], fraction: Callable[[], float]) -> None:
        self._now = now
        self._fraction = fraction
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def __bool__(self) -> bool:
        return bool(self._faults)

    def set(self, plan: Plan) -> Fault:
        """Set a fault.

        Args:
            plan: what is to happen.
        """
        with self._lock:
            fault = Fault(f"fault-{next(self._numbers)}", plan, self._now())
            self._faults.append(fault)
            return fault

    def take(self, incoming: Incoming) -> Happening | None:
        """Return the fault that happens to a request, and count it.

        Args:
            incoming: the request.
        """
        with self._lock:
            for fault in self._faults:
                if fault.exhausted or not fault.plan.concerns(incoming):
                    continue
                # Over a socket, a handshake has had its fault before there was a request.
                if not (incoming.over_socket and fault.concerns_handshakes) and fault.is_due(self._fraction):
                    return fault.happen()
        return None

    def take_handshake(self) -> str | None:
        """Return the fault that happens to a TLS handshake, and count it."""
        with self._lock:
            for fault in self._faults:
                if not fault.exhausted and fault.concerns_handshakes and fault.is_due(self._fraction):
                    happening = fault.happen()
                    return None if happening is None else happening.step.action
        return None

    def remove(self, fault_id: str) -> bool:
        """Take a fault back, and release what it holds.

        Args:
            fault_id: its name.

        Returns:
            Whether there was one.
        """
        with self._lock:
            gone = [fault for fault in self._faults if fault.id == fault_id]
            self._faults = [fault for fault in self._faults if fault.id != fault_id]
        for fault in gone:
            fault.release()
        return bool(gone)

    def clear(self) -> None:
        """Take every fault back, and release what they hold."""
        with self._lock:
            gone, self._faults = self._faults, []
        for fault in gone:
            fault.release()

    def dump(self) -> list[tuple[Fault, int, int]]:
        """Return the faults that are set, and how far each has been carried out."""
        with self._lock:
            return [(fault, fault.applied, fault.seen) for fault in self._faults]

    def load(self, dumped: list[tuple[Fault, int, int]]) -> None:
        """Go back to the faults that once were set; those set since are taken back."""
        kept = [fault for fault, _, _ in dumped]
        with self._lock:
            gone, self._faults = [fault for fault in self._faults if fault not in kept], kept
            for fault, applied, seen in dumped:
                fault.applied, fault.seen = applied, seen
        for fault in gone:
            fault.release()

    def reset(self) -> None:
        """Take every fault back, and count anew."""
        self.clear()
        self._numbers = itertools.count(1)
