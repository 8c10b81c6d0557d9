"""Find the secrets of a test in what was logged, told, sent and shown while it ran.

A test's ledger holds both: every secret that has passed through the resource server, and every text that others may
read. Nothing is known beforehand, so that a token counts from the moment it is presented, whoever has made it up.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import JWKRegistry

SHORTEST = 8
_FEWEST_CHARACTERS = 5
_NOTHING: set[str] = set()
_PLAIN_WORD = re.compile("[a-z_]+")
_WHOLE_PART = 20
"""The length from which a part of a JWT is a secret too."""
_WORD = re.compile(r"[A-Za-z0-9._~+/=-]{8,}")
_MOST = 200
"""How many texts of one kind are made where making one takes long."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
_SECRET_PARAMETERS = frozenset(
    {"access_token", "actor_token", "client_assertion", "client_secret", "subject_token", "token"}
)


class Ledger:
    """What must not be seen, and what could be seen."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.secrets: dict[str, str] = {}
        """The kind of each secret."""
        self.seen: dict[str, str] = {}
        """The place of each text."""
        self.told: set[str] = set()
        """What the authorization server says of tokens, to everybody who asks: one of them may be in it."""
        self._made: Counter[object] = Counter()

    def keep(self, kind: str, value: str | bytes) -> None:
        """Take down a secret, and the parts of it that are secret by themselves.

        Args:
            kind: what it is; named where it is found.
            value: the secret; a few characters, the same ones again and again, or a plain word could be anything.
        """
        text = value if isinstance(value, str) else value.decode("latin-1")
        if text not in self.secrets and _is_telling(text):
            self.secrets[text] = kind
            _, *parts = text.split(".")
            self.secrets |= {part: f"part of {kind}" for part in parts if len(part) >= _WHOLE_PART}

    def keep_form(self, content: str | bytes) -> None:
        """Take down the secrets of a form or a query, as they stand and as they are meant."""
        text = content if isinstance(content, str) else content.decode("latin-1")
        for part in text.split("&"):
            name, _, value = part.partition("=")
            if name in _SECRET_PARAMETERS:
                self.keep(name, value)
        for name, value in parse_qsl(text, encoding="latin-1"):
            if name in _SECRET_PARAMETERS:
                self.keep(name, value)

    def keep_credentials(self, value: str | bytes) -> None:
        """Take down what an ``Authorization`` field holds, whatever is wrong with it."""
        text = value if isinstance(value, str) else value.decode("latin-1")
        for word in re.split(r"[ ,\t]+", text):
            self.keep("credentials", word)

    def keep_key(self, kind: str, text: str) -> None:
        """Take down what is private of a key or of several, in PEM or JSON."""
        for part in private_parts(text):
            self.keep(kind, part)

    def keep_bytes(self, kind: str, value: bytes) -> None:
        """Take down what no text is made of, in the ways in which it could be written."""
        for text in (value.hex(), repr(value)[2:-1]):
            self.keep(kind, text)

    def see(self, place: str, text: str) -> None:
        """Take down what others may read."""
        self.seen.setdefault(text, place)

    def may_make(self, kind: object, most: int = _MOST) -> bool:
        """Tell whether one more text of a kind is to be made: not the same one for the thousandth time."""
        self._made[kind] += 1
        return self._made[kind] <= most

    def leaks(self) -> list[str]:
        """Say of each text with a secret in it where it was seen; none of them is in what is said."""
        words, others = _split(self.secrets)
        judged: dict[str, set[str]] = {}
        found: list[str] = []
        for text, place in self.seen.items():
            hits = {secret for secret in others if secret in text}
            for word in _WORD.findall(text):
                if word not in judged:
                    judged[word] = _secrets_in(word, words)
                if judged[word]:
                    hits |= judged[word]
            found += self._say(place, text, hits) if hits else []
        return found

    def _say(self, place: str, text: str, hits: set[str]) -> list[str]:
        for told in self.told:
            text = text.replace(told, "(told)")
        hits = {secret for secret in hits if secret in text}
        kinds = sorted({self.secrets[secret] for secret in hits})
        for secret in sorted(hits, key=len, reverse=True):
            text = text.replace(secret, f"<{self.secrets[secret]}>")
        return [f"{', '.join(kinds)} in {place}: {text[:300]}"] if kinds else []


def _is_telling(text: str) -> bool:
    return len(text) >= SHORTEST and len(set(text)) >= _FEWEST_CHARACTERS and not _PLAIN_WORD.fullmatch(text)


def _split(secrets: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Find secrets by how they end, where they are one word of a text; the others have to be searched for."""
    words: defaultdict[str, list[str]] = defaultdict(list)
    others: list[str] = []
    for secret in secrets:
        if _WORD.fullmatch(secret):
            words[secret[-SHORTEST:]].append(secret)
        else:
            others.append(secret)
    return dict(words), others


def _secrets_in(word: str, words: dict[str, list[str]]) -> set[str]:
    ends = words.keys() & {word[at : at + SHORTEST] for at in range(len(word) - SHORTEST + 1)}
    return {secret for end in ends for secret in words[end] if secret in word} if ends else _NOTHING


@lru_cache(maxsize=256)
def private_parts(text: str) -> tuple[str, ...]:
    """Return the parts of a private key that nobody may see, or of several; all of what is no key."""
    is_pem = "-----BEGIN" in text
    try:
        members = _read_pem(text) if is_pem else json.loads(text)
    except (ValueError, TypeError):
        return (text,)
    entries = members.get("keys", [members]) if isinstance(members, dict) else []
    values = [value for entry in entries if isinstance(entry, dict) for value in _private_members(entry)]
    return (*values, *text.splitlines()[1:-1]) if is_pem else tuple(values)


def _read_pem(text: str) -> dict[str, Any]:
    kind = type(load_pem_private_key(text.encode(), None)).__name__.removesuffix("PrivateKey")
    return JWKRegistry.import_key(text, kind if kind in {"RSA", "EC"} else "OKP").as_dict(private=True)


def _private_members(entry: dict[str, Any]) -> list[str]:
    return [value for name, value in entry.items() if name in _PRIVATE and isinstance(value, str)]
