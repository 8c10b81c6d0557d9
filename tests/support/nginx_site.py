"""A site behind a real nginx, with the snippets of examples/nginx and nothing else, for one test after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mock_as import MockAS
from tests.support.answer import Answer
from tests.support.auth_request import nginx, programs
from tests.support.gateway import Upstream, make_gateway, serve_upstream
from tests.support.live import exchange, request, serve
from tests.support.proxies import Questions, Switch

PROGRAMS = programs()
PROTECTED = "include resource-server/protect.conf; proxy_pass http://app;"
LOCATIONS = f"""
    location / {{ {PROTECTED} }}
    location = /healthz {{ include resource-server/identity.conf; proxy_pass http://app/healthz; }}
    location /orders {{ set $resource_server_policy scope=orders:read; {PROTECTED} }}
    location /hidden {{ set $resource_server_policy "scope=admin&hide=404"; {PROTECTED} }}
    location /live {{ set $resource_server_policy unavailable=503; {PROTECTED} }}
    location /ajax {{ set $resource_server_policy ajax=403; {PROTECTED} }}
    location /recent {{ set $resource_server_policy max_age=60; {PROTECTED} }}
    location /misspelt {{ set $resource_server_policy scopes=orders:read; {PROTECTED} }}
    location /closed {{ deny all; {PROTECTED} }}
    location /upload {{ client_max_body_size 0; {PROTECTED} }}
"""


@dataclass(frozen=True)
class Site:
    """A site behind nginx, with everything that stands behind it."""

    port: int
    mock_as: MockAS
    upstream: Upstream
    questions: Questions
    gateway_port: int

    def send(self, path: str = "/things", *fields: str, method: str = "GET", token: str | None = None) -> Answer:
        """Send a request to nginx."""
        return exchange(self.port, write_request(method, path, fields, token), method=method)

    def ask(self, path: str = "/things", *fields: str, query: str = "", token: str | None = None) -> Answer:
        """Put the question about a request to the gateway itself, as Caddy does: what it says is the measure."""
        told = ("X-Forwarded-Method: GET", f"X-Forwarded-Uri: {path}", "X-Forwarded-Host: api.example.test")
        return exchange(self.gateway_port, write_request("GET", f"/auth?{query}", (*fields, *told), token))

    @property
    def token(self) -> str:
        """A new token that may read orders."""
        return self.mock_as.token(sub="alice", scope="orders:read").value


def write_request(method: str, path: str, fields: tuple[str, ...], token: str | None) -> bytes:
    """Write a request's bytes, with a token."""
    credentials = () if token is None else (f"Authorization: Bearer {token}",)
    return request(method, path, *(field.encode("latin-1") for field in (*fields, *credentials)))


class Ground:
    """What stands as long as these tests run: an application, a place for a gateway, and each nginx that was needed."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        """Serve the first two."""
        self.switch = Switch()
        self.gateway_port = stack.enter_context(serve(self.switch, "httptools", proxy_headers=False, ws="none"))
        self._behind, self.upstream = stack.enter_context(serve_upstream())
        self._stack, self._folder, self._ports = stack, folder, dict[str, int]()

    def port(self, program: str, gateway: int, parts: dict[str, str]) -> int:
        """Return the port of an nginx that asks this gateway, started when it is first needed."""
        name = repr((program, gateway, parts))
        if name not in self._ports:
            folder = self._folder / str(len(self._ports))
            running = nginx(program, folder, gateway=gateway, upstream=self._behind, **parts)
            self._ports[name] = self._stack.enter_context(running)
        return self._ports[name]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Generator[Ground]:
    """Serve what all tests here share."""
    with ExitStack() as stack:
        yield Ground(stack, tmp_path_factory.mktemp("nginx"))


Build = Callable[..., Site]


@pytest.fixture(params=range(len(PROGRAMS) or 1), ids=["nginx", "newer"][: len(PROGRAMS) or 1])
def build(request: pytest.FixtureRequest, mock_as: MockAS, ground: Ground) -> Generator[Build]:
    """Make a site, with options of the gateway and of nginx."""
    if not PROGRAMS:
        pytest.skip("nginx is not installed")
    with ExitStack() as stack:

        def make(
            door: dict[str, Any] | None = None,
            configuration: dict[str, str] | None = None,
            gateway: int = ground.gateway_port,
            **options: Any,
        ) -> Site:
            questions = Questions(make_gateway(mock_as, door, **options)[0])
            stack.enter_context(ground.switch.to(questions))
            ground.upstream.received.clear()
            port = ground.port(PROGRAMS[request.param], gateway, {"locations": LOCATIONS} | (configuration or {}))
            return Site(port, mock_as, ground.upstream, questions, ground.gateway_port)

        yield make


@pytest.fixture
def site(build: Build) -> Site:
    """Give a site as most tests want it."""
    return build()
