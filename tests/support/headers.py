"""A reader of ``WWW-Authenticate`` for tests, written from RFC 9110 alone: it shares nothing with the product's parser.

It first cuts the field into list elements, then looks at what each element is; the product walks the text once with
regular expressions. A bug that both have would have to be invented twice.

References: RFC 9110 sections 5.6 and 11.3, RFC 6750 section 3
"""

from __future__ import annotations

import string
from typing import NamedTuple

_TCHAR = frozenset("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters)
_TOKEN68 = frozenset("-._~+/" + string.digits + string.ascii_letters)
_OWS = " \t"
_SCOPE = frozenset(map(chr, [0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)]))
_ERROR_TEXT = _SCOPE | {" "}
_BEARER_CHARACTERS = {
    "error": _ERROR_TEXT,
    "error_description": _ERROR_TEXT,
    "error_uri": _SCOPE,
    "scope": _ERROR_TEXT,
}


class HeaderSyntaxError(ValueError):
    """The field value is not what the RFC allows."""


class ParsedChallenge(NamedTuple):
    """One challenge: its scheme and parameter names in lower case, the values unquoted."""

    scheme: str
    params: dict[str, str]
    token68: str | None


class _Param(NamedTuple):
    name: str
    value: str
    quoted: bool


class _Element(NamedTuple):
    """One list element: it starts a challenge (scheme), continues one (no scheme), or both."""

    scheme: str | None
    spaced: bool
    param: _Param | None
    token68: str | None


class _Raw(NamedTuple):
    scheme: str
    params: list[_Param]
    token68: str | None
    spaced: bool


def parse_challenges(value: str) -> list[ParsedChallenge]:
    """Read a field value strictly.

    Args:
        value: the field value; several fields are joined by ``", "`` first.

    Returns:
        The challenges in order.

    Raises:
        HeaderSyntaxError: a control or non-ASCII character, a parameter that stands twice in one challenge, a quote
            that does not end, or anything else the grammar has no place for.
    """
    return [
        ParsedChallenge(raw.scheme.lower(), {param.name.lower(): param.value for param in raw.params}, raw.token68)
        for raw in _challenges(value)
    ]


def bearer_params(value: str) -> dict[str, str]:
    """Read a field value that must hold exactly one Bearer challenge, and hold it to RFC 6750 section 3.

    Args:
        value: the field value.

    Returns:
        Its parameters.

    Raises:
        HeaderSyntaxError: there is not exactly one Bearer challenge, it has no parameter, or a parameter has a
            character or a form that RFC 6750 or RFC 9110 section 11.5 does not allow.
    """
    found = [raw for raw in _challenges(value) if raw.scheme.lower() == "bearer"]
    if len(found) != 1 or not found[0].params:
        raise HeaderSyntaxError(f"not one Bearer challenge with a parameter: {value!r}")
    for param in found[0].params:
        name = param.name.lower()
        if not set(param.value) <= _BEARER_CHARACTERS.get(name, set(param.value)):
            raise HeaderSyntaxError(f"{name} has a character it must not have: {param.value!r}")
        if name in {"realm", "scope"} and not param.quoted:
            raise HeaderSyntaxError(f"{name} is not a quoted-string")
        if name == "scope" and (not param.value or "" in param.value.split(" ")):
            raise HeaderSyntaxError(f"scope is not a list of scope tokens: {param.value!r}")
    return {param.name.lower(): param.value for param in found[0].params}


def _challenges(value: str) -> list[_Raw]:
    if not all(char == "\t" or " " <= char <= "~" for char in value):
        raise HeaderSyntaxError(f"a control or non-ASCII character: {value!r}")
    challenges: list[_Raw] = []
    for text in _split(value):
        element = _read_element(text)
        if element.scheme is not None:
            challenges.append(_Raw(element.scheme, [], element.token68, element.spaced))
        if element.param is not None:
            _add(challenges, element.param)
    return challenges


def _add(challenges: list[_Raw], param: _Param) -> None:
    if not challenges or challenges[-1].token68 is not None or not challenges[-1].spaced:
        raise HeaderSyntaxError(f"parameter {param.name} belongs to no challenge")
    current = challenges[-1].params
    if param.name.lower() in {known.name.lower() for known in current}:
        raise HeaderSyntaxError(f"parameter {param.name} stands twice in one challenge")
    current.append(param)


def _split(value: str) -> list[str]:
    """Cut at the commas that stand outside quotes; empty elements are legal and left out (RFC 9110 section 5.6.1)."""
    elements, start, quoted, escaped = [], 0, False, False
    for position, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            elements.append(value[start:position])
            start = position + 1
    if quoted:
        raise HeaderSyntaxError("a quoted-string does not end")
    return [element for element in [*elements, value[start:]] if element.strip(_OWS)]


def _read_element(text: str) -> _Element:
    text = text.lstrip(_OWS)
    head = _leading(text, _TCHAR)
    rest = text[len(head) :]
    if not head:
        raise HeaderSyntaxError(f"an element begins with neither a scheme nor a parameter name: {text!r}")
    if rest.lstrip(_OWS).startswith("="):
        return _Element(None, spaced=False, param=_read_param(text), token68=None)
    body = rest.strip(_OWS)
    if not body:
        return _Element(head, spaced=rest.startswith(" "), param=None, token68=None)
    if not rest.startswith(" ") or rest.lstrip(" ").startswith("\t"):
        raise HeaderSyntaxError(f"no space after the scheme {head}")
    try:
        return _Element(head, spaced=True, param=_read_param(body), token68=None)
    except HeaderSyntaxError:
        return _Element(head, spaced=True, param=None, token68=_read_token68(body))


def _read_param(text: str) -> _Param:
    name = _leading(text, _TCHAR)
    equals = text[len(name) :].lstrip(_OWS)
    value = equals[1:].strip(_OWS)
    if not name or not equals.startswith("="):
        raise HeaderSyntaxError(f"not a parameter: {text!r}")
    if value.startswith('"'):
        return _Param(name, _unquote(value), quoted=True)
    if not value or _leading(value, _TCHAR) != value:
        raise HeaderSyntaxError(f"the value of {name} is neither a token nor a quoted-string")
    return _Param(name, value, quoted=False)


def _read_token68(text: str) -> str:
    characters = _leading(text, _TOKEN68)
    if not characters or text[len(characters) :].strip("="):
        raise HeaderSyntaxError(f"neither a parameter nor token68: {text!r}")
    return text


def _unquote(text: str) -> str:
    content, escaped = [], False
    for position, char in enumerate(text[1:], start=1):
        if escaped:
            content.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            if position != len(text) - 1:
                raise HeaderSyntaxError(f"text after a quoted-string: {text!r}")
            return "".join(content)
        else:
            content.append(char)
    raise HeaderSyntaxError(f"a quoted-string does not end: {text!r}")


def _leading(text: str, characters: frozenset[str]) -> str:
    end = next((position for position, char in enumerate(text) if char not in characters), len(text))
    return text[:end]
