"""What the scenarios share: every judge in turn, and an API that asks it over a socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from mock_as.pytest_plugin import MockASFactory
from resource_server import Clock, ResourceServer
from resource_server.events import Event
from resource_server.fastapi import install
from tests.scenarios.judges import Judge, OIDCProvider, mock_judge, oidc_provider
from tests.support.answer import Answer
from tests.support.api import application
from tests.support.asgi import call
from tests.support.jwt import REMOVED
from tests.support.promises import assert_keeps_secrets, assert_promises, logs_keep_secrets

__all__ = ["logs_keep_secrets"]

# The second is what the mock takes the other judge to be.
PROFILES = {"mock-as": "strict", "mock-as as oidc-provider": "oidc-provider"}
JUDGES = [*PROFILES, "oidc-provider"]


class Api:
    """A protected API whose clock is the judge's.

    Args:
        judge: whom it asks.
        options: options of the resource server; ``REMOVED`` takes one of the usual ones away.
    """

    def __init__(self, judge: Judge, **options: Any) -> None:
        client_id, secret = judge.caller
        self.events: list[Event] = []
        defaults: dict[str, Any] = {
            "issuer": judge.issuer,
            "audience": judge.audience,
            "client_id": client_id,
            "client_secret": secret,
            "unavailable_status": 503,
            "clock": Clock(wall=judge.now, monotonic=judge.now),
            "observer": self.events.append,
        }
        chosen = {name: value for name, value in (defaults | options).items() if value is not REMOVED}
        self.server = ResourceServer(**chosen)
        self._app = application(Counter())
        install(self._app, self.server)

    async def get(self, token: str | None, path: str = "/things") -> Answer:
        """Send a request, and hold the answer to what holds for every answer."""
        answer = await call(self._app, "GET", path, token=token)
        assert_promises(answer)
        return answer

    async def send(self, token: str, scheme: str, **fields: str) -> Answer:
        """Send a request under a scheme, with further header fields."""
        sent = {"authorization": f"{scheme} {token}"} | fields
        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
        answer = await call(self._app, "GET", "/things", headers=headers)
        assert_keeps_secrets(repr(answer))
        return answer

    def saw(self, kind: type[Event]) -> bool:
        """Tell whether something was reported."""
        return any(isinstance(event, kind) for event in self.events)


MakeApi = Callable[..., Api]


@pytest.fixture
async def make_api(judge: Judge) -> AsyncIterator[MakeApi]:
    """Make APIs that ask the judge, and close their connections afterwards."""
    made: list[Api] = []

    def make(**options: Any) -> Api:
        made.append(Api(judge, **options))
        return made[-1]

    yield make
    for api in made:
        await api.server.aclose()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Make an API with the options that come of themselves."""
    return make_api()


@pytest.fixture(scope="session")
def provider() -> Iterator[OIDCProvider]:
    """Run oidc-provider, once for all the scenarios."""
    with oidc_provider() as judge:
        yield judge


@pytest.fixture(params=JUDGES)
def judge(request: pytest.FixtureRequest, mock_as_factory: MockASFactory) -> Iterator[Judge]:
    """Give each judge in turn, as it was at the beginning."""
    if request.param == "oidc-provider":
        judge = request.getfixturevalue("provider")
        yield judge
        judge.set_clock(0)
    else:
        with mock_judge(mock_as_factory(issuer="auto", profile=PROFILES[request.param])) as mock:
            yield mock


@pytest.fixture(params=JUDGES)
def mortal(request: pytest.FixtureRequest, mock_as_factory: MockASFactory) -> Iterator[Judge]:
    """Give each judge in turn, one of its own kind that nobody else needs."""
    if request.param == "oidc-provider":
        with oidc_provider() as judge:
            yield judge
    else:
        with mock_judge(mock_as_factory(issuer="auto", profile=PROFILES[request.param])) as mock:
            yield mock
