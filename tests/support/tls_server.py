"""A small ASGI server that speaks TLS, and tells an application what the client has shown in the handshake.

References: ASGI TLS extension 0.2
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

from cryptography import x509

from tests.support.asgi import App

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


@asynccontextmanager
async def serve_tls(app: App, context: ssl.SSLContext) -> AsyncGenerator[int]:
    """Serve an application while the block runs, one request for each connection.

    Args:
        app: the application; its requests have no body.
        context: the server's side of TLS.

    Yields:
        The port.
    """
    server = await asyncio.start_server(partial(_answer, app), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def tls_extension(connection: ssl.SSLObject) -> dict[str, Any]:
    """Describe a connection as the extension does.

    Args:
        connection: one whose handshake is over.
    """
    shown, cipher, version = connection.getpeercert(binary_form=True), connection.cipher(), connection.version()
    suites = {suite["name"]: suite["id"] & 0xFFFF for suite in connection.context.get_ciphers()}
    certificate = None if shown is None else x509.load_der_x509_certificate(shown)
    return {
        "server_cert": None,
        "client_cert_chain": [] if shown is None else [ssl.DER_cert_to_PEM_cert(shown)],
        "client_cert_name": None if certificate is None else certificate.subject.rfc4514_string(),
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(version or ""),
        "cipher_suite": None if cipher is None else suites[cipher[0]],
    }


async def _answer(app: App, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                fields = [b"%b: %b" % field for field in (*message["headers"], (b"connection", b"close"))]
                writer.write(b"\r\n".join([b"HTTP/1.1 %d Answer" % message["status"], *fields, b"", b""]))
            else:
                writer.write(message.get("body", b""))

        await app(_scope(head, writer), receive, send)
        await writer.drain()


def _scope(head: bytes, writer: asyncio.StreamWriter) -> dict[str, Any]:
    start, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, _ = start.split(b" ")
    path, _, query = target.partition(b"?")
    fields = [line.partition(b":") for line in lines]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "https",
        "method": method.decode("ascii"),
        "path": path.decode("ascii"),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower(), value.strip(b" \t")) for name, _, value in fields],
        "client": writer.get_extra_info("peername")[:2],
        "server": writer.get_extra_info("sockname")[:2],
        "extensions": {"tls": tls_extension(writer.get_extra_info("ssl_object"))},
    }
