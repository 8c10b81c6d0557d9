"""``resource-server explain``: what a response says, by which clause, and what its client should do next."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

from resource_server._explain.answer import Answer, UnreadableError
from resource_server._explain.explain import explain as explain_answers
from resource_server._explain.paste import read_fields, read_paste
from resource_server._explain.words import Explanation, Severity, Turn
from resource_server.cli.shared import FINE, NOT_BEGUN, UNEXPECTED, console, print_json

if TYPE_CHECKING:
    from typer import Typer

LONGEST = 1_048_576
"""Bytes of a paste."""
_NARROW = 80
"""Columns where there is no terminal: what is mailed and pasted should not be wider."""
_WHOSE = {
    Turn.NOBODY: "nobody's",
    Turn.CLIENT: "the client's",
    Turn.USER: "the user's, with the client",
    Turn.API_OPERATOR: "whoever runs the API",
    Turn.AS_OPERATOR: "whoever runs the authorization server",
}
_EPILOG = (
    "Exit status: 0 nothing is wrong with the response itself; 1 something is; 2 it could not be read. Tokens in what "
    "is pasted are never shown."
)


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

    @app.command(epilog=_EPILOG)
    def explain(
        file: Annotated[
            str, typer.Argument(help="What curl has printed, or JSON of a browser; - is the standard input.")
        ] = "-",
        *,
        status: Annotated[
            int | None, typer.Option("--status", min=200, max=599, help="The status, in place of a file.")
        ] = None,
        header: Annotated[
            list[str] | None, typer.Option("--header", "-H", help="A field of the response, as 'Name: value'.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Say what a response means, whose turn it is, and what its client should do next."""
        raise typer.Exit(run_explain(file, status=status, fields=header or (), as_json=as_json))


def run_explain(file: str, *, status: int | None, fields: Sequence[str], as_json: bool) -> int:
    """Explain a response.

    Args:
        file: the path of a file with it, or ``-`` for the standard input; not read where there is a status.
        status: the status, where the response is told by options.
        fields: its fields, each as ``Name: value``; with a file, more of them.
        as_json: print JSON.

    Returns:
        The exit status: 1 where something is wrong with the response itself, 2 where there is none.
    """
    try:
        explanation = explain_answers(_answers(file, status, fields))
    except (OSError, UnreadableError) as error:
        sys.stderr.write(f"resource-server explain: {_cause(error)}\n")
        return NOT_BEGUN
    if as_json:
        print_json(explanation.as_json())
    else:
        _show(explanation)
    return FINE if explanation.sound else UNEXPECTED


def _answers(file: str, status: int | None, fields: Sequence[str]) -> Sequence[Answer]:
    told = read_fields(fields)
    if status is not None:
        return (Answer(status, fields=told),)
    *before, last = read_paste(_read(file))
    return (*before, Answer(last.status, last.reason, (*last.fields, *told), last.body, last.sent))


def _read(file: str) -> str:
    if file == "-":
        if sys.stdin.isatty():
            sys.stderr.write("Paste a response, then press Ctrl-D.\n")
        data = sys.stdin.buffer.read(LONGEST + 1)
    else:
        with Path(file).open("rb") as opened:
            data = opened.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise UnreadableError(f"it is longer than {LONGEST} bytes")
    return data.decode("utf-8", "replace")


def _cause(error: Exception) -> str:
    # Who mistakes the argument gives the response itself in the place of a file.
    return f"the file cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)


def _show(explanation: Explanation) -> None:
    out = console()
    width = out.width if out.is_terminal else _NARROW
    for text, indent, style in _lines(explanation):
        # A line that is folded goes on below its own text.
        out.print(fill(text, width, subsequent_indent=" " * indent), style=style)
    sys.stdout.flush()


def _lines(explanation: Explanation) -> Iterator[tuple[str, int, str]]:
    """Write each line: its text, how far in it goes on where it is folded, and a style."""
    advice, rows = explanation.advice, list(_rows(explanation))
    for line in explanation.redirects:
        yield f"before that: {line}", 2, "dim"
    title = " ".join(word for word in (str(explanation.status), explanation.reason, explanation.error) if word)
    yield title, 2, "bold"
    yield advice.says, 0, ""
    indent = max(len(name) for name, _ in rows) + 4
    for name, value in rows:
        yield f"  {name:<{indent - 4}}  {value}", indent, ""
    for number, step in enumerate(advice.steps, 1):
        yield f"  {number}. {step}", 5, ""
    for remark in explanation.remarks:
        wrong = remark.severity is Severity.WRONG
        clause = f" ({remark.clause})" if remark.clause else ""
        yield f"{'wrong' if wrong else 'note'}: {remark.says}{clause}", 2, "red" if wrong else "yellow"
    if explanation.hidden:
        says = "note: a token stands in what was pasted; whoever has seen that has it. It is not repeated here."
        yield says, 2, "yellow"


def _rows(explanation: Explanation) -> Iterator[tuple[str, str]]:
    advice = explanation.advice
    yield "clause", ", ".join(advice.clauses)
    yield "action", advice.action.value
    yield "whose turn", _WHOSE[advice.turn]
    if advice.turn is not Turn.NOBODY:
        yield "if that does not help", _WHOSE[advice.otherwise]
    for name, value in advice.values.items():
        yield name, " ".join(value) if isinstance(value, list) else str(value)
