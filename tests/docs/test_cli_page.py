"""The page about the command line is what the command line is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from resource_server import cli
from resource_server._doctor.finding import CHECKS, Report, fine
from resource_server._inspect.findings import Inspection
from resource_server._inspect.reading import read_token
from resource_server._snippets.render import render
from resource_server._snippets.wishes import read_wishes
from resource_server.conformance.clause import Outcome
from resource_server.conformance.clauses import CLAUSES
from resource_server.conformance.report import Report as Judged
from resource_server.conformance.report import Result
from resource_server.conformance.target import read_target
from scripts.cli_reference import commands
from tests.docs import pages
from tests.docs.pages import read

TYPED = [
    command.line
    for page in ("docs/cli.md", "docs/explain.md")
    for block in pages.blocks(page, "console")
    for command in pages.commands(block)
    if command.line.startswith(("resource-server snippets", "resource-server explain"))
]
"""The commands of both pages that need nothing but what is there."""


def run(*arguments: str) -> object:
    """Run a command, and return its exit status."""
    with pytest.raises(SystemExit) as ending:
        cli.main(list(arguments))
    return ending.value.code


def told_of(command: str) -> set[str]:
    """Return the members that the page names in the row of a command, but for the values in brackets."""
    _, _, table = read("docs/cli.md").partition("\n### Of the others\n")
    [row] = re.findall(rf"^\| `{command}` \| (.+) \|$", table, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row)))


def members(heading: str) -> set[str]:
    """Return the members that the table below a heading names in its first column."""
    _, _, rest = read("docs/cli.md").partition(f"\n### {heading}\n")
    rows = re.findall(r"^\| (`.+?) \|", rest.partition("\n### ")[0], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_command_has_its_moment() -> None:
    """Each command is in the table of moments and in the reference, in the order of help."""
    names = [command.__name__.rpartition(".")[2].replace("_", "-") for command in cli._COMMANDS]
    assert re.findall(r"^\| .+ \| `resource-server ([\w-]+)` \|$", read("docs/cli.md"), re.MULTILINE) == names
    assert re.findall(r"^### `resource-server ([\w-]+)`$", commands(), re.MULTILINE) == names


def test_options_are_those_that_are_typed() -> None:
    """An option stands in the reference under the name it is typed by, with its default, bounds and variable."""
    rows = {row.split(" | ")[0].lstrip("| "): row for row in commands().splitlines() if row.startswith("| `")}
    assert rows["`--status` (whole number, at least 200, at most 599)"].endswith("|  |")
    assert "`--header`, `-H` (text, may be repeated)" in rows
    assert rows["`TARGET`"].endswith("| required |")
    port = [row for row in commands().splitlines() if row.startswith("| `--port`")]
    assert [("RESOURCE_SERVER_FORWARD_AUTH_PORT" in row, row.endswith("| `8080` |")) for row in port] == [(True, True)]
    assert "`--as-json`" not in commands()


def test_the_document_of_explain(capsys: pytest.CaptureFixture[str]) -> None:
    """The members that the page names are those of the document."""
    with pytest.raises(SystemExit):
        cli.main(["explain", "--status", "401", "--json"])
    assert set(json.loads(capsys.readouterr().out)) <= members("Of `explain`")


def documents() -> dict[str, tuple[dict[str, Any], str]]:
    """Return a document of each command, and the member that holds a list whose objects the page describes too."""
    clause, target = CLAUSES[0], read_target({"target": {}, "routes": {"read": "GET /"}}, Path())
    result = Result(clause, Outcome("passed", "this", "this"), 0.0)
    return {
        "doctor": (Report((fine(CHECKS[0], "well"),)).as_json(), "findings"),
        "inspect": (Inspection(read_token(b"opaque", 0.0)).as_json(), ""),
        "conformance": (Judged(target, (result,), "2026-01-01T00:00:00+00:00", 0.0).as_json(), "clauses"),
    }


@pytest.mark.parametrize("command", ["doctor", "inspect", "conformance"])
def test_the_documents_of_the_others(command: str) -> None:
    """The members that the page names are those of the document, and none of the document's own is left out."""
    document, inner = documents()[command]
    every = set(document) | set(document[inner][0] if inner else ())
    assert set(document) <= told_of(command) <= every


def test_the_document_of_snippets(capsys: pytest.CaptureFixture[str]) -> None:
    """It holds what the command would print, by the names of the files."""
    assert run("snippets", "caddy", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == told_of("snippets")
    assert document["files"] == render("caddy", read_wishes())


@pytest.mark.parametrize("line", TYPED)
def test_what_is_shown_can_be_typed(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the pages ends with a status of its own, and nothing but the exit status 2 means a mistake."""
    monkeypatch.chdir(tmp_path)
    Path("answer.txt").write_text("HTTP/1.1 200 OK\n\n", encoding="utf-8")
    assert run(*shlex.split(line)[1:]) in (0, 1)


def test_enough_is_typed() -> None:
    """The test above is not empty: each of the two pages shows commands."""
    assert len(TYPED) >= 5
