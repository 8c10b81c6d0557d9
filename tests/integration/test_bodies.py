"""A caller without a token is answered at once, whatever body it sends, sends slowly, or never sends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.integration.conftest import Live
from tests.support.fastapi_app import READER
from tests.support.live import connection, exchange, request
from tests.support.live_api import PREFIXES
from tests.support.promises import assert_refused

pytestmark = pytest.mark.attack("A-F-1", "A-F-2")

ROOT = Path(__file__).parents[2]
JSON = b"Content-Type: application/json"
MULTIPART = b"Content-Type: multipart/form-data; boundary=b"
LARGE = 60 * 1024 * 1024
PIECE = b"x" * 65_536
AUTHORIZED = b"Authorization: Bearer " + READER.encode()


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("path", "fields", "body"),
    [
        ("/things", [JSON, b"Content-Length: 5"], b'{"n":'),
        ("/things", [JSON, b"Content-Length: 10"], b'{"n":"\xff\xfe"'),
        ("/things", [JSON, b"Content-Length: 2"], b"{}"),
        ("/uploads", [MULTIPART, b"Content-Length: 5"], b"--b\r\n"),
        ("/things", [JSON, b"Content-Length: 100"], b'{"n":'),
        ("/things", [JSON, f"Content-Length: {LARGE}".encode()], b'{"n":"' + PIECE * 4),
        ("/uploads", [MULTIPART, f"Content-Length: {LARGE}".encode()], PIECE * 4),
        ("/things", [JSON, b"Transfer-Encoding: chunked"], b'6\r\n{"n":"\r\n'),
        ("/things", [JSON, b"Content-Length: 100", b"Expect: 100-continue"], b""),
    ],
    ids=[
        "malformed JSON",
        "not UTF-8",
        "invalid JSON",
        "malformed multipart",
        "cut",
        "60 MB",
        "60 MB upload",
        "endless",
        "100-continue",
    ],
)
def test_answered_at_once(prefix: str, path: str, fields: list[bytes], body: bytes, live: Live) -> None:
    """The 401 is there while the body is not, on every kind of route; no byte of it is asked for."""
    answer = live.send("POST", prefix + path, *fields, body=body)
    assert_refused(answer, 401, scope="read")


def test_beside_an_open_websocket(live: Live) -> None:
    """A WebSocket that is open at the time changes nothing, and is left alone."""
    with connect(f"ws://127.0.0.1:{live.port}/feed", additional_headers={"Authorization": f"Bearer {READER}"}) as feed:
        for prefix in PREFIXES:
            refused = live.send("POST", f"{prefix}/things", JSON, b"Transfer-Encoding: chunked", body=b"1\r\n{\r\n")
            assert_refused(refused, 401, scope="read")
            feed.send(prefix)
            assert feed.recv() == prefix


def test_let_in(live: Live) -> None:
    """With a token the body is read, whole, however it comes."""
    content = json.dumps({"n": "x" * 200_000}).encode()
    fields = [JSON, AUTHORIZED, f"Content-Length: {len(content)}".encode()]
    whole = live.send("POST", "/things", *fields, body=content)
    assert (whole.status, whole.json()) == (200, "x" * 200_000)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (content[:1000], content[1000:])) + b"0\r\n\r\n"
    chunked = live.send("POST", "/included/things", JSON, AUTHORIZED, b"Transfer-Encoding: chunked", body=chunks)
    assert (chunked.status, chunked.json()) == (200, "x" * 200_000)
    malformed = live.send("POST", "/mounted/things", JSON, AUTHORIZED, b"Content-Length: 1", body=b"{")
    assert malformed.status == 422


def test_connection_goes_on(live: Live) -> None:
    """A refused request whose body was complete leaves a connection that can be used again."""
    with connection(live.port) as wire:
        wire.send(request("POST", "/things", JSON, b"Content-Length: 2", body=b"{}"))
        assert_refused(wire.read(), 401, scope="read")
        wire.send(request("GET", "/things", AUTHORIZED))
        assert wire.read().status == 200


def peak_memory(pid: int) -> int:
    """Return the most memory a process has ever had resident, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


@contextmanager
def child(http_protocol: str) -> Generator[tuple[int, int]]:
    """Serve the API as a process of its own; yield its process id and port."""
    command = [sys.executable, "-m", "tests.support.live_api", http_protocol]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
@pytest.mark.parametrize("http_protocol", ["h11", "httptools"])
def test_memory(http_protocol: str) -> None:
    """Sixty megabytes that come without a token are not kept: the server's peak memory grows by a few at most."""
    fields = [JSON, f"Content-Length: {LARGE}".encode()]
    with child(http_protocol) as (pid, port):
        for _ in range(20):
            assert_refused(exchange(port, request("POST", "/things", *fields), PIECE), 401, scope="read")
        before = peak_memory(pid)
        answer = exchange(port, request("POST", "/things", *fields), *[PIECE] * (LARGE // len(PIECE)))
        assert_refused(answer, 401, scope="read")
        assert peak_memory(pid) - before < 4 * 1024 * 1024
