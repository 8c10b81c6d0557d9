"""``resource-server forward-auth``: the gateway, served by uvicorn."""

import os
import sys
from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from resource_server._gateway.environment import PREFIX
from resource_server._gateway.metrics import SEVERAL
from resource_server.cli.shared import FINE, NOT_BEGUN, need
from resource_server.errors import ConfigurationError

if TYPE_CHECKING:
    from typer import Typer

_GRACE = 10
"""Seconds for what is under way when the gateway is told to end."""
_FORMATS = {
    "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    "json": {"()": "resource_server.events.JSONFormatter"},
}
_SIGNING_KEYS = PREFIX + "SIGNING_KEYS"


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

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
        log_format: Annotated[
            str, option("log-format", "How the log is written: text, or json for programs.")
        ] = "text",
    ) -> None:
        """Judge requests for nginx, Traefik, Caddy or Envoy; the server's options are RESOURCE_SERVER_*."""
        need("forward-auth", "the gateway")
        said = {
            "policy": policy,
            "credential": credential,
            "claims": claims,
            "signing_keys": signing_keys,
            "internal_issuer": internal_issuer,
            "internal_audience": internal_audience,
        }
        os.environ.update({PREFIX + name.upper(): value for name, value in said.items()})
        raise typer.Exit(run_gateway(host=host, port=port, uds=uds or None, workers=workers, log_format=log_format))


def run_gateway(*, host: str, port: int, uds: str | None, workers: int, log_format: str = "text") -> int:
    """Serve the gateway, with the options in the environment, until a signal ends it.

    Args:
        host: the address to listen at.
        port: the port; 0 for any that is free.
        uds: the path of a Unix socket to listen at instead.
        workers: how many processes.
        log_format: how the log is written, ``text`` or ``json``.

    Returns:
        The exit status: 2 where the options are not acceptable, or nothing can listen there.
    """
    import uvicorn  # noqa: PLC0415 - comes with an extra

    several = workers > 1
    try:
        _judge_gateway(several=several)
        log_config = _logging(log_format)
    except ConfigurationError as error:
        sys.stderr.write(f"resource-server forward-auth: {error}\n")
        return NOT_BEGUN
    sys.stderr.write(f"resource-server forward-auth: at {uds or f'http://{host}:{port}'}; Ctrl-C ends it\n")
    # One worker writes nothing, so that a read-only file system is enough for it.
    with TemporaryDirectory() if several else nullcontext() as folder:
        if folder is not None:
            os.environ.setdefault(SEVERAL, folder)
        try:
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
                log_config=log_config,
                timeout_graceful_shutdown=_GRACE,
            )
        except SystemExit:  # a port that is taken, and what else uvicorn has told already
            return NOT_BEGUN
    return FINE


def _judge_gateway(*, several: bool) -> None:
    from resource_server.forward_auth import ForwardAuth  # noqa: PLC0415 - needed by this command only

    ForwardAuth.from_env()
    if os.environ.get(PREFIX + "CREDENTIAL") != "replace" or os.environ.get(_SIGNING_KEYS):
        return
    if several:
        raise ConfigurationError("several workers need signing_keys, for each would make a key of its own")
    sys.stderr.write("resource-server forward-auth: internal tokens have a key that was made now; no replica has it\n")


def _logging(log_format: str) -> dict[str, Any]:
    """Log what somebody must know: neither each handshake nor each malformed request, which callers decide about."""
    if log_format not in _FORMATS:
        raise ConfigurationError(f"log_format must be one of {', '.join(_FORMATS)} (got {log_format!r})")
    handler = {"class": "logging.StreamHandler", "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _FORMATS[log_format]},
        "handlers": {"stderr": handler},
        "loggers": {
            "resource_server": {"handlers": ["stderr"], "level": "INFO"},
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"level": "ERROR"},
        },
    }
