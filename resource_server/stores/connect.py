"""Clients of Valkey, made from a URL: for one server, for a service that Sentinels watch, for a cluster.

They speak RESP2, so that nothing arrives unasked, and try nothing again on their own: who asks decides about that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

import redis
from redis import asyncio as redis_asyncio
from redis import sentinel as blocking_sentinel
from redis.asyncio import cluster as asyncio_cluster
from redis.asyncio import retry as asyncio_retry
from redis.asyncio import sentinel as asyncio_sentinel
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry

from resource_server._protocol.store_url import StoreAddress, read_store_url
from resource_server.errors import ConfigurationError

MAX_CONNECTIONS = 16
"""To one server, for one event loop or for all threads of a process."""
PATIENCE = 1.0
"""Seconds until a connection that is silent is given up."""
_REDIRECTIONS = 3
"""How often a cluster may point somewhere else in one call."""
# These have no annotations of their own.
_Sentinel: Any = asyncio_sentinel.Sentinel
_BlockingSentinel: Any = blocking_sentinel.Sentinel
_BlockingNode: Any = ClusterNode

AsyncClient = redis_asyncio.Redis | redis_asyncio.RedisCluster
BlockingClient = redis.Redis | redis.RedisCluster


def connect(url: str, *, patience: float = PATIENCE, max_connections: int = MAX_CONNECTIONS) -> AsyncClient:
    """Make a client for an event loop; it connects when it is first used.

    Args:
        url: where the store is.
        patience: seconds until an answer, or a connection, is given up; longer than any command that blocks.
        max_connections: how many at once.

    Raises:
        ConfigurationError: the URL is none; the message does not show it.
    """
    address = read_address(url)
    options = _options(address, patience) | {"max_connections": max_connections}
    if address.kind == "cluster":
        nodes = [asyncio_cluster.ClusterNode(host, port) for host, port in address.hosts]
        retry = asyncio_retry.Retry(NoBackoff(), _REDIRECTIONS)
        return redis_asyncio.RedisCluster(
            startup_nodes=nodes, retry=retry, require_full_coverage=False, **options, **_tls(address)
        )
    options |= {"retry": asyncio_retry.Retry(NoBackoff(), 0), "db": address.database}
    if address.kind == "sentinel":
        watched = _Sentinel(address.hosts, sentinel_kwargs=_sentinel(patience), **options)
        return cast("redis_asyncio.Redis", watched.master_for(address.service, **_tls(address)))
    return redis_asyncio.Redis(**options, **_place(address), **_tls(address))


def connect_blocking(url: str, *, patience: float = PATIENCE, max_connections: int = MAX_CONNECTIONS) -> BlockingClient:
    """Make a client for threads; the rest is as for :func:`connect`.

    Args:
        url: as above.
        patience: as above.
        max_connections: as above.

    Raises:
        ConfigurationError: as above.
    """
    address = read_address(url)
    options = _options(address, patience) | {"max_connections": max_connections}
    if address.kind == "cluster":
        nodes = [_BlockingNode(host, port) for host, port in address.hosts]
        retry = Retry(NoBackoff(), _REDIRECTIONS)
        return redis.RedisCluster(
            startup_nodes=nodes, retry=retry, require_full_coverage=False, **options, **_tls(address)
        )
    options |= {"retry": Retry(NoBackoff(), 0), "db": address.database}
    if address.kind == "sentinel":
        watched = _BlockingSentinel(address.hosts, sentinel_kwargs=_sentinel(patience), **options)
        return cast("redis.Redis", watched.master_for(address.service, **_tls(address)))
    return redis.Redis(**options, **_place(address), **_tls(address))


async def disconnect(client: AsyncClient) -> None:
    """Close the connections of a client, those to its Sentinels too; it can still be used and opens new ones."""
    with suppress(redis.RedisError, OSError):
        await client.aclose()
        for sentinel in _sentinels(client):
            await sentinel.aclose()


def disconnect_blocking(client: BlockingClient) -> None:
    """Close the connections of a client for threads; the rest is as for :func:`disconnect`."""
    with suppress(redis.RedisError, OSError):
        client.close()
        for sentinel in _sentinels(client):
            sentinel.close()


def _sentinels(client: AsyncClient | BlockingClient) -> list[Any]:
    pool = getattr(client, "connection_pool", None)
    manager = getattr(pool, "sentinel_manager", None)
    return getattr(manager, "sentinels", [])


def read_address(url: str) -> StoreAddress:
    """Read the URL of a store.

    Raises:
        ConfigurationError: it is none; the message does not show it.
    """
    try:
        return read_store_url(url)
    except ValueError as error:
        raise ConfigurationError(f"cache_url (not shown) {error}") from None


def _options(address: StoreAddress, patience: float) -> dict[str, Any]:
    return {
        "username": address.username,
        "password": address.password,
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "protocol": 2,
    }


def _place(address: StoreAddress) -> dict[str, Any]:
    if address.path is not None:
        return {"unix_socket_path": address.path}
    [(host, port)] = address.hosts
    return {"host": host, "port": port}


def _sentinel(patience: float) -> dict[str, Any]:
    return {"socket_timeout": patience, "socket_connect_timeout": patience, "protocol": 2}


def _tls(address: StoreAddress) -> dict[str, Any]:
    if not address.tls:
        return {}
    return {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, **address.files}
