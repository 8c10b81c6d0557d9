"""Several issuers at one address: each has everything of its own, and tests of one see nothing of another."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from mock_as.clock import Clock
from mock_as.errors import UsageError
from mock_as.identity import Identity, TenantIdentity
from mock_as.issuer import Issuer
from mock_as.logins import Login
from mock_as.state import Blueprint

if TYPE_CHECKING:
    import httpx

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")


class Portal(Issuer):
    """An issuer at which people log in, with a browser or without."""

    def log_in(self, login: Login) -> str:
        """Log in without a browser.

        Args:
            login: what is asked and decided.

        Returns:
            The URL that a browser would be sent to.

        Raises:
            UsageError: there is no such client, address or error, or the person may not log in.
        """
        from mock_as.oauth.headless import log_in  # noqa: PLC0415 - Authlib, which comes with it, is slow to load

        return log_in(self, login)


class Tenant(Portal):
    """An issuer of its own at the address of another.

    Args:
        landlord: the other one.
        name: its name there.
    """

    def __init__(self, landlord: Landlord, name: str) -> None:
        # Keys from a file are one issuer's: two that sign with the same ones are not told apart. A fault names no
        # issuer, so it is the landlord's.
        blueprint = replace(landlord.blueprint, keys=(), faults=())
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
