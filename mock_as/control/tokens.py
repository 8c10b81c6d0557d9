"""Tokens, over HTTP: minted right or wrong, found, edited, revoked, expired, forgotten."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Annotated, Any

from fastapi import Body, Query
from pydantic import ConfigDict, Field, model_validator

from mock_as.control.context import State, new_router
from mock_as.control.models import Members, Model, Seconds, mirrors
from mock_as.control.problems import not_there
from mock_as.issuer import Issuer
from mock_as.tokens import Token
from mock_as.tokens.minting import Order
from mock_as.tokens.store import TokenRecord

router = new_router("tokens")

_MOST = 1000


@mirrors(Order)
class TokenOrder(Model):
    """What a token shall be, and how many of them."""

    n: Annotated[int, Field(ge=1, le=_MOST)] = 1

    def order(self) -> Order:
        """Return what is asked of the mint."""
        return Order(**{name: value for name, value in self.said().items() if name != "n"})


def _minted(token: Token) -> dict[str, Any]:
    facts = {"token": token.value, "id": token.id, "jti": token.jti, "format": token.format, "defect": token.defect}
    key = None if token.prover is None else token.prover.key.jwk.as_dict(private=True)
    return {**facts, "claims": dict(token.claims), "header": dict(token.header), "proof_key": key, "curl": token.curl()}


@router.post("/tokens", status_code=201)
async def mint(issuer: State, wanted: Annotated[TokenOrder | None, Body()] = None) -> dict[str, Any]:
    """Mint a token, or several; the first stands in front."""
    wanted = wanted or TokenOrder()
    order = wanted.order()
    tokens = [_minted(issuer.mint(order)) for _ in range(wanted.n)]
    return tokens[0] if wanted.n == 1 else {**tokens[0], "tokens": tokens}


# ----------------------------------------------------------------------------------------------- those that there are


class TokenFilter(Model):
    """Which tokens are shown."""

    # A URL has only texts.
    model_config = ConfigDict(strict=False)

    sub: str | None = None
    client_id: str | None = None
    active: bool | None = None


def shown(issuer: Issuer, record: TokenRecord) -> dict[str, Any]:
    """Describe a token, without its text.

    Args:
        issuer: whose it is.
        record: the token and its fate.
    """
    token = record.token
    return {
        "id": token.id,
        "jti": token.jti,
        "format": token.format,
        "kind": record.kind,
        "client_id": record.client_id,
        "sub": record.subject,
        "scope": token.claims.get("scope"),
        "active": record.is_active(issuer.clock.now()),
        "revoked": record.revoked,
        "expires_at": record.expires_at,
        "defect": token.defect,
    }


def _find(issuer: Issuer, name: str) -> TokenRecord:
    record = issuer.tokens.find(name)
    if record is None:
        raise not_there("token")
    return record


def _whole(issuer: Issuer, record: TokenRecord) -> dict[str, Any]:
    token = record.token
    return {**shown(issuer, record), "claims": dict(token.claims), "header": dict(token.header), "token": token.value}


@router.get("/tokens")
async def tokens(issuer: State, wanted: Annotated[TokenFilter, Query()]) -> dict[str, Any]:
    """Show the tokens that are known, without their texts."""
    facts = {"sub": wanted.sub, "client_id": wanted.client_id}
    records = issuer.tokens.select(**{name: fact for name, fact in facts.items() if fact is not None})
    found = [shown(issuer, record) for record in records]
    chosen = [item for item in found if wanted.active is None or item["active"] is wanted.active]
    return {"count": len(chosen), "tokens": chosen}


@router.get("/tokens/{name}")
async def token(issuer: State, name: str) -> dict[str, Any]:
    """Show a token, named by its id or its text, with everything that is in it."""
    return _whole(issuer, _find(issuer, name))


class TokenChange(Model):
    """What introspection is to say differently about a token; a JWT itself stays as it is."""

    scope: str | list[str] | None = None
    claims: Members | None = None
    exp: Seconds | None = None


@router.patch("/tokens/{name}")
async def change(issuer: State, name: str, change: TokenChange) -> dict[str, Any]:
    """Change what introspection says about a token from now on."""
    record = _find(issuer, name)
    issuer.tokens.edit(record.token.id, **change.said())
    return _whole(issuer, _find(issuer, record.token.id))


@router.delete("/tokens/{name}")
async def forget(issuer: State, name: str) -> dict[str, bool]:
    """Forget a token: introspection does not know it any more."""
    issuer.tokens.remove(_find(issuer, name).token.id)
    return {"deleted": True}


# ---------------------------------------------------------------------------------------------------------- their end


class Selection(Model):
    """Which tokens."""

    token: str | None = None
    id: str | None = None
    sub: str | None = None
    client_id: str | None = None
    sid: str | None = None
    all: bool = False

    @model_validator(mode="after")
    def _names_something(self) -> "Selection":
        if len(self.model_fields_set) != 1 or not any(self.model_dump().values()):
            raise ValueError("name exactly one of token, id, sub, client_id, sid, all")
        return self

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the verb."""
        named = {"token": self.token or self.id, "sub": self.sub, "client_id": self.client_id, "sid": self.sid}
        return {name: fact for name, fact in named.items() if fact is not None} | {"everything": self.all}


@router.post("/tokens/revoke")
async def revoke(issuer: State, selection: Selection) -> dict[str, int]:
    """Revoke tokens."""
    return {"revoked": issuer.revoke(**selection.arguments())}


@router.post("/tokens/expire")
async def expire(issuer: State, selection: Selection) -> dict[str, int]:
    """Let tokens expire now."""
    return {"expired": issuer.expire(**selection.arguments())}
