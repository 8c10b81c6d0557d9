"""JSON as a security protocol needs it: one meaning for every text, and a bound on everything.

Refused beyond what :mod:`json` refuses: a byte order mark or another encoding than UTF-8, a member that stands twice,
``NaN`` and infinities (also by overflow), integers of absurd length, deep nesting, unpaired surrogates.

References: RFC 8259, RFC 7493 (I-JSON), RFC 8725 section 3.7, RFC 7515 section 10.12
"""

from __future__ import annotations

import json
import math
from typing import Any

_MAX_DEPTH = 32
_MAX_DIGITS = 32


class StrictJSONError(ValueError):
    """The text is not JSON in the strict sense; the message is constant and quotes none of it."""


def loads(text: bytes) -> Any:  # noqa: ANN401 - JSON is any of seven types
    """Parse UTF-8 JSON strictly.

    Args:
        text: the whole text; the caller bounds its length.

    Raises:
        StrictJSONError: the text has no meaning, or more than one.
    """
    try:
        value = _DECODER.decode(text.decode("utf-8"))
    except StrictJSONError:
        raise
    except RecursionError:
        raise StrictJSONError("nested too deeply") from None
    except ValueError:
        raise StrictJSONError("not JSON in UTF-8") from None
    if text.count(b"{") + text.count(b"[") > _MAX_DEPTH and _depth_exceeds(value, _MAX_DEPTH):
        raise StrictJSONError("nested too deeply")
    if b"\\u" in text:
        _refuse_surrogates(value)
    return value


def loads_object(text: bytes) -> dict[str, Any]:
    """Parse a text that must be a JSON object.

    Raises:
        StrictJSONError: it is not, see :func:`loads`.
    """
    value = loads(text)
    if not isinstance(value, dict):
        raise StrictJSONError("not an object")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StrictJSONError("a member stands twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise StrictJSONError("a number is too long")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise StrictJSONError("a number is out of range")
    return number


def _constant(_name: str) -> float:
    raise StrictJSONError("NaN and infinities are not JSON")


def _depth_exceeds(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _refuse_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise StrictJSONError("an unpaired surrogate") from None


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_int=_integer, parse_float=_real, parse_constant=_constant)
