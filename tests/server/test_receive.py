"""What the authorization server tells unasked takes effect at once, for the requests that follow."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from resource_server import InvalidToken, SecurityEventRefused, VerificationUnavailable
from resource_server.blocking import BlockingResourceServer
from resource_server.events import SecurityEventReceived
from tests.support.jwt import ISSUER, NOW, jwks, signing_key
from tests.support.notices import ALICE, CAEP, logout_token, security_event
from tests.support.origin import Gate, publishes, says, says_yes, token_of
from tests.support.play import Time, active_members, options
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio

KEYS = publishes(signing_key("ES256"))
BEFORE = int(NOW) - 60


def stage(**changes: Any) -> Stage:
    """Make a server that knows nothing yet; every token is alice's, of session-1, a minute old."""
    return Stage(changes, introspect=says_yes(sub="alice", sid="session-1", iat=BEFORE), jwks=KEYS)


async def refused(play: Stage, token: str) -> str | None:
    """Send a request that must be refused, and return the reason."""
    with pytest.raises(InvalidToken) as error:
        await play.server.authenticate(bearer(token))
    return error.value.reason


@pytest.mark.attack("A-C-4")
@pytest.mark.parametrize("notice", [security_event(), logout_token()], ids=["security event", "logout"])
async def test_revokes_at_once(notice: str) -> None:
    """RFC 8935 §2: a token that is good in the cache is refused from the moment on that the event is received."""
    play = stage()
    assert (await play.server.authenticate(bearer("opaque-1"))).subject == "alice"
    assert await play.server.receive(notice.encode()) == 1
    assert await refused(play, "opaque-1") == "revoked"
    assert await refused(play, "opaque-2") == "revoked"
    assert SecurityEventReceived(None, 1, ISSUER) in play.events


async def test_leaves_others_alone() -> None:
    """What an event does not mean stays good: another session, and what was issued later."""
    play = stage()
    play.origin.replies["introspect"] = says_yes(sub="alice", sid="session-2", iat=int(NOW) + 60)
    await play.server.receive(logout_token().encode())
    await play.server.receive(security_event().encode())
    play.time.advance(120)
    assert (await play.server.authenticate(bearer("opaque-1"))).subject == "alice"


async def test_beats_an_introspection_under_way() -> None:
    """A yes that was asked for before the event and comes after it is worth nothing."""
    gate = Gate(says_yes(sub="alice"))
    play = Stage({}, introspect=gate, jwks=KEYS)
    asking = asyncio.create_task(play.server.authenticate(bearer("opaque-1")))
    await gate.arrived()
    assert await play.server.receive(security_event().encode()) == 1
    play.time.advance(0.01)
    gate.open()
    with pytest.raises(InvalidToken) as error:
        await asking
    assert error.value.reason == "revoked"


async def test_replay() -> None:
    """A token that is sent again, at once or much later, is acknowledged and changes nothing, also for newer logins."""
    play = stage()
    event = security_event().encode()
    assert await play.server.receive(event) == 1
    play.time.advance(600)
    play.origin.replies["introspect"] = says_yes(sub="alice", iat=int(play.time.wall))
    assert await play.server.receive(event) == 0
    assert (await play.server.authenticate(bearer("newer"))).subject == "alice"
    play.time.advance(play.server.settings.revocation_memory)
    assert await play.server.receive(event) == 0
    assert play.events[-1] == SecurityEventReceived(None, 0, ISSUER)


async def test_replay_at_a_worker_that_was_restarted() -> None:
    """A worker that knows nothing takes an old token for what it says: it means what was issued before, no more."""
    event = security_event().encode()
    play = stage()
    play.time.advance(600)
    assert await play.server.receive(event) == 1
    play.origin.replies["introspect"] = says_yes(sub="alice", iat=int(NOW) + 300)
    assert (await play.server.authenticate(bearer("newer"))).subject == "alice"


async def test_received_by_many_at_once() -> None:
    """A token that arrives several times at once is judged once."""
    play = stage()
    event = security_event().encode()
    counts = await asyncio.gather(*(play.server.receive(event) for _ in range(20)))
    assert set(counts) <= {0, 1}
    assert play.origin.count("jwks") == 1


async def test_refusal() -> None:
    """RFC 8935 §2.4: a token that is not accepted is refused with the standard's code, revokes nothing, and is told."""
    play = stage()
    with pytest.raises(SecurityEventRefused) as error:
        await play.server.receive(security_event(aud="https://other.example.com").encode())
    assert (error.value.status, error.value.error) == (400, "invalid_audience")
    assert "other" not in error.value.error_description
    assert play.events == [SecurityEventReceived("invalid_audience", 0, ISSUER)]
    assert (await play.server.authenticate(bearer("opaque-1"))).subject == "alice"


async def test_client_identifier_is_an_audience() -> None:
    """OpenID Back-Channel Logout §2.4: the audience of a logout token is the client identifier."""
    assert await stage().server.receive(logout_token(aud="rs").encode()) == 1
    with pytest.raises(SecurityEventRefused):
        await Stage(options(client_id="other-rs"), jwks=KEYS).server.receive(logout_token(aud="rs").encode())


@pytest.mark.parametrize(
    ("status", "headers", "seconds"), [(503, {"retry_after": "30"}, 30.0), (503, {}, 5.0)], ids=["said", "not said"]
)
async def test_outage(status: int, headers: dict[str, str], seconds: float) -> None:
    """Where no key can be had, the sender is asked to come back, when the authorization server may."""
    play = Stage({}, jwks=says(status, **headers))
    with pytest.raises(VerificationUnavailable) as error:
        await play.server.receive(security_event().encode())
    assert error.value.retry_after <= seconds
    assert not any(isinstance(event, SecurityEventReceived) for event in play.events)


async def test_several_revocations() -> None:
    """An event about an opaque identifier means the session and the subject of that name, whichever there is."""
    play = stage()
    event = security_event(sub_id={"format": "opaque", "id": "session-1"})
    assert await play.server.receive(event.encode()) == 2
    assert await refused(play, "opaque-1") == "revoked"


async def test_events_without_effect() -> None:
    """RFC 8417 §2.2: an event that is not understood is accepted, and leaves everything as it was."""
    play = stage()
    event = security_event(events={f"{CAEP}assurance-level-change": {"subject": ALICE}})
    assert await play.server.receive(event.encode()) == 0
    assert (await play.server.authenticate(bearer("opaque-1"))).subject == "alice"


def test_in_threads() -> None:
    """The blocking server receives the same."""

    def reply(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/jwks":
            return httpx.Response(200, json=jwks(signing_key("ES256")))
        return httpx.Response(200, json=active_members(sub="alice", iat=BEFORE, jti=token_of(request)))

    transport: Any = httpx.MockTransport(reply)
    with BlockingResourceServer(transport=transport, clock=Time().clock, **options()) as server:
        assert server.authenticate(bearer("opaque-1")).subject == "alice"
        assert server.receive(security_event().encode()) == 1
        with pytest.raises(InvalidToken):
            server.authenticate(bearer("opaque-1"))
        with pytest.raises(SecurityEventRefused):
            server.receive(b"x")
