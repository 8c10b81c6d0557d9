"""The contract between what must ask and what can ask.

A flow is a generator. It yields an effect and is resumed with the outcome, until it returns its result::

    HTTPRequest  ->  HTTPResponse, or Unavailable when none came in time
    Join(...)    ->  the result of the flow it names, or Unavailable when that took too long

Flows have no clock, no socket and no lock of their own, and never see an exception from the network: a failure is a
value. So "introspect, else verify against the key set" reads top to bottom, once, for tasks and for threads, and a
test can play the network by hand with ``flow.send(response)``.

``Join`` runs a flow that many may want at once (one introspection per token, one fetch per key set). Whoever comes
first starts it, everybody waits for the same result, and nobody's impatience or cancellation ends it for the others.
With ``wait=False`` it is started and left alone, and the outcome is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Join:
    """Run a flow that is shared under a key."""

    key: Hashable
    flow: Callable[[], Generator[Effect, Any, Any]]
    wait: bool = True


Effect = HTTPRequest | Join
Flow = Generator[Effect, Any, T]


def ask(request: HTTPRequest) -> Flow[HTTPResponse | Unavailable]:
    """Send a request."""
    return cast("HTTPResponse | Unavailable", (yield request))


def join(key: Hashable, flow: Callable[[], Flow[T]]) -> Flow[T | Unavailable]:
    """Wait for a shared flow."""
    return cast("T | Unavailable", (yield Join(key, flow)))


def begin(key: Hashable, flow: Callable[[], Flow[Any]]) -> Flow[None]:
    """Start a shared flow and do not wait for it."""
    yield Join(key, flow, wait=False)
