"""Programs of Node.js that nobody here wrote, as child processes of a test."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PATIENCE = 20.0
"""Seconds after which a test gives up on a child."""


def command(script: str, package: str) -> list[str]:
    """Return the command that runs a script of this folder, or skip the test where it cannot run.

    Args:
        script: the file.
        package: what it imports.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    if not (HERE / "node_modules" / package).is_dir():
        pytest.skip(f"needs {package}: npm install --no-package-lock in tests/interop")
    return [node, str(HERE / script)]


@dataclass(frozen=True, slots=True)
class Child:
    """A server that accepts connections."""

    ready: dict[str, Any]
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def serving(arguments: list[str]) -> Generator[Child]:
    """Run a server while the block runs.

    Args:
        arguments: its command; its first line on standard output is JSON, and says that it is ready.

    Yields:
        The child.
    """
    process = subprocess.Popen(
        arguments,
        cwd=HERE.parents[1],
        env={**environ, "PORT": "0", "COLUMNS": "200", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Child(json.loads(process.stdout.readline()), process)
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
