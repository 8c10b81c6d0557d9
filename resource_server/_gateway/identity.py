"""The header fields that tell the application behind the proxy who is calling.

Every one of them is in every answer, in both spellings in which an application might read it and empty where there is
nothing to say: so a proxy that copies them overwrites whatever a client has written there itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from urllib.parse import quote

from resource_server.principal import Principal

MAX_VALUE_BYTES = 1_024
MAX_CLAIMS_BYTES = 2_048
"""More does not fit into the buffer that a proxy has for the head of an answer, where each is there twice."""
NAMES = ("subject", "client", "scopes", "issuer", "assurance", "claims")
_PLAIN = "!#$&'()*+-./:<=>?@[\\]^_`{|}~"
"""What stays as it is, beside letters and digits: visible ASCII without percent sign, comma, semicolon and quote."""

Fields = tuple[tuple[bytes, bytes], ...]


def spell(values: Iterable[bytes]) -> Fields:
    """Make the fields, each in both spellings, of the values in the order of ``NAMES``."""
    pairs = list(zip(NAMES, values, strict=True))
    dashed = tuple((f"x-auth-{name}".encode(), value) for name, value in pairs)
    return dashed + tuple((f"x_auth_{name}".encode(), value) for name, value in pairs)


NOBODY = spell([b""] * len(NAMES))
"""What tells of nobody: for refusals, and for who is let in without a token."""


def describe(principal: Principal, claims: Collection[str] | None) -> list[bytes] | None:
    """Write who is calling, as values in the order of ``NAMES``; the claims are empty where they are too long.

    Args:
        principal: who was let in.
        claims: the names of the claims to tell; ``None`` for all.

    Returns:
        The values, or ``None`` where one is too long: an application must not take somebody for nobody.
    """
    scopes = " ".join(_encode(scope) for scope in sorted(principal.scopes))
    texts = [_encode(text or "") for text in (principal.subject, principal.client_id)]
    texts += [scopes, _encode(principal.issuer or ""), str(principal.assurance)]
    if max(map(len, texts)) > MAX_VALUE_BYTES:
        return None
    told = {name: value for name, value in principal.claims.items() if claims is None or name in claims}
    content = json.dumps(told, separators=(",", ":"))
    return [text.encode("ascii") for text in (*texts, content if len(content) <= MAX_CLAIMS_BYTES else "")]


def _encode(text: str) -> str:
    return quote(text, safe=_PLAIN, errors="surrogatepass")
