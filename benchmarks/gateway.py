"""The gateway under wrk: how many questions of a proxy it answers on one core, beside a server that judges nothing.

Both run under the same server with the same fields in the answer, on one core; wrk has the other. Without wrk, or
without a second core, there are no figures.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from benchmarks.harness import Figure
from benchmarks.processes import authorization_server
from benchmarks.support import AUDIENCE

CONNECTIONS, SECONDS, ROUNDS = 64, 4, 3
TARGET, SPREAD = 5_000, 3.0
_PATIENCE = 60.0
_PERCENTILE = re.compile(r"^ +(50|99)% +([0-9.]+)(us|ms|s)$", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec: +([0-9.]+)$", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_FIELDS = [(b"content-length", b"0"), *((f"x-field-{number}".encode(), b"value") for number in range(10))]
_BARE = """
import uvicorn
uvicorn.run("benchmarks.gateway:bare", port={port}, http="httptools", ws="none", proxy_headers=False,
    access_log=False, server_header=False, date_header=False, log_level="error")
"""
_GATEWAY = "import sys; from resource_server.cli import main; main(sys.argv[1:])"
_PATHS = {
    "bare": "/",
    "nginx": "/auth/nginx?scope=orders:read",
    "traefik": "/auth?scope=orders:read",
    "no token": "/auth",
}


class Load(NamedTuple):
    """What wrk has seen."""

    rate: float
    half: float
    """Milliseconds in which half of the answers came."""
    nearly_all: float
    """Milliseconds in which 99 of 100 came."""


async def bare(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
    """Answer yes to everything, with as many fields as the gateway."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _FIELDS})
        await send({"type": "http.response.body", "body": b""})


async def measure() -> list[Figure]:
    """Let wrk ask both in turn."""
    cores, wrk = sorted(os.sched_getaffinity(0)), shutil.which("wrk")
    if wrk is None or len(cores) < 2:
        return [Figure("gateway", 0.0, "checks/s", note="needs wrk and two cores")]
    loads = await asyncio.to_thread(_measure, wrk, cores[:2])
    base = statistics.median(load.rate for load in loads["bare"])
    figures = [Figure("a bare application, answers on one core", base, "answers/s", note=_latency(loads["bare"]))]
    for name in ("nginx", "traefik", "no token"):
        rate = statistics.median(load.rate for load in loads[name])
        spread = statistics.median(load.nearly_all / load.half for load in loads[name])
        met = rate >= TARGET and spread <= SPREAD
        figures.append(
            Figure(
                f"gateway, {name}, checks on one core", rate, "checks/s", "a bare application", rate / base,
                target=f">= {TARGET:,}, p99 <= {SPREAD:.0f} p50", met=met, note=_latency(loads[name]),
            )
        )  # fmt: skip
    return figures


def _latency(loads: list[Load]) -> str:
    half, most = (statistics.median(values) for values in zip(*[load[1:] for load in loads], strict=True))
    return f"p50 {half:.2f} ms, p99 {most:.2f} ms, {CONNECTIONS} connections"


def _measure(wrk: str, cores: list[int]) -> dict[str, list[Load]]:
    ports = {"bare": _free_port(), "gateway": _free_port()}
    loads: dict[str, list[Load]] = {name: [] for name in _PATHS}
    with ExitStack() as stack:
        server = stack.enter_context(authorization_server())
        client_id, secret = server.credentials("rs")
        said = {"issuer": server.issuer, "audience": AUDIENCE, "client_id": client_id, "client_secret": secret}
        said |= {"trusted_proxies": "127.0.0.1", "cache_ttl": "3600"}
        options = {f"RESOURCE_SERVER_{name.upper()}": value for name, value in said.items()}
        stack.enter_context(_pinned(cores[0], ports["bare"], {}, _BARE.format(port=ports["bare"])))
        command = (_GATEWAY, "forward-auth", "--port", str(ports["gateway"]))
        stack.enter_context(_pinned(cores[0], ports["gateway"], options, *command))
        token = server.token(scope="orders:read", aud=AUDIENCE, expires_in=86_400).value
        for _ in range(ROUNDS):
            for name, path in _PATHS.items():
                url = f"http://127.0.0.1:{ports.get(name, ports['gateway'])}{path}"
                loads[name].append(_load(wrk, cores[1], url, None if name == "no token" else token))
    return loads


def _load(wrk: str, core: int, url: str, token: str | None) -> Load:
    fields = {
        "Accept": "*/*",
        "User-Agent": "benchmark",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Host": "api.example.test",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Uri": "/orders",
        "X-Original-Method": "GET",
        "X-Original-URI": "/orders",
    }
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    said = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--latency", *said, url]
    text = subprocess.run(_on(core, command), check=True, capture_output=True, text=True).stdout
    assert ("Non-2xx" in text) == (token is None), text
    found = {part: float(value) * _MILLISECONDS[unit] for part, value, unit in _PERCENTILE.findall(text)}
    rate = _RATE.search(text)
    assert rate is not None, text
    return Load(float(rate[1]), found["50"], found["99"])


@contextmanager
def _pinned(core: int, port: int, options: Mapping[str, str], *code: str) -> Generator[None]:
    command = _on(core, [sys.executable, "-c", *code])
    with subprocess.Popen(command, env=os.environ | options, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + _PATIENCE
            while not _listens(port):
                assert process.poll() is None
                assert time.monotonic() < until, "a process does not start"
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def _on(core: int, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(core), *command]


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
