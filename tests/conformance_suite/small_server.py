"""A small resource server written by hand, without this project's library, and right as far as the suite can see."""

# ruff: noqa: ARG002 - the parameters are there for the servers with a mistake
from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Claims = Mapping[str, Any]

TTL = 2.0
NEEDED = {"/read": "read", "/write": "write", "/both": "read write", "/things": "write"}
_B64TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=")
_UNKNOWN_KEYS, _WINDOW = 4, 10.0


@dataclass
class Refused(Exception):  # noqa: N818 - a response, which is no error
    """A response that is no 2xx."""

    status: int
    error: str = ""
    description: str = ""
    scope: str = ""


class SmallServer:
    """An ASGI application that judges tokens by introspection, and JWTs by their signature.

    Args:
        endpoints: the URLs of the authorization server.
        audience: what a token must name.
    """

    caught_by = ""
    """The clause that finds what is wrong with it."""
    follow_redirects = False
    algorithms: Sequence[str] = ("RS256",)

    def __init__(self, endpoints: Mapping[str, str], audience: str) -> None:
        self.endpoints = endpoints
        self.audience = audience
        self.known: dict[str, tuple[float, Claims | None]] = {}
        self.asking: dict[str, asyncio.Task[Claims | None]] = {}
        self.keys = KeySet([])
        self.unknown_keys: list[float] = []

    # -------------------------------------------------------------------------------------------------------- HTTP

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            return await self.live(receive, send)
        try:
            await self.judge(scope, receive)
            status = await self.serve(scope, receive)
            await self.respond(send, status, [])
        except Refused as refused:
            await self.respond(send, refused.status, self.refusal_fields(refused))

    async def live(self, receive: Receive, send: Send) -> None:
        """Say that all is ready, and at the end that all is over."""
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})

    async def judge(self, scope: Scope, receive: Receive) -> None:
        """Let a request in, or refuse it."""
        needed = NEEDED.get(scope["path"])
        if needed is not None:
            token = self.token_of(scope)
            self.check_scope(await self.claims_of(token), needed, token)

    async def serve(self, scope: Scope, receive: Receive) -> int:
        """Return the status of what was let in."""
        if scope["path"] == "/things":
            with suppress(ValueError):
                return 200 if isinstance(json.loads(await self.read(receive)), dict) else 422
            return 400
        return 200 if scope["path"] in {*NEEDED, "/healthz"} else 404

    async def read(self, receive: Receive) -> bytes:
        """Return the body."""
        parts: list[bytes] = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)

    async def respond(self, send: Send, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """Send a response."""
        head = [(b"content-type", b"application/json"), (b"content-length", b"2"), *fields]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": b"{}"})

    def refusal_fields(self, refused: Refused) -> list[tuple[bytes, bytes]]:
        """Return the header fields of a refusal."""
        fields = [(b"cache-control", b"no-store")]
        if refused.status == 503:
            return [*fields, (b"retry-after", b"1")]
        return [*fields, (b"www-authenticate", self.challenge(refused).encode("latin-1"))]

    def challenge(self, refused: Refused) -> str:
        """Write a challenge."""
        params = {"error": refused.error, "error_description": refused.description, "scope": refused.scope}
        said = [f'{name}="{value}"' for name, value in params.items() if value]
        return ", ".join(['Bearer realm="small"', *said])

    # ------------------------------------------------------------------------------------------------------- token

    def token_of(self, scope: Scope) -> str:
        """Return the token of a request."""
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(values) > 1:
            raise Refused(400, "invalid_request")
        scheme, _, token = (values[0] if values else b"").decode("latin-1").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise self.without_token()
        token = token.strip()
        if not token or not set(token) <= _B64TOKEN or "=" in token.rstrip("="):
            raise Refused(400, "invalid_request")
        return token

    def without_token(self) -> Refused:
        """Return the refusal of a request without a token."""
        return Refused(401)

    def bad(self, token: str) -> Refused:
        """Return the refusal of a bad token."""
        return Refused(401, "invalid_token", "The access token is invalid")

    def expired(self, token: str) -> Refused:
        """Return the refusal of a token that is known to have expired."""
        return self.bad(token)

    def unavailable(self, token: str) -> Refused:
        """Return the refusal of a token that cannot be judged."""
        return Refused(503)

    def check_scope(self, claims: Claims, needed: str, token: str) -> None:
        """Refuse a token that grants too little."""
        granted = claims.get("scope")
        if not isinstance(granted, str) or not set(needed.split()) <= set(granted.split()):
            raise Refused(403, "insufficient_scope", scope=needed)

    async def claims_of(self, token: str) -> Claims:
        """Return the claims of a good token."""
        if token.count(".") == 2:
            return await self.verify(token)
        claims = await self.remembered(token)
        if claims is None:
            raise self.bad(token)
        return claims

    # ----------------------------------------------------------------------------------------------- introspection

    async def remembered(self, token: str) -> Claims | None:
        """Return what is known of a token; nobody asks twice at once."""
        until, claims = self.known.get(token, (0.0, None))
        if time.time() < until:
            return claims
        task = self.asking.get(token) or asyncio.create_task(self.look_up(token))
        self.asking[token] = task
        try:
            return await task
        finally:
            self.asking.pop(token, None)

    async def look_up(self, token: str) -> Claims | None:
        """Ask about a token, and remember the answer."""
        try:
            answer = await self.introspect(token)
        except (httpx.HTTPError, ValueError) as error:
            raise self.unavailable(token) from error
        claims = answer if self.active(answer, token) else None
        self.known[token] = (self.until(claims), claims)
        return claims

    def until(self, claims: Claims | None) -> float:
        """Return when an answer has to be forgotten."""
        return min(time.time() + TTL, float((claims or {}).get("exp", "inf")))

    async def introspect(self, token: str) -> Claims:
        """Ask the authorization server."""
        follows = self.follow_redirects
        async with httpx.AsyncClient(timeout=2.0, trust_env=False, follow_redirects=follows) as client:
            form = {"token": token}
            response = await client.post(self.endpoints["introspection"], data=form, auth=("rs", "rs-secret"))
        if response.status_code != 200:
            raise ValueError(response.status_code)
        answer = response.json()
        if not isinstance(answer, dict):
            raise TypeError(answer) if answer is None else ValueError(type(answer))
        return answer

    def active(self, answer: Claims, token: str) -> bool:
        """Tell whether an answer says that a token is good."""
        return self.says_active(answer) and self.current(answer, token) and self.meant_for_us(answer)

    def says_active(self, answer: Claims) -> bool:
        """Look at ``active``."""
        return answer.get("active") is True

    def current(self, claims: Claims, token: str) -> bool:
        """Look at the times, and refuse what has expired."""
        exp, nbf = claims.get("exp", float("inf")), claims.get("nbf", 0)
        return isinstance(exp, int | float) and isinstance(nbf, int | float) and nbf <= time.time() < exp

    def meant_for_us(self, claims: Claims) -> bool:
        """Look at the audience and the issuer."""
        said = claims.get("aud")
        audiences = said if isinstance(said, list) else [said]
        return self.audience in audiences and claims.get("iss", self.endpoints["issuer"]) == self.endpoints["issuer"]

    # --------------------------------------------------------------------------------------------------------- JWT

    async def verify(self, token: str) -> Claims:
        """Return the claims of a JWT, if it is good."""
        try:
            header = json.loads(decoded(token.partition(".")[0]))
            await self.find_key(header)
            claims = json.loads(self.payload(token))
        except (JoseError, ValueError, TypeError) as error:
            raise self.bad(token) from error
        if not (isinstance(claims, dict) and self.is_access_token(header, claims)):
            raise self.bad(token)
        if not (self.current(claims, token) and self.meant_for_us(claims)):
            raise self.expired(token)
        return claims

    def payload(self, token: str) -> bytes:
        """Return what is signed, if the signature is right."""
        registry = jws.JWSRegistry(algorithms=list(self.algorithms), strict_check_header=False)
        return jws.deserialize_compact(token, self.keys, registry=registry).payload

    def is_access_token(self, header: Mapping[str, Any], claims: Claims) -> bool:
        """Look at the type, at extensions, and at what has to be there."""
        typ = str(header.get("typ")).lower().removeprefix("application/")
        return typ == "at+jwt" and "crit" not in header and "exp" in claims and "cnf" not in claims

    async def find_key(self, header: Mapping[str, Any]) -> None:
        """Fetch the keys where the one that is named is not known."""
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise TypeError(kid)
        if any(key.kid == kid for key in self.keys.keys):
            return
        now = time.monotonic()
        self.unknown_keys = [at for at in self.unknown_keys if at > now - _WINDOW]
        if self.may_fetch():
            await self.fetch_our_keys(str(kid))
        if not any(key.kid == kid for key in self.keys.keys):
            self.unknown_keys.append(now)
            raise ValueError(kid)

    async def fetch_our_keys(self, token: str) -> None:
        """Fetch the keys of the authorization server; without an answer no token can be judged."""
        try:
            await self.fetch_keys(self.endpoints["jwks"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise self.unavailable(token) from error

    def may_fetch(self) -> bool:
        """Tell whether the keys may be fetched for one more unknown key."""
        return len(self.unknown_keys) <= _UNKNOWN_KEYS

    async def fetch_keys(self, url: str) -> None:
        """Fetch the keys."""
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            response = await client.get(url)
        self.keys = KeySet.import_key_set(response.json())


def decoded(part: str) -> bytes:
    """Return what base64url without padding stands for."""
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
