"""The commands that need no server: one is it, the other looks at what it would be made from."""

from __future__ import annotations

import ipaddress
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mock_as.cli.screen import USAGE, fail, messages, show_json

if TYPE_CHECKING:
    from socket import socket

    from starlette.types import ASGIApp

    from mock_as.config import Config
    from mock_as.mock import MockAS

_File = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A file of TOML, or JSON; see `check`.")]


def serve(  # noqa: PLR0913 - each is an option of the command line
    *,
    config: _File = None,
    host: Annotated[str | None, typer.Option(help="The address to listen at.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.", show_default="9000")
    ] = None,
    allow_remote: Annotated[
        bool | None, typer.Option("--allow-remote", help="Listen at an address that other machines can reach.")
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(help='The issuer URL; "auto" for the address of each request.', show_default="where it is served"),
    ] = None,
    front_url: Annotated[str | None, typer.Option(help="Where browsers reach it, if not at the issuer's host.")] = None,
    back_url: Annotated[str | None, typer.Option(help="Where other servers reach it, likewise.")] = None,
    audience: Annotated[str | None, typer.Option(help="The audience of tokens that name no other.")] = None,
    token_format: Annotated[
        Literal["jwt", "opaque"] | None, typer.Option(help="The format of tokens.", show_default="jwt")
    ] = None,
    lifetime: Annotated[int | None, typer.Option(help="How long tokens live, in seconds.", show_default="3600")] = None,
    profile: Annotated[str | None, typer.Option(help="Whose behaviour is put on.", show_default="strict")] = None,
    open_clients: Annotated[
        bool | None, typer.Option("--open-clients", help="Let unknown clients authenticate with any secret.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Make every id and opaque token reproducible.")] = None,
    keys: Annotated[
        str | None, typer.Option(metavar="FILE", help="Private keys, as a JWK Set or PEM, that outlive the server.")
    ] = None,
    tls: Annotated[bool | None, typer.Option("--tls", help="Serve https, with a certificate made for it.")] = None,
    admin: Annotated[
        bool | None, typer.Option("--admin/--no-admin", help="Have a control plane.", show_default="admin")
    ] = None,
    admin_token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="What the control plane asks for as a bearer token.")
    ] = None,
    admin_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="A port for the control plane alone.")
    ] = None,
) -> None:
    """Serve until SIGINT or SIGTERM; one line of JSON on standard output says that connections are accepted."""
    options = {name: value for name, value in locals().items() if name != "config" and value is not None}
    found = _load(config, options)
    if not found.allow_remote and not _is_loopback(found.host):
        raise fail(
            f"{found.host} can be reached from other machines, and anybody there could mint tokens; add --allow-remote",
            USAGE,
        )
    _serve(found, found.make())


def check(
    *,
    path: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="A file of TOML, or JSON.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of such a file instead.")] = False,
) -> None:
    """Judge the configuration that `serve` would read, and say everything that is wrong with it."""
    if schema:
        from mock_as.config import json_schema  # noqa: PLC0415 - the other commands do not wait for it

        show_json(json_schema())
        return
    found = _load(path, {})
    found.make()
    said = ", ".join(sorted(found.model_fields_set)) or "nothing, so every default holds"
    messages.print(f"The configuration is good. It says: {said}.", markup=False, soft_wrap=True)


def _load(path: Path | None, options: dict[str, Any]) -> Config:
    from mock_as.config import load  # noqa: PLC0415 - the other commands do not wait for it

    return load(path, options)


def _serve(config: Config, mock: MockAS) -> None:
    from mock_as.doors import Door  # noqa: PLC0415 - starlette is slow to load
    from mock_as.server import serve_in_thread, serve_until_signal, url_of  # noqa: PLC0415 - uvicorn is slow to load

    app, scheme = mock.app, "https" if config.tls else "http"
    tls = mock.tls() if config.tls else None
    with ExitStack() as stack:
        listener = stack.enter_context(_bind(config.host, config.port))
        url = admin = url_of(listener, scheme)
        stack.enter_context(mock.identity.served_at(url))
        front: ASGIApp = app
        if config.admin_port is not None:
            back = stack.enter_context(_bind(config.host, config.admin_port))
            front, admin = Door(app, "oauth"), url_of(back, scheme)
            stack.enter_context(serve_in_thread(Door(app, "control"), back, tls=tls))
        ready = {"ready": True, "issuer": mock.issuer, "admin": f"{admin}/_mock" if mock.admin else None}
        if config.tls:
            ready["ca"] = mock.authority.pem.decode()
        serve_until_signal(front, listener, lambda: _announce(ready, url), mock.release, tls=tls)


def _bind(host: str, port: int) -> socket:
    from mock_as.server import bind  # noqa: PLC0415 - uvicorn is slow to load

    try:
        return bind(host, port)
    except OSError as error:
        raise fail(f"cannot listen at {host}:{port}: {error.strerror or error}", USAGE) from None


def _announce(ready: dict[str, Any], url: str) -> None:
    show_json({**ready, "pid": os.getpid()})
    console = "" if ready["admin"] is None else f", console at {ready['admin']}/ui"
    messages.print(f"[bold]Mock authorization server[/bold] at {url}{console}; for tests only.", soft_wrap=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
