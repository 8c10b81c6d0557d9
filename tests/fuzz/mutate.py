"""Change what was right a little, again and again: bytes, and JSON values before they are written.

Everything comes from a seeded generator, so that what was found once is found again.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from random import Random
from typing import Any

INTERESTING: tuple[bytes, ...] = (
    *(
        b"\x00",
        b"\r",
        b"\n",
        b"\r\n",
        b"\t",
        b" ",
        b",",
        b";",
        b"=",
        b'"',
        b"\\",
        b"'",
        b"/",
        b".",
        b"..",
        b"%",
        b"%00",
    ),
    *(b"\xff", b"\xc3\xa9", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x94\x91", b"\xc0\xaf"),
    *(b"{", b"}", b"[", b"]", b"null", b"true", b"NaN", b"1e999", b"-1", b"0", b"99999999999999999999", b"{}", b"[]"),
    *(
        b"Bearer ",
        b"DPoP ",
        b"bearer",
        b"eyJ",
        b"-----BEGIN CERTIFICATE-----",
        b"A" * 64,
        b"==",
        b"\\u0000",
        b"\\ud800",
    ),
)
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 1e308, 2**63, 10**40, "", "x", "\x00", "\u00e9", "\ud800", "A" * 300),
    *([], [[]], {}, {"x": {}}, ["x", 1], "https://as.example.com", "ES256", "none", "RSA", "true", [None] * 20),
)
_MOST_NESTED = 60


def junk(random: Random) -> Any:
    """Return a JSON value of any type; at times one that lies deep."""
    if random.random() < 0.97:
        return random.choice(JUNK)
    value: Any = random.choice(JUNK)
    for _ in range(random.randrange(_MOST_NESTED)):
        value = [value] if random.random() < 0.5 else {"x": value}
    return value


def mutate(random: Random, content: bytes) -> bytes:
    """Change bytes in one to four places."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        content = random.choice(_EDITS)(random, content)
    return content


def noise(random: Random, longest: int = 200) -> bytes:
    """Return bytes that mean nothing."""
    return random.randbytes(random.randrange(longest))


def mutate_json(random: Random, value: Any) -> Any:
    """Return a copy of a JSON value with one to three of its parts changed, taken away, renamed or put elsewhere."""
    for _ in range(random.choice((1, 1, 2, 3))):
        value = _changed(random, value)
    return value


def written(random: Random, value: Any) -> bytes:
    """Write JSON, at times with mistakes in it."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.8, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return mutate(random, text) if random.random() < 0.2 else text


def b64url(content: bytes) -> bytes:
    """Write base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=")


def mutate_jws(random: Random, token: bytes) -> bytes:
    """Change a compact JWS: one of its parts from the inside, or its text."""
    parts = token.split(b".")
    if random.random() < 0.3:
        return mutate(random, token)
    which = random.randrange(len(parts))
    content = urlsafe_b64decode(parts[which] + b"=" * (-len(parts[which]) % 4))
    if which < 2 and random.random() < 0.8:
        content = written(random, mutate_json(random, json.loads(content)))
    else:
        content = mutate(random, content)
    parts[which] = b64url(content)
    return b".".join(parts)


def _changed(random: Random, value: Any) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.95:
        return _changed_object(random, value)
    if isinstance(value, list) and value and random.random() < 0.9:
        copy, at = list(value), random.randrange(len(value))
        copy[at] = _changed(random, copy[at])
        return copy * random.choice((1, 1, 1, 2))
    if isinstance(value, str) and random.random() < 0.5:
        return mutate(random, value.encode("utf-8", "replace")).decode("utf-8", "replace")
    if isinstance(value, int | float) and random.random() < 0.5:
        return random.choice((value + 1, -value, value * 1000, str(value), value + 0.5))
    return junk(random)


def _changed_object(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    copy, name = dict(value), random.choice(list(value))
    chance = random.random()
    if chance < 0.15:
        del copy[name]
    elif chance < 0.2:
        copy[name.upper()] = copy.pop(name)
    elif chance < 0.3:
        copy[str(junk(random))] = junk(random)
    else:
        copy[name] = _changed(random, copy[name])
    return copy


def _replace(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(1) + content[at + 1 :]


def _insert(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(INTERESTING) + content[at:]


def _delete(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + content[at + random.randrange(1, 6) :]


def _cut(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _repeat(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    piece = content[at : at + random.randrange(1, 12)]
    return content[:at] + piece * random.choice((2, 2, 3, 20)) + content[at + len(piece) :]


def _swap(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[at:] + content[:at]


def _recase(_random: Random, content: bytes) -> bytes:
    return content.swapcase()


_EDITS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_replace, _replace, _insert, _insert, _insert, _delete, _delete, _cut, _repeat, _swap, _recase),
)
