"""The demo as a whole: real processes, a real kill, and every row as expected."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from resource_server import Settings, cli
from resource_server._demo.exchange import DemoError
from resource_server._demo.play import play
from resource_server._demo.rows import Row
from resource_server._demo.stage import Stage, api_variables, open_stage
from resource_server._demo.story import STORY

COMMAND = str(Path(sys.executable).with_name("resource-server"))
HOSTILE = {"RESOURCE_SERVER_AUDIENCE": "https://other.example.test", "RESOURCE_SERVER_STRATEGY": "jwks"}
WHO = {"AS", "cache", "JWKS", "nobody"}


@pytest.fixture
def somebodys_folder(tmp_path: Path) -> Path:
    """Return a folder whose .env configures another service."""
    lines = [f"{name}={value}\n" for name, value in HOSTILE.items()]
    (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def listens(url: str) -> bool:
    """Tell whether anybody accepts a connection at this URL."""
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def test_every_row_is_as_expected(somebodys_folder: Path) -> None:
    """The demo plays the whole story as it was written, also where another service is configured, and ends with 0."""
    result = subprocess.run(
        [COMMAND, "demo", "--json"],
        cwd=somebodys_folder,
        env={**os.environ, **HOSTILE},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stderr == ""
    rows = json.loads(result.stdout)
    assert [row["surprises"] for row in rows] == [[] for _ in STORY]
    assert [row["status"] for row in rows] == [step.expected.status for step in STORY]
    assert {row["answered"] for row in rows} == WHO
    assert result.returncode == 0


def test_story_tells_what_was_promised() -> None:
    """The script holds each kind of token and each kind of outage, in this order."""
    told = [(step.method, step.path, step.expected.status, step.expected.answered) for step in STORY]
    assert told == [
        ("GET", "/orders", 401, "nobody"),
        ("GET", "/orders", 200, "AS"),
        ("GET", "/orders", 200, "cache"),
        ("GET", "/orders", 200, "AS"),
        ("POST", "/orders", 403, "cache"),
        ("GET", "/orders", 401, "AS"),
        ("GET", "/orders", 401, "AS"),
        ("GET", "/orders", 200, "cache"),
        ("GET", "/orders", 401, "AS"),
        ("POST", "/orders", 401, "nobody"),
        ("POST", "/orders", 422, "AS"),
        ("POST", "/orders", 201, "cache"),
        ("GET", "/admin/orders", 404, "AS"),
        ("GET", "/orders", 200, "JWKS"),
        ("GET", "/orders", 200, "JWKS"),
        ("GET", "/orders", 200, "cache"),
        ("GET", "/orders", 401, "nobody"),
        ("GET", "/orders/live", 503, "nobody"),
        ("GET", "/orders", 200, "AS"),
    ]


def test_notes_are_honest_about_the_cache() -> None:
    """What the story and its commands say of the cache is how the API runs: nothing but the default."""
    promise = f"cache_ttl, here {Settings.model_fields['cache_ttl'].default:g} s"
    assert [step.title for step in STORY if promise in step.note] == ["the same JWT, revoked"]
    assert not any("CACHE" in name for name in api_variables("http://127.0.0.1:1", "https://api.example.test"))


def test_table_of_the_whole_story(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has every row, and none of them is marked."""
    assert cli.demo.run_demo(serve=False, as_json=False) == 0
    shown = capsys.readouterr()
    assert f"{len(STORY)} requests, all as expected" in shown.out
    assert [line.split("│")[1].strip() for line in shown.out.splitlines() if "│ ok" in line] == ["ok"] * len(STORY)
    assert shown.err == ""


def test_surprise_in_a_real_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An API that takes itself for another one refuses the tokens: the rows say so, and the status is 1."""
    stages: list[Stage] = []

    def beginning(stage: Stage) -> Iterator[Row]:
        stages.append(stage)
        return play(stage, STORY[:2])

    monkeypatch.setattr(cli.demo, "open_stage", partial(open_stage, audience="https://other.example.test"))
    monkeypatch.setattr(cli.demo, "play", beginning)
    assert cli.demo.run_demo(serve=False, as_json=True) == 1
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert rows[0]["surprises"] == []
    assert "status is 401, not 200" in rows[1]["surprises"]
    assert "--- the orders API printed\n" in shown.err
    assert [listens(stages[0].issuer), listens(stages[0].api_url)] == [False, False]


def test_server_that_dies_is_noticed() -> None:
    """Serving ends when one of the servers does, and says which."""

    def serve() -> None:
        with open_stage() as stage:
            os.kill(stage.api.pid, signal.SIGKILL)
            stage.wait()

    with pytest.raises(DemoError, match=r"^the orders API has ended\n--- "):
        serve()


def test_pasted_commands(tmp_path: Path) -> None:
    """While the demo serves, every command it prints gets the status it names; a Ctrl-C ends it and leaves nothing."""
    serving = subprocess.Popen([COMMAND, "demo", "--serve"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    try:
        commands = list(read_commands(serving.stdout))
        statuses = [(named, paste(command)) for named, command in commands]
    finally:
        serving.send_signal(signal.SIGINT)
        rest = serving.communicate(timeout=30)[0]
    assert statuses == [(200, 200), (401, 401), (403, 403), (201, 201), (200, 200)]
    assert rest == ""
    assert serving.returncode == 0
    urls = {url for _, command in commands for url in re.findall(r"http://[0-9.:]+", command)}
    assert len(urls) == 2
    assert [listens(url) for url in urls] == [False, False]


def read_commands(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Read the commands that the demo prints, each after the status that it should get."""
    for _ in range(5):
        comment = next(line for line in lines if line.startswith("# "))
        yield int(comment[2:5]), next(lines)


def paste(command: str) -> int:
    """Run a curl command as a shell would, and return the status it gets; without curl, send what it says."""
    arguments = shlex.split(command)
    if shutil.which("curl") is None:
        return send(arguments)
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=True)
    return int(result.stdout.split()[1])


def send(arguments: list[str]) -> int:
    """Send what a curl command says."""
    assert arguments[:2] == ["curl", "-i"]
    url, *options = arguments[2:]
    pairs = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in pairs if name == "-H")
    bodies = [value for name, value in pairs if name == "-d"]
    method = "POST" if bodies else "GET"
    return httpx.request(method, url, headers=headers, content="".join(bodies), trust_env=False).status_code
