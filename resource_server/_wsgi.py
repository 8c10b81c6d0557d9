"""What every WSGI framework's adapter needs: an environment's parts, a form read ahead, and answers sent as they are.

References: PEP 3333, RFC 3875 section 4.1
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes
from wsgiref.types import InputStream, StartResponse, WSGIEnvironment

from resource_server._facade import Facade
from resource_server._hosts import MAX_FORM_BYTES, Reply, form_length, may_hold_token, tell_of_itself
from resource_server._protocol.bearer import TokenMethods
from resource_server._protocol.messages import RawHeaders, RequestParts
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import ConfigurationError
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import Requirement

PRINCIPAL = "resource_server.principal"
"""Where in a request's environment it is said who was let in. No header field has a name like this."""
REMEMBERED = 1024
"""For how many keys of an environment it is kept which header field they are."""
_JUDGED = "resource_server.judged"
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://[^/]*")
_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"


_JUDGED_BY = (("HTTP_AUTHORIZATION", b"authorization"), ("HTTP_DPOP", b"dpop"), ("CONTENT_TYPE", b"content-type"))


@lru_cache(REMEMBERED)
def _field_name(key: str) -> bytes | None:
    """Return which header field a key of an environment is, if any."""
    if not (key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")):
        return None
    return _bytes(key.removeprefix("HTTP_").replace("_", "-").lower())


@lru_cache(REMEMBERED)
def _judged_by(certificate_header: str | None) -> tuple[tuple[str, bytes], ...]:
    """Return the keys of the fields that decide about a request, each with the field's name."""
    if certificate_header is None:
        return _JUDGED_BY
    key = "HTTP_" + certificate_header.upper().replace("-", "_")
    return (*_JUDGED_BY, (key, certificate_header.lower().encode("ascii")))


def expect_blocking(server: object) -> None:
    """Refuse a server that would return what can only be awaited, which looks like a yes.

    Raises:
        ConfigurationError: it is no ``BlockingResourceServer``.
    """
    if not isinstance(server, BlockingResourceServer):
        raise ConfigurationError(f"server must be a BlockingResourceServer (got {type(server).__name__})")


def authenticate(server: BlockingResourceServer, environ: WSGIEnvironment, requirement: Requirement) -> Principal:
    """Judge a request, and note in its environment who was let in.

    A proof is good once: where this very request was judged before, by the same server, none is asked for again.

    Args:
        server: what judges.
        environ: the request's; its ``wsgi.input`` is replaced where a form was read from it.
        requirement: what is demanded.

    Raises:
        BearerTokenError: it is refused.
        VerificationUnavailable: its token cannot be verified, and that is configured to be a 503.
    """
    parts = read_parts(environ, server.token_methods, server.settings.certificate_header)
    environ.pop(PRINCIPAL, None)
    known = environ.get(_JUDGED) == (server, parts)
    principal = server.authenticate(parts._replace(proven=True) if known else parts, requirement)
    environ[_JUDGED] = (server, parts)
    environ[PRINCIPAL] = principal
    return principal


def read_parts(environ: WSGIEnvironment, methods: TokenMethods, certificate_header: str | None = None) -> RequestParts:
    """Collect what is judged: no body, but a short form where a token may be in it, kept for the application.

    Of the header fields only those that decide are copied, for this is done for every request.

    Args:
        environ: the request's.
        methods: where a token may stand.
        certificate_header: the field in which a proxy passes on the client's certificate, where there is one.
    """
    fields = _judged_by(certificate_header)
    parts = _parts(environ, [(name, _bytes(environ[key])) for key, name in fields if key in environ])
    return parts._replace(form=_read_form(environ)) if methods.form and may_hold_token(parts) else parts


def request_parts(environ: WSGIEnvironment) -> RequestParts:
    """Collect what of a request decides about it, with all its header fields; the body is not among it."""
    return _parts(environ, header_fields(environ))


def _parts(environ: WSGIEnvironment, headers: RawHeaders) -> RequestParts:
    """Collect what decides besides the header fields.

    The certificate is what a server that ends TLS itself says of the connection, and never a header field. The path is
    looked at only where there is a proof to be compared with it.
    """
    return RequestParts(
        environ["REQUEST_METHOD"],
        headers,
        _bytes(environ.get("QUERY_STRING", "")),
        peer=environ.get("REMOTE_ADDR") or None,
        path=_raw_path(environ) if "HTTP_DPOP" in environ else b"/",
        certificate=environ.get("SSL_CLIENT_CERT") or None,
    )


def header_fields(environ: WSGIEnvironment) -> list[tuple[bytes, bytes]]:
    """Return the header fields; what came in several lines of one name is one here, joined by the server."""
    return [(name, _bytes(value)) for key, value in environ.items() if (name := _field_name(key)) is not None]


def routed_path(environ: WSGIEnvironment) -> str:
    """Return the decoded path that an application routes by: what comes after the prefix that it is mounted at."""
    return _text(environ.get("PATH_INFO", ""))


def _raw_path(environ: WSGIEnvironment) -> bytes:
    """Return the path as it was sent: in it ``%2F`` is no slash. A server need not tell it.

    What it does tell is believed only where it is the path that is routed: somebody may have rewritten that since.
    """
    routed = _bytes(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
    sent = _bytes(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition(b"?")[0]
    if b"://" in sent:  # a request in absolute form (RFC 9112 section 3.2.2)
        sent = _AUTHORITY.sub(b"", sent, count=1)
    return sent if unquote_to_bytes(sent) == routed else quote_from_bytes(routed, _PATH_CHARACTERS).encode("ascii")


def _bytes(text: str) -> bytes:
    """Undo the decoding that PEP 3333 demands of servers."""
    return text.encode("latin-1", "replace")


def _text(text: str) -> str:
    """Decode as frameworks do."""
    return text if text.isascii() else _bytes(text).decode("utf-8", "replace")


def reply_of_itself(server: Facade, probes: Probes | None, environ: WSGIEnvironment) -> Reply | None:
    """Return what a server says of itself, where a request is for that: whatever its ``Host`` (RFC 9728 section 3).

    Args:
        server: what judges.
        probes: where it is asked how it is; ``None`` for nowhere.
        environ: the request's.
    """
    if server.protected_resource is None and probes is None:
        return None
    path = routed_path(environ)
    whole = _text(environ.get("SCRIPT_NAME", "")) + path
    return tell_of_itself(server, probes, environ["REQUEST_METHOD"], path, whole)


def send(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
) -> list[bytes]:
    """Send a response whose bytes are ready."""
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    start_response(f"{int(status)} {HTTPStatus(status).phrase}", fields)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _read_form(environ: WSGIEnvironment) -> bytes | None:
    """Read a form, or so much of one that there is no token in it: ``None``."""
    stream: InputStream = environ["wsgi.input"]
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return _read_chunked(environ, stream)
    length = form_length(_bytes(environ.get("CONTENT_LENGTH") or "0"))
    if length is None:
        return None
    body = stream.read(length)
    environ["wsgi.input"] = BytesIO(body)
    return body if len(body) == length and body.isascii() else None


def _read_chunked(environ: WSGIEnvironment, stream: InputStream) -> bytes | None:
    if not environ.get("wsgi.input_terminated"):
        return None  # nobody can tell where it ends, the application neither
    body = stream.read(MAX_FORM_BYTES + 1)
    environ["wsgi.input"] = BufferedReader(cast("Any", _Continued(body, stream)))
    return body if len(body) <= MAX_FORM_BYTES and body.isascii() else None


class _Continued(RawIOBase):
    """What was read of a stream, and then the rest of it."""

    def __init__(self, head: bytes, rest: InputStream) -> None:
        self._head = BytesIO(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has a buffer
        piece = self._head.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
