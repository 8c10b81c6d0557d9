"""Ask as the service does, and keep what was said: for commands that explain what the service would meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.exchange import Exchange
from resource_server._runtime.tls import CertificateFiles


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One question, and what came of it."""

    request: HTTPRequest
    outcome: HTTPResponse | Unavailable
    asked_at: float
    """Seconds since the epoch."""
    answered_at: float
    """Seconds since the epoch."""

    @property
    def endpoint(self) -> str:
        """Which endpoint was asked."""
        return self.request.endpoint


@dataclass(slots=True)
class Record:
    """What was asked and answered, in order."""

    exchanges: list[Exchanged] = field(default_factory=list[Exchanged])

    def last(self, endpoint: str) -> Exchanged | None:
        """Return the last exchange with an endpoint."""
        return next((known for known in reversed(self.exchanges) if known.endpoint == endpoint), None)

    def answer(self, endpoint: str) -> HTTPResponse | None:
        """Return the last answer of an endpoint, where that was one."""
        known = self.last(endpoint)
        return known.outcome if known is not None and isinstance(known.outcome, HTTPResponse) else None


class RecordingExchange(Exchange):
    """An exchange that keeps what was said.

    Args:
        wall: the clock that dates it.
        timeout: as for an exchange.
        attempt_timeout: as above.
        ca_file: as above.
        certificate: as above.
        trust_env: as above.
    """

    def __init__(  # noqa: PLR0913 - each by name
        self,
        wall: Callable[[], float],
        *,
        timeout: float,
        attempt_timeout: float | None = None,
        ca_file: str | None = None,
        certificate: CertificateFiles | None = None,
        trust_env: bool = False,
    ) -> None:
        """Have asked nothing yet."""
        super().__init__(
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            ca_file=ca_file,
            certificate=certificate,
            trust_env=trust_env,
        )
        self._wall = wall
        self.record = Record()

    async def send(self, request: HTTPRequest, deadline: float) -> HTTPResponse | Unavailable:
        """Send a request, and keep it with its answer."""
        asked_at = self._wall()
        outcome = await super().send(request, deadline)
        self.record.exchanges.append(Exchanged(request, outcome, asked_at, self._wall()))
        return outcome
