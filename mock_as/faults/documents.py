"""Change what a document says, whether it is sent as JSON or as a signed JWT.

An answer that is no such document, as an error page is, stays as it is.

References: RFC 9701 section 5 (the signed answer of introspection)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mock_as.base64url import base64url, from_base64url
from mock_as.faults.action import Scene, Spoil
from mock_as.keys.signing import ALGORITHMS, DEFAULT_ALGORITHM
from mock_as.messages import Answer, encode_json

SIGNED = "application/token-introspection+jwt"
_PARTS = 3

Document = dict[str, Any]
Change = Callable[[Document, Scene], Document]


def read_object(answer: Answer) -> Document | None:
    """Return the object that the body is; ``None`` if it is none."""
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def content_type(answer: Answer) -> str:
    """Return the media type of an answer, without parameters."""
    values = [value for name, value in answer.headers if name == "content-type"]
    return values[0].partition(";")[0].strip().lower() if values else ""


def read_claims(answer: Answer) -> Document | None:
    """Return the claims of a signed answer; ``None`` if it is none, or one that only its reader can decrypt."""
    parts = answer.body.split(b".")
    if content_type(answer) != SIGNED or len(parts) != _PARTS:
        return None
    return _decode(parts[1])


def _decode(part: bytes) -> Document | None:
    try:
        return read_object(Answer(200, (), from_base64url(part.decode())))
    except ValueError:
        return None


def read_members(answer: Answer) -> Document | None:
    """Return what an answer of introspection says, signed or not."""
    claims = read_claims(answer)
    if claims is None:
        return read_object(answer)
    members = claims.get("token_introspection")
    return members if isinstance(members, dict) else None


def sign(answer: Answer, scene: Scene, claims: Document, **header: Any) -> Answer:  # noqa: ANN401 - as a header holds
    """Send claims as a JWT, signed with a key of the server.

    Args:
        answer: the answer whose body the JWT becomes.
        scene: where and when.
        claims: what it says.
        header: further members of its header; ``kid`` decides which key signs.
    """
    key = scene.keys.find(header["kid"]) if header.get("kid") else scene.keys.signing(_algorithm(answer))
    members = {"typ": "token-introspection+jwt", "alg": key.alg, "kid": key.kid, **header}
    message = encode_part(members) + b"." + encode_part(claims)
    signature = b"" if members["alg"] == "none" else base64url(key.sign(message)).encode()
    return Answer(answer.status, answer.headers, message + b"." + signature).with_headers({"content-type": SIGNED})


def _algorithm(answer: Answer) -> str:
    """Return the algorithm of a signed answer, or the usual one."""
    claims = None if read_claims(answer) is None else _decode(answer.body.partition(b".")[0])
    alg = (claims or {}).get("alg")
    return alg if alg in ALGORITHMS else DEFAULT_ALGORITHM


def encode_part(document: Document) -> bytes:
    """Write a part of a JWT."""
    return base64url(encode_json(document)).encode()


def changed(change: Change) -> Spoil:
    """Say something else; in a signed answer the signature is right nevertheless."""

    def spoil(answer: Answer, scene: Scene) -> Answer:
        claims, members = read_claims(answer), read_members(answer)
        if members is None:
            return answer
        if claims is None:
            return answer.with_json(change(members, scene))
        return sign(answer, scene, {**claims, "token_introspection": change(members, scene)})

    return spoil


def with_member(name: str, new: Callable[[Any, Scene], Any]) -> Spoil:
    """Compute a member anew from what it was; one that becomes ``None`` is written as null."""
    return changed(lambda document, scene: {**document, name: new(document.get(name), scene)})


def with_value(name: str, value: object) -> Spoil:
    """Give a member another value."""
    return changed(lambda document, _scene: {**document, name: value})


def without(*names: str) -> Spoil:
    """Leave members out."""
    return changed(lambda document, _scene: {name: value for name, value in document.items() if name not in names})


def always(answer: Answer) -> Spoil:
    """Answer the same to everything."""
    return lambda _answer, _scene: answer
