"""The two processes of the demo, where they listen, and the tokens in play."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from resource_server._demo.children import Child, Children, until
from resource_server._demo.control import ControlPlane
from resource_server._demo.exchange import DemoError

AUDIENCE = "https://orders.example.test"
_HOST = "127.0.0.1"
_CHECKOUT = Path(__file__).parents[2]
_IN_CHECKOUT, _SHIPPED = "examples.fastapi_app", "resource_server._demo.fastapi_app"
_AS_READY = re.compile(r'"issuer": *"([^"]+)"')
_API_READY = re.compile(r"running on (http://\S+)")
_OTHERS = ("MOCK_AS_", "RESOURCE_SERVER_", "UVICORN_")
# Below the range that systems hand out by themselves: while the authorization server is down, nobody is given its port.
_LOWEST_PORT, _PORTS = 20_000, 10_000


class Stage:
    """The mock authorization server and the orders API.

    Args:
        children: starts the processes, and will end them.
        audience: what the API takes for its own audience; the tokens are for :data:`AUDIENCE`.
    """

    def __init__(self, children: Children, audience: str) -> None:
        """Start the authorization server, then the API that asks it, and wait until both are ready."""
        self._children = children
        self._port = free_port()
        self._tokens: dict[str, str] = {}
        self.authorization_server, self.issuer = self._start_authorization_server()
        self.control = ControlPlane(self.issuer)
        self.api, self.api_url = self._start_api(audience)

    def token(self, name: str, wishes: Mapping[str, Any]) -> str:
        """Return the token of this name, minted when it is first asked for."""
        if name not in self._tokens:
            self._tokens[name] = self.control.mint(wishes)
        return self._tokens[name]

    def kill_authorization_server(self) -> None:
        """Take the authorization server away without a warning."""
        self.authorization_server.kill()

    def restore_authorization_server(self) -> None:
        """Bring it back under the same address, with new keys and no memory of a token."""
        self.authorization_server, _ = self._start_authorization_server()

    def wait(self) -> None:
        """Wait until a process ends, which none does by itself.

        Raises:
            DemoError: one has.
        """
        ended = until(self._ended, "an end", seconds=float("inf"))
        raise DemoError(f"{ended.name} has ended")

    def transcript(self) -> str:
        """Return everything the processes have printed."""
        return self._children.transcript()

    def _ended(self) -> Child | None:
        return next((child for child in (self.authorization_server, self.api) if not child.running), None)

    def _start_authorization_server(self) -> tuple[Child, str]:
        options = ["--host", _HOST, "--port", str(self._port), "--audience", AUDIENCE]
        child = self._start("the authorization server", ["mock_as", "serve", *options], {})
        return child, child.wait_for(_AS_READY)

    def _start_api(self, audience: str) -> tuple[Child, str]:
        options = ["--host", _HOST, "--port", "0", "--no-access-log"]
        variables = api_variables(self.issuer, audience)
        child = self._start("the orders API", ["uvicorn", f"{orders_api()}:app", *options], variables)
        url = child.wait_for(_API_READY)
        # It fetches the keys in the background when it starts; that must not be counted as some request's doing.
        until(lambda: self.control.calls().jwks or None, "the orders API to fetch the keys")
        return child, url

    def _start(self, name: str, module: list[str], variables: Mapping[str, str]) -> Child:
        environment = child_environment(os.environ, variables)
        return self._children.start(name, [sys.executable, "-m", *module], environment)


@contextmanager
def open_stage(audience: str = AUDIENCE) -> Generator[Stage]:
    """Start both processes, and end them whatever happens.

    Args:
        audience: what the API takes for its own audience.

    Raises:
        DemoError: the story could not go on; the message holds what the processes have printed.
    """
    with TemporaryDirectory(prefix="resource-server-demo-") as folder, Children(Path(folder)) as children:
        try:
            yield Stage(children, audience)
        except DemoError as error:
            raise DemoError(f"{error}\n{children.transcript()}") from error


def free_port() -> int:
    """Find a port where nobody listens, and which nobody is given without asking for it by its number."""
    candidates = (_LOWEST_PORT + secrets.randbelow(_PORTS) for _ in range(_PORTS))
    return next(port for port in candidates if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        try:
            candidate.bind((_HOST, port))
        except OSError:
            return False
    return True


def orders_api() -> str:
    """Name the module of the API: as it is shipped, else as it stands in the repository."""
    return _SHIPPED if find_spec(_SHIPPED) is not None else _IN_CHECKOUT


def api_variables(issuer: str, audience: str) -> dict[str, str]:
    """Return the whole configuration of the API; everything else is left at its default."""
    return {
        "RESOURCE_SERVER_ISSUER": issuer,
        "RESOURCE_SERVER_AUDIENCE": audience,
        "RESOURCE_SERVER_CLIENT_ID": "rs",
        "RESOURCE_SERVER_CLIENT_SECRET": "rs-secret",
    }


def child_environment(inherited: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Make the environment of a process, so that it can import the same code and is configured by nobody else.

    Args:
        inherited: the environment of the demo itself, which may have been made for somebody's own service.
        variables: what this process is to be told.
    """
    environment = {name: value for name, value in inherited.items() if not name.upper().startswith(_OTHERS)}
    if orders_api() == _IN_CHECKOUT:
        places = [str(_CHECKOUT), inherited.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    return {**environment, "PYTHONUNBUFFERED": "1", **variables}
