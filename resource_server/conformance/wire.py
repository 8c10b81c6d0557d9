"""HTTP from a socket: requests as they are given, byte for byte, and answers as they come."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from threading import Event, Timer
from time import perf_counter
from urllib.parse import urlsplit

from resource_server.conformance.challenges import Challenge, parse_challenges

Fields = Sequence[tuple[str, str]]
NO_ANSWER = 0
"""The status of what is no response: the connection ended, or nothing came in time."""
TOO_LATE = "nothing came in time"
_LONGEST_BODY = 1 << 20
_AS_A_WHOLE = 4
"""How many times that long an answer may take that never pauses for so long."""
_PORTS = range(20_000, 30_000)
"""Below those that a machine gives to connections."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read whole."""

    status: int
    fields: Fields
    body: bytes = field(repr=False, default=b"")
    fault: str = ""
    """What happened in place of a response."""
    seconds: float = 0.0

    def values(self, name: str) -> list[str]:
        """Return the values of a field, one for each line that it was sent in."""
        return [value for other, value in self.fields if other.lower() == name.lower()]

    def value(self, name: str) -> str:
        """Return the values of a field as one."""
        return ", ".join(self.values(name))

    @property
    def challenges(self) -> list[Challenge]:
        """What ``WWW-Authenticate`` says.

        Raises:
            ValueError: it is not a list of challenges.
        """
        return [challenge for value in self.values("www-authenticate") for challenge in parse_challenges(value)]

    @property
    def bearer(self) -> Challenge | None:
        """The challenge of the scheme Bearer; none where there is none, or where it cannot be read."""
        with suppress(ValueError):
            return next((found for found in self.challenges if found.scheme == "bearer"), None)
        return None

    @property
    def errors(self) -> set[str]:
        """The error codes in all challenges that can be read."""
        with suppress(ValueError):
            return {found.params["error"] for found in self.challenges if "error" in found.params}
        return set()

    @property
    def text(self) -> str:
        """The status and the challenge, for people."""
        if self.status == NO_ANSWER:
            return f"no response ({self.fault})"
        said = "; ".join(self.values("www-authenticate"))
        return f"{self.status} {said}".rstrip()


@dataclass(frozen=True, slots=True)
class Connection:
    """Where requests are sent to, each over a connection of its own.

    Args:
        url: an ``http`` or ``https`` URL; its path stands before that of each request.
        timeout: seconds without a byte after which there is no answer.
    """

    url: str
    timeout: float = 10.0

    def send(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        fields: Fields = (),
        body: bytes | None = None,
        *,
        announced: int | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send a request and read what comes.

        Args:
            method: the method.
            path: the path, and a query if there is one.
            fields: the header fields as they are, beside Host and Connection.
            body: what follows them.
            announced: the length that is announced, where that is not the body's.
            timeout: seconds without a byte, for this request.
        """
        started = perf_counter()
        try:
            with self.open(timeout) as connection, _ending(connection, _AS_A_WHOLE * (timeout or self.timeout)):
                connection.sendall(self.written(method, path, fields, body, announced))
                answer = read_answer(connection, method)
        except (OSError, HTTPException, ValueError) as error:
            fault = TOO_LATE if isinstance(error, TimeoutError) else type(error).__name__
            return Answer(NO_ANSWER, (), fault=fault, seconds=perf_counter() - started)
        return Answer(answer.status, answer.fields, answer.body, seconds=perf_counter() - started)

    def open(self, timeout: float | None = None) -> socket.socket:
        """Connect.

        Raises:
            OSError: nobody listens there.
        """
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        plain = socket.create_connection((parts.hostname or "", port), timeout or self.timeout)
        if parts.scheme == "http":
            return plain
        return ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)

    def written(self, method: str, path: str, fields: Fields, body: bytes | None, announced: int | None) -> bytes:
        """Write a request."""
        parts = urlsplit(self.url)
        lines = [f"{method} {parts.path}{path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in fields]
        length = announced if announced is not None else len(body) if body is not None else None
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


@contextmanager
def _ending(connection: socket.socket, seconds: float) -> Generator[None]:
    """End a connection after some seconds, whatever still drips out of it.

    Raises:
        TimeoutError: that came to pass: what was read until then is no answer.
    """
    over = Event()

    def end() -> None:
        over.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if over.is_set():
            raise TimeoutError


def read_answer(connection: socket.socket, method: str) -> Answer:
    """Read a response.

    Args:
        connection: where it comes from.
        method: what was asked, which decides whether there is a body.

    Raises:
        OSError: the connection ended, or nothing came in time.
        HTTPException: what came is no response.
    """
    response = HTTPResponse(connection, method=method)
    try:
        response.begin()
        return Answer(response.status, tuple(response.getheaders()), response.read(_LONGEST_BODY))
    finally:
        response.close()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens at, and that nobody is given without asking for it.

    A target needs seconds before it listens there, in which connections take ports of their own.
    """
    while True:
        port = secrets.choice(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
