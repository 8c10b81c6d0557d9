"""Secrets in what somebody has pasted: found, and taken out of everything that is shown."""

from __future__ import annotations

import re
from collections.abc import Callable

HIDDEN = "[redacted]"
_SHORTEST_KNOWN = 4
"""Characters; what is shorter stands everywhere by chance."""
# From the beginning of a word on, and each word looked at once: a text of nothing but beginnings must not take hours.
_JWT = r"(?<![\w-])(?=[\w-]*eyJ)[\w-]{8,}\.[\w-]*\.[\w-]*(?:\.[\w-]*){0,2}"
_AFTER_SCHEME = (
    r"(?i:(?<=bearer )|(?<=dpop )|(?<=basic )|(?<=gnap ))"
    r'(?![A-Za-z_-]+[ ]*=[ ]*[\w"\'])(?=[^\s,"\']*[\d=])[A-Za-z0-9\-._~+/]{8,}=*'
)
_NAMES = (
    r"(?:access|refresh|id|subject|actor|device|logout)_token|client_secret|client_assertion|assertion|password|passwd"
    r"|api_?key|device_code|code_verifier|samlresponse|samlrequest"
)
_NAMED = rf'(?i:(?:(?<=^)|(?<=[?&#"\'\s,;{{]))(?:{_NAMES})["\']?[ ]*[=:][ ]*["\']?)(?P<named>[^&\s"\',;}}]{{4,}})'
_IN_QUERY = r"(?i:(?<=[?&#])(?:code|token|sig|signature|state|session|sid|key)=)(?P<query>[^&\s\"'#]+)"
_ECHO = re.compile(rf"{_NAMED}|(?i:[?&#]token=)[^&\s\"'#]|{_JWT}|{_AFTER_SCHEME}")
"""What no answer should have. A redirect to a login page may well have a state or a code in its query."""
_SECRET = re.compile(rf"{_NAMED}|{_IN_QUERY}|{_JWT}|{_AFTER_SCHEME}")
_UNSEEN = re.compile(r"[^\x20-\x7e\xa0-\uffff]")


def redactor(*known: str) -> Callable[[str], str]:
    """Return what makes a text of the paste fit to be shown: without secrets, and without control characters.

    Args:
        known: what is known to be a secret; an empty text is none.
    """
    shown = {form for secret in map(_printable, known) for form in (secret, secret.lower())}
    secrets = sorted((secret for secret in shown if len(secret) >= _SHORTEST_KNOWN), key=len, reverse=True)

    def redact(text: str) -> str:
        # What cannot be seen goes first: it may stand in the middle of a secret.
        text = _printable(text)
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return _SECRET.sub(_hide, text)

    return redact


def holds_secret(text: str, known: str = "") -> bool:
    """Tell whether a text has a secret in it: the known one, or what looks like one."""
    if len(known) >= _SHORTEST_KNOWN and known in text:
        return True
    return any(HIDDEN not in found[0] for found in _ECHO.finditer(text))


def _printable(text: str) -> str:
    return "".join(char for char in _UNSEEN.sub(" ", text) if char.isprintable())


def _hide(found: re.Match[str]) -> str:
    value = found["named"] or found["query"] or found[0]
    return found[0].removesuffix(value) + HIDDEN
