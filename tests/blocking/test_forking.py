"""Servers that are made before a fork and used after it, as gunicorn does with ``preload_app``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast
from urllib.parse import parse_qs

import pytest

from tests.support.blocking import PATIENCE
from tests.support.play import active_members
from tests.support.valkey import Valkey

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.attack("A-C-14"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
]


class Introspection(BaseHTTPRequestHandler):
    """Says yes to every token, and notes over which connection it came."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers["content-length"]))
        token = parse_qs(body.decode())["token"][0]
        cast("Noting", self.server).tokens[self.client_address[1]].append(token)
        answer = json.dumps(active_members(sub=f"subject of {token}")).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
        """Say nothing."""


class Noting(ThreadingHTTPServer):
    """An authorization server that notes what came over each connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Introspection)
        self.tokens: defaultdict[int, list[str]] = defaultdict(list)

    @property
    def url(self) -> str:
        """Where to introspect."""
        return f"http://127.0.0.1:{self.server_port}/introspect"


@contextmanager
def noting() -> Generator[Noting]:
    """Run the server for the length of a block."""
    with Noting() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE)


def play(scenario: str, server: Noting | Valkey) -> tuple[int, Any]:
    """Run a scenario, and return its process and what it found."""
    # Python warns of every fork of a process that has threads: which is what this is about.
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-m", "tests.blocking.forking"]
    done = subprocess.run(
        [*command, scenario, server.url], cwd=ROOT, capture_output=True, text=True, check=False, timeout=5 * PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, "")
    pid, found = json.loads(done.stdout)
    return pid, found


def assert_no_connection_is_shared(server: Noting) -> None:
    """Each connection was used by one process only."""
    for tokens in server.tokens.values():
        assert len({token.rpartition("-")[2] for token in tokens if token != "warm"}) == 1


def test_a_server_made_before_a_fork() -> None:
    """Children keep what is known, ask over connections of their own, and close none of the parent's."""
    with noting() as server:
        pid, found = play("prefork", server)
    for warm, own in found["children"]:
        assert warm == "subject of warm"
        assert re.fullmatch(r"subject of child-\d+", own)
        assert own != f"subject of child-{pid}"
    assert found["parent"] == f"subject of after-{pid}"
    asked = [token for tokens in server.tokens.values() for token in tokens]
    assert asked.count("warm") == 1
    assert len(server.tokens) == 4
    assert_no_connection_is_shared(server)


def test_a_fork_while_threads_are_at_work() -> None:
    """A child never waits for a lock that a thread held which it does not have."""
    with noting() as server:
        assert play("busy", server)[1] == ["subject of token-of-the-child"]


def test_a_fork_while_a_question_is_under_way() -> None:
    """A child asks itself what the parent is about to learn."""
    with noting() as server:
        assert play("in_flight", server)[1] == ["subject of token"] * 2


def test_event_loops_and_forks() -> None:
    """Every event loop has connections of its own, in the parent and in a child, in one thread and in several."""
    with noting() as server:
        pid, (before, child, after) = play("loops", server)
    assert (before, after) == (f"subject of before-{pid}", f"subject of after-{pid}")
    assert [re.sub(r"-\d+$", "", subject) for subject in child] == [f"subject of child{number}" for number in range(3)]
    assert_no_connection_is_shared(server)


def test_the_workers_of_multiprocessing() -> None:
    """Workers that were forked off a used server work with it."""
    with noting() as server:
        assert play("pool", server)[1] == ["subject of "]
    assert_no_connection_is_shared(server)


def test_a_store_and_forks(tmp_path: Path) -> None:
    """Children find in the store what the parent has put there, over connections of their own."""
    with Valkey(tmp_path) as server:
        found = play("store", server)[1]
    assert [questions for _, questions in found] == [1] * 4
    assert len({subject for subject, _ in found}) == 1
