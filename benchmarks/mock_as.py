"""The mock authorization server: how soon it is there, how much it answers, and how much memory it keeps."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx

from benchmarks.harness import Figure
from mock_as import MockAS
from mock_as.faults import ACTIONS

_ROUNDS = 5
_SECONDS = 3.0
_TOKENS = 1_000_000
_RSA = "https://rsa.example.test"
_CONFIG = {"resources": [{"uri": _RSA, "alg": "RS256"}]}
_FASTAPI = "import fastapi, uvicorn"
_FORM = "application/x-www-form-urlencoded"
_SIGNED = "application/token-introspection+jwt"


async def measure() -> list[Figure]:
    """Measure all of it."""
    return [*_starts(), *await _faults(), *_rates(), *_memory()]


def _starts() -> list[Figure]:
    mock = MockAS()
    with mock.serve():
        pass  # what is imported once per process is not what a test waits for
    start, fastapi = _median_ms(_start_and_ask), _median_ms(_import_fastapi)
    return [
        Figure("start to first answer", start, "ms", _FASTAPI, start / fastapi, None, "<= 700", start <= 700),
        _at_most("in-process fixture", 5, _median_ms(lambda: MockAS().transport())),
        _at_most("thread server", 60, _median_ms(_start_a_thread)),
        _at_most("reset after 1000 tokens", 1, statistics.median(_reset_ms() for _ in range(_ROUNDS))),
    ]


def _start_and_ask() -> None:
    with _served() as (_, issuer):
        assert httpx.get(f"{issuer}/jwks").json()["keys"]


def _import_fastapi() -> None:
    subprocess.run([sys.executable, "-c", _FASTAPI], check=True)


def _start_a_thread() -> None:
    with MockAS().serve():
        pass


def _reset_ms() -> float:
    mock = MockAS()
    for _ in range(1000):
        mock.token(format="opaque")
    started = time.perf_counter()
    mock.reset()
    return (time.perf_counter() - started) * 1e3


async def _faults() -> list[Figure]:
    """Have every action happen in this process, but for one that waits and one that is all the client's own work."""
    mock = MockAS()
    token = mock.token()
    times: dict[str, float] = {}
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer, timeout=0.01) as client:
        honest = await _fault_ms(mock, client, token.value, None)
        for name in ACTIONS.keys() - {"hold", "gzip_bomb"}:
            times[name] = await _fault_ms(mock, client, token.value, name)
    slowest = max(times, key=times.__getitem__)
    median = statistics.median(times.values())
    return [
        Figure("fault in process, median of all", median, "ms", "honest", median / honest, None, "<= 1", median <= 1),
        _at_most(f"fault in process, slowest: {slowest}", 1, times[slowest]),
    ]


async def _fault_ms(mock: MockAS, client: httpx.AsyncClient, token: str, action: str | None) -> float:
    places = {"introspect"} if action is None else ACTIONS[action].endpoints
    endpoint = next(name for name in ("introspect", "jwks", "discovery") if name in places)
    argument = "(5)" if action in {"status", "slow", "retry_after", "late_publish", "stale"} else ""
    ask = {
        "introspect": partial(client.post, "/introspect", data={"token": token}, auth=mock.credentials("rs")),
        "jwks": partial(client.get, "/jwks"),
        "discovery": partial(client.get, "/.well-known/openid-configuration"),
    }[endpoint]
    times: list[float] = []
    for _ in range(_ROUNDS):
        if action is not None:
            mock.fault(endpoint, "503" if action == "status" else f"{action}{argument}", times=1)
        started = time.perf_counter()
        with suppress(httpx.HTTPError):
            await ask()
        times.append((time.perf_counter() - started) * 1e3)
        mock.clear_faults()
    return statistics.median(times)


def _rates() -> list[Figure]:
    with _served() as (process, issuer):
        idle = _rss(process.pid)
        ask = partial(_rate, process.pid, urlsplit(issuer).port or 0)
        token = _access_token(issuer)
        return [
            _at_most("memory, idle", 80, idle, "MiB"),
            ask("opaque tokens", 2500, _asking("svc.opaque")),
            ask("ES256 tokens", 1800, _asking("svc")),
            ask("RS256 tokens", 1200, _asking("svc", resource=_RSA)),
            ask("introspection, with the journal", 4000, _introspecting("rs", token)),
            ask("introspection, RFC 9701", 2000, _introspecting("rs.jwt", token, _SIGNED)),
        ]


def _rate(pid: int, port: int, name: str, least: float, question: bytes) -> Figure:
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(_SECONDS)]
    rates: list[float] = []
    answers, before = 0, _cpu(pid)
    for _ in range(3):
        told = json.loads(subprocess.run(command, input=question, capture_output=True, check=True).stdout)
        assert list(told["statuses"]) == ["200"], told
        answers += told["statuses"]["200"]
        rates.append(told["rate"])
    rate = statistics.median(rates)
    note = f"{(_cpu(pid) - before) / answers * 1e6:.0f} µs CPU each"
    return Figure(name, rate, "/s", target=f">= {least:g}", met=rate >= least, note=note)


def _asking(client_id: str, **parameters: str) -> bytes:
    form = {"grant_type": "client_credentials", "scope": "read", **parameters}
    return _post("/token", client_id, form, "application/json")


def _introspecting(client_id: str, token: str, accept: str = "application/json") -> bytes:
    return _post("/introspect", client_id, {"token": token}, accept)


def _post(path: str, client_id: str, form: dict[str, str], accept: str) -> bytes:
    body = urlencode(form)
    credentials = b64encode(f"{client_id}:{client_id}-secret".encode()).decode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Basic {credentials}",
        f"Accept: {accept}",
        f"Content-Type: {_FORM}",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _access_token(issuer: str) -> str:
    form = {"grant_type": "client_credentials", "scope": "read"}
    answer = httpx.post(f"{issuer}/token", data=form, auth=("svc.opaque", "svc.opaque-secret"))
    return str(answer.raise_for_status().json()["access_token"])


def _memory() -> list[Figure]:
    """Mint a million tokens, of which a few thousand are alive at any time."""
    code = (
        "from mock_as import MockAS\n"
        "mock = MockAS(lifetime=60)\n"
        f"for number in range({_TOKENS} // 1000):\n"
        "    for _ in range(1000): mock.token(format='opaque')\n"
        "    mock.clock.advance(10)\n"
        "print(int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20)"
    )
    if not Path("/proc/self/statm").exists():
        return []
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    return [_at_most("memory after a million tokens", 120, float(told), "MiB")]


@contextmanager
def _served() -> Generator[tuple[subprocess.Popen[str], str]]:
    """Serve by the command line; yield the process and the issuer identifier."""
    command = [sys.executable, "-m", "mock_as", "serve", "--port", "0"]
    environment = {**os.environ, "MOCK_AS_CONFIG": json.dumps(_CONFIG)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["issuer"]
        finally:
            process.terminate()


def _median_ms(work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def _rss(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


def _cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has had: unlike a rate, they do not depend on what else is running."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _at_most(name: str, limit: float, value: float, unit: str = "ms") -> Figure:
    return Figure(name, value, unit, target=f"<= {limit:g}", met=value <= limit)
