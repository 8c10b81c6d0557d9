"""Every form of URL reaches the store it means: one server, a service that Sentinels watch, a cluster, over TLS."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from resource_server import ConfigurationError
from resource_server._validation.flow import AddOnce, Recall, Recalled, Remember
from resource_server.stores.connect import connect, connect_blocking
from tests.stores.stores import BOUND, KINDS, Kind, subject
from tests.support.valkey import Valkey

pytestmark = pytest.mark.anyio
PASSWORD = "canary-password"
CONNECT: list[Callable[[str], Any]] = [connect, connect_blocking]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.01)


def is_whole(node: Valkey) -> bool:
    """Tell whether a node knows where every slot of its cluster is."""
    return b"cluster_state:ok" in node.command("CLUSTER", "INFO")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Valkey]]:
    """Start three nodes that share the slots."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        nodes = [Valkey(folder, cluster_enabled="yes", cluster_config_file=f"{number}.conf") for number in range(3)]
        for number, node in enumerate(nodes):
            stack.enter_context(node)
            node.command("CLUSTER", "ADDSLOTSRANGE", number * 5462, min(number * 5462 + 5461, 16_383))
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            until(partial(is_whole, node))
        yield nodes


@pytest.mark.parametrize("kind", KINDS)
async def test_cluster(cluster: list[Valkey], kind: Kind, name: bytes) -> None:
    """In a cluster what belongs to one name lies in one slot, and names are spread over all nodes."""
    async with subject(kind, f"redis+cluster://127.0.0.1:{cluster[1].port}") as store:
        names = [name.replace(b"}", b"%d}" % number) for number in range(30)]
        together = await asyncio.gather(*(store.perform(Recall(each, 60.0)) for each in names))
        assert together == [Recalled(claimed=True)] * 30
        for each in names:
            await store.perform(Remember(each, b"value of " + each, 60.0))
        for each in names:
            found = await store.perform(Recall(each, 60.0))
            assert isinstance(found, Recalled)
            assert found.value == b"value of " + each
        assert store.reports == []
    assert all(any(each in node.dump() for each in names) for node in cluster)


@pytest.mark.parametrize("kind", KINDS)
async def test_cluster_that_is_down(tmp_path: Path, kind: Kind, name: bytes) -> None:
    """A cluster of which no node answers gives no answer, and no exception."""
    async with subject(kind, f"redis+cluster://127.0.0.1:{Valkey(tmp_path).port}") as store:
        assert await store.perform(Recall(name, 60.0)) is None
        assert store.reports == ["connect"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Valkey, Valkey]]:
    """Start a server and a Sentinel that watches it."""
    folder = tmp_path_factory.mktemp("sentinel")
    with Valkey(folder) as server:
        configuration = folder / "sentinel.conf"
        configuration.write_text(f"sentinel monitor main 127.0.0.1 {server.port} 1\n")
        with Valkey(folder, configuration=configuration) as sentinel:
            yield server, sentinel


@pytest.mark.parametrize("kind", KINDS)
async def test_sentinel(watched: tuple[Valkey, Valkey], kind: Kind, name: bytes) -> None:
    """The Sentinels say where the service is, and there the values are."""
    server, sentinel = watched
    async with subject(kind, f"redis+sentinel://127.0.0.1:{sentinel.port}/main/1") as store:
        assert await store.perform(AddOnce(name, 60.0)) is True
        assert await store.perform(AddOnce(name, 60.0)) is False
    with server.client() as client:
        client.select(1)
        assert client.exists(name)


@pytest.mark.parametrize("kind", KINDS)
async def test_service_that_nobody_watches(watched: tuple[Valkey, Valkey], kind: Kind, name: bytes) -> None:
    """A service that the Sentinels do not know gives no answer."""
    _, sentinel = watched
    async with subject(kind, f"redis+sentinel://127.0.0.1:{sentinel.port}/other") as store:
        assert await store.perform(AddOnce(name, 60.0)) is None
        assert store.reports == ["connect"]


@pytest.mark.parametrize("make", CONNECT)
def test_bad_url_is_a_configuration_error(make: Callable[[str], Any]) -> None:
    """A URL that is none is refused when the client is made, and is not shown."""
    with pytest.raises(ConfigurationError, match=r"^cache_url") as caught:
        make(f"http://:{PASSWORD}@cache")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("make", CONNECT)
@pytest.mark.parametrize("form", ["rediss://cache", "rediss+sentinel://cache/main"])
def test_tls(make: Callable[[str], Any], form: str) -> None:
    """With TLS the server's certificate and name are verified, against the file that the URL names."""
    client = make(f"{form}?ssl_ca_certs=/etc/ca.pem")
    connection = client.connection_pool.make_connection()
    assert isinstance(connection, client.connection_pool.connection_class)
    options = client.connection_pool.connection_kwargs
    assert options["ssl_ca_certs"] == "/etc/ca.pem"
    context = getattr(connection, "ssl_context", connection)
    assert context.check_hostname is True
    assert context.cert_reqs in ("required", ssl.CERT_REQUIRED)
