"""An authorization server that means harm: how late an answer is, and how much memory it takes, in every way to ask."""

from __future__ import annotations

import asyncio
import gc
import threading

from benchmarks.authority import HOSTILE, authority
from benchmarks.footprint import HAS_RSS, rss
from benchmarks.harness import Figure
from benchmarks.support import TOKEN
from resource_server._protocol.client_auth import ClientCredentials, authenticated, client_proof
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from tests.support.askers import ASKERS, LEFT_TO_THEMSELVES, OWN, Ask, Asker

DEADLINE, BEYOND = 0.5, 100.0
"""Seconds a call has, and milliseconds it may take in addition."""
GROWTH = 5.0
"""MiB of resident memory that all attacks together may add."""
ROUNDS, AT_ONCE = 4, 4
FLOOD = "flood_of_interim_answers"
"""What only connections of our own can stop: other libraries parse 64 kB of it in one go, as long as it comes."""
_OURS = {*(f"own, by {name}" for name in OWN), "in threads, own"}
_MIB = 2**20


async def measure() -> list[Figure]:
    """Have every attack happen in every way to ask, several at once."""
    with authority() as url:
        return [figure for name, asker in ASKERS.items() for figure in await _measure(name, asker, url)]


async def _measure(name: str, asker: Asker, url: str) -> list[Figure]:
    attacks = [attack for attack in HOSTILE if attack != FLOOD or name in _OURS]
    async with asker(None) as ask:
        assert isinstance(await ask(_question(f"{url}/introspect")), HTTPResponse)
        await _attack(ask, url, attacks)  # what is loaded once and kept is not what an attack costs
        gc.collect()
        threads = threading.active_count()
        before = peak = rss() if HAS_RSS else 0
        latest, worst = 0.0, ""
        for _ in range(ROUNDS):
            for attack, seconds in (await _attack(ask, url, attacks)).items():
                latest, worst = max((latest, worst), (seconds, attack))
                peak = max(peak, rss() if HAS_RSS else 0)
        threads = threading.active_count() - threads
        flood = None if name in _OURS else (await _attack(ask, url, [FLOOD]))[FLOOD]
    figures = [_lateness(name, latest, f"{ROUNDS * AT_ONCE * len(attacks)} calls; {worst}")]
    if flood is not None:
        late = (flood - DEADLINE) * 1e3
        figures.append(Figure(f"{name}: {FLOOD}, which the library parses", late, "ms", note=f"{AT_ONCE} calls"))
    return figures + ([_growth(name, peak - before, threads)] if HAS_RSS else [])


def _lateness(name: str, latest: float, note: str) -> Figure:
    late = (latest - DEADLINE) * 1e3
    rule = f"{name}: the latest call ends after its deadline"
    return Figure(rule, late, "ms", target=f"<= {BEYOND:g}", met=late <= BEYOND, note=note)


def _growth(name: str, grown: int, threads: int) -> Figure:
    growth, row = grown / _MIB, f"{name}: memory"
    if name in LEFT_TO_THEMSELVES:
        # What a thread reads through a library cannot be ended from outside. There is a bound for such threads.
        return Figure(row, growth, "MiB growth", note=f"{threads} more threads are left to themselves")
    return Figure(row, growth, "MiB growth", target=f"<= {GROWTH:g}", met=growth <= GROWTH)


async def _attack(ask: Ask, url: str, attacks: list[str]) -> dict[str, float]:
    return {attack: max(await asyncio.gather(*(_ask(ask, url, attack) for _ in range(AT_ONCE)))) for attack in attacks}


async def _ask(ask: Ask, url: str, attack: str) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    found = await ask(_question(f"{url}/{attack}"), timeout=DEADLINE)
    assert isinstance(found, Unavailable), f"{attack} was taken for an answer"
    return clock() - started


def _question(url: str) -> HTTPRequest:
    proof = client_proof(ClientCredentials("rs", "rs-secret"), audience="", now=0.0, jti="")
    return authenticated(introspection_request(url, TOKEN.encode()), proof)
