"""The values that cross the edge of the protocol: what came in, what is asked, what was answered.

None of them shows a token, a credential or a body in its ``repr``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

RawHeaders = Sequence[tuple[bytes, bytes]]


class RequestParts(NamedTuple):
    """What of an incoming request decides about it; the body is not among it."""

    method: str
    headers: RawHeaders
    query: bytes = b""
    form: bytes | None = None
    """The body of a form-urlencoded request, only where form tokens are enabled and one may be in it."""
    peer: str | None = None
    """The client's address, as the server knows it: never what a header says. ``None`` where it is not known."""
    path: bytes = b"/"
    """The path as it was sent, with its percent-encoding: what a DPoP proof is compared with."""
    certificate: str | bytes | None = None
    """The certificate that the client has shown in this connection's TLS handshake: PEM text or DER bytes."""
    proven: bool = False
    """For an adapter that has one request judged again: its sender has shown already what the token is bound to."""
    client: str | None = None
    """The client's address where a trusted proxy has told it: who is charged for questions, in place of the peer."""

    def __repr__(self) -> str:
        """Show the method only: headers and query may hold a token."""
        return f"RequestParts(method={self.method!r})"


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """A question to an authorization server."""

    method: Literal["GET", "OPTIONS", "POST"]
    url: str = field(repr=False)
    endpoint: str
    """Which endpoint this is, for events: ``introspection``, ``jwks``, ``metadata`` or ``token``."""
    max_bytes: int
    """The longest answer that will be read."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    priority: bool = False
    """Not to be kept waiting behind a crowd of unknown tokens."""


@dataclass(frozen=True, slots=True)
class HTTPResponse:
    """An answer, read whole and within its limit. Header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the one value of a header, or ``None`` where it is absent or repeated."""
        values = [value for key, value in self.headers if key == name]
        return values[0] if len(values) == 1 else None

    @property
    def media_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The authorization server gave no answer that can be relied on. Never cached, never a yes, never a no."""

    cause: str
    """What happened, in a fixed vocabulary: ``timeout``, ``connect``, ``status_503``, ``not_json`` ..."""
    retry_after: float | None = None
    """Seconds the other side asked us to wait, where it did."""
    fault: Literal["outage", "configuration", "crowd"] = "outage"
    """An outage passes; a configuration fault (our credentials refused, wrong endpoint) waits for somebody; a crowd is
    our own: too many questions at once, which callers can bring about, so that nothing is ever let in because of it."""
