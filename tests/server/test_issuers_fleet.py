"""Workers that trust several issuers and share a store: what one issuer's part of it says is nothing to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from resource_server import InvalidToken
from tests.support.jwt import NOW, signing_key
from tests.support.origin import says_no, says_yes
from tests.support.two import ONE, OTHER, Two, issued
from tests.support.valkey import Valkey
from tests.support.workers import running_clock

pytestmark = pytest.mark.anyio

KEY = signing_key("ES256")
BOUND = 10.0
"""Seconds after which a test gives up."""


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Start the store that the workers share."""
    with Valkey(tmp_path) as server:
        yield server


@asynccontextmanager
async def fleet(url: str) -> AsyncGenerator[list[Two], None]:
    """Have two workers; whatever they ask about is alice's."""
    members: list[Two] = []
    for _ in range(2):
        two = Two(
            strategy="introspect",
            clock=running_clock(),
            cache_url=url,
            cache_secret="the secret of all workers in a test",
            cache_timeout=1.0,
        )
        two.one.replies["introspect"] = two.other.replies["introspect"] = says_yes(sub="alice", iat=int(NOW) - 60)
        members.append(two)
        await two.server.start()
    try:
        yield members
    finally:
        for member in members:
            await member.server.aclose()


async def reason(two: Two, token: str) -> str | None:
    """Present a token, and return why it is refused."""
    try:
        await two.ask(token)
    except InvalidToken as refused:
        return refused.reason
    return None


@pytest.mark.rfc("7662-2.2-j")
@pytest.mark.attack("A-C-1")
async def test_a_verdict_in_the_store_is_one_issuers(valkey: Valkey) -> None:
    """Workers share what each issuer has said: of the same token under another issuer the store knows nothing."""
    async with fleet(valkey.url) as (first, second):
        await first.ask("opaque")
        one, other = second.server._cores()
        with anyio.fail_after(BOUND):
            while await valkey_knows(first, second) is None:  # noqa: ASYNC110 - to ask is to look
                await asyncio.sleep(0.001)
        assert one.state.vault is not None
        assert other.state.vault is not None
        assert one.digest(b"opaque") != other.digest(b"opaque")
        assert one.state.vault.digest_key != other.state.vault.digest_key


async def valkey_knows(first: Two, second: Two) -> str | None:
    """Have the second worker say yes to a token that only the first has asked about."""
    second.one.replies["introspect"] = says_no()
    before = len(second.one.requests)
    known = await reason(second, "opaque") is None and len(second.one.requests) == before
    second.server._cores()[0].state.cache.clear()
    return "known" if known and first.one.requests else None


async def test_a_revocation_is_one_issuers(valkey: Valkey) -> None:
    """What is revoked at one of them is dead in all workers, and the subject of that name elsewhere is let be."""
    async with fleet(valkey.url) as (first, second):
        token = issued(OTHER, KEY, sub="alice", iat=int(NOW) - 60)
        assert [await reason(second, each) for each in ("opaque", token)] == [None, None]
        first.server.revoke(sub="alice", issuer=OTHER)
        with anyio.fail_after(BOUND):
            while await reason(second, token) != "revoked":  # noqa: ASYNC110 - to ask is to look
                await asyncio.sleep(0.001)
        assert await reason(second, "opaque") is None
        checks = {(check.issuer, check.name) for check in second.server.health().checks}
        assert {(ONE, "store"), (OTHER, "store"), (ONE, "revocations"), (OTHER, "revocations")} <= checks
