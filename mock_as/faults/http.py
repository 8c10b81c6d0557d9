"""Answers that are wrong as HTTP: their status, their header fields, and bodies that are not what they say."""

from __future__ import annotations

import functools
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mock_as.faults.action import Action, Argument, Scene, Spoil
from mock_as.faults.documents import Document, changed, content_type, read_object
from mock_as.messages import BODILESS, Answer, encode_json, oauth_error

if TYPE_CHECKING:
    from zlib import _Compress as _Compressor

_BOMB_BYTES = 32 * 1024 * 1024
_GZIP = zlib.MAX_WBITS | 16
_DEPTH = 100_000
_LATER = 120
_URL = r"[\x21-\x7e]*"
_FIELD_VALUE = r"[\t\x20-\x7e]+"


def _body(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda answer, _scene: replace(answer, body=change(answer.body))


def _status(_answer: Answer, scene: Scene) -> Answer:
    status = int(scene.argument)
    if status in BODILESS:
        return Answer(status, (), b"")
    error = "server_error" if status >= 500 else "invalid_request"  # noqa: PLR2004 - whose fault a status says it is
    return oauth_error(error, "The mock was told to answer this.", status)


def _retry_after(_answer: Answer, scene: Scene) -> Answer:
    date = scene.http_date(_LATER)
    written = {"date": date, "HTTP-date": date, "garbage": "soon"}.get(scene.argument, scene.argument)
    return oauth_error("temporarily_unavailable", "The mock was told to be busy.", 503, {"retry-after": written})


def _html_error(_answer: Answer, _scene: Scene) -> Answer:
    page = b"<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"
    return Answer(502, (("content-type", "text/html; charset=utf-8"),), page)


def _redirect(_answer: Answer, scene: Scene) -> Answer:
    return Answer(302, (("location", scene.argument or f"{scene.issuer}/elsewhere"),), b"")


def _no_content_type(answer: Answer, _scene: Scene) -> Answer:
    return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0] != "content-type"))


def _array(answer: Answer, _scene: Scene) -> Answer:
    document = read_object(answer)
    return answer if document is None else answer.with_json([document])


def _nan(document: Document, _scene: Scene) -> Document:
    """Make every number NaN, which JSON does not have; where there is none, add one."""
    numbers = [name for name, value in document.items() if isinstance(value, (int, float)) and value not in (0, 1)]
    return {**document, **dict.fromkeys(numbers or ["exp"], float("nan"))}


def _utf16(body: bytes) -> bytes:
    return body.decode(errors="replace").encode("utf-16")


def _duplicate_keys(body: bytes) -> bytes:
    """Say everything twice, the second time with the opposite of every true and false."""
    document: Document = json.loads(body)
    again = {name: not value if isinstance(value, bool) else value for name, value in document.items()}
    return _joined(body, encode_json(again))


def _deep_json(body: bytes) -> bytes:
    return _joined(body, b'{"deep":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}")


def _joined(first: bytes, second: bytes) -> bytes:
    """Write the members of two JSON objects as one."""
    return b"{" + b",".join(filter(None, (first.strip()[1:-1], second[1:-1]))) + b"}"


def _in_objects(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda answer, _scene: answer if read_object(answer) is None else replace(answer, body=change(answer.body))


def _gzip(answer: Answer, _scene: Scene) -> Answer:
    return replace(answer, body=gzip.compress(answer.body, mtime=0)).with_headers({"content-encoding": "gzip"})


@functools.cache
def _padding() -> tuple[bytes, _Compressor]:
    """Compress a great many spaces once, and keep the compressor as it is after them."""
    compressor = zlib.compressobj(wbits=_GZIP)
    return compressor.compress(b" " * _BOMB_BYTES) + compressor.flush(zlib.Z_SYNC_FLUSH), compressor


def _gzip_bomb(answer: Answer, _scene: Scene) -> Answer:
    padding, compressor = _padding()
    rest = compressor.copy()
    body = padding + rest.compress(answer.body) + rest.flush()
    return replace(answer, body=body).with_headers({"content-encoding": "gzip"})


def _wrong_content_type(answer: Answer, _scene: Scene) -> Answer:
    said = "text/plain; charset=utf-8" if content_type(answer) != "text/plain" else "application/octet-stream"
    return answer.with_headers({"content-type": said})


_not_json = Action("The body is not JSON.", _body(lambda _body: b"not JSON"))

ACTIONS: dict[str, Action] = {
    "status": Action(
        "The status is another, with an error document; a number alone means the same.",
        _status,
        argument=Argument("status from 200 to 599", r"[2-5]\d\d"),
    ),
    "retry_after": Action(
        "The status is 503 with Retry-After: a number of seconds, a date, or garbage.",
        _retry_after,
        argument=Argument(
            "number of seconds, date or garbage", r"-?\d{1,9}|date|HTTP-date|[A-Z][a-z]{2}, [\w :]{1,32}|garbage", "7"
        ),
    ),
    "redirect": Action(
        "The answer is a redirect to a URL, without one to a path of the server that does not exist.",
        _redirect,
        argument=Argument("URL", _URL, ""),
    ),
    "html_error": Action("The answer is the 502 page of a gateway, in HTML.", _html_error),
    "wrong_content_type": Action("The body is right, and said to be plain text.", _wrong_content_type),
    "no_content_type": Action("The body is right, and nothing says what it is.", _no_content_type),
    "empty_body": Action("There is no body, and the status says that there is.", _body(lambda _body: b"")),
    "not_json": _not_json,
    "malformed": _not_json,
    "json_array": Action("The document is the only item of an array.", _array),
    "json_nan": Action("Numbers are NaN, which many readers take and JSON does not have.", changed(_nan)),
    "duplicate_keys": Action(
        "Each member is there twice, the second time with the opposite truth.", _in_objects(_duplicate_keys)
    ),
    "deep_json": Action(
        "The document has a member that is nested too deep for a reader that recurses.", _in_objects(_deep_json)
    ),
    "bom": Action("The body begins with a byte order mark.", _body(lambda body: b"\xef\xbb\xbf" + body)),
    "utf16": Action("The body is in UTF-16.", _body(_utf16)),
    "gzip": Action("The body is compressed, whether or not the client said that it takes that.", _gzip),
    "gzip_bomb": Action("A small compressed body becomes 32 MiB.", _gzip_bomb),
    "cache_control": Action(
        "The answer has another Cache-Control.",
        lambda answer, scene: answer.with_headers({"cache-control": scene.argument}),
        argument=Argument("header field", _FIELD_VALUE, "no-store"),
    ),
}
