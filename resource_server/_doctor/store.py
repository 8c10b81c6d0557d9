"""Look at the store that all workers share: whether it answers, in time, and lets us do what we do there."""

from __future__ import annotations

from secrets import token_urlsafe
from time import perf_counter
from typing import TYPE_CHECKING

from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._doctor.unit import Unit
from resource_server._protocol.plain import plain
from resource_server._validation.flow import Recall, Recalled, Release, Remember

if TYPE_CHECKING:
    from resource_server._validation.vault import Vault
    from resource_server.stores.valkey import ValkeyStore

_LIFETIME = 5.0
_CAUSES = {
    "connect": ("cannot be reached", "start it, or correct host and port in RESOURCE_SERVER_CACHE_URL"),
    "timeout": ("gives no answer in time", "look whether it is overloaded, or a firewall is in between"),
    "authentication": ("refuses our password", "correct user and password in RESOURCE_SERVER_CACHE_URL"),
    "not_permitted": (
        "does not permit what we do there",
        "allow this user GET, SET, DEL, EVAL, EXPIRE and the stream commands on resource-server:*",
    ),
    "loading": ("is loading its data", "wait until it has loaded"),
    "read_only": ("is a replica that takes no writes", "name the primary, or its Sentinels, in the URL"),
    "out_of_memory": ("has no memory left", "give it more, or let it evict (maxmemory-policy)"),
    "cluster_down": ("is a cluster that is down", "bring back the nodes that are missing"),
    "refused": ("refuses our commands", "look whether it is Valkey, or Redis from version 6 on, and no proxy"),
    "protocol": ("speaks another protocol", "correct the port; rediss:// is for TLS, redis:// is without"),
}


async def judge_store(unit: Unit) -> list[Finding]:
    """Write a value as the service does, and read it again.

    Args:
        unit: an authorization server; the store is the same for all.
    """
    url, vault = unit.settings.cache_url, unit.state.vault
    if url is None or vault is None:
        return [passed_over("store", "there is no cache_url: each worker remembers for itself")]
    from resource_server.stores.connect import PATIENCE  # noqa: PLC0415 - an extra, which is there where cache_url is
    from resource_server.stores.valkey import ValkeyStore  # noqa: PLC0415 - as above

    causes: list[str | None] = []
    store = ValkeyStore(
        url.get_secret_value(), timeout=min(unit.patience, PATIENCE), clock=unit.clock, report=causes.append
    )
    try:
        return [await _try(store, vault, causes, unit.settings.cache_timeout)]
    finally:
        await store.aclose()


async def _try(store: ValkeyStore, vault: Vault, causes: list[str | None], patience: float) -> Finding:
    digest = token_urlsafe(16)
    name = vault.name("doctor", digest)
    await store.perform(Release(name))  # connects
    if not causes:
        await store.perform(Remember(name, vault.seal({"digest": digest}, name=name), _LIFETIME, replace=True))
    started = perf_counter()
    found = None if causes else await store.perform(Recall(name, _LIFETIME))
    took = perf_counter() - started
    if causes:
        says, mend = _CAUSES.get(causes[0] or "", ("does not answer", "look at its log"))
        return broken("store", f"the shared store {says} ({plain(causes[0])})", mend)
    kept = found.value if isinstance(found, Recalled) else None
    if kept is None or vault.open(kept, name=name) is None:
        says = "the shared store does not give back what was written"
        return broken("store", says, "look whether it is a proxy, a replica that lags behind, or evicts at once")
    return _judge_latency(took, patience)


def _judge_latency(took: float, patience: float) -> Finding:
    says = f"the shared store answers in {took * 1000:.1f} ms"
    if took < patience:
        return fine("store", f"{says}, and keeps what we seal")
    mend = "bring it nearer, or raise RESOURCE_SERVER_CACHE_TIMEOUT"
    return odd("store", f"{says}, and requests wait for {patience * 1000:g} ms only: they go on without", mend)
