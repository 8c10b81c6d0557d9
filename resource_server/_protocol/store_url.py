"""Where the store is that all workers share: one server, a service that Sentinels watch, or a cluster.

Read here without the package that talks to it, so that a mistake in the URL is found when options are validated.

References: the provisional URI schemes ``redis`` and ``rediss``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

StoreKind = Literal["single", "sentinel", "cluster"]
SCHEMES: Mapping[str, tuple[StoreKind, bool]] = MappingProxyType(
    {
        "redis": ("single", False),
        "valkey": ("single", False),
        "rediss": ("single", True),
        "valkeys": ("single", True),
        "unix": ("single", False),
        "redis+sentinel": ("sentinel", False),
        "valkey+sentinel": ("sentinel", False),
        "rediss+sentinel": ("sentinel", True),
        "valkeys+sentinel": ("sentinel", True),
        "redis+cluster": ("cluster", False),
        "valkey+cluster": ("cluster", False),
        "rediss+cluster": ("cluster", True),
        "valkeys+cluster": ("cluster", True),
    }
)
"""What a scheme says: the kind of the store, and whether it speaks TLS."""
FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
"""What may stand in the query of a URL with TLS, each a path of a PEM file."""
_DEFAULT_PORTS: Mapping[StoreKind, int] = MappingProxyType({"single": 6379, "sentinel": 26379, "cluster": 6379})
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?", re.ASCII)
_MAX_PORT = 65_535
_MAX_DATABASE = 1_000_000


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is, and how it is entered."""

    kind: StoreKind
    hosts: tuple[tuple[str, int], ...] = ()
    """Names and ports: of the server, of the Sentinels, or of some nodes of the cluster."""
    path: str | None = None
    """The path of the socket, where it is one on this machine."""
    service: str = ""
    """The service that the Sentinels watch."""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """PEM files for TLS, by the names in ``FILES``."""


def read_store_url(url: str) -> StoreAddress:
    """Read the URL of a store.

    Args:
        url: for instance ``redis://:password@cache:6379/0``, ``unix:///run/valkey.sock?db=1``,
            ``redis+sentinel://one:26379,two:26379/service/0`` or ``redis+cluster://node:6379``.

    Raises:
        ValueError: it is none; the message quotes nothing of it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is not a URL") from None
    found = SCHEMES.get(parts.scheme)
    if found is None or "://" not in url:
        raise ValueError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if parts.fragment:
        raise ValueError("must not have a fragment")
    kind, tls = found
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    query = _query(parts, tls=tls)
    is_socket = parts.scheme == "unix"
    service, database = _service_and_database(parts.path, kind, query.pop("db", None), is_socket=is_socket)
    return StoreAddress(
        kind=kind,
        hosts=() if is_socket else _hosts(hosts, kind),
        path=_socket(hosts, parts.path) if is_socket else None,
        service=service,
        database=database,
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=tls,
        files=MappingProxyType(query),
    )


def _query(parts: SplitResult, *, tls: bool) -> dict[str, str]:
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:
        raise ValueError("has a malformed query") from None
    query = dict(pairs)
    allowed = {"db"} | FILES if tls else {"db"}
    if len(query) != len(pairs) or not query.keys() <= allowed or not all(query.values()):
        raise ValueError(f"must have nothing in its query but {', '.join(sorted(allowed))}, each once")
    return query


def _hosts(text: str, kind: StoreKind) -> tuple[tuple[str, int], ...]:
    matches = [_HOST.fullmatch(host) for host in text.split(",")]
    hosts = [(match[1] or match[2], int(match[3] or _DEFAULT_PORTS[kind])) for match in matches if match is not None]
    if len(hosts) != len(matches) or not all(1 <= port <= _MAX_PORT for _, port in hosts):
        raise ValueError("must name a host, and a port where it is not the usual one")
    if kind == "single" and len(hosts) > 1:
        raise ValueError("names several hosts, which is for +sentinel and +cluster")
    return tuple(hosts)


def _socket(host: str, path: str) -> str:
    if host or len(path) < len("/x"):
        raise ValueError("must name the path of a socket, after three slashes")
    return unquote(path)


def _service_and_database(path: str, kind: StoreKind, in_query: str | None, *, is_socket: bool) -> tuple[str, int]:
    segments = [] if is_socket else [segment for segment in path.split("/") if segment]
    service = ""
    if kind == "sentinel":
        if not segments:
            raise ValueError("must name the service that the Sentinels watch, as in redis+sentinel://host/service")
        service = unquote(segments.pop(0))
    given = [*segments, *([] if in_query is None else [in_query])]
    if len(given) > 1:
        raise ValueError("must have one path segment or db=, which is the number of the database")
    database = _database(given[0]) if given else 0
    if kind == "cluster" and database:
        raise ValueError("must not name a database: a cluster has one only")
    return service, database


def _database(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(_MAX_DATABASE)):
        raise ValueError("must name the database by its number")
    return int(text)
