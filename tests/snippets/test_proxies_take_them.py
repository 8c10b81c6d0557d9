"""Each proxy itself says that what is printed for it is a configuration, with and without wishes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from resource_server import cli
from tests.support.live import end, exchange, request
from tests.support.nginx import find_nginx
from tests.support.proxies import APACHE, CADDY, ENVOY, HAPROXY, TRAEFIK, Program, wait_for_proxy
from tests.support.valkey import free_port

PATIENCE = 60
CHECKS: dict[Program, tuple[str, ...]] = {
    Program("nginx", lambda: Path(found) if (found := find_nginx()) else None, (), "Debian's nginx"): (
        "-t", "-e", "stderr", "-p", ".", "-c", "nginx.conf",
    ),
    CADDY: ("validate", "--config", "Caddyfile"),
    ENVOY: ("--mode", "validate", "-c", "envoy.yaml"),
    HAPROXY: ("-c", "-f", "haproxy.cfg"),
    APACHE: ("-t", "-d", ".", "-f", "httpd.conf"),
}  # fmt: skip
"""What has each judge a configuration without serving it; Traefik has nothing like that."""
ADDRESSES = ("--gateway", "http://[::1]:9100", "--upstream", "http://127.0.0.1:8099")
NAMES = ("--gateway", "http://localhost:9100", "--upstream", "http://localhost")
SCOPE = ("--scope", "orders:read {pay}'; <all> $x", "--server-name", "api.example.test")
OPTIONS = {"example": (), "addresses": ADDRESSES, "names": NAMES, "everything": (*NAMES, *SCOPE)}


def write(folder: Path, *arguments: str) -> None:
    """Have the command write its files."""
    with pytest.raises(SystemExit) as ending:
        cli.main(["snippets", *arguments, "--into", str(folder)])
    assert ending.value.code == 0


def found(program: Program) -> Path:
    """Find a program, or skip."""
    path = program.find()
    if path is None:
        pytest.skip(f"{program} is not installed: {program.source}")
    return path


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("program", CHECKS, ids=str)
def test_a_proxy_takes_it(program: Program, options: tuple[str, ...], tmp_path: Path) -> None:
    """The proxy's own check of its configuration finds nothing, whatever was wished."""
    path = found(program)
    write(tmp_path, program.name, *options)
    if program is APACHE:
        (tmp_path / "modules").symlink_to("/usr/lib/apache2/modules")
    environment: Mapping[str, str] = os.environ | {"HOME": str(tmp_path)}
    checked = subprocess.run(
        [path, *CHECKS[program]], cwd=tmp_path, env=environment, capture_output=True, timeout=PATIENCE, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()


def test_traefik_takes_it(tmp_path: Path) -> None:
    """Traefik starts, knows the route by its host name, and asks the gateway, which is not there."""
    path, port = found(TRAEFIK), free_port()
    gateway = f"http://127.0.0.1:{free_port()}"
    write(tmp_path, "traefik", "--gateway", gateway, "--scope", SCOPE[1], "--server-name", "localhost")
    file = tmp_path / "traefik.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(":8080", f":{port}"), encoding="utf-8")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([path, *TRAEFIK.arguments], cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait_for_proxy(process, port, tmp_path / "log")
        assert exchange(port, request("GET", "/orders", host=b"localhost")).status >= 500
        assert exchange(port, request("GET", "/orders", host=b"another.test")).status == 404
    finally:
        end(process)
