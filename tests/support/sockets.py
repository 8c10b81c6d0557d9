"""Real servers on the loopback interface: raw ones that say exactly these bytes, and certificates to trust or not.

Each has a thread of its own, listens on a port of the machine's choice, and ends with its block.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_PATIENCE = 10.0


class RawServer:
    """Says these bytes to every request, one connection after the other, and hangs up.

    Args:
        answer: everything that is sent; ``None`` holds the connection and says nothing.
        tls: the server's side of TLS.
    """

    def __init__(self, answer: bytes | None, tls: ssl.SSLContext | None = None) -> None:
        """Listen, and serve nobody yet."""
        self.requests: list[bytes] = []
        """What was asked, headers and body as they came."""
        self._answer = answer
        self._tls = tls
        self._ending = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its base URL, without TLS."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End, and leave no socket behind."""
        self._ending = True
        socket.create_connection(("127.0.0.1", self.port)).close()  # who waits for a connection gets a last one
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while not self._ending:
            accepted, _ = self._listening.accept()
            accepted.settimeout(_PATIENCE)
            with accepted, suppress(OSError):
                if self._tls is None:
                    self._converse(accepted)
                else:
                    with self._tls.wrap_socket(accepted, server_side=True) as secured:
                        self._converse(secured)

    def _converse(self, connection: socket.socket) -> None:
        request = read_request(connection)
        if not request:
            return
        self.requests.append(request)
        if self._answer is None:
            connection.recv(1)
        else:
            connection.sendall(self._answer)


def read_request(connection: socket.socket) -> bytes:
    """Read one request with a ``Content-Length``, or without a body; nothing where it does not come whole."""
    request = b""
    while (whole := _length(request)) is None or len(request) < whole:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        request += piece
    return request


def _length(request: bytes) -> int | None:
    """Say how long a request will be, as soon as its headers are there."""
    head, end, _ = request.lower().partition(b"\r\n\r\n")
    if not end:
        return None
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    return len(head) + len(end) + (int(lengths[0]) if lengths else 0)


@contextmanager
def raw_server(answer: bytes | None, *, tls: ssl.SSLContext | None = None) -> Generator[RawServer]:
    """Run a :class:`RawServer` for the length of a block."""
    server = RawServer(answer, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ok(body: bytes = b'{"active":true}', *headers: bytes) -> bytes:
    """Write a complete answer."""
    lines = [b"HTTP/1.1 200 OK", b"content-type: application/json", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Certificate:
    """A self-signed server certificate, in files."""

    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """The server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> Certificate:
    """Make a certificate that names a host or an address, valid from two days ago for ``days`` from now."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    ]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    made.key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made
