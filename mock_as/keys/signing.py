"""A private key, and what is signed with it.

References: RFC 7515, RFC 7518 section 3.1, RFC 7638 (the ``kid``), RFC 9864 (``Ed25519``)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mock_as.base64url import base64url
from mock_as.errors import unknown
from mock_as.messages import encode_json

DEFAULT_ALGORITHM = "ES256"

PrivateKey = ECKey | RSAKey | OKPKey

_RSA_BITS = 2048
_ABOUT = frozenset({"use", "alg", "kid", "key_ops"})


def _ec(curve: str) -> Callable[[KeyParameters], PrivateKey]:
    return lambda parameters: ECKey.generate_key(curve, parameters)


def _rsa(parameters: KeyParameters) -> PrivateKey:
    return RSAKey.generate_key(_RSA_BITS, parameters)


def _ed25519(parameters: KeyParameters) -> PrivateKey:
    return OKPKey.generate_key("Ed25519", parameters)


_GENERATORS: dict[str, Callable[[KeyParameters], PrivateKey]] = {
    "ES256": _ec("P-256"),
    "ES384": _ec("P-384"),
    "ES512": _ec("P-521"),
    "RS256": _rsa,
    "PS256": _rsa,
    "Ed25519": _ed25519,
    # RFC 9864 has deprecated the name; servers go on using it.
    "EdDSA": _ed25519,
}
ALGORITHMS = tuple(_GENERATORS)


def compact(header: Mapping[str, Any], payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """Return a JWS in the compact serialization.

    Args:
        header: the JOSE header.
        payload: what is signed.
        sign: makes the signature of a message.

    References: RFC 7515 section 7.1
    """
    message = f"{base64url(encode_json(header))}.{base64url(payload)}"
    return f"{message}.{base64url(sign(message.encode()))}"


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A private key with the one algorithm it is for."""

    kid: str
    alg: str
    jwk: PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, as JWS has it."""
        return JWSRegistry.algorithms[self.alg].sign(message, self.jwk)

    def jws(self, header: Mapping[str, Any], payload: bytes) -> str:
        """Return a signed message in the compact serialization.

        Args:
            header: the members of the JOSE header beside ``alg`` and ``kid``.
            payload: what is signed.
        """
        return compact({"alg": self.alg, "kid": self.kid, **header}, payload, self.sign)

    def jwt(self, typ: str, claims: Mapping[str, Any]) -> str:
        """Return a signed JWT.

        Args:
            typ: the type of it, such as ``JWT``.
            claims: what it says.
        """
        return self.jws({"typ": typ}, encode_json(claims))

    def public(self) -> dict[str, Any]:
        """Return the public part, as the JWKS has it."""
        # The kid may be another one than the key was made with.
        return {**self.jwk.as_dict(private=False), "kid": self.kid}

    def bare(self) -> dict[str, Any]:
        """Return the members that a public key consists of, and none that say what it is for.

        References: RFC 7638 section 3.2
        """
        return {name: value for name, value in self.public().items() if name not in _ABOUT}

    def thumbprint(self) -> str:
        """Return the thumbprint, whatever the ``kid`` is.

        References: RFC 7638
        """
        return str(self.jwk.thumbprint())


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
