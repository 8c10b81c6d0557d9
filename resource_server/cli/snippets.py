"""``resource-server snippets``: configurations of proxies to paste."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from resource_server._snippets.render import TARGETS, render
from resource_server._snippets.wishes import read_wishes
from resource_server.cli.shared import FINE, NOT_BEGUN, print_json
from resource_server.errors import ConfigurationError

if TYPE_CHECKING:
    from typer import Typer

_EPILOG = "Exit status: 0 the configuration was printed or written; 2 an option is not acceptable."
_NAMES = ", ".join(TARGETS)


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

    @app.command(epilog=_EPILOG)
    def snippets(  # noqa: PLR0913 - each by name
        target: Annotated[str, typer.Argument(help=f"One of {_NAMES}.")],
        *,
        gateway: Annotated[str | None, typer.Option(help="Where the gateway listens, as http://host:port.")] = None,
        upstream: Annotated[
            str | None, typer.Option(help="Where the application listens, as http://host:port.")
        ] = None,
        scope: Annotated[str | None, typer.Option(help="What every request needs, with spaces between.")] = None,
        server_name: Annotated[str | None, typer.Option(help="The host name that clients use.")] = None,
        into: Annotated[
            str | None, typer.Option(help="A folder to write the files into, none of which may be there.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document: files by name.")] = False,
    ) -> None:
        """Print a tested configuration that has a proxy ask the gateway about each request."""
        wishes = {"gateway": gateway, "upstream": upstream, "scope": scope, "server_name": server_name}
        raise typer.Exit(run_snippets(target, wishes, into=into, as_json=as_json))


def run_snippets(target: str, wishes: Mapping[str, str | None], *, into: str | None, as_json: bool) -> int:
    """Print or write the files of a configuration.

    Args:
        target: the proxy.
        wishes: what :func:`~resource_server._snippets.wishes.read_wishes` takes.
        into: a folder for the files, none of which may be there; ``None`` prints them.
        as_json: print them as JSON.

    Returns:
        The exit status: 2 where a value is not acceptable, or the files cannot be written.
    """
    try:
        files = render(target, read_wishes(**wishes))
        if into is not None:
            _write(files, Path(into))
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"resource-server snippets: {_cause(error)}\n")
        return NOT_BEGUN
    if as_json:
        print_json({"target": target, "files": files})
    elif into is None:
        sys.stdout.write(_joined(files))
    return FINE


def _cause(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return f"{error.filename} is there already, and nothing is overwritten: name another folder"
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


def _joined(files: Mapping[str, str]) -> str:
    """Write several files one after another, each with its name above it, as a comment of its language."""
    if len(files) == 1:
        return next(iter(files.values()))
    marks = {name: "--" if name.endswith(".lua") else "#" for name in files}
    return "\n".join(f"{marks[name]} ---- {name}\n{text}" for name, text in files.items())


def _write(files: Mapping[str, str], folder: Path) -> None:
    """Write files that are not there yet."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        sys.stderr.write(f"{path}\n")
