"""Who the issuer is, and where it says that its endpoints are.

References: RFC 8414 sections 2 and 3.1
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from mock_as.errors import UsageError

AUTO = "auto"
"""In the place of an issuer: the address it is served under."""
IN_PROCESS = "https://as.example.test"
"""Who an issuer without a name is while it is not served."""


@dataclass(frozen=True, slots=True)
class URLs:
    """Where the server says its endpoints are."""

    issuer: str
    token: str
    introspection: str
    revocation: str
    jwks: str
    metadata: str


class Identity:
    """The issuer identifier, which may be known only while the server is served.

    Args:
        issuer: an http(s) URL, or :data:`AUTO`; ``None`` for the address it is served under, and :data:`IN_PROCESS`
            while it is not served.

    Raises:
        UsageError: it is neither.
    """

    def __init__(self, issuer: str | None) -> None:
        if issuer not in (None, AUTO):
            _judge(str(issuer))
        self._configured = issuer
        self._served_at: str | None = None

    @property
    def issuer(self) -> str:
        """The issuer identifier.

        Raises:
            RuntimeError: it is to be the address the server is served under, and the server is not.
        """
        if self._configured is None:
            return self._served_at or IN_PROCESS
        if self._configured != AUTO:
            return self._configured
        if self._served_at is None:
            raise RuntimeError('issuer="auto" is an address only while serve() runs; name the issuer to do without')
        return self._served_at

    @property
    def host(self) -> str | None:
        """The host of the issuer, where it has been named."""
        return None if self._configured == AUTO else urlsplit(self._configured or IN_PROCESS).hostname

    @property
    def path(self) -> str:
        """The path of the issuer, without a slash at its end."""
        return "" if self._configured in (None, AUTO) else urlsplit(str(self._configured)).path.rstrip("/")

    @property
    def urls(self) -> URLs:
        """Where the endpoints are."""
        base = self.issuer.rstrip("/")
        return URLs(
            issuer=self.issuer,
            token=f"{base}/token",
            introspection=f"{base}/introspect",
            revocation=f"{base}/revoke",
            jwks=f"{base}/jwks",
            metadata=f"{base.removesuffix(self.path)}/.well-known/oauth-authorization-server{self.path}",
        )

    @contextmanager
    def served_at(self, url: str) -> Generator[None]:
        """Take an address for the issuer's own while it is served there, if it is to.

        Args:
            url: the address, without a slash at its end.
        """
        before, self._served_at = self._served_at, url
        try:
            yield
        finally:
            self._served_at = before


def _judge(issuer: str) -> None:
    parts = urlsplit(issuer)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("issuer", f'{issuer!r} is not an http(s) URL without query and fragment, nor "{AUTO}"')
