"""What the commands write: for people, or for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from mock_as.shell import printable

USAGE = 2
"""The status after a value that cannot be used."""
REFUSED = 1
"""The status after a server that cannot be reached, or says no."""

# Standard output is for answers, and for whoever waits for the ready line; people read standard error.
messages = Console(stderr=True, highlight=False)
"""Where people are told what happens."""


def fail(message: str, status: int) -> typer.Exit:
    """Say what is wrong, and return the end of the command.

    Args:
        message: what is wrong.
        status: what the command ends with.
    """
    messages.print("[bold red]mock-as:[/bold red]", end=" ", soft_wrap=True)
    messages.print("\n".join(map(printable, message.splitlines())), markup=False, soft_wrap=True)
    return typer.Exit(status)


def show_json(document: object) -> None:
    """Write a document for a program, on one line."""
    typer.echo(json.dumps(document))


def show(document: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Write an answer.

    Args:
        document: all of it, for a program.
        as_json: whether it is a program that reads.
        text: the part that people want.
    """
    if as_json:
        show_json(document)
    else:
        typer.echo(text)


def show_table(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> None:
    """Write rows one below the other.

    Args:
        rows: what is in them.
        columns: the names of what is shown of each.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = list(columns)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    Console(highlight=False, markup=False).print(table)


def _cell(value: object) -> str:
    if value is None or value in ({}, []):
        return ""
    return json.dumps(value) if isinstance(value, (bool, dict, list)) else printable(str(value))
