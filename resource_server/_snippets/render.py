"""From the name of a proxy and some wishes to the files of its configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from resource_server._snippets import edits
from resource_server._snippets.sources import read_source
from resource_server._snippets.wishes import Wishes
from resource_server.errors import ConfigurationError

_EVERYTHING = frozenset({"gateway", "upstream", "scope", "server_name"})
_NGINX = ("server", "identity", "protect", "http", "refusal")


@dataclass(frozen=True, slots=True)
class Target:
    """What a configuration is made of."""

    folder: str
    """In the repository."""
    files: tuple[str, ...]
    change: Callable[[Wishes], Iterator[edits.Edit]]
    takes: frozenset[str] = _EVERYTHING
    cut: Callable[[str], str] = str


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "nginx": Target(
            "examples/nginx",
            ("nginx.conf", *(f"resource-server/{name}.conf" for name in _NGINX)),
            edits.of_nginx,
            cut=edits.without_application,
        ),
        "traefik": Target("examples/traefik", ("traefik.yaml", "routes.yaml"), edits.of_traefik),
        "caddy": Target("examples/caddy", ("Caddyfile",), edits.of_caddy),
        "envoy": Target("examples/envoy", ("envoy.yaml",), edits.of_envoy),
        "haproxy": Target("examples/haproxy", ("haproxy.cfg", "resource-server.lua"), edits.of_haproxy),
        "apache": Target("examples/apache", ("httpd.conf", "resource-server.lua"), edits.of_apache),
        "ingress-nginx": Target(
            "deploy/kubernetes", ("orders.yaml",), edits.of_ingress_nginx, cut=edits.without_second_ingress
        ),
        "kubernetes": Target(
            "deploy/kubernetes", ("gateway.yaml",), edits.of_kubernetes, frozenset({"scope", "server_name"})
        ),
    }
)
"""Everything there is a configuration for."""


def render(name: str, wishes: Wishes) -> dict[str, str]:
    """Write a configuration.

    Args:
        name: one of :data:`TARGETS`.
        wishes: what is to stand in it.

    Returns:
        The text of each file, by its name.

    Raises:
        ConfigurationError: there is no such target, or it has no place for a wish.
    """
    target = TARGETS.get(name)
    if target is None:
        raise ConfigurationError(f"there are snippets for {', '.join(TARGETS)} (got {name!r})")
    for wish in sorted(wishes.said - target.takes):
        raise ConfigurationError(f"{name} has no --{wish.replace('_', '-')}: it is the gateway itself")
    if name == "ingress-nginx" and wishes.upstream and wishes.upstream.is_address:
        raise ConfigurationError(
            f"--upstream must name a Service, as http://name.namespace:80 (got {wishes.upstream.host!r})"
        )
    sources = {file: target.cut(read_source(f"{target.folder}/{file}")) for file in target.files}
    written = apply(sources, list(target.change(wishes)))
    return written | ({"policy.toml": edits.policy_of_envoy(wishes)} if name == "envoy" and wishes.scope else {})


def apply(sources: Mapping[str, str], changes: list[edits.Edit]) -> dict[str, str]:
    """Make all changes at once, each in every place where its text stands: none changes what another has put there.

    Args:
        sources: texts by the names of their files.
        changes: what stands there, and what is to stand there.

    Raises:
        LookupError: a text stands nowhere, so that a wish would be lost.
    """
    if not changes:
        return dict(sources)
    made, used = dict(changes), set[str]()

    def put(found: re.Match[str]) -> str:
        used.add(found[0])
        return made[found[0]]

    longest_first = sorted(made, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    written = {name: pattern.sub(put, text) for name, text in sources.items()}
    if missing := made.keys() - used:
        raise LookupError(f"no configuration has {sorted(missing)}")
    return written
