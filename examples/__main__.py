"""Start an example beside the mock authorization server: ``python -m examples NAME``; without a name, list them.

Both listen on this machine only, with the configuration of compose.yaml, and end with Ctrl-C.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from resource_server._demo.children import Child, Children, until
from resource_server._demo.control import ControlPlane
from resource_server._demo.exchange import DemoError, send
from resource_server._demo.signals import ending_on_signals
from resource_server._demo.stage import api_variables, child_environment, free_port

AUDIENCE = "https://api.example.test"
_ROOT = Path(__file__).parents[1]
_HOST = "127.0.0.1"
_DAY = 86_400
_UNUSABLE, _FAILED = 2, 1
_END = "Ctrl-C ends everything."
_JSON = ("-H", "Content-Type: application/json")


@dataclass(frozen=True)
class Site:
    """Where an example runs."""

    children: Children
    folder: Path
    """Its own, and gone afterwards."""
    issuer: str
    port: int
    """Where it is to be reached."""
    started: list[Child] = field(default_factory=list[Child])

    @property
    def url(self) -> str:
        """The same as a URL."""
        return f"http://{_HOST}:{self.port}"

    def start(self, name: str, *command: str, **more: str) -> Child:
        """Start a process of it, a module of Python or a program by its path, with more variables."""
        program = command if command[0].startswith("/") else (sys.executable, "-m", *command)
        variables = api_variables(self.issuer, AUDIENCE)
        variables |= {"PYTHONPATH": str(_ROOT), "RESOURCE_SERVER_TRUSTED_PROXIES": _HOST, **more}
        child = self.children.start(name, program, child_environment(os.environ, variables))
        self.started.append(child)
        return child

    def wait(self) -> None:
        """Wait until a process ends, which none does by itself.

        Raises:
            DemoError: one has.
        """
        ended = until(lambda: next((child for child in self.started if not child.running), None), "", float("inf"))
        raise DemoError(f"{ended.name} has ended")


def _asgi(app: str, resource: str = "") -> Callable[[Site], None]:
    def start(site: Site) -> None:
        more = {"RESOURCE_SERVER_RESOURCE": site.url + resource} if resource else {}
        site.start("the application", "uvicorn", app, "--host", _HOST, "--port", str(site.port), **more)

    return start


def _wsgi(app: str) -> Callable[[Site], None]:
    def start(site: Site) -> None:
        site.start("the application", "gunicorn", app, "--bind", f"{_HOST}:{site.port}", "--threads", "8")

    return start


def _nginx(site: Site) -> None:
    """Start the gateway, and nginx with the example's files, in which only the ports are others."""
    program = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if program is None:
        raise DemoError("this example needs nginx, which is not installed (apt-get install nginx, brew install nginx)")
    ports = {"8000": str(site.port), "8100": str(free_port()), "9100": str(free_port())}
    source, prefix = _ROOT / "examples/nginx", site.folder / "nginx"
    shutil.copytree(source, prefix)
    for file in prefix.rglob("*.conf"):
        text = file.read_text(encoding="utf-8")
        for shown, port in ports.items():
            text = text.replace(f"{_HOST}:{shown}", f"{_HOST}:{port}")
        file.write_text(text, encoding="utf-8")
    options = ("--host", _HOST, "--port", ports["9100"], "--policy", str(prefix / "policy.toml"))
    site.start("the gateway", str(Path(sys.executable).with_name("resource-server")), "forward-auth", *options)
    _until_answering(f"http://{_HOST}:{ports['9100']}/healthz", "the gateway")
    site.start("nginx", program, "-p", str(prefix), "-c", str(prefix / "nginx.conf"))


class Example(NamedTuple):
    """What is started, and what for."""

    about: str
    start: Callable[[Site], None]
    is_mcp: bool = False


EXAMPLES = {
    "fastapi": Example("an orders API on FastAPI", _asgi("examples.fastapi_app:app")),
    "starlette": Example("the same on Starlette", _asgi("examples.starlette_app:app")),
    "litestar": Example("the same on Litestar", _asgi("examples.litestar_app:app")),
    "flask": Example("the same on Flask", _wsgi("examples.flask_app:app")),
    "django": Example("the same on Django and Django REST framework", _wsgi("examples.django_app:application")),
    "mcp": Example("an MCP server for orders", _asgi("examples.mcp_server:app", "/mcp"), is_mcp=True),
    "nginx": Example("the orders API behind nginx and the gateway", _nginx),
}


def main(arguments: Sequence[str]) -> int:
    """Start what is named, and wait for Ctrl-C.

    Returns:
        The exit status.
    """
    example = EXAMPLES.get(arguments[0]) if len(arguments) == 1 else None
    if example is None:
        lines = [f"  {name:10} {known.about}" for name, known in EXAMPLES.items()]
        unknown = [f"There is no example {' '.join(arguments)!r}."] if arguments else []
        sys.stdout.write("\n".join([*unknown, "Usage: python -m examples NAME", "", *lines, ""]))
        return _UNUSABLE if arguments else 0
    try:
        with ending_on_signals(), _running(example) as site:
            sys.stdout.write("\n".join(_lines(site, example)) + "\n")
            sys.stdout.flush()
            site.wait()
    except DemoError as error:
        sys.stderr.write(f"python -m examples: {error}\n")
    except KeyboardInterrupt:
        return 0
    return _FAILED


@contextmanager
def _running(example: Example) -> Generator[Site]:
    """Start the authorization server, then the example, and end both whatever happens."""
    with TemporaryDirectory(prefix="resource-server-example-") as folder, Children(Path(folder)) as children:
        issuer_port = str(free_port())
        site = Site(children, Path(folder), f"http://{_HOST}:{issuer_port}", free_port())
        options = ("--host", _HOST, "--port", issuer_port, "--audience", AUDIENCE)
        try:
            site.start("the authorization server", "mock_as", "serve", *options)
            _until_answering(f"{site.issuer}/.well-known/oauth-authorization-server", "the authorization server")
            example.start(site)
            _until_answering(site.url + "/orders", "the example")
            yield site
        except DemoError as error:
            raise DemoError(f"{error}\n{children.transcript()}") from error


def _until_answering(url: str, name: str) -> None:
    """Wait until somebody answers, whatever."""

    def probe() -> bool | None:
        with suppress(DemoError):
            send("GET", url)
            return True
        return None

    until(probe, f"{name} to answer")


Line = tuple[str, tuple[str, ...]]
"""What a command gets, and what follows ``curl -i`` in it."""


def _lines(site: Site, example: Example) -> list[str]:
    """Say where everything is, and write commands to paste into another terminal."""
    control = ControlPlane(site.issuer)

    def bearer(scope: str) -> tuple[str, str]:
        token = control.mint({"format": "opaque", "sub": "alice", "scope": scope, "expires_in": _DAY})
        return ("-H", f"Authorization: Bearer {token}")

    reader, writer = bearer("orders:read"), bearer("orders:read orders:write")
    said = [f"The example is at {site.url}, its authorization server at {site.issuer}."]
    for comment, arguments in (_calls if example.is_mcp else _orders)(site.url, reader, writer):
        said += ["", f"# {comment}", shlex.join(("curl", "-i", *arguments))]
    return [*said, "", _END]


def _orders(url: str, reader: tuple[str, str], writer: tuple[str, str]) -> list[Line]:
    order = (*_JSON, "-d", '{"item": "tea", "quantity": 2}')
    return [
        ("401: no token", (f"{url}/orders",)),
        ("200: a token that may read", (f"{url}/orders", *reader)),
        ("403: this one may not write", (f"{url}/orders", *reader, *order)),
        ("201: this one may", (f"{url}/orders", *writer, *order)),
        ("404: for all but admins there is nothing", (f"{url}/admin/orders", *reader)),
    ]


def _calls(url: str, reader: tuple[str, str], _writer: tuple[str, str]) -> list[Line]:
    accept = ("-H", "Accept: application/json, text/event-stream")

    def post(method: str, **params: object) -> tuple[str, ...]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (*_JSON, *accept, "-d", json.dumps(message))

    client: dict[str, object] = {
        "clientInfo": {"name": "curl", "version": "8"},
        "capabilities": {},
        "protocolVersion": "2025-06-18",
    }
    begin = post("initialize", **client)
    place = post("tools/call", name="place_order", arguments={"item": "tea"})
    return [
        ("401: no token, and where the metadata are", (f"{url}/mcp", *begin)),
        ("200: they say where to get one", (f"{url}/.well-known/oauth-protected-resource/mcp",)),
        ("200: a token that may read", (f"{url}/mcp", *reader, *begin)),
        ("403: this one may not call the tool that writes", (f"{url}/mcp", *reader, *place)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
