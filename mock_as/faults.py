"""How the authorization server may misbehave.

An endpoint always works out its honest answer; a fault then spoils it. Faults of the network spoil the connection.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_as.journal import ENDPOINTS
from mock_as.messages import BODILESS, Answer, encode_json, json_answer, oauth_error
from mock_as.minting import OTHER_AUDIENCE, OTHER_ISSUER

if TYPE_CHECKING:
    from zlib import _Compress as _Compressor

NETWORK = {"timeout": "ReadTimeout", "hang": "ReadTimeout", "refused": "ConnectError", "reset": "ReadError"}
"""The faults of the network, and the exception of httpx that each of them is."""

_HOUR = 3600
_BOMB_BYTES = 32 * 1024 * 1024
_GZIP = zlib.MAX_WBITS | 16
_DEPTH = 100_000


class Scene(NamedTuple):
    """Where and when an answer is spoilt."""

    issuer: str
    now: float
    argument: str
    """What stands in parentheses after the action; empty where nothing does."""


Spoil = Callable[[Answer, Scene], Answer]


# ------------------------------------------------------------------------------------------------ ways to spoil one


def _body(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda answer, _scene: replace(answer, body=change(answer.body))


def _document(change: Callable[[Any], Any]) -> Spoil:
    return lambda answer, _scene: answer.with_json(change(answer.json()))


def _members(**changes: Callable[[Any, Scene], Any]) -> Spoil:
    """Compute members anew from what they were; one that becomes ``None`` is written as null."""

    def spoil(answer: Answer, scene: Scene) -> Answer:
        document = answer.json()
        return answer.with_json(document | {name: new(document.get(name), scene) for name, new in changes.items()})

    return spoil


def _without(name: str) -> Spoil:
    return _document(lambda document: {key: value for key, value in document.items() if key != name})


def _always(answer: Answer) -> Spoil:
    return lambda _answer, _scene: answer


def _status(_answer: Answer, scene: Scene) -> Answer:
    status = int(scene.argument)
    if status in BODILESS:
        return Answer(status, (), b"")
    error = "server_error" if status >= 500 else "invalid_request"  # noqa: PLR2004 - whose fault a status says it is
    return oauth_error(error, "The mock was told to answer this.", status)


def _html_error(_answer: Answer, _scene: Scene) -> Answer:
    page = b"<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"
    return Answer(502, (("content-type", "text/html; charset=utf-8"),), page)


def _redirect(_answer: Answer, scene: Scene) -> Answer:
    return Answer(302, (("location", scene.argument or f"{scene.issuer}/elsewhere"),), b"")


def _utf16(body: bytes) -> bytes:
    return body.decode().encode("utf-16")


def _duplicate_keys(body: bytes) -> bytes:
    """Say everything twice, the second time with the opposite of every true and false."""
    document: dict[str, Any] = json.loads(body)
    again = {name: not value if isinstance(value, bool) else value for name, value in document.items()}
    return _joined(body, encode_json(again))


def _deep_json(body: bytes) -> bytes:
    return _joined(body, b'{"deep":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}")


def _joined(first: bytes, second: bytes) -> bytes:
    """Write the members of two JSON objects as one."""
    return b"{" + b",".join(filter(None, (first[1:-1], second[1:-1]))) + b"}"


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
    return answer.with_headers({"content-type": "text/plain; charset=utf-8"})


_INVALID_CLIENT = oauth_error(
    "invalid_client", "The mock was told to refuse this client.", 401, {"www-authenticate": 'Basic realm="mock-as"'}
)


class Action(NamedTuple):
    """A way to misbehave."""

    spoil: Spoil
    endpoints: frozenset[str] = ENDPOINTS


_INTROSPECTION = frozenset({"introspect"})
_TOKENS = frozenset({"introspect", "revoke"})
_CLIENTS = frozenset({"introspect", "revoke", "token"})

ACTIONS: dict[str, Action] = {
    "status": Action(_status),
    "redirect": Action(_redirect),
    "html_error": Action(_html_error),
    # not what it says it is
    "malformed": Action(_body(lambda _body: b"not JSON")),
    "not_json": Action(_body(lambda _body: b"not JSON")),
    "json_array": Action(_document(lambda document: [document])),
    "empty_body": Action(_body(lambda _body: b"")),
    "wrong_content_type": Action(_wrong_content_type),
    "bom": Action(_body(lambda body: b"\xef\xbb\xbf" + body)),
    "utf16": Action(_body(_utf16)),
    "duplicate_keys": Action(_body(_duplicate_keys)),
    "deep_json": Action(_body(_deep_json)),
    "gzip_bomb": Action(_gzip_bomb),
    # errors of OAuth
    "invalid_client": Action(_always(_INVALID_CLIENT), _CLIENTS),
    "forbidden": Action(_always(oauth_error("access_denied", "The mock was told to forbid this.", 403))),
    "unsupported_token_type": Action(
        _always(oauth_error("unsupported_token_type", "The mock was told not to support this token.")), _TOKENS
    ),
    # what introspection says
    "inactive": Action(_always(json_answer({"active": False})), _INTROSPECTION),
    "active_string": Action(_members(active=lambda active, _scene: str(bool(active)).lower()), _INTROSPECTION),
    "active_int": Action(_members(active=lambda active, _scene: int(bool(active))), _INTROSPECTION),
    "active_null": Action(_members(active=lambda _active, _scene: None), _INTROSPECTION),
    "active_missing": Action(_without("active"), _INTROSPECTION),
    "exp_past": Action(_members(exp=lambda _exp, scene: int(scene.now) - _HOUR), _INTROSPECTION),
    "exp_string": Action(_members(exp=lambda exp, scene: str(exp or int(scene.now) + _HOUR)), _INTROSPECTION),
    "iss_other": Action(_members(iss=lambda _iss, _scene: OTHER_ISSUER), _INTROSPECTION),
    "aud_other": Action(_members(aud=lambda _aud, _scene: OTHER_AUDIENCE), _INTROSPECTION),
    "aud_missing": Action(_without("aud"), _INTROSPECTION),
}
