"""Who the issuer is, and where it says that its endpoints are.

References: RFC 8414 sections 2 and 3.1
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from mock_as.errors import UsageError

AUTO = "auto"
"""In the place of an issuer: whatever address a request was sent to."""
IN_PROCESS = "https://as.example.test"
"""Who an issuer without a name is while it is not served."""
TENANTS = "/t/"
"""Between the path of an issuer and the name of a tenant of it."""


_heard_at: ContextVar[str | None] = ContextVar("mock_as.heard_at", default=None)
"""Where the request was sent to that is being answered, as scheme, host and port."""


@contextmanager
def heard_at(origin: str) -> Generator[None]:
    """Answer a request under the address it was sent to.

    Args:
        origin: the scheme, the host and the port.
    """
    token = _heard_at.set(origin)
    try:
        yield
    finally:
        _heard_at.reset(token)


@dataclass(frozen=True, slots=True)
class URLs:
    """Where the server says its endpoints are."""

    issuer: str
    token: str
    introspection: str
    revocation: str
    jwks: str
    metadata: str
    authorization: str
    userinfo: str
    pushed_authorization: str
    device_authorization: str
    device: str
    """Where a person enters the code of a device."""
    registration: str
    end_session: str
    openid_configuration: str
    admin: str
    """The control plane."""


class Identity:
    """The issuer identifier, which may be known only while the server is served.

    Args:
        issuer: an http(s) URL; :data:`AUTO` for the address that each request was sent to, and outside of requests the
            one it is served under; ``None`` for the latter always, and :data:`IN_PROCESS` while it is not served.
        front_url: where browsers reach the server: scheme, host and port; by default those of the issuer.
        back_url: where other servers reach it: likewise.

    Raises:
        UsageError: one of them is none of these.
    """

    def __init__(self, issuer: str | None, front_url: str | None = None, back_url: str | None = None) -> None:
        if issuer not in (None, AUTO):
            _judge("issuer", str(issuer))
        for name, url in (("front_url", front_url), ("back_url", back_url)):
            if url is not None:
                _judge_origin(name, url)
        self._configured = issuer
        self._front = front_url
        self._back = back_url
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
        heard_at = _heard_at.get()
        if heard_at is not None:
            return heard_at
        if self._served_at is None:
            raise RuntimeError('issuer="auto" is an address only while serve() runs; name the issuer to do without')
        return self._served_at

    @property
    def follows_requests(self) -> bool:
        """Whether the issuer is whatever address a request was sent to."""
        return self._configured == AUTO

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that have been named for the server."""
        named = (IN_PROCESS if self._configured is None else self._configured, self._front, self._back)
        return frozenset(host for url in named if url and (host := urlsplit(url).hostname))

    @property
    def path(self) -> str:
        """The path of the issuer, without a slash at its end."""
        return "" if self._configured in (None, AUTO) else urlsplit(str(self._configured)).path.rstrip("/")

    @property
    def front(self) -> str:
        """What the URLs for browsers begin with."""
        return self._base(self._front)

    @property
    def back(self) -> str:
        """What the URLs for other servers begin with."""
        return self._base(self._back)

    @property
    def urls(self) -> URLs:
        """Where the endpoints are."""
        front, back, path = self.front, self.back, self.path
        origin = back.removesuffix(path)
        return URLs(
            issuer=self.issuer,
            token=f"{back}/token",
            introspection=f"{back}/introspect",
            revocation=f"{back}/revoke",
            jwks=f"{back}/jwks",
            metadata=f"{origin}/.well-known/oauth-authorization-server{path}",
            authorization=f"{front}/authorize",
            userinfo=f"{back}/userinfo",
            pushed_authorization=f"{back}/par",
            device_authorization=f"{back}/device_authorization",
            device=f"{front}/device",
            registration=f"{back}/register",
            end_session=f"{front}/end_session",
            openid_configuration=f"{back}/.well-known/openid-configuration",
            admin=f"{back if TENANTS in path else origin}/_mock",
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

    def _base(self, origin: str | None) -> str:
        return self.issuer.rstrip("/") if origin is None else f"{origin.rstrip('/')}{self.path}"


class TenantIdentity(Identity):
    """Who an issuer is that lives at another one's address.

    Args:
        landlord: the other one.
        name: the name of the tenant.
    """

    def __init__(self, landlord: Identity, name: str) -> None:
        super().__init__(None)
        self._landlord = landlord
        self._suffix = f"{TENANTS}{name}"

    @property
    def issuer(self) -> str:
        """The issuer identifier.

        Raises:
            RuntimeError: the landlord has none at the moment.
        """
        return f"{self._landlord.issuer.rstrip('/')}{self._suffix}"

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that have been named for the server."""
        return self._landlord.hosts

    @property
    def path(self) -> str:
        """The path of the issuer, without a slash at its end."""
        return f"{self._landlord.path}{self._suffix}"

    @property
    def front(self) -> str:
        """What the URLs for browsers begin with."""
        return f"{self._landlord.front}{self._suffix}"

    @property
    def back(self) -> str:
        """What the URLs for other servers begin with."""
        return f"{self._landlord.back}{self._suffix}"


def _judge(field: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(field, f'{url!r} is not an http(s) URL without query and fragment, nor "{AUTO}"')


def _judge_origin(field: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or url.rstrip("/").count("/") != 2:  # noqa: PLR2004 - the two of the scheme
        raise UsageError(field, f"{url!r} is not an http(s) URL without a path")
