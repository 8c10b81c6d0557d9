"""The command line, ``resource-server``. The only module that speaks to typer and rich, which come with an extra.

They are imported when a command runs: before that, whoever lacks them is told what to install.
"""

import json
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from resource_server._demo.exchange import DemoError
from resource_server._demo.paste import curl_lines
from resource_server._demo.play import play
from resource_server._demo.rows import Row
from resource_server._demo.signals import ending_on_signals
from resource_server._demo.stage import Stage, open_stage

if TYPE_CHECKING:
    from rich.table import Table
    from typer import Typer

_EXTRAS = {"fastapi": ("fastapi",), "mock": ("authlib", "rich", "typer", "uvicorn")}
_UNEXPECTED, _NOT_INSTALLED, _INTERRUPTED = 1, 2, 130
_WIDE = 120
"""Columns where there is no terminal to ask."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: what stands after the program's name; by default the process's own.

    Raises:
        SystemExit: always; 0 where all is well, 1 where something is not as expected, 2 where nothing could be begun.
    """
    missing = missing_extras(_EXTRAS)
    if missing:
        remedy = f"pip install 'resource-server[{','.join(missing)}]'"
        sys.stderr.write(f"resource-server: the command line needs an extra that is not installed: {remedy}\n")
        raise SystemExit(_NOT_INSTALLED)
    build_app()(arguments)


def missing_extras(extras: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of the extras of which a module cannot be found.

    Args:
        extras: the modules that come with each.
    """
    return [name for name, modules in extras.items() if any(find_spec(module) is None for module in modules)]


def build_app() -> "Typer":
    """Make the application: one function for each command."""
    import typer  # noqa: PLC0415 - comes with an extra

    app = typer.Typer(name="resource-server", no_args_is_help=True, add_completion=False)

    @app.callback(invoke_without_command=True)
    def resource_server(
        *, version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False
    ) -> None:
        """Accept OAuth 2.0 access tokens in a microservice, and refuse the rest correctly."""
        if version:
            from resource_server import __version__  # noqa: PLC0415 - read from the metadata of the package

            typer.echo(__version__)
            raise typer.Exit

    @app.command()
    def demo(
        *,
        serve: Annotated[
            bool, typer.Option("--serve", help="Leave both servers running, with commands to paste.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON instead of the table.")] = False,
    ) -> None:
        """Play a story of good, bad and unverifiable tokens against an orders API and a mock authorization server."""
        raise typer.Exit(run_demo(serve=serve, as_json=as_json))

    return app


def run_demo(*, serve: bool, as_json: bool) -> int:
    """Play the story and show it.

    Args:
        serve: leave both servers running until a Ctrl-C.
        as_json: print JSON in place of the table.

    Returns:
        The exit status: 1 where a row is not as expected, or where the story could not be played.
    """
    try:
        with ending_on_signals(), open_stage() as stage:
            with _busy("Playing the story"):
                rows = list(play(stage))
            _show(rows, as_json=as_json)
            surprised = any(row.surprises for row in rows)
            if surprised:
                sys.stderr.write(stage.transcript())
            if serve:
                _serve(stage, to_stderr=as_json)
    except DemoError as error:
        sys.stderr.write(f"resource-server demo: {error}\n")
        return _UNEXPECTED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return _UNEXPECTED if surprised else 0


def _serve(stage: Stage, *, to_stderr: bool) -> None:
    out = sys.stderr if to_stderr else sys.stdout
    out.write(
        f"\nThe orders API is at {stage.api_url}, its authorization server at {stage.issuer}. Ctrl-C ends both.\n"
    )
    for comment, command in curl_lines(stage):
        out.write(f"\n# {comment}\n{command}\n")
    out.flush()
    with suppress(KeyboardInterrupt):
        stage.wait()


def _show(rows: Sequence[Row], *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - comes with an extra

    if as_json:
        sys.stdout.write(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else _WIDE, markup=False, highlight=False).print(draw(rows))
    sys.stdout.flush()


@contextmanager
def _busy(what: str) -> Generator[None]:
    from rich.console import Console  # noqa: PLC0415 - comes with an extra

    with Console(stderr=True).status(what):
        yield


def draw(rows: Sequence[Row]) -> "Table":
    """Draw the rows as one table.

    Args:
        rows: what happened, in order.
    """
    from rich.table import Table  # noqa: PLC0415 - comes with an extra

    surprises = sum(bool(row.surprises) for row in rows)
    caption = f"{len(rows)} requests, " + (f"{surprises} of them not as expected" if surprises else "all as expected")
    table = Table(title="What the orders API answers, and whom it asks", caption=caption)
    for header in ("", "request", "status", "challenge or assurance", "answered", "AS calls"):
        table.add_column(header, overflow="fold")
    table.add_column("ms", justify="right")
    for row in rows:
        table.add_row(*_cells(row), style="bold red" if row.surprises else None)
    return table


def _cells(row: Row) -> list[str]:
    outcome = row.outcome
    remarks = [remark for remark in (row.note, *row.surprises) if remark]
    return [
        "!!" if row.surprises else "ok",
        "\n".join([row.request, *(f"({remark})" for remark in remarks)]),
        str(outcome.status),
        (outcome.challenge + outcome.assurance).replace(" scope=", "\nscope="),
        outcome.answered,
        "down" if outcome.calls is None else str(outcome.calls).replace(", ", "\n"),
        f"{row.milliseconds:.1f}",
    ]
