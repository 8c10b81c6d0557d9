"""Servers that do everything wrong at once: each clause fails on one of them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import httpx

from resource_server.conformance.stand import SUBJECT
from tests.conformance_suite.small_server import Message, Receive, Scope, Send, SmallServer, decoded

_TRACE = 'Traceback (most recent call last): File "/'
_SOON = 0.3


class Awful(SmallServer):
    """Answers everything alike, without looking at it."""

    status = 200
    challenges: tuple[str, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and repeat its fields."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        said = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        await self.look(said)
        body = json.dumps({"trace": _TRACE, "of": SUBJECT, **said}).replace(r"\"", '"').encode("latin-1")
        fields = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"public"), (b"set-cookie", b"a=b")]
        fields += [(b"www-authenticate", text.encode()) for text in self.challenges]
        start: Message = {"type": "http.response.start", "status": self.status, "headers": fields}
        await send(start)
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def look(self, said: dict[str, str]) -> None:
        """Look at nothing."""


class LetsEverybodyIn(Awful):
    """Says yes."""


class SaysNothing(Awful):
    """Says no, and not what is asked for."""

    status = 401


class SaysTooMuch(Awful):
    """Says no in a challenge whose every part is wrong."""

    status = 401
    challenges = (
        'Bearer realm=a, realm="b", error="caf\xe9", scope="nothing", acr_values="x", resource_metadata="https://evil/"',
    )


class SpeaksUnreadably(Awful):
    """Says no in what is no challenge."""

    status = 401
    challenges = ('"Bearer',)


class Crashes(Awful):
    """Fails."""

    status = 500


class AsksForEver(Awful):
    """Asks about everything in all ways but the right one, and says yes."""

    async def look(self, said: dict[str, str]) -> None:
        """Ask for keys, wherever they are said to be, and about the token in a URL, without saying who asks."""
        token = said.get("authorization", "").partition(" ")[2]
        header: dict[str, Any] = {}
        with suppress(ValueError):
            header = json.loads(decoded(token.partition(".")[0]))
        places = [self.endpoints["jwks"], *(str(header[name]) for name in ("jku", "x5u") if name in header)]
        async with httpx.AsyncClient(timeout=_SOON, trust_env=False, follow_redirects=True) as client:
            asked = [client.get(place) for place in places]
            asked += [client.post(self.endpoints["introspection"], params={"token": token}, json={"token": token})]
            asked += [client.post(self.endpoints["introspection"], data={"token": token})]
            await asyncio.gather(*asked, return_exceptions=True)


AWFUL = (LetsEverybodyIn, SaysNothing, SaysTooMuch, SpeaksUnreadably, Crashes, AsksForEver)
