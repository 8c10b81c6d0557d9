"""The only builder of ``WWW-Authenticate``, and a parser for what others send.

::

    challenge  = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
    auth-param = token BWS "=" BWS ( token / quoted-string )

References: RFC 9110 section 11, RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3, RFC 9728 section 5.1
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from resource_server._protocol.grammar import is_error_text, is_scope_token, quoted_string

CHALLENGE_HEADER = "www-authenticate"
EXPOSED_HEADERS = "WWW-Authenticate, DPoP-Nonce"
"""What a script of another origin must be able to read (RFC 9449 section 8)."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - the grammar of an RFC 9110 token, not a secret
_CONTROL = r"\x00-\x08\x0a-\x1f\x7f"
_QUOTED = rf'"((?:[^"\\{_CONTROL}]|\\[^{_CONTROL}])*)"'
_AUTH_PARAM = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*(?:({_TOKEN})|{_QUOTED})")
_SCHEME = re.compile(rf"({_TOKEN})(?:[ ]+|(?=[ \t]*(?:,|$)))")
_TOKEN68 = re.compile(r"([A-Za-z0-9\-._~+/]+=*)(?=[ \t]*(?:,|$))")
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t]*)+")
_OWS = re.compile(r"[ \t]*")
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One parsed challenge."""

    scheme: str
    """In lower case."""
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameter names in lower case."""
    token68: str | None = None


def build_challenge(  # noqa: PLR0913 - each by name
    *,
    realm: str,
    scheme: str = "Bearer",
    error: str | None = None,
    error_description: str | None = None,
    scope: tuple[str, ...] = (),
    acr_values: tuple[str, ...] = (),
    max_age: int | None = None,
    algs: tuple[str, ...] = (),
    resource_metadata: str | None = None,
) -> str:
    """Write one challenge; ``realm`` is always there, so it is never bare (RFC 6750 section 3).

    Args:
        realm: any printable ASCII text; sent as a quoted-string.
        scheme: the authentication scheme.
        error: an error code, or ``None`` where no token was sent.
        error_description: constant text for developers.
        scope: the scope tokens needed.
        acr_values: the authentication context classes of which one is needed (RFC 9470 section 3).
        max_age: seconds since the user's authentication, at most (RFC 9470 section 3).
        algs: the signature algorithms a DPoP proof may have (RFC 9449 section 7.1).
        resource_metadata: the URL of this resource server's metadata (RFC 9728 section 5.1).

    Raises:
        ValueError: a value has a character that its parameter cannot carry.
    """
    if not all(is_error_text(text) for text in (error, error_description, resource_metadata) if text is not None):
        message = "error, error_description and resource_metadata take printable ASCII without quote and backslash"
        raise ValueError(message)
    if not all(is_scope_token(token) for token in (*scope, *acr_values, *algs)):
        message = "scope, acr_values and algs take scope tokens only"
        raise ValueError(message)
    params = {
        "realm": realm,
        "error": error,
        "error_description": error_description,
        "scope": " ".join(scope) or None,
        "acr_values": " ".join(acr_values) or None,
        "max_age": None if max_age is None else str(max_age),
        "algs": " ".join(algs) or None,
        "resource_metadata": resource_metadata,
    }
    written = (f"{name}={quoted_string(value)}" for name, value in params.items() if value is not None)
    return f"{scheme} {', '.join(written)}"


def parse_challenges(value: str) -> list[Challenge]:
    """Read a ``WWW-Authenticate`` field value, which may hold several challenges.

    Args:
        value: the field value; several fields joined by commas are one list.

    Raises:
        ValueError: the text is not a list of challenges, or a parameter stands twice in one.
    """
    challenges: list[Challenge] = []
    position = _skip_separators(value, 0)
    while position < len(value):
        found = _SCHEME.match(value, position)
        if found is None:
            message = f"no authentication scheme at offset {position}"
            raise ValueError(message)
        challenge, position = _parse_one(value, found.group(1).lower(), found.end())
        challenges.append(challenge)
        position = _skip_separators(value, position)
    return challenges


def _parse_one(value: str, scheme: str, position: int) -> tuple[Challenge, int]:
    params: dict[str, str] = {}
    position = _skip_empty_elements(value, position)
    while found := _AUTH_PARAM.match(value, position):
        name = found.group(1).lower()
        if name in params:
            message = f"parameter {name!r} stands twice in one challenge"
            raise ValueError(message)
        bare, quoted = found.group(2), found.group(3)
        params[name] = bare if bare is not None else _QUOTED_PAIR.sub(r"\1", quoted)
        position = found.end()
        following = _SEPARATOR.match(value, position)
        if following is None or _AUTH_PARAM.match(value, following.end()) is None:
            return Challenge(scheme, params), _end_of_element(value, position)
        position = following.end()
    if found := _TOKEN68.match(value, position):
        return Challenge(scheme, token68=found.group(1)), found.end()
    return Challenge(scheme), _end_of_element(value, position)


def _skip_empty_elements(value: str, position: int) -> int:
    """Pass over commas between a scheme with its space and its first parameter: empty elements of the list."""
    following = _SEPARATOR.match(value, position)
    if following is None or value[position - 1] != " " or _AUTH_PARAM.match(value, following.end()) is None:
        return position
    return following.end()


def _end_of_element(value: str, position: int) -> int:
    """Require that a list element ends here: at a comma or at the end of the field."""
    blank = _OWS.match(value, position)
    end = position if blank is None else blank.end()
    if end < len(value) and value[end] != ",":
        message = f"unexpected text at offset {end}"
        raise ValueError(message)
    return end


def _skip_separators(value: str, position: int) -> int:
    while position < len(value) and value[position] in ", \t":
        position += 1
    return position
