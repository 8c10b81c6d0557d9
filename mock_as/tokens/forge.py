"""Tokens that no rule of this package has a say in: exactly the header, the payload and the key that a test wants.

References: RFC 7515 section 7.1
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from joserfc.jwk import ECKey, OKPKey, RSAKey

from mock_as.base64url import base64url
from mock_as.keys.files import usual_algorithm
from mock_as.keys.signing import PrivateKey, SigningKey
from mock_as.tokens import Token
from mock_as.tokens.drafts import encode_claims

_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


ForgingKey = SigningKey | PrivateKey | bytes | None
"""What can sign a forged token: a private key of this package or of joserfc, a secret, or nothing."""


def forge(header: Mapping[str, Any], payload: bytes | Mapping[str, Any] = b"", key: ForgingKey = None) -> Token:
    """Write a JWS of which everything is as given; the server does not know it.

    Args:
        header: the JOSE header, whole; nothing is added to it.
        payload: the bytes, or claims.
        key: a private key, which signs with its own algorithm whatever the header says, or the usual one of its kind; a
            secret, which signs with the HMAC that the header names, or else with SHA-256; ``None`` for no signature.

    Returns:
        The token.

    Raises:
        UsageError: JSON has no such value.
    """
    body = payload if isinstance(payload, bytes) else encode_claims(payload, "payload")
    message = f"{base64url(encode_claims(header, 'header'))}.{base64url(body)}"
    value = f"{message}.{base64url(_signer(header, key)(message.encode()))}"
    claims = {} if isinstance(payload, bytes) else dict(payload)
    return Token(value, id="forged", format="jwt", jti=str(claims.get("jti", "")), claims=claims, header=dict(header))


def _signer(header: Mapping[str, Any], key: ForgingKey) -> Callable[[bytes], bytes]:
    if isinstance(key, SigningKey):
        return key.sign
    if isinstance(key, (ECKey, OKPKey, RSAKey)):
        return SigningKey(key.kid or "", str(key.alg or usual_algorithm(key)), key).sign
    if key is None:
        return lambda _message: b""
    digest = _HASHES.get(str(header.get("alg")), "sha256")
    return lambda message: hmac.digest(key, message, digest)


# -------------------------------------------------------------------------------------------------- beneath the mint

_P = ParamSpec("_P")
_Owner = TypeVar("_Owner")


class Minting(Generic[_P]):
    """The verb that mints, at one issuer; ``forge`` is beneath it, for what no mint would make.

    Args:
        mint: the verb.
        words: its docstring.
    """

    def __init__(self, mint: Callable[_P, Token], words: str | None) -> None:
        self.__wrapped__ = mint
        self.__doc__ = words

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Token:
        """Mint a token."""
        return self.__wrapped__(*args, **kwargs)

    forge = staticmethod(forge)


class minting(Generic[_Owner, _P]):  # noqa: N801 - a decorator, as property is
    """Let the verb that mints forge as well: ``mock.token(...)`` and ``mock.token.forge(...)``.

    Args:
        verb: the method.
    """

    def __init__(self, verb: Callable[Concatenate[_Owner, _P], Token]) -> None:
        self.__wrapped__ = verb
        self.__doc__ = verb.__doc__
        self.__qualname__ = verb.__qualname__

    def __call__(self, owner: _Owner, *args: _P.args, **kwargs: _P.kwargs) -> Token:
        """Mint a token at an issuer."""
        return self.__wrapped__(owner, *args, **kwargs)

    @overload
    def __get__(self, owner: None, kind: type[_Owner]) -> Self: ...
    @overload
    def __get__(self, owner: _Owner, kind: type[_Owner]) -> Minting[_P]: ...
    def __get__(self, owner: _Owner | None, kind: type[_Owner]) -> Self | Minting[_P]:
        """Bind the verb to an issuer, as a method is bound."""
        return self if owner is None else Minting(functools.partial(self.__wrapped__, owner), self.__doc__)
