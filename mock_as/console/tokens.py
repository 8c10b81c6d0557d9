"""Tokens: minted right or wrong, seen from outside and from inside, and ended.

References: RFC 7519 section 3, RFC 7662 section 2
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from starlette.responses import Response

from mock_as.base64url import from_base64url
from mock_as.clients import Client
from mock_as.console.calls import basic, pretty
from mock_as.console.visit import Act, Show, ShowAgain, Visit, duration, moment
from mock_as.errors import UsageError, unknown
from mock_as.messages import FORM_TYPE, Form, Request
from mock_as.tokens import FORMATS, TOKEN_TYPES, Token, TokenFormat, TokenType
from mock_as.tokens.defects import DEFECTS
from mock_as.tokens.minting import Order
from mock_as.tokens.store import TokenRecord

MOST = 200
"""How many tokens are shown; who has more of them looks for some."""


# -------------------------------------------------------------------------------------------------- all of them


def overview(visit: Visit) -> Response:
    """Show the form to mint a token, and the tokens that are known."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    issuer, wanted = visit.issuer, {name: visit.query[name] for name in ("sub", "client_id") if visit.query.get(name)}
    found, state = issuer.tokens.select(**wanted), visit.query.get("state")
    if state:
        now = issuer.clock.now()
        found = [record for record in found if _state(record, now) == state]
    return visit.show(
        "tokens.html",
        error=error,
        # Only those: of a million tokens, each with its command line, a page would keep everybody waiting.
        rows=[_Row.of(visit, record) for record in found[: -MOST - 1 : -1]],
        count=len(found),
        total=len(issuer.tokens),
        clients=list(issuer.clients.values()),
        subjects=list(issuer.users),
        scopes=_scopes(issuer.clients.values()),
        formats=FORMATS,
        token_types=TOKEN_TYPES,
        defects={name: defect.description for name, defect in DEFECTS.items()},
    )


def _scopes(clients: Iterable[Client]) -> list[str]:
    return list(dict.fromkeys(scope for client in clients for scope in client.scopes))


def mint(visit: Visit) -> Response:
    """Mint a token; one that the server does not know is shown at once, for it cannot be looked up."""
    token = visit.issuer.mint(_order(visit))
    if visit.issuer.tokens.find(token) is None:
        return _inside(visit, token.value, token)
    return visit.go(f"/tokens/{token.id}")


def _order(visit: Visit) -> Order:
    aud = visit.words("aud")
    return Order(
        sub=visit.text("sub"),
        client_id=visit.text("client_id") or "svc",
        scope=visit.words("scope") or None,
        format=cast("TokenFormat | None", visit.text("format")),
        aud=aud or None,
        expires_in=visit.number("expires_in"),
        claims=visit.members("claims"),
        header=visit.members("header"),
        token_type=cast("TokenType", visit.text("token_type") or "Bearer"),
        defect=visit.text("defect"),
    )


def revoke(visit: Visit) -> Response:
    """Revoke one token, or all of them."""
    visit.issuer.revoke(visit.text("token"), everything=visit.text("token") is None)
    return _back(visit, "revoked")


def expire(visit: Visit) -> Response:
    """Let one token expire, or all of them."""
    visit.issuer.expire(visit.text("token"), everything=visit.text("token") is None)
    return _back(visit, "expired")


def _back(visit: Visit, done: str) -> Response:
    return visit.go(f"/tokens/{visit.text('token')}" if visit.text("stay") else "/tokens", done)


# --------------------------------------------------------------------------------------------------- one of them


def look(visit: Visit) -> Response:
    """Show a token that is known, from outside and from inside."""
    record = visit.issuer.tokens.find(visit["name"])
    if record is None:
        raise unknown("token", visit["name"], [known.token.id for known in visit.issuer.tokens.select()[-MOST:]])
    return _inside(visit, record.token.value, record.token, record)


def inspect(visit: Visit) -> Response:
    """Show a token that was pasted, whoever it is from."""
    text = visit.text("token")
    if text is None:
        raise UsageError("token", "paste one")
    record = visit.issuer.tokens.find(text)
    if record is not None:
        return visit.go(f"/tokens/{record.token.id}")
    return _inside(visit, text.removeprefix("Bearer "))


def _inside(visit: Visit, text: str, token: Token | None = None, record: TokenRecord | None = None) -> Response:
    callers = [client.id for client in visit.issuer.clients.values() if client.introspect or client.id == "rs.denied"]
    caller = visit.query.get("as") or visit.text("as") or (callers[0] if callers else "")
    return visit.show(
        "token.html",
        text=text,
        token=token,
        row=None if record is None else _Row.of(visit, record),
        parts=decode(text),
        callers=callers,
        caller=caller,
        status_and_answer=introspection(visit, text, caller) if caller in visit.issuer.clients else None,
        curl=_curl(text) if token is None else token.curl(),
        why=DEFECTS[token.defect].description if token is not None and token.defect in DEFECTS else None,
    )


def _curl(text: str) -> str:
    return Token(text, id="", format="opaque", jti="", claims={}, header={}).curl()


def introspection(visit: Visit, token: str, caller: str) -> tuple[int, str]:
    """Ask what introspection says about a token, without a trace in the journal and without any fault.

    Args:
        visit: whose issuer is asked.
        token: the text of the token.
        caller: the id of the client that asks.

    Returns:
        The status and the document.
    """
    headers = (("authorization", basic(*visit.issuer.credentials(caller))), ("content-type", FORM_TYPE))
    answer = visit.server.introspect(Request("POST", "/introspect", headers, Form([("token", token)])))
    return answer.status, pretty(answer.body.decode(errors="replace"))


def decode(token: str) -> list[tuple[str, str]]:
    """Read the parts of a token that are JSON in base64url, whatever they are worth.

    Args:
        token: the text of the token.

    Returns:
        The name and the text of each part; nothing for an opaque token.
    """
    segments = token.split(".")
    if len(segments) == 1:
        return []
    return [(name, _read(segment)) for name, segment in zip(("Header", "Claims"), segments, strict=False)]


def _read(segment: str) -> str:
    try:
        text = from_base64url(segment).decode()
    except ValueError:
        return f"not base64url: {segment[:200]}"
    return pretty(text)


@dataclass(frozen=True, slots=True)
class _Row:
    """A token as the table shows it."""

    id: str
    text: str
    state: str
    sub: object
    client_id: str
    scope: object
    format: str
    kind: str
    end: str
    end_at: str
    defect: str | None
    curl: str

    @classmethod
    def of(cls, visit: Visit, record: TokenRecord) -> _Row:
        token, now = record.token, visit.issuer.clock.now()
        end = record.expires_at
        return cls(
            id=token.id,
            text=token.value,
            state=_state(record, now),
            sub=record.subject,
            client_id=record.client_id,
            scope=token.claims.get("scope", ""),
            format=token.format,
            kind=record.kind.replace("_", " "),
            end="never" if end is None else _distance(end - now),
            end_at="" if end is None else moment(end),
            defect=token.defect,
            curl=token.curl(),
        )


def _distance(seconds: float) -> str:
    return (
        f"in {duration(seconds, units=1)}"
        if seconds > 0
        else f"{duration(seconds, units=1)} ago".lstrip("\N{MINUS SIGN}")
    )


def _state(record: TokenRecord, now: float) -> str:
    if record.revoked:
        return "revoked"
    if record.has_expired(now):
        return "expired"
    return "active" if record.is_active(now) else "not yet valid"


SHOWN: dict[str, Show] = {"/tokens": overview, "/tokens/{name}": look}
DONE: dict[str, tuple[Act, ShowAgain]] = {
    "/tokens": (mint, _overview),
    "/tokens/revoke": (revoke, _overview),
    "/tokens/expire": (expire, _overview),
    "/tokens/inspect": (inspect, _overview),
}
