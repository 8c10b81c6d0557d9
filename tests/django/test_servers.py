"""The setting RESOURCE_SERVER: options, a server, where to find one, or nothing at all."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.test.utils import override_settings

from resource_server import BlockingResourceServer, ConfigurationError, ResourceServer
from resource_server.django import async_server, blocking_server
from resource_server.django._servers import any_server
from tests.support.django_project import Open
from tests.support.django_views import PATTERNS
from tests.support.fastapi_app import READER, ScriptedAS
from tests.support.play import OPTIONS

KINDS = (BlockingResourceServer, ResourceServer)
named: Any = None


def test_options(options: dict[str, Any]) -> None:
    """Options are those of the constructor; each kind of server is made once, and anew for other options."""
    with override_settings(RESOURCE_SERVER=options):
        first = (blocking_server(), async_server())
        assert tuple(map(type, first)) == KINDS
        assert (blocking_server(), async_server()) == first
        assert all(server.settings.issuer == options["issuer"] for server in first)
    with override_settings(RESOURCE_SERVER=options | {"issuer": "https://other.example"}):
        assert {blocking_server().settings.issuer, async_server().settings.issuer} == {"https://other.example"}


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the setting the options are read from the environment."""
    for name in ("issuer", "audience", "client_id", "client_secret"):
        monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", OPTIONS[name])
    with override_settings(RESOURCE_SERVER=None):
        assert blocking_server().settings.issuer == async_server().settings.issuer == OPTIONS["issuer"]


def test_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text says where to find what is meant."""
    server = BlockingResourceServer(**OPTIONS)
    monkeypatch.setitem(globals(), "named", server)
    with override_settings(RESOURCE_SERVER=f"{__name__}.named"):
        assert blocking_server() is server


@pytest.mark.parametrize("value", ["nowhere.at_all", f"{__name__}.nobody"])
def test_name_of_nothing(value: str) -> None:
    """A text that leads nowhere is told."""
    with override_settings(RESOURCE_SERVER=value), pytest.raises(ConfigurationError, match=value):
        blocking_server()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"isuer": "x"}, "'isuer'"), ({"timeout": -1}, "timeout"), ({"issuer": "ftp://x"}, "issuer")],
)
def test_bad_options(changes: dict[str, Any], message: str) -> None:
    """An option that does not exist, or has no such value, is named."""
    with override_settings(RESOURCE_SERVER=OPTIONS | changes):
        for make in (blocking_server, async_server):
            with pytest.raises(ConfigurationError, match=message):
                make()


@pytest.mark.parametrize("value", [7, ("issuer",)])
def test_bad_setting(value: object) -> None:
    """What is neither options nor a server is told by its type, and not shown."""
    with override_settings(RESOURCE_SERVER=value), pytest.raises(ConfigurationError, match=type(value).__name__):
        any_server()


def test_ready_server(open_project: Open, options: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """A server for threads serves a project by either door."""
    server = BlockingResourceServer(**options)
    project = open_project(*PATTERNS, server=server)
    for target in ("/things", "/things-async", "/class-async"):
        assert project.call("GET", target, token=READER).status == 200
        assert project.call("GET", target).status == 401
    assert authorization_server.introspections == 1


def test_ready_server_for_loops(open_asgi: Open, options: dict[str, Any]) -> None:
    """A server for event loops serves a project for ASGI, and none for WSGI."""
    server = ResourceServer(**options)
    project = open_asgi(*PATTERNS, server=server)
    assert any_server() is server
    assert project.call("GET", "/things-async", token=READER).status == 200
    with pytest.raises(ConfigurationError, match="BlockingResourceServer"):
        blocking_server()


@pytest.mark.attack("A-C-14")
def test_made_once(options: dict[str, Any]) -> None:
    """However many threads ask at once, they get the same server."""
    barrier = threading.Barrier(8)
    found: list[BlockingResourceServer] = []

    def ask() -> None:
        barrier.wait(20)
        found.append(blocking_server())

    with override_settings(RESOURCE_SERVER=options):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
