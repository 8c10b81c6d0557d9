"""The command line, ``resource-server``: one module for each command."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from resource_server.cli import conformance, demo, doctor, explain, forward_auth, inspect, snippets
from resource_server.cli.shared import need

if TYPE_CHECKING:
    from typer import Typer

_COMMANDS = (demo, doctor, inspect, explain, snippets, conformance, forward_auth)
"""Each has ``add(app)``, which makes its commands known; in the order in which help lists them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: what stands after the program's name; by default the process's own.

    Raises:
        SystemExit: always; 0 where all is well, 1 where something is not as expected, 2 where nothing could be begun.
    """
    need("", "the command line")
    build_app()(arguments)


def build_app() -> "Typer":
    """Make the application: one function for each command."""
    import typer  # noqa: PLC0415 - comes with an extra

    app = typer.Typer(
        name="resource-server",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,  # tokens are among them
    )

    @app.callback(invoke_without_command=True)
    def resource_server(
        *, version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False
    ) -> None:
        """Accept OAuth 2.0 access tokens in a microservice, and refuse the rest correctly."""
        if version:
            from resource_server import __version__  # noqa: PLC0415 - read from the metadata of the package

            typer.echo(__version__)
            raise typer.Exit

    for command in _COMMANDS:
        command.add(app)
    return app
