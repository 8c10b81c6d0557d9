"""Ask an authorization server as the service would, with nothing known of it, and keep all that is said and told.

For commands that explain what the service meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from resource_server._core import Core
from resource_server._protocol.plain import spellings, token_parts
from resource_server._protocol.sample import Sample
from resource_server._runtime.drive import Driver
from resource_server._runtime.recording import Record, RecordingExchange
from resource_server._validation.flow import Flow
from resource_server._validation.state import Clock, IssuerState
from resource_server.events import Event

if TYPE_CHECKING:
    from resource_server.settings import Settings

T = TypeVar("T")


class Rehearsal:
    """One authorization server as the service meets it: the same options, parsers, credentials and connections.

    Args:
        settings: the options of one authorization server.
        clock: what time it is.
        patience: seconds for each question; by default the service's own.
    """

    def __init__(self, settings: Settings, clock: Clock, patience: float | None = None) -> None:
        """Ask nothing yet."""
        self.settings = settings
        self.clock = clock
        self.patience = patience or settings.timeout
        self.events: list[Event] = []
        self.core = Core(settings, clock=clock, observer=self.events.append, refresh=_never)
        self._exchange = RecordingExchange(
            clock.wall,
            timeout=self.patience,
            attempt_timeout=min(self.patience, settings.attempt_timeout),
            ca_file=None if settings.ca_file is None else str(settings.ca_file),
            certificate=settings.certificate_files,
            trust_env=settings.trust_env,
        )
        self._driver = Driver(self._exchange)

    @property
    def state(self) -> IssuerState:
        """What is known of the issuer."""
        return self.core.state

    @property
    def record(self) -> Record:
        """What was asked and answered."""
        return self._exchange.record

    async def run(self, flow: Callable[[], Flow[T]]) -> T:
        """Carry out one of the service's own flows."""
        return await self._driver.share(object(), flow)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._driver.aclose()


def secrets_of(settings: Settings | None, sample: Sample | None) -> Iterator[str]:
    """Name everything secret that an answer might repeat, whichever authorization server gives it.

    Args:
        settings: the options, where they are acceptable.
        sample: a token that is looked at.
    """
    for unit in () if settings is None else settings.units():
        for option in (unit.client_secret, unit.bearer_token, unit.cache_secret, unit.cache_url):
            if option is not None:
                yield from spellings(option.get_secret_value(), unit.client_id or "")
    if sample is not None:
        yield from token_parts(sample.value)


def _never(_key: bytes, _flow: object) -> None:
    """Renew nothing ahead of its end."""
