"""Real proxies before an application: each runs the configuration that the pages show, on ports of this machine.

The programs of Caddy, Traefik and Envoy come with packages of ``constraints/proxies.txt``, HAProxy and Apache with the
system. Each is a process of its own, and is ended by its process id.
"""

from __future__ import annotations

import asyncio
import queue
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mock_as import MockAS, Token
from tests.support.answer import Answer
from tests.support.gateway import Received, Upstream, make_gateway, received, serve_upstream
from tests.support.headers import ParsedChallenge, parse_challenges
from tests.support.live import PATIENCE, end, exchange, request, serve, wait_for
from tests.support.valkey import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
IDENTITY = ("subject", "client", "scopes", "issuer", "assurance", "claims")
"""What of a caller the gateway tells, each after ``X-Auth-``."""
POLICY = EXAMPLES / "envoy/policy.toml"
_SYSTEM = "/usr/sbin:/usr/local/sbin"
_MODULES = Path("/usr/lib/apache2/modules")
_SOCKETS_FOR_LUA = Path("/usr/share/lua/5.3/socket.lua")


def _from_environment(name: str) -> Path | None:
    program = Path(sys.executable).with_name(name)
    return program if program.exists() else None


def _from_system(name: str) -> Path | None:
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM)
    return None if found is None else Path(found)


def _envoy() -> Path | None:
    package = find_spec("envoy")
    program = Path(package.origin).parent / "_bin/envoy" if package is not None and package.origin else None
    return program if program is not None and program.exists() else None


def _apache() -> Path | None:
    program = _from_system("apache2")
    return program if (_MODULES / "mod_lua.so").exists() and _SOCKETS_FOR_LUA.exists() else None


@dataclass(frozen=True, slots=True)
class Program:
    """A proxy, as it is started in a folder that holds its configuration."""

    name: str
    """Of the folder in ``examples`` too."""
    find: Callable[[], Path | None]
    arguments: tuple[str, ...]
    source: str = "constraints/proxies.txt has it"

    def __str__(self) -> str:
        """Name the cases of a test."""
        return self.name


CADDY = Program("caddy", lambda: _from_environment("caddy"), ("run", "--config", "Caddyfile"))
TRAEFIK = Program("traefik", lambda: _from_environment("traefik"), ("--configfile=traefik.yaml",))
ENVOY = Program("envoy", _envoy, ("-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1"))
HAPROXY = Program("haproxy", lambda: _from_system("haproxy"), ("-f", "haproxy.cfg"), "Debian's haproxy")
APACHE = Program(
    "apache", _apache, ("-d", ".", "-f", "httpd.conf", "-DFOREGROUND"), "Debian's apache2-bin and lua-socket"
)
PROGRAMS = (CADDY, TRAEFIK, ENVOY, HAPROXY, APACHE)


@contextmanager
def run_proxy(
    program: Program, *, gateway: int, upstream: int, changes: Mapping[str, str] | None = None
) -> Generator[int]:
    """Run a proxy while the block runs.

    Args:
        program: which.
        gateway: the port of the gateway that it asks.
        upstream: the port of the application.
        changes: what stands in the example's configuration, and what is to stand there in its place.

    Yields:
        Its port.
    """
    found = program.find()
    assert found is not None
    port = free_port()
    # Everybody may look into it: Apache reads as another user than the one it is started by.
    with TemporaryDirectory(prefix=f"{program.name}-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        _configure(program, folder, {"8080": port, "4180": gateway, "8081": upstream}, changes or {})
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([found, *program.arguments], cwd=folder, stdout=log, stderr=log)
        try:
            wait_for_proxy(process, port, folder / "log")
            yield port
        finally:
            end(process)


def _configure(program: Program, folder: Path, ports: Mapping[str, int], changes: Mapping[str, str]) -> None:
    """Copy the example, with the ports of this run."""
    missing = set(changes)
    for source in sorted((EXAMPLES / program.name).iterdir()):
        text = source.read_text(encoding="utf-8")
        for old in [old for old in changes if old in text]:
            text = text.replace(old, changes[old])
            missing.discard(old)
        text = re.sub(r"\b(8080|4180|8081)\b", lambda found: str(ports[found[0]]), text)
        (folder / source.name).write_text(text, encoding="utf-8")
    assert not missing, "not in the example"
    if program is APACHE:
        (folder / "modules").symlink_to(_MODULES)


def wait_for_proxy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a proxy answers."""
    wait_for(process, lambda: _answers(port), lambda: log.read_text(encoding="utf-8", errors="replace"))


def _answers(port: int) -> bool:
    """Tell whether there is an answer to a request; Traefik has one for each before it knows its routes."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with client.makefile("rb") as answer:
            return answer.readline().split(b" ")[1:2] not in ([], [b"404"])
    return False


async def _absent(_scope: Any, _receive: Any, send: Any) -> None:
    """Be the gateway between two tests."""
    await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


class Switch:
    """The gateway of the moment: an ASGI application that is another one in each test, behind the same port."""

    def __init__(self) -> None:
        """Be none yet."""
        self._app: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the application of the moment does."""
        if scope["type"] != "lifespan":
            await (self._app or _absent)(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})

    @contextmanager
    def to(self, app: Any) -> Generator[None]:
        """Be this application while the block runs; its lifespan is the block."""
        assert self._loop is not None
        told: queue.Queue[str] = queue.Queue()
        inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()

        async def send(message: dict[str, str]) -> None:
            told.put(message["type"])

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        life: Future[None] = asyncio.run_coroutine_threadsafe(app(scope, inbox.get, send), self._loop)
        for phase in ("startup", "shutdown"):
            self._loop.call_soon_threadsafe(inbox.put_nowait, {"type": f"lifespan.{phase}"})
            assert told.get(timeout=PATIENCE) == f"lifespan.{phase}.complete"
            if phase == "startup":
                self._app = app
                try:
                    yield
                finally:
                    self._app = None
        life.result(PATIENCE)


class Questions:
    """An application, and what it was asked: method, target and fields of each question, and whether it had a body."""

    def __init__(self, app: Any) -> None:
        """Have been asked nothing yet."""
        self._app = app
        self.asked: list[Received] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Note the question, and pass it on."""
        if scope["type"] == "http":
            self.asked.append(received(scope))
        await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Stand:
    """A proxy that runs, between its gateway and its application."""

    program: Program
    port: int
    gateway_port: int
    switch: Switch
    upstream: Upstream

    def ask(self, path: str = "/orders", *fields: bytes, method: str = "GET", token: Token | None = None) -> Answer:
        """Send a request to the proxy."""
        return exchange(self.port, request(method, path, *bearer(token), *fields), method=method)

    def ask_gateway(
        self, path: str = "/orders", *fields: bytes, method: str = "GET", token: Token | None = None
    ) -> Answer:
        """Ask the gateway about a request, as a proxy does that adds nothing of its own."""
        told = [f"X-Forwarded-{name}: {value}".encode() for name, value in (("Method", method), ("Uri", path))]
        told += [b"X-Forwarded-Host: api.example.test", b"X-Forwarded-Proto: http"]
        question = request("GET", "/auth", *bearer(token), *fields, *told)
        return exchange(self.gateway_port, question)

    @contextmanager
    def gateway(self, mock_as: MockAS, door: dict[str, Any] | None = None, **options: Any) -> Generator[Questions]:
        """Have the proxy ask a gateway with these options while the block runs; the application has got nothing yet."""
        app, _, _ = make_gateway(mock_as, {"policy": POLICY} | (door or {}), **options)
        questions = Questions(app)
        self.upstream.received.clear()
        with self.switch.to(questions):
            yield questions


@contextmanager
def stand(program: Program, changes: Mapping[str, str] | None = None) -> Generator[Stand]:
    """Start a proxy, its application, and a place for its gateway."""
    switch = Switch()
    with (
        serve(switch, "httptools", proxy_headers=False, ws="none") as gateway,
        serve_upstream() as (application, upstream),
        run_proxy(program, gateway=gateway, upstream=application, changes=changes) as port,
    ):
        yield Stand(program, port, gateway, switch, upstream)


def bearer(token: Token | None) -> list[bytes]:
    """Write the field of a token."""
    return [] if token is None else [f"Authorization: {token.bearer['Authorization']}".encode()]


def who(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what fields of identity say, whatever their spelling; one that is said twice must say the same."""
    found: dict[str, str] = {}
    for name, value in headers:
        plain = name.lower().replace("_", "-")
        if plain.startswith("x-auth-"):
            assert found.setdefault(plain, value) == value
    return found


def challenges(answer: Answer) -> list[ParsedChallenge]:
    """Read the challenges of an answer."""
    return parse_challenges(", ".join(answer.all("www-authenticate")))
