"""Find the one access token of a request, or say what is wrong with how it was sent.

References: RFC 6750 sections 2 and 3.1, RFC 9110 sections 11.4 and 11.6.2, RFC 9449 section 7.1
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from resource_server._protocol.grammar import TOKEN68
from resource_server._protocol.messages import RawHeaders, RequestParts
from resource_server.errors import BearerTokenError, InvalidRequest, InvalidToken

_NAME_LENGTH = len(b"authorization")
_SECOND_TOKEN = re.compile(rb",\s*(?:bearer|dpop)\s", re.IGNORECASE)


class Credential(NamedTuple):
    """An access token as it was presented."""

    scheme: str
    """The authentication scheme, in lower case: ``bearer`` or ``dpop``."""
    token: bytes
    """The exact bytes; they match token68 and are no longer than the limit."""

    def __repr__(self) -> str:
        """Show the scheme only."""
        return f"Credential(scheme={self.scheme!r})"


class TokenMethods(NamedTuple):
    """Where a token may stand, and how long it may be."""

    max_length: int = 16_384
    query: bool = False
    form: bool = False


def extract_credential(request: RequestParts, methods: TokenMethods) -> Credential | None:
    """Take the access token out of a request.

    The length is judged first, so that an absurd token costs a comparison and nothing else.

    Returns:
        The credential, or ``None`` where the request has none, or one of another scheme.

    Raises:
        InvalidRequest: more than one token, or an ``Authorization`` field that is not well-formed.
        InvalidToken: a token that is too long or has characters no token can have.
    """
    try:
        credential = _from_authorization(request.headers, methods.max_length)
        return _only_one(credential, request, methods) if methods.query or methods.form else credential
    except BearerTokenError as error:
        raise error.with_traceback(None) from None  # the frames below hold what was sent, for whoever shows them


def _only_one(credential: Credential | None, request: RequestParts, methods: TokenMethods) -> Credential | None:
    found = [] if credential is None else [credential.token]
    if methods.query:
        found += _from_urlencoded(request.query)
    if methods.form and request.form is not None:
        found += _from_urlencoded(request.form)
    if len(found) > 1:
        raise InvalidRequest("malformed")
    if not found:
        return None
    return credential or Credential("bearer", _judge_token(found[0], methods.max_length))


def _from_authorization(headers: RawHeaders, max_length: int) -> Credential | None:
    value: bytes | None = None
    for name, content in headers:
        if len(name) == _NAME_LENGTH and name.lower() == b"authorization":  # the length spares most names the rest
            if value is not None:
                raise InvalidRequest("malformed")
            value = content
    if value is None:
        return None
    scheme, _, rest = value.strip(b" \t").partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return Credential("bearer", _judge_token(rest.lstrip(b" "), max_length))
    if scheme == b"dpop":
        return Credential("dpop", _judge_token(rest.lstrip(b" "), max_length))
    if _SECOND_TOKEN.search(rest):
        raise InvalidRequest("malformed")
    return None


def _judge_token(token: bytes, max_length: int) -> bytes:
    if len(token) > max_length:
        raise InvalidToken("too_long")
    if TOKEN68.fullmatch(token) is None:
        if not token or b" " in token or b"," in token:
            raise InvalidRequest("malformed")
        raise InvalidToken("malformed")
    return token


def _from_urlencoded(content: bytes) -> list[bytes]:
    """Collect every non-empty ``access_token``; names and values are decoded as form data."""
    pairs = (part.partition(b"=") for part in content.split(b"&"))
    decoded = ((_decode(name), _decode(value)) for name, _, value in pairs)
    return [value for name, value in decoded if name == b"access_token" and value]


def _decode(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
