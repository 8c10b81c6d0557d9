"""How a server is doing: what it tells of its sources, and when it calls itself ready, degraded or down."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest

from resource_server import BlockingResourceServer, Check, Health, ResourceServer
from resource_server._protocol.messages import Unavailable
from resource_server._validation.breaker import LIMIT, BreakerStatus
from resource_server._validation.feed import FeedStatus
from resource_server.health import RECENT, assess
from tests.support.jwt import ISSUER, REMOVED, access_token, signing_key
from tests.support.origin import Origin, says_yes
from tests.support.play import (
    INTROSPECTION,
    JWKS,
    REFUSED,
    Answer,
    Time,
    World,
    active_members,
    answer,
    key_set,
    no,
    options,
    yes,
)
from tests.support.stage import bearer

OPAQUE, JWT = "opaque", access_token()
KEYS = key_set(signing_key())
DOCUMENT = answer({"issuer": ISSUER, "introspection_endpoint": INTROSPECTION, "jwks_uri": JWKS})
REFUSES_US = answer({}, status=401)
NOT_FOUND = answer({}, status=404)


class Patient:
    """A server whose health is looked at.

    Args:
        changes: its options.
    """

    def __init__(self, strategy: str = "introspect_then_jwks", **changes: Any) -> None:
        """Begin with nothing known."""
        self.world = World(strategy=strategy, **changes)

    def meets(self, *script: tuple[str, Answer], token: str = JWT) -> None:
        """Let a request meet something, and a second pass."""
        self.world.validate(token, *script)
        self.passes(1.0)

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.world.time.advance(seconds)

    def learns_the_keys(self) -> None:
        """Have the key set fetched."""
        state = self.world.state
        from resource_server._validation.verify_jwt import fetch_keys  # noqa: PLC0415 - used here only

        self.world.play(fetch_keys(state), ("jwks", KEYS))

    def opens(self, endpoint: str = "introspection") -> None:
        """Let an endpoint fail until it is left alone."""
        self.world.state.breaker(endpoint).fail("timeout", LIMIT, self.world.time.monotonic)

    @property
    def health(self) -> Health:
        """How it is doing."""
        return self.world.server.health()

    @property
    def told(self) -> dict[str, tuple[str, str | None]]:
        """The status and the reason of each check, and of all together."""
        health = self.health
        found: dict[str, tuple[str, str | None]] = {"all": (health.status, None)}
        return found | {check.name: (check.status, check.reason) for check in health.checks}


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("introspect", ["introspection"]),
        ("jwks", ["jwks"]),
        ("introspect_then_jwks", ["introspection", "jwks"]),
        ("jwks_then_introspect", ["introspection", "jwks"]),
    ],
)
def test_ready_before_the_first_question(strategy: str, names: list[str]) -> None:
    """A server that has met nothing knows nothing to be wrong, and names only what its strategy needs."""
    health = Patient(strategy).health
    assert health == Health("ready", tuple(Check(name, "ready") for name in names))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"introspection_endpoint": REMOVED}, ["metadata", "introspection", "jwks"]),
        ({"jwks_uri": REMOVED}, ["metadata", "introspection", "jwks"]),
        ({"jwks_uri": REMOVED, "strategy": "introspect"}, ["introspection"]),
        ({"introspection_endpoint": REMOVED, "strategy": "jwks"}, ["jwks"]),
    ],
    ids=["no endpoint", "no jwks_uri", "no jwks_uri needed", "no endpoint needed"],
)
def test_metadata_counts_where_it_is_needed(changes: dict[str, Any], names: list[str]) -> None:
    """The metadata is looked at only where an endpoint must be found in it."""
    assert [check.name for check in Patient(**changes).health.checks] == names


def test_ages() -> None:
    """An age is the time since the last answer; of the keys, since they came."""
    patient = Patient()
    patient.learns_the_keys()
    patient.passes(10.0)
    patient.meets(("introspection", yes()), token=OPAQUE)
    patient.passes(1.5)
    assert [check.age_seconds for check in patient.health.checks] == [2.5, 12.5]


def test_a_first_failure_degrades() -> None:
    """One question without an answer is told; that a source is out takes more than one."""
    patient = Patient("introspect")
    patient.meets(("introspection", REFUSED))
    assert patient.told == {"all": ("degraded", None), "introspection": ("degraded", "connect")}
    patient.meets(("introspection", yes()))
    assert patient.told["all"] == ("ready", None)


def test_no_source_left() -> None:
    """An endpoint that is left alone is out; where nothing else can judge a token, so are we."""
    patient = Patient("introspect")
    patient.meets(("introspection", REFUSED))
    patient.opens()
    assert patient.told == {"all": ("down", None), "introspection": ("down", "connect")}


def test_another_source_left() -> None:
    """Where the keys can still judge a token, a server whose introspection is out is degraded."""
    patient = Patient()
    patient.learns_the_keys()
    patient.opens()
    patient.meets()
    assert patient.told == {
        "all": ("degraded", None),
        "introspection": ("down", "timeout"),
        "jwks": ("ready", None),
    }


def test_a_fallback_that_is_gone() -> None:
    """Keys that cannot be had are told while nobody needs them, and are the end where somebody does."""
    patient = Patient()
    patient.meets(("introspection", REFUSED), ("jwks", answer({}, status=503)))
    patient.meets(("introspection", yes()), token=OPAQUE)
    assert patient.told == {
        "all": ("degraded", None),
        "introspection": ("ready", None),
        "jwks": ("down", "status_503"),
    }
    patient.opens()
    assert patient.health.status == "down"


def test_old_keys_are_made_do_with() -> None:
    """A key set that cannot be renewed serves until ``fallback_max_age``, and not a second longer."""
    patient = Patient("jwks", fallback_max_age=900.0)
    patient.learns_the_keys()
    patient.passes(800.0)
    patient.meets(("jwks", REFUSED))
    assert patient.told == {"all": ("degraded", None), "jwks": ("degraded", "connect")}
    patient.passes(200.0)
    patient.meets(("jwks", REFUSED), token=access_token(exp=int(patient.world.time.wall) + 60))
    assert patient.told == {"all": ("down", None), "jwks": ("down", "connect")}


@pytest.mark.parametrize(
    ("strategy", "allowed", "status"),
    [
        ("introspect", False, "down"),
        ("introspect_then_jwks", False, "down"),
        ("introspect_then_jwks", True, "degraded"),
        ("jwks_then_introspect", False, "degraded"),
    ],
)
@pytest.mark.parametrize("refusal", [401, 403, 404])
def test_our_credentials_refused(strategy: str, allowed: bool, status: str, refusal: int) -> None:  # noqa: FBT001 - a parameter
    """Where the authorization server refuses us, no fallback helps that is not allowed: we are down at once."""
    patient = Patient(strategy, fallback_on_configuration_fault=allowed)
    patient.learns_the_keys()
    patient.meets(("introspection", answer({}, status=refusal)), token=OPAQUE)
    assert patient.told["introspection"] == ("down", f"status_{refusal}")
    assert patient.health.status == status
    patient.meets(("introspection", no()), token="another")
    assert patient.health.status == "ready"


@pytest.mark.parametrize(
    ("token", "reply", "cause"),
    [
        (OPAQUE, answer({}, status=400), "status_400"),
        (OPAQUE, answer({"error": "unsupported_token_type"}, status=400), "unsupported_token_type"),
        (JWT, yes(sub="another"), "answer_mismatch"),
        (OPAQUE, answer({}, status=500), "status_500"),
        (OPAQUE, answer(b"<html>"), "not_json"),
    ],
)
@pytest.mark.attack("A-S-7")
def test_one_token_takes_nobody_down(token: str, reply: Answer, cause: str) -> None:
    """What a single token may have brought about is told, and is no reason to send requests elsewhere."""
    patient = Patient("introspect")
    for _ in range(2 * LIMIT):
        patient.meets(("introspection", reply), token=token)
    assert patient.told == {"all": ("degraded", None), "introspection": ("degraded", cause)}


def test_a_crowd_is_no_fault() -> None:
    """That too many tokens came at once is nobody's fault."""
    patient = Patient("introspect")
    patient.meets(("introspection", Unavailable("crowded", fault="crowd")))
    assert patient.health.status == "ready"


def test_the_reason_is_what_happened() -> None:
    """While an endpoint is left alone the reason stays what it was left alone for."""
    patient = Patient("introspect")
    patient.meets(("introspection", answer({}, status=503, retry_after="30")))
    patient.meets()
    assert patient.told["introspection"] == ("down", "status_503")


def test_old_news() -> None:
    """A server that gets no requests does not stay down for what was a minute ago: it could never learn better."""
    patient = Patient("introspect")
    patient.meets(("introspection", REFUSES_US))
    patient.passes(RECENT)
    assert patient.told == {"all": ("degraded", None), "introspection": ("degraded", "status_401")}


@pytest.mark.parametrize("reply", [REFUSED, NOT_FOUND], ids=["outage", "not found"])
def test_no_metadata(reply: Answer) -> None:
    """Without metadata an endpoint that must be found in it is out of reach."""
    patient = Patient("introspect", introspection_endpoint=REMOVED)
    asked = 1 if reply is REFUSED else 2
    patient.meets(*[("metadata", reply)] * asked, token=OPAQUE)
    cause = "connect" if reply is REFUSED else "status_404"
    assert patient.told == {"all": ("down", None), "metadata": ("down", cause), "introspection": ("down", cause)}
    patient.meets(("metadata", DOCUMENT), ("introspection", yes()), token=OPAQUE)
    assert [(check.status, check.age_seconds) for check in patient.health.checks] == [("ready", 1.0)] * 2


def test_metadata_that_cannot_be_renewed() -> None:
    """Metadata at hand is made do with when it cannot be fetched again."""
    patient = Patient("introspect", introspection_endpoint=REMOVED)
    patient.meets(("metadata", DOCUMENT), ("introspection", yes()), token=OPAQUE)
    patient.world.state.report("metadata", REFUSED)
    assert patient.told["metadata"] == ("degraded", "connect")
    assert patient.told["introspection"] == ("ready", None)


def test_metadata_without_the_endpoint() -> None:
    """An authorization server that introspects nothing is a configuration fault, and we are down."""
    patient = Patient("introspect", introspection_endpoint=REMOVED)
    patient.meets(("metadata", answer({"issuer": ISSUER, "jwks_uri": JWKS})), token=OPAQUE)
    assert patient.told["introspection"] == ("down", "no_introspection_endpoint")
    assert patient.health.status == "down"


SILENT = BreakerStatus(open=True, retry_at=1_001.0, last_success=990.0, last_failure=999.0, last_cause="timeout")
FAILED = BreakerStatus(open=False, retry_at=-math.inf, last_success=990.0, last_failure=999.0, last_cause="loading")
GOOD = BreakerStatus(open=False, retry_at=-math.inf, last_success=999.0, last_failure=990.0, last_cause="timeout")
LOST = FeedStatus(connected=False, last_heard=998.0, cause="connect", waiting=3)
HEARD = FeedStatus(connected=True, last_heard=1_000.0, cause=None, waiting=0)


@pytest.mark.parametrize(
    ("stores", "feeds", "checks"),
    [
        ([GOOD], [HEARD], [Check("store", "ready", None, 1.0), Check("revocations", "ready", None, 0.0)]),
        ([SILENT], [], [Check("store", "degraded", "timeout", 10.0)]),
        ([GOOD, FAILED], [], [Check("store", "degraded", "loading", 10.0)]),
        ([FAILED, GOOD], [], [Check("store", "degraded", "loading", 10.0)]),
        ([], [LOST], [Check("revocations", "degraded", "connect", 2.0)]),
    ],
    ids=["well", "silent", "one of two", "the other of two", "cut off"],
)
def test_what_the_workers_share(stores: list[BreakerStatus], feeds: list[FeedStatus], checks: list[Check]) -> None:
    """A store that is out costs questions and nobody's request: degraded, and never down."""
    core = World().server._core
    health = assess(core.state, core.reports.faults, 1_000.0, stores=stores, feeds=feeds)
    assert list(health.checks[2:]) == checks
    assert health.status == ("ready" if all(check.status == "ready" for check in checks) else "degraded")


NOWHERE = {"cache_url": "redis://127.0.0.1:1", "strategy": "introspect"}


@pytest.mark.anyio
async def test_a_store_that_is_not_there() -> None:
    """A store nobody can connect to is met by the first request, which is served all the same."""
    server = ResourceServer(
        transport=Origin(introspect=says_yes()), clock=Time().clock, observer=lambda _: None, **options(**NOWHERE)
    )
    assert server.health().status == "ready"
    await server.authenticate(bearer("token"))
    health = server.health()
    assert (health.status, {check.name: check.reason for check in health.checks}["store"]) == ("degraded", "connect")
    await server.aclose()


def test_a_store_that_is_not_there_for_threads() -> None:
    """The same in threads."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=active_members()))
    with BlockingResourceServer(
        transport=transport, clock=Time().clock, observer=lambda _: None, **options(**NOWHERE)
    ) as server:
        server.authenticate(bearer("token"))
        checks = {check.name: check.reason for check in server.health().checks}
        assert checks["store"] == "connect"


def test_as_json() -> None:
    """What an endpoint of the application can answer: plain JSON, without a URL and without a secret."""
    patient = Patient()
    patient.meets(("introspection", REFUSES_US), token=OPAQUE)
    text = json.dumps(patient.health.as_dict(), allow_nan=False)
    assert json.loads(text) == {
        "status": "down",
        "checks": [
            {"name": "introspection", "status": "down", "reason": "status_401", "age_seconds": 1.0},
            {"name": "jwks", "status": "ready", "reason": None, "age_seconds": None},
        ],
    }
    assert "//" not in text
