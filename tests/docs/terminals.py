"""Terminals in which pages are played: servers that stay, and a shell in which commands are typed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO

from tests.docs.pages import Block, commands

SHELL = "Third terminal"
READY = {"mock-as": '"ready": true', "uvicorn": "running on"}
"""What a program prints when it can be asked."""
PORTS = {"nginx": "8080", "resource-server": "9100"}
"""The port, as on the pages, of a program that does not say so."""
END = "--- the command has ended"
PATIENCE = 30.0
"""Seconds in which a server that says nothing must listen."""


@dataclass(frozen=True, slots=True)
class Played:
    """One command that was typed."""

    line: str
    promised: str
    """What the page says that it prints."""
    printed: str


def plain(text: str) -> str:
    """Return output without what may differ: ends of lines, ids, durations, the folding of long lines."""
    text = re.sub(r"\burn:uuid:[0-9a-f-]{36}", "urn:uuid:0", text)
    text = re.sub(r"\bin \d+\.\d+s\b", "in 0.00s", text.replace("\r", "").replace("\n  ", " "))
    return re.sub(r'"pid": \d+', '"pid": 0', text).strip()


class Terminals:
    """As many terminals as the pages name.

    Args:
        folder: where they all begin.
        ports: the port that takes the place of each one on the pages.
        environment: what every process sees.
    """

    def __init__(self, folder: Path, ports: dict[str, int], environment: dict[str, str]) -> None:
        self._folder = folder
        self._ports = ports
        self._environment = environment
        self._stack = ExitStack()
        self._servers: dict[str, subprocess.Popen[str]] = {}
        self._shell = self._open("exec bash --norc --noprofile")

    def close(self) -> None:
        """End every process."""
        for process in (*self._servers.values(), self._shell):
            process.terminate()
        self._stack.close()

    def write(self, block: Block) -> None:
        """Write the file that a block shows, into a folder that is there."""
        path = self._folder / str(block.title)
        path.write_text(self._here(block.text), encoding="utf-8")

    def play(self, block: Block) -> list[Played]:
        """Do what a block says, in the terminal that it names.

        Returns:
            Each command that has ended, or has said that it is ready.
        """
        if block.title not in (SHELL, None):
            return [self._serve(block.title, block)]
        return [
            Played(command.line, self._here(command.output), self._type(self._here(command.line)))
            for command in commands(block)
        ]

    def _serve(self, title: str, block: Block) -> Played:
        if block.text.strip() == "^C":
            server = self._servers.pop(title)
            server.send_signal(signal.SIGINT)
            return Played("^C", "0", str(server.wait()))
        *before, last = commands(block)
        script = "\n".join([". .venv/bin/activate", *(command.line for command in before), f"exec {last.line}"])
        server = self._servers[title] = self._open(self._here(script))
        return Played(last.line, self._here(last.output), self._await(server, last.line))

    def _await(self, server: subprocess.Popen[str], line: str) -> str:
        program = line.split(maxsplit=1)[0]
        if program in PORTS:
            _await_port(self._ports[PORTS[program]], server)
            return ""
        printed = iter(_stream(server.stdout).readline, "")
        return next((line for line in printed if READY[program] in line), "it has ended")

    def _type(self, line: str) -> str:
        _stream(self._shell.stdin).write(f"{line}\nprintf '\\n{END} %s\\n' $?\n")
        _stream(self._shell.stdin).flush()
        printed: list[str] = []
        while not (text := _stream(self._shell.stdout).readline()).startswith(END):
            assert text, f"the shell has ended at {line!r}: {printed}"
            printed.append(text)
        assert text == f"{END} 0\n", f"{line!r} has failed: {printed}"
        return "".join(printed)

    def _here(self, text: str) -> str:
        return re.sub(r"\b\d{4}\b", lambda found: str(self._ports.get(found[0], found[0])), text)

    def _open(self, script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["bash", "-c", script],  # noqa: S607 - the user's own
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self._stack.enter_context(process)


def _stream(end: IO[str] | None) -> IO[str]:
    assert end is not None
    return end


def _await_port(port: int, server: subprocess.Popen[str]) -> None:
    """Return as soon as somebody listens at a port."""
    until = monotonic() + PATIENCE
    while server.poll() is None and monotonic() < until:
        with closing(socket.socket()) as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
    assert server.poll() is None, _stream(server.stdout).read()
    raise AssertionError(f"nobody listens at {port}")
