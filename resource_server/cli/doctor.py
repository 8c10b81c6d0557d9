"""``resource-server doctor``: look at everything a resource server leans on, and say what is to be mended."""

import asyncio
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from resource_server._protocol.sample import Sample
from resource_server._protocol.urls import url_problem
from resource_server.cli.given import Unreadable, named_files, read_token
from resource_server.cli.shared import (
    FINE,
    INTERRUPTED,
    NOT_BEGUN,
    UNEXPECTED,
    busy,
    console,
    print_json,
)

if TYPE_CHECKING:
    from rich.text import Text
    from typer import Typer

    from resource_server._doctor.finding import Finding, Report

_EPILOG = (
    "Exit status: 0 all is well, or could be better; 1 something is broken; 2 nothing could be begun; 130 a Ctrl-C."
)
_SIGNS = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED ", "bold red"),
    "skipped": ("skipped", "dim"),
}
_INDENT = 24
_NARROW = 80
"""Columns where there is no terminal: what is mailed and pasted should not be wider."""


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

    @app.command(epilog=_EPILOG)
    def doctor(  # noqa: PLR0913 - each is an option
        *,
        env_file: Annotated[str, typer.Option(help="A file of RESOURCE_SERVER_* lines.")] = ".env",
        secrets_dir: Annotated[str, typer.Option(help="A folder with one file for each secret option.")] = "",
        toml_file: Annotated[str, typer.Option(help="A TOML file with options.")] = "",
        token_file: Annotated[
            str, typer.Option(help="A file with an access token that should be good; - for the standard input.")
        ] = "",
        url: Annotated[
            str, typer.Option(help="A route of the API that needs a token, as clients reach it through the proxies.")
        ] = "",
        timeout: Annotated[
            float, typer.Option(help="Seconds for each question; 0 for the service's own.", min=0, max=300)
        ] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    ) -> None:
        """Look at configuration, authorization server, store and proxies; name what is broken, and the mend.

        The options of the service are read as it reads them: from RESOURCE_SERVER_* and from the files that are named.
        """
        files = {"env_file": env_file, "secrets_dir": secrets_dir, "toml_file": toml_file}
        try:
            named = named_files(files)
            sample = read_token(token_file)
            _check_url(url)
        except Unreadable as error:
            sys.stderr.write(f"resource-server doctor: {error}\n")
            raise typer.Exit(NOT_BEGUN) from None
        raise typer.Exit(run_doctor(named, sample, url or None, timeout or None, as_json=as_json))


def run_doctor(
    files: Mapping[str, Path], sample: Sample | None, url: str | None, timeout: float | None, *, as_json: bool
) -> int:
    """Look at everything, and show it.

    Args:
        files: where options are read from, by the keywords of ``Settings.from_env``.
        sample: an access token that should be good.
        url: of a route of the API.
        timeout: seconds for each question; ``None`` for the service's own.
        as_json: print JSON in place of lines.

    Returns:
        The exit status: 1 where something is broken.
    """
    from resource_server._doctor.examine import examine  # noqa: PLC0415 - httpx and pydantic, for this command only
    from resource_server.settings import Settings  # noqa: PLC0415 - as above

    try:
        with busy("Looking at the configuration, the authorization server, the store and the proxies"):
            report = asyncio.run(examine(partial(Settings.from_env, **files), sample=sample, url=url, patience=timeout))
    except KeyboardInterrupt:
        return INTERRUPTED
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    return UNEXPECTED if report.verdict == "failed" else FINE


def _check_url(url: str) -> None:
    if url and url_problem(url, allow_insecure_http=True) is not None:
        raise Unreadable("--url must be the whole URL of a route, like https://api.example.com/orders")


def _show(report: "Report") -> None:
    out = console()
    width = out.width if out.is_terminal else _NARROW
    for finding in report.findings:
        out.print(draw(finding, width))
    failed = sum(finding.verdict == "failed" for finding in report.findings)
    broken = f"{failed} broken; the first is the cause, as far as it can be told" if failed else "nothing is broken"
    out.print(f"\n{broken}")


def draw(finding: "Finding", width: int) -> "Text":
    """Draw one finding: what was looked at, the verdict, and what is said of it, in columns of their own.

    Args:
        finding: the finding.
        width: columns there are.
    """
    from textwrap import wrap  # noqa: PLC0415 - for who draws

    from rich.text import Text  # noqa: PLC0415 - comes with an extra

    sign, style = _SIGNS[finding.verdict]
    says = finding.says if finding.mend is None else f"{finding.says}\n-> {finding.mend}"
    lines = [
        line for part in says.split("\n") for line in wrap(part, max(width - _INDENT, _INDENT), break_on_hyphens=False)
    ]
    drawn = Text.assemble((f"{sign} ", style), f"{finding.check:<14}  ")
    drawn.append(f"\n{' ' * _INDENT}".join(lines))
    return drawn
