"""Write what a stranger has said, for a terminal or a log: one line of printable ASCII, of bounded length.

An authorization server, a proxy or the sender of a token may put anything into what we show: an escape sequence that
moves the cursor, a line that looks like one of ours, a megabyte.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Container, Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

LONGEST = 120
"""Characters that are shown of one value."""
_MORE = "..."
_WITHHELD = "[redacted]"
_SHORTEST = 4
"""A shorter secret is part of too many words."""
_WHOLE_PART = 20
"""The length from which a part of a token is to be kept secret by itself."""


def plain(value: object, longest: int = LONGEST) -> str:
    """Write a value so that it can do nothing but be read.

    Args:
        value: what a stranger has said; of what is no text its ``repr``.
        longest: how many characters may be shown.
    """
    text = value if isinstance(value, str) else repr(value)
    # Each character becomes ten at most: what is cut off is not worth being escaped.
    cut = text[: longest + 1]
    written = cut.encode("unicode_escape").decode("ascii").replace("\\\\", "\\")
    return written if len(written) <= longest else written[: longest - len(_MORE)] + _MORE


def plain_list(values: Iterable[object], most: int = 8) -> str:
    """Write several values, with commas between them.

    Args:
        values: what a stranger has said.
        most: how many of them may be shown.
    """
    shown = [plain(value) for value, _ in zip(values, range(most + 1), strict=False)]
    return ", ".join([*shown[:most], _MORE] if len(shown) > most else shown) or "none"


class Scrubber:
    """Takes out of a text what must not be shown, whoever has put it there: a server may say our secret back to us.

    Args:
        secrets: what is not to be seen.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the longest first, for one may be part of another."""
        self._secrets = sorted({known for known in secrets if len(known) >= _SHORTEST}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return a text without them."""
        for secret in self._secrets:
            text = _without_stumps(text.replace(secret, _WITHHELD), secret)
        return text

    def clean_json(self, value: Any, kept: Container[str] = ()) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Return a JSON value without them, wherever in it they are.

        Args:
            value: the value.
            kept: names of members that stay, whatever a secret may be: whoever reads the value looks for them.
        """
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {
                name if name in kept else self.clean(name): self.clean_json(member, kept)
                for name, member in value.items()
            }
        return [self.clean_json(member, kept) for member in value] if isinstance(value, list) else value


def _without_stumps(text: str, secret: str) -> str:
    """Take out what :func:`plain` has left of a secret where it has cut the rest off."""
    end = text.find(_MORE)
    while end >= 0:
        start = max(0, end - LONGEST)
        if secret[:_SHORTEST] in text[start:end]:
            places = range(start, end - _SHORTEST + 1)
            found = next((place for place in places if secret.startswith(text[place:end])), end)
            withheld = _WITHHELD if found < end else ""
            text, end = f"{text[:found]}{withheld}{text[end:]}", found + len(withheld)
        end = text.find(_MORE, end + 1)
    return text


def spellings(secret: str, client_id: str) -> Iterator[str]:
    """Return a secret as it is, and as it is sent.

    Args:
        secret: one of ours.
        client_id: our client identifier.

    References: RFC 6749 section 2.3.1
    """
    yield from (secret, quote(secret, safe=""), quote_plus(secret), secret.encode("unicode_escape").decode("ascii"))
    yield b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode("ascii")


def token_parts(token: bytes) -> Iterator[str]:
    """Return a token, and those parts of it that are secret by themselves: what is signed, and the signature."""
    text = token.decode("latin-1")
    yield text
    yield from (part for part in text.split(".") if len(part) >= _WHOLE_PART)
