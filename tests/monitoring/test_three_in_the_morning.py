"""Five things go wrong at once, each for an API of its own: the right alert fires, and everybody says the same.

A mock authorization server, the APIs, the store and Prometheus are processes of their own. The alert rules are the
project's, in a hurry: see ``tests/support/prometheus.py``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_as import MockASClient
from tests.interop.node import serving
from tests.support.prometheus import Prometheus, expressions, run_prometheus
from tests.support.valkey import Valkey

PATIENCE = 60.0
"""Seconds for all alerts to fire; a quiet machine needs a sixth of it."""
AUDIENCE = "https://api.example.test"
SECRET = "of all the workers that there are in a test"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be seen of one thing that goes wrong."""

    fires: Mapping[str, str]
    """The alerts, each with its severity."""
    readiness: tuple[int, str]
    callers: int
    """The status that somebody with a good token gets."""
    check: str
    """What the doctor names first of all that has failed."""
    words: str
    """What it says of that, among others."""
    may: frozenset[str]
    """Alerts that are as true, and may have begun by then."""


BUSY = frozenset({"ResourceServerSlow"})
"""A machine that does much else is slow, and says so."""
EXPECTED = {
    "stopped": Expected(
        fires={"ResourceServerAuthorizationServerDown": "warning"},
        readiness=(200, "degraded"),
        callers=200,
        check="discovery",
        words="nobody listens",
        may=BUSY | {"ResourceServerDegraded"},
    ),
    "rotated": Expected(
        fires={"ResourceServerUnknownKeys": "warning"},
        readiness=(200, "ready"),
        callers=401,
        check="jwks",
        words="is not published",
        may=BUSY | {"ResourceServerRefusalsRising"},
    ),
    "refused": Expected(
        fires={"ResourceServerCredentialsRefused": "critical", "ResourceServerDown": "critical"},
        readiness=(503, "down"),
        callers=401,
        check="introspection",
        words="401",
        may=BUSY,
    ),
    "skewed": Expected(
        fires={"ResourceServerClockSkew": "warning"},
        readiness=(200, "ready"),
        callers=200,
        check="clock",
        words="ahead of ours",
        may=BUSY,
    ),
    "cut": Expected(
        fires={"ResourceServerStoreDown": "warning"},
        readiness=(200, "degraded"),
        callers=200,
        check="store",
        words="store",
        may=BUSY | {"ResourceServerDegraded"},
    ),
}


@dataclass(slots=True)
class Api:
    """One of the APIs, as its callers see it, and its authorization server."""

    name: str
    mock: MockASClient
    options: dict[str, Any]
    client: httpx.Client
    token: str
    """Signed before anything has happened."""

    def call(self, token: str | None = None) -> int:
        """Present a token, and return the status of the answer."""
        return self.client.get("/orders", headers={"authorization": f"Bearer {token or self.token}"}).status_code

    def readiness(self) -> tuple[int, str]:
        """Return what an orchestrator learns."""
        answer = self.client.get("/readyz")
        return answer.status_code, answer.json()["status"]

    def doctor(self, folder: Path) -> subprocess.Popen[str]:
        """Begin to look at everything that the API leans on, with the token of its callers."""
        file = folder / f"{self.name}.token"
        file.write_text(self.token, encoding="utf-8")
        environment = {f"RESOURCE_SERVER_{name.upper()}": str(value) for name, value in self.options.items()}
        program = str(Path(sys.executable).with_name("resource-server"))
        command = [program, "doctor", "--json", "--timeout", f"{PATIENCE / 2:g}", "--token-file", str(file)]
        return subprocess.Popen(
            command, env=os.environ | environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@dataclass(slots=True)
class Night:
    """What was seen, before and after."""

    apis: dict[str, Api]
    prometheus: Prometheus
    calm: dict[str, tuple[int, str]] = field(default_factory=dict)
    fired_before: dict[str, dict[str, str]] = field(default_factory=dict)
    fired: dict[str, dict[str, str]] = field(default_factory=dict)
    """Every alert that has fired at any time: by API, each with its severity."""
    firing: dict[str, dict[str, str]] = field(default_factory=dict)
    """Those that fired at the end."""
    readiness: dict[str, tuple[int, str]] = field(default_factory=dict)
    callers: dict[str, int] = field(default_factory=dict)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Go on calling the APIs until something is so."""
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, self.fired
            self.callers = {name: api.call() for name, api in self.apis.items()}
            self.firing = self.prometheus.firing()
            for name, alerts in self.firing.items():
                self.fired.setdefault(name, {}).update(alerts)

    def is_calm(self) -> bool:
        """Tell whether all is well, and Prometheus knows it of all of them."""
        self.calm = {name: api.readiness() for name, api in self.apis.items()}
        asked = self.prometheus.query("resource_server_asks_total")
        up = self.prometheus.query("resource_server_store_up == 1 and resource_server_revocation_feed_up == 1")
        known = {sample["metric"]["job"] for sample in asked} == set(EXPECTED) and len(up) == 1
        return known and set(self.callers.values()) == {200} and set(self.calm.values()) == {(200, "ready")}

    def told(self) -> bool:
        """Tell whether every alert fires that should."""
        return all(expected.fires.items() <= self.firing.get(name, {}).items() for name, expected in EXPECTED.items())

    def look(self, folder: Path) -> None:
        """Ask everybody at the end."""
        self.readiness = {name: api.readiness() for name, api in self.apis.items()}
        doctors = {name: api.doctor(folder) for name, api in self.apis.items()}
        said = {name: doctor.communicate(timeout=PATIENCE) for name, doctor in doctors.items()}
        assert {doctor.returncode for doctor in doctors.values()} == {1}, said
        self.findings = {name: json.loads(output) for name, (output, _) in said.items()}


def configure(name: str, mock: MockASClient, store: Valkey) -> dict[str, Any]:
    """Return the options of the resource server of an API."""
    usual = {"issuer": mock.issuer, "audience": AUDIENCE, "cache_ttl": 0.5}
    if name == "rotated":
        return usual | {"strategy": "jwks"}
    client_id, client_secret = mock.credentials("rs")
    usual |= {"client_id": client_id, "client_secret": client_secret}
    return usual | ({"cache_url": store.url, "cache_secret": SECRET, "cache_timeout": 1.0} if name == "cut" else {})


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Generator[Night]:
    """Start everything, wait until all is well, break it, and look."""
    folder = tmp_path_factory.mktemp("night")
    serve = [sys.executable, "-m", "mock_as", "serve", "--port", "0", "--audience", AUDIENCE]
    with ExitStack() as stack:
        store = stack.enter_context(Valkey(folder))
        doomed, other = (stack.enter_context(serving(serve)) for _ in range(2))
        landlord = stack.enter_context(MockASClient(other.ready["issuer"]))
        mocks = {name: landlord.tenant(name) for name in EXPECTED}
        mocks["stopped"] = stack.enter_context(MockASClient(doomed.ready["issuer"]))
        options = {name: configure(name, mock, store) for name, mock in mocks.items()}
        (folder / "apis.json").write_text(json.dumps(options), encoding="utf-8")
        module = [sys.executable, "-m", "tests.support.observed_apis", str(folder / "apis.json")]
        ports = stack.enter_context(serving(module)).ready
        prometheus = stack.enter_context(run_prometheus(folder, ports))
        apis = {
            name: Api(
                name,
                mock,
                options[name],
                stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ports[name]}", trust_env=False)),
                mock.token(scope="read", format="jwt").value,
            )
            for name, mock in mocks.items()
        }
        found = Night(apis, prometheus)
        found.wait(found.is_calm)
        found.fired_before = dict(found.fired)
        doomed.kill()
        mocks["rotated"].keys.rotate(overlap=False)
        assert apis["rotated"].call(mocks["rotated"].token(scope="read").value) == 200
        mocks["refused"].clients["rs"] = replace(mocks["refused"].clients["rs"], secret="another one")
        mocks["skewed"].clock.advance(600)
        store.stop()
        found.wait(found.told)
        found.look(folder)
        yield found


def test_three_in_the_morning(night: Night, subtests: pytest.Subtests) -> None:
    """Each thing that goes wrong is told by the right alert, the readiness and the doctor, and by no wrong one.

    One test, so that whatever runs tests in parallel starts all of it once.
    """
    with subtests.test("before anything happens"):
        assert night.calm == dict.fromkeys(EXPECTED, (200, "ready"))
        assert night.fired_before == {}
    for name, expected in EXPECTED.items():
        with subtests.test(name):
            assert_told(night, name, expected)
    with subtests.test("what alerts say"):
        assert_filled_in(night.prometheus.annotations())
    with subtests.test("the dashboard"):
        for expression in expressions():
            night.prometheus.query(expression)


def assert_told(night: Night, name: str, expected: Expected) -> None:
    """Assert that everybody says of one thing that goes wrong what there is to say."""
    fired = night.fired[name]
    assert {alert: fired.get(alert) for alert in expected.fires} == expected.fires
    assert set(fired) - set(expected.fires) <= expected.may
    assert night.readiness[name] == expected.readiness
    assert night.callers[name] == expected.callers
    first = next(found for found in night.findings[name]["findings"] if found["verdict"] == "failed")
    assert first["check"] == expected.check, first
    assert expected.words in first["says"]
    assert first["mend"]


def assert_filled_in(said: list[dict[str, str]]) -> None:
    """Assert that no text has a gap where a label or a value should be."""
    assert {annotation["runbook_url"].partition("#")[0] for annotation in said} == {"docs/monitoring.md"}
    assert not [text for annotation in said for text in annotation.values() if "no value" in text or "error" in text]
    assert any(re.search("are (9m 5.s|10m 0s) apart", annotation["summary"]) for annotation in said)
