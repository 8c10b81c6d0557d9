"""Several issuers at one address: each has everything of its own, and tests of one see nothing of another."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mock_as.clock import Clock
from mock_as.errors import UsageError
from mock_as.identity import Identity, TenantIdentity
from mock_as.issuer import Issuer
from mock_as.state import Blueprint

if TYPE_CHECKING:
    import httpx

    from mock_as.oauth.headless import Choice

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")


class Portal(Issuer):
    """An issuer at which people log in, with a browser or without."""

    def authorize(  # noqa: PLR0913 - each is something that a client asks for, or that a person decides
        self,
        *,
        client_id: str,
        sub: str = "alice",
        scope: str | Iterable[str] | None = None,
        redirect_uri: str | None = None,
        decision: Choice = "allow",
        granted_scope: str | Iterable[str] | None = None,
        error: str | None = None,
        claims: Mapping[str, Any] | None = None,
        code_challenge: str | None = None,
        **parameters: str,
    ) -> str:
        """Log in without a browser; the arguments are those of :func:`mock_as.oauth.headless.authorize`.

        Returns:
            The URL that a browser would be sent to.

        Raises:
            UsageError: there is no such client, address, decision or error, or the person may not log in.
        """
        from mock_as.oauth.headless import authorize  # noqa: PLC0415 - Authlib, which comes with it, is slow to load

        return authorize(
            self,
            client_id=client_id,
            sub=sub,
            scope=scope,
            redirect_uri=redirect_uri,
            decision=decision,
            granted_scope=granted_scope,
            error=error,
            claims=claims,
            code_challenge=code_challenge,
            **parameters,
        )


class Tenant(Portal):
    """An issuer of its own at the address of another.

    Args:
        landlord: the other one.
        name: its name there.
    """

    def __init__(self, landlord: Landlord, name: str) -> None:
        # Keys from a file are one issuer's: two that sign with the same ones are not told apart.
        blueprint = replace(landlord.blueprint, keys=())
        super().__init__(TenantIdentity(landlord.identity, name), blueprint, Clock())
        self.name = name
        self._landlord = landlord

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport for ``httpx.AsyncClient`` that answers in this process, for the issuer's host only."""
        return self._landlord.transport()


class Landlord(Portal, ABC):
    """An issuer with others at its address.

    Args:
        identity: who it is.
        blueprint: what it is made from, and its tenants.
        clock: what tells it the time.
        admin: whether there is a control plane over HTTP.
        admin_token: what the control plane asks for as a bearer token; ``None`` where it asks for nothing.
    """

    def __init__(
        self,
        identity: Identity,
        blueprint: Blueprint,
        clock: Clock,
        *,
        admin: bool = True,
        admin_token: str | None = None,
    ) -> None:
        super().__init__(identity, blueprint, clock)
        self.admin = admin
        self.admin_token = admin_token
        self.tenants: dict[str, Tenant] = {}
        self._tenant_numbers = itertools.count(1)

    def tenant(self, name: str | None = None) -> Tenant:
        """Return the issuer of a name, made at the first use, with a clock, keys, tokens and faults of its own.

        Args:
            name: its name in its URL; by default one that nobody has used.

        Raises:
            UsageError: it cannot be in a URL.
        """
        chosen = name if name is not None else f"tenant-{next(self._tenant_numbers)}"
        if not _NAME.fullmatch(chosen):
            raise UsageError("tenant", f"{chosen!r} is not a name of letters, digits and ._~-, 64 at most")
        if chosen not in self.tenants:
            self.tenants[chosen] = Tenant(self, chosen)
        return self.tenants[chosen]

    @abstractmethod
    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport that reaches the issuer and its tenants."""

    def release(self) -> None:
        """Let every request go on that is held, or left hanging by a fault, at any issuer."""
        super().release()
        for tenant in tuple(self.tenants.values()):
            tenant.release()
