"""The command line."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from mock_as.errors import UsageError
from mock_as.identity import AUTO
from mock_as.issuer import DEFAULT_AUDIENCE
from mock_as.mock import MockAS
from mock_as.tokens import TokenFormat

_USAGE = 2

app = typer.Typer(
    name="mock-as",
    help="A mock OAuth 2.0 authorization server for the tests of resource servers.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
# Standard output is for the harness that waits for the ready line; people read standard error.
_console = Console(stderr=True, highlight=False)


@app.callback()
def _commands() -> None:
    """Keep `serve` a command of its own, beside those that are to come."""


@app.command()
def serve(  # noqa: PLR0913 - each is an option of the command line
    *,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")] = 9000,
    issuer: Annotated[str, typer.Option(help='The issuer URL; "auto" for the address it is served under.')] = AUTO,
    audience: Annotated[str, typer.Option(help="The audience of tokens that name no other.")] = DEFAULT_AUDIENCE,
    seed: Annotated[int | None, typer.Option(help="Make every id and opaque token reproducible.")] = None,
    token_format: Annotated[TokenFormat, typer.Option(help="The format of tokens.")] = "jwt",  # noqa: S107 - no secret
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen at an address that other machines can reach.")
    ] = False,
) -> None:
    """Serve until SIGINT or SIGTERM; one line of JSON on standard output says that connections are accepted."""
    if not allow_remote and not _is_loopback(host):
        _fail(f"{host} can be reached from other machines, and anybody there could mint tokens; add --allow-remote")
    try:
        mock = MockAS(issuer=issuer, audience=audience, seed=seed, token_format=token_format)
    except UsageError as error:
        _fail(str(error))
    else:
        _serve(mock, host, port)


def _serve(mock: MockAS, host: str, port: int) -> None:
    from mock_as.server import bind, serve_until_signal, url_of  # noqa: PLC0415 - uvicorn is slow to load

    try:
        listener = bind(host, port)
    except OSError as error:
        _fail(f"cannot listen at {host}:{port}: {error.strerror or error}")
    else:
        url = url_of(listener)
        with mock.identity.served_at(url):
            serve_until_signal(mock.app, listener, lambda: _announce(mock, url), mock.release)


def _announce(mock: MockAS, url: str) -> None:
    ready = {"ready": True, "issuer": mock.issuer, "admin": f"{url}/_mock", "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    _console.print(f"[bold]Mock authorization server[/bold] at {url}; for tests only.", soft_wrap=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fail(message: str) -> None:
    _console.print(f"[bold red]mock-as:[/bold red] {message}", soft_wrap=True)
    raise typer.Exit(_USAGE)


def main() -> None:
    """Run the command line."""
    app()
