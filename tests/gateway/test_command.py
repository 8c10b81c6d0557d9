"""The command that serves the gateway."""

from __future__ import annotations

import json
import logging.config
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
import uvicorn

from resource_server import cli
from resource_server.events import JSONFormatter
from tests.gateway.door import forwarded
from tests.support.jwt import signing_key
from tests.support.live import end, wait_for

PREFIX = "RESOURCE_SERVER_FORWARD_AUTH_"
NEEDED = {
    "RESOURCE_SERVER_ISSUER": "https://127.0.0.1:1",
    "RESOURCE_SERVER_AUDIENCE": "https://api.example.test",
    "RESOURCE_SERVER_STRATEGY": "jwks",
    "RESOURCE_SERVER_TRUSTED_PROXIES": "127.0.0.1",
}
_PATIENCE = 60.0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Keep how a server would be started, in place of starting one."""
    found: list[dict[str, Any]] = []

    def run(application: str, **options: Any) -> None:
        found.append(options | {"application": application, "environment": dict(os.environ)})

    for name in [name for name in os.environ if name.startswith("RESOURCE_SERVER_")]:
        monkeypatch.delenv(name)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(uvicorn, "run", run)
    return found


def ended(*arguments: str) -> object:
    """Run the command, and return its exit status."""
    with pytest.raises(SystemExit) as ending:
        cli.main(["forward-auth", *arguments])
    return ending.value.code


def test_how_it_is_served(served: list[dict[str, Any]]) -> None:
    """It believes no header about who has sent a request, logs none, and reads its options where workers find them."""
    assert ended("--port", "9000", "--claims", "sub tenant") == 0
    (found,) = served
    assert (found["host"], found["port"], found["uds"], found["workers"]) == ("127.0.0.1", 9000, None, 1)
    assert (found["proxy_headers"], found["access_log"], found["ws"], found["http"]) == (
        False,
        False,
        "none",
        "httptools",
    )
    assert found["environment"][f"{PREFIX}CLAIMS"] == "sub tenant"
    assert found["environment"][f"{PREFIX}CREDENTIAL"] == "strip"
    assert "PROMETHEUS_MULTIPROC_DIR" not in found["environment"]


def test_a_port_that_is_taken(served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server cannot begin it says why, and the status is that of all commands."""

    def fail(*_: object, **__: object) -> None:
        sys.exit(3)

    monkeypatch.setattr(uvicorn, "run", fail)
    assert ended("--port", "9000") == 2
    assert served == []


def test_the_environment(served: list[dict[str, Any]]) -> None:
    """Each option can stand in a variable; several workers count together."""
    os.environ |= {f"{PREFIX}PORT": "9001", f"{PREFIX}WORKERS": "2", f"{PREFIX}UDS": "/tmp/none.sock"}  # noqa: S108 - no file is made
    assert ended("--host", "::1") == 0
    (found,) = served
    assert (found["host"], found["port"], found["workers"], found["uds"]) == ("::1", 9001, 2, "/tmp/none.sock")  # noqa: S108 - as above
    assert not Path(found["environment"]["PROMETHEUS_MULTIPROC_DIR"]).exists()


def test_the_format_of_the_log(served: list[dict[str, Any]]) -> None:
    """The log is text for people, or JSON for programs, that of the server too."""
    assert ended() == 0
    os.environ[f"{PREFIX}LOG_FORMAT"] = "json"
    assert ended() == 0
    for found, kind in zip(served, (logging.Formatter, JSONFormatter), strict=True):
        configured = logging.config.DictConfigurator(found["log_config"])
        formatter = configured.configure_formatter(found["log_config"]["formatters"]["line"])
        assert type(formatter) is kind


def test_a_key_that_nobody_else_has(
    served: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever serves with a key that is made at the start is told so."""
    replacing = ["--credential=replace", "--internal-issuer=https://g.example", "--internal-audience=inner"]
    assert ended(*replacing) == 0
    assert "a key that was made now" in capsys.readouterr().err
    key = tmp_path / "key.json"
    key.write_text(json.dumps(signing_key("ES256").private_jwk()))
    assert ended(*replacing, "--workers=2", f"--signing-keys={key}") == 0
    assert "key" not in capsys.readouterr().err
    assert len(served) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--credential", "drop"], "credential must be one of"),
        (["--log-format", "xml"], "log_format must be one of text, json (got 'xml')"),
        (["--policy", "/nowhere/policy.toml"], "cannot be read"),
        (["--credential", "replace", "--workers", "2"], "credential 'replace' needs internal_issuer"),
        (
            ["--credential", "replace", "--workers", "2", "--internal-issuer", "https://g.example"],
            "credential 'replace' needs internal_audience",
        ),
        (
            [
                "--credential",
                "replace",
                "--workers",
                "2",
                "--internal-issuer",
                "https://g.example",
                "--internal-audience",
                "inner",
            ],
            "several workers need signing_keys",
        ),
    ],
)
def test_what_is_refused(
    arguments: list[str], message: str, served: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Options that cannot be meant end the command before anything is served."""
    assert ended(*arguments) == 2
    assert message in capsys.readouterr().err
    assert served == []


@contextmanager
def running(folder: Path, *arguments: str) -> Generator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run the command at a Unix socket, and give a client of it."""
    path = folder / "gateway.sock"
    main = "from resource_server.cli import main; main()"
    command = [sys.executable, "-c", main, "forward-auth", "--uds", str(path), *arguments]
    with subprocess.Popen(command, env=os.environ | NEEDED, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(process, lambda: _listens(path), lambda: f"it has ended with {process.returncode}")
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://gateway") as client:
                yield process, client
        finally:
            end(process)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_a_process(tmp_path: Path) -> None:
    """A real one answers at its socket, a WebSocket's handshake too, and ends when it is told to."""
    policy = tmp_path / "policy.toml"
    policy.write_text('public = ["/healthz"]')
    with running(tmp_path, "--policy", str(policy)) as (process, client):
        told = {name.decode(): value.decode() for name, value in forwarded("/healthz")}
        assert client.get("/auth", headers=told).status_code == 200
        upgrade = {"connection": "upgrade", "upgrade": "websocket"}
        answer = client.get("/auth", headers=told | {"x-forwarded-uri": "/orders"} | upgrade)
        assert answer.status_code == 401
        assert answer.headers["connection"] == "close"
        assert "server" not in answer.headers
        assert "resource_server_checks_total" in client.get("/metrics").text
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=_PATIENCE)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "authorization_server_unavailable" in logged
    assert "uvicorn" not in logged


def test_several_workers_count_together(tmp_path: Path) -> None:
    """Whichever worker is asked tells what all of them have counted."""
    with running(tmp_path, "--workers", "2") as (process, client):
        for _ in range(20):
            assert client.get("/auth", headers={"connection": "close"}).status_code == 401
        told = client.get("/metrics").text
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)
    assert 'resource_server_checks_total{endpoint="auth",status="401"} 20.0' in told
