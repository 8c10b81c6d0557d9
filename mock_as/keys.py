"""The signing keys of the authorization server, and which of them it publishes.

A key is made once and kept as an object, so that no signature pays for reading it again; RSA keys, which take long to
make, only when something asks for one.

References: RFC 7517, RFC 7638 (the ``kid``), RFC 9864 (``Ed25519``)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mock_as.errors import UsageError, unknown

DEFAULT_ALGORITHM = "ES256"

_RSA_BITS = 2048
_GENERATORS: dict[str, Callable[[KeyParameters], ECKey | RSAKey | OKPKey]] = {
    "ES256": lambda parameters: ECKey.generate_key("P-256", parameters),
    "RS256": lambda parameters: RSAKey.generate_key(_RSA_BITS, parameters),
    "PS256": lambda parameters: RSAKey.generate_key(_RSA_BITS, parameters),
    "Ed25519": lambda parameters: OKPKey.generate_key("Ed25519", parameters),
}
ALGORITHMS = tuple(_GENERATORS)


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A private key with the one algorithm it is for."""

    kid: str
    alg: str
    jwk: ECKey | RSAKey | OKPKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, as JWS has it."""
        return JWSRegistry.algorithms[self.alg].sign(message, self.jwk)

    def public(self) -> dict[str, Any]:
        """Return the public part, as the JWKS has it."""
        return dict(self.jwk.as_dict(private=False))


def generate_key(alg: str) -> SigningKey:
    """Make a new key whose ``kid`` is its thumbprint.

    Args:
        alg: the algorithm it is for, as joserfc names it.

    Raises:
        UsageError: the algorithm is not one of :data:`ALGORITHMS`.
    """
    if alg not in _GENERATORS:
        raise unknown("alg", alg, ALGORITHMS)
    jwk = _GENERATORS[alg]({"use": "sig", "alg": alg})
    jwk.ensure_kid()
    return SigningKey(str(jwk.kid), alg, jwk)


class KeyRing:
    """Every key of the server: those it signs with, those it publishes, and those it no longer does either with."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # A reset goes back to these, because making them anew would be slow and would change nothing.
        self._first: dict[str, SigningKey] = {}
        self._spare: dict[str, SigningKey] = {}
        self._known: dict[str, SigningKey] = {}
        self._published: dict[str, SigningKey] = {}
        self._signing: dict[str, SigningKey] = {}
        self._previous: dict[str, SigningKey] = {}
        self.signing(DEFAULT_ALGORITHM)

    def signing(self, alg: str = DEFAULT_ALGORITHM) -> SigningKey:
        """Return the key that signs now; the first use of an algorithm makes one and publishes it.

        Args:
            alg: the algorithm.

        Raises:
            UsageError: there is no such algorithm.
        """
        with self._lock:
            if alg not in self._signing:
                if alg not in self._first:
                    self._first[alg] = generate_key(alg)
                self._start(self._first[alg])
            return self._signing[alg]

    def unpublished(self, alg: str = DEFAULT_ALGORITHM) -> SigningKey:
        """Return a key that was never published.

        Args:
            alg: the algorithm.

        Raises:
            UsageError: there is no such algorithm.
        """
        with self._lock:
            if alg not in self._spare:
                self._spare[alg] = generate_key(alg)
            key = self._spare[alg]
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
                raise unknown("key", kid, [*self._known, "unpublished", "previous"])
            return self._known[kid]

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
            return tuple(self._replace(name, overlap=overlap) for name in ([*self._signing] if alg is None else [alg]))

    def jwks(self) -> dict[str, Any]:
        """Return the published keys, public parts only, as the JWKS endpoint does."""
        with self._lock:
            return {"keys": [key.public() for key in self._published.values()]}

    def describe(self) -> list[dict[str, str]]:
        """Return ``kid``, algorithm and state of every key: ``signing``, ``published``, ``unpublished``."""
        with self._lock:
            return [{"kid": key.kid, "alg": key.alg, "state": self._state(key)} for key in self._known.values()]

    def reset(self) -> None:
        """Go back to the first keys; none is made anew."""
        with self._lock:
            for state in (self._known, self._published, self._signing, self._previous):
                state.clear()
            self._start(self._first[DEFAULT_ALGORITHM])

    def _start(self, key: SigningKey) -> None:
        self._signing[key.alg] = self._published[key.kid] = self._known[key.kid] = key

    def _replace(self, alg: str, *, overlap: bool) -> str:
        old, new = self.signing(alg), generate_key(alg)
        keep = old.kid if overlap else None
        self._published = {kid: key for kid, key in self._published.items() if key.alg != alg or kid == keep}
        self._previous[alg] = old
        self._start(new)
        return new.kid

    def _state(self, key: SigningKey) -> str:
        if self._signing.get(key.alg) is key:
            return "signing"
        return "published" if key.kid in self._published else "unpublished"
