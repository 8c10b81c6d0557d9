"""What one process has counted, and what it holds at this moment, for each authorization server.

Here are only numbers: who asks for them decides what becomes of them. Nothing is asked of anybody for an answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, NamedTuple, get_args
from weakref import WeakKeyDictionary

from resource_server._validation.breaker import Breaker, BreakerStatus
from resource_server._validation.feed import Feed
from resource_server._validation.state import IssuerState

__all__ = ["BreakerState", "Statistics"]

BreakerState = Literal["closed", "open", "half_open"]
"""Whether an endpoint is asked, left alone, or about to be tried."""
OTHER = "other"
"""What a label says where there are too many values to name each."""
ISSUERS, REASONS, CAUSES = 20, 40, 60
"""How many of them are named."""
Status = Literal["ready", "degraded", "down"]
STATUSES: tuple[Status, ...] = get_args(Status)
SEVERAL = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which the Prometheus client counts for all workers of one host together."""
_TOLD_APART = frozenset({400, 401, 403, 404, 405, 415, 429, 500, 502, 503, 504})
_STATUS = re.compile(r"status_([0-9]{1,9})")
_WORD = re.compile(r"[a-z0-9_]{1,40}")
Lookup = Literal["hit", "negative_hit", "miss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The numbers of one authorization server, in this process."""

    issuer: str
    hits: int
    """How many requests brought a token that was known to be good; this and the next two only ever grow."""
    negative_hits: int
    """How many brought one that was known to be bad."""
    misses: int
    """How many brought one of which nothing was known any more."""
    cached_active: int
    """How many good tokens are remembered, those past their time among them."""
    cached_inactive: int
    """How many bad ones."""
    in_flight: int
    """How many questions to the authorization server are not answered yet."""
    breakers: Mapping[str, BreakerState]
    """By endpoint: ``introspection``, ``jwks``, ``metadata`` and ``token``."""
    key_set_age_seconds: float | None
    """How long ago the keys at hand came; ``None`` where none have come."""
    keys: int
    """How many usable keys the authorization server publishes, as far as that is known."""
    clock_skew_seconds: float | None
    """By how much its clock is ahead of ours, as its last answer has told; ``None`` where none has."""
    revocations: int
    """How many revocations are remembered."""
    revocations_waiting: int
    """How many of ours the other workers may not have heard of."""
    feed_up: bool | None
    """Whether revocations go round among the workers; ``None`` where that was not tried."""
    store_up: bool | None
    """Whether the store that all workers share answers; ``None`` where it was not asked."""


def measure(
    state: IssuerState, now: float, *, stores: Iterable[BreakerStatus] = (), feed: Feed | None = None
) -> Statistics:
    """Draw up the numbers of one authorization server.

    Args:
        state: the issuer.
        now: monotonic seconds.
        stores: what has been seen of the store that all workers share, by each event loop.
        feed: what goes round among the workers, where there is such a thing.
    """
    lookups, keys = state.cache.lookups, state.keys
    active, inactive = state.cache.counts()
    return Statistics(
        issuer=state.policy.issuer,
        hits=lookups.hits,
        negative_hits=lookups.negative_hits,
        misses=lookups.misses,
        cached_active=active,
        cached_inactive=inactive,
        in_flight=len(state.in_flight),
        breakers={name: _state(breaker, now) for name, breaker in state.breakers().items()},
        key_set_age_seconds=None if math.isinf(keys.fetched_at) else now - keys.fetched_at,
        keys=keys.count,
        clock_skew_seconds=state.clock_skew,
        revocations=len(state.revocations),
        revocations_waiting=0 if feed is None else feed.status.waiting,
        feed_up=None if feed is None else _feed_up(feed),
        store_up=_store_up(stores),
    )


class Names:
    """The values of one label: the first so many by their name, and all later ones as ``other``.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        """Start with none."""
        self._most = most
        self._known: dict[str, str] = {}

    def __call__(self, value: str) -> str:
        """Return what the label says."""
        if value not in self._known and len(self._known) >= self._most:
            return OTHER
        return self._known.setdefault(value, value)


class Labels:
    """The labels whose values come from elsewhere, each with a bounded number of them."""

    def __init__(self) -> None:
        """Start with none."""
        self.issuer = Names(ISSUERS)
        self.reason = Names(REASONS)
        """Of a refusal. Callers choose which of them there are: they leave the causes their places."""
        self._causes = Names(CAUSES)

    def cause(self, cause: str | None) -> str:
        """Name a cause: of statuses only those that are worth telling apart, and what is no word not at all."""
        status = _STATUS.fullmatch(cause or "")
        if status is not None and int(status[1]) not in _TOLD_APART:
            hundred = self.outcome(int(status[1]), None)
            return OTHER if hundred == OTHER else f"status_{hundred}"
        return self._causes(cause) if cause is not None and _WORD.fullmatch(cause) else OTHER

    def outcome(self, status: int | None, cause: str | None) -> str:
        """Name what came of a question: ``2xx``, ``429``, ``timeout`` ..."""
        if status is None:
            return self.cause(cause)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return str(status)
        return f"{status // 100}xx" if status in range(100, 600) else OTHER


class Growth:
    """By how much the counters of servers have grown since they were last read; an issuer may come and go."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._last: WeakKeyDictionary[object, dict[str, dict[Lookup, int]]] = WeakKeyDictionary()

    def take(self, server: object, all_statistics: Iterable[Statistics]) -> Iterator[tuple[str, Lookup, int]]:
        """Return what is new.

        Args:
            server: whose statistics these are.
            all_statistics: as it tells them.
        """
        before, known = self._last.get(server, {}), dict[str, dict[Lookup, int]]()
        self._last[server] = known  # without those that are gone: whoever names issuers does not fill our memory
        for each in all_statistics:
            known[each.issuer] = {"hit": each.hits, "negative_hit": each.negative_hits, "miss": each.misses}
            for result, count in known[each.issuer].items():
                last = before.get(each.issuer, {}).get(result, 0)
                yield each.issuer, result, count - last if count >= last else count


class Gauge(NamedTuple):
    """A number that goes up and down."""

    name: str
    """Without ``resource_server_``."""
    says: str
    unit: str
    """As OpenTelemetry writes it."""
    read: Callable[[Statistics], Mapping[str, float | None]]
    """Returns it by the value of its label, or under an empty one where it has none."""
    label: str | None = None
    among: Literal["sum", "max", "min", "farthest"] = "sum"
    """What several of them are together: of issuers without a name of their own, and of workers."""


GAUGES = (
    Gauge(
        "in_flight", "Questions to the authorization server under way.", "{question}", lambda told: {"": told.in_flight}
    ),
    Gauge(
        "breaker_open",
        "Whether an endpoint is left alone because it has failed.",
        "1",
        lambda told: {endpoint: state != "closed" for endpoint, state in told.breakers.items()},
        "endpoint",
        "max",
    ),
    Gauge(
        "key_set_age_seconds",
        "How long ago the keys at hand came.",
        "s",
        lambda told: {"": told.key_set_age_seconds},
        among="max",
    ),
    Gauge("keys", "Usable keys of the authorization server.", "{key}", lambda told: {"": told.keys}, among="min"),
    Gauge(
        "clock_skew_seconds",
        "By how much the clock of the authorization server is ahead of ours.",
        "s",
        lambda told: {"": told.clock_skew_seconds},
        among="farthest",
    ),
    Gauge(
        "cached_tokens",
        "Tokens that are remembered.",
        "{token}",
        lambda told: {"active": told.cached_active, "inactive": told.cached_inactive},
        "verdict",
    ),
    Gauge("revocations", "Revocations in force.", "{revocation}", lambda told: {"": told.revocations}, among="max"),
    Gauge(
        "revocations_waiting",
        "Revocations that the other workers may not have heard of.",
        "{revocation}",
        lambda told: {"": told.revocations_waiting},
    ),
    Gauge(
        "store_up",
        "Whether the store answers that all workers share.",
        "1",
        lambda told: {"": told.store_up},
        among="min",
    ),
    Gauge(
        "revocation_feed_up",
        "Whether revocations go round among the workers.",
        "1",
        lambda told: {"": told.feed_up},
        among="min",
    ),
)


def _farthest(numbers: list[float]) -> float:
    """Return the one that is farthest from zero."""
    return max(numbers, key=abs)


_TOGETHER: Mapping[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "max": max,
    "min": min,
    "farthest": _farthest,
}


def values(gauge: Gauge, all_statistics: Iterable[Statistics], labels: Labels) -> dict[tuple[str, ...], float]:
    """Return what a gauge shows, by the values of its labels.

    Args:
        gauge: which.
        all_statistics: of all issuers.
        labels: names the issuers.
    """
    found: dict[tuple[str, ...], list[float]] = {}
    for each in all_statistics:
        for name, value in gauge.read(each).items():
            if value is not None:
                key = (labels.issuer(each.issuer),) if gauge.label is None else (labels.issuer(each.issuer), name)
                found.setdefault(key, []).append(float(value))
    return {key: _TOGETHER[gauge.among](told) for key, told in found.items()}


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of how several servers are doing."""
    return STATUSES[max(map(STATUSES.index, statuses), default=0)]


def _state(breaker: Breaker, now: float) -> BreakerState:
    seen = breaker.status(now)
    if not seen.open:
        return "closed"
    return "open" if now < seen.retry_at else "half_open"


def _feed_up(feed: Feed) -> bool | None:
    status = feed.status
    return None if status.cause is None and not status.connected else status.connected


def _store_up(stores: Iterable[BreakerStatus]) -> bool | None:
    """Tell whether it answers in every event loop that has asked it."""
    asked = [seen for seen in stores if max(seen.last_success, seen.last_failure) > -math.inf]
    return all(not seen.open and seen.last_failure <= seen.last_success for seen in asked) if asked else None
