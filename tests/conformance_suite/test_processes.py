"""What the suite starts, waits for and ends; and what it says where that does not work."""

from __future__ import annotations

import json
import os
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from resource_server.conformance import processes, run
from resource_server.conformance.authorization_server import AuthorizationServer
from resource_server.conformance.errors import SuiteError
from resource_server.conformance.processes import mock_authorization_server, started, variables
from resource_server.conformance.run import Plan, open_stand
from resource_server.conformance.target import AUDIENCE, Target, read_target
from resource_server.conformance.wire import Connection, free_port
from tests.conformance_suite.small_server import SmallServer
from tests.conformance_suite.stands import served
from tests.support.live import PATIENCE
from tests.support.sockets import ok, raw_server

SERVE = """
import http.server, json, os, sys, pathlib, subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("told.json").write_text(json.dumps({"environment": dict(os.environ), "pids": [os.getpid(), child.pid]}))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def described(folder: Path, *words: str, **members: Any) -> Target:
    """Describe a target with a command."""
    return read_target({"target": {"start": ["{python}", *words], **members}, "routes": {"read": "/"}}, folder)


class Watched:
    """The processes that a target has told of, watched until they end."""

    def __init__(self, folder: Path) -> None:
        self.environment, pids = json.loads((folder / "told.json").read_text()).values()
        self._processes = [os.pidfd_open(pid) for pid in pids]

    def ended(self) -> bool:
        """Wait until all have ended, and tell whether they have."""
        try:
            return all(select.select([process], [], [], PATIENCE)[0] for process in self._processes)
        finally:
            for process in self._processes:
                os.close(process)


def test_a_target_is_started_with_what_it_must_know_and_ended_with_all_it_has_started(
    tmp_path: Path, issuer: str
) -> None:
    """The environment says whom to trust; at the end none of its processes is left."""
    (tmp_path / "serve.py").write_text(SERVE)
    target = described(tmp_path, "serve.py", "{port}", environment={"MORE": "at {port}"})
    server = AuthorizationServer(issuer)
    with started(target, server) as ready:
        port = ready.url.rpartition(":")[2]
        watched = Watched(tmp_path)
    expected = variables(server, AUDIENCE, int(port)) | {"MORE": f"at {port}"}
    assert {name: watched.environment[name] for name in expected} == expected
    assert expected["RESOURCE_SERVER_ISSUER"] == expected["ISSUER"] == issuer
    assert watched.ended()


def test_a_target_that_ends_is_told_with_what_it_has_printed(tmp_path: Path, issuer: str) -> None:
    """Its own words say best what is wrong with it."""
    target = described(tmp_path, "-c", "raise SystemExit('no such setting')")
    with (
        pytest.raises(SuiteError, match=r"does not answer at .*no such setting"),
        started(target, AuthorizationServer(issuer)),
    ):
        pass


def test_a_target_that_never_serves_is_given_up(tmp_path: Path, issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that was said to run, and does not."""
    monkeypatch.setattr(processes, "_PATIENCE", 0.1)
    target = described(tmp_path, "-c", "import time; time.sleep(60)")
    server = AuthorizationServer(issuer)
    for one in (target, replace(target, start=())):
        with pytest.raises(SuiteError, match="does not answer"), started(one, server):
            pass


def test_a_command_that_does_not_exist_is_told(tmp_path: Path, issuer: str) -> None:
    """Its name is in the message."""
    target = replace(described(tmp_path), start=("no-such-command-anywhere",))
    with (
        pytest.raises(SuiteError, match="no-such-command-anywhere cannot be started"),
        started(target, AuthorizationServer(issuer)),
    ):
        pass


def test_a_process_that_does_not_want_to_end_is_killed(
    tmp_path: Path, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while it is asked no more."""
    monkeypatch.setattr(processes, "_GRACE", 0.1)
    (tmp_path / "serve.py").write_text("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE)
    with started(described(tmp_path, "serve.py", "{port}"), AuthorizationServer(issuer)):
        watched = Watched(tmp_path)
    assert watched.ended()


def test_the_mock_is_started_at_the_port_that_is_asked_for() -> None:
    """Servers that run already can be configured for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with mock_authorization_server("https://orders.example.test", port) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        assert server.endpoints()["issuer"] == server.url


def test_the_mock_is_no_one_elses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables that are for another mock, nor modules in the folder of whoever runs the suite, are read."""
    monkeypatch.setenv("MOCK_AS_ADMIN_TOKEN", "another's")
    (tmp_path / "mock_as.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with mock_authorization_server(AUDIENCE) as server:
        assert server.mint({}).text


def test_a_target_that_prints_escape_sequences_is_told_without(tmp_path: Path, issuer: str) -> None:
    """What a process has printed is shown line by line, and can do nothing but be read."""
    target = described(tmp_path, "-c", "print('one\\x1b[2J\\ntwo')")
    with pytest.raises(SuiteError) as ending, started(target, AuthorizationServer(issuer)):
        pass
    assert str(ending.value).endswith(": one\\x1b[2J\ntwo")


def test_a_mock_that_does_not_start_is_told() -> None:
    """A port that is taken is named by the mock itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(SuiteError, match="authorization server does not start"),
            mock_authorization_server(AUDIENCE, port),
        ):
            pass


def test_what_is_no_mock_is_told(issuer: str) -> None:
    """An answer that is none of the control plane's ends the suite."""
    with pytest.raises(SuiteError, match="answered GET /version: 404"):
        AuthorizationServer(f"{issuer}/nowhere").endpoints()


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_a_server_of_somebody_else_is_told(body: bytes) -> None:
    """Who answers everything with a page is no control plane either."""
    with raw_server(ok(body)) as other, pytest.raises(SuiteError, match="answered GET /version: 200"):
        AuthorizationServer(f"http://127.0.0.1:{other.port}").endpoints()


def test_an_answer_that_drips_comes_to_an_end() -> None:
    """A byte now and then is no reason to wait for the next: all of an answer has its time, too."""
    gone = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
                while not gone.wait(0.01):
                    connection.sendall(b"x")

        dripping = pool.submit(drip)
        answer = Connection(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.5).send("GET", "/")
        gone.set()
        dripping.result(PATIENCE)
    assert answer.text == "no response (nothing came in time)"


def test_a_target_that_lets_nobody_in_is_not_judged(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All refusals would be right, and would say nothing."""
    monkeypatch.setattr(run, "_FIRST", 0.1)
    with served(SmallServer, issuer, routes={"read": "/things"}) as target:
        plan = Plan(target, issuer)
        with pytest.raises(SuiteError, match="lets no good token in; it answers 403"), open_stand(plan):
            pass


def test_an_answer_that_is_no_http_is_no_answer() -> None:
    """A connection that ends, or that says something else, is told as such."""
    assert Connection("http://127.0.0.1:1").send("GET", "/").text == "no response (ConnectionRefusedError)"


def test_a_port_that_is_taken_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried, and it can be listened at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        free = free_port()
        ports = iter((taken, free))
        monkeypatch.setattr("secrets.choice", lambda _: next(ports))
        assert free_port() == free
    assert free in range(20_000, 30_000)
