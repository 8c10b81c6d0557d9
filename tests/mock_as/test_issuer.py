"""The verbs of the state: revoke, expire, hold, reset."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from mock_as import Client, Clock, MockAS, UsageError
from tests.mock_as.conftest import Post

pytestmark = pytest.mark.anyio


def active(mock: MockAS) -> list[str]:
    """Return the ids of the tokens that are active."""
    return [record.token.id for record in mock.tokens.select() if record.is_active(mock.clock.now())]


@pytest.mark.parametrize("verb", ["revoke", "expire"])
def test_tokens_are_named_in_many_ways(mock: MockAS, verb: str) -> None:
    """A token is named by itself, its text or its id; several by their subject or client, or all at once."""
    end = getattr(mock, verb)
    tokens = [
        mock.token(sub="alice"),
        mock.token(sub="bob"),
        mock.token("alice", client_id="web"),
        mock.token(),
        mock.token(),
        mock.token(),
    ]
    assert end(tokens[3]) == end(tokens[4].value) == end(tokens[5].id) == 1
    assert active(mock) == ["tok-1", "tok-2", "tok-3"]
    assert end(sub="alice", client_id="web") == 1
    assert active(mock) == ["tok-1", "tok-2"]
    assert end(sub="alice") == 2
    assert active(mock) == ["tok-2"]
    assert end(everything=True) == 6
    assert active(mock) == []


@pytest.mark.parametrize("verb", ["revoke", "expire"])
def test_session_ends_with_its_tokens(mock: MockAS, verb: str) -> None:
    """The tokens of a session can be ended together."""
    mock.token("alice", claims={"sid": "s-1"})
    other = mock.token("alice", claims={"sid": "s-2"})
    assert getattr(mock, verb)(sid="s-1") == 1
    assert active(mock) == [other.id]


@pytest.mark.parametrize("verb", ["revoke", "expire"])
def test_strangers_are_not_counted(mock: MockAS, verb: str) -> None:
    """A token that the server does not know is no error, and changes nothing; naming nothing is one."""
    end = getattr(mock, verb)
    mock.token()
    assert end("stranger") == end(mock.token(known=False)) == end(client_id="nobody") == 0
    with pytest.raises(UsageError, match="say which"):
        end()
    assert active(mock) == ["tok-1"]


def test_clock_ends_tokens(mock: MockAS) -> None:
    """Moving the clock past the end of a token ends it; moving it back does not bring back what was revoked."""
    living, dead = mock.token(), mock.token()
    mock.revoke(dead)
    mock.clock.advance(3601)
    assert active(mock) == []
    mock.clock.reset()
    assert active(mock) == [living.id]


@pytest.mark.parametrize("clock", [Clock(lambda: 42.0), lambda: 42.0])
def test_clock_can_be_brought_along(clock: object) -> None:
    """The clock may be one of the mock's own kind, or anything that tells the time."""
    assert MockAS(clock=clock).token().claims["iat"] == 42  # type: ignore[arg-type]


async def test_reset_goes_back_to_the_beginning(mock: MockAS, client: httpx.AsyncClient) -> None:
    """After a reset nothing is left of tokens, faults, journal, clock and rotations; the first key is still the key."""
    before = mock.keys.jwks()
    mock.token(alg="Ed25519")
    mock.keys.rotate(overlap=False)
    await client.get("/jwks")
    mock.fault("introspect", 503)
    mock.clock.advance(100)
    with mock.hold("jwks") as gate:
        held = asyncio.create_task(client.get("/jwks"))
        await gate.arrived(1)
        mock.reset()
        await held
    mock.reset()
    assert mock.keys.jwks() == before
    assert (len(mock.tokens), mock.requests().count, mock.faults_left, mock.clock.offset) == (0, 0, (), 0)
    assert (mock.token().id, mock.fault("jwks", 503).id) == ("tok-1", "fault-1")


async def test_hold_shows_requests_that_are_under_way(mock: MockAS, introspect: Post) -> None:
    """Held requests wait at the gate, all at once, until they are released; the answer is made afterwards."""
    token = mock.token()
    with mock.hold("introspect") as gate:
        asked = [asyncio.create_task(introspect(token)) for _ in range(5)]
        await gate.arrived(5)
        assert mock.requests("introspect").count == 0
        mock.revoke(token)
        gate.release()
        answers = await asyncio.gather(*asked)
    assert [answer.json() for answer in answers] == [{"active": False}] * 5
    mock.assert_called("introspect", times=5)


async def test_leaving_releases(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Requests that are still held when the block ends go on."""
    with mock.hold("*") as gate:
        asked = asyncio.create_task(client.get("/jwks"))
        await gate.arrived(1)
    assert (await asked).status_code == 200
    assert (await client.get("/jwks")).status_code == 200


def test_refuses_to_hold_what_there_is_not(mock: MockAS) -> None:
    """There is nothing to hold at an endpoint that does not exist."""
    with pytest.raises(UsageError, match="did you mean 'introspect'"), mock.hold("introspection"):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_format": "jwe"}, "token_format: 'jwe' is unknown"),
        ({"lifetime": 0}, "lifetime: 0 is less than 1"),
        ({"jwks_max_age": -1}, "jwks_max_age: -1 is less than 0"),
    ],
)
def test_refuses_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    """An option that could never work is refused at construction, by name and with its value."""
    with pytest.raises(UsageError, match=f"^{message}"):
        MockAS(**options)  # type: ignore[arg-type]


def test_mocks_share_nothing() -> None:
    """Two mocks know nothing of each other: neither keys, nor tokens, nor clients."""
    one, two = MockAS(clients=[Client(id="orders", secret="s")]), MockAS()
    token = one.token()
    assert two.tokens.find(token) is None
    assert one.keys.signing().kid != two.keys.signing().kid
    assert "orders" not in two.clients
