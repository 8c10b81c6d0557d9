"""The page about health says what happens: its table is played, and its probes are what a cluster takes."""

from __future__ import annotations

import configparser
import math
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
import yaml

from resource_server import Health, InvalidToken
from resource_server._validation.breaker import LIMIT, BreakerStatus
from resource_server._validation.feed import FeedStatus
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.health import Probes, assess
from tests.docs.pages import blocks, read
from tests.support.fastapi_app import ADMIN, READER, ScriptedAS
from tests.support.jwt import signing_key
from tests.support.play import REFUSED, Answer, Script, World, answer, key_set, yes
from tests.support.stage import bearer

PAGE = "docs/health.md"
ABSENT = "—"
VALIDATE: Any = import_module("kubernetes_validate").validate  # it has no types
KEYS = key_set(signing_key())
REFUSES_US, BROKEN = answer({}, status=401), answer({}, status=503)
SILENT = BreakerStatus(open=True, retry_at=1.0, last_success=-math.inf, last_failure=0.0, last_cause="timeout")
CUT_OFF = FeedStatus(connected=False, last_heard=-math.inf, cause="connect", waiting=3)


class Patient:
    """A server that something happens to.

    Args:
        strategy: how it judges tokens.
    """

    def __init__(self, strategy: str) -> None:
        """Begin with nothing known."""
        self.world = World(strategy=strategy)
        self.policy = self.world.state.policy
        self.stores: list[BreakerStatus] = []
        self.feeds: list[FeedStatus] = []

    def learns_the_keys(self) -> None:
        """Have the key set fetched."""
        if self.policy.needs_keys:
            self.world.play(fetch_keys(self.world.state), ("jwks", KEYS))

    def asks(self, reply: Answer) -> None:
        """Let a request for an opaque token be answered so, wherever its strategy asks."""
        script: Script = [("introspection", reply)]
        self.world.validate("opaque", *script)
        self.world.time.advance(1.0)

    def opens(self) -> None:
        """Let introspection fail until it is left alone."""
        self.world.state.breaker("introspection").fail("timeout", LIMIT, self.world.time.monotonic)

    def fails_to_fetch_keys(self) -> None:
        """Let the key set be asked for in vain."""
        self.world.play(fetch_keys(self.world.state), ("jwks", REFUSED))

    @property
    def health(self) -> Health:
        """How it is doing."""
        core, now = self.world.server._core, self.world.time.monotonic
        return assess(core.state, core.reports.faults, now, stores=self.stores, feeds=self.feeds)


def _nothing(_patient: Patient) -> None:
    pass


def _fails_once(patient: Patient) -> None:
    patient.learns_the_keys()
    patient.asks(BROKEN)


def _is_out(patient: Patient) -> None:
    patient.learns_the_keys()
    patient.opens()


def _is_out_without_keys(patient: Patient) -> None:
    patient.opens()
    if patient.policy.needs_keys:
        patient.fails_to_fetch_keys()


def _refuses_us(patient: Patient) -> None:
    patient.learns_the_keys()
    patient.asks(REFUSES_US)


def _refused_us(patient: Patient) -> None:
    _refuses_us(patient)
    patient.world.time.advance(60.0)


def _old_keys(patient: Patient) -> None:
    patient.learns_the_keys()
    patient.world.time.advance(10.0)
    patient.fails_to_fetch_keys()


def _no_keys(patient: Patient) -> None:
    patient.fails_to_fetch_keys()


def _no_store(patient: Patient) -> None:
    patient.stores = [SILENT]


def _no_feed(patient: Patient) -> None:
    patient.feeds = [CUT_OFF]


def _is_over(patient: Patient) -> None:
    if patient.policy.needs_keys:
        patient.fails_to_fetch_keys()
        patient.world.time.advance(1.0)
        patient.learns_the_keys()
    if patient.policy.strategy != "jwks":
        patient.asks(REFUSES_US)
        patient.asks(yes())


HAPPENS: dict[str, Callable[[Patient], None]] = {
    "nothing was asked yet": _nothing,
    "introspection fails once": _fails_once,
    "introspection is out, the keys are at hand": _is_out,
    "introspection is out, and the keys were never fetched": _is_out_without_keys,
    "introspection refuses our credentials, the keys are at hand": _refuses_us,
    "introspection refused our credentials a minute ago": _refused_us,
    "the keys cannot be fetched anew, the old ones are at hand": _old_keys,
    "the keys were never fetched, and cannot be": _no_keys,
    "the store that all workers share does not answer": _no_store,
    "revocations do not go round between the workers": _no_feed,
    "it is over, and the next request has shown it": _is_over,
}


def table(heading: str) -> dict[str, dict[str, str]]:
    """Read the table of a section of the page: its cells by the first one of their row, and by column."""
    text = read(PAGE).partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    [_, *columns], _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: dict(zip(columns, cells, strict=True)) for name, *cells in rows}


def cells() -> Iterator[Any]:
    """Give each cell of the table, with its row and its strategy."""
    for row, statuses in table("What brings it about").items():
        for strategy, status in statuses.items():
            yield pytest.param(row, strategy.strip("`"), status, id=f"{row}, {strategy}")


@pytest.mark.parametrize(("row", "strategy", "status"), list(cells()))
def test_what_brings_it_about(row: str, strategy: str, status: str) -> None:
    """Each row of the page is played under each strategy, and leads where its cell says."""
    patient = Patient(strategy)
    source = {"introspection": patient.policy.strategy != "jwks", "the keys": patient.policy.needs_keys}
    if status == ABSENT:
        assert not all(there for name, there in source.items() if row.startswith(name))
        return
    HAPPENS[row](patient)
    assert patient.health.status == status
    answered = Probes().answer("GET", ["/readyz"], lambda: patient.health)
    assert answered is not None
    assert answered.status == (503 if status == "down" else 200)


def test_every_row_is_played() -> None:
    """The page and this test name the same rows, and every strategy."""
    found = table("What brings it about")
    assert list(found) == list(HAPPENS)
    strategies = {"introspect", "introspect_then_jwks", "jwks", "jwks_then_introspect"}
    assert all({name.strip("`") for name in cells} == strategies for cells in found.values())


@pytest.mark.anyio
async def test_a_known_token_passes() -> None:
    """A worker that is down still lets in whose token it knows."""
    authorization_server = ScriptedAS()
    async with authorization_server.server(strategy="introspect") as server:
        await server.authenticate(bearer(READER))
        authorization_server.outage = 401
        with pytest.raises(InvalidToken):
            await server.authenticate(bearer(ADMIN))
        assert server.health().status == "down"
        assert (await server.authenticate(bearer(READER))).subject == "alice"


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_probes_of_kubernetes(version: str) -> None:
    """The probes of the page are what a cluster takes, at the paths that are answered, and readiness kills nobody."""
    [block] = [block for block in blocks(PAGE, "yaml") if block.title == "probes"]
    probes: dict[str, Any] = yaml.safe_load(block.text)
    container = {"name": "orders", "image": "orders", "ports": [{"name": "http", "containerPort": 8000}], **probes}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "orders"}, "spec": {"containers": [container]}}
    VALIDATE(pod, version, strict=True)
    paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
    live, ready = Probes().live, Probes().ready
    assert paths == {"startupProbe": live, "livenessProbe": live, "readinessProbe": ready}


def test_others_that_ask() -> None:
    """What Compose runs can be compiled, and what systemd runs is a unit; both ask for a path that there is."""
    [service] = [yaml.safe_load(block.text) for block in blocks(PAGE, "yaml") if block.title == "service"]
    [*_, option, code] = service["healthcheck"]["test"]
    assert option == "-c"
    compile(code, PAGE, "exec")
    assert Probes().ready in code
    [unit] = blocks(PAGE, "ini")
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep upper case
    parser.read_string(unit.text)
    assert parser["Service"]["ExecStart"].endswith(Probes().live)
