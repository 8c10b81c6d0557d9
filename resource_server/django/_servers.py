"""The resource servers of a Django project: what the setting ``RESOURCE_SERVER`` says, made once per process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from resource_server._protocol.messages import RequestParts
from resource_server._validation.forks import fork_safe_lock
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import ConfigurationError
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import Requirement
from resource_server.server import ResourceServer

SETTING = "RESOURCE_SERVER"
PROBES = "RESOURCE_SERVER_PROBES"
AnyServer = ResourceServer | BlockingResourceServer
Server = TypeVar("Server", BlockingResourceServer, ResourceServer)
_making = fork_safe_lock()


def blocking_server() -> BlockingResourceServer:
    """Return the server that judges in threads, made by the first who asks.

    Raises:
        ConfigurationError: the setting, or an option in it, is not acceptable.
    """
    with _making:
        return _blocking()


def async_server() -> ResourceServer:
    """Return the server that judges in the event loop; its cache is its own.

    Raises:
        ConfigurationError: the setting, or an option in it, is not acceptable.
    """
    with _making:
        return _async()


def server_in_loop() -> AnyServer:
    """Return what judges in the event loop: in a thread, where the setting is a server that blocks."""
    return blocking_server() if isinstance(_value(), BlockingResourceServer) else async_server()


def any_server() -> AnyServer:
    """Return a server, of whatever kind the setting can make.

    Raises:
        ConfigurationError: the setting, or an option in it, is not acceptable.
    """
    return async_server() if isinstance(_value(), ResourceServer) else blocking_server()


def asked_probes() -> Probes | None:
    """Return where it is asked how the server is doing, if the setting says that anywhere.

    Raises:
        ConfigurationError: the setting is not acceptable.
    """
    return Probes.of(getattr(settings, PROBES, False))


def authenticate(server: AnyServer, parts: RequestParts, requirement: Requirement) -> Principal:
    """Judge a request in a thread; a server for event loops has its own to judge in."""
    if isinstance(server, BlockingResourceServer):
        return server.authenticate(parts, requirement)
    return async_to_sync(server.authenticate)(parts, requirement)


async def authenticate_in_loop(server: AnyServer, parts: RequestParts, requirement: Requirement) -> Principal:
    """Judge a request without holding up the event loop."""
    if isinstance(server, ResourceServer):
        return await server.authenticate(parts, requirement)
    return await sync_to_async(server.authenticate, thread_sensitive=False)(parts, requirement)


def is_async(function: object) -> bool:
    """Tell whether a view or a middleware returns what has to be awaited, as Django marks it."""
    return iscoroutinefunction(function)  # pyright: ignore[reportDeprecated] - of asyncio's, for which it takes it


@cache
def _blocking() -> BlockingResourceServer:
    return _make(BlockingResourceServer)


@cache
def _async() -> ResourceServer:
    return _make(ResourceServer)


def _make(kind: type[Server]) -> Server:
    value = _value()
    if value is None:
        return kind.from_env()
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{SETTING} must be options, or a {kind.__name__} (got {type(value).__name__})")
    try:
        return kind(**value)
    except TypeError as error:
        raise ConfigurationError(f"{SETTING}: {error}") from None


def _value() -> Any:  # noqa: ANN401 - a setting is whatever somebody has written
    value = getattr(settings, SETTING, None)
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError:
        raise ConfigurationError(f"{SETTING} names {value!r}, which cannot be imported") from None


def _forget(*, setting: str, **_named: object) -> None:
    """Begin anew where a test overrides the setting."""
    if setting == SETTING:
        _blocking.cache_clear()
        _async.cache_clear()


setting_changed.connect(_forget)
