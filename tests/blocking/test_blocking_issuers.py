"""Several authorization servers, from threads."""

from __future__ import annotations

import threading
from typing import Any, cast

import httpx
import pytest

from resource_server import (
    AuthorizationServer,
    BlockingResourceServer,
    ConfigurationError,
    Event,
    InvalidToken,
    MissingToken,
    RequestParts,
    SecurityEventRefused,
)
from resource_server._protocol.bearer import Credential
from resource_server._thread_line import ThreadLine
from resource_server.events import AuthorizationServerUnavailable
from tests.support.blocking import BlockingGate, BlockingOrigin, run
from tests.support.jwt import signing_key
from tests.support.notices import logout_token
from tests.support.origin import publishes, says_yes
from tests.support.play import Time
from tests.support.stage import bearer
from tests.support.two import ONE, OTHER, SHARED, issued, unit

KEY, OTHER_KEY = signing_key("ES256"), signing_key("ES256", "other")


class ByHost(httpx.BaseTransport):
    """Sends each request to the authorization server of its host."""

    def __init__(self, origins: dict[str, BlockingOrigin]) -> None:
        """Know the hosts."""
        self.origins = origins

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on a request."""
        return self.origins[request.url.host].handle_request(request)


class Stage:
    """A resource server for threads, and two issuers.

    Args:
        servers: its authorization servers, or what finds them.
        options: its options.
    """

    def __init__(self, servers: Any, **options: Any) -> None:
        """Begin with nothing known."""
        self.one = BlockingOrigin(jwks=publishes(KEY), introspect=says_yes())
        self.other = BlockingOrigin(jwks=publishes(OTHER_KEY), introspect=says_yes(sub="subject-1"))
        self.time = Time()
        self.events: list[Event] = []
        said: dict[str, Any] = SHARED | options
        self.server = BlockingResourceServer(
            authorization_servers=servers,
            transport=ByHost({"one.example.com": self.one, "other.example.com": self.other}),
            clock=self.time.clock,
            observer=self.events.append,
            **said,
        )

    def subject(self, token: str) -> str | None:
        """Present a token, and return its subject."""
        return self.server.authenticate(bearer(token)).subject

    def refusal(self, token: str) -> str | None:
        """Present a token that is refused, and return the reason."""
        with pytest.raises(InvalidToken) as refused:
            self.subject(token)
        return refused.value.reason


LISTED = (unit(ONE), unit(OTHER, token_format="jwt"))


@pytest.mark.rfc("8725-3.8-a")
@pytest.mark.attack("A-K-5")
def test_each_token_goes_to_its_issuer() -> None:
    """A JWT goes to the issuer that it names, an opaque token to the one that takes such, and any other to nobody."""
    stage = Stage(LISTED)
    assert stage.subject("opaque") == "subject of opaque"
    assert stage.subject(issued(OTHER, OTHER_KEY)) == "subject-1"
    assert (stage.one.count("introspect"), stage.other.count("introspect")) == (1, 1)
    assert stage.refusal(issued("https://else.example.com", KEY)) == "wrong_issuer"
    assert (stage.one.count("introspect"), stage.other.count("introspect")) == (1, 1)
    assert repr(stage.server) == f"BlockingResourceServer(issuers=({ONE!r}, {OTHER!r}))"
    stage.server.close()


def test_a_slow_issuer_slows_nobody_else() -> None:
    """While one of them does not answer, the other does."""
    stage = Stage(LISTED, max_concurrent_calls=1)
    gate = stage.one.replies["introspect"] = BlockingGate(says_yes())
    waiting = run(lambda: stage.subject("opaque"))
    gate.arrived()
    assert stage.subject(issued(OTHER, OTHER_KEY)) == "subject-1"
    assert not waiting.done()
    gate.open()
    assert waiting.result(20) == "subject of opaque"
    stage.server.close()


def test_all_are_started_at_once() -> None:
    """One that hangs keeps no other from being ready."""
    stage = Stage(LISTED, strategy="jwks", timeout=0.3)
    gate = stage.one.replies["jwks"] = BlockingGate(publishes(KEY))
    with stage.server:
        assert stage.server._cores()[1].state.keys.usable(stage.time.monotonic, 60)
        gate.open()


def test_a_lease_asks_the_same_issuer() -> None:
    """A token behind a stream is validated again where it was validated first."""
    stage = Stage(LISTED)
    token = issued(OTHER, OTHER_KEY)
    principal = stage.server.authenticate(bearer(token))
    assert stage.server.revalidate(Credential("bearer", token.encode())).issuer == principal.issuer == OTHER
    stage.server.close()


def test_events_are_received_from_each() -> None:
    """A logout token counts at the issuer that it names."""
    stage = Stage(LISTED)
    assert stage.server.receive(logout_token(iss=ONE, key=KEY).encode()) == 1
    assert [len(core.state.revocations) for core in stage.server._cores()] == [1, 0]
    with pytest.raises(SecurityEventRefused):
        stage.server.receive(logout_token(iss="https://else.example.com", key=KEY).encode())
    stage.server.close()


class Tenants:
    """The application's table of issuers, and what it was asked."""

    def __init__(self, *issuers: str) -> None:
        """Trust some issuers."""
        self.known: dict[str, Any] = {issuer: unit(issuer, strategy="jwks") for issuer in issuers}
        self.asked: list[str] = []
        self.entered, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, issuer: str) -> AuthorizationServer | None:
        """Look an issuer up; what is noted as an exception is raised."""
        self.asked.append(issuer)
        self.entered.set()
        self.gate.wait(20)
        found = self.known.get(issuer)
        if isinstance(found, Exception):
            raise found
        return cast("AuthorizationServer | None", found)


def test_asked_once_about_an_issuer() -> None:
    """The first token of an issuer has it resolved; whoever comes meanwhile waits for the same answer."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    tenants.gate.clear()
    first = run(lambda: stage.subject(issued(ONE, KEY)))
    assert tenants.entered.wait(20)
    others = [run(lambda: stage.subject(issued(ONE, KEY))) for _ in range(3)]
    tenants.gate.set()
    assert {waiting.result(20) for waiting in (first, *others)} == {"subject-1"}
    assert tenants.asked == [ONE]
    assert stage.refusal(issued(OTHER, OTHER_KEY)) == "wrong_issuer"
    stage.server.close()


def test_an_outage_of_the_resolver() -> None:
    """What the application raises is an outage, and is not remembered."""
    tenants = Tenants()
    tenants.known[ONE] = OSError("canary")
    stage = Stage(tenants)
    assert stage.refusal(issued(ONE, KEY)) == "unavailable"
    assert stage.events[0] == AuthorizationServerUnavailable("resolver", "resolver_failed", None, "")
    tenants.known[ONE] = unit(ONE, strategy="jwks")
    assert stage.server.receive(logout_token(iss=ONE, key=KEY).encode()) == 1
    stage.server.close()


def test_who_waits_for_another_waits_only_so_long() -> None:
    """Whoever asks the application waits until it answers; the others no longer than ``timeout``."""
    tenants = Tenants()
    tenants.known[ONE] = unit(ONE, strategy="jwks", timeout=20.0)  # its keys may take their time
    stage = Stage(tenants, timeout=0.05)
    tenants.gate.clear()
    first = run(lambda: stage.subject(issued(ONE, KEY)))
    assert tenants.entered.wait(20)
    assert stage.refusal(issued(ONE, KEY)) == "unavailable"
    tenants.gate.set()
    assert first.result(20) == "subject-1"
    stage.server.close()


def has_connections(line: ThreadLine) -> bool:
    """Look whether there are any at this moment."""
    return line._opened is not None


def test_connections_of_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are closed once nobody can wait for them any more."""
    monkeypatch.setattr("resource_server._resolved.RESOLVED", 1)
    moments = [1000.0]
    monkeypatch.setattr("resource_server._facade.monotonic", lambda: moments[0])
    stage = Stage(Tenants(ONE, OTHER))
    stage.subject(issued(ONE, KEY))
    [one] = stage.server._lines()
    stage.subject(issued(OTHER, OTHER_KEY))
    assert has_connections(one)
    moments[0] += 10
    stage.subject(issued(OTHER, OTHER_KEY, jti="2"))
    assert not has_connections(one)
    stage.server.close()


def test_it_must_not_be_async() -> None:
    """A function that nobody could await is refused when the server is made."""

    async def resolve(_: str) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match="a function that is not async"):
        BlockingResourceServer(authorization_servers=resolve, **SHARED)


def test_a_request_without_a_token_wakes_nobody() -> None:
    """Nothing is opened for what needs no question."""
    stage = Stage(LISTED)
    with pytest.raises(MissingToken):
        stage.server.authenticate(RequestParts("GET", ()))
    assert all(line._opened is None for line in stage.server._lines())
