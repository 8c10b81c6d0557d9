"""Read what a token says of itself. Nothing of it is trusted yet, and nobody is asked.

References: RFC 7515 section 3.1, RFC 7516 section 3.1, RFC 6750 section 2.1
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from resource_server._inspect.times import spell_times
from resource_server._protocol.base64url import decode
from resource_server._protocol.grammar import TOKEN68
from resource_server._protocol.jwe import parse_jwe
from resource_server._protocol.jws import is_cut_off, is_misspelt, parse_jws
from resource_server._protocol.strict_json import StrictJSONError, loads_object

Kind = Literal["JWT", "encrypted JWT", "opaque token", "no token"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a token says of itself."""

    kind: Kind
    length: int
    """In bytes."""
    says: str
    """What kind that is, in a sentence."""
    header: dict[str, Any] | None = field(default=None, repr=False)
    claims: dict[str, Any] | None = field(default=None, repr=False)
    times: dict[str, str] = field(default_factory=dict[str, str])
    """The claims that are moments, for people."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind,
            "length": self.length,
            "says": self.says,
            "header": self.header,
            "claims": self.claims,
            "times": self.times,
        }


def read_token(token: bytes, now: float, inside: bytes | None = None) -> Reading:
    """Read a token.

    Args:
        token: its exact bytes.
        now: seconds since the epoch.
        inside: the claims of an encrypted one, where it could be opened.
    """
    if TOKEN68.fullmatch(token) is None:
        return Reading("no token", len(token), "it has characters that no token has (RFC 6750 section 2.1)")
    jws, jwe = parse_jws(token), parse_jwe(token)
    if jws is not None:
        header, claims = _header(token), jws.claims()
        says = "a JWT with a signature" if claims is not None else "signed, and its content is no JSON object"
        return Reading("JWT", len(token), says, header, claims, spell_times(claims or {}, now))
    if jwe is not None:
        claims = None if inside is None else _object(inside)
        says = "an encrypted JWT" + (", which our key opens" if claims is not None else ", which is not opened here")
        return Reading("encrypted JWT", len(token), says, dict(jwe.header), claims, spell_times(claims or {}, now))
    if is_misspelt(token):
        says = "it looks like a JWT, and is spelled as none may be (RFC 7515): look whether all of it was copied"
        return Reading("no token", len(token), says)
    if is_cut_off(token):
        says = "taken for opaque, though it begins like a JWT: its end is missing; look whether all of it was copied"
        return Reading("opaque token", len(token), says)
    return Reading("opaque token", len(token), "opaque: only the authorization server knows what it means")


def _header(token: bytes) -> dict[str, Any] | None:
    return _object(decode(token.partition(b".")[0]))


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        return loads_object(text)
    except StrictJSONError:
        return None
