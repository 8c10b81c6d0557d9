"""Ask an application which authorization server an issuer stands for: once for everybody who wants to know.

The application's answer is bounded in time, and whatever it raises is an outage: it has said nothing of the issuer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

from resource_server._protocol.messages import Unavailable
from resource_server._runtime.flights import Flights
from resource_server._runtime.thread_flights import ThreadFlights, TooLate

T = TypeVar("T")
_LOGGER = logging.getLogger("resource_server")
_FAILED = Unavailable("resolver_failed")


class Resolving:
    """Asks a resolver, in any event loop.

    Args:
        timeout: returns the seconds that it may take, as they are in force.
    """

    def __init__(self, timeout: Callable[[], float]) -> None:
        """Start with nothing asked."""
        self._timeout = timeout
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, Flights] = WeakKeyDictionary()

    async def ask(self, issuer: str, resolve: Callable[[str], object], settle: Callable[[object], T]) -> T:
        """Ask about an issuer, or wait for the answer that somebody else asks for.

        Args:
            issuer: whom to ask about.
            resolve: the application's function.
            settle: makes of the answer what everybody gets.
        """
        flights = self._flights.setdefault(asyncio.get_running_loop(), Flights())
        if not flights.has(issuer):
            flights.start(issuer, self._answer(issuer, resolve, settle))
        found: T = await flights.wait(issuer)
        return found

    async def aclose(self) -> None:
        """Stop asking in this event loop."""
        flights = self._flights.pop(asyncio.get_running_loop(), None)
        if flights is not None:
            await flights.aclose()

    async def _answer(self, issuer: str, resolve: Callable[[str], object], settle: Callable[[object], T]) -> T:
        found: object
        time_left = asyncio.timeout(self._timeout())
        try:
            async with time_left:
                found = await cast("Awaitable[object]", resolve(issuer))
        except Exception as error:  # noqa: BLE001 - the edge: the resolver is the application's code
            found = Unavailable("timeout") if time_left.expired() else _failed(error)
        return settle(found)


class ThreadResolving:
    """Asks a resolver, from any thread.

    Args:
        timeout: returns the seconds that others wait for its answer; whoever asks waits until it comes.
    """

    def __init__(self, timeout: Callable[[], float]) -> None:
        """Start with nothing asked."""
        self._timeout = timeout
        self._flights = ThreadFlights(timeout())

    def ask(self, issuer: str, resolve: Callable[[str], object], settle: Callable[[object], T]) -> T | Unavailable:
        """Ask about an issuer, or wait for the answer that another thread asks for.

        Args:
            issuer: whom to ask about.
            resolve: the application's function.
            settle: makes of the answer what everybody gets.
        """
        until = time.monotonic() + self._timeout()
        found: T | TooLate = self._flights.share(issuer, lambda _: settle(_answer(issuer, resolve)), until)
        return Unavailable("timeout") if isinstance(found, TooLate) else found


def _answer(issuer: str, resolve: Callable[[str], object]) -> object:
    try:
        return resolve(issuer)
    except Exception as error:  # noqa: BLE001 - the edge: the resolver is the application's code
        return _failed(error)


def _failed(error: Exception) -> Unavailable:
    _LOGGER.error("resolver_failed error=%s", type(error).__name__)  # not its text, which may hold data
    return _FAILED
