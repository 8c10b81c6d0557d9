"""Judge the looks of a token, before anybody is asked about it: a token that cannot be ours costs no question.

References: RFC 7515 section 3.1, RFC 8725 section 3.1
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from resource_server._protocol.jws import JWS, is_misspelt
from resource_server.errors import Reason

TokenFormat = Literal["any", "jwt", "opaque"]
"""``jwt`` is a compact JWS with an algorithm of the allow-list, ``opaque`` anything that is no compact JWS."""


class TokenShape(NamedTuple):
    """What every access token of an issuer looks like."""

    format: TokenFormat
    algorithms: frozenset[str]
    pattern: re.Pattern[str] | None = None
    """What all of the token must match."""


ANY_SHAPE = TokenShape("any", frozenset())


def judge_shape(token: bytes, jws: JWS | None, shape: TokenShape) -> Reason | None:
    """Judge a token by its looks.

    Args:
        token: the access token; it matches token68, and so is ASCII.
        jws: the token taken apart, where it is a JWS.
        shape: what it must look like.

    Returns:
        Why it is refused, or ``None``.
    """
    if shape.pattern is not None and shape.pattern.fullmatch(token.decode("ascii")) is None:
        return "malformed"
    if jws is None and is_misspelt(token):
        return "malformed"
    if shape.format == "any":
        return None
    if (jws is None) == (shape.format == "jwt"):
        return "malformed"
    return None if jws is None or jws.algorithm in shape.algorithms else "algorithm_not_allowed"
