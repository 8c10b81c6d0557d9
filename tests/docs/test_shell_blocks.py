"""The commands that the pages show exist, with the options they are shown with."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from resource_server import Settings
from tests.docs.pages import NAMES, ROOT, SHELL, blocks, commands

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENV_PREFIX = "RESOURCE_SERVER_"
SHELL_WORDS = {".", "curl", "docker", "mv", "nginx", "npm", "sed", "token", "token()"}
LINES = [
    pytest.param(command.line, id=f"{block}:{command.line[:40]}")
    for page in NAMES
    for block in blocks(page, *SHELL)
    for command in commands(block)
]


@cache
def help_of(*command: str) -> str:
    """Return what a command of this environment says about itself."""
    program = Path(sys.executable).with_name(command[0])
    environment = {"PATH": str(program.parent), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    result = subprocess.run(
        [program, *command[1:], "--help"], env=environment, capture_output=True, text=True, check=True
    )
    return result.stdout


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def judge(words: list[str]) -> str | None:
    """Say what is wrong with a command, or nothing."""
    program, *arguments = words
    if program == "export":
        names = [word.partition("=")[0].removeprefix(ENV_PREFIX).lower() for word in arguments]
        return None if set(names) <= set(Settings.model_fields) else f"unknown option in {arguments}"
    if program == "make":
        wanted = {word for word in arguments if "=" not in word}
        return None if wanted <= targets() else f"unknown target in {arguments}"
    if program in {"pip", ".venv/bin/pip"}:
        extras = re.findall(r"\[(.*?)\]", " ".join(arguments))
        known = set(PROJECT["optional-dependencies"])
        return None if all(set(names.split(",")) <= known for names in extras) else f"unknown extra in {arguments}"
    return judge_program(program, arguments)


def judge_program(program: str, arguments: list[str]) -> str | None:
    """Say what is wrong with a command that is a program of this environment or a file of this repository."""
    options = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    if program.startswith(("scripts/", ".ci/")):
        text = (ROOT / program).read_text(encoding="utf-8")
        return None if all(option in text for option in options) else f"unknown option in {arguments}"
    if program in {"mock-as", "resource-server", "uvicorn"}:
        subcommands = [arguments[0]] if program != "uvicorn" and arguments and arguments[0][0] != "-" else []
        text = help_of(program, *subcommands)
        missing = [option for option in options if not re.search(rf"{option}\b", text)]
        return f"{program} has no {', '.join(missing)}" if missing else None
    known = program in SHELL_WORDS or Path(sys.executable).with_name(Path(program).name).exists()
    return None if known else f"unknown command {program}"


@pytest.mark.parametrize("line", LINES)
def test_command_exists(line: str) -> None:
    """Each command that a page shows exists: its target, its options, its extras, its variables."""
    words = shlex.split(line.partition("   #")[0].partition(" | ")[0])
    assigned = re.fullmatch(r"[A-Z]+=\$\((\w+) .*\)", line)
    problem = judge([assigned[1]] if assigned else words)
    assert problem is None, problem


def test_unknown_commands_are_found() -> None:
    """The judge above is not blind: it refuses a target, an option, an extra and a variable that do not exist."""
    assert judge(["make", "coffee"])
    assert judge(["mock-as", "serve", "--no-such-option"])
    assert judge(["pip", "install", "resource-server[tornado]"])
    assert judge(["export", "RESOURCE_SERVER_CACHE_TLL=1"])
    assert judge(["scripts/lock", "--downgrade"])
    assert judge(["no-such-program"])
