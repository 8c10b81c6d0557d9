"""The signing keys of the authorization server, and which of them it publishes.

A key is made once and kept as an object, so that no signature pays for reading it again; RSA keys, which take long to
make, only when something asks for one.

References: RFC 7517, RFC 7638 (the ``kid``), RFC 9864 (``Ed25519``)
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from mock_as.base64url import base64url
from mock_as.errors import UsageError, unknown
from mock_as.keys.signing import ALGORITHMS, DEFAULT_ALGORITHM, SigningKey, generate_key
from mock_as.messages import encode_json

__all__ = ["ALGORITHMS", "DEFAULT_ALGORITHM", "KeyRing", "RingState", "SigningKey", "generate_key"]


@dataclass(frozen=True, slots=True)
class RingState:
    """Which keys there are, and what each is for; every key in it stays the object that it is."""

    known: dict[str, SigningKey]
    published: dict[str, SigningKey]
    signing: dict[str, SigningKey]
    previous: dict[str, SigningKey]


class KeyRing:
    """Every key of the server: those it signs with, those it publishes, and those it no longer does either with.

    Args:
        keys: keys to begin with; the first of an algorithm signs, and all of them are published.
    """

    def __init__(self, keys: Iterable[SigningKey] = ()) -> None:
        self._lock = threading.RLock()
        self._given = tuple(keys)
        # A reset goes back to these, because making them anew would be slow and would change nothing.
        self._first: dict[str, SigningKey] = {key.alg: key for key in reversed(self._given)}
        self._spare: dict[str, SigningKey] = {}
        self._known: dict[str, SigningKey] = {}
        self._published: dict[str, SigningKey] = {}
        self._signing: dict[str, SigningKey] = {}
        self._previous: dict[str, SigningKey] = {}
        self._deleted: set[str] = set()
        self._document: tuple[bytes, str] | None = None
        self.reset()

    # -------------------------------------------------------------------------------------------------- the keys

    def signing(self, alg: str = DEFAULT_ALGORITHM) -> SigningKey:
        """Return the key that signs now; the first use of an algorithm makes one and publishes it.

        Args:
            alg: the algorithm.

        Raises:
            UsageError: there is no such algorithm.
        """
        key = self._signing.get(alg)
        if key is not None:
            return key
        with self._lock:
            return self._signing.get(alg) or self._start(self._made_once(alg, self._first))

    def unpublished(self, alg: str = DEFAULT_ALGORITHM) -> SigningKey:
        """Return a key that was never published.

        Args:
            alg: the algorithm.

        Raises:
            UsageError: there is no such algorithm.
        """
        with self._lock:
            key = self._made_once(alg, self._spare)
            self._known[key.kid] = key
            return key

    def previous(self, alg: str = DEFAULT_ALGORITHM) -> SigningKey:
        """Return the key that signed before the last rotation, published still or not.

        Args:
            alg: the algorithm.

        Raises:
            UsageError: the keys of the algorithm have not been rotated.
        """
        with self._lock:
            if alg not in self._previous:
                raise UsageError("key", f"there is no previous key for {alg!r}: rotate the keys first")
            return self._previous[alg]

    def find(self, kid: str) -> SigningKey:
        """Return the key of a ``kid``.

        Args:
            kid: its name.

        Raises:
            UsageError: there is no such key.
        """
        with self._lock:
            if kid not in self._known:
                raise unknown("kid", kid, self._known)
            return self._known[kid]

    # ----------------------------------------------------------------------------------------------------- verbs

    def rotate(self, alg: str | None = None, *, overlap: bool = True) -> tuple[str, ...]:
        """Sign with a new key from now on.

        Args:
            alg: the algorithm whose key is replaced; by default every one in use.
            overlap: keep the key that signed until now published, until the next rotation.

        Returns:
            The new ``kid`` values.

        Raises:
            UsageError: there is no such algorithm.
        """
        with self._lock:
            return tuple(self._rotate(name, overlap=overlap) for name in ([*self._signing] if alg is None else [alg]))

    def stage(self, alg: str = DEFAULT_ALGORITHM) -> str:
        """Make a key that is not published, and does not sign, until it is told to.

        Args:
            alg: the algorithm.

        Returns:
            Its ``kid``.

        Raises:
            UsageError: there is no such algorithm.
        """
        key = generate_key(alg)
        with self._lock:
            self._known[key.kid] = key
            return key.kid

    def publish(self, kid: str) -> None:
        """Publish a key.

        Args:
            kid: which one.

        Raises:
            UsageError: there is no such key.
        """
        with self._lock:
            self._published[kid] = self.find(kid)
            self._document = None

    def unpublish(self, kid: str) -> None:
        """Take a key out of the JWKS; it goes on signing if it did.

        Args:
            kid: which one.

        Raises:
            UsageError: there is no such key.
        """
        with self._lock:
            self._published.pop(self.find(kid).kid, None)
            self._document = None

    def activate(self, kid: str) -> None:
        """Sign with a key from now on, whether it is published or not.

        Args:
            kid: which one.

        Raises:
            UsageError: there is no such key.
        """
        with self._lock:
            key = self.find(kid)
            old = self._signing.get(key.alg)
            if old is not None and old is not key:
                self._previous[key.alg] = old
            self._signing[key.alg] = key

    def delete(self, kid: str) -> None:
        """Forget a key; if it signed, a new one is made when next something is to be signed.

        Args:
            kid: which one.

        Raises:
            UsageError: there is no such key.
        """
        with self._lock:
            key = self.find(kid)
            self._deleted.add(kid)
            for keys in (self._known, self._published, self._signing, self._previous):
                for name in [name for name, held in keys.items() if held is key]:
                    del keys[name]
            self._document = None

    def replace(self, kid: str) -> None:
        """Put a new key under the name of an old one, and in its place.

        Args:
            kid: the name.

        Raises:
            UsageError: there is no such key.
        """
        with self._lock:
            old = self.find(kid)
            new = replace(generate_key(old.alg), kid=kid)
            for keys in (self._known, self._published, self._signing, self._previous):
                keys.update({name: new for name, held in keys.items() if held is old})
            self._document = None

    # ------------------------------------------------------------------------------------------------ what it shows

    def jwks(self) -> dict[str, Any]:
        """Return the published keys, public parts only, as the JWKS endpoint does."""
        with self._lock:
            return {"keys": [key.public() for key in self._published.values()]}

    def document(self) -> tuple[bytes, str]:
        """Return the same as the JWKS endpoint sends it, and its entity tag; both are made once for each change."""
        document = self._document
        if document is None:
            with self._lock:
                body = encode_json(self.jwks())
                document = self._document = body, f'"{base64url(hashlib.sha256(body).digest())}"'
        return document

    def describe(self) -> list[dict[str, str]]:
        """Return ``kid``, algorithm and state of every key.

        The states are ``signing`` (and published), ``signing, unpublished``, ``published`` and ``unpublished``.
        """
        with self._lock:
            return [{"kid": key.kid, "alg": key.alg, "state": self._state(key)} for key in self._known.values()]

    # -------------------------------------------------------------------------------------------------------- life

    def dump(self) -> RingState:
        """Return which keys there are now, and what each is for."""
        with self._lock:
            return RingState(dict(self._known), dict(self._published), dict(self._signing), dict(self._previous))

    def load(self, dumped: RingState) -> None:
        """Go back to the keys that there once were, and to what each was for."""
        with self._lock:
            self._known, self._published = dict(dumped.known), dict(dumped.published)
            self._signing, self._previous = dict(dumped.signing), dict(dumped.previous)
            self._deleted, self._document = set(), None

    def reset(self) -> None:
        """Go back to the first keys; none is made anew."""
        with self._lock:
            given = {key.kid: key for key in self._given}
            signing = {key.alg: key for key in reversed(self._given)}
            self.load(RingState(known=given, published=given, signing=signing, previous={}))
            self.signing(DEFAULT_ALGORITHM)

    def _made_once(self, alg: str, keys: dict[str, SigningKey]) -> SigningKey:
        """Return the key of an algorithm that outlives a reset, or another one for as long as that is deleted."""
        if alg not in keys:
            keys[alg] = generate_key(alg)
        return generate_key(alg) if keys[alg].kid in self._deleted else keys[alg]

    def _start(self, key: SigningKey) -> SigningKey:
        self._signing[key.alg] = self._published[key.kid] = self._known[key.kid] = key
        self._document = None
        return key

    def _rotate(self, alg: str, *, overlap: bool) -> str:
        old, new = self.signing(alg), generate_key(alg)
        keep = old if overlap else None
        self._published = {kid: key for kid, key in self._published.items() if key.alg != alg or key is keep}
        self._previous[alg] = old
        self._start(new)
        return new.kid

    def _state(self, key: SigningKey) -> str:
        published = self._published.get(key.kid) is key
        if self._signing.get(key.alg) is key:
            return "signing" if published else "signing, unpublished"
        return "published" if published else "unpublished"
