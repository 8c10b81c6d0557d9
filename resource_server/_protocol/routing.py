"""Find out whose token one is, where several authorization servers are trusted.

What is read here is vouched for by nobody yet: it decides who is to judge the token, and nothing else.

References: RFC 7519 sections 4.1.1 and 5.3, RFC 8725 section 3.8
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

from resource_server._protocol.jwe import JWE, parse_jwe
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.shape import TokenShape, judge_shape


class Mark(NamedTuple):
    """What tells the tokens of an issuer from those of the others."""

    issuer: str
    shape: TokenShape
    prefix: str | None = None
    """What those tokens begin with that do not name their issuer."""
    encrypts: bool = False
    """Whether its JWTs may be encrypted."""


def ambiguity(marks: Sequence[Mark]) -> str | None:
    """Say why it could not be told whose token one is, or return ``None``.

    Args:
        marks: those of all issuers.
    """
    issuers = [mark.issuer for mark in marks]
    for issuer in issuers:
        if issuers.count(issuer) > 1:
            return f"{issuer} is there more than once"
    for one, other in permutations(marks, 2):
        if one.prefix is not None and other.prefix is not None and one.prefix.startswith(other.prefix):
            return f"tokens with token_prefix {one.prefix!r} could be of {one.issuer} or of {other.issuer}"
    takers = [mark.issuer for mark in marks if mark.prefix is None and _takes_any_opaque(mark.shape)]
    if len(takers) > 1:
        return (
            f"an opaque token could be of {' or of '.join(takers)}: give all but one of them a token_prefix or a "
            "token_pattern, or token_format 'jwt'"
        )
    return None


def find_issuer(token: bytes, marks: Iterable[Mark]) -> str | None:
    """Return the issuer that a token names, or else the one whose tokens look like it.

    Args:
        token: the access token; it matches token68.
        marks: those of the issuers that are known.

    Returns:
        An issuer, which may be any that a sender has thought of; or ``None`` where there is none, or more than one.
    """
    jws, jwe = parse_jws(token), parse_jwe(token)
    claims = None if jws is None else jws.claims()
    said = claims if jwe is None else jwe.header  # where claims may be repeated, so that they can be read
    if said is not None and "iss" in said:
        return said["iss"] if isinstance(said["iss"], str) else None
    known = list(marks)
    prefixed = [mark for mark in known if mark.prefix is not None and token.startswith(mark.prefix.encode())]
    fitting = prefixed or [mark for mark in known if mark.prefix is None and _fits(token, jws, jwe, mark)]
    narrow = [mark for mark in fitting if mark.shape.pattern is not None] or fitting
    return narrow[0].issuer if len(narrow) == 1 else None


def _takes_any_opaque(shape: TokenShape) -> bool:
    return shape.format != "jwt" and shape.pattern is None


def _fits(token: bytes, jws: JWS | None, jwe: JWE | None, mark: Mark) -> bool:
    opens = jwe is not None and mark.encrypts
    return judge_shape(token, jws, mark.shape._replace(format="any") if opens else mark.shape) is None
