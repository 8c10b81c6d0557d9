"""The page about the command line is what the command line is."""

from __future__ import annotations

import json
import re

import pytest

from resource_server import cli
from scripts.cli_reference import commands
from tests.docs.pages import read


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
