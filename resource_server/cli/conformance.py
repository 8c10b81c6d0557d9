"""``resource-server conformance``: judge any resource server, and report in four ways."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from resource_server._demo.signals import ending_on_signals
from resource_server.cli.shared import FINE, INTERRUPTED, NOT_BEGUN, UNEXPECTED, busy, console, need, print_json
from resource_server.conformance.clause import SEVERITIES, VERDICTS, Clause
from resource_server.conformance.errors import SuiteError
from resource_server.conformance.html import to_html
from resource_server.conformance.junit import to_junit
from resource_server.conformance.report import Report, Result
from resource_server.conformance.run import Plan, choose, run
from resource_server.conformance.target import Target, load_target, read_target

if TYPE_CHECKING:
    from rich.table import Table
    from typer import Typer

_MOCK = "mock"
_EPILOG = (
    "Exit status: 0 where nothing failed and nothing was left undecided, 1 where something did, 2 where the suite "
    "could not begin."
)
_STYLES = {"failed": "bold red", "undecided": "yellow", "not_applicable": "dim"}


@dataclass(frozen=True, slots=True)
class Files:
    """Where the report is written to; nowhere where there is no name."""

    json: str = ""
    junit: str = ""
    html: str = ""

    @property
    def only_json(self) -> bool:
        """Whether the standard output is for JSON alone."""
        return self.json == "-"


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

    @app.command(epilog=_EPILOG)
    def conformance(  # noqa: PLR0913 - the options of a whole suite
        *,
        target: Annotated[str, typer.Option(help="A TOML file that describes the target.")] = "",
        url: Annotated[str, typer.Option(help="Where the target runs, in place of its command.")] = "",
        route: Annotated[list[str] | None, typer.Option(help="A route, as read='GET /orders'; repeatable.")] = None,
        token_format: Annotated[str, typer.Option("--format", help="The tokens it takes: opaque, jwt, both.")] = "",
        audience: Annotated[str, typer.Option(help="What tokens for the target name.")] = "",
        server: Annotated[str, typer.Option("--as", help="mock, or the URL of one that runs.")] = _MOCK,
        as_port: Annotated[int, typer.Option(help="Where the mock listens; 0 for any free port.")] = 0,
        only: Annotated[list[str] | None, typer.Option(help="Clauses that begin like this; repeatable.")] = None,
        list_clauses: Annotated[bool, typer.Option("--list", help="Show the clauses and exit.")] = False,
        as_json: Annotated[str, typer.Option("--json", help="Write JSON to a file; - for stdout alone.")] = "",
        junit: Annotated[str, typer.Option(help="Write JUnit's XML to a file.")] = "",
        html: Annotated[str, typer.Option(help="Write one self-contained page to a file.")] = "",
    ) -> None:
        """Judge a running HTTP resource server, in whatever language it is written, by what it answers."""
        need("conformance", "the conformance suite")
        files = Files(as_json, junit, html)

        def plan() -> Plan:
            described = describe(target, url, route or (), claims={"format": token_format, "audience": audience})
            running = "" if server == _MOCK else server
            return Plan(described, running, as_port, choose(only or ()))

        raise typer.Exit(show_clauses(only or (), files) if list_clauses else run_suite(plan, files))


def describe(path: str, url: str, routes: Sequence[str], claims: Mapping[str, str]) -> Target:
    """Put together what is judged.

    Args:
        path: the file that describes it; none where the rest is enough.
        url: where it runs.
        routes: further routes, as ``read=GET /orders``.
        claims: the format and the audience, where they are not those of the file.

    Raises:
        SuiteError: something is missing, or is not as it should be.
    """
    if not (path or url):
        raise SuiteError("say what is to be judged: --target FILE or --url URL")
    said = {name: value for name, value in claims.items() if value}
    pairs = {name: route for name, _, route in (text.partition("=") for text in routes)}
    given = read_target({"target": {"url": url} if url else {}, "claims": said, "routes": pairs}, Path.cwd())
    target = load_target(Path(path)) if path else replace(given, name=url)
    changes = {name: getattr(given, name) for name in said}
    if url:
        changes |= {"url": given.url, "start": ()}
    target = replace(target, **changes, routes={**target.routes, **given.routes})
    if "read" not in target.routes:
        raise SuiteError("the target names no route read, as in --route read=/orders")
    return target


def run_suite(plan: Callable[[], Plan], files: Files) -> int:
    """Run the suite and show what it finds.

    Args:
        plan: makes the plan.
        files: where the report is written to.

    Returns:
        The exit status.
    """
    try:
        with ending_on_signals(), busy("Starting the target") as tell:  # or what was started would outlive us
            report = run(plan(), lambda one: tell(f"{one.id}: {one.title}"))
        write(report, files)
    except (SuiteError, OSError) as error:
        sys.stderr.write(f"resource-server conformance: {error}\n")
        return NOT_BEGUN
    except KeyboardInterrupt:
        return INTERRUPTED
    if not files.only_json:
        _show(report)
    return FINE if report.whole else UNEXPECTED


def write(report: Report, files: Files) -> None:
    """Write the report to the files that are named.

    Args:
        report: the report.
        files: where it is written to.

    Raises:
        OSError: a file cannot be written.
    """
    if files.only_json:
        print_json(report.as_json())
    elif files.json:
        Path(files.json).write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    for name, text in ((files.junit, to_junit), (files.html, to_html)):
        if name:
            Path(name).write_text(text(report), encoding="utf-8")


def show_clauses(only: Sequence[str], files: Files) -> int:
    """Show the clauses.

    Args:
        only: the ids, or their beginnings; all clauses where there are none.
        files: whether they are shown as JSON.

    Returns:
        The exit status.
    """
    try:
        chosen = choose(only)
    except SuiteError as error:
        sys.stderr.write(f"resource-server conformance: {error}\n")
        return NOT_BEGUN
    if files.only_json:
        columns = ("id", "source", "severity", "level", "title", "needs")
        print_json([{name: getattr(one, name) for name in columns} for one in chosen])
    else:
        console().print(_clauses_table(chosen))
    return FINE


def _clauses_table(clauses: Sequence[Clause]) -> "Table":
    table = _table("clause", "severity", "level", "rule", title=f"{len(clauses)} clauses")
    for one in clauses:
        table.add_row(one.id, one.severity, one.level, one.title)
    return table


def _table(*columns: str, title: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415 - comes with an extra

    table = Table(title=title)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _show(report: Report) -> None:
    """Draw what is not as it should be, what does not apply, and the score."""
    out = console()
    ranked = sorted(report.results, key=lambda one: SEVERITIES.index(one.clause.severity))
    for verdict, style in _STYLES.items():
        shown = [one for one in ranked if one.outcome.verdict == verdict]
        if shown:
            out.print(_results(f"{report.target.name}: {verdict.replace('_', ' ')}", shown, style))
    out.print(_score(report))


def _results(title: str, shown: Sequence[Result], style: str) -> "Table":
    """Draw results of one verdict, which the title tells: a pipe has no colours."""
    expects = any(one.outcome.expected for one in shown)
    table = _table("clause", "severity", "rule", *(("expected", "observed") if expects else ("reason",)), title=title)
    for one in shown:
        outcome = (one.outcome.expected, one.outcome.observed) if expects else (one.outcome.observed,)
        table.add_row(one.clause.id, one.clause.severity, one.clause.title, *outcome, style=style)
    return table


def _score(report: Report) -> "Table":
    table = _table("severity", *(name.replace("_", " ") for name in VERDICTS), title=f"Score in {report.seconds:.1f} s")
    for severity, counts in report.score().items():
        table.add_row(severity, *(str(counts[verdict]) for verdict in VERDICTS))
    return table
