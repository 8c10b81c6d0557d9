"""The resources that tokens can be asked for, where one differs from the rest.

References: RFC 8707
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mock_as.errors import UsageError, unknown
from mock_as.keys.signing import ALGORITHMS
from mock_as.registry import Registry
from mock_as.tokens import FORMATS, TokenFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource server, as tokens for it are to be."""

    uri: str
    format: TokenFormat | None = None
    """The format of its tokens; by default the client's, or else the server's."""
    lifetime: int | None = None
    """How long its tokens live, in seconds; by default the client's, or else the server's."""
    alg: str | None = None
    """The algorithm of their signatures; by default the server's."""
    scopes: tuple[str, ...] = ()
    """The scopes it knows: others are left out of its tokens; empty for all."""

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        if not self.uri:
            raise UsageError("resources", "a resource needs a uri")
        if self.format is not None and self.format not in FORMATS:
            raise unknown("format", self.format, FORMATS)
        if self.lifetime is not None and self.lifetime < 1:
            raise UsageError("lifetime", f"{self.lifetime} is less than 1")
        if self.alg is not None and self.alg not in ALGORITHMS:
            raise unknown("alg", self.alg, ALGORITHMS)


def resource_registry(resources: Iterable[Resource]) -> Registry[Resource]:
    """Return the resources by their URIs.

    Args:
        resources: the resources.
    """
    return Registry({resource.uri: resource for resource in resources})
