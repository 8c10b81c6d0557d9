"""One contract for every way to ask: how far an answer is followed, what is sent, and how each failure is called."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import respx

from resource_server._protocol.jwks import jwks_request
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from tests.support.askers import ASKERS, LEFT_TO_THEMSELVES, OWN, Ask, Asker, own, threads
from tests.support.canary import log_text
from tests.support.play import INTROSPECTION
from tests.support.question import asked_by_rs
from tests.support.sockets import certificate, ok
from tests.support.wire import Conversation, Script, WireServer, after, keeps_saying, says, wire_server

pytestmark = pytest.mark.anyio

TOKEN, SECRET = "canary-token", "canary-secret"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment says."""
    for name in (*PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=ASKERS)
def asker(request: pytest.FixtureRequest) -> Asker:
    """Each way to ask."""
    return ASKERS[request.param]


@pytest.fixture(params=[*OWN, "in threads"])
def our_asker(request: pytest.FixtureRequest) -> Asker:
    """Each kind of connection of our own."""
    return threads("own") if request.param == "in threads" else own(OWN[request.param])


@pytest.fixture
async def ask(asker: Asker) -> AsyncGenerator[Ask]:
    """Ask in each way there is."""
    async with asker(None) as opened:
        yield opened


@pytest.fixture
async def ask_ourselves(our_asker: Asker) -> AsyncGenerator[Ask]:
    """Ask over each kind of connection of our own."""
    async with our_asker(None) as opened:
        yield opened


def question(server: WireServer) -> HTTPRequest:
    """Ask about a token."""
    return asked_by_rs(server.url, TOKEN.encode(), SECRET)


def headers_of(request: bytes) -> dict[bytes, bytes]:
    """Read the headers of a request."""
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    found = [line.partition(b":") for line in lines]
    assert len({name.lower() for name, _, _ in found}) == len(found)
    return {name.lower(): value.strip() for name, _, value in found}


async def outcome(ask: Ask, script: Script, timeout: float = 5.0) -> HTTPResponse | Unavailable:  # noqa: ASYNC109 - handed on as a deadline
    """Ask a server that follows a script."""
    async with wire_server(script) as server:
        return await ask(question(server), timeout=timeout)


async def test_an_answer(ask: Ask) -> None:
    """Status, headers and body arrive as they were sent, names in lower case."""
    answer = await outcome(ask, says(ok(b'{"active":true}', b"X-One: a", b"x-one: b")))
    assert isinstance(answer, HTTPResponse)
    assert (answer.status, answer.body) == (200, b'{"active":true}')
    assert [value for name, value in answer.headers if name == "x-one"] == ["a", "b"]
    assert answer.media_type == "application/json"


@pytest.mark.rfc("7662-2.1-a", "7662-2.1-e")
async def test_a_question_on_the_wire(ask: Ask) -> None:
    """What is asked goes out as it was asked, without a coding, a cookie or anybody else's credentials."""
    async with wire_server(says(ok())) as server:
        asked = question(server)
        await ask(asked)
    (request,) = server.requests
    assert request.startswith(b"POST /introspect HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n" + asked.body)
    sent = headers_of(request)
    expected = {name.encode(): value.encode() for name, value in asked.headers}
    expected |= {b"accept-encoding": b"identity", b"content-length": b"%d" % len(asked.body)}
    assert {name: sent.get(name) for name in expected} == expected
    assert b"cookie" not in sent


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_our_own_headers_are_all_there_are(ask_ourselves: Ask, method: str) -> None:
    """A connection of our own adds what HTTP needs, and nothing of its library's."""
    async with wire_server(says(ok())) as server:
        asked = question(server) if method == "POST" else jwks_request(server.url)
        await ask_ourselves(asked)
    sent = headers_of(server.requests[0])
    needed = {b"host", b"accept-encoding", b"user-agent"} | ({b"content-length"} if method == "POST" else set())
    assert set(sent) == needed | {name.encode() for name, _ in asked.headers}
    assert sent[b"host"] == server.url.split("/")[2].encode()
    assert sent[b"user-agent"] == b"resource-server"


async def test_an_empty_body_has_a_length(ask_ourselves: Ask) -> None:
    """RFC 9110 §8.6: a POST without content says so."""
    async with wire_server(says(ok())) as server:
        await ask_ourselves(HTTPRequest("POST", server.url, "introspection", 1000))
    assert headers_of(server.requests[0])[b"content-length"] == b"0"


async def drips_headers(conversation: Conversation) -> None:
    """Send one header after the other, for ever."""
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\n")
    while True:
        await conversation.say(b"x: y\r\n")
        await asyncio.sleep(0.01)  # a drip is what it is about


async def drips_body(conversation: Conversation) -> None:
    """Send one byte after the other, for ever."""
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n")
    while True:
        await conversation.say(b" ")
        await asyncio.sleep(0.01)


async def storms(conversation: Conversation) -> None:
    """Send interim answers, for ever."""
    await conversation.request()
    while True:
        await conversation.say(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.001)


async def says_nothing(conversation: Conversation) -> None:
    """Read the question, and wait."""
    await conversation.request()
    await conversation.left()


@pytest.mark.attack("A-I-6", "A-I-7")
@pytest.mark.parametrize("script", [says_nothing, drips_headers, drips_body, storms])
async def test_one_deadline_for_all_of_it(ask: Ask, script: Script, request: pytest.FixtureRequest) -> None:
    """However busy a server looks, its answer is complete by the deadline, or there is none."""
    loop = asyncio.get_running_loop()
    async with wire_server(after(ok(), script)) as server:
        assert isinstance(await ask(question(server)), HTTPResponse)
        started = loop.time()
        assert await ask(question(server), timeout=0.1) == Unavailable("timeout")
        assert loop.time() - started < 1.0
        if request.node.callspec.params["asker"] not in LEFT_TO_THEMSELVES:
            await server.idle()  # the connection is given up


async def pours(conversation: Conversation) -> None:
    """Send a body without end."""
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
    while True:
        await conversation.say(b"x" * 10_000)


@pytest.mark.attack("A-I-5", "A-K-11")
async def test_reading_stops_at_the_limit(ask: Ask) -> None:
    """A body beyond its limit is given up, and the connection with it."""
    async with wire_server(pours) as server:
        assert await ask(question(server)) == Unavailable("too_large")
        await server.idle()


@pytest.mark.attack("A-I-5")
async def test_a_coded_body_is_refused_unread(ask: Ask) -> None:
    """A bomb is not unpacked: nobody has asked for a coding."""
    bomb = gzip.compress(bytes(10_000_000))
    assert await outcome(ask, says(ok(bomb, b"Content-Encoding: gzip"))) == Unavailable("content_encoding")


@pytest.mark.attack("A-I-4")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(ask: Ask, status: int) -> None:
    """A redirect would carry the token and our secret to wherever it points."""
    async with wire_server(keeps_saying(ok())) as elsewhere:
        moved = b"HTTP/1.1 %d Moved\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, elsewhere.url.encode())
        answer = await outcome(ask, says(moved))
    assert isinstance(answer, HTTPResponse)
    assert answer.status == status
    assert elsewhere.connections == 0


@pytest.mark.attack("A-I-7")
async def test_no_cookie_is_kept(ask: Ask) -> None:
    """A cookie that the server sets is not sent back."""
    async with wire_server(keeps_saying(ok(b"{}", b"set-cookie: a=b; Path=/"))) as server:
        for _ in range(3):
            await ask(question(server))
    assert ["cookie" in request.decode().lower() for request in server.requests] == [False] * 3


async def resets(conversation: Conversation) -> None:
    """Break off after the question."""
    await conversation.request()
    conversation.reset()


async def resets_within(conversation: Conversation) -> None:
    """Break off within the answer."""
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    conversation.reset()


MANY_HEADERS = b"HTTP/1.1 200 OK\r\n" + (b"x: " + b"v" * 1000 + b"\r\n") * 500 + b"\r\n"


@pytest.mark.attack("A-I-6", "A-I-7")
@pytest.mark.parametrize(
    ("script", "causes"),
    [
        (says(b""), {"protocol"}),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), {"protocol"}),
        (says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"), {"protocol"}),
        (says(b"HTTP/1.1 200 OK\r\nx: " + b"v" * 1000), {"protocol"}),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), {"protocol"}),
        (says(MANY_HEADERS), {"protocol"}),
        (resets, {"connection_lost"}),
        # Libraries disagree on whether a body that is cut off by a reset is lost, or merely incomplete.
        (resets_within, {"connection_lost", "protocol"}),
    ],
    ids=["closed", "cut off", "chunk cut off", "headers cut off", "not HTTP", "500 headers", "reset", "reset within"],
)
async def test_what_is_no_answer(ask: Ask, script: Script, causes: set[str]) -> None:
    """Whatever is not a whole answer of HTTP is an outage, called by what happened."""
    found = await outcome(ask, script)
    assert isinstance(found, Unavailable)
    assert found.cause in causes


async def test_nobody_listens(ask: Ask) -> None:
    """A refused connection is an outage."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/introspect"
        assert await ask(HTTPRequest("POST", url, "introspection", 1000)) == Unavailable("connect")


@pytest.mark.attack("A-I-7")
async def test_some_interim_answers(ask: Ask) -> None:
    """RFC 9110 §15.2: interim answers are passed over."""
    answer = await outcome(ask, says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + ok()))
    assert isinstance(answer, HTTPResponse)
    assert answer.status == 200


HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"


async def floods(conversation: Conversation) -> None:
    """Send interim answers for ever, as many as the other side takes."""
    await conversation.request()
    while True:
        await conversation.say(HINT * 10_000)


@pytest.mark.attack("A-I-6", "A-I-7")
@pytest.mark.parametrize("script", [floods, after(ok(), floods)], ids=["at once", "after an answer"])
async def test_too_many_interim_answers(ask_ourselves: Ask, script: Script) -> None:
    """A connection of our own stops listening long before the deadline, and does not ask again."""
    async with wire_server(script) as server:
        found = [await ask_ourselves(question(server), timeout=30.0) for _ in range(2)]
        assert found[1] == Unavailable("protocol")
        await server.idle()
        assert len(server.requests) == 2


@pytest.mark.attack("A-I-6")
async def test_a_long_body_is_no_long_head(ask_ourselves: Ask) -> None:
    """What follows the headers has a limit of its own."""
    async with wire_server(keeps_saying(HINT * 200 + ok(b"x" * 500_000))) as server:
        asked = HTTPRequest("GET", server.url, "jwks", 1_000_000)
        for _ in range(2):
            answer = await ask_ourselves(asked)
            assert isinstance(answer, HTTPResponse)
            assert len(answer.body) == 500_000


async def test_a_connection_is_used_again(ask: Ask) -> None:
    """To connect costs more than to ask, so one connection serves one question after the other."""
    async with wire_server(keeps_saying(ok())) as server:
        for _ in range(5):
            assert isinstance(await ask(question(server)), HTTPResponse)
        assert server.connections == 1


@pytest.mark.attack("A-I-9")
async def test_what_was_left_unread_is_nobodys_answer(ask: Ask) -> None:
    """Who stops asking in the middle of an answer leaves nothing behind that the next one could take for his."""
    answers = iter([b"old", b"new"])

    async def script(conversation: Conversation) -> None:
        answer = next(answers)
        while True:
            await conversation.request()
            await conversation.say(ok(answer)[:-1])
            if answer == b"old":
                stuck.set()
                await conversation.left()
            await conversation.say(answer[-1:])

    stuck = asyncio.Event()
    async with wire_server(script) as server:
        impatient = asyncio.ensure_future(ask(question(server)))
        await stuck.wait()
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        answer = await ask(question(server))
        assert isinstance(answer, HTTPResponse)
        assert answer.body == b"new"
        assert server.connections == 2


async def test_many_at_once_then_a_few(ask: Ask) -> None:
    """Questions that run at once have a connection each, and get their own answers."""

    async def echoes(conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            await conversation.say(ok(request.rpartition(b"\r\n\r\n")[2]))

    async with wire_server(echoes) as server:
        numbered = [HTTPRequest("POST", server.url, "introspection", 1000, body=b"%d" % number) for number in range(90)]
        answers = await asyncio.gather(*(ask(request) for request in numbered))
    assert [getattr(answer, "body", None) for answer in answers] == [request.body for request in numbered]


async def hangs_up_between(conversation: Conversation) -> None:
    """Answer once; to the next question on the same connection, hang up."""
    await conversation.request()
    await conversation.say(ok())
    await conversation.request()


async def breaks_off_between(conversation: Conversation) -> None:
    """Answer once; to the next question on the same connection, break off."""
    await hangs_up_between(conversation)
    conversation.reset()


@pytest.mark.parametrize("script", [hangs_up_between, breaks_off_between, says(ok())])
async def test_a_connection_that_has_gone_stale(ask_ourselves: Ask, script: Script) -> None:
    """A server may close a connection just as it is used again: the question goes out once more, over a new one."""
    async with wire_server(script) as server:
        for _ in range(3):
            assert isinstance(await ask_ourselves(question(server)), HTTPResponse)
        assert server.connections == 3


async def answers_half_of_the_second(conversation: Conversation) -> None:
    """Answer once; of the next answer send a part only."""
    await conversation.request()
    await conversation.say(ok())
    await conversation.request()
    await conversation.say(ok()[:-1])


@pytest.mark.parametrize("script", [says(b""), resets])
async def test_a_new_connection_is_tried_once(ask_ourselves: Ask, script: Script) -> None:
    """That a new connection breaks is the server's answer to the question, and not repeated here."""
    async with wire_server(script) as server:
        assert isinstance(await ask_ourselves(question(server)), Unavailable)
        assert server.connections == 1


async def test_half_an_answer_is_not_asked_for_again(ask_ourselves: Ask) -> None:
    """Once an answer has begun, what becomes of it is the outcome."""
    async with wire_server(answers_half_of_the_second) as server:
        assert isinstance(await ask_ourselves(question(server)), HTTPResponse)
        assert await ask_ourselves(question(server)) == Unavailable("protocol")
        assert len(server.requests) == 2


async def test_a_server_that_answers_before_it_has_read(ask_ourselves: Ask) -> None:
    """An answer counts though the question could not be sent to its end."""

    async def refuses(conversation: Conversation) -> None:
        await conversation.say(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n")
        await conversation.left()

    async with wire_server(refuses) as server:
        answer = await ask_ourselves(question(server))
    assert isinstance(answer, HTTPResponse)
    assert answer.status == 413


@pytest.mark.rfc("7662-4-c", "8414-6.1-a")
class TestTLS:
    """RFC 7662 §4 and RFC 8414 §6.1: TLS with a certificate that is checked, or no answer."""

    async def answer(self, asker: Asker, tls: ssl.SSLContext, ca_file: Path | None) -> object:
        """Ask a server that shows a certificate."""
        async with (
            wire_server(keeps_saying(ok()), tls) as server,
            asker(None if ca_file is None else str(ca_file)) as ask,
        ):
            found = [await ask(question(server)) for _ in range(2)]
            # Whoever is not trusted has not been told anything.
            assert all(isinstance(each, HTTPResponse) for each in found) == bool(server.requests)
            return found[0]

    async def test_a_trusted_certificate(self, asker: Asker, tmp_path: Path) -> None:
        """A private authority is trusted where it is configured, and the connection is used again."""
        made = certificate(tmp_path)
        assert isinstance(await self.answer(asker, made.server_context(), made.certificate), HTTPResponse)

    async def test_a_self_signed_certificate(self, asker: Asker, tmp_path: Path) -> None:
        """Anybody can sign a certificate for anything."""
        made = certificate(tmp_path)
        assert await self.answer(asker, made.server_context(), None) == Unavailable("connect")

    @pytest.mark.parametrize("changes", [{"host": "as.example.com"}, {"days": -1}], ids=["another host", "expired"])
    async def test_a_certificate_for_something_else(
        self, asker: Asker, tmp_path: Path, changes: dict[str, Any]
    ) -> None:
        """A certificate is trusted for its host and its time."""
        made = certificate(tmp_path, **changes)
        assert await self.answer(asker, made.server_context(), made.certificate) == Unavailable("connect")

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    async def test_an_old_version(self, asker: Asker, tmp_path: Path) -> None:
        """TLS 1.1 is not spoken, whoever speaks it."""
        made = certificate(tmp_path)
        tls = made.server_context()
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
        tls.set_ciphers("ALL:@SECLEVEL=0")
        assert await self.answer(asker, tls, made.certificate) == Unavailable("connect")


@pytest.mark.parametrize("name", sorted(name for name in ASKERS if "httpx2" not in name))
async def test_respx_sees_every_question(name: str, respx_mock: respx.MockRouter) -> None:
    """Whoever puts himself between httpx and the network is asked, whatever is installed."""
    route = respx_mock.post(INTROSPECTION).respond(200, json={"active": False})
    async with ASKERS[name](None) as ask:
        answer = await ask(asked_by_rs(INTROSPECTION, b"t", SECRET))
    assert isinstance(answer, HTTPResponse)
    assert route.calls.last.request.content == b"token=t&token_type_hint=access_token"


@pytest.mark.attack("A-S-1", "A-S-2")
@pytest.mark.parametrize("script", [says(ok()), says(b""), resets, resets_within, says(MANY_HEADERS)])
async def test_nothing_gets_out(ask: Ask, script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """Neither an outcome nor the log of any library, at its chattiest, holds the token or our secret."""
    caplog.set_level(logging.DEBUG)
    found = await outcome(ask, script)
    told = repr(found) + log_text(caplog)
    assert not any(canary in told for canary in (TOKEN, SECRET))
