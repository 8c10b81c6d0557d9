"""What the tests over real sockets share: one server for each of uvicorn's two readers of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.answer import Answer
from tests.support.fastapi_app import ScriptedAS
from tests.support.live import exchange, request, serve
from tests.support.live_api import make_app
from tests.support.promises import assert_promises, logs_keep_secrets

__all__ = ["logs_keep_secrets"]


@dataclass(frozen=True, slots=True)
class Live:
    """A server that is up."""

    port: int
    http: str
    authorization_server: ScriptedAS

    def send(self, method: str, path: str, *fields: bytes, body: bytes = b"") -> Answer:
        """Send one request, and hold the answer to what holds for every answer."""
        answer = exchange(self.port, request(method, path, *fields), *([body] if body else []), method=method)
        assert_promises(answer)
        return answer


@pytest.fixture(scope="session", params=["h11", "httptools"])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """Serve the API, once for all the tests."""
    authorization_server = ScriptedAS()
    with serve(make_app(authorization_server.server()), request.param) as port:
        yield Live(port, request.param, authorization_server)
