"""The ASGI application that receives security events and logouts: every answer it can give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI

from resource_server import ResourceServer
from resource_server.fastapi import install, require
from resource_server.receiver import MAX_BODY_BYTES, EventReceiver
from tests.support.answer import Answer
from tests.support.asgi import call, handshake
from tests.support.jwt import NOW, REMOVED, signing_key
from tests.support.notices import logout_token, security_event
from tests.support.origin import Origin, publishes, says, says_yes
from tests.support.play import Time, options
from tests.support.promises import assert_keeps_secrets

pytestmark = pytest.mark.anyio

PUSH = "application/secevent+jwt"
FORM = "application/x-www-form-urlencoded"
PATH = "/security-events"


class Play:
    """A receiver, and the resource server behind it, whose tokens are all alice's and a minute old."""

    def __init__(self, changes: dict[str, Any] | None = None, **replies: Any) -> None:
        """Begin with nothing known."""
        yes = says_yes(sub="alice", sid="session-1", iat=int(NOW) - 60)
        self.origin = Origin(**({"introspect": yes, "jwks": publishes(signing_key("ES256"))} | replies))
        self.server = ResourceServer(
            transport=self.origin, clock=Time().clock, observer=lambda _: None, **options(**(changes or {}))
        )
        self.app = EventReceiver(self.server)

    async def push(self, body: str | Iterable[dict[str, Any]], content_type: str | None = PUSH) -> Answer:
        """Send a body, and hold the answer to what holds for every answer."""
        content = body.encode("latin-1") if isinstance(body, str) else body
        answer = await call(self.app, "POST", PATH, body=content, content_type=content_type)
        assert_keeps_secrets(repr(answer.headers) + answer.body.decode())
        assert answer.header("cache-control") == "no-store"
        assert answer.header("content-length") == str(len(answer.body))
        return answer

    async def log_out(self, *fields: tuple[str, str]) -> Answer:
        """Send a form."""
        return await self.push(urlencode(fields), FORM)


async def test_accepted() -> None:
    """RFC 8935 §2.2: a token that is accepted is answered with 202 and no body; so is one that comes again."""
    play = Play()
    for _ in range(2):
        answer = await play.push(security_event())
        assert (answer.status, answer.body) == (202, b"")


async def test_logged_out() -> None:
    """OpenID Back-Channel Logout §2.8: a logout that is done is answered with 200, and nobody may keep the answer."""
    answer = await Play().log_out(("state", "x"), ("logout_token", logout_token()))
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (security_event(jti=REMOVED), "invalid_request"),
        (security_event(iss="https://other.example.com"), "invalid_issuer"),
        (security_event(aud="https://other.example.com"), "invalid_audience"),
        (security_event(key=signing_key("ES256", "other")), "invalid_key"),
        (security_event()[:-8] + "AAAAAAAA", "authentication_failed"),
        ("<script>canary</script>", "invalid_request"),
        ("", "invalid_request"),
    ],
    ids=["no jti", "issuer", "audience", "key", "signature", "garbage", "nothing"],
)
async def test_refused(token: str, error: str) -> None:
    """RFC 8935 §2.3: a refusal is JSON with a code and a constant sentence, in a language that is named."""
    answer = await Play().push(token)
    assert answer.status == 400
    assert (answer.header("content-type"), answer.header("content-language")) == ("application/json", "en")
    members = json.loads(answer.body)
    assert members.keys() == {"err", "description"}
    assert members["err"] == error
    assert "canary" not in members["description"]


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("logout_token", "")],
        [("logout_token", "canary")],
        [("logout_token", logout_token()), ("logout_token", logout_token())],
        [("Logout_token", logout_token())],
        [("logout_token", logout_token(nonce="n"))],
        [("logout_token", logout_token() + "\u2026")],
        [(f"field-{number}", "x") for number in range(20)],
    ],
    ids=["nothing", "empty", "garbage", "two", "another name", "with a nonce", "not ASCII", "too many fields"],
)
async def test_refused_logout(fields: list[tuple[str, str]]) -> None:
    """OpenID Back-Channel Logout §2.8: what is no logout is answered with 400, in the words of OAuth."""
    answer = await Play().log_out(*fields)
    assert answer.status == 400
    members = json.loads(answer.body)
    assert (members.keys(), members["error"]) == ({"error", "error_description"}, "invalid_request")
    assert "canary" not in answer.body.decode()


@pytest.mark.parametrize("body", ["logout_token=%ff", "logout_token=\xff", "logout_token=%e2%80%a6"])
async def test_form_that_is_not_ascii(body: str) -> None:
    """A form whose token is no text of a token is refused, and breaks nothing."""
    assert (await Play().push(body, FORM)).status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods(method: str) -> None:
    """RFC 9110 §15.5.6: whatever is not POST is answered with 405, which says so, and its body is not read."""
    answer = await call(Play().app, method, PATH, body=b"x", content_type=PUSH)
    assert (answer.status, answer.header("allow"), answer.reads) == (405, "POST", 0)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jwt", "application/json", f"{PUSH}+x"])
async def test_other_media_types(content_type: str | None) -> None:
    """RFC 9110 §15.5.16: another media type is answered with 415, and its body is not read."""
    answer = await Play().push(security_event(), content_type)
    assert (answer.status, answer.reads) == (415, 0)
    assert (answer.header("accept") or "").split(", ") == [PUSH, FORM]


@pytest.mark.parametrize("content_type", [f"{PUSH}; charset=utf-8", "Application/SecEvent+JWT"])
async def test_spellings_of_the_media_type(content_type: str) -> None:
    """RFC 9110 §8.3.1: a media type compares without case, and may have parameters."""
    assert (await Play().push(security_event(), content_type)).status == 202


async def test_two_media_types() -> None:
    """A request that says two things about its body says nothing."""
    headers = [(b"content-type", PUSH.encode()), (b"content-type", FORM.encode())]
    answer = await call(Play().app, "POST", PATH, body=security_event().encode(), headers=headers)
    assert answer.status == 415


def parts(*chunks: bytes) -> list[dict[str, Any]]:
    """Make the messages that bring a body in pieces."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    return [*messages, {"type": "http.request", "more_body": False}]


async def test_body_in_pieces() -> None:
    """A body may come in as many pieces as it likes."""
    token = security_event().encode()
    answer = await Play().push(parts(*(token[at : at + 7] for at in range(0, len(token), 7))))
    assert answer.status == 202


@pytest.mark.attack("A-S-7")
async def test_body_that_is_too_long() -> None:
    """A body is read no further than shows that it is too long."""
    chunk = b"x" * (MAX_BODY_BYTES // 4)
    answer = await Play().push(parts(*[chunk] * 100))
    assert (answer.status, answer.reads) == (413, 5)
    assert (await Play().push(parts(*[chunk] * 4))).status == 400


async def test_client_that_goes_away() -> None:
    """Nobody is answered who has gone away in the middle of the body."""
    play = Play()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", PUSH.encode())]}
    await play.app(scope, receive, send)
    assert sent == []


async def test_slow_body() -> None:
    """RFC 9110 §15.5.9: a body that does not come in time is waited for no longer."""
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", PUSH.encode())]}
    await Play({"timeout": 0.05}).app(scope, receive, send)
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("content_type", [PUSH, FORM])
async def test_outage(content_type: str) -> None:
    """RFC 8935 §2.4: where no key can be had it is not the sender's mistake: 503, and when to come back."""
    play = Play(jwks=says(503, retry_after="7"))
    body = security_event() if content_type == PUSH else urlencode({"logout_token": logout_token()})
    answer = await play.push(body, content_type)
    assert (answer.status, answer.body) == (503, b"")
    assert 1 <= int(answer.header("retry-after") or "") <= 7


async def test_websocket_and_lifespan() -> None:
    """There is nothing here for a WebSocket, which is refused, and nothing to start."""
    play = Play()
    refused = await handshake(play.app, PATH)
    assert (refused.accepted, refused.close_code) == (False, 1000)

    async def nothing(*_: Any) -> Any:
        pytest.fail("a lifespan needs no message")

    await play.app({"type": "lifespan"}, nothing, nothing)


@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "as a route"])
async def test_beside_an_application(mounted: bool) -> None:  # noqa: FBT001 - a parameter
    """In a FastAPI application it needs no token, and what it receives ends what the routes accept."""
    play = Play()
    app = FastAPI()
    if mounted:
        app.mount("/security-events", EventReceiver(play.server))
    else:
        receiver: Any = EventReceiver(play.server)  # any ASGI application can be a route
        app.add_route("/security-events", receiver)
    install(app, play.server)

    @app.get("/orders", dependencies=[require("read")])
    async def orders() -> str:
        return "orders"

    assert (await call(app, "GET", "/orders", token="opaque-canary")).status == 200
    path = "/security-events/" if mounted else "/security-events"
    answer = await call(app, "POST", path, body=security_event().encode(), content_type=PUSH)
    assert answer.status == 202
    assert (await call(app, "GET", "/orders", token="opaque-canary")).status == 401
    assert (await call(app, "GET", path)).status == 405
