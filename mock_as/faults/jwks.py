"""Key sets with which a client cannot, or must not, verify anything.

References: RFC 7517 section 5
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mock_as.base64url import base64url
from mock_as.errors import UsageError
from mock_as.faults.action import SECONDS, Action, Argument, Scene
from mock_as.faults.documents import Document, changed, read_object, with_value, without
from mock_as.keys.signing import DEFAULT_ALGORITHM, generate_key
from mock_as.messages import Answer, encode_json

_HERE = frozenset({"jwks"})
_MANY = 10_000
_WEAK_BYTES = 128
_ETAG = '"never-changes"'

_Key = dict[str, Any]


def _keys(
    description: str, change: Callable[[list[_Key], Scene], list[_Key]], argument: Argument | None = None
) -> Action:
    """Describe an action that publishes other keys."""

    def rewrite(document: Document, scene: Scene) -> Document:
        listed = document.get("keys")
        keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
        return {**document, "keys": change(keys, scene)}

    return Action(description, changed(rewrite), _HERE, argument)


def _each(description: str, change: Callable[[_Key], _Key]) -> Action:
    return _keys(description, lambda keys, _scene: [change(key) for key in keys])


def _also(description: str, other: Callable[[], _Key]) -> Action:
    """Describe an action that publishes a key before those that are right."""
    return _keys(description, lambda keys, _scene: [other(), *keys])


@functools.cache
def _strange() -> _Key:
    """Make a key that is the server's as little as anybody else's."""
    return generate_key(DEFAULT_ALGORITHM).public()


def _duplicate_kid(keys: list[_Key], _scene: Scene) -> list[_Key]:
    return [{**_strange(), "kid": key.get("kid")} for key in keys] + keys


def _same_kid_new_key(keys: list[_Key], _scene: Scene) -> list[_Key]:
    return [{**_strange(), "kid": key.get("kid")} for key in keys]


def _late(keys: list[_Key], scene: Scene) -> list[_Key]:
    """Leave the keys that sign out until enough time has passed."""
    if scene.now - scene.since >= scene.seconds:
        return keys
    signing = [key["kid"] for key in scene.keys.describe() if key["state"] == "signing"]
    return [key for key in keys if key.get("kid") not in signing]


def _private(keys: list[_Key], scene: Scene) -> list[_Key]:
    return [_with_private_parts(key, scene) for key in keys]


def _with_private_parts(key: _Key, scene: Scene) -> _Key:
    try:
        return dict(scene.keys.find(str(key.get("kid"))).jwk.as_dict(private=True))
    except UsageError:
        return key


@functools.cache
def _weak() -> _Key:
    digits = hashlib.shake_256(b"weak").digest(_WEAK_BYTES)
    modulus = bytes([digits[0] | 0x80, *digits[1:-1], digits[-1] | 1])
    return {"kty": "RSA", "n": base64url(modulus), "e": "AQAB", "use": "sig", "alg": "RS256", "kid": "weak"}


def _symmetric() -> _Key:
    return {"kty": "oct", "k": base64url(b"a secret that everybody can read"), "alg": "HS256", "kid": "shared"}


def _unknown_kty() -> _Key:
    return {"kty": "unheard-of", "kid": "unheard-of", "use": "sig", "x": base64url(b"something")}


@functools.cache
def _many() -> bytes:
    """Write the beginning of a set of a great many keys once."""
    written = encode_json({name: value for name, value in _strange().items() if name != "kid"})[1:]
    return b'{"keys":[' + b",".join(b'{"kid":"key-%d",%s' % (number, written) for number in range(_MANY))


def _ten_thousand(answer: Answer, _scene: Scene) -> Answer:
    document = read_object(answer)
    keys = None if document is None else document.get("keys")
    if not isinstance(keys, list):
        return answer
    rest = encode_json(keys)[1:]
    return replace(answer, body=b"".join((_many(), b"," if keys else b"", rest, b"}")))


def _etag_304(answer: Answer, scene: Scene) -> Answer:
    if "if-none-match" in scene.headers:
        return Answer(304, (("etag", _ETAG),), b"")
    return answer.with_headers({"etag": _ETAG})


def _other_algorithm(key: _Key) -> _Key:
    return {**key, "alg": "RS256" if key.get("alg") != "RS256" else "ES256"}


ACTIONS: dict[str, Action] = {
    "empty_set": Action("There are no keys; at `jwks`, `empty` is the same.", with_value("keys", []), _HERE),
    "no_keys_member": Action("The document has no `keys`.", without("keys"), _HERE),
    "missing_kid": _each(
        "No key has a `kid`.", lambda key: {name: value for name, value in key.items() if name != "kid"}
    ),
    "duplicate_kid": _keys("Before each key comes a wrong one with the same `kid`.", _duplicate_kid),
    "same_kid_new_key": _keys("Each `kid` names another key than before.", _same_kid_new_key),
    "rotated_away": _keys("Only a new key is published, and none that signs.", lambda _keys, _scene: [_strange()]),
    "late_publish": _keys(
        "The keys that sign are published only so many seconds after the fault was set.", _late, SECONDS
    ),
    "unknown_kty": _also("The first key is of a kind that nobody knows.", _unknown_kty),
    "use_enc": _each("Every key says that it is for encryption.", lambda key: {**key, "use": "enc"}),
    "alg_mismatch": _each("Every key says that it is for an algorithm that it is not for.", _other_algorithm),
    "oct_key": _also("The first key is a symmetric one.", _symmetric),
    "weak_rsa_1024": _also("The first key is an RSA key of 1024 bits.", _weak),
    "private_parts": _keys("The private parts of the keys are published.", _private),
    "10k_keys": Action("Ten thousand keys come before the right ones.", _ten_thousand, _HERE),
    "etag_304": Action("Whoever has an old key set is told for ever that it is the current one.", _etag_304, _HERE),
}
