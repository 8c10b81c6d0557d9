"""Every example starts with one command, and does to the word what that command prints."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO

import httpx
import pytest

from examples.__main__ import EXAMPLES

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
ORDERS = [name for name, example in EXAMPLES.items() if not example.is_mcp]


@contextmanager
def running(name: str) -> Generator[list[str]]:
    """Start an example as a reader would, and end it as Ctrl-C does; give what it has printed."""
    command = [sys.executable, "-m", "examples", name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield list(until_the_end(process.stdout))
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
            assert (process.returncode, errors) == (0, "")


def until_the_end(printed: IO[str]) -> Iterable[str]:
    """Return lines up to the one that says how to end it."""
    for line in printed:
        yield line.rstrip("\n")
        if line.startswith("Ctrl-C"):
            return


def commands(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Return each command of curl that was printed, with the status that it is said to get."""
    pairs = [(re.match(r"# (\d{3}): ", line), after) for line, after in pairwise(lines)]
    return [(int(found[1]), shlex.split(line)) for found, line in pairs if found]


def send(arguments: list[str]) -> httpx.Response:
    """Do what a command of curl would."""
    assert arguments[:2] == ["curl", "-i"]
    url, *rest = arguments[2:]
    options = list(zip(rest[::2], rest[1::2], strict=True))
    headers = [(name, value) for option, text in options if option == "-H" for name, _, value in [text.partition(": ")]]
    body = next((text for option, text in options if option == "-d"), None)
    return httpx.request("GET" if body is None else "POST", url, headers=headers, content=body, trust_env=False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    """An example starts with one command, and every line that it prints to be pasted gets the status beside it."""
    with running(name) as lines:
        found = commands(lines)
        assert len(found) >= 3
        answers = [(status, send(arguments)) for status, arguments in found]
        assert [answer.status_code for _, answer in answers] == [status for status, _ in answers]
        assert all("www-authenticate" in answer.headers for status, answer in answers if status in {401, 403})
        if name == "mcp":
            metadata = next(answer for status, answer in answers if status == 200)
            assert f'resource_metadata="{metadata.url}"' in answers[0][1].headers["www-authenticate"]
            assert metadata.json()["resource"] == str(answers[0][1].url)
        if name in ORDERS:
            holds_orders(answers, str(answers[0][1].url).removesuffix("/orders"), public=name != "fastapi")
    with pytest.raises(httpx.ConnectError):
        send(found[0][1])


def holds_orders(answers: list[tuple[int, httpx.Response]], url: str, *, public: bool) -> None:
    """Assert what all the orders APIs answer."""
    by_status = dict(answers)
    listed, placed = by_status[200].json(), by_status[201].json()
    assert listed == {"caller": "alice", "assurance": "introspected", "orders": []}
    assert (placed["caller"], placed["assurance"]) == ("alice", "introspected")
    if public:
        assert httpx.get(f"{url}/healthz", trust_env=False).json() == {"status": "ok"}


def test_list() -> None:
    """Without a name the examples are listed, and with a wrong one that is the answer, too."""
    for arguments, status in (([], 0), (["coffee"], 2)):
        command = [sys.executable, "-m", "examples", *arguments]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        listed = re.findall(r"^  (\w+) ", result.stdout, re.MULTILINE)
        assert (result.returncode, listed, result.stderr) == (status, list(EXAMPLES), "")
        assert ("There is no example 'coffee'." in result.stdout.splitlines()) is bool(arguments)
