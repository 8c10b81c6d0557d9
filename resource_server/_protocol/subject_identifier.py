"""Read whom or what a security event is about, as far as a token can be told to be theirs.

A token names its subject, its session and itself; so of all subject identifiers those count that name one of these. An
email address, a telephone number or a device is well-formed, and says nothing to a resource server.

References: RFC 9493 sections 3 and 4, OpenID Shared Signals Framework 1.0 section 3
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from resource_server._protocol.revocation import RevocationKind

Target = tuple[RevocationKind, str]
"""A claim of the tokens that are meant, and its value."""
Targets = tuple[Target, ...]
_COMPLEX = frozenset({"user", "session", "device", "tenant", "org_unit", "group", "application"})


def judge_subject(subject: object, issuer: str, *, narrow: bool) -> Targets | None:
    """Find the tokens that a subject identifier means.

    Args:
        subject: the member as it stands.
        issuer: whose subjects ours are; another issuer's are none of our business.
        narrow: of a subject that names a user and a session, mean the session alone, and take an opaque one for either.

    Returns:
        What names the tokens, or ``None`` where the identifier is malformed.
    """
    if not isinstance(subject, dict):
        return None
    name = _format(subject)
    if name == "complex":
        return _complex(subject, issuer, narrow=narrow)
    kinds: tuple[RevocationKind, ...] = ("sub", "sid") if narrow else ("sub",)
    return _aliases(subject, issuer, kinds) if name == "aliases" else _simple(subject, issuer, kinds)


def _format(subject: Mapping[str, Any]) -> object:
    """Read the format; early drafts had another name for it, spelled it with a hyphen, or left it to be guessed."""
    name = subject.get("format", subject.get("subject_type"))
    if name is None and not _COMPLEX.isdisjoint(subject):
        return "complex"
    return name.replace("-", "_") if isinstance(name, str) else None


def _complex(subject: Mapping[str, Any], issuer: str, *, narrow: bool) -> Targets | None:
    user = _part(subject, "user", issuer, "sub")
    session = _part(subject, "session", issuer, "sid")
    if user is None or session is None:
        return None
    return (session or user) if narrow else (user or session)


def _part(subject: Mapping[str, Any], name: str, issuer: str, kind: RevocationKind) -> Targets | None:
    if name not in subject:
        return ()
    part = subject[name]
    return _simple(part, issuer, (kind,)) if isinstance(part, dict) else None


def _aliases(subject: Mapping[str, Any], issuer: str, kinds: tuple[RevocationKind, ...]) -> Targets | None:
    identifiers = subject.get("identifiers")
    if not isinstance(identifiers, list) or not identifiers or not all(isinstance(item, dict) for item in identifiers):
        return None
    found = [_simple(item, issuer, kinds) for item in identifiers]
    return None if None in found else tuple(target for targets in found for target in targets or ())


def _simple(subject: Mapping[str, Any], issuer: str, kinds: tuple[RevocationKind, ...]) -> Targets | None:
    name = _format(subject)
    if not isinstance(name, str):
        return None
    reader = _READERS.get(name)
    if reader is None:
        return ()
    members, read = reader
    values = [subject.get(member) for member in members]
    texts = [value for value in values if isinstance(value, str) and value]
    return read(texts, issuer, kinds) if len(texts) == len(members) else None


def _iss_sub(texts: list[str], issuer: str, _kinds: tuple[RevocationKind, ...]) -> Targets:
    return (("sub", texts[1]),) if texts[0] == issuer else ()


def _jwt_id(texts: list[str], issuer: str, _kinds: tuple[RevocationKind, ...]) -> Targets:
    return (("jti", texts[1]),) if texts[0] == issuer else ()


def _opaque(texts: list[str], _issuer: str, kinds: tuple[RevocationKind, ...]) -> Targets:
    return tuple((kind, texts[0]) for kind in kinds)


_READERS: dict[str, tuple[tuple[str, ...], Callable[[list[str], str, tuple[RevocationKind, ...]], Targets]]] = {
    "iss_sub": (("iss", "sub"), _iss_sub),
    "jwt_id": (("iss", "jti"), _jwt_id),
    "opaque": (("id",), _opaque),
}
