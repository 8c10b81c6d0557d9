"""Both kinds of store behind one face, so that each rule is tested on both."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import Recall, Recalled, StoreCall
from resource_server.stores.valkey import BlockingValkeyStore, ValkeyStore
from tests.support.play import Time

Kind = Literal["tasks", "threads"]
KINDS: tuple[Kind, ...] = ("tasks", "threads")
PATIENT = 10.0
"""Seconds for a call that is to be answered, on however slow a machine."""
SHORT = 0.05
"""Seconds for a call that is not."""
BOUND = 10.0
"""Seconds within which everything that is waited for happens."""


@dataclass
class Subject:
    """A store, what it has reported, and the clock it reads."""

    store: Any
    kind: Kind
    time: Time
    reports: list[str | None] = field(default_factory=list[str | None])

    @property
    def status(self) -> BreakerStatus:
        """What the store says of itself."""
        status: BreakerStatus = self.store.status
        return status

    async def perform(self, call: StoreCall) -> Recalled | bool | None:
        """Carry out a call."""
        answer: Recalled | bool | None
        if self.kind == "tasks":
            answer = await self.store.perform(call)
        else:
            answer = await anyio.to_thread.run_sync(self.store.perform, call)
        return answer

    async def perform_anew(self, call: StoreCall) -> Recalled | bool | None:
        """Carry out a call after a while in which the breaker has closed."""
        self.time.advance(1.0)
        return await self.perform(call)

    async def recover(self, name: bytes) -> None:
        """Ask until there is an answer."""
        until = time.monotonic() + BOUND
        while await self.perform_anew(Recall(name, 0.001)) is None:
            assert time.monotonic() < until, "the store does not come back"

    async def close(self) -> None:
        """Close the store."""
        if self.kind == "tasks":
            await self.store.aclose()
        else:
            self.store.close()


@asynccontextmanager
async def subject(kind: Kind, url: str, *, timeout: float = PATIENT) -> AsyncGenerator[Subject]:  # noqa: ASYNC109 - the store's own
    """Open a store of one kind."""
    moment, reports = Time(), list[str | None]()
    made = ValkeyStore if kind == "tasks" else BlockingValkeyStore
    store = made(url, timeout=timeout, clock=moment.clock, report=reports.append)
    opened = Subject(store, kind, moment, reports)
    try:
        yield opened
    finally:
        await opened.close()
