"""The mint of an issuer: numbers tokens, gives them their random parts, and has them remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mock_as.chance import Chance
from mock_as.clients import Client
from mock_as.clock import Clock
from mock_as.errors import UsageError
from mock_as.identity import Identity
from mock_as.keys import KeyRing
from mock_as.keys.signing import DEFAULT_ALGORITHM
from mock_as.options import Options
from mock_as.tokens import Token, TokenFormat
from mock_as.tokens.defects import DEFECTS
from mock_as.tokens.drafts import Draft, as_scope, encode_claims
from mock_as.tokens.minting import Order, Terms, as_audience, draw_up
from mock_as.tokens.proofs import Prover
from mock_as.tokens.resources import Resource
from mock_as.tokens.rules import Rule, claims_by_rule
from mock_as.tokens.store import TokenRecord, TokenStore, as_time

# More than the 128 bits that RFC 6749 section 10.10 asks for.
_TOKEN_BYTES = 32
_JTI_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a mint needs of its issuer."""

    identity: Identity
    options: Callable[[], Options]
    clients: Mapping[str, Client]
    clock: Clock
    keys: KeyRing
    store: TokenStore
    resources: Mapping[str, Resource]
    rules: Callable[[], Sequence[Rule]]


class Mint:
    """Makes tokens.

    Args:
        house: the issuer's.
        chance: what is random in them.
    """

    def __init__(self, house: House, chance: Chance) -> None:
        self._house = house
        self._chance = chance
        self._count = 0

    def reset(self) -> None:
        """Count from the beginning."""
        self._count = 0

    def dump(self) -> int:
        """Return how many tokens were made."""
        return self._count

    def load(self, dumped: int) -> None:
        """Go on counting from where it once was."""
        self._count = dumped

    def make(self, order: Order) -> Token:
        """Make a token, and have it remembered unless nobody is to know it.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """
        if order.id is not None and self._house.store.has_id(order.id):
            raise UsageError("id", f"{order.id!r} is the id of another token")
        client = self._house.clients.get(order.client_id)
        terms, token_format = self._terms(order, client)
        draft = draw_up(order, terms)
        token = self._finish(order, draft, terms, token_format)
        if _is_known(order, token):
            self._house.store.add(_record(order, terms, token))
        return token

    def _terms(self, order: Order, client: Client | None) -> tuple[Terms, TokenFormat]:
        house, options = self._house, self._house.options()
        audience = options.audience if order.aud is None else as_audience(order.aud)
        resource = _resource(audience, house.resources) if house.resources else None
        lifetime = _lifetime(resource, client, options) if order.expires_in is None else order.expires_in
        scope = as_scope(order.scope)
        if resource is not None and resource.scopes and order.grant_type is not None:
            scope = " ".join(part for part in scope.split() if part in resource.scopes)
        terms = Terms(
            issuer=house.identity.issuer,
            audience=audience,
            scope=scope,
            lifetime=lifetime,
            now=house.clock.now(),
            jti=order.jti or self._chance.text(_JTI_BYTES),
            alg=order.alg or (resource and resource.alg) or DEFAULT_ALGORITHM,
            keys=house.keys,
            claims=self._standing_claims(order, client, audience, scope),
        )
        usual = _format(resource, client, options) if order.suits_opaque else "jwt"
        return terms, order.format or usual

    def _standing_claims(
        self, order: Order, client: Client | None, audience: str | list[str], scope: str
    ) -> Mapping[str, Any]:
        rules, own = self._house.rules(), {} if client is None or not client.claims else client.own_claims()
        if not rules:
            return own
        facts = {
            "client_id": (order.client_id,),
            "sub": (order.client_id if order.sub is None else order.sub,),
            "scope": scope.split(),
            "aud": (audience,) if isinstance(audience, str) else audience,
            "grant_type": (order.grant_type,) if order.grant_type else (),
        }
        return {**own, **claims_by_rule(rules, facts)}

    def _finish(self, order: Order, draft: Draft, terms: Terms, token_format: TokenFormat) -> Token:
        if token_format == "jwt":  # noqa: S105 - no secret
            value = draft.serialize()
        else:
            if order.claims or order.cnf or terms.claims:
                # What JSON cannot say, introspection cannot either: an opaque token is refused for it just as well.
                encode_claims(draft.claims)
            value = self._chance.text(_TOKEN_BYTES)
        return Token(
            value,
            order.id or self._next_id(),
            token_format,
            str(draft.claims.get("jti", terms.jti)),
            draft.claims,
            draft.header if token_format == "jwt" else {},  # noqa: S105 - no secret
            order.defect,
            None if draft.proof_key is None else Prover(draft.proof_key, self._house.clock.now),
        )

    def _next_id(self) -> str:
        while True:
            self._count += 1
            name = f"tok-{self._count}"
            # A test may have given the name away.
            if not self._house.store.has_id(name):
                return name


def _is_known(order: Order, token: Token) -> bool:
    if order.known is not None or order.active is not None:
        return order.known is not False
    return order.defect is None or token.format == "opaque" or not DEFECTS[order.defect].forged


def _resource(audience: str | list[str], resources: Mapping[str, Resource]) -> Resource | None:
    """Return the resource that a token is for; of several, the first that is registered."""
    names = [audience] if isinstance(audience, str) else audience
    return next((resources[name] for name in names if name in resources), None)


def _lifetime(resource: Resource | None, client: Client | None, options: Options) -> float:
    """Return how long a token lives: what is said in particular comes before what is said in general."""
    return (resource and resource.lifetime) or (client and client.lifetime) or options.lifetime


def _format(resource: Resource | None, client: Client | None, options: Options) -> TokenFormat:
    """Return the format of a token, decided in the same order."""
    return (resource and resource.format) or (client and client.format) or options.token_format


def _record(order: Order, terms: Terms, token: Token) -> TokenRecord:
    claims = token.claims
    return TokenRecord(
        token,
        client_id=order.client_id,
        # A claim that is no time says nothing to the server either, which knows what it meant.
        expires_at=as_time(claims["exp"], terms.now + terms.lifetime) if "exp" in claims else None,
        not_before=as_time(claims.get("nbf"), None),
        kind="refresh_token" if order.defect == "refresh_token" else "access_token",
        forced=order.active,
    )
