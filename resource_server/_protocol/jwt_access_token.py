"""The profile that a JWT must have to be an access token.

References: RFC 9068 sections 2 and 4, RFC 8725 sections 3.11 and 3.12
"""

from __future__ import annotations

from typing import Literal

from resource_server._protocol.jws import JWS
from resource_server.errors import Reason

JWTProfile = Literal["rfc9068", "lenient"]
"""``rfc9068`` is the standard; ``lenient`` is for authorization servers that send ``typ: JWT`` and fewer claims."""

_TYPES = {
    "rfc9068": frozenset({"at+jwt", "application/at+jwt"}),
    "lenient": frozenset({"at+jwt", "application/at+jwt", "jwt", "application/jwt", None}),
}
REQUIRED_CLAIMS: dict[JWTProfile, frozenset[str]] = {
    "rfc9068": frozenset({"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}),
    "lenient": frozenset({"iss", "exp", "aud"}),
}


_FOREIGN_TYPES = frozenset(
    {
        "client-authentication+jwt",
        "dpop+jwt",
        "jarm+jwt",
        "logout+jwt",
        "oauth-authz-req+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
    }
)


def is_foreign(jws: JWS) -> bool:
    """Tell whether a JWT says of itself that it is something else than an access token (RFC 8725 section 3.11).

    No answer about it needs to be asked for, and none is believed.
    """
    return jws.typ is not None and jws.typ.lower().removeprefix("application/") in _FOREIGN_TYPES


def judge_header(jws: JWS, profile: JWTProfile, algorithms: frozenset[str]) -> Reason | None:
    """Judge the header of a token that claims to be an access token.

    Args:
        jws: the parsed token.
        profile: which kinds of ``typ`` to accept; media types compare without case (RFC 9068 section 4).
        algorithms: the allow-list; ``alg`` compares with case (RFC 7515 section 4.1.1).

    Returns:
        Why it is refused, or ``None``.
    """
    if jws.algorithm not in algorithms:
        return "algorithm_not_allowed"
    typ = None if jws.typ is None else jws.typ.lower()
    return None if typ in _TYPES[profile] else "wrong_type"
