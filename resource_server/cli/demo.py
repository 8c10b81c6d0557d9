"""``resource-server demo``: a story of good, bad and unverifiable tokens, and the table of it."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from resource_server._demo.exchange import DemoError
from resource_server._demo.paste import curl_lines
from resource_server._demo.play import play
from resource_server._demo.rows import Row
from resource_server._demo.signals import ending_on_signals
from resource_server._demo.stage import Stage, open_stage
from resource_server.cli.shared import FINE, INTERRUPTED, UNEXPECTED, busy, console, need, print_json

if TYPE_CHECKING:
    from rich.table import Table
    from typer import Typer


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

    @app.command()
    def demo(
        *,
        serve: Annotated[
            bool, typer.Option("--serve", help="Leave both servers running, with commands to paste.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON instead of the table.")] = False,
    ) -> None:
        """Play a story of good, bad and unverifiable tokens against an orders API and a mock authorization server."""
        need("demo", "the demo")
        raise typer.Exit(run_demo(serve=serve, as_json=as_json))


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
            with busy("Playing the story"):
                rows = list(play(stage))
            _show(rows, as_json=as_json)
            surprised = any(row.surprises for row in rows)
            if surprised:
                sys.stderr.write(stage.transcript())
            if serve:
                _serve(stage, to_stderr=as_json)
    except DemoError as error:
        sys.stderr.write(f"resource-server demo: {error}\n")
        return UNEXPECTED
    except KeyboardInterrupt:
        return INTERRUPTED
    return UNEXPECTED if surprised else FINE


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
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        console().print(draw(rows))
    sys.stdout.flush()


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
