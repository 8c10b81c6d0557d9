"""What somebody wishes in a configuration: judged before it gets there, so that no value is more than a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote

from resource_server._protocol.grammar import is_scope_token
from resource_server.errors import ConfigurationError

_ORIGIN = re.compile(r"http://(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?/?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORTS = range(1, 65_536)
_HTTP = 80
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something listens, for plain HTTP."""

    host: str
    """A name or an address; one of IPv6 without brackets."""
    port: int

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an address, so that nobody need look it up."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to stand in a configuration in the place of the example's values; ``None`` leaves them."""

    gateway: Origin | None = None
    upstream: Origin | None = None
    scope: tuple[str, ...] = ()
    server_name: str | None = None

    @property
    def query(self) -> str:
        """What the gateway is asked to demand, as a query: every character in it is one that no configuration reads."""
        return "scope=" + ",".join(quote(token, safe=":/") for token in self.scope) if self.scope else ""

    @property
    def said(self) -> frozenset[str]:
        """The names of those that are wished."""
        told = {
            "gateway": self.gateway,
            "upstream": self.upstream,
            "scope": self.scope,
            "server_name": self.server_name,
        }
        return frozenset(name for name, value in told.items() if value)


def read_wishes(
    *, gateway: str | None = None, upstream: str | None = None, scope: str | None = None, server_name: str | None = None
) -> Wishes:
    """Judge what options say.

    Args:
        gateway: ``http://host:port`` of the gateway.
        upstream: the same of the application.
        scope: scope tokens with spaces between them; all of them are demanded.
        server_name: the host name that clients use.

    Raises:
        ConfigurationError: a value is not of its kind.
    """
    return Wishes(
        gateway=None if gateway is None else _origin("--gateway", gateway),
        upstream=None if upstream is None else _origin("--upstream", upstream),
        scope=() if scope is None else _scope(scope),
        server_name=None if server_name is None else _name(server_name),
    )


def _origin(option: str, value: str) -> Origin:
    found = _ORIGIN.fullmatch(value)
    port = int(found["port"] or _HTTP) if found else 0
    if found is None or port not in _PORTS:
        # What stands before @ is a password.
        raise ConfigurationError(f"{option} must be like http://host:port (got {value.rpartition('@')[2]!r})")
    if found["six"] is None:
        return Origin(found["host"], port)
    try:
        return Origin(str(IPv6Address(found["six"])), port)
    except ValueError:
        raise ConfigurationError(f"{option} must have an address of IPv6 in its brackets (got {value!r})") from None


def _scope(value: str) -> tuple[str, ...]:
    tokens = tuple(value.split(" "))
    # A comma stands between two tokens in the gateway's words.
    if not all(is_scope_token(token) and "," not in token for token in tokens):
        raise ConfigurationError(
            f"--scope must be scope tokens with a space between two, without commas (got {value!r})"
        )
    return tokens


def _name(value: str) -> str:
    name = value.lower()
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigurationError(f"--server-name must be a host name (got {value!r})")
    return name
