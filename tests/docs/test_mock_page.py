"""The page about the mock authorization server names everything that is there, and nothing else."""

from __future__ import annotations

import inspect
import re

import pytest
import typer

from mock_as import MockAS
from mock_as.cli import app
from mock_as.clients import READY_MADE
from mock_as.faults import ACTIONS
from mock_as.journal import ENDPOINTS
from mock_as.keys import ALGORITHMS
from mock_as.tokens.defects import DEFECTS
from tests.docs.pages import read

PAGE = "docs/mock-as.md"


def table(heading: str) -> list[str]:
    """Return the names in the first column of the table whose first heading is this."""
    _, _, rest = read(PAGE).partition(f"| {heading} |")
    return re.findall(r"^\| `([^`]+)`", rest.partition("\n\n")[0], re.MULTILINE)


def test_arguments_are_all_described() -> None:
    """Each argument of the constructor has a row, with its default where that is a plain value."""
    parameters = inspect.signature(MockAS).parameters
    assert table("argument") == list(parameters)
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", read(PAGE), re.MULTILINE))
    plain = {name: str(item.default) for name, item in parameters.items() if item.default not in (None, ())}
    assert {name: rows[name].strip("`") for name in plain} == plain


def test_defects_are_all_described() -> None:
    """Each defect that a token can have has a row."""
    assert sorted(table("defect")) == sorted(DEFECTS)


def test_faults_are_all_described() -> None:
    """Each way in which an endpoint can misbehave has a row in the catalogue."""
    rows = re.findall(r"^\| `([^`]+)` \| (?:any|`)", read("docs/fault-catalogue.md"), re.MULTILINE)
    assert sorted(rows) == sorted(ACTIONS)


def test_clients_are_all_described() -> None:
    """Each ready-made client has a row, and its secret follows the rule that the page states."""
    assert sorted(table("client")) == sorted(client.id for client in READY_MADE)
    assert {client.secret for client in READY_MADE} == {f"{client.id}-secret" for client in READY_MADE}


def test_options_are_all_described() -> None:
    """Each option of `mock-as serve` has a row."""
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    options = {name for parameter in serve.params for name in parameter.opts if name != "--help"}
    assert sorted(table("option")) == sorted(options)


def test_commands_are_all_described() -> None:
    """Each command of `mock-as` has a row."""
    assert sorted(table("command")) == sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("names", [ENDPOINTS, ALGORITHMS], ids=["endpoints", "algorithms"])
def test_short_lists_are_complete(names: frozenset[str] | tuple[str, ...]) -> None:
    """Each endpoint that can have a fault, and each algorithm, is named on the page."""
    assert [name for name in sorted(names) if f"`{name}`" not in read(PAGE)] == []


def test_verbs_exist() -> None:
    """Each verb that the page writes as `mock.verb` is one, at every step of its path."""
    mock = MockAS()
    for path in set(re.findall(r"(?<!-)\bmock\.([a-z_]+(?:\.[a-z_]+)*)\b", read(PAGE))):
        found: object = mock
        for name in path.split("."):
            assert hasattr(type(found), name) or name in vars(found), f"mock.{path}"
            if callable(getattr(type(found), name, None)):
                break
            found = getattr(found, name)
