"""Terminals in which pages are played: servers that stay, and a shell in which commands are typed."""

from __future__ import annotations

import re
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.docs.pages import Block, commands
from tests.support.live import end, listens, wait_for

SHELL = "Third terminal"
READY = {"mock-as": '"ready": true', "uvicorn": "running on"}
"""What a program prints when it can be asked."""
PORTS = {"nginx": "8080", "resource-server": "9100"}
"""The port, as on the pages, of a program that does not say so."""
END = "--- the command has ended"


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
            end(process)
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
            port = self._ports[PORTS[program]]
            wait_for(server, lambda: listens(port), lambda: _printed(server))
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


def _stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _printed(process: subprocess.Popen[str]) -> str:
    """Return all that a process has printed; what it prints while it runs has no end."""
    return "it runs" if process.poll() is None else _stream(process.stdout).read()
