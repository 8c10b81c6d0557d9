"""The mint of an issuer: numbers tokens, gives them their random parts, and has them remembered."""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from mock_as.clients import Client
from mock_as.clock import Clock
from mock_as.identity import Identity
from mock_as.keys import KeyRing
from mock_as.minting import DEFECTS, Draft, Order, Terms, draw_up, encode_claims
from mock_as.store import TokenRecord, TokenStore, as_time
from mock_as.tokens import Token, TokenFormat

# More than the 128 bits that RFC 6749 section 10.10 asks for.
_TOKEN_BYTES = 32
_JTI_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a mint needs of its issuer."""

    identity: Identity
    audience: str | list[str]
    clients: Mapping[str, Client]
    usual_format: TokenFormat
    lifetime: int
    clock: Clock
    keys: KeyRing
    store: TokenStore


class Mint:
    """Makes tokens.

    Args:
        house: the issuer's.
        seed: makes everything random reproducible.
    """

    def __init__(self, house: House, seed: int | None) -> None:
        self._house = house
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Count from the beginning; a seeded mint then makes the same tokens again."""
        self._count = 0
        seed = self._seed
        self._random = secrets.token_bytes if seed is None else random.Random(seed).randbytes  # noqa: S311 - asked for

    def make(self, order: Order) -> Token:
        """Make a token, and have it remembered unless nobody is to know it.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """
        jti = self._text(_JTI_BYTES)
        terms = self._terms(order, jti)
        draft = draw_up(order, terms)
        token = self._finish(order, draft, jti)
        if self._is_known(order, token):
            self._house.store.add(_record(order, terms, token))
        return token

    def _terms(self, order: Order, jti: str) -> Terms:
        house, client = self._house, self._house.clients.get(order.client_id)
        lifetime = (client and client.lifetime) or house.lifetime
        return Terms(
            issuer=house.identity.issuer,
            audience=house.audience,
            lifetime=lifetime if order.expires_in is None else order.expires_in,
            now=house.clock.now(),
            jti=jti,
            keys=house.keys,
        )

    def _finish(self, order: Order, draft: Draft, jti: str) -> Token:
        client = self._house.clients.get(order.client_id)
        usual = (client and client.token_format) or self._house.usual_format
        chosen = order.format or (usual if order.suits_opaque else "jwt")
        # What JSON cannot say, introspection cannot either: an opaque token is refused for it just as well.
        encode_claims(draft.claims)
        value = draft.serialize() if chosen == "jwt" else self._text(_TOKEN_BYTES)
        self._count += 1
        return Token(
            value,
            id=f"tok-{self._count}",
            format=chosen,
            jti=str(draft.claims.get("jti", jti)),
            claims=draft.claims,
            header=draft.header if chosen == "jwt" else {},
            defect=order.defect,
        )

    @staticmethod
    def _is_known(order: Order, token: Token) -> bool:
        if order.known is not None:
            return order.known
        return order.defect is None or token.format == "opaque" or not DEFECTS[order.defect].forged

    def _text(self, size: int) -> str:
        return base64.urlsafe_b64encode(self._random(size)).rstrip(b"=").decode()


def _record(order: Order, terms: Terms, token: Token) -> TokenRecord:
    claims = token.claims
    return TokenRecord(
        token,
        client_id=order.client_id,
        # A claim that is no time says nothing to the server either, which knows what it meant.
        expires_at=as_time(claims["exp"], terms.now + terms.lifetime) if "exp" in claims else None,
        not_before=as_time(claims.get("nbf"), None),
        kind="refresh_token" if order.defect == "refresh_token" else "access_token",
    )
