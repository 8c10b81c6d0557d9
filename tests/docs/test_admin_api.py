"""The page about the admin API is true: its commands print what they say, and every route of the server is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from fastapi.routing import APIRoute

from mock_as import MockAS
from mock_as.control import CONCERNS
from tests.docs.pages import blocks, commands, read

PAGE = "docs/admin-api.md"
END = "--- the end of a command"


def plain(text: str) -> str:
    """Return output without the folding of long lines on the page."""
    return text.replace("\n  ", "").strip()


def test_commands_print_what_the_page_says(tmp_path: Path) -> None:
    """The commands of the page, typed one after the other, print what stands below them."""
    missing = [program for program in ("bash", "curl") if which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    typed = [command for block in blocks(PAGE, "console") for command in commands(block)]
    script = "".join(f"{command.line}\nprintf '\\n{END}\\n'\n" for command in typed)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with MockAS(issuer="auto").serve() as url:
        result = subprocess.run(
            ["bash", "-c", script.replace("http://127.0.0.1:9000", url)],  # noqa: S607 - the user's own
            cwd=tmp_path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
    printed = result.stdout.split(f"\n{END}\n")
    assert len(typed) > 10
    for command, output in zip(typed, printed, strict=False):
        assert plain(output) == plain(command.output), command.line


def test_every_route_is_there() -> None:
    """Each route of the control plane has a row with its method and path, and no other has one."""
    routes = [route for concern in CONCERNS for route in concern.router.routes if isinstance(route, APIRoute)]
    served = [f"{method} {route.path_format}" for route in routes for method in route.methods or ()]
    assert sorted(re.findall(r"^\| `([A-Z]+ [^`]+)`", read(PAGE), re.MULTILINE)) == sorted(served)
