"""The command line, ``resource-server``. The only module that speaks to typer and rich, which come with an extra.

They are imported when a command runs: before that, whoever lacks them is told what to install.
"""

import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from resource_server._demo.exchange import DemoError
from resource_server._demo.paste import curl_lines
from resource_server._demo.play import play
from resource_server._demo.rows import Row
from resource_server._demo.signals import ending_on_signals
from resource_server._demo.stage import Stage, open_stage
from resource_server._gateway.environment import PREFIX
from resource_server._gateway.metrics import SEVERAL
from resource_server.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table
    from typer import Typer

_EXTRAS: dict[str, dict[str, tuple[str, ...]]] = {
    "": {"gateway": ("typer",)},
    "demo": {"fastapi": ("fastapi",), "mock": ("authlib", "rich", "typer", "uvicorn")},
    "forward-auth": {"gateway": ("httptools", "prometheus_client", "uvicorn")},
}
"""What each command needs beyond the library, and what every one needs."""
_UNEXPECTED, _NOT_INSTALLED, _INTERRUPTED = 1, 2, 130
_GRACE = 10
"""Seconds for what is under way when the gateway is told to end."""
_SIGNING_KEYS = PREFIX + "SIGNING_KEYS"
_WIDE = 120
"""Columns where there is no terminal to ask."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: what stands after the program's name; by default the process's own.

    Raises:
        SystemExit: always; 0 where all is well, 1 where something is not as expected, 2 where nothing could be begun.
    """
    _need("", "the command line")
    build_app()(arguments)


def _need(command: str, name: str) -> None:
    missing = missing_extras(_EXTRAS[command])
    if missing:
        remedy = f"pip install 'resource-server[{','.join(missing)}]'"
        sys.stderr.write(f"resource-server: {name} needs an extra that is not installed: {remedy}\n")
        raise SystemExit(_NOT_INSTALLED)


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
        _need("demo", "the demo")
        raise typer.Exit(run_demo(serve=serve, as_json=as_json))

    _add_forward_auth(app)
    return app


def _add_forward_auth(app: "Typer") -> None:
    import typer  # noqa: PLC0415 - as above

    def option(name: str, about: str) -> Any:  # noqa: ANN401 - what typer reads in an annotation
        return typer.Option(f"--{name}", help=about, envvar=PREFIX + name.upper().replace("-", "_"))

    @app.command()
    def forward_auth(  # noqa: PLR0913 - the options of a whole server
        *,
        host: Annotated[str, option("host", "The address to listen at.")] = "127.0.0.1",
        port: Annotated[int, option("port", "The port.")] = 8080,
        uds: Annotated[str, option("uds", "A Unix socket to listen at instead.")] = "",
        workers: Annotated[int, option("workers", "How many processes.")] = 1,
        policy: Annotated[str, option("policy", "A TOML file with demands by host, path and method.")] = "",
        credential: Annotated[
            str, option("credential", "What the application gets for the token: strip, pass or replace.")
        ] = "strip",
        claims: Annotated[str, option("claims", "The claims to tell, with spaces between them; all by default.")] = "",
        signing_keys: Annotated[
            str, option("signing-keys", "Files with the keys of internal tokens; the first signs.")
        ] = "",
        internal_issuer: Annotated[str, option("internal-issuer", "The issuer of internal tokens.")] = "",
        internal_audience: Annotated[str, option("internal-audience", "The audience of internal tokens.")] = "",
    ) -> None:
        """Judge requests for nginx, Traefik, Caddy or Envoy; the server's options are RESOURCE_SERVER_*."""
        _need("forward-auth", "the gateway")
        said = {
            "policy": policy,
            "credential": credential,
            "claims": claims,
            "signing_keys": signing_keys,
            "internal_issuer": internal_issuer,
            "internal_audience": internal_audience,
        }
        os.environ.update({PREFIX + name.upper(): value for name, value in said.items()})
        raise typer.Exit(run_gateway(host=host, port=port, uds=uds or None, workers=workers))


def run_gateway(*, host: str, port: int, uds: str | None, workers: int) -> int:
    """Serve the gateway, with the options in the environment, until a signal ends it.

    Args:
        host: the address to listen at.
        port: the port; 0 for any that is free.
        uds: the path of a Unix socket to listen at instead.
        workers: how many processes.

    Returns:
        The exit status: 2 where the options are not acceptable.
    """
    import uvicorn  # noqa: PLC0415 - comes with an extra

    several = workers > 1
    try:
        _judge_gateway(several=several)
    except ConfigurationError as error:
        sys.stderr.write(f"resource-server forward-auth: {error}\n")
        return _NOT_INSTALLED
    sys.stderr.write(f"resource-server forward-auth: at {uds or f'http://{host}:{port}'}; Ctrl-C ends it\n")
    # One worker writes nothing, so that a read-only file system is enough for it.
    with TemporaryDirectory() if several else nullcontext() as folder:
        if folder is not None:
            os.environ.setdefault(SEVERAL, folder)
        uvicorn.run(
            "resource_server.forward_auth:ForwardAuth.from_env",
            factory=True,
            host=host,
            port=port,
            uds=uds,
            workers=workers,
            http="httptools",
            ws="none",  # a handshake is judged like any other request
            proxy_headers=False,  # a header does not decide who has sent a request
            access_log=False,
            server_header=False,
            date_header=False,
            log_config=_logging(),
            timeout_graceful_shutdown=_GRACE,
        )
    return 0


def _judge_gateway(*, several: bool) -> None:
    from resource_server.forward_auth import ForwardAuth  # noqa: PLC0415 - needed by this command only

    ForwardAuth.from_env()
    if os.environ.get(PREFIX + "CREDENTIAL") != "replace" or os.environ.get(_SIGNING_KEYS):
        return
    if several:
        raise ConfigurationError("several workers need signing_keys, for each would make a key of its own")
    sys.stderr.write("resource-server forward-auth: internal tokens have a key that was made now; no replica has it\n")


def _logging() -> dict[str, Any]:
    """Log what somebody must know: neither each handshake nor each malformed request, which callers decide about."""
    handler = {"class": "logging.StreamHandler", "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": handler},
        "loggers": {
            "resource_server": {"handlers": ["stderr"], "level": "INFO"},
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"level": "ERROR"},
        },
    }


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
