"""The command line: what it says, and with which status it ends."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from io import StringIO

import pytest
from rich.console import Console

from resource_server import cli
from resource_server._demo.exchange import DemoError
from resource_server._demo.rows import Calls, Outcome, Row

GOOD = Outcome(status=200, assurance="introspected", answered="AS", calls=Calls(introspection=1))
DOWN = Outcome(status=503, challenge="Retry-After: 5", answered="nobody", calls=None)


class FakeStage:
    """A stage without processes, whose wait ends as it is told to."""

    issuer = "http://127.0.0.1:1"
    api_url = "http://127.0.0.1:2"
    ended = False

    def __init__(self, ending: BaseException) -> None:
        """Keep how to end."""
        self._ending = ending

    def transcript(self) -> str:
        """Return what nobody printed."""
        return "what the processes printed\n"

    def wait(self) -> None:
        """End."""
        raise self._ending


def row(expected: Outcome, outcome: Outcome, note: str = "") -> Row:
    """Return a row of the story."""
    return Row(request="GET /orders", note=note, expected=expected, outcome=outcome, milliseconds=1.25)


def stage_with(monkeypatch: pytest.MonkeyPatch, rows: Iterable[Row], ending: BaseException | None = None) -> FakeStage:
    """Replace the processes of the demo, what happens with them, and what can be pasted."""
    stage = FakeStage(ending or KeyboardInterrupt())

    @contextmanager
    def open_stage() -> Generator[FakeStage]:
        try:
            yield stage
        finally:
            stage.ended = True

    monkeypatch.setattr(cli.demo, "open_stage", open_stage)
    monkeypatch.setattr(cli.demo, "play", lambda _: rows)
    monkeypatch.setattr(cli.demo, "curl_lines", lambda _: [("200: fine", "curl -i http://127.0.0.1:2/orders")])
    return stage


def failing(error: BaseException) -> Generator[Row]:
    """Play one row, then fail."""
    yield row(GOOD, GOOD)
    raise error


def run(arguments: Sequence[str]) -> object:
    """Run the command line, and return its exit status."""
    with pytest.raises(SystemExit) as ending:
        cli.main(arguments)
    return ending.value.code


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Help says what there is, and is no error."""
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "demo" in shown
    assert "--version" in shown


def test_help_of_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo's help names its options."""
    assert run(["demo", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--serve" in shown
    assert "--json" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the installed package's."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"{version('resource-server')}\n"


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command there is nothing to do, and help is shown."""
    assert run([]) == 2
    assert "demo" in "".join(capsys.readouterr())


def test_arguments_of_the_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As a console script it reads the arguments of the process."""
    monkeypatch.setattr(sys, "argv", ["resource-server", "--version"])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 0
    assert capsys.readouterr().out == f"{version('resource-server')}\n"


@pytest.mark.parametrize(
    ("command", "missing", "who", "extras"),
    [
        ("--help", ["typer"], "the command line", "cli"),
        ("--help", ["rich"], "the command line", "cli"),
        ("demo", ["uvicorn"], "the demo", "mock"),
        ("demo", ["fastapi"], "the demo", "fastapi"),
        ("demo", ["fastapi", "authlib", "uvicorn"], "the demo", "fastapi,mock"),
        ("forward-auth", ["uvicorn"], "the gateway", "gateway"),
        ("forward-auth", ["httptools", "prometheus_client"], "the gateway", "gateway"),
    ],
)
def test_missing_extra(  # noqa: PLR0917 - the columns of a table
    command: str,
    missing: list[str],
    who: str,
    extras: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever lacks what a command needs is told which extra brings it; no other command needs that."""
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    assert run([command]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"resource-server: {who} needs an extra that is not installed: ")
    assert shown.err.endswith(f" pip install 'resource-server[{extras}]'\n")
    assert shown.out == ""
    if command != "--help":
        assert run(["--help"]) == 0


def test_all_as_expected(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A story without a surprise ends with 0, one table and nothing else."""
    stage = stage_with(monkeypatch, [row(GOOD, GOOD), row(DOWN, DOWN)])
    assert run(["demo"]) == 0
    shown = capsys.readouterr()
    assert "2 requests, all as expected" in shown.out
    assert shown.err == ""
    assert stage.ended


def test_surprise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that is not as expected is marked, shows what the processes printed, and makes the status 1."""
    stage_with(monkeypatch, [row(GOOD, GOOD), row(GOOD, DOWN)])
    assert run(["demo"]) == 1
    shown = capsys.readouterr()
    assert "2 requests, 1 of them not as expected" in shown.out
    assert "status is 503, not 200" in shown.out
    assert shown.err == "what the processes printed\n"


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows as JSON are all there is on the standard output."""
    rows = [row(GOOD, GOOD), row(GOOD, DOWN)]
    stage_with(monkeypatch, rows)
    assert run(["demo", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == [row.as_json() for row in rows]


def test_story_breaks_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A story that cannot go on says why, ends with 1 and leaves nothing running."""
    stage = stage_with(monkeypatch, failing(DemoError("no answer")))
    assert run(["demo"]) == 1
    assert capsys.readouterr().err == "resource-server demo: no answer\n"
    assert stage.ended


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """A story that is interrupted ends with the status of a Ctrl-C and leaves nothing running."""

    def interrupted() -> Generator[Row]:
        yield row(GOOD, GOOD)
        signal.raise_signal(number)

    stage = stage_with(monkeypatch, interrupted())
    assert run(["demo"]) == 130
    assert stage.ended


def test_serve_until_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Serving prints where and what to paste, each command on a line of its own, and ends well at a Ctrl-C."""
    stage = stage_with(monkeypatch, [row(GOOD, GOOD)])
    assert run(["demo", "--serve"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("# 200: fine") + 1] == "curl -i http://127.0.0.1:2/orders"
    assert any(FakeStage.issuer in line and FakeStage.api_url in line for line in lines)
    assert stage.ended


def test_serve_after_a_surprise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A surprise is not forgotten because somebody went on looking."""
    stage_with(monkeypatch, [row(GOOD, DOWN)])
    assert run(["demo", "--serve"]) == 1


def test_serve_beside_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be pasted does not stand between the rows and whoever parses them."""
    stage_with(monkeypatch, [row(GOOD, GOOD)])
    assert run(["demo", "--serve", "--json"]) == 0
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)) == 1
    assert "# 200: fine" in shown.err


def test_server_ends_while_serving(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that ends by itself is an error."""
    stage_with(monkeypatch, [row(GOOD, GOOD)], DemoError("the orders API has ended"))
    assert run(["demo", "--serve"]) == 1
    assert capsys.readouterr().err == "resource-server demo: the orders API has ended\n"


def test_table() -> None:
    """The table shows every part of a row: who was asked and how often, the note, and that nobody could be asked."""
    scoped = Outcome(status=403, challenge="x scope=a b", answered="JWKS", calls=Calls(introspection=1, jwks=2))
    console = Console(file=StringIO(), width=150, markup=False)
    console.print(cli.demo.draw([row(GOOD, GOOD), row(DOWN, DOWN, note="[sic]"), row(GOOD, DOWN), row(scoped, scoped)]))
    assert isinstance(console.file, StringIO)
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in console.file.getvalue().splitlines()
        if line.count("│") > 2
    ]
    assert cells == [
        ["ok", "GET /orders", "200", "introspected", "AS", "1 introspection", "1.2"],
        ["ok", "GET /orders", "503", "Retry-After: 5", "nobody", "down", "1.2"],
        ["", "([sic])", "", "", "", "", ""],
        ["!!", "GET /orders", "503", "Retry-After: 5", "nobody", "down", "1.2"],
        ["", "(status is 503, not 200)", "", "", "", "", ""],
        ["", "(challenge is Retry-After: 5, not none)", "", "", "", "", ""],
        ["", "(assurance is none, not introspected)", "", "", "", "", ""],
        ["", "(answered is nobody, not AS)", "", "", "", "", ""],
        ["", "(calls is none, not 1 introspection)", "", "", "", "", ""],
        ["ok", "GET /orders", "403", "x", "JWKS", "1 introspection", "1.2"],
        ["", "", "", "scope=a b", "", "2 jwks", ""],
    ]
