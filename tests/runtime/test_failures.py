"""Whatever a client library can do to us becomes a value, and nothing of what it held gets out."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest

from resource_server import InvalidToken, LoggingObserver, RequestParts, ResourceServer
from resource_server._protocol.messages import HTTPRequest, Unavailable
from resource_server._runtime.exchange import Exchange
from tests.support.canary import chain, log_text, text_of
from tests.support.origin import Origin, fails
from tests.support.play import OPTIONS, SECRET

pytestmark = pytest.mark.anyio

TOKEN = "canary-access-token"
QUESTION = HTTPRequest("POST", "https://as.example.com/introspect", "introspection", 1000)
BEARER = RequestParts("GET", [(b"authorization", b"Bearer " + TOKEN.encode())])


def telltale(kind: type[Exception], library: object = httpx) -> Exception:
    """Make an exception as the library would: with the request, and with it the token and our secret."""
    request = getattr(library, "Request")(  # noqa: B009 - of either library
        "POST", QUESTION.url, headers={"authorization": f"Basic {SECRET}"}, content=f"token={TOKEN}".encode()
    )
    known: dict[str, Any] = {
        "request": request,
        "response": httpx.Response(500, request=request),
        "message": f"{TOKEN} {SECRET}",
    }
    try:
        parameters = inspect.signature(kind).parameters
    except ValueError:
        return kind(known["message"])
    given = {name: value for name, value in known.items() if name in parameters}
    error = kind(**given) if given else kind(*([known["message"]] if parameters else []))
    error.add_note(known["message"])
    return error


def exceptions_of(library: object) -> dict[str, type[Exception]]:
    """Find every exception class that a library exports."""
    found = {
        name: value for name, value in vars(library).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert len(found) > 20
    return found


OURS = {"ConnectError": "connect", "ConnectTimeout": "timeout", "ReadError": "connection_lost"}
EXPECTED = OURS | {
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "PoolTimeout": "timeout",
    "TimeoutException": "timeout",
    "RemoteProtocolError": "protocol",
}
BUILT_IN: list[type[Exception]] = [
    OSError, ConnectionResetError, ValueError, KeyError, RuntimeError, RecursionError, MemoryError, StopAsyncIteration,
]  # fmt: skip


@pytest.mark.attack("A-S-1", "A-S-2")
@pytest.mark.parametrize(
    ("kind", "library"),
    [
        *(pytest.param(kind, httpx, id=f"httpx {name}") for name, kind in exceptions_of(httpx).items()),
        *(pytest.param(kind, httpx2, id=f"httpx2 {name}") for name, kind in exceptions_of(httpx2).items()),
        *(pytest.param(kind, httpx, id=kind.__name__) for kind in BUILT_IN),
    ],
)
async def test_every_exception_becomes_a_value(kind: type[Exception], library: object) -> None:
    """No exception of a client library, of either kind, gets past the edge; what it was is told by one word."""
    exchange = Exchange(timeout=5.0, transport=Origin(introspect=fails(telltale(kind, library))))
    found = await exchange.send(QUESTION, asyncio.get_running_loop().time() + 5)
    assert found == Unavailable(EXPECTED.get(kind.__name__, "transport"))
    assert not any(canary in repr(found) for canary in (TOKEN, SECRET))


async def test_a_transports_own_timeout_is_a_timeout() -> None:
    """A transport that is not of httpx says ``TimeoutError``, as all of Python does."""
    exchange = Exchange(timeout=5.0, transport=Origin(introspect=fails(TimeoutError(TOKEN))))
    assert await exchange.send(QUESTION, asyncio.get_running_loop().time() + 5) == Unavailable("timeout")


class _BreaksOff(httpx.AsyncByteStream):
    """A body that ends in an exception, while it is read or when it is closed."""

    def __init__(self, error: Exception, *, closing: bool) -> None:
        self._error, self._closing = error, closing

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        if not self._closing:
            raise self._error

    async def aclose(self) -> None:
        if self._closing:
            raise self._error


@pytest.mark.parametrize("closing", [False, True], ids=["while reading", "while closing"])
async def test_a_body_that_breaks_off(closing: bool) -> None:  # noqa: FBT001 - a parameter
    """An answer that is not there to its end is no answer."""
    body = _BreaksOff(telltale(httpx.ReadError), closing=closing)
    exchange = Exchange(timeout=5.0, transport=Origin(introspect=lambda _: httpx.Response(200, stream=body)))
    found = await exchange.send(QUESTION, asyncio.get_running_loop().time() + 5)
    assert found == Unavailable("connection_lost")


async def test_something_that_is_no_response() -> None:
    """A caller's transport that returns nonsense is as unavailable as one that raises."""
    exchange = Exchange(timeout=5.0, transport=Origin(introspect=lambda _: None))  # type: ignore[arg-type,return-value]
    assert await exchange.send(QUESTION, asyncio.get_running_loop().time() + 5) == Unavailable("transport")


async def test_a_cancelled_question_is_cancelled() -> None:
    """That somebody stops us is no failure of the authorization server's."""

    async def says_nothing(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    exchange = Exchange(timeout=5.0, transport=Origin(introspect=says_nothing))
    asking = asyncio.ensure_future(exchange.send(QUESTION, asyncio.get_running_loop().time() + 5))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.attack("A-S-1", "A-S-2")
@pytest.mark.rfc("9700-4.9.3-a", "7662-5-a")
@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ReadTimeout, httpx.LocalProtocolError, ValueError])
async def test_nothing_gets_out_through_a_refusal(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    """The refusal that an outage ends in, and the log, hold no exception of the library, no token and no secret."""
    caplog.set_level(logging.DEBUG)
    server = ResourceServer(transport=Origin(introspect=fails(telltale(kind))), observer=LoggingObserver(), **OPTIONS)
    with pytest.raises(InvalidToken) as refused:
        await server.authenticate(BEARER)
    assert refused.value.reason == "unavailable"
    links = list(chain(refused.value))
    assert links == [refused.value]
    told = (
        text_of(refused.value)
        + log_text(caplog)
        + repr(server)
        + repr(server.settings)
        + repr(vars(server))
        + repr(vars(server._core.state))
    )
    assert not any(canary in told for canary in (TOKEN, SECRET))
    assert "authorization_server_unavailable" in told
