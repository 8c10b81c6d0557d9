"""The command line: one line when ready, a clean end, and no way in from outside unless it is asked for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mock_as.cli import app

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the command must not listen at unasked


@contextmanager
def served(*options: str) -> Generator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start the command, and give the process with the document of its ready line."""
    command = [sys.executable, "-W", "error", "-m", "mock_as", "serve", "--port", "0", *options]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_and_clean_end(number: signal.Signals) -> None:
    """Standard output has one line of JSON, written when connections are accepted; a signal ends all with status 0."""
    with served() as (process, ready):
        assert set(ready) == {"ready", "issuer", "admin", "pid"}
        assert ready["ready"] is True
        assert ready["pid"] == process.pid
        assert ready["admin"] == f"{ready['issuer']}/_mock"
        metadata = httpx.get(f"{ready['issuer']}/.well-known/oauth-authorization-server").json()
        assert metadata["issuer"] == ready["issuer"]
        assert httpx.get(f"{ready['admin']}/health").json()["status"] == "ok"
        process.send_signal(number)
        rest, log = process.communicate(timeout=PATIENCE)
        assert (process.returncode, rest) == (0, "")
        assert log == f"Mock authorization server at {ready['issuer']}; for tests only.\n"


def test_signal_ends_what_hangs() -> None:
    """A connection that a fault leaves hanging does not keep the process from ending."""
    with served() as (process, ready):
        httpx.post(f"{ready['admin']}/faults", json={"endpoint": "jwks", "action": "hang"})
        with socket.create_connection(("127.0.0.1", httpx.URL(ready["issuer"]).port or 0)) as connection:
            connection.sendall(b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while httpx.get(f"{ready['admin']}/requests/count").json()["count"] == 0:
                pass
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0


def test_options_arrive() -> None:
    """Issuer, audience, seed and format are those that were asked for."""
    options = ["--issuer", "https://as.example.test/one", "--audience", "https://rs.example.test"]
    with served(*options, "--seed", "42", "--token-format", "opaque") as (_, ready):
        assert ready["issuer"] == "https://as.example.test/one"
        token = httpx.post(f"{ready['admin']}/tokens").json()
        httpx.post(f"{ready['admin']}/reset")
        again = httpx.post(f"{ready['admin']}/tokens").json()
        assert token["format"] == "opaque"
        assert token["claims"]["aud"] == "https://rs.example.test"
        assert again["token"] == token["token"]
        url = ready["admin"].removesuffix("/_mock")
        assert httpx.get(f"{url}/.well-known/oauth-authorization-server/one").json()["issuer"] == ready["issuer"]


def test_whoever_listens_outside_must_say_so() -> None:
    """With --allow-remote the server listens at any address, and names one to reach it by."""
    with served("--host", EVERYWHERE, "--allow-remote") as (_, ready):
        assert httpx.URL(ready["issuer"]).host == "127.0.0.1"
        assert httpx.get(f"{ready['issuer']}/jwks").status_code == 200


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process."""
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1", "example.com"])
def test_refuses_to_be_reached_from_outside(host: str) -> None:
    """An address that other machines can reach needs a word of consent."""
    status, output, log = run("serve", "--host", host)
    assert (status, output) == (2, "")
    assert log.startswith(f"mock-as: {host} can be reached from other machines")
    assert "--allow-remote" in log


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_taken_port(host: str) -> None:
    """A port where somebody else listens ends the command with status 2 and a reason."""
    with socket.create_server((host, 0)) as other:
        port = other.getsockname()[1]
        status, output, log = run("serve", "--host", host, "--port", str(port))
    assert (status, output) == (2, "")
    assert log == f"mock-as: cannot listen at {host}:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--issuer", "as.example.test"], "issuer: 'as.example.test' is not an http(s) URL"),
        (["--port", "65536"], "65535"),
        (["--token-format", "jwe"], "jwe"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    """A wrong option ends the command with status 2 and names what is wrong with it."""
    status, output, log = run("serve", *arguments)
    assert (status, output) == (2, "")
    assert message in log


def test_no_arguments_is_help() -> None:
    """Whoever knows nothing is told which commands there are."""
    _, output, log = run()
    assert "serve" in output + log
