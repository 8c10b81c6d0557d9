"""The sixty faults of an authorization server: what each one is called, and what it sends in place of an honest answer.

The first 47 happen to the endpoint that a policy asks first, the next six to what introspection says, the last ones to
the key set and the metadata. Bytes are written by hand: a library would not let most of them through.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

from tests.support.jwt import b64url, encoded

CONNECT = (
    "refused", "no such name", "connect timeout", "tls: self-signed", "tls: wrong host", "tls: expired",
    "tls: 1.1 only", "reset on connect",
)  # fmt: skip
TRANSFER = (
    "read timeout", "header drip", "body drip", "reset in the body", "body too short", "cut, no length", "100 MB body",
    "gzip bomb", "500 headers of 1 kB", "1xx storm", "pool exhausted",
)  # fmt: skip
STATUS = (204, 201, 301, 302, 307, 308, 400, 401, 403, 404, 405, 429, 500, 502, 503)
BODY = (
    "text/html", "empty", "not JSON", "array", "BOM", "UTF-16", "nested 50 000 deep", "integer of 5 000 digits",
    "member twice", "active text", "active 1", "active null", "active NaN", "exp past", "exp no number", "aud wrong",
    "iss wrong", "scope list", "answer is a JWT",
)  # fmt: skip
KEYS = ("keys: 500", "keys: empty set", "key broken", "key removed", "same kid, new key", "issuer other", "secret keys")
NAMES = dict(enumerate((*CONNECT, *TRANSFER, *map(str, STATUS), *BODY, *KEYS), start=1))
"""All sixty by number."""
FIRST_STATUS, FIRST_BODY, FIRST_CLAIM, FIRST_KEYS = 20, 35, 48, 54
HANGS = frozenset({3, 9, 10, 11, 19})
"""Those that last until the deadline."""


def response(body: bytes, *, status: int = 200, headers: tuple[str, ...] = (), kind: str = "application/json") -> bytes:
    """Write a whole answer, after which the connection ends."""
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", "connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def answer(fault: int, document: dict[str, Any], variant: int) -> bytes:
    """Write the answer of a server with one of the faults that show in its bytes alone.

    Args:
        fault: its number, 16 to 18, or 20 to 53.
        document: what an honest server would say; its first member decides.
        variant: which form, of a fault that has several.
    """
    if FIRST_STATUS <= fault < FIRST_BODY:
        return _status(STATUS[fault - FIRST_STATUS], document)
    if fault in (16, 17, 18):
        return _oversized(fault, document)
    if fault == 35:
        return response(b"<html>All is well</html>", kind="text/html")
    if fault == 53:
        head = {"typ": ("JWT", "at+jwt")[variant % 2], "alg": "none"}
        signed = f"{b64url(encoded(head))}.{b64url(encoded({'token_introspection': document}))}."
        return response(signed.encode(), kind="application/token-introspection+jwt")
    if fault >= FIRST_CLAIM:
        return response(_claims(fault, document, variant))
    return response(_body(fault, document))


def _status(status: int, document: dict[str, Any]) -> bytes:
    extra = {
        307: ("location: http://127.0.0.2:9/elsewhere",),
        429: ("retry-after: 7",),
        503: ("retry-after: 7",),
    }.get(status, ("location: http://127.0.0.1:9/elsewhere",) if status // 100 == 3 else ())
    if status == 502:
        return response(b"<html>Bad gateway</html>", status=status, kind="text/html")
    body = b"" if status == 204 else encoded({"error": "invalid_client"} if status == 401 else document)
    return response(body, status=status, headers=extra)


def _oversized(fault: int, document: dict[str, Any]) -> bytes:
    if fault == 16:
        return response(_bomb(), headers=("content-encoding: gzip",))
    if fault == 17:
        return response(encoded(document), headers=tuple(f"x-{number}: {'a' * 1000}" for number in range(500)))
    return b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 200 + response(encoded(document))


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(32 * 2**20))


def _body(fault: int, document: dict[str, Any]) -> bytes:
    text, first = encoded(document), next(iter(document))
    rest = {name: value for name, value in document.items() if name != first}
    values: dict[int, bytes] = {44: b'"true"', 45: b"1", 46: b"null", 47: b"NaN"}
    if fault in values:
        return b'{"%s":%s,%s' % (first.encode(), values[fault], encoded({**rest, "x": 0})[1:])
    return {
        36: b"",
        37: text[:-1],
        38: b"[" + text + b"]",
        39: b"\xef\xbb\xbf" + text,
        40: text.decode().encode("utf-16"),
        41: text[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        42: text[:-1] + b',"x":' + b"9" * 5_000 + b"}",
        43: b'{"%s":false,' % first.encode() + text[1:],
    }[fault]


def _claims(fault: int, document: dict[str, Any], variant: int) -> bytes:
    """Change what a yes says; a no stays as it is."""
    if document["active"] is not True:
        return encoded(document)
    if fault == 49:
        number = ('"4000000000"', "NaN", "1e400")[variant % 3]
        return encoded(document | {"exp": "#"}).replace(b'"#"', number.encode())
    if fault == 50 and variant % 2:
        return encoded({name: value for name, value in document.items() if name != "aud"})
    changes: dict[int, dict[str, Any]] = {
        48: {"exp": 1_600_000_000},
        50: {"aud": "https://other.example.com"},
        51: {"iss": "https://other.example.com"},
        52: {"scope": ["read", "write", ["nested"], 7]},
    }
    return json.dumps(document | changes[fault]).encode()
