"""The authorization server over real sockets: absent, there, gone again, and back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mock_as import MockAS, Token
from mock_as.pytest_plugin import MockASFactory
from resource_server import Clock
from resource_server.events import AuthorizationServerUnavailable
from tests.support.answer import Answer
from tests.support.api import API, RS
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let the authorization server know the resource server by a secret that can be looked for."""
    return {"clients": [RS]}


@pytest.fixture
def port() -> Iterator[int]:
    """Reserve a port: nobody listens at it, and no other test is given it, until one here listens at it itself."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@asynccontextmanager
async def over_sockets(mock_as: MockAS, **options: Any) -> AsyncGenerator[API, None]:
    """Make an API that asks over sockets, by the real clock."""
    api = API(mock_as, **({"transport": None, "clock": Clock()} | options))
    try:
        yield api
    finally:
        await api.server.aclose()


@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_round_trip(token_format: Any, mock_as_server: MockAS) -> None:
    """Over real sockets, with metadata, introspection and keys all fetched from where the metadata says."""
    async with over_sockets(mock_as_server) as api, api.server:
        token = mock_as_server.token(sub="alice", format=token_format)
        for _ in range(2):
            answer = await api.send(token=token)
            assert answer.json() == {"subject": "alice", "assurance": "introspected", "scopes": ["read"]}
        assert mock_as_server.requests("introspect").count == 1
        assert mock_as_server.requests("discovery").count == 1
        other = mock_as_server.token(format=token_format)
        mock_as_server.revoke(other)
        assert_refused(await api.send(token=other), 401, "invalid_token")


@pytest.mark.parametrize("status", [401, 503])
async def test_refused_connection(status: int, port: int, mock_as_factory: MockASFactory) -> None:
    """Where nobody listens every token is unverifiable, at once, and an outage is reported."""
    mock_as = mock_as_factory(issuer=f"http://127.0.0.1:{port}")
    async with over_sockets(mock_as, unavailable_status=status) as api:
        for token in (mock_as.token(), "opaque-and-unknown"):
            assert_unverifiable(await api.send(token=token), status)
        outages = [event for event in api.events if isinstance(event, AuthorizationServerUnavailable)]
        assert {event.cause for event in outages} == {"connect"}


@pytest.mark.parametrize("status", [401, 503])
async def test_gone_and_back(status: int, port: int, mock_as_factory: MockASFactory) -> None:
    """While the server is gone its JWTs answer for themselves and opaque tokens cannot; then all is as before."""
    mock_as = mock_as_factory(issuer=f"http://127.0.0.1:{port}")
    async with over_sockets(mock_as, unavailable_status=status) as api:
        with mock_as.serve(port=port):
            jwts = [mock_as.token(sub=f"user-{number}") for number in range(4)]
            opaque, revoked = mock_as.token(format="opaque"), mock_as.token(sub="mallory")
            mock_as.revoke(revoked)
            assert await assurance(api, jwts[0]) == "introspected"
            assert_refused(await api.send(token=revoked), 401, "invalid_token")
            mock_as.fault("introspect", status=503, times=1)
            assert await assurance(api, jwts[1]) == "local"  # for which the keys were fetched
        # Gone: what was known is still known, a JWT answers for itself, a no stays a no, and a stranger stays out.
        assert await assurance(api, jwts[0]) == "introspected"
        assert await assurance(api, jwts[2]) == "local"
        assert_refused(await api.send(token=revoked), 401, "invalid_token")
        assert_refused(await api.send(token=forged(mock_as, mock_as_factory)), 401, "invalid_token")
        assert_unverifiable(await api.send(token=opaque), status)
        with mock_as.serve(port=port):
            # Back: the very next question is answered, over a new connection.
            assert await assurance(api, opaque) == "introspected"
            assert await assurance(api, jwts[3]) == "introspected"
            assert_refused(await api.send(token=revoked), 401, "invalid_token")


async def assurance(api: API, token: Token) -> str:
    """Return who vouched for a token that must be accepted."""
    answer = await api.send(token=token)
    assert answer.status == 200
    found: str = answer.json()["assurance"]
    return found


def forged(mock_as: MockAS, mock_as_factory: MockASFactory) -> Token:
    """Mint a token that a stranger signed, in the name of the server that is gone."""
    stranger = mock_as_factory(issuer=mock_as.issuer, audience=mock_as.options.audience)
    return stranger.token(header={"kid": mock_as.keys.signing().kid})


def assert_unverifiable(answer: Answer, status: int) -> None:
    """Assert the answer to a token that cannot be verified, as configured."""
    if status == 401:
        assert_refused(answer, 401, "invalid_token")
    else:
        assert_unavailable(answer, 5)


@pytest.mark.parametrize("fault", ["reset", 500, "not_json", "html_error"])
async def test_fault_on_the_wire(fault: Any, mock_as_server: MockAS) -> None:
    """A connection that breaks and an answer that makes no sense are outages, and over when they are over."""
    async with over_sockets(mock_as_server) as api:
        token = mock_as_server.token(format="opaque")
        mock_as_server.fault("introspect", fault)
        assert_refused(await api.send(token=token), 401, "invalid_token")
        mock_as_server.clear_faults()
        assert await assurance(api, token) == "introspected"
        assert any(isinstance(event, AuthorizationServerUnavailable) for event in api.events)


async def test_silence(mock_as_server: MockAS) -> None:
    """A server that accepts the question and says nothing costs a request its deadline, and no more."""
    mock_as_server.fault("introspect", "timeout", times=1)
    token = mock_as_server.token(format="opaque")
    async with over_sockets(mock_as_server, timeout=0.1) as impatient, over_sockets(mock_as_server) as patient:
        assert_refused(await impatient.send(token=token), 401, "invalid_token")
        assert {event.cause for event in impatient.events if isinstance(event, AuthorizationServerUnavailable)} == {
            "timeout"
        }
        mock_as_server.clear_faults()
        assert await assurance(patient, token) == "introspected"


async def test_many_at_once(mock_as_server: MockAS) -> None:
    """Fifty requests with one token are one question on the wire; fifty tokens are fifty, each answered its own."""
    async with over_sockets(mock_as_server) as api:
        token = mock_as_server.token()
        answers = await asyncio.gather(*[api.send(token=token) for _ in range(50)])
        assert {answer.status for answer in answers} == {200}
        assert mock_as_server.requests("introspect").count == 1
        tokens = [mock_as_server.token(sub=f"user-{number}", format="opaque") for number in range(50)]
        answers = await asyncio.gather(*[api.send(token=each) for each in tokens])
        assert [answer.json()["subject"] for answer in answers] == [f"user-{number}" for number in range(50)]
        assert mock_as_server.requests("introspect").count == 51
