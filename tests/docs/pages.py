"""Read the code blocks out of the pages, and run what they show.

A fenced block may have a title: that of Python is the name of the file whose whole content it is; that of a console is
the terminal it happens in. Python without a title is run in the order of its page, in one namespace.
"""

from __future__ import annotations

import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md"))]
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
SHELL = ("console", "bash", "sh")

_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>[a-z]*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    """The number of the line before its first one."""
    language: str
    title: str | None
    text: str

    def __str__(self) -> str:
        """Name the place, as an editor understands it."""
        return f"{self.page}:{self.line + 1}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a shell block, and what the page says it prints."""

    line: str
    output: str


def read(page: str) -> str:
    """Return the text of a page; `page` is its path in the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[Block]:
    """Return the blocks of a page in these languages, or all of them, in order."""
    text = read(page)
    found = (
        Block(
            page,
            text.count("\n", 0, match.start("text")),
            match["language"],
            match["title"],
            textwrap.dedent(match["text"]),
        )
        for match in _FENCE.finditer(text)
    )
    return [block for block in found if not languages or block.language in languages]


def commands(block: Block) -> list[Command]:
    """Return the commands of a shell block; in a console they follow `$ `, and everything else is output.

    A line that ends in a backslash goes on in the next one.
    """
    text = block.text.replace("\\\n", "")
    if block.language != "console":
        return [Command(line, "") for line in text.splitlines() if line and not line.startswith("#")]
    found: list[Command] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Command(" ".join(line[2:].split()), ""))
        elif found:
            found[-1] = Command(found[-1].line, found[-1].output + line)
    return found


def write_files(page: str, folder: Path) -> list[Path]:
    """Write every Python file that a page shows into a folder, and return their paths."""
    files = {folder / block.title: block.text for block in blocks(page, "python") if block.title}
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def run_python(page: str, limit: int | None = None) -> dict[str, Any]:
    """Run the Python blocks of a page that are no files, and return what they have defined.

    The module they live in is a real one while they run: what looks up annotations by a module's name finds it.

    Args:
        page: its path in the repository.
        limit: how many blocks to run, from the first on; all of them by default.
    """
    module = ModuleType("page_" + re.sub(r"\W", "_", page))
    sys.modules[module.__name__] = module
    try:
        for block in [block for block in blocks(page, "python") if block.title is None][:limit]:
            # Blank lines in front make a traceback name the line of the page.
            code = compile("\n" * block.line + block.text, ROOT / page, "exec", dont_inherit=True)
            exec(code, vars(module))  # noqa: S102 - the pages are this repository's own
    finally:
        del sys.modules[module.__name__]
    return vars(module)
