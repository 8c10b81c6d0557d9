"""The tutorial is played as it stands: its files are written, its servers run, each command prints what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from typing import IO

import pytest

from resource_server._demo.stage import free_port
from tests.docs.pages import ROOT, Block, blocks, commands

PAGE = "docs/tutorial.md"
SHELL = "Third terminal"
READY = {"First terminal": '"ready": true', "Second terminal": "running on"}
END = "--- the command has ended"


def environment() -> dict[str, str]:
    """Return the environment of somebody who has installed the package and has configured nothing yet."""
    others = ("RESOURCE_SERVER_", "MOCK_AS_", "PYTEST_", "UVICORN_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    places = [str(Path(sys.executable).parent), kept["PATH"]]
    return kept | {"PATH": os.pathsep.join(places), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def plain(text: str) -> str:
    """Return output without what may differ: ends of lines, process ids, the folding of long lines on the page."""
    return re.sub(r'"pid": \d+', '"pid": 0', text.replace("\r", "").replace("\n  ", " ")).strip()


class Terminals:
    """Two terminals with a server each, and one in which commands are typed.

    Args:
        folder: where they all begin.
        ports: the port that takes the place of each one on the page.
    """

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._stack = ExitStack()
        self._servers: dict[str, subprocess.Popen[str]] = {}
        self.shell = self._open("bash --norc --noprofile")

    def close(self) -> None:
        """End every process."""
        for process in (*self._servers.values(), self.shell):
            process.terminate()
        self._stack.close()

    def play(self, block: Block) -> list[tuple[str, str, str]]:
        """Do what a block says.

        Returns:
            Each command, what the page says it prints, and what it has printed.
        """
        if block.title in READY:
            return self._serve(block.title, block)
        pairs = [(command.line, command.output) for command in commands(block)]
        return [(line, self._here(output), self._type(self._here(line))) for line, output in pairs]

    def _serve(self, title: str, block: Block) -> list[tuple[str, str, str]]:
        if "^C" in block.text:
            server = self._servers.pop(title)
            server.send_signal(signal.SIGINT)
            return [("^C", "0", str(server.wait()))]
        *before, last = commands(block)
        script = "\n".join([*(command.line for command in before), f"exec {last.line}"])
        server = self._servers[title] = self._open(self._here(script))
        printed = iter(stream(server.stdout).readline, "")
        ready = next((line for line in printed if READY[title] in line), "it has ended")
        return [(last.line, self._here(last.output) or ready, ready)]

    def _type(self, line: str) -> str:
        stream(self.shell.stdin).write(f"{line}\nprintf '\\n{END}\\n'\n")
        stream(self.shell.stdin).flush()
        printed: list[str] = []
        while (text := stream(self.shell.stdout).readline()) != f"{END}\n":
            assert text, f"the shell has ended at {line!r}: {printed}"
            printed.append(text)
        return "".join(printed)

    def _here(self, text: str) -> str:
        return re.sub(r"\b\d{4}\b", lambda found: str(self._ports.get(found[0], found[0])), text)

    def _open(self, script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {script}" if script.startswith("bash") else script],  # noqa: S607 - the user's own
            cwd=self._folder,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self._stack.enter_context(process)


def stream(end: IO[str] | None) -> IO[str]:
    """Return one end of a pipe, which is there."""
    assert end is not None
    return end


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    """Open three terminals."""
    missing = [program for program in ("bash", "curl") if which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    opened = Terminals(tmp_path, {"8000": free_port(), "9000": free_port()})
    try:
        yield opened
    finally:
        opened.close()


def test_the_tutorial_is_true(terminals: Terminals, tmp_path: Path) -> None:
    """Each command of the tutorial prints what the page says it prints, from the first to the last."""
    played: list[str] = []
    last = ""
    for block in blocks(PAGE, "python", "console"):
        if block.language == "python":
            (tmp_path / str(block.title)).write_text(block.text, encoding="utf-8")
        elif block.title is not None:
            for line, promised, printed in terminals.play(block):
                played.append(line)
                assert not promised or plain(printed) == plain(promised), f"{block}: {line}"
                last = printed
    assert len(played) > 20
    assert re.search(r"^3 passed", last, re.MULTILINE), last
