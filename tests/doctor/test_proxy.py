"""The doctor sends requests through what stands in front of an API, and knows what usually goes wrong there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mock_as import MockAS
from resource_server._doctor import proxy
from resource_server._doctor.finding import Finding
from resource_server._doctor.proxy import judge_proxy
from resource_server._protocol.sample import Sample
from tests.support.api import API
from tests.support.examined import examined, of
from tests.support.live import serve
from tests.support.valkey import free_port

pytestmark = pytest.mark.anyio

Fields = list[tuple[bytes, bytes]]
BARE = (b"www-authenticate", b'Bearer realm="api"')
WRONG = (b"www-authenticate", b'Bearer realm="api", error="invalid_request"')
NO_STORE = (b"cache-control", b"no-store")
Said = tuple[int, Fields]
Script = Callable[[str], Any]
GOOD: Said = (401, [BARE, NO_STORE])
REFUSED: Said = (400, [WRONG, NO_STORE])


def application(script: Script) -> Any:
    """Make an application that answers by what is sent: ``bare``, ``malformed``, ``token``, or a path of metadata."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        authorization = dict(scope["headers"]).get(b"authorization", b"")
        sent = "bare" if not authorization else "malformed" if authorization.count(b" ") > 1 else "token"
        status, fields, *body = script(scope["path"] if scope["path"].startswith("/.well-known") else sent)
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body[0] if body else b""})

    return app


async def judged(script: Script, token: str | None = None) -> list[Finding]:
    """Have the doctor look at a server that answers by a script."""
    sample = None if token is None else Sample(token.encode())
    with serve(application(script), "h11") as port:
        return await judge_proxy(f"http://127.0.0.1:{port}/things", sample, 5.0)


def answering(
    bare: Said = GOOD, malformed: Said = REFUSED, token: Said = (200, []), metadata: Any = (404, [])
) -> Script:
    """Answer by what is sent."""
    return lambda sent: {"bare": bare, "malformed": malformed, "token": token}.get(sent, metadata)


async def test_a_good_one() -> None:
    """Where everything comes back whole, nothing is to be mended."""
    [found] = await judged(answering(), token="good-token")
    assert found.verdict == "ok"


async def test_our_own_api(mock_as: MockAS) -> None:
    """Our own door is a good one, metadata and all."""
    api = API(mock_as, resource="https://api.example.test/")
    with serve(api.app, "h11") as port:
        found = await judge_proxy(f"http://127.0.0.1:{port}/things", None, 5.0)
    # The metadata are where clients see us, which is not where this test is: all the rest is good.
    assert [(one.verdict, "at another address" in one.says) for one in found] == [("warning", True)]


async def test_our_own_api_without_metadata(mock_as: MockAS) -> None:
    """The same without metadata."""
    with serve(API(mock_as).app, "h11") as port:
        [found] = await judge_proxy(f"http://127.0.0.1:{port}/things", None, 5.0)
    assert found.verdict == "ok"


@pytest.mark.parametrize(
    ("bare", "verdict", "word"),
    [
        ((302, [(b"location", b"https://login.example/sign-in?state=1")]), "failed", "https://login.example/sign-in"),
        ((302, [(b"location", b"/sign-in")]), "failed", "a redirect to /sign-in"),
        ((303, []), "failed", "a redirect to"),
        ((200, []), "failed", "200, where 401 belongs"),
        ((404, []), "failed", "404, where 401 belongs"),
        ((500, []), "failed", "500, where 401 belongs"),
        ((403, []), "failed", "403, where 401 belongs"),
        ((401, [NO_STORE]), "failed", "without WWW-Authenticate"),
        ((401, [NO_STORE, (b"www-authenticate", b"=?")]), "failed", "cannot be parsed"),
        ((401, [NO_STORE, (b"www-authenticate", b'Basic realm="proxy"')]), "failed", "asks for basic"),
        ((401, [NO_STORE, WRONG]), "warning", "has an error code"),
        ((401, [BARE]), "warning", "Cache-Control: no-store"),
    ],
)
async def test_a_request_without_a_token(bare: Said, verdict: str, word: str) -> None:
    """Whatever comes back in place of a bare challenge is named."""
    found = (await judged(answering(bare=bare)))[0]
    assert found.verdict == verdict
    assert word in found.says


async def test_two_challenges() -> None:
    """Two challenges in two fields are as good as two in one."""
    two = (401, [NO_STORE, BARE, (b"www-authenticate", b'DPoP algs="ES256"')])
    assert [found.verdict for found in await judged(answering(bare=two))] == ["ok"]


@pytest.mark.parametrize(
    ("malformed", "verdict", "word"),
    [
        ((500, []), "failed", "answered with 500, where 400 belongs"),
        ((200, []), "warning", "answered with 200"),
        ((400, []), "warning", "without its challenge"),
        ((401, [BARE]), "warning", "without its challenge"),
        ((401, [(b"www-authenticate", b"=?")]), "warning", "without its challenge"),
    ],
)
async def test_a_malformed_request(malformed: Said, verdict: str, word: str) -> None:
    """Nginx makes 500 of 400, and some proxies lose its challenge."""
    [found] = await judged(answering(malformed=malformed))
    assert found.verdict == verdict
    assert word in found.says


@pytest.mark.parametrize(
    ("token", "verdict", "word"),
    [
        ((403, [(b"www-authenticate", b'Bearer error="insufficient_scope"')]), "warning", "403 insufficient_scope"),
        ((403, []), "failed", "without its challenge"),
        ((500, []), "failed", "the answer is 500"),
    ],
)
async def test_a_request_with_a_token(token: Said, verdict: str, word: str) -> None:
    """A refusal of the token is to come back whole too."""
    [found] = await judged(answering(token=token), token="some-token")
    assert found.verdict == verdict
    assert word in found.says


@pytest.mark.parametrize(
    ("url", "metadata", "word"),
    [
        (b"http://127.0.0.1:%d/.well-known/oauth-protected-resource", (200, [], b'{"resource": "https://api"}'), None),
        (b"http://127.0.0.1:%d/.well-known/oauth-protected-resource", (200, [], b"[]"), "cannot be read"),
        (b"http://127.0.0.1:%d/.well-known/oauth-protected-resource", (401, []), "cannot be read"),
        (b"file:///etc/passwd?%d", (404, []), "at another address"),
    ],
)
async def test_our_metadata(url: bytes, metadata: Any, word: str | None) -> None:
    """What the challenge points to must be readable, and at an address of the web."""
    port = free_port()

    def script(sent: str) -> Any:
        field = b'Bearer resource_metadata="' + url % port + b'"'
        return answering(bare=(401, [NO_STORE, (b"www-authenticate", field)]), metadata=metadata)(sent)

    with serve(application(script), "h11") as listening:
        port = listening
        [found] = await judge_proxy(f"http://127.0.0.1:{port}/things", None, 5.0)
    assert (found.verdict == "ok") == (word is None)
    assert word is None or word in found.says


@pytest.mark.attack("A-H-2")
@pytest.mark.parametrize(
    ("bare", "word"),
    [
        ((302, [(b"location", b"http://[")]), "a redirect to"),
        ((302, [(b"location", b"https://user:word@login.example/start?state=secret-state")]), "https://login.example/"),
        (
            (401, [NO_STORE, (b"www-authenticate", b'Bearer resource_metadata="https://[/?secret-state"')]),
            "at another address",
        ),
    ],
)
async def test_an_address_that_is_none(bare: Said, word: str) -> None:
    """An address that cannot be taken apart is no crash; of one that can be, nothing is told that may be secret."""
    [found] = await judged(answering(bare=bare))
    assert word in found.says
    assert "secret-state" not in found.says
    assert "user:word" not in found.says


@pytest.mark.rfc("6750-5.3-b")
async def test_a_token_goes_nowhere_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everybody on the way could read it, a good token is not tried out."""
    monkeypatch.setattr(proxy, "is_loopback", lambda _: False)
    asked: list[str] = []

    def script(sent: str) -> Any:
        asked.append(sent)
        return answering()(sent)

    [found] = await judged(script, token="good-token")
    assert (found.verdict, "was not sent" in found.says) == ("warning", True)
    assert asked == ["bare", "malformed"]


async def test_nobody_there() -> None:
    """An API that is not there is told as that."""
    [found] = await judge_proxy(f"http://127.0.0.1:{free_port()}/things", None, 5.0)
    assert "(connect)" in found.says


@pytest.mark.parametrize("sent", ["malformed", "token"])
async def test_an_answer_that_is_no_use(sent: str) -> None:
    """A proxy that breaks off in the middle is told as that, whatever was sent."""
    coded = (400, [(b"content-encoding", b"br")])
    script = answering(malformed=coded) if sent == "malformed" else answering(token=coded)
    [found] = await judged(script, token="some-token")
    assert found.verdict == "failed"
    assert "(content_encoding)" in found.says


async def test_the_whole_doctor(mock_as_server: MockAS) -> None:
    """The proxies are looked at with everything else, and where the configuration is broken too."""
    with serve(application(answering(bare=(500, []))), "h11") as port:
        url = f"http://127.0.0.1:{port}/things"
        report = await examined(mock_as_server, url=url)
        assert of(report, "proxy").verdict == "failed"
        report = await examined(mock_as_server, url=url, issuer="ftp://as")
    assert of(report, "proxy").verdict == "failed"
    assert of(report, "configuration").verdict == "failed"
