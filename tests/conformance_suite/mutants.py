"""The small server with one mistake each, and the clause that is meant to find it."""

# ruff: noqa: ARG002 - a mistake is mostly that something is not looked at
from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from tests.conformance_suite.small_server import (
    Claims,
    Message,
    Receive,
    Refused,
    Scope,
    Send,
    SmallServer,
    decoded,
)


class NoChallenge(SmallServer):
    """Answers 401 without WWW-Authenticate."""

    caught_by = "6750-3-a"

    def refusal_fields(self, refused: Refused) -> list[tuple[bytes, bytes]]:
        """Leave the challenge out."""
        return [field for field in super().refusal_fields(refused) if field[0] != b"www-authenticate"]


class ErrorWithoutToken(SmallServer):
    """Calls a missing token an invalid one."""

    caught_by = "6750-3.1-a"

    def without_token(self) -> Refused:
        """Name an error."""
        return self.bad("")


class ExpiredIsForbidden(SmallServer):
    """Answers 403 for a JWT that has expired."""

    caught_by = "9068-4-k"

    def expired(self, token: str) -> Refused:
        """Say 403."""
        return Refused(403, "insufficient_scope")


class ScopeNotNamed(SmallServer):
    """Does not say which scope is needed."""

    caught_by = "6750-3.1-g"

    def check_scope(self, claims: Claims, needed: str, token: str) -> None:
        """Leave the scope out of the challenge."""
        try:
            super().check_scope(claims, needed, token)
        except Refused:
            raise Refused(403, "insufficient_scope") from None


class OnlyMissingScope(SmallServer):
    """Names only the scope that is missing, not all that are needed."""

    caught_by = "6750-3.1-h"

    def check_scope(self, claims: Claims, needed: str, token: str) -> None:
        """Take away what is granted."""
        missing = set(needed.split()) - set(str(claims.get("scope")).split())
        if missing:
            raise Refused(403, "insufficient_scope", scope=" ".join(missing))


class TruthyActive(SmallServer):
    """Takes a text for a yes."""

    caught_by = "7662-2.2-a"

    def says_active(self, answer: Claims) -> bool:
        """Look whether there is something."""
        return bool(answer.get("active"))


class ExpNotLookedAt(SmallServer):
    """Believes that what is active has not expired."""

    caught_by = "7662-2.2-f"

    def current(self, claims: Claims, token: str) -> bool:
        """Look at nothing."""
        return True


class AudienceNotLookedAt(SmallServer):
    """Takes tokens for everybody."""

    caught_by = "7662-2.2-h"

    def meant_for_us(self, claims: Claims) -> bool:
        """Look at nothing."""
        return True


class AcceptsNone(SmallServer):
    """Lets JWTs in that nobody has signed."""

    caught_by = "9068-2.1-a"

    def payload(self, token: str) -> bytes:
        """Look at the algorithm first."""
        head, body, _ = token.split(".")
        if json.loads(decoded(head)).get("alg") == "none":
            return decoded(body)
        return super().payload(token)


class SignatureNotLookedAt(SmallServer):
    """Lets JWTs in whoever has signed them."""

    caught_by = "9068-4-d"

    def payload(self, token: str) -> bytes:
        """Read the middle."""
        return decoded(token.split(".")[1])


class FollowsJku(SmallServer):
    """Fetches keys from where the token says."""

    caught_by = "8725-3.10-b"

    async def find_key(self, header: Mapping[str, Any]) -> None:
        """Go where the token says."""
        if "jku" in header:
            await self.fetch_keys(str(header["jku"]))
        await super().find_key(header)


class TypeNotLookedAt(SmallServer):
    """Takes any JWT of the authorization server for an access token."""

    caught_by = "9068-4-a"

    def is_access_token(self, header: Mapping[str, Any], claims: Claims) -> bool:
        """Look at the rest only."""
        return super().is_access_token({**header, "typ": "at+jwt"}, claims)


class KnowsTheFirstKeysOnly(SmallServer):
    """Fetches the keys once."""

    caught_by = "7515-4.1.4-b"

    def may_fetch(self) -> bool:
        """Fetch while there are none."""
        return not self.keys.keys


class FetchesForEveryKey(SmallServer):
    """Fetches the keys for each key that it does not know."""

    caught_by = "field-unknown-keys"

    def may_fetch(self) -> bool:
        """Always."""
        return True


class RemembersBeyondTheEnd(SmallServer):
    """Remembers an answer longer than the token lives."""

    caught_by = "7662-4-a"

    def until(self, claims: Claims | None) -> float:
        """Remember for a minute."""
        return time.time() + 60


class RemembersTooLong(SmallServer):
    """Remembers an answer longer than it says."""

    caught_by = "7662-4-b"

    def until(self, claims: Claims | None) -> float:
        """Remember until the token ends."""
        return float((claims or {}).get("exp", 0))


class TakesTheQuery(SmallServer):
    """Takes a token from the query of the URL."""

    caught_by = "6750-2.3-a"

    def token_of(self, scope: Scope) -> str:
        """Look into the query first."""
        name, _, token = bytes(scope["query_string"]).decode().partition("=")
        return token if name == "access_token" else super().token_of(scope)


class ReadsTheBodyFirst(SmallServer):
    """Reads the body before it looks at the token."""

    caught_by = "field-large-body"

    async def judge(self, scope: Scope, receive: Receive) -> None:
        """Read at first."""
        body = await self.read(receive)

        async def again() -> Message:
            return {"type": "http.request", "body": body}

        await super().judge(scope, again)


class JudgesTheBodyFirst(SmallServer):
    """Tells what is wrong with a body before it looks at the token."""

    caught_by = "field-malformed-body"

    async def judge(self, scope: Scope, receive: Receive) -> None:
        """Judge the body of what is sent."""
        if scope["path"] == "/things" and await self.serve(scope, receive) != 200:
            raise Refused(422)
        await super().judge(scope, receive)


class NoGuard(SmallServer):
    """Asks once for each request that is under way."""

    caught_by = "field-stampede"

    async def remembered(self, token: str) -> Claims | None:
        """Ask for everybody."""
        until, claims = self.known.get(token, (0.0, None))
        return claims if time.time() < until else await self.look_up(token)


class ForgetsBadTokens(SmallServer):
    """Asks about a bad token each time it comes."""

    caught_by = "field-same-bad-token"

    def until(self, claims: Claims | None) -> float:
        """Remember good ones."""
        return 0.0 if claims is None else super().until(claims)


class FirstOfTwo(SmallServer):
    """Takes the first of two Authorization fields."""

    caught_by = "6750-2-a"

    def token_of(self, scope: Scope) -> str:
        """Leave all but the first out."""
        values = [value for name, value in scope["headers"] if name == b"authorization"][:1]
        return super().token_of({**scope, "headers": [(b"authorization", value) for value in values]})


class EchoesTheToken(SmallServer):
    """Repeats the token in the description of the error."""

    caught_by = "9700-4.9-a"

    def bad(self, token: str) -> Refused:
        """Say which token."""
        return Refused(401, "invalid_token", f"The access token {token} is invalid")


class RepeatsAParameter(SmallServer):
    """Writes a parameter twice."""

    caught_by = "9110-11.2-a"

    def challenge(self, refused: Refused) -> str:
        """Add a realm."""
        return super().challenge(refused) + ', realm="again"'


class BrokenChallenge(SmallServer):
    """Writes a challenge that nobody can read."""

    caught_by = "9110-11.6.1-b"

    def challenge(self, refused: Refused) -> str:
        """Leave the commas out."""
        return super().challenge(refused).replace(", ", " ")


class CrashesInAnOutage(SmallServer):
    """Answers 500 where the authorization server fails."""

    caught_by = "field-outage-a"

    def unavailable(self, token: str) -> Refused:
        """Crash."""
        return Refused(500)


class OutageIsABadToken(SmallServer):
    """Calls a token invalid where the authorization server fails."""

    caught_by = "field-outage-b"

    def unavailable(self, token: str) -> Refused:
        """Say that it is bad."""
        return self.bad(token)


class RemembersTheOutage(SmallServer):
    """Remembers a failure of the authorization server as a no."""

    caught_by = "7662-2.3-c"

    def unavailable(self, token: str) -> Refused:
        """Remember it for a minute."""
        self.known[token] = (time.time() + 60, None)
        return super().unavailable(token)


class ErrorIsAYes(SmallServer):
    """Takes an error of the authorization server for a yes."""

    caught_by = "7662-2.3-a"

    async def introspect(self, token: str) -> Claims:
        """Believe in the good."""
        try:
            return await super().introspect(token)
        except (httpx.HTTPError, ValueError):
            return {"active": True, "scope": "read write", "aud": self.audience, "exp": time.time() + 60}


class FollowsRedirects(SmallServer):
    """Asks wherever it is sent to."""

    caught_by = "field-redirect"
    follow_redirects = True


class HeadIsOpen(SmallServer):
    """Lets HEAD in without a token."""

    caught_by = "9110-9.3.2-a"

    async def judge(self, scope: Scope, receive: Receive) -> None:
        """Judge other methods."""
        if scope["method"] != "HEAD":
            await super().judge(scope, receive)


class Stored(SmallServer):
    """Does not say that a refusal must not be stored."""

    caught_by = "9111-5.2.2-a"

    def refusal_fields(self, refused: Refused) -> list[tuple[bytes, bytes]]:
        """Leave no-store out."""
        return [field for field in super().refusal_fields(refused) if field[0] != b"cache-control"]


class HitSkipsTheScope(SmallServer):
    """Does not look at the scope of a token that it knows."""

    caught_by = "9700-2.3-a"

    def __init__(self, endpoints: Mapping[str, str], audience: str) -> None:
        super().__init__(endpoints, audience)
        self.seen: set[str] = set()

    def check_scope(self, claims: Claims, needed: str, token: str) -> None:
        """Look once."""
        if token not in self.seen:
            super().check_scope(claims, needed, token)
        self.seen.add(token)


class CrashesOnOddBytes(SmallServer):
    """Reads the field as UTF-8."""

    caught_by = "9110-5.5-a"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 500 where that fails."""
        try:
            for _, value in scope.get("headers", ()):
                value.decode("ascii")
        except UnicodeDecodeError:
            await self.respond(send, 500, [])
        else:
            await super().__call__(scope, receive, send)


MUTANTS = tuple(SmallServer.__subclasses__())
