"""The few grammars of HTTP authentication that everything else is built from.

::

    token68         = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="       RFC 9110 section 11.2
    scope-token     = 1*( %x21 / %x23-5B / %x5D-7E )                                     RFC 6749 section 3.3
    error-text      = *( %x20-21 / %x23-5B / %x5D-7E )                                   RFC 6750 section 3
    quoted-string   = DQUOTE *( qdtext / quoted-pair ) DQUOTE                            RFC 9110 section 5.6.4
"""

from __future__ import annotations

import re

TOKEN68 = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_ERROR_TEXT = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_QUOTABLE = re.compile(r"[\t\x20-\x7e]*")


def is_scope_token(value: object) -> bool:
    """Tell whether this is one scope token (RFC 6749 section 3.3)."""
    return isinstance(value, str) and _SCOPE_TOKEN.fullmatch(value) is not None


def is_error_text(value: str) -> bool:
    """Tell whether this may stand in ``error`` or ``error_description`` (RFC 6750 section 3)."""
    return _ERROR_TEXT.fullmatch(value) is not None


def is_quotable(value: str) -> bool:
    """Tell whether this can be sent as a quoted-string without a control or non-ASCII character."""
    return _QUOTABLE.fullmatch(value) is not None


def quoted_string(value: str) -> str:
    """Write a value as a quoted-string (RFC 9110 section 5.6.4).

    Raises:
        ValueError: the value has a character that must never reach a header.
    """
    if not is_quotable(value):
        message = "a control or non-ASCII character cannot stand in a quoted-string"
        raise ValueError(message)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
