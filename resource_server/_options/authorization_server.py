"""An authorization server, where a resource server trusts several: its issuer, and what is said of it alone.

Introspecting a token and verifying its signature are two ways to ask one issuer; both belong to the same unit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack, cast

from resource_server.errors import ConfigurationError

if TYPE_CHECKING:
    from resource_server._options.issuer_keywords import IssuerOptions


class AuthorizationServer:
    """One of the authorization servers that a resource server trusts. What it does not say, the resource server does.

    Args:
        options: ``issuer``, and whatever is different for it from what the resource server says for all: of the
            options of :class:`resource_server.Settings` those that are about one issuer.

    Raises:
        TypeError: an option does not exist, or is one of the whole resource server.
        ConfigurationError: there is no issuer. Other values are judged together with those of the resource server.
    """

    __slots__ = ("_options",)

    def __init__(self, **options: Unpack[IssuerOptions]) -> None:
        """Keep the options."""
        from resource_server._options.issuer_keywords import IssuerOptions  # noqa: PLC0415 - pydantic, when first needed

        self._options: Mapping[str, Any] = MappingProxyType(dict(options))
        del options  # or what is raised would show the secrets among them, in the variables of this frame
        unknown = sorted(set(self._options) - set(IssuerOptions.__annotations__))
        if unknown:
            raise TypeError(f"AuthorizationServer has no option {', '.join(map(repr, unknown))}")
        if not isinstance(self._options.get("issuer"), str):
            raise ConfigurationError("authorization server: issuer: is required")

    def __repr__(self) -> str:
        """Name the issuer; nothing secret."""
        return f"AuthorizationServer(issuer={self._options.get('issuer')!r})"

    def __eq__(self, other: object) -> bool:
        """Compare all options."""
        return isinstance(other, AuthorizationServer) and self._options == other._options

    def __hash__(self) -> int:
        """Agree with equality: the same issuer has the same hash."""
        return hash(self.issuer)

    @property
    def issuer(self) -> str:
        """The issuer URL, to the letter."""
        return str(self._options["issuer"])

    @property
    def options(self) -> Mapping[str, Any]:
        """Everything that is said of it; some of it may be secret."""
        return self._options


Resolver = Callable[[str], Awaitable[AuthorizationServer | None]]
"""Finds the authorization server of an issuer, or ``None`` where that issuer is not trusted."""
BlockingResolver = Callable[[str], AuthorizationServer | None]
"""The same for threads."""


def read_authorization_servers(value: object) -> tuple[AuthorizationServer, ...] | Resolver | BlockingResolver:
    """Read a list of authorization servers, each of which may be a table of options, or take a resolver as it is.

    Raises:
        ConfigurationError: it is neither.
    """
    if callable(value):
        return cast("Resolver", value)
    if not isinstance(value, list | tuple):
        raise ConfigurationError("must be a list of authorization servers, or a function that finds one by its issuer")
    return tuple(map(_read, value))


def is_async(function: Callable[..., object]) -> bool:
    """Tell whether what a function returns is to be awaited."""
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def _read(value: object) -> AuthorizationServer:
    if isinstance(value, AuthorizationServer):
        return value
    if not isinstance(value, dict):
        raise ConfigurationError("must consist of authorization servers, or of tables of their options")
    try:
        return AuthorizationServer(**value)
    except TypeError as error:
        raise ConfigurationError(str(error)) from None
