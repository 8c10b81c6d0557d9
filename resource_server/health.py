"""How a resource server is doing: what it could say about a token that it does not know yet.

Evidence is what requests have met; nothing is asked for the sake of an answer here. What nobody has met yet, or what
one token may have brought about, takes no server out of service, and neither does a failure that is long past: a server
that gets no requests would never learn that it is over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from resource_server._protocol.messages import Unavailable
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.feed import FeedStatus
from resource_server._validation.state import IssuerState, Policy
from resource_server.errors import ConfigurationError

Status = Literal["ready", "degraded", "down"]

RECENT = 60.0
"""Seconds after which a failure that nobody has met again is no reason any more to be called down."""
_ABOUT_ONE_TOKEN = frozenset({"answer_mismatch", "status_400", "status_413", "status_431", "unsupported_token_type"})
"""Configuration faults that a single token can bring about."""


@dataclass(frozen=True, slots=True)
class Check:
    """One of the things a resource server leans on."""

    name: str
    """``introspection``, ``jwks``, ``metadata``, ``token``, ``store``, ``revocations`` or ``resolver``."""
    status: Status
    """``degraded``: it fails, and is made do without; ``down``: it is of no use at the moment."""
    reason: str | None = None
    """What is wrong, in the words that events use: ``timeout``, ``connect``, ``status_503`` ..."""
    age_seconds: float | None = None
    """Seconds since it last answered; of keys and metadata, since those at hand came. ``None`` for never."""
    issuer: str | None = None
    """Whose it is, where there are several authorization servers."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a resource server is doing.

    - ``ready``: nothing is known to be wrong.
    - ``degraded``: something fails, and what is left can still judge a token.
    - ``down``: a token that is not known yet could not be verified at the moment.
    """

    status: Status
    checks: tuple[Check, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as what a JSON endpoint answers."""
        return {"status": self.status, "checks": list(map(_as_dict, self.checks))}


class ProbeAnswer(NamedTuple):
    """The answer to a probe. Header names are lower case, as ASGI wants them."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Probes:
    """Where an orchestrator asks whether a process lives, and whether it should get requests; nobody needs a token.

    Whether it lives depends on nothing else: a new process would not mend an authorization server. It should get
    requests unless it is ``down``.
    """

    live: str = "/healthz"
    """The path of the first question: exact, decoded, and as the application routes it."""
    ready: str = "/readyz"
    """The path of the second one."""
    details: bool = False
    """Tell everybody the checks as well, and not the status alone: endpoints, causes and issuers are among them."""

    def __post_init__(self) -> None:
        """Refuse paths that no request has.

        Raises:
            ConfigurationError: one does not begin with a slash, or both are the same.
        """
        if self.live == self.ready or not (self.live.startswith("/") and self.ready.startswith("/")):
            raise ConfigurationError(f"probes must be two paths (got {self.live!r} and {self.ready!r})")

    @classmethod
    def of(cls, probes: bool | Probes) -> Probes | None:  # noqa: FBT001 - what every front door takes
        """Return what an option of a front door means.

        Raises:
            ConfigurationError: it means nothing.
        """
        if isinstance(probes, Probes):
            return probes
        if probes not in (True, False):
            raise ConfigurationError(f"probes must be True, False or Probes (got {probes!r})")
        return cls() if probes else None

    def answer(self, method: str, paths: Iterable[str], health: Callable[[], Health]) -> ProbeAnswer | None:
        """Answer a request, if it is a probe; nothing is asked of anybody.

        Args:
            method: the request's; the caller leaves the body out for HEAD.
            paths: its path, in each spelling that the host knows.
            health: tells how the server is doing.
        """
        asked = {self.live, self.ready}.intersection(paths)
        if not asked:
            return None
        if method not in ("GET", "HEAD"):
            return _probed(HTTPStatus.METHOD_NOT_ALLOWED, b"", (b"allow", b"GET, HEAD"))
        if self.live in asked:
            return _probed(HTTPStatus.OK, b'{"status": "ok"}', _JSON)
        found = health()
        told = found.as_dict() if self.details else {"status": found.status}
        status = HTTPStatus.SERVICE_UNAVAILABLE if found.status == "down" else HTTPStatus.OK
        return _probed(status, json.dumps(told).encode("ascii"), _JSON)


_JSON = (b"content-type", b"application/json")


def _probed(status: int, body: bytes, field: tuple[bytes, bytes]) -> ProbeAnswer:
    length = str(len(body)).encode("ascii")
    return ProbeAnswer(int(status), (field, (b"content-length", length), (b"cache-control", b"no-store")), body)


class Fault(NamedTuple):
    """A failure that could not be mended by asking again."""

    at: float
    cause: str
    is_configuration: bool


class Faults:
    """The last fault of each endpoint."""

    def __init__(self) -> None:
        """Start with none."""
        self._last: dict[str, Fault] = {}

    def note(self, endpoint: str, fault: Unavailable, now: float) -> None:
        """Keep a fault; our own crowd is none, and neither is a question that was not asked."""
        if fault.fault != "crowd" and fault.cause != "circuit_open":
            self._last[endpoint] = Fault(now, fault.cause, fault.fault == "configuration")

    def since(self, endpoint: str, last_success: float) -> Fault | None:
        """Return the last fault, unless there has been an answer after it."""
        fault = self._last.get(endpoint)
        return fault if fault is not None and fault.at >= last_success else None


def assess(
    state: IssuerState,
    faults: Faults,
    now: float,
    *,
    stores: Iterable[BreakerStatus] = (),
    feeds: Iterable[FeedStatus] = (),
) -> Health:
    """Draw up the health of a resource server from what it has met.

    Args:
        state: the issuer.
        faults: what could not be relied on.
        now: monotonic seconds.
        stores: what has been seen of the store that all workers share, by each event loop.
        feeds: how it goes with what the workers tell each other.
    """
    checks: dict[str, Check] = {}
    for check in (
        _metadata(state, faults, now),
        _introspection(state, faults, now),
        _keys(state, faults, now),
        _token(state, faults, now),
        *(_store(status, now) for status in stores),
        *(_feed(status, now) for status in feeds),
    ):
        if check is not None and (check.name not in checks or checks[check.name].status == "ready"):
            checks[check.name] = check
    introspection = faults.since("introspection", -math.inf)
    refused = introspection is not None and introspection.is_configuration
    return Health(_overall(state.policy, checks, refused=refused), tuple(checks.values()))


def joined(parts: Mapping[str, Health], resolver: Check | None = None) -> Health:
    """Draw up the health of a resource server from that of each of its authorization servers.

    One that is down takes nobody else's callers with it: all are down where every single one is.

    Args:
        parts: the health of each, by its issuer.
        resolver: how the application's function is doing that finds them, where there is one.
    """
    checks = tuple(replace(check, issuer=issuer) for issuer, part in parts.items() for check in part.checks)
    seen: set[Status] = {part.status for part in parts.values()} or {"ready"}
    status: Status = "degraded" if len(seen) > 1 else seen.pop()
    if resolver is not None:
        checks = (resolver, *checks)
        status = resolver.status if status == "ready" else status
    return Health(status, checks)


def assess_resolver(faults: Faults, last_answer: float, now: float) -> Check:
    """Tell how the application's function is doing that finds authorization servers; those it has found go on.

    Args:
        faults: what could not be relied on.
        last_answer: monotonic seconds of its last answer; ``-inf`` for never.
        now: monotonic seconds.
    """
    fault, age = faults.since("resolver", last_answer), _age(last_answer, now)
    return Check("resolver", "ready", None, age) if fault is None else Check("resolver", "degraded", fault.cause, age)


def _as_dict(check: Check) -> dict[str, Any]:
    members = asdict(check)
    if check.issuer is None:
        del members["issuer"]
    return members


def _overall(policy: Policy, checks: dict[str, Check], *, refused: bool) -> Status:
    sources = [checks[name].status for name in ("introspection", "jwks") if name in checks]
    out = all(status == "down" for status in sources)
    if policy.strategy == "introspect_then_jwks" and refused and not policy.fallback_on_configuration_fault:
        out = checks["introspection"].status == "down"  # no key helps where our credentials are refused
    if out:
        return "down"
    return "ready" if all(check.status == "ready" for check in checks.values()) else "degraded"


def _metadata(state: IssuerState, faults: Faults, now: float) -> Check | None:
    policy = state.policy
    introspects, verifies = policy.strategy != "jwks", policy.needs_keys
    if not ((introspects and policy.introspection_endpoint is None) or (verifies and policy.jwks_uri is None)):
        return None
    last_success = state.breaker("metadata").status(now).last_success
    fault = faults.since("metadata", last_success)
    age = None if state.metadata is None else _age(last_success, now)
    if fault is None:
        return Check("metadata", "ready", None, age)
    out = state.metadata is None and _is_recent(fault.at, now)
    return Check("metadata", "down" if out else "degraded", fault.cause, age)


def _introspection(state: IssuerState, faults: Faults, now: float) -> Check | None:
    if state.policy.strategy == "jwks":
        return None
    seen = state.breaker("introspection").status(now)
    fault = faults.since("introspection", seen.last_success)
    age = _age(seen.last_success, now)
    metadata = _metadata(state, faults, now)
    if state.policy.introspection_endpoint is None and metadata is not None and metadata.status == "down":
        return Check("introspection", "down", metadata.reason, age)
    if fault is None and not seen.open:
        return Check("introspection", "ready", None, age)
    cause = seen.last_cause if fault is None else fault.cause
    mistaken = fault is not None and fault.is_configuration and fault.cause not in _ABOUT_ONE_TOKEN
    last_news = seen.last_failure if fault is None else max(fault.at, seen.last_failure)
    out = (seen.open or mistaken) and _is_recent(last_news, now)
    return Check("introspection", "down" if out else "degraded", cause, age)


def _keys(state: IssuerState, faults: Faults, now: float) -> Check | None:
    if not state.policy.needs_keys:
        return None
    keys = state.keys
    fault, age = faults.since("jwks", keys.fetched_at), _age(keys.fetched_at, now)
    if fault is None:
        return Check("jwks", "ready", None, age)
    out = not keys.usable(now, state.policy.fallback_max_age) and _is_recent(fault.at, now)
    return Check("jwks", "down" if out else "degraded", fault.cause, age)


def _token(state: IssuerState, faults: Faults, now: float) -> Check | None:
    """Tell of the token endpoint, where it was needed; that introspection needs what it gives shows there."""
    last_success = state.breaker("token").status(now).last_success
    fault, age = faults.since("token", last_success), _age(last_success, now)
    if fault is None:
        return None if age is None else Check("token", "ready", None, age)
    return Check("token", "degraded", fault.cause, age)


def _store(seen: BreakerStatus, now: float) -> Check:
    failing = seen.open or seen.last_failure > seen.last_success
    age = _age(seen.last_success, now)
    return Check("store", "degraded", seen.last_cause, age) if failing else Check("store", "ready", None, age)


def _feed(seen: FeedStatus, now: float) -> Check:
    age = _age(seen.last_heard, now)
    return Check("revocations", "ready" if seen.cause is None else "degraded", seen.cause, age)


def _is_recent(moment: float, now: float) -> bool:
    return now - moment < RECENT


def _age(moment: float, now: float) -> float | None:
    return None if math.isinf(moment) else round(now - moment, 3)
