"""Certificates for the server, right ones and wrong ones, by an authority that only a test trusts.

They are made when TLS is served, not before.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import trustme

_LOCAL = ("localhost", "127.0.0.1", "::1")
_ELSEWHERE = "wrong-host.example.test"
_DAY = dt.timedelta(days=1)


class Authority:
    """Issues certificates.

    Args:
        names: the hosts that the server is, beside those of this machine.
    """

    def __init__(self, *names: str) -> None:
        self._names = tuple(dict.fromkeys((*_LOCAL, *names)))
        self._ca = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}

    @cached_property
    def pem(self) -> bytes:
        """The certificate of the authority, which is what a client has to trust."""
        return self._ca.cert_pem.bytes()

    def write(self, path: Path | str) -> None:
        """Write the certificate of the authority to a file, for clients that read one.

        Args:
            path: where to.
        """
        Path(path).write_bytes(self.pem)

    def client_context(self, name: str | None = None) -> ssl.SSLContext:
        """Return the TLS settings of a client that trusts the authority.

        Args:
            name: whom the certificate of the client is for; by default it has none.

        References: RFC 8705
        """
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        self._ca.configure_trust(context)
        if name is not None:
            self._ca.issue_cert(name, common_name=name).configure_cert(context)
        return context

    def server_context(self, fault: Callable[[], str | None]) -> ssl.SSLContext:
        """Return the TLS settings of a server, which asks clients for a certificate and takes those that have none.

        Args:
            fault: called at each handshake; returns one of :data:`mock_as.faults.TLS`, or ``None``.
        """
        context = self._context(self._ca.issue_cert(*self._names))

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            wrong = fault()
            if wrong is not None:
                connection.context = self._wrong(wrong)

        # The callback is handed an SSLObject where there is no SSLSocket, as with asyncio.
        context.sni_callback = choose
        return context

    def _wrong(self, fault: str) -> ssl.SSLContext:
        if fault not in self._contexts:
            self._contexts[fault] = self._context(self._wrong_certificate(fault))
        return self._contexts[fault]

    def _wrong_certificate(self, fault: str) -> trustme.LeafCert:
        if fault == "tls_wrong_host":
            return self._ca.issue_cert(_ELSEWHERE)
        if fault == "tls_unknown_ca":
            return trustme.CA().issue_cert(*self._names)
        now = dt.datetime.now(dt.UTC)
        return self._ca.issue_cert(*self._names, not_before=now - 2 * _DAY, not_after=now - _DAY)

    def _context(self, certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        self._ca.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context
