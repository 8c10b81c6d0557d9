"""The example project behind real servers on real sockets: gunicorn with threads, and uvicorn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from mock_as import MockAS
from resource_server.testing import assert_challenge
from tests.support.blocking import PATIENCE
from tests.support.live import end

ROOT = Path(__file__).parents[2]
AUDIENCE = "https://api.example.test"
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
ASGI = """
import examples.django_app
from django.core.asgi import get_asgi_application
application = get_asgi_application()
"""
SERVERS = {
    "gunicorn": ["gunicorn", "examples.django_app:application", "-b", "127.0.0.1:0", "--threads", "4"],
    "gunicorn, preloaded": [
        *("gunicorn", "examples.django_app:application", "-b", "127.0.0.1:0"),
        *("--threads", "4", "--workers", "2", "--preload"),
    ],
    "uvicorn": ["uvicorn", "asgi_project:application", "--port", "0"],
}


@pytest.fixture
def mock_as_options() -> dict[str, str]:
    """Let tokens be for the orders API."""
    return {"audience": AUDIENCE}


@pytest.fixture(params=SERVERS)
def orders(request: pytest.FixtureRequest, mock_as_server: MockAS, tmp_path: Path) -> Generator[httpx.Client]:
    """Be a client of the example."""
    (tmp_path / "asgi_project.py").write_text(ASGI)
    client_id, secret = mock_as_server.credentials("rs")
    variables = {
        "RESOURCE_SERVER_ISSUER": mock_as_server.url.issuer,
        "RESOURCE_SERVER_AUDIENCE": AUDIENCE,
        "RESOURCE_SERVER_CLIENT_ID": client_id,
        "RESOURCE_SERVER_CLIENT_SECRET": secret,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
    }
    with subprocess.Popen(
        [sys.executable, "-m", *SERVERS[request.param]],
        cwd=tmp_path,
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        found = next((match for line in process.stderr if (match := ADDRESS.search(line))), None)
        reading = threading.Thread(target=process.stderr.read, daemon=True)
        reading.start()
        try:
            assert found is not None, "the server did not start"
            with httpx.Client(base_url=found.group(0), timeout=PATIENCE) as client:
                yield client
        finally:
            end(process)
            reading.join(PATIENCE)


@pytest.mark.attack("A-C-2", "A-F-11")
def test_example(orders: httpx.Client, mock_as_server: MockAS) -> None:
    """The example answers what every example does, whatever serves it, and each caller for themselves."""
    assert orders.get("/healthz").json() == {"status": "ok"}
    assert_challenge(orders.get("/orders"), status=401, scope="orders:read")
    reader = mock_as_server.token(sub="alice", scope="orders:read")
    expected = {"caller": "alice", "assurance": "introspected", "orders": []}
    assert orders.get("/orders", headers=reader.bearer).json() == expected
    refused = orders.post("/orders", headers=reader.bearer, content=b"{")
    assert_challenge(refused, status=403, error="insufficient_scope", scope="orders:write")
    writer = mock_as_server.token(sub="bob", scope="orders:write")
    placed = orders.post("/orders", headers=writer.bearer, json={"item": "tea"})
    assert (placed.status_code, placed.json()["order"]) == (201, {"item": "tea"})
    hidden, nothing = [orders.get(path, headers=reader.bearer) for path in ("/admin/orders", "/nothing/there")]
    assert [hidden.status_code, hidden.content] == [404, nothing.content]
    assert assert_challenge(orders.head("/orders"), status=401).params["scope"] == "orders:read"
    admin = mock_as_server.token(sub="root", scope="admin")
    assert orders.get("/admin/orders", headers=admin.bearer).json()["caller"] == "root"
    assert_own_callers(orders, mock_as_server)


def assert_own_callers(orders: httpx.Client, mock_as_server: MockAS) -> None:
    """Assert that every request acts for its own caller, however many threads serve."""
    tokens = {f"user-{n}": mock_as_server.token(sub=f"user-{n}", scope="orders:read") for n in range(8)}

    def ask(subject: str) -> str:
        answer: str = orders.get("/orders", headers=tokens[subject].bearer).json()["caller"]
        return answer

    wanted = sorted(tokens) * 10
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, wanted)) == wanted
