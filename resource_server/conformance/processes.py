"""The processes that the suite starts: waited for until they serve, and ended whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from resource_server.conformance.authorization_server import CLIENT_ID, CLIENT_SECRET, AuthorizationServer
from resource_server.conformance.errors import SuiteError
from resource_server.conformance.printable import printable
from resource_server.conformance.target import Target
from resource_server.conformance.wire import NO_ANSWER, Connection, free_port

_PATIENCE = 30.0
_POLL = 0.05
_GRACE = 5.0
_TOLD = 2000
"""Characters of what a process has printed that stand in a message."""


@contextmanager
def mock_authorization_server(audience: str, port: int = 0) -> Generator[AuthorizationServer]:
    """Serve the mock authorization server while a block runs.

    Args:
        audience: the audience of tokens that name no other.
        port: the port; 0 for any that is free.

    Raises:
        SuiteError: it does not start.
    """
    # Neither the folder nor the environment of whoever runs the suite says what is served here, or to whom.
    command = (sys.executable, "-P", "-m", "mock_as", "serve", "--port", str(port), "--audience", audience)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOCK_AS_")}
    with _running(command, Path.cwd(), environment) as (process, printed):
        line = _first_line(process, printed)
        yield AuthorizationServer(json.loads(line)["issuer"])


@contextmanager
def started(target: Target, server: AuthorizationServer) -> Generator[Target]:
    """Start a target, if it has a command, and wait until it serves.

    Args:
        target: what to start.
        server: the authorization server that it is to trust.

    Raises:
        SuiteError: it does not start, or nobody listens there.
    """
    port = free_port()
    ready = target.at(port)
    if not target.start:
        _await(ready, None, None)
        yield ready
        return
    environment = {**os.environ, **variables(server, target.audience, port), **ready.environment}
    with _running(ready.start, target.folder, environment) as (process, printed):
        _await(ready, process, printed)
        yield ready


def variables(server: AuthorizationServer, audience: str, port: int) -> dict[str, str]:
    """Return the environment that a target is started with.

    Args:
        server: the authorization server that it is to trust.
        audience: what tokens for it name.
        port: where it is to listen.
    """
    urls = server.endpoints()
    said = {
        "PORT": str(port),
        "ISSUER": urls["issuer"],
        "AUDIENCE": audience,
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        "INTROSPECTION_ENDPOINT": urls["introspection"],
        "JWKS_URI": urls["jwks"],
    }
    return said | {f"RESOURCE_SERVER_{name}": value for name, value in said.items()}


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Generator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    with TemporaryFile() as printed:
        try:
            process = subprocess.Popen(  # noqa: S603 - what the description of the target names
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise SuiteError(f"{command[0]} cannot be started: {error}") from error
        try:
            yield process, printed
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started: politely at first, and in any case."""
    for number, grace in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)


def _output(printed: IO[bytes]) -> str:
    printed.seek(0)
    return printed.read().decode(errors="replace")


def _told(printed: IO[bytes]) -> str:
    return "\n".join(map(printable, _output(printed)[-_TOLD:].strip().splitlines()))


def _first_line(process: subprocess.Popen[bytes], printed: IO[bytes]) -> str:
    """Wait for the line of JSON that the mock writes when it serves."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        for line in _output(printed).splitlines():
            if line.startswith("{") and line.endswith("}"):
                return line
        time.sleep(_POLL)
    raise SuiteError(f"the mock authorization server does not start: {_told(printed)}")


def _await(target: Target, process: subprocess.Popen[bytes] | None, printed: IO[bytes] | None) -> None:
    connection = Connection(target.url, 2.0)
    deadline = time.monotonic() + _PATIENCE
    while connection.send("GET", target.ready).status == NO_ANSWER:
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            said = "" if printed is None else ": " + _told(printed)
            raise SuiteError(f"the target {target.name} does not answer at {target.url}{said}")
        time.sleep(_POLL)
