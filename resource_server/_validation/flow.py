"""The contract between what must ask and what can ask.

A flow is a generator. It yields an effect and is resumed with the outcome, until it returns its result::

    HTTPRequest     ->  HTTPResponse, or Unavailable when none came in time
    Join(...)       ->  the result of the flow it names, or Unavailable when that took too long
    Sleep(seconds)  ->  True afterwards; False at once, where the flow's deadline would come first
    Recall(...)     ->  Recalled, or None where the store says nothing: there is none, or it is down or slow
    AddOnce(...)    ->  True for whoever comes first, False for everybody after; None where the store says nothing
    Remember(...)   ->  None at once: the store is told in the background
    Release(...)    ->  None at once, as above

Flows have no clock, no socket and no lock of their own, and never see an exception from the network: a failure is a
value. So "introspect, else verify against the key set" reads top to bottom, once, for tasks and for threads, and a
test can play the network by hand with ``flow.send(response)``.

``Join`` runs a flow that many may want at once (one introspection per token, one fetch per key set). Whoever comes
first starts it, everybody waits for the same result, and nobody's impatience or cancellation ends it for the others.
With ``wait=False`` it is started and left alone, and the outcome is ``None``. Its key names the issuer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Join:
    """Run a flow that is shared under a key."""

    key: Hashable
    flow: Callable[[], Generator[Effect, Any, Any]]
    wait: bool = True


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait, unless there is no time for it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Recall:
    """Look something up in the store that all workers share; where it is absent, claim the work of finding it out."""

    name: bytes
    claim_for: float
    """Seconds for which nobody else is given the claim."""
    min_ttl: float = 0.0
    """Seconds a value must still have to live, or it counts as absent."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the store says: a value, or who is to find it out."""

    value: bytes | None = field(default=None, repr=False)
    ttl: float = 0.0
    """Seconds for which the store will still keep the value, by its own clock."""
    claimed: bool = False
    """The claim is ours. Without it, and without a value, somebody else is finding it out."""


@dataclass(frozen=True, slots=True)
class AddOnce:
    """Add a name to the store unless it is there: how a replay is noticed by all workers together."""

    name: bytes
    ttl: float


@dataclass(frozen=True, slots=True)
class Remember:
    """Put a value into the store; whoever waits for the claim on it may have it.

    Without the claim it takes the place of nothing: what is there by now is newer.
    """

    name: bytes
    value: bytes = field(repr=False)
    ttl: float
    replace: bool = False
    """It takes the place of whatever is there, and ends whoever's claim."""


@dataclass(frozen=True, slots=True)
class Release:
    """Give back a claim that came to nothing."""

    name: bytes


StoreCall = Recall | AddOnce | Remember | Release
Effect = HTTPRequest | Join | Sleep | StoreCall
Flow = Generator[Effect, Any, T]


def send(request: HTTPRequest) -> Flow[HTTPResponse | Unavailable]:
    """Send a request, once."""
    return cast("HTTPResponse | Unavailable", (yield request))


def sleep(seconds: float) -> Flow[bool]:
    """Wait, and tell whether there was time for it."""
    return cast("bool", (yield Sleep(seconds)))


def recall(name: bytes, claim_for: float, min_ttl: float = 0.0) -> Flow[Recalled | None]:
    """Look something up in the shared store."""
    return cast("Recalled | None", (yield Recall(name, claim_for, min_ttl)))


def join(key: Hashable, flow: Callable[[], Flow[T]]) -> Flow[T | Unavailable]:
    """Wait for a shared flow."""
    return cast("T | Unavailable", (yield Join(key, flow)))


def begin(key: Hashable, flow: Callable[[], Flow[Any]]) -> Flow[None]:
    """Start a shared flow and do not wait for it."""
    yield Join(key, flow, wait=False)
