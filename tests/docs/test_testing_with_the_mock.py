"""The page about testing any service with the mock: its shell script, its tests in Node.js and its file are run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from mock_as.config import load
from tests.docs.pages import ROOT, blocks

PAGE = "docs/testing-with-the-mock.md"


def run(folder: Path, *command: str) -> str:
    """Run a program as somebody who has installed the package, and return what it prints."""
    if which(command[0]) is None:
        pytest.skip(f"not on this machine: {command[0]}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOCK_AS_")}
    places = [str(Path(sys.executable).parent), kept["PATH"]]
    environment = kept | {"PATH": os.pathsep.join(places), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def write(language: str, folder: Path) -> str:
    """Write the one file of a language that the page shows, and return its name."""
    [block] = blocks(PAGE, language)
    assert block.title is not None
    (folder / block.title).write_text(block.text, encoding="utf-8")
    return block.title


def test_shell_script(tmp_path: Path) -> None:
    """The script starts a server, mints, revokes, moves the clock, sets a fault and reads the journal."""
    if which("curl") is None:
        pytest.skip("not on this machine: curl")
    output = run(tmp_path, "bash", write("shell", tmp_path))
    assert json.loads((tmp_path / "before.json").read_text())["sub"] == "alice"
    assert json.loads((tmp_path / "after.json").read_text()) == {"active": False}
    assert "1 revoked\n" in output
    assert len(re.findall(r"  introspect  POST  /introspect  rs  → 200$", output, re.MULTILINE)) == 2
    assert output.endswith("reset\n")


def test_node_script(tmp_path: Path) -> None:
    """The tests in Node.js pass, with nothing but what Node.js has."""
    output = run(tmp_path, "node", "--test", "--test-reporter", "tap", write("js", tmp_path))
    assert re.search(r"^# pass 2$", output, re.MULTILINE)
    assert re.search(r"^# fail 0$", output, re.MULTILINE)


def test_file_of_configuration(tmp_path: Path) -> None:
    """The file on the page is one that a server can be made of, and does what it says."""
    mock = load(tmp_path / write("toml", tmp_path), environ={}).make()
    token = mock.token(client_id="orders", scope="read admin")
    assert token.format == "opaque"
    assert token.claims["tenant"] == "acme"
    assert token.claims["caller"] == "orders"
    assert token.claims["roles"] == ["admin"]
    assert [fault.plan.endpoint for fault in mock.faults] == ["jwks"]
