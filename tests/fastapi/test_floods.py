"""What a client sees that has too many unknown tokens looked up, and who is taken for one client."""

from typing import Annotated, Any

import pytest
from fastapi import FastAPI

from resource_server import Principal, RequestParts
from resource_server.fastapi import install, require
from tests.support.answer import Answer
from tests.support.asgi import call
from tests.support.fastapi_app import READER, ScriptedAS
from tests.support.promises import assert_keeps_secrets, assert_refused

pytestmark = [pytest.mark.anyio, pytest.mark.attack("A-S-7")]

ALICE, MALLORY = ("192.0.2.1", 50_000), ("192.0.2.66", 50_000)


class API:
    """An application whose clients have addresses."""

    def __init__(self, authorization_server: ScriptedAS, **options: Any) -> None:
        """Allow each client two unknown tokens at once."""
        self.app = FastAPI()
        self.server = authorization_server.server(rate_limit=0.1, rate_limit_burst=2, **options)

        @self.app.get("/things")
        async def things(principal: Annotated[Principal, require("read")]) -> str:
            return principal.subject or ""

        install(self.app, self.server)

    async def send(self, token: str, client: tuple[str, int] | None, **sent: Any) -> Answer:
        """Send a request from an address."""

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await self.app(scope | {"client": client}, receive, send)

        return await call(app, "GET", "/things", token=token, **sent)


@pytest.mark.parametrize("accept", ["application/problem+json", "application/json"])
async def test_too_many(accept: str, authorization_server: ScriptedAS) -> None:
    """RFC 6585 §4: a client beyond its allowance is told what happened and when to come again; it is no challenge."""
    api = API(authorization_server)
    for number in range(2):
        assert_refused(await api.send(f"guess-canary-{number}", MALLORY), 401, "invalid_token")
    answer = await api.send("guess-canary-3", MALLORY, headers=[(b"accept", accept.encode())])
    assert answer.status == 429
    assert 1 <= int(answer.header("retry-after") or 0) <= 10
    assert (answer.header("cache-control"), answer.header("www-authenticate")) == ("no-store", None)
    assert answer.header("content-type") == accept
    assert_keeps_secrets(repr(answer.headers) + answer.body.decode())
    detail = "Too many unknown access tokens were sent"
    problem = {"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": detail}
    oauth = {"error": "temporarily_unavailable", "error_description": detail}
    assert answer.unnamed().json() == (problem if accept.endswith("problem+json") else oauth)
    assert authorization_server.introspections == 2


async def test_as_a_401(authorization_server: ScriptedAS) -> None:
    """Where it is configured so, the answer is that of any bad token."""
    api = API(authorization_server, rate_limited_status=401)
    answers = [await api.send(f"guess-canary-{number}", MALLORY) for number in range(3)]
    assert {answer.unnamed().body for answer in answers} == {answers[0].unnamed().body}
    for answer in answers:
        assert_refused(answer, 401, "invalid_token")
    assert authorization_server.introspections == 2


async def test_others_are_served(authorization_server: ScriptedAS) -> None:
    """One client's guesses are not another's, and what is known is served to all."""
    api = API(authorization_server)
    assert (await api.send(READER, MALLORY)).status == 200
    for number in range(3):
        await api.send(f"guess-canary-{number}", MALLORY)
    assert [(await api.send(READER, client)).status for client in (MALLORY, ALICE)] == [200, 200]
    assert_refused(await api.send("guess-canary", ALICE), 401, "invalid_token")


async def test_a_header_names_no_client(authorization_server: ScriptedAS) -> None:
    """Anybody can write ``X-Forwarded-For``: the client is who the server says it is."""
    api = API(authorization_server)
    statuses = [
        (await api.send(f"guess-canary-{number}", MALLORY, headers=_forwarded(number))).status for number in range(3)
    ]
    assert statuses == [401, 401, 429]


async def test_a_server_that_knows_no_client(authorization_server: ScriptedAS) -> None:
    """Behind a UNIX socket there is no address, and nobody is limited for what others do."""
    api = API(authorization_server)
    assert [(await api.send(f"guess-canary-{number}", None)).status for number in range(5)] == [401] * 5


def test_the_client_is_not_shown() -> None:
    """An address is personal data: it is not in what is shown of a request."""
    assert "192.0.2.1" not in repr(RequestParts("GET", (), peer="192.0.2.1"))


def _forwarded(number: int) -> list[tuple[bytes, bytes]]:
    address = b"198.51.100.%d" % number
    return [(b"x-forwarded-for", address), (b"forwarded", b"for=" + address), (b"x-real-ip", address)]
