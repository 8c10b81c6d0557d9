"""The Flask adapter behind real servers on real sockets: gunicorn in its ways to work, Werkzeug's and the library's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from werkzeug.serving import make_server as make_werkzeug_server

from tests.blocking.test_forking import noting
from tests.support.blocking import PATIENCE, outcomes, run
from tests.support.live import connection, end, exchange, request
from tests.support.promises import assert_refused

ROOT = Path(__file__).parents[2]
LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn needs fork")


def bearer(token: str) -> bytes:
    """Write the field."""
    return b"Authorization: Bearer " + token.encode()


@contextmanager
def gunicorn(url: str, *how: str) -> Generator[int]:
    """Run gunicorn on the application for the length of a block, and yield its port."""
    command = [sys.executable, "-m", "gunicorn", "tests.flask.served:app", "-b", "127.0.0.1:0", *how]
    with subprocess.Popen(
        [*command, "--no-control-socket", "--graceful-timeout", "2"],
        cwd=ROOT,
        env={**os.environ, "INTROSPECTION": url, "PYTHONWARNINGS": "default"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        found = next((match for line in process.stderr if (match := LISTENING.search(line))), None)
        reading = threading.Thread(target=process.stderr.read, daemon=True)
        reading.start()
        try:
            assert found is not None, "gunicorn did not start"
            yield int(found.group(1))
        finally:
            end(process)
            reading.join(PATIENCE)


class Threaded(ThreadingMixIn, WSGIServer):
    """The library's server, with a thread for each connection."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@contextmanager
def served(url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """Import the application anew, for an authorization server of its own, and close its connections in the end."""
    monkeypatch.setenv("INTROSPECTION", url)
    monkeypatch.delitem(sys.modules, "tests.flask.served", raising=False)
    from tests.flask.served import app, server  # noqa: PLC0415 - configured by its environment when it is imported

    with server:
        yield app


@contextmanager
def running(server: Any) -> Generator[int]:
    """Run a server in a thread for the length of a block, and yield its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def smoke(port: int) -> None:
    """Assert what holds behind every server."""
    assert_refused(exchange(port, request()), 401, scope="read")
    assert exchange(port, request("GET", "/things", bearer("warm"))).json()["subject"] == "subject of warm"
    head = exchange(port, request("HEAD", "/things"), method="HEAD")
    assert (head.status, head.body) == (401, b"")
    for lines in ([bearer("a"), bearer("a")], [bearer("a"), b"authorization: Basic b"], [b"Authorization: Bearer a,b"]):
        assert_refused(exchange(port, request("GET", "/things", *lines)), 400, "invalid_request")
    for odd in (b"Authorization: Bearer \xff\xfe", b"Authorization: Bearer a\x00b"):
        assert exchange(port, request("GET", "/things", odd)).status in (400, 401)
    folded = exchange(port, request("GET", "/things", b"Authorization: Bearer\r\n folded"))
    assert folded.status == 400 or folded.json().get("subject") in (None, "subject of folded")
    body = b"x" * 10
    sent = exchange(port, request("POST", "/things", bearer("warm"), b"Content-Length: 10", body=body))
    assert sent.json()["bytes"] == len(body)


def refuses_a_long_body(port: int) -> None:
    """Assert that the 401 comes while the body is still to come."""
    with connection(port) as wire:
        wire.send(request("POST", "/things", b"Content-Length: 60000000"))
        assert_refused(wire.read(), 401, scope="read")


def statuses(port: int, token: str, times: int) -> list[int | BaseException]:
    """Present a token several times at once."""
    asked = request("GET", "/things", bearer(token))
    return outcomes([run(lambda: exchange(port, asked).status) for _ in range(times)])


@pytest.mark.attack("A-R-2", "A-R-3", "A-R-8", "A-F-2")
def test_threads() -> None:
    """Behind gunicorn's threads what one has found out the others know, and what one revokes is refused by all."""
    with (
        noting() as authorization_server,
        gunicorn(authorization_server.url, "-k", "gthread", "--threads", "8") as port,
    ):
        smoke(port)
        refuses_a_long_body(port)
        assert statuses(port, "shared", 16) == [200] * 16
        assert sum(tokens.count("shared") for tokens in authorization_server.tokens.values()) == 1
        assert exchange(port, request("POST", "/revoke", bearer("shared"), b"Content-Length: 0")).status == 200
        assert statuses(port, "shared", 8) == [401] * 8


@pytest.mark.attack("A-R-2", "A-F-2", "A-C-14")
def test_forked_workers() -> None:
    """Workers that are forked off a loaded application each answer, over connections of their own."""
    with noting() as authorization_server, gunicorn(authorization_server.url, "-w", "3", "--preload") as port:
        smoke(port)
        refuses_a_long_body(port)
        found: set[int] = set()
        for number in range(400):
            answer = exchange(port, request("GET", "/things", bearer(f"token-{number % 20}")))
            assert answer.json()["subject"] == f"subject of token-{number % 20}"
            found.add(answer.json()["process"])
            if len(found) > 1 and number > 20:
                break
        assert len(found) > 1


def test_library_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the library's own server, which tells no path as it was sent, everything is the same."""
    monkeypatch.setattr("wsgiref.simple_server.ServerHandler.http_version", "1.1")  # as the tests' client expects
    with (
        noting() as authorization_server,
        served(authorization_server.url, monkeypatch) as app,
        running(make_server("127.0.0.1", 0, app, Threaded, Quiet)) as port,
    ):
        smoke(port)


def test_development_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so it is behind the one that ``flask run`` starts."""
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *_: None)
    with (
        noting() as authorization_server,
        served(authorization_server.url, monkeypatch) as app,
        running(make_werkzeug_server("127.0.0.1", 0, app, threaded=True)) as port,
    ):
        smoke(port)
