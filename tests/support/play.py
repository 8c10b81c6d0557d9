"""Play the network by hand: a flow asks, a script answers, and time stands still unless it is moved.

A script is a list of ``(endpoint, answer)``. Each question must be the next one of the script, and a script must be
used up: a flow that asks more, less or something else than a test says fails that test.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from resource_server import Clock, Event, Principal, Requirement, ResourceServer
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._validation.admit import admit
from resource_server._validation.flow import AddOnce, Join, Recall, Release, Remember, Sleep
from resource_server._validation.state import IssuerState
from resource_server._validation.validate import Presented, validate
from resource_server._validation.verdict import Verdict
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, SigningKey, encoded, jwks
from tests.support.told import noting

INTROSPECTION = "https://as.example.com/introspect"
JWKS = "https://as.example.com/jwks"
SECRET = "canary-client-secret-of-32-bytes-or-more"
OPTIONS: dict[str, Any] = {
    "issuer": ISSUER,
    "audience": AUDIENCE,
    "client_id": "rs",
    "client_secret": SECRET,
    "introspection_endpoint": INTROSPECTION,
    "jwks_uri": JWKS,
    "retries": 0,
}
"""A complete configuration, so that no metadata has to be asked for; and nothing is asked twice."""


def options(**changes: Any) -> dict[str, Any]:
    """Return ``OPTIONS``, changed as asked; ``REMOVED`` takes one away."""
    return {name: value for name, value in (OPTIONS | changes).items() if value is not REMOVED}


Answer = HTTPResponse | Unavailable
Script = list[tuple[str, Answer]]

REFUSED = Unavailable("connect")
TIMEOUT = Unavailable("timeout")


@dataclass
class Time:
    """Two clocks that stand still."""

    wall: float = NOW
    monotonic: float = 1_000.0

    @property
    def clock(self) -> Clock:
        """The clocks as the product reads them."""
        return Clock(lambda: self.wall, lambda: self.monotonic, lambda: 0.0)

    def advance(self, seconds: float) -> None:
        """Let time pass, as both clocks see it."""
        self.wall += seconds
        self.monotonic += seconds


@dataclass
class Player:
    """Answers one flow's questions from a script, and keeps them."""

    script: Script
    requests: list[HTTPRequest] = field(default_factory=list[HTTPRequest])
    background: list[Hashable] = field(default_factory=list[Hashable])
    """The keys of what was started and not waited for; it is not run."""
    naps: list[float] = field(default_factory=list[float])
    """The seconds of each nap; there is always time for it, unless ``patient`` says otherwise."""
    patient: bool = True
    shared: list[Recall | AddOnce | Remember | Release] = field(
        default_factory=list[Recall | AddOnce | Remember | Release]
    )
    """What the store was asked; it says nothing, as where there is none."""

    def run(self, flow: Generator[Any, Any, Any]) -> Any:
        """Run a flow to its end; a shared flow is run where it is joined."""
        outcome: Any = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as done:
                return done.value
            outcome = self._perform(effect)

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Join):
            return self._join(effect)
        if isinstance(effect, Sleep):
            self.naps.append(effect.seconds)
            return self.patient
        if isinstance(effect, Recall | AddOnce | Remember | Release):
            self.shared.append(effect)
            return None
        return self._answer(effect)

    def _join(self, effect: Join) -> Any:
        if effect.wait:
            return self.run(effect.flow())
        self.background.append(effect.key)
        return None

    def _answer(self, request: HTTPRequest) -> Answer:
        self.requests.append(request)
        assert self.script, f"an unexpected question to {request.endpoint}"
        endpoint, answer = self.script.pop(0)
        assert request.endpoint == endpoint
        return answer


def play(flow: Generator[Any, Any, Any], *script: tuple[str, Answer]) -> Any:
    """Run a flow against a script, and return its result."""
    player = Player(list(script))
    result = player.run(flow)
    assert player.script == [], "not everything was asked that should have been"
    return result


def answer(document: Any, *, status: int = 200, content_type: str = "application/json", **headers: str) -> HTTPResponse:
    """Make an answer out of a JSON value, or of bytes as they stand; ``_`` in a header's name stands for ``-``."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HTTPResponse(status, (("content-type", content_type), *named), encoded(document))


def active_members(**changes: Any) -> dict[str, Any]:
    """Write an introspection answer that says yes, with members changed, added, or taken away by ``REMOVED``."""
    members = {
        "active": True,
        "sub": "subject-1",
        "client_id": "client-1",
        "scope": "read write",
        "aud": AUDIENCE,
        "exp": int(NOW) + 3600,
    }
    return {name: value for name, value in (members | changes).items() if value is not REMOVED}


def yes(**changes: Any) -> HTTPResponse:
    """Answer an introspection with yes."""
    return answer(active_members(**changes))


def no() -> HTTPResponse:
    """Answer an introspection with no."""
    return answer({"active": False})


def key_set(*keys: SigningKey) -> HTTPResponse:
    """Answer with a JWK Set."""
    return answer(jwks(*keys))


def unsupported() -> HTTPResponse:
    """Answer an introspection as a server does that wants its JWTs verified locally."""
    return answer({"error": "unsupported_token_type"}, status=400)


class World:
    """One resource server in a world without a network.

    Args:
        changes: the server's options, beyond or in place of ``OPTIONS``; ``REMOVED`` takes one away.
    """

    def __init__(self, **changes: Any) -> None:
        """Begin with nothing known."""
        self.time = Time()
        self.events: list[Event] = []
        self.server = ResourceServer(clock=self.time.clock, observer=noting(self.events), **options(**changes))
        self.background: list[Hashable] = []
        self.requests: list[HTTPRequest] = []

    @property
    def state(self) -> IssuerState:
        """What the server knows about its issuer."""
        return self.server._core.state

    def play(self, flow: Generator[Any, Any, Any], *script: tuple[str, Answer]) -> Any:
        """Run a flow against a script, keeping its questions for a look."""
        player = Player(list(script))
        result = player.run(flow)
        assert player.script == [], "not everything was asked that should have been"
        self.background, self.requests = player.background, player.requests
        return result

    def validate(self, token: str, *script: tuple[str, Answer]) -> Verdict:
        """Find out about a token that is not in the cache."""
        presented = Presented(digest(token), token.encode())
        verdict: Verdict = self.play(validate(self.state, presented), *script)
        return verdict

    def cached(self, token: str) -> Verdict | None:
        """Look a token up."""
        return self.state.cache.get(digest(token), self.time.monotonic)

    def admit(self, verdict: Verdict, requirement: Requirement | None = None) -> Principal:
        """Admit a verdict at this moment."""
        settings = self.server.settings
        return admit(
            verdict,
            requirement or Requirement(),
            now=self.time.wall,
            leeway=settings.leeway,
            unavailable_status=settings.unavailable_status,
        )


def digest(token: str) -> bytes:
    """Name a token as the cache does."""
    return sha256(token.encode()).digest()
