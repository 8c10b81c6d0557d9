"""What is kept in the store that all workers share, so that the store needs no trust.

A name is a keyed digest. A value is sealed with a key that comes from the token itself and from a secret of the
resource servers: who reads the store learns nothing, who writes to it forges nothing, and even the secret opens no
value without its token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b, scrypt
from secrets import token_bytes
from typing import Any

from resource_server._protocol.sealed import open_sealed, seal
from resource_server._protocol.strict_json import StrictJSONError, loads_object

VERSION = 1
MIN_SECRET_BYTES = 32
"""Who reads the store could find out a shorter one by trying."""


def stretched(secret: str) -> bytes:
    """Make a secret to seal with out of one that may be short, so that each try to guess it takes tens of milliseconds.

    Args:
        secret: a secret that all workers have for another purpose.

    References: RFC 7914 section 2
    """
    return scrypt(secret.encode(), salt=b"resource-server", n=2**14, r=8, p=1, maxmem=2**26, dklen=MIN_SECRET_BYTES)


class Vault:
    """Names and seals what one resource server shares with its other workers.

    Args:
        secret: the secret all workers have; at least 32 bytes.
        identity: what an answer depends on besides the token: the issuer, and who we are to it.
        nonce: makes the 12 bytes that no two values sealed with one key may share. They are random: each token has a
            key of its own, and is answered for some thousand times; what all workers may read has one key for
            2^32 values.
    """

    def __init__(self, secret: bytes, identity: tuple[str, ...], nonce: Callable[[], bytes] = lambda: token_bytes(12)):
        """Derive the keys."""
        whole = blake2b(json.dumps([VERSION, *identity]).encode(), key=blake2b(secret).digest()).digest()
        self.digest_key = blake2b(whole, person=b"digest", digest_size=32).digest()
        """The key under which a token's digest is the same in all workers."""
        self._seal_key = blake2b(whole, person=b"seal", digest_size=32).digest()
        self._name_key = blake2b(whole, person=b"name", digest_size=16).hexdigest()
        self._nonce = nonce

    def name(self, kind: str, digest: str) -> bytes:
        """Name a value in the store; kinds never meet. What is in braces decides the place in a cluster."""
        return f"resource-server:{VERSION}:{kind}:{{{self._name_key}:{digest}}}".encode()

    def seal(self, members: Mapping[str, Any], *, name: bytes, token: bytes = b"") -> bytes:
        """Seal a JSON object for a place in the store.

        Args:
            members: what to keep.
            name: its place; a value that is copied to another place does not open there.
            token: whose presenter alone may open it; empty for what all workers may read.
        """
        return seal(json.dumps(members).encode(), key=self._key(token), nonce=self._nonce(), name=name)

    def open(self, sealed: bytes, *, name: bytes, token: bytes = b"") -> dict[str, Any] | None:
        """Open a sealed value, or return ``None`` for whatever was not sealed by one of us for this place."""
        opened = open_sealed(sealed, key=self._key(token), name=name)
        if opened is None:
            return None
        try:
            return loads_object(opened)
        except StrictJSONError:
            return None

    def _key(self, token: bytes) -> bytes:
        return blake2b(token, key=self._seal_key, digest_size=32).digest()
