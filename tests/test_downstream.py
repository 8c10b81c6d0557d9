"""Calling other services on behalf of a caller: which token goes where, and that the caller's own goes nowhere."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import httpx
import httpx2
import pytest
from starlette.requests import Request

from mock_as import Client, MockAS
from mock_as.clients import TOKEN_EXCHANGE
from resource_server import (
    AuthorizationServer,
    BlockingResourceServer,
    Clock,
    Event,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    RequestParts,
    ResourceServer,
    TokenExchangeRefused,
    TokenExchangeUnavailable,
    VerificationUnavailable,
    downstream,
)
from resource_server._protocol.token_request import ACCESS_TOKEN
from resource_server.downstream import TokenExchange
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.support.promises import CLIENT_SECRET, PRESENTED, logs_keep_secrets
from tests.support.told import noting

__all__ = ["logs_keep_secrets"]

pytestmark = pytest.mark.anyio

STOCK = "https://stock.example.com"
RS = Client(id="rs", secret=CLIENT_SECRET, introspect=True, grants=("client_credentials", TOKEN_EXCHANGE))


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let the authorization server know the resource server by a secret that can be looked for."""
    return {"clients": [RS]}


class Stock:
    """The other service.

    Args:
        answer: what it answers; by default always yes.
    """

    def __init__(self, answer: Callable[[httpx.Request], int] = lambda _: 200) -> None:
        """Begin without having been called."""
        self._answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Keep a request and answer it."""
        self.requests.append(request)
        return httpx.Response(self._answer(request))

    @property
    def tokens(self) -> list[str]:
        """The tokens it was sent, one after the other."""
        return [request.headers.get("authorization", "").removeprefix("Bearer ") for request in self.requests]

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Make a client of it, for tasks."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self), **options)


class Setting:
    """A resource server whose callers' tokens are exchanged at the mock.

    Args:
        mock_as: the authorization server.
        server: makes the resource server.
        options: options of it.
    """

    def __init__(self, mock_as: MockAS, **options: Any) -> None:
        """Ask nobody yet."""
        self.mock_as = mock_as
        self.events: list[Event] = []
        self.options: dict[str, Any] = {
            "issuer": mock_as.issuer,
            "audience": mock_as.options.audience,
            "client_id": "rs",
            "client_secret": CLIENT_SECRET,
            "clock": Clock(wall=mock_as.clock.now, monotonic=mock_as.clock.now),
            "observer": noting(self.events),
            "retries": 0,
        } | options
        self.server = ResourceServer(transport=mock_as.transport(), **self.options)

    def token(self, **claims: Any) -> str:
        """Return a caller's token, which must be sent nowhere else."""
        wanted: dict[str, Any] = {"sub": "alice", "scope": "read write"} | claims
        value = self.mock_as.token(**wanted).value
        PRESENTED.add(value)
        return value

    @property
    def exchanges(self) -> int:
        """How many exchanges the authorization server was asked for."""
        return self.mock_as.requests("token").count


@pytest.fixture
async def setting(mock_as: MockAS) -> AsyncGenerator[Setting, None]:
    """A resource server whose callers' tokens are exchanged at the mock."""
    made = Setting(mock_as)
    yield made
    await made.server.aclose()


@pytest.fixture
def threads(mock_as_server: MockAS) -> Generator[BlockingResourceServer, None, None]:
    """The same for threads, over sockets."""
    with BlockingResourceServer(**Setting(mock_as_server).options) as server:
        yield server


def claims(token: str) -> dict[str, Any]:
    """Read the claims of a JWT."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.mark.rfc("mcp-1")
async def test_another_token_is_sent(setting: Setting) -> None:
    """RFC 8693 §2: the other service gets a token for itself, in the name of the same subject; never the caller's."""
    stock, token = Stock(), setting.token()
    auth = setting.server.exchange(token, audience=STOCK, scope="read")
    async with stock.client() as client:
        answer = await client.get(f"{STOCK}/items", auth=auth, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    (sent,) = stock.tokens
    assert sent != token
    assert token not in repr(auth)
    said = claims(sent)
    assert (said["sub"], said["aud"], said["scope"]) == ("alice", STOCK, "read")


async def test_what_is_asked_for(setting: Setting) -> None:
    """RFC 8693 §2.1: subject, actor, audiences, resources and scopes stand in the form, our credentials beside it."""
    token, actor = setting.token(), setting.token(sub="robot")
    auth = setting.server.exchange(
        token, audience=["a", "b"], resource=STOCK, scope=["read", "write read"], actor_token=actor
    )
    async with Stock().client() as client:
        await client.get(STOCK, auth=auth)
    request = setting.mock_as.requests("token").last
    form = request.form
    assert request.client_id == "rs"
    assert form["grant_type"] == TOKEN_EXCHANGE
    assert (form["subject_token"], form["actor_token"]) == (token, actor)
    assert {form[name] for name in ("subject_token_type", "actor_token_type", "requested_token_type")} == {ACCESS_TOKEN}
    assert (form.get_all("audience"), form.get_all("resource")) == (["a", "b"], [STOCK])
    assert form["scope"] == "read write read"


async def test_the_health_of_the_token_endpoint(setting: Setting) -> None:
    """It is told of once it was needed; its failure degrades, and is over with the next token."""

    def told() -> tuple[str, list[tuple[str, str | None]]]:
        health = setting.server.health()
        return health.status, [(check.status, check.reason) for check in health.checks if check.name == "token"]

    assert told() == ("ready", [])
    setting.mock_as.fault("token", 503, times=1)
    async with Stock().client() as client:
        with pytest.raises(TokenExchangeUnavailable):
            await client.get(STOCK, auth=setting.server.exchange(setting.token(), audience=STOCK))
        assert told() == ("degraded", [("degraded", "status_503")])
        setting.mock_as.clock.advance(30)
        await client.get(STOCK, auth=setting.server.exchange(setting.token(), audience=STOCK))
    assert told() == ("ready", [("ready", None)])


@pytest.mark.parametrize("source", ["text", "bytes", "parts", "request"])
async def test_where_the_token_is_taken_from(setting: Setting, source: str) -> None:
    """The token is given as it is, or with the request that has brought it, ours or a framework's."""
    token, stock = setting.token(), Stock()
    field = (b"authorization", f"Bearer {token}".encode())
    given: Any = {
        "text": token,
        "bytes": token.encode(),
        "parts": RequestParts("GET", [field]),
        "request": Request({"type": "http", "headers": [field]}),
    }[source]
    async with stock.client() as client:
        await client.get(STOCK, auth=setting.server.exchange(given, audience=STOCK))
    assert setting.mock_as.requests("token").last.form["subject_token"] == token


@pytest.mark.parametrize("source", [RequestParts("GET", []), Request({"type": "http", "headers": []})])
async def test_a_request_without_a_token(setting: Setting, source: Any) -> None:
    """Where there is no token, there is nothing to exchange; and nothing is asked about what is none."""
    with pytest.raises(MissingToken):
        setting.server.exchange(source, audience=STOCK)
    with pytest.raises(InvalidRequest):
        setting.server.exchange("no token", audience=STOCK)


async def test_a_token_is_used_again(setting: Setting) -> None:
    """The same exchange is asked for once, until shortly before the end of its token."""
    token, stock = setting.token(), Stock()

    async def call(**wanted: Any) -> None:
        async with stock.client() as client:
            await client.get(STOCK, auth=setting.server.exchange(token, **({"audience": STOCK} | wanted)))

    for _ in range(3):
        await call()
    assert setting.exchanges == 1
    for wanted in ({"audience": "another"}, {"resource": STOCK}, {"scope": "read"}, {"actor_token": setting.token()}):
        await call(**wanted)
    assert setting.exchanges == 5
    said = claims(stock.tokens[0])
    lifetime = said["exp"] - said["iat"]
    setting.mock_as.clock.advance(lifetime - min(30, lifetime / 10) - 2)
    await call()
    assert setting.exchanges == 5
    setting.mock_as.clock.advance(3)
    setting.mock_as.expire(token)
    with pytest.raises(TokenExchangeRefused):
        await call()
    assert setting.exchanges == 6


async def test_many_calls_are_one_exchange(setting: Setting) -> None:
    """Those who want the same token at the same time wait for one exchange."""
    token, stock = setting.token(), Stock()
    async with stock.client() as client:
        with setting.mock_as.hold("token") as gate:
            calls = [
                asyncio.create_task(client.get(STOCK, auth=setting.server.exchange(token, audience=STOCK)))
                for _ in range(20)
            ]
            await gate.arrived(1)
            gate.release()
            await asyncio.gather(*calls)
    assert setting.exchanges == 1
    assert len(set(stock.tokens)) == 1


async def test_a_token_that_is_refused_is_exchanged_anew(setting: Setting) -> None:
    """Where the other service answers 401, it is sent another token, once; one that has just come is not replaced."""
    token = setting.token()
    stock = Stock(lambda request: 401 if request.headers["authorization"].endswith(tuple(bad)) else 200)
    bad: list[str] = []
    async with stock.client() as client:

        async def call() -> int:
            auth = setting.server.exchange(token, audience=STOCK)
            return (await client.post(STOCK, auth=auth, json={"n": 1})).status_code

        assert await call() == 200
        bad.append(stock.tokens[0])
        assert await call() == 401  # it came a moment ago
        setting.mock_as.clock.advance(5)
        assert await call() == 200
        assert (setting.exchanges, len(stock.requests)) == (2, 4)
        assert stock.requests[-1].content == b'{"n":1}'
        bad.append(stock.tokens[-1])
        setting.mock_as.clock.advance(5)
        bad.append("")  # whatever it is sent
        assert await call() == 401
    assert (setting.exchanges, len(stock.requests)) == (3, 6)


async def test_a_body_that_cannot_be_sent_again(setting: Setting) -> None:
    """A request whose body is a stream is sent once."""

    class Refusing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            assert [part async for part in request.stream]
            return httpx.Response(401)

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"x"

    async with httpx.AsyncClient(transport=Refusing()) as client:
        auth = setting.server.exchange(setting.token(), audience=STOCK)
        await client.post(STOCK, auth=auth, json={})
        setting.mock_as.clock.advance(5)
        assert (await client.post(STOCK, auth=auth, content=body())).status_code == 401
    assert setting.exchanges == 1


@pytest.mark.rfc("mcp-1")
@pytest.mark.parametrize("url", ["https://evil.example.com", "https://stock.example.com:8443", "http://localhost"])
async def test_one_service_only(setting: Setting, url: str) -> None:
    """A token goes to the service it was exchanged for first, and a request to another one is not sent."""
    stock = Stock()
    auth = setting.server.exchange(setting.token(), audience=STOCK)
    async with stock.client(auth=auth) as client:
        await client.get(STOCK)
        await client.get(f"{STOCK}:443/other")
        with pytest.raises(ValueError, match="for each service"):
            await client.get(url)
    assert len(stock.requests) == 2


@pytest.mark.rfc("mcp-1")
async def test_a_redirect_takes_no_token_along(setting: Setting) -> None:
    """A service that redirects elsewhere makes nobody send the token there, nor exchange it anew for a 401 there."""
    seen: list[httpx.Request] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "stock.example.com":
            return httpx.Response(307, headers={"location": "https://evil.example.com/"})
        return httpx.Response(401)

    auth = setting.server.exchange(setting.token(), audience=STOCK)
    async with httpx.AsyncClient(transport=httpx.MockTransport(redirect), follow_redirects=True) as client:
        for _ in range(2):
            assert (await client.get(STOCK, auth=auth)).status_code == 401
            setting.mock_as.clock.advance(5)
    assert [("authorization" in request.headers) for request in seen] == [True, False, True, False]
    assert setting.exchanges == 1


async def test_a_token_needs_tls(setting: Setting, mock_as: MockAS) -> None:
    """RFC 6750 §5.3: no token goes over http, but on this machine, or where that is configured."""
    stock = Stock()
    async with stock.client() as client:
        with pytest.raises(ValueError, match="not https"):
            await client.get("http://stock.internal", auth=setting.server.exchange(setting.token()))
        await client.get("http://127.0.0.1:1", auth=setting.server.exchange(setting.token()))
        open_setting = Setting(mock_as, allow_insecure_http=True)
        await client.get("http://stock.internal", auth=open_setting.server.exchange(setting.token()))
    await open_setting.server.aclose()
    assert len(stock.requests) == 2


async def test_an_outage_sends_nothing(setting: Setting) -> None:
    """Where the authorization server cannot be asked, no request goes out: it would have no token, or a wrong one."""
    stock = Stock()
    setting.mock_as.fault("token", 503, retry_after=7, times=1)
    async with stock.client() as client:
        with pytest.raises(TokenExchangeUnavailable) as caught:
            await client.get(STOCK, auth=setting.server.exchange(setting.token(), audience=STOCK))
    assert stock.requests == []
    assert isinstance(caught.value, VerificationUnavailable)
    assert (caught.value.status, caught.value.retry_after) == (503, 7.0)
    assert "another service" in str(caught.value)
    assert setting.events == [AuthorizationServerUnavailable("token", "status_503", 7.0, setting.mock_as.issuer)]


async def test_an_outage_without_a_time(setting: Setting) -> None:
    """An outage that says nothing about its end is met with the usual patience."""
    setting.mock_as.fault("token", "refused", times=1)
    async with Stock().client() as client:
        with pytest.raises(TokenExchangeUnavailable) as caught:
            await client.get(STOCK, auth=setting.server.exchange(setting.token(), audience=STOCK))
    assert caught.value.retry_after == 5.0


async def test_a_refusal_sends_nothing(setting: Setting) -> None:
    """RFC 8693 §2.2.2: where there is no token, the error is told by its code, and nothing else of the answer is."""
    stock, token = Stock(), setting.token()
    setting.mock_as.revoke(token)
    async with stock.client() as client:
        with pytest.raises(TokenExchangeRefused) as caught:
            await client.get(STOCK, auth=setting.server.exchange(token, audience=STOCK))
    assert caught.value.error == "invalid_request"
    assert str(caught.value) == "the authorization server gives no token for another service: invalid_request"
    assert (stock.requests, setting.events) == ([], [])


@pytest.mark.parametrize("mock_as_options", [{"clients": [Client(id="rs", secret=CLIENT_SECRET, introspect=True)]}])
async def test_a_refusal_that_is_about_us(setting: Setting) -> None:
    """A client that may not exchange tokens at all is a fault of the configuration, and told as one."""
    async with Stock().client() as client:
        with pytest.raises(TokenExchangeRefused) as caught:
            await client.get(STOCK, auth=setting.server.exchange(setting.token(), audience=STOCK))
    assert caught.value.error == "unauthorized_client"
    assert setting.events == [ConfigurationFault("token", "unauthorized_client", setting.mock_as.issuer)]


@pytest.mark.rfc("mcp-1")
@pytest.mark.parametrize("kind", ["the same token", "bound to a key"])
async def test_a_token_that_is_none_for_us(setting: Setting, kind: str) -> None:
    """The caller's own token is sent nowhere, even where it is the answer; nor is one whose key we do not have."""
    token, stock = setting.token(), Stock()
    answer = {
        "the same token": {"access_token": token, "token_type": "Bearer"},
        "bound to a key": {"access_token": "bound", "token_type": "DPoP"},
    }[kind]
    options: dict[str, Any] = setting.options | {"token_endpoint": "https://as.example.com/token"}
    server = ResourceServer(
        **options,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer)),
    )
    async with stock.client() as client:
        with pytest.raises(TokenExchangeRefused) as caught:
            await client.get(STOCK, auth=server.exchange(token, audience=STOCK))
    await server.aclose()
    assert caught.value.error == "unsupported_token"
    assert stock.requests == []


async def test_httpx2(setting: Setting) -> None:
    """The same works for httpx2, which takes an ``auth`` of its own kind only."""
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["authorization"])
        return httpx2.Response(200)

    auth = cast("Any", setting.server.exchange(setting.token(), audience=STOCK))
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        assert (await client.get(STOCK, auth=auth)).status_code == 200
    assert claims(seen[0].removeprefix("Bearer "))["aud"] == STOCK


async def test_without_httpx2(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no httpx2, it is not needed."""
    monkeypatch.setattr(downstream, "find_spec", lambda _: None)
    downstream._for_every_library.cache_clear()
    try:
        assert type(setting.server.exchange(setting.token())) is TokenExchange
    finally:
        downstream._for_every_library.cache_clear()


async def test_the_right_server_for_a_client(setting: Setting, threads: BlockingResourceServer) -> None:
    """Tasks must not wait as threads do, nor threads as tasks: the wrong kind of client is told so."""
    stock, token = Stock(), setting.token()
    with httpx.Client(transport=httpx.MockTransport(stock)) as client, pytest.raises(TypeError, match="AsyncClient"):
        client.get(STOCK, auth=setting.server.exchange(token))  # noqa: ASYNC212 - it is refused
    async with stock.client() as client_of_tasks:
        with pytest.raises(TypeError, match="AsyncClient"):
            await client_of_tasks.get(STOCK, auth=threads.exchange(token))
    assert stock.requests == []


def test_threads(threads: BlockingResourceServer, mock_as_server: MockAS) -> None:
    """In threads it is the same: one exchange for all, and another token where one is refused."""
    bad: list[str] = []
    stock = Stock(lambda request: 401 if request.headers["authorization"].endswith(tuple(bad)) else 200)
    token = mock_as_server.token(sub="alice", scope="read").value
    PRESENTED.add(token)
    with httpx.Client(transport=httpx.MockTransport(stock)) as client:

        def call(_: int) -> int:
            return client.get(STOCK, auth=threads.exchange(token, audience=STOCK)).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(call, range(16))) == {200}
        assert mock_as_server.requests("token").count == 1
        assert claims(stock.tokens[0])["aud"] == STOCK
        bad.append(stock.tokens[0])
        assert call(0) == 401
        mock_as_server.clock.advance(5)
        assert call(0) == 200
    assert len(set(stock.tokens)) == 2


async def test_several_issuers(mock_as: MockAS) -> None:
    """With several authorization servers, each token is exchanged where it comes from, and no other is asked."""
    other = mock_as.tenant()
    shared: Any = {"client_id": "rs", "client_secret": CLIENT_SECRET, "token_format": "jwt"}
    issuers = [AuthorizationServer(issuer=issuer, **shared) for issuer in (mock_as.issuer, other.issuer)]
    server = ResourceServer(
        authorization_servers=issuers, audience=mock_as.options.audience, transport=mock_as.transport()
    )
    token, stock = other.token(sub="bob", scope="read").value, Stock()
    async with stock.client() as client:
        await client.get(STOCK, auth=server.exchange(token, audience=STOCK))
    assert claims(stock.tokens[0])["iss"] == other.issuer
    assert (mock_as.requests("token").count, other.requests("token").count) == (0, 1)
    foreign = MockAS(issuer="https://evil.example.com").token(sub="eve").value
    with pytest.raises(InvalidToken):
        server.exchange(foreign, audience=STOCK)
    await server.aclose()
