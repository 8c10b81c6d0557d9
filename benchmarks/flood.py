"""Floods: invented key ids against the key set, and random opaque tokens against the cache, beside good callers."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import math
import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from secrets import token_urlsafe
from urllib.parse import parse_qs

import httpx
from joserfc import jwk, jwt

from benchmarks.footprint import HAS_RSS, rss
from benchmarks.harness import Figure
from benchmarks.support import AUDIENCE, ISSUER, InProcessServer, answer, resource_server, scope
from resource_server import Clock, InvalidToken, RequestParts, ResourceServer

KEY_IDS, SECONDS = 100_000, 60.0
ROTATION = 0.75
"""The share of the flood after which the issuer publishes a new key: when the quick looks are long used up."""
TOKENS, STRANGERS = 200_000, 400
GOOD, GOOD_PER_SECOND = 100, 500.0
TTL, LATENCY = 30.0, 0.005
_MIB = 2**20


async def measure() -> list[Figure]:
    """Measure both floods."""
    return await _measure_key_ids() + await _measure_tokens()


async def _measure_key_ids() -> list[Figure]:
    """Send JWTs of invented keys for a minute, in which the issuer changes its key, and on until that is noticed."""
    old, new = (jwk.ECKey.generate_key("P-256", {"kid": name, "use": "sig", "alg": "ES256"}) for name in ("old", "new"))
    issuer, later = KeySet(old), [0.0]
    clock = Clock(monotonic=lambda: time.monotonic() + later[0])
    server = resource_server(issuer, strategy="jwks", client_id=None, client_secret=None, clock=clock)
    await server.authenticate(_request(_mint(old)))
    later[0] = 100.0  # it has run for a while when the flood comes
    before, token, rotation = issuer.fetches, _request(_mint(new)), int(KEY_IDS * ROTATION)
    fetches, found_at, pace = 0, math.inf, Pace(KEY_IDS / SECONDS)
    for number in itertools.count():
        await pace.wait(number)
        if number == rotation:
            issuer.publish(old, new)
        if number == KEY_IDS:
            fetches = issuer.fetches - before
        if math.isinf(found_at) and number >= rotation and await _is_good(server, token):
            found_at = pace.elapsed
        if number >= KEY_IDS and (found_at < math.inf or pace.elapsed > SECONDS * 2):
            break
        assert not await _is_good(server, _request(_forge(number)))
    waited = found_at - SECONDS * ROTATION
    return [
        Figure(
            f"{KEY_IDS:,} invented key ids in a minute, fetches", fetches, "fetches", target="<= 3", met=fetches <= 3
        ),
        Figure("a new key in the middle of it is found after", waited, "s", target="<= 30", met=waited <= 30),
    ]


async def _measure_tokens() -> list[Figure]:
    """Send random opaque tokens, as fast as they are refused, beside good callers at their own pace."""
    issuer = SlowServer([f"good-{number:035d}" for number in range(GOOD)])
    server = resource_server(issuer, strategy="introspect", cache_ttl=TTL)
    for token in issuer.good:
        await server.authenticate(_request(token))
    await _flood(server, iter([token_urlsafe(24) for _ in range(500)]))
    gc.collect()
    before = peak = rss()
    callers = GoodCallers(server, issuer.good)
    calling = asyncio.create_task(callers.run())
    started, tokens = time.perf_counter(), (token_urlsafe(24) for _ in range(TOKENS))
    while chunk := list(itertools.islice(tokens, TOKENS // 20)):
        await _flood(server, iter(chunk))
        peak = max(peak, rss())
    elapsed = time.perf_counter() - started
    calling.cancel()
    await asyncio.wait([calling])
    assert calling.cancelled(), "a good caller was refused"
    share, growth = 100 * callers.hits / callers.sent, (peak - before) / _MIB
    return [
        Figure(
            f"{TOKENS:,} random tokens in {elapsed:.0f} s, hit rate of good ones", share, "%",
            target=">= 99", met=share >= 99, note=f"{callers.sent:,} requests of {GOOD} callers, none refused",
        ),
        *([Figure("resident memory at its peak", growth, "MiB growth", target="<= 30", met=growth <= 30)] * HAS_RSS),
        Figure("introspections at once, at most", issuer.most, "calls", target="<= 64", met=issuer.most <= 64),
    ]  # fmt: skip


class Pace:
    """Keeps a loop at a rate, whatever its passes take.

    Args:
        rate: passes a second.
    """

    def __init__(self, rate: float) -> None:
        """Begin now."""
        self._rate = rate
        self._started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._started

    async def wait(self, number: int) -> None:
        """Wait until this pass is due; where it is late, let others have a turn now and then."""
        ahead = number / self._rate - self.elapsed
        if ahead > 0.001 or number % 10 == 0:
            await asyncio.sleep(max(0.0, ahead))


class KeySet(InProcessServer):
    """Publishes keys, takes its time, and counts how often somebody wants them."""

    def __init__(self, *keys: jwk.ECKey) -> None:
        """Publish keys."""
        super().__init__()
        self.fetches = 0
        self.publish(*keys)

    def publish(self, *keys: jwk.ECKey) -> None:
        """Publish other keys."""
        self.jwks = {"keys": [key.as_dict(private=False) for key in keys]}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        assert request.url.path == "/jwks"
        self.fetches += 1
        await asyncio.sleep(LATENCY)
        return await super().handle_async_request(request)


class SlowServer(InProcessServer):
    """Knows some good tokens, takes its time, and counts how many questions there are at once."""

    def __init__(self, good: list[str]) -> None:
        """Have been asked nothing yet."""
        super().__init__()
        self.good = good
        self.most = self._now = 0
        self._known = set(good)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(LATENCY)
        self._now -= 1
        token = parse_qs(request.content.decode())["token"][0]
        content = answer(token) if token in self._known else b'{"active":false}'
        return httpx.Response(200, content=content, headers={"content-type": "application/json"})


class GoodCallers:
    """Send good tokens at a steady pace, and count how often the answer was there at once."""

    def __init__(self, server: ResourceServer, tokens: list[str]) -> None:
        """Have sent nothing yet."""
        self.sent = self.hits = 0
        self._server = server
        self._requests = [_request(token) for token in tokens]

    async def run(self) -> None:
        """Send until cancelled."""
        pace, chance = Pace(GOOD_PER_SECOND), random.Random(1)  # noqa: S311 - the same callers in every run
        async with asyncio.TaskGroup() as tasks:
            for number in itertools.count():
                await pace.wait(number)
                tasks.create_task(self._send(chance.choice(self._requests)))

    async def _send(self, request: RequestParts) -> None:
        waited: list[None] = []
        turn = asyncio.get_running_loop().call_soon(waited.append, None)
        principal = await self._server.authenticate(request)
        turn.cancel()
        assert principal.subject is not None
        self.sent += 1
        self.hits += not waited


async def _flood(server: ResourceServer, tokens: Iterator[str]) -> None:
    """Send tokens that nobody knows, many at once."""

    async def stranger() -> None:
        for token in tokens:
            assert not await _is_good(server, _request(token))

    await asyncio.gather(*(stranger() for _ in range(STRANGERS)))


async def _is_good(server: ResourceServer, request: RequestParts) -> bool:
    try:
        await server.authenticate(request)
    except InvalidToken:
        return False
    return True


def _request(token: str) -> RequestParts:
    return RequestParts("GET", scope(token=token)["headers"])


def _claims() -> dict[str, str | int]:
    now = int(time.time())
    return {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "orders-frontend",
        "iat": now, "exp": now + 3600, "jti": token_urlsafe(16),
    }  # fmt: skip


def _mint(key: jwk.ECKey) -> str:
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, _claims(), key)


def _forge(number: int) -> str:
    """Make up a token of a key that does not exist: nobody will get as far as its signature."""
    header = json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": f"invented-{number}"})
    parts: list[bytes] = [header.encode(), json.dumps(_claims()).encode(), bytes(64)]
    encode: Callable[[bytes], bytes] = urlsafe_b64encode
    return b".".join(encode(part).rstrip(b"=") for part in parts).decode()
