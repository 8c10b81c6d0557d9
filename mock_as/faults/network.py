"""Connections that fail; :mod:`mock_as.faults.wire` lets them.

A client in this process sees the exception of httpx at once; over a socket it is the real thing.
"""

from __future__ import annotations

from mock_as.faults.action import Action, Argument

_BYTES = 1024 * 1024
_MILLISECONDS = r"\d{1,7}(\.\d{1,6})?"
_RANGE = rf"{_MILLISECONDS}(-{_MILLISECONDS})?"


def _fails(error: str | None, description: str, argument: Argument | None = None) -> Action:
    return Action(description, argument=argument, error=error)


_HANGS = "There is no answer until the fault is cleared or the client gives up."

ACTIONS: dict[str, Action] = {
    "refused": _fails("ConnectError", "The connection is refused; over a socket, where it has been accepted, reset."),
    "reset": _fails("ReadError", "The connection is reset."),
    "empty": _fails(
        "RemoteProtocolError", "The connection is closed without a byte; at `jwks` it is the set that is empty."
    ),
    "garbage": _fails("RemoteProtocolError", "What comes is not HTTP."),
    "truncated": _fails("RemoteProtocolError", "The connection is closed in the middle of the body."),
    "bad_chunk": _fails("RemoteProtocolError", "A chunk of the body has a size that is no number."),
    "hang": _fails("ReadTimeout", _HANGS),
    "timeout": _fails("ReadTimeout", _HANGS),
    "hold": _fails(None, "The answer is worked out when the fault is released; a client in this process waits too."),
    "slow": _fails(
        None,
        "The answer comes so many milliseconds later; two numbers with a hyphen are a range.",
        Argument("number of milliseconds or a range", _RANGE, "1000", 1000),
    ),
    "drip": _fails(
        None,
        "The body comes byte by byte, each so many milliseconds after the other.",
        Argument("number of milliseconds", _MILLISECONDS, "50", 1000),
    ),
    "huge": _fails(
        None,
        "So many spaces follow the document.",
        Argument("number of bytes", r"\d{1,10}", str(_BYTES)),
    ),
    "tls_expired": _fails("ConnectError", "The certificate has expired, from the next handshake on."),
    "tls_wrong_host": _fails("ConnectError", "The certificate is for another host, from the next handshake on."),
    "tls_unknown_ca": _fails("ConnectError", "Nobody knows who issued the certificate, from the next handshake on."),
}

TLS = frozenset(name for name in ACTIONS if name.startswith("tls_"))
"""Those that happen before there is a request."""

LATE = frozenset({"drip", "huge", "slow"})
"""Those after which there is an answer all the same."""
