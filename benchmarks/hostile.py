"""An authorization server that means harm: how late an answer is, and how much memory it takes, in every way to ask."""

from __future__ import annotations

import asyncio
import gc

from benchmarks.authority import HOSTILE, authority
from benchmarks.footprint import HAS_RSS, rss
from benchmarks.harness import Figure
from benchmarks.support import TOKEN
from resource_server._protocol.client_auth import ClientCredentials
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from tests.support.askers import ASKERS, Ask, Asker

DEADLINE, BEYOND = 0.5, 100.0
"""Seconds a call has, and milliseconds it may take in addition."""
GROWTH = 5.0
"""MiB of resident memory that all attacks together may add."""
ROUNDS, AT_ONCE = 4, 4
_MIB = 2**20


async def measure() -> list[Figure]:
    """Have every attack happen in every way to ask, several at once."""
    with authority() as url:
        return [figure for name, asker in ASKERS.items() for figure in await _measure(name, asker, url)]


async def _measure(name: str, asker: Asker, url: str) -> list[Figure]:
    async with asker(None) as ask:
        assert isinstance(await ask(_question(f"{url}/introspect")), HTTPResponse)
        await _attack(ask, url)  # what is loaded once and kept is not what an attack costs
        gc.collect()
        before = peak = rss() if HAS_RSS else 0
        latest, worst = 0.0, ""
        for _ in range(ROUNDS):
            for attack, seconds in (await _attack(ask, url)).items():
                latest, worst = max((latest, worst), (seconds, attack))
                peak = max(peak, rss() if HAS_RSS else 0)
    late, growth = (latest - DEADLINE) * 1e3, (peak - before) / _MIB
    figures = [
        Figure(
            f"{name}: the latest call ends after its deadline", late, "ms",
            target=f"<= {BEYOND:g}", met=late <= BEYOND, note=f"{ROUNDS * AT_ONCE * len(HOSTILE)} calls; {worst}",
        )
    ]  # fmt: skip
    if HAS_RSS:
        target = f"<= {GROWTH:g}"
        figures.append(Figure(f"{name}: memory", growth, "MiB growth", target=target, met=growth <= GROWTH))
    return figures


async def _attack(ask: Ask, url: str) -> dict[str, float]:
    return {attack: max(await asyncio.gather(*(_ask(ask, url, attack) for _ in range(AT_ONCE)))) for attack in HOSTILE}


async def _ask(ask: Ask, url: str, attack: str) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    found = await ask(_question(f"{url}/{attack}"), timeout=DEADLINE)
    assert isinstance(found, Unavailable), f"{attack} was taken for an answer"
    return clock() - started


def _question(url: str) -> HTTPRequest:
    return introspection_request(url, TOKEN.encode(), ClientCredentials("rs", "rs-secret"))
