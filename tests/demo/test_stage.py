"""Where the demo's processes run, and what they are told."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

import pytest

from resource_server._demo import stage
from resource_server._demo.exchange import DemoError
from resource_server._demo.stage import api_variables, child_environment, free_port, open_stage, orders_api

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the API be shipped with the package, as the wheel has it."""
    monkeypatch.setattr(stage, "_SHIPPED", stage.__name__)
    return stage.__name__


@pytest.fixture
def checked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API stand in the repository only."""
    monkeypatch.setattr(stage, "_SHIPPED", f"{stage.__name__}_not_there")


def test_port_is_free_and_handed_out_to_nobody() -> None:
    """A port that is left for a while must still be there: no system hands out one below 32768 by itself."""
    port = free_port()
    assert 20_000 <= port < 30_000
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody listens already, another port is taken."""
    free = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        offers = iter([taken.getsockname()[1] - 20_000, free - 20_000])
        monkeypatch.setattr(secrets, "randbelow", lambda _: next(offers))
        assert free_port() == free


def test_shipped_api_comes_first(shipped: str) -> None:
    """Where the package has the API, that one is run."""
    assert orders_api() == shipped


@pytest.mark.usefixtures("checked_out")
def test_api_of_the_repository() -> None:
    """In a checkout the API is the example, which stands where the demo says."""
    assert orders_api() == "examples.fastapi_app"
    assert (ROOT / "examples/fastapi_app.py").is_file()


@pytest.mark.usefixtures("checked_out")
def test_checkout_is_found_by_its_processes() -> None:
    """In a checkout the processes import the same tree, and then what the demo itself was told to."""
    path = child_environment({"PYTHONPATH": "/elsewhere"}, {})["PYTHONPATH"]
    assert path.split(os.pathsep) == [str(ROOT), "/elsewhere"]
    assert child_environment({}, {})["PYTHONPATH"] == str(ROOT)


@pytest.mark.usefixtures("shipped")
def test_installed_package_is_found_as_it_is() -> None:
    """An installed package needs no help to be found."""
    assert "PYTHONPATH" not in child_environment({}, {})


def test_processes_are_configured_by_the_demo_only() -> None:
    """Whoever has a service of their own configured in this shell sees the same story."""
    inherited = {
        "HOME": "/home",
        "RESOURCE_SERVER_ISSUER": "https://as.example.com",
        "resource_server_leeway": "5",
        "MOCK_AS_SEED": "1",
        "UVICORN_RELOAD": "1",
    }
    environment = child_environment(inherited, api_variables("http://127.0.0.1:1", "https://api.example.test"))
    assert {name: value for name, value in environment.items() if name not in {"PYTHONPATH", "PYTHONUNBUFFERED"}} == {
        "HOME": "/home",
        "RESOURCE_SERVER_ISSUER": "http://127.0.0.1:1",
        "RESOURCE_SERVER_AUDIENCE": "https://api.example.test",
        "RESOURCE_SERVER_CLIENT_ID": "rs",
        "RESOURCE_SERVER_CLIENT_SECRET": "rs-secret",
    }


def test_failed_start_shows_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that cannot be started leaves its complaint in the message."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no coffee >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(DemoError) as failure, open_stage():
        pass
    assert str(failure.value) == (
        "the authorization server ended with exit code 3 before it was ready\n"
        "--- the authorization server printed\nno coffee\n"
    )
