"""A judge that knows nothing yet, and keeps what it asks, what it is answered and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast

from resource_server._core import Core, Unknown
from resource_server._protocol.messages import RequestParts
from resource_server._protocol.plain import spellings, token_parts
from resource_server._protocol.sample import Sample
from resource_server._runtime.drive import Driver
from resource_server._runtime.recording import Record, RecordingExchange
from resource_server._validation.flow import Flow
from resource_server._validation.state import Clock, IssuerState
from resource_server._validation.verdict import Verdict
from resource_server.errors import BearerTokenError, VerificationUnavailable
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault, Event
from resource_server.principal import Principal
from resource_server.requirements import Requirement

if TYPE_CHECKING:
    from resource_server.settings import Settings

T = TypeVar("T")
Refusal = BearerTokenError | VerificationUnavailable


class Judge:
    """Judges requests with tokens of one issuer, as the service would that has these options.

    Args:
        settings: the options of one authorization server.
        clock: what time it is.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Ask nothing yet."""
        self.settings = settings
        self.clock = clock
        self.events: list[Event] = []
        self.verdict: Verdict | None = None
        """What was found out about the token, where it was looked at."""
        self.core = Core(settings, clock=clock, observer=self.events.append, refresh=_never)
        self._exchange = RecordingExchange(
            clock.wall,
            timeout=settings.timeout,
            attempt_timeout=settings.attempt_timeout,
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

    async def decide(self, request: RequestParts, requirement: Requirement) -> Principal | Refusal:
        """Judge a request.

        Args:
            request: with the token.
            requirement: what its route demands.
        """
        core = self.core
        try:
            unknown = cast("Unknown", core.begin(request, requirement))  # for nothing is known yet
            self.verdict = await self.run(lambda: core.find_out(unknown.presented))
            known = core.complete(unknown, self.verdict)
        except (BearerTokenError, VerificationUnavailable) as refusal:
            return refusal
        return known if isinstance(known, Principal) else known.principal

    def fault(self, endpoint: str) -> str | None:
        """Return why an endpoint gave no answer to rely on, where it gave none."""
        for event in self.events:
            if isinstance(event, AuthorizationServerUnavailable | ConfigurationFault) and event.endpoint == endpoint:
                return event.cause
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._driver.aclose()


def secrets_of(settings: Settings | None, sample: Sample) -> Iterator[str]:
    """Name everything secret that an answer might repeat.

    Args:
        settings: the options, where there are any.
        sample: what is inspected.
    """
    if settings is not None:
        for option in (settings.client_secret, settings.bearer_token):
            if option is not None:
                yield from spellings(option.get_secret_value(), settings.client_id or "")
    yield from token_parts(sample.value)


def _never(_key: bytes, _flow: object) -> None:
    """Renew nothing ahead of its end."""
