"""The requests that the console sends: to nobody but this machine and private networks, and never for long.

References: RFC 6750 section 3, RFC 9110 section 11.6.1
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest

from mock_as import UsageError
from mock_as.console import calls
from mock_as.console.calls import call_api, challenges

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def api(answer: bytes, received: list[bytes]) -> AsyncGenerator[str]:
    """Serve an API that says one thing, whatever it is asked."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who connects and then says nothing has thought better of it.
        with suppress(asyncio.IncompleteReadError), closing(writer):
            received.append(await reader.readuntil(b"\r\n\r\n"))
            if answer:
                writer.write(answer)
                await writer.drain()
            else:
                await reader.read()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}/orders?x=1"


async def test_call() -> None:
    """The API gets the token, and is called by its own name; what it says is returned."""
    received: list[bytes] = []
    async with api(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nhi", received) as url:
        call = await call_api(url, "abc")
    assert (call.status, call.reason, call.body, call.all_of("x-a")) == (200, "OK", "hi", ["1", "2"])
    assert call.received.splitlines() == ["content-length: 2", "x-a: 1", "x-a: 2", "", "hi"]
    line, *fields = received[0].decode().split("\r\n")
    assert line == "GET /orders?x=1 HTTP/1.1"
    headers = dict(field.lower().split(": ", 1) for field in fields if field)
    assert headers["authorization"] == "bearer abc"
    assert headers["host"].partition(":")[0] == "localhost"


async def test_a_token_that_is_not_in_ascii() -> None:
    """A token with other letters is sent as UTF-8, and one with a line break is not sent at all."""
    received: list[bytes] = []
    async with api(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", received) as url:
        assert (await call_api(url, "tökén")).status == 401
        refused = await call_api(url, "a\r\nx-more: 1")
    assert "Bearer tökén\r\n".encode() in received[0]
    assert (refused.status, len(received)) == (None, 1)
    assert str(refused.problem).startswith("LocalProtocolError")


async def test_long_answer() -> None:
    """Of a long answer only the beginning is read."""
    async with api(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, []) as url:
        call = await call_api(url, "abc")
    assert call.body == "x" * calls.MOST_BYTES + f"\n… (the first {calls.MOST_BYTES} bytes)"


async def test_redirect_is_not_followed() -> None:
    """A redirect is shown, not followed: nobody else gets the token."""
    received: list[bytes] = []
    async with api(b"HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n", received) as url:
        assert (await call_api(url, "abc")).status == 302
    assert len(received) == 1


async def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that does not answer is waited for, but not for ever."""
    monkeypatch.setattr(calls, "PATIENCE", 0.05)
    async with api(b"", []) as url:
        call = await call_api(url, "abc")
    assert (call.status, call.problem) == (None, "TimeoutError: no answer within 0.05 s")


async def test_nobody_listens() -> None:
    """An API that is not there is no mistake of the console."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        call = await call_api(f"http://127.0.0.1:{free.getsockname()[1]}/", "abc")
    assert call.status is None
    assert str(call.problem).startswith("ConnectError")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "orders",
        "ftp://127.0.0.1/",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://u:p@127.0.0.1/",
        "http://x\x00y/",
    ],
)
async def test_no_url(url: str) -> None:
    """What is no http(s) URL is refused."""
    with pytest.raises(UsageError) as caught:
        await call_api(url, "abc")
    assert caught.value.field == "url"


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("172.17.0.2", True),
        ("192.168.1.1", True),
        ("fd00::1", True),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),  # noqa: S104 - not bound, but refused
        ("1.1.1.1", False),
        ("2606:4700::1111", False),
        ("::ffff:1.1.1.1", False),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", False),
        ("::ffff:0.0.0.0", False),
        ("fd00:ec2::254", False),
        ("224.0.0.1", False),
    ],
)
async def test_only_near(monkeypatch: pytest.MonkeyPatch, address: str, near: bool) -> None:  # noqa: FBT001 - a parameter
    """An API may be on this machine or in a private network, by whatever name; nowhere else."""

    async def resolve(*_args: Any, **_options: Any) -> list[Any]:
        return [(0, 0, 0, "", ("127.0.0.1", 1)), (0, 0, 0, "", (address, 1))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    if near:
        assert await calls._nearby("api.test", 1) == "127.0.0.1"
        return
    with pytest.raises(UsageError, match="neither this machine nor in a private network"):
        await call_api("http://api.test/", "abc")


async def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means nothing is said to."""

    async def resolve(*_args: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(UsageError, match="there is no host"):
        await call_api("http://api.test/", "abc")


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("Bearer", [("Bearer", {})]),
        ('Bearer realm="a, b", error="invalid_token"', [("Bearer", {"realm": "a, b", "error": "invalid_token"})]),
        ('DPoP algs="ES256", Bearer error=x', [("DPoP", {"algs": "ES256"}), ("Bearer", {"error": "x"})]),
        (r'Bearer realm="a \"b\""', [("Bearer", {"realm": 'a "b"'})]),
        ("Bearer scope = read", [("Bearer", {"scope": "read"})]),
        ("realm=x", []),
        ("", []),
        ("Bearer ???", [("Bearer", {})]),
    ],
)
async def test_challenges(field: str, found: list[Any]) -> None:
    """The challenges of a field are taken apart; what cannot be read ends the list."""
    assert [tuple(challenge) for challenge in challenges(field)] == found
