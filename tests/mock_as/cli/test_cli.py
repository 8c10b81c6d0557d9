"""The command line: one line when ready, a clean end, and no way in from outside unless it is asked for."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
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
from tests.mock_as.reading import problem

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the command must not listen at unasked


@contextmanager
def served(*options: str, **variables: str) -> Generator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start the command, and give the process with the document of its ready line."""
    command = [sys.executable, "-W", "error", "-m", "mock_as", "serve", "--port", "0", *options]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **variables}
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
        console = f"{ready['admin']}/ui"
        assert log == f"Mock authorization server at {ready['issuer']}, console at {console}; for tests only.\n"


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


@pytest.mark.rfc("as-5")
@pytest.mark.attack("A-S-9")
def test_whoever_listens_outside_must_say_so() -> None:
    """With --allow-remote the server listens at any address, and names one to reach it by."""
    with served("--host", EVERYWHERE, "--allow-remote") as (_, ready):
        assert httpx.URL(ready["issuer"]).host == "127.0.0.1"
        assert httpx.get(f"{ready['issuer']}/jwks").status_code == 200


def test_configuration_arrives(tmp_path: Path) -> None:
    """A file and the environment configure the server, and options have the last word."""
    file = tmp_path / "mock_as.toml"
    file.write_text('lifetime = 60\naudience = "https://file.example.test"\n[[users]]\nsub = "dave"\n')
    variables = {"MOCK_AS_LIFETIME": "120", "MOCK_AS_TOKEN_FORMAT": "opaque"}
    with served("--config", str(file), "--token-format", "jwt", "--no-admin", **variables) as (_, ready):
        assert ready["admin"] is None
        form = {"grant_type": "client_credentials"}
        answer = httpx.post(f"{ready['issuer']}/token", data=form, auth=("svc", "svc-secret")).json()
        assert answer["expires_in"] == 120
        assert answer["access_token"].count(".") == 2
        assert httpx.post(f"{ready['issuer']}/_mock/tokens", json={}).status_code == 404


def test_control_plane_at_a_port_of_its_own() -> None:
    """With --admin-port the control plane is at that port alone, and the endpoints of OAuth at the other."""
    with served("--admin-port", "0") as (process, ready):
        issuer, admin = ready["issuer"], ready["admin"].removesuffix("/_mock")
        assert httpx.URL(issuer).port != httpx.URL(admin).port
        assert httpx.post(f"{admin}/_mock/tokens", json={}).status_code == 201
        assert httpx.get(f"{issuer}/jwks").status_code == 200
        for url in (f"{admin}/jwks", f"{issuer}/_mock/tokens", f"{issuer}/_mock"):
            assert problem(httpx.get(url))["status"] == 404
        for url in (issuer, admin):
            assert httpx.get(f"{url}/_mock/health").json()["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_tls() -> None:
    """With --tls the issuer is an https URL, and the ready line brings the certificate that a client has to trust."""
    with served("--tls") as (process, ready):
        trust = ssl.create_default_context(cadata=ready["ca"])
        assert httpx.URL(ready["issuer"]).scheme == "https"
        assert httpx.get(f"{ready['issuer']}/jwks", verify=trust).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process."""
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.rfc("as-5")
@pytest.mark.attack("A-S-9")
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
        (["--lifetime", "0"], "lifetime: 0 is less than 1"),
        (["--profile", "strickt"], "profile: 'strickt' is unknown; did you mean 'strict'?"),
        (["--config", "nowhere.toml"], "nowhere.toml: cannot be read: No such file or directory"),
        (["--keys", "nowhere.pem"], "cannot be read"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    """A wrong option ends the command with status 2 and names what is wrong with it."""
    status, output, log = run("serve", *arguments)
    assert (status, output) == (2, "")
    assert message in log


def test_check(tmp_path: Path) -> None:
    """A good configuration is status 0, with what it says; a bad one is status 2, with everything that is wrong."""
    file = tmp_path / "mock_as.toml"
    file.write_text("lifetime = 60\n[[faults]]\nendpoint = 'jwks'\nstatus = 503\n")
    assert run("check", str(file)) == (0, "", "The configuration is good. It says: faults, lifetime.\n")
    assert run("check") == (0, "", "The configuration is good. It says: nothing, so every default holds.\n")
    file.write_text("lifetme = 60\n[[clients]]\nid = 'a'\nscpoes = []\n")
    status, output, log = run("check", str(file))
    assert (status, output) == (2, "")
    problems = {
        "clients[0].scpoes: is unknown; did you mean 'scopes'?",
        "lifetme: is unknown; did you mean 'lifetime'?",
    }
    assert all(problem in log for problem in problems)
    file.write_text("[[faults]]\nendpoint = 'jwsk'\n")
    assert run("check", str(file))[2].startswith("mock-as: faults[0].endpoint: 'jwsk' is unknown; did you mean 'jwks'?")


def test_schema() -> None:
    """The JSON Schema is one document on standard output."""
    status, output, log = run("check", "--schema")
    schema = json.loads(output)
    assert (status, log) == (0, "")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["clients"]["items"]["$ref"] == "#/$defs/Client"


def test_commands_load_no_server() -> None:
    """The commands that only ask load neither a server nor a framework: a health check is over at once."""
    unwanted = ["authlib", "fastapi", "httpx", "joserfc", "pydantic", "uvicorn"]
    code = f"import sys, mock_as.cli; print(*(name for name in {unwanted} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_no_arguments_is_help() -> None:
    """Whoever knows nothing is told which commands there are."""
    _, output, log = run()
    assert "serve" in output + log
