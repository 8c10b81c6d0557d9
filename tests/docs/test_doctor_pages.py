"""What the pages on the doctor and on inspecting a token show is what the commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mock_as import MockAS
from tests.docs.pages import blocks, commands

VARYING = (
    (r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:9000"),
    (r"\b[\w-]{43}\b|(?<=jti: \")[\w-]{22}", "NAME"),
    (r"\(\d+ bytes\)", "(0 bytes)"),
    (r": \d{10} ", ": 0 "),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \([^)]*\)", "MOMENT"),
)
"""What is another one each time."""


def steady(text: str) -> str:
    """Return text without what varies, and as one line: where it is folded depends on that."""
    text = " ".join(text.split())
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize("page", ["docs/doctor.md", "docs/inspect.md"])
def test_the_page_shows_what_is_printed(page: str, environment: Path, mock_as_server: MockAS) -> None:
    """Each command of the page prints what stands below it."""
    (environment / "token.txt").write_text(mock_as_server.token(sub="alice", scope="read").value, "utf-8")
    shown = [command for block in blocks(page, "console") for command in commands(block)]
    assert sum(bool(command.output) for command in shown) >= 2
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = ""
    for command in shown:
        if command.line.startswith("pip "):
            continue
        played = subprocess.run(
            ["bash", "-c", script + command.line],  # noqa: S607 - the user's own
            capture_output=True,
            text=True,
            env=variables,
            check=False,
        )
        script += f"{command.line}\n" if command.line.startswith("export ") else ""
        assert played.stderr == ""
        assert steady(played.stdout) == steady(command.output)
