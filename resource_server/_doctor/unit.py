"""One authorization server as the service meets it: the same options, parsers, credentials and connections."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from resource_server._core import Core
from resource_server._doctor.reach import Place, Reached, Unreached, place_of, reach
from resource_server._protocol.plain import spellings, token_parts
from resource_server._protocol.sample import Sample
from resource_server._runtime.drive import Driver
from resource_server._runtime.recording import Record, RecordingExchange
from resource_server._runtime.tls import tls_context
from resource_server._validation.flow import Flow
from resource_server._validation.state import Clock, IssuerState

if TYPE_CHECKING:
    from resource_server.settings import Settings

T = TypeVar("T")


class Unit:
    """One authorization server, with nothing known of it yet.

    Args:
        settings: the options.
        clock: what time it is.
        patience: seconds for each question.
    """

    def __init__(self, settings: Settings, clock: Clock, patience: float) -> None:
        """Ask nothing yet."""
        self.settings = settings
        self.clock = clock
        self.patience = patience
        self.core = Core(settings, clock=clock, observer=_silent, refresh=_never)
        self._exchange = RecordingExchange(
            clock.wall,
            timeout=patience,
            attempt_timeout=min(patience, settings.attempt_timeout),
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

    @property
    def introspects(self) -> bool:
        """Whether the service introspects tokens."""
        return self.settings.strategy != "jwks"

    @property
    def verifies(self) -> bool:
        """Whether the service verifies signatures."""
        return self.state.policy.needs_keys

    async def run(self, flow: Callable[[], Flow[T]]) -> T:
        """Carry out one of the service's own flows."""
        return await self._driver.share(object(), flow)

    async def reach(self, place: Place) -> Reached | Unreached:
        """Connect to a server as the service would."""
        return await reach(place, self._context() if place.tls else None, self.patience)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._driver.aclose()

    def endpoint(self, name: str) -> str | None:
        """Return the URL of an endpoint, as far as it is known."""
        configured: str | None = getattr(self.state.policy, name)
        metadata = self.state.metadata
        if configured is not None or metadata is None:
            return configured
        return metadata.endpoint(name, shows_certificate=self.state.policy.shows_certificate)

    def places(self) -> tuple[Place, ...]:
        """Return where the servers are that the service would ask, each once."""
        names = [
            name for name, used in (("introspection_endpoint", self.introspects), ("jwks_uri", self.verifies)) if used
        ]
        urls = [url for url in map(self.endpoint, names) if url is not None]
        return tuple(dict.fromkeys(map(place_of, urls)))

    def _context(self) -> ssl.SSLContext:
        settings = self.settings
        ca_file = None if settings.ca_file is None else str(settings.ca_file)
        return tls_context(ca_file, settings.certificate_files, trust_env=settings.trust_env)


def secrets_of(settings: Settings | None, sample: Sample | None) -> Iterator[str]:
    """Name everything secret that an answer might repeat.

    Args:
        settings: the options, where they are acceptable.
        sample: a token to look at.
    """
    if settings is not None:
        options = (settings.client_secret, settings.bearer_token, settings.cache_secret, settings.cache_url)
        for option in options:
            if option is not None:
                yield from spellings(option.get_secret_value(), settings.client_id or "")
    if sample is not None:
        yield from token_parts(sample.value)


def _silent(_: object) -> None:
    """Let an event pass: what was found is told otherwise."""


def _never(_key: bytes, _flow: object) -> None:
    """Renew nothing ahead of its end."""
