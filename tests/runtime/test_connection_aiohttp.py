"""A connection by aiohttp: how much of an answer its parser is given, and what comes when nobody asks."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
import pytest

from resource_server._protocol.messages import HTTPRequest, HTTPResponse
from resource_server._runtime import connection_aiohttp
from resource_server._runtime.connection_aiohttp import AiohttpConnection
from resource_server._runtime.wire import MAX_HEAD
from tests.support.sockets import ok
from tests.support.wire import Conversation, wire_server

pytestmark = pytest.mark.anyio

HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"


class Line(asyncio.Transport):
    """A transport that is told what becomes of it."""

    aborted = False

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


@pytest.mark.attack("A-I-6", "A-I-7")
class TestHandler:
    """What is given to aiohttp's parser, and what ends the connection."""

    async def handler(self) -> tuple[Any, Line]:
        """Make one that waits for an answer."""
        made, line = connection_aiohttp._Handler(asyncio.get_running_loop()), Line()
        made.connection_made(line)
        made.set_response_params(read_bufsize=2**20)
        return made, line

    async def test_head_and_body_in_one_piece(self) -> None:
        """A piece that is longer than a head may be is parsed to its end, where the head within it is short."""
        handler, line = await self.handler()
        handler.data_received(HINT + ok(bytes(2 * MAX_HEAD)))
        interim, _ = await handler.read()
        message, body = await handler.read()
        assert (interim.code, message.code, len(await body.read())) == (103, 200, 2 * MAX_HEAD)
        assert not line.aborted

    async def test_no_more_than_a_head(self) -> None:
        """Of a flood so much is parsed as a head may have, however it is cut."""
        for size in (10_000, MAX_HEAD, 10 * MAX_HEAD):
            handler, line = await self.handler()
            flood = HINT * (10 * MAX_HEAD // len(HINT))
            for start in range(0, MAX_HEAD + 1, size):
                handler.data_received(flood[start : start + size])
            assert line.aborted
            assert len(handler) == MAX_HEAD // len(HINT)
            with pytest.raises(aiohttp.ClientPayloadError):
                [await handler.read() for _ in range(len(handler) + 1)]

    async def test_a_question_has_a_head_of_its_own(self) -> None:
        """What the answers before it had is not counted."""
        handler, line = await self.handler()
        for _ in range(3):
            handler.data_received(HINT * (MAX_HEAD // len(HINT) - 10) + ok())
            handler.set_response_params()
        assert not line.aborted


@pytest.mark.attack("A-I-9")
async def test_what_comes_when_nobody_asks() -> None:
    """An answer without a question is not kept for whoever asks next: the connection is given up."""
    unasked = asyncio.Event()

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(ok(b"asked"))
        await unasked.wait()
        await conversation.say(ok(b"unasked"))
        await conversation.left()

    connection = AiohttpConnection(ssl.create_default_context())
    async with wire_server(script) as server:
        for _ in range(2):
            answer = await connection.ask(HTTPRequest("POST", server.url, "introspection", 1000))
            assert isinstance(answer, HTTPResponse)
            assert answer.body == b"asked"
            unasked.set()
            await server.idle()
        await connection.aclose()
        assert server.connections == 2
