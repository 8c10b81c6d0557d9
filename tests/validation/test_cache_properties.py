"""Whatever happens in whatever order: a hit answers as a fresh introspection would have, within the time allowed.

The model is a diary: what the authorization server has said of a token, and when. It knows nothing of segments,
entries or evictions.

References: RFC 7662 section 4
"""

from __future__ import annotations

import math
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from resource_server import InvalidToken, Principal
from resource_server._validation.admit import admit
from resource_server._validation.cache import JITTER, VerdictCache
from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict
from resource_server.requirements import ANY_TOKEN
from tests.support.jwt import NOW

TOKENS = [b"%d" % number for number in range(6)]
tokens = st.sampled_from(TOKENS)
seconds = st.floats(0, 100, allow_nan=False)


class Entry(NamedTuple):
    """Something that was said of a token, and when: by the monotonic and by the wall clock."""

    monotonic: float
    wall: float
    verdict: Active | Inactive


def answer_of(verdict: Verdict, wall: float) -> str:
    """Say what a request gets for a verdict at a moment."""
    try:
        return admit(verdict, ANY_TOKEN, now=wall, leeway=0.0, unavailable_status=401).subject or ""
    except InvalidToken as refused:
        return str(refused.reason)


class CacheMachine(RuleBasedStateMachine):
    """Random verdicts for random tokens at random times, against the diary."""

    @initialize(
        ttl=st.floats(0, 90),
        negative_ttl=st.floats(0, 30),
        stale=st.floats(0, 60),
        size=st.integers(1, 6),
        chance=st.floats(0, 1),
    )
    def begin(self, ttl: float, negative_ttl: float, stale: float, size: int, chance: float) -> None:
        """Make a cache of any shape."""
        self.ttl, self.negative_ttl, self.stale, self.size = ttl, negative_ttl, stale, size
        self.cache = VerdictCache(
            size=size,
            ttl=ttl,
            negative_size=size,
            negative_ttl=negative_ttl,
            stale_if_error=stale,
            chance=lambda: chance,
        )
        self.refreshed: list[Active | Inactive] = []
        self.diary: dict[bytes, list[Entry]] = {token: [] for token in TOKENS}
        self.monotonic, self.wall = 50.0, NOW
        self.said = 0

    @rule(elapsed=seconds)
    def time_passes(self, elapsed: float) -> None:
        """Let both clocks run."""
        self.monotonic += elapsed
        self.wall += elapsed

    @rule(jump=st.floats(-200, 200))
    def somebody_sets_the_clock(self, jump: float) -> None:
        """Move the wall clock only."""
        self.wall += jump

    @rule(
        token=tokens,
        lifetime=st.one_of(st.none(), st.floats(-10, 200)),
        max_ttl=st.floats(0, 200),
        took=st.floats(0, 60),
    )
    def the_server_says_yes(self, token: bytes, lifetime: float | None, max_ttl: float, took: float) -> None:
        """Remember a yes, which names the moment it was said by its subject."""
        self.said += 1
        expires_at = None if lifetime is None else self.wall + lifetime
        verdict = Active(Principal(subject=f"{token.decode()}:{self.said}", expires_at=expires_at), max_ttl)
        self._tell(token, verdict, took)

    @rule(token=tokens, reason=st.sampled_from(["inactive", "unknown_key"]))
    def the_server_says_no(self, token: bytes, reason: str) -> None:
        """Remember a no."""
        self._tell(token, Inactive("inactive" if reason == "inactive" else "unknown_key"))

    @rule(token=tokens)
    def nobody_answers(self, token: bytes) -> None:
        """Remember an outage, which is nothing to remember."""
        self.cache.put(token, Unavailable("timeout"), now=self.monotonic, wall=self.wall)

    @rule(token=tokens)
    def a_request_comes(self, token: bytes) -> None:
        """A hit was said of this very token, not contradicted since, and no longer ago than it may be used."""
        hit = self.cache.get(token, self.monotonic)
        if hit is None:
            return
        entry = self._look_up(token, hit)
        assert self.monotonic - entry.monotonic < self._time_to_live(entry)
        if isinstance(hit, Active) and hit.principal.expires_at is not None and self.wall >= hit.principal.expires_at:
            assert answer_of(hit, self.wall) == "expired"

    @rule(token=tokens)
    def a_request_comes_for_a_token_that_is_due(self, token: bytes) -> None:
        """Of each yes, one request that is due asks again, not in its first half, and it stays what it is meanwhile."""
        entry = self.cache.find(token, self.monotonic)
        if entry is None or self.monotonic < entry.soft_end:
            return
        said = self._look_up(token, entry.verdict)
        assert isinstance(entry.verdict, Active)
        assert entry.verdict not in self.refreshed
        assert self.monotonic - said.monotonic >= self._time_to_live(said) * (1 - JITTER) / 2 - 1e-6
        assert self.cache.take_refresh(token, entry)
        self.refreshed.append(entry.verdict)
        assert not self.cache.take_refresh(token, entry)
        assert self.cache.find(token, self.monotonic) == entry._replace(soft_end=math.inf)

    @rule(token=tokens)
    def a_request_comes_in_an_outage(self, token: bytes) -> None:
        """What is served stale was a yes, was not contradicted since, and is not older than allowed."""
        verdict = self.cache.stale(token, self.monotonic)
        if verdict is None:
            return
        entry = self._look_up(token, verdict)
        assert self.monotonic - entry.monotonic < self._time_to_live(entry) + self.stale

    @invariant()
    def it_is_bounded(self) -> None:
        """Neither segment grows beyond its size."""
        if hasattr(self, "cache"):
            assert len(self.cache._active) <= self.size
            assert len(self.cache._inactive) <= self.size

    def _tell(self, token: bytes, verdict: Active | Inactive, took: float = 0.0) -> None:
        self.cache.put(token, verdict, now=self.monotonic, wall=self.wall, took=took)
        self.diary[token].append(Entry(self.monotonic, self.wall, verdict))

    def _look_up(self, token: bytes, verdict: Active | Inactive) -> Entry:
        entries = self.diary[token]
        place = max(index for index, entry in enumerate(entries) if entry.verdict is verdict)
        assert not any(self._contradicts(later, verdict) for later in entries[place + 1 :])
        return entries[place]

    def _contradicts(self, later: Entry, verdict: Active | Inactive) -> bool:
        """After a no there is no yes left; apart from that, only what may be remembered takes the place of what was."""
        if isinstance(later.verdict, Inactive) and isinstance(verdict, Active):
            return True
        return self._time_to_live(later) > 0

    def _time_to_live(self, entry: Entry) -> float:
        verdict = entry.verdict
        if isinstance(verdict, Inactive):
            return self.negative_ttl if verdict.reason == "inactive" else 0.0
        expires_at = verdict.principal.expires_at
        left = self.ttl if expires_at is None else min(self.ttl, expires_at - entry.wall)
        return min(left, verdict.max_ttl)


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=60, stateful_step_count=40)
