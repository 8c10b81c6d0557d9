"""The gateway's answers: who is let in, what of a refusal reaches each kind of proxy, and what is said of whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from resource_server import ConfigurationError, ResourceServer
from resource_server.events import UnprotectedRoutes
from resource_server.forward_auth import ForwardAuth
from tests.gateway.door import ENDPOINTS, STRANGER, Door, forwarded, identity, is_nobody, original
from tests.support.answer import Answer
from tests.support.asgi import handshake
from tests.support.headers import bearer_params
from tests.support.instance import instance_in, without_instance

pytestmark = pytest.mark.anyio


def meant(answer: Answer) -> tuple[int, Any]:
    """Return the status and the body that are meant, whoever passes them on."""
    if answer.header("x-error-status") is None:
        return answer.status, json.loads(without_instance(answer.body)) if answer.body else None
    assert answer.body == b""
    assert answer.header("content-length") == "0"
    status, body = answer.header("x-error-status") or "200", answer.header("x-error-body")
    return int(status), json.loads(without_instance(body.encode("ascii"))) if body else None


@pytest.mark.attack("A-FA-1")
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_who_is_let_in(path: str) -> None:
    """A yes tells who is calling, in both spellings of each field, and takes the caller's token away."""
    door = Door()
    token = door.mock_as.token(scope="orders:write orders:read", sub="subject-1", client_id="orders-frontend")
    answer = await door.ask(path, token)
    assert answer.status == 200
    assert answer.body == b""
    assert answer.header("content-length") == "0"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("authorization") == ""
    told = identity(answer)
    claims = json.loads(told.pop("claims"))
    assert claims["sub"] == "subject-1"
    assert told == {
        "subject": "subject-1",
        "client": "orders-frontend",
        "scopes": "orders:read orders:write",
        "issuer": door.mock_as.issuer,
        "assurance": "introspected",
    }
    again = await door.ask(path, token)
    assert again.headers == answer.headers


@pytest.mark.attack("A-FA-1")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("token", [None, "unknown-token-canary"])
async def test_a_no_tells_of_nobody(path: str, token: str | None) -> None:
    """A refusal clears every field of identity, whatever the client has written there."""
    door = Door()
    spoofed = [(b"x-auth-subject", b"admin"), (b"x_auth_subject", b"admin"), (b"x-auth-scopes", b"admin")]
    answer = await door.ask(path, token, headers=spoofed)
    assert answer.status == 401
    assert is_nobody(answer)
    assert answer.header("authorization") is None


@pytest.mark.parametrize("path", ENDPOINTS[:2])
async def test_a_refusal_is_the_servers(path: str) -> None:
    """What a refused client is to get is what the server renders; nginx is told it in fields, beside the challenge."""
    door = Door()
    answer = await door.ask(path, door.mock_as.token(scope="profile"), query="scope=orders:read")
    status, body = meant(answer)
    assert status == answer.status == 403
    assert body["error"] == "insufficient_scope"
    assert bearer_params(answer.header("www-authenticate") or "")["scope"] == "orders:read"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("content-type") == "application/problem+json"


async def test_what_nginx_cannot_pass_on() -> None:
    """Whatever is neither a yes nor a 401 is a 403 for nginx, and says what is meant in one line of ASCII."""
    door = Door(unavailable_status=503)
    door.mock_as.fault("introspect", status=500)
    door.mock_as.fault("jwks", status=500)
    answer = await door.ask("/auth/nginx", door.mock_as.token(format="opaque"))
    assert answer.status == 403
    assert meant(answer)[0] == 503
    assert int(answer.header("retry-after") or "") >= 1
    malformed = await door.ask("/auth/nginx", headers=[(b"authorization", b"Bearer a b")])
    assert (malformed.status, meant(malformed)[0]) == (403, 400)
    plain = await door.ask("/auth", headers=[(b"authorization", b"Bearer a b")])
    assert plain.status == 400
    assert meant(plain)[1] == meant(malformed)[1]


async def test_the_name_of_a_refusal() -> None:
    """What names a refusal is in the body that nginx replays, and in no other field."""
    door = Door()
    answer = await door.ask("/auth/nginx")
    named = instance_in((answer.header("x-error-body") or "").encode("ascii"))
    assert named is not None
    assert [name for name, value in answer.headers if named in value] == ["x-error-body"]


@pytest.mark.parametrize("path", ENDPOINTS[:2])
async def test_hidden(path: str) -> None:
    """With hide=404 a token that grants too little sees what is at a path where nothing is; no token is a 401 still."""
    door = Door()
    query = "scope=admin&hide=404"
    hidden = await door.ask(path, door.mock_as.token(scope="profile"), query=query)
    nowhere = await door.ask("/nowhere")
    assert nowhere.status == 404
    assert meant(hidden) == meant(nowhere)
    assert hidden.header("www-authenticate") is None
    assert is_nobody(hidden)
    assert (await door.ask(path, query=query)).status == 401


async def test_ajax() -> None:
    """With ajax=403 a script gets 403 where a login page would break it, with the same challenge."""
    door = Door()
    script = [(b"x-requested-with", b"XMLHttpRequest")]
    answer = await door.ask("/auth/nginx", headers=script, query="ajax=403")
    assert (answer.status, meant(answer)[0]) == (403, 403)
    assert answer.header("www-authenticate") == 'Bearer realm="api"'
    assert (await door.ask("/auth/nginx", query="ajax=403")).status == 401
    assert (await door.ask("/auth/nginx", headers=script)).status == 401


@pytest.mark.parametrize("query", ["nonsense=1", "scope=a&hide=404&hide=404", "max_age=soon", "scope"])
@pytest.mark.parametrize("path", ENDPOINTS[:2])
async def test_a_policy_that_cannot_be_understood(path: str, query: str) -> None:
    """A query that demands nothing anybody knows of lets nobody in, and is told loudly."""
    door = Door()
    answer = await door.ask(path, door.mock_as.token(scope="a"), query=query)
    assert meant(answer)[0] == 500
    assert is_nobody(answer)
    assert len(door.faults) == 1


async def test_envoy_writes_no_policy() -> None:
    """What stands in the query behind Envoy's prefix is the caller's, so it decides about nothing."""
    door = Door()
    answer = await door.ask("/auth/envoy/orders", door.mock_as.token(scope="a"), query="scope=b&nonsense=1")
    assert answer.status == 200


@pytest.mark.attack("A-R-10")
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW"])
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_methods(path: str, method: str) -> None:
    """Every method needs a token, the question's as well as the request's; nothing of a token is in the answer."""
    door = Door()
    told = [*forwarded(method=method), *original(method=method)]
    refused = await door.ask(path, method=method, headers=told)
    assert refused.status == 401
    assert (refused.body == b"") == (method == "HEAD" or path == "/auth/nginx")
    token = door.mock_as.token()
    answer = await door.ask(path, token, method=method, headers=told)
    assert answer.status == 200
    assert all(token.value not in value for _, value in answer.headers)
    assert answer.reads == 0


@pytest.mark.attack("A-F-8")
@pytest.mark.parametrize(("path", "told"), [("/auth", forwarded), ("/auth/nginx", original)])
async def test_a_preflight(path: str, told: Any) -> None:
    """A browser's preflight passes without a token and as nobody; OPTIONS that are none do not."""
    door = Door()
    asking = [(b"origin", b"https://app.example"), (b"access-control-request-method", b"PUT")]
    answer = await door.ask(path, headers=[*told(method="OPTIONS"), *asking], query="scope=admin")
    assert answer.status == 200
    assert is_nobody(answer)
    assert answer.header("authorization") == ""
    for fields in ([*told(method="OPTIONS"), asking[0]], [*told(method="GET"), *asking]):
        assert (await door.ask(path, headers=fields)).status == 401
    # Who is not believed could make any request a preflight; and so could a second field of the same name.
    assert (await door.ask(path, headers=[*told(method="OPTIONS"), *asking], peer=STRANGER)).status == 403
    assert (await door.ask(path, headers=[*told(method="OPTIONS"), *told(), *asking])).status == 403


@pytest.mark.attack("A-F-8")
async def test_a_preflight_through_envoy() -> None:
    """Envoy's question has the method of the request itself."""
    door = Door()
    asking = [(b"origin", b"https://app.example"), (b"access-control-request-method", b"PUT")]
    assert (await door.ask("/auth/envoy/orders", method="OPTIONS", headers=asking)).status == 200
    assert (await door.ask("/auth/envoy/orders", method="OPTIONS", headers=asking[:1])).status == 401


@pytest.mark.attack("A-R-2", "A-R-8")
@pytest.mark.parametrize(
    "fields",
    [
        [(b"authorization", b"Bearer one"), (b"authorization", b"Bearer two")],
        [(b"authorization", b"Bearer one, Bearer two")],
        [(b"authorization", b"Bearer caf\xc3\xa9")],
    ],
    ids=["twice", "joined", "not ASCII"],
)
async def test_malformed_credentials(fields: list[tuple[bytes, bytes]]) -> None:
    """Two tokens, or characters that no token has, are refused as everywhere."""
    answer = await Door().ask("/auth", headers=fields)
    assert answer.status in (400, 401)
    assert bearer_params(answer.header("www-authenticate") or "")["error"] in {"invalid_request", "invalid_token"}


@pytest.mark.attack("A-R-5", "A-R-6", "A-R-9")
async def test_no_token_from_elsewhere() -> None:
    """No body is read, and neither the query of the question nor a cookie or a subprotocol brings a token."""
    door = Door(query_token=True, form_token=True)
    token = door.mock_as.token().value
    form = [(b"content-type", b"application/x-www-form-urlencoded"), (b"cookie", f"access_token={token}".encode())]
    protocol = (b"sec-websocket-protocol", token.encode())
    answer = await door.ask("/auth", method="POST", headers=[*forwarded(method="POST"), *form, protocol])
    assert answer.status == 401
    assert answer.reads == 0
    # The query of the request itself is one of its places, where that is allowed, and who tells of it is believed.
    in_query = forwarded(f"/orders?access_token={token}")
    assert (await door.ask("/auth", headers=in_query)).status == 200
    assert (await door.ask("/auth", headers=in_query, peer=STRANGER)).status == 401
    assert (await door.ask("/auth", query=f"access_token={token}")).status == 500


@pytest.mark.attack("A-R-11")
@pytest.mark.parametrize(
    "field",
    [(b"upgrade", b"websocket"), (b"content-length", b"12"), (b"transfer-encoding", b"chunked")],
    ids=lambda field: field[0].decode(),
)
async def test_nothing_follows_an_announced_body(field: tuple[bytes, bytes]) -> None:
    """Where a question announces what its proxy may not send, the connection ends with the answer."""
    door = Door()
    answer = await door.ask("/auth", door.mock_as.token(), headers=[field])
    assert answer.status == 200
    assert answer.header("connection") == "close"
    assert (await door.ask("/auth", headers=[(b"content-length", b"0")])).header("connection") is None


async def test_pass() -> None:
    """With credential 'pass' nothing is said of the token, so that the proxy lets it stand."""
    door = Door({"credential": "pass"})
    answer = await door.ask("/auth", door.mock_as.token())
    assert answer.header("authorization") is None


@pytest.mark.attack("A-FA-4")
@pytest.mark.parametrize("subject", ["a\r\nx-admin: 1", 'Zoë; admin, "root" 100%', "\U0001f600", "\x7f\t"])
async def test_values_that_no_header_holds(subject: str) -> None:
    """A value is percent-encoded where it is not plain, and the claims are JSON in ASCII."""
    door = Door()
    answer = await door.ask("/auth", door.mock_as.token(sub=subject))
    told = identity(answer)
    assert all(" " < char < "\x7f" and char not in ',;"' for char in told["subject"])
    assert json.loads(told["claims"])["sub"] == subject
    assert all(" " <= char < "\x7f" for char in told["claims"])


async def test_claims_that_are_told() -> None:
    """Of the claims only those that are named are told; those that are too long leave the field empty, and loudly."""
    door = Door({"claims": ["sub", "tenant"]})
    answer = await door.ask("/auth", door.mock_as.token(sub="s", claims={"tenant": "t", "email": "e"}))
    assert json.loads(identity(answer)["claims"]) == {"sub": "s", "tenant": "t"}
    assert door.faults == []
    large = await door.ask("/auth", door.mock_as.token(sub="s", claims={"tenant": "t" * 3000}))
    assert large.status == 200
    assert identity(large)["claims"] == ""
    assert identity(large)["subject"] == "s"
    assert door.faults == ["claims_too_long"]


async def test_an_identity_that_is_too_long() -> None:
    """Somebody whose name no proxy would pass on is let in nowhere: an application must not see nobody instead."""
    door = Door()
    answer = await door.ask("/auth/nginx", door.mock_as.token(sub="s" * 2000))
    assert (answer.status, meant(answer)[0]) == (403, 500)
    assert is_nobody(answer)
    assert door.faults == ["identity_too_long"]


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told of a principal is kept for so many of them, and no more."""
    monkeypatch.setattr("resource_server._gateway.granted.KEPT", 2)
    door = Door()
    for number in range(5):
        answer = await door.ask("/auth", door.mock_as.token(sub=f"subject-{number}"))
        assert identity(answer)["subject"] == f"subject-{number}"
        assert len(door.app._granted._kept) <= 2


async def test_probes() -> None:
    """It says that it lives, and whether a new token could be judged, without a secret."""
    door = Door(strategy="introspect")
    assert (await door.ask("/healthz")).json() == {"status": "ok"}
    assert (await door.ask("/readyz")).json()["status"] == "ready"
    door.mock_as.fault("introspect", status=401)
    await door.ask("/auth", door.mock_as.token())
    answer = await door.ask("/readyz")
    assert answer.status == 503
    assert answer.json()["status"] == "down"
    assert (await door.ask("/metrics")).status == 404
    assert (await door.ask("/jwks")).status == 404
    assert (await door.ask("/auth/")).status == 404
    assert (await door.ask("/auth/envoy")).status == 404


async def test_metadata() -> None:
    """Where the server has a resource, its metadata are there to be passed on (RFC 9728)."""
    door = Door(resource="https://api.example.test")
    answer = await door.ask("/.well-known/oauth-protected-resource")
    assert answer.json()["resource"] == "https://api.example.test"


async def test_no_request() -> None:
    """A lifespan starts and closes the server, and no WebSocket is answered."""
    door = Door()
    assert (await handshake(door.app, "/auth")).close_code == 1008
    arriving = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return next(arriving)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    await door.app({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]  # a narrower receive
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert door.mock_as.requests("discovery").count == 1


async def test_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The observer is told at the start what the policy lets everybody see, and a lifespan cut short closes all."""
    file = tmp_path / "policy.toml"
    file.write_text('public = ["/healthz"]', encoding="utf-8")
    door, served, closed = Door({"policy": file}), asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closed.set()

    monkeypatch.setattr(door.server, "aclose", close)
    arriving = iter([{"type": "lifespan.startup"}])

    async def receive() -> dict[str, str]:
        if served.is_set():
            await asyncio.Event().wait()
        return next(arriving)

    async def send(_: Any) -> None:
        served.set()

    task = asyncio.ensure_future(door.app({"type": "lifespan"}, receive, send))
    await served.wait()
    told = [event.routes for event in door.events if isinstance(event, UnprotectedRoutes)]
    assert told == [("/healthz",)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert closed.is_set()


async def test_proofs_for_nowhere(tmp_path: Path) -> None:
    """A policy that demands DPoP proofs is refused at the start where nobody knows the URL these are for."""
    file = tmp_path / "policy.toml"
    file.write_text('[[rules]]\npath = "/orders/*"\ndpop = "required"', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"'/orders/\*' takes DPoP proofs, which needs external_url"):
        Door({"policy": file})
    Door({"policy": file}, external_url="https://api.example.test")


async def test_mounted() -> None:
    """It can stand below a prefix of another application."""
    door = Door()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/inner/healthz", "root_path": "/inner", "headers": []}
    await door.app(scope | {"query_string": b""}, receive, send)
    assert sent[0]["status"] == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"credential": "drop"}, "credential must be one of pass, strip, replace (got 'drop')"),
        ({"credential": "replace", "internal_audience": "inner"}, "needs internal_issuer or external_url"),
        ({"credential": "replace", "internal_issuer": "https://gw.example"}, "needs internal_audience"),
        ({"policy": "/nowhere/policy.toml"}, "policy '/nowhere/policy.toml' cannot be read"),
    ],
)
async def test_options(options: dict[str, Any], message: str) -> None:
    """An option that cannot be meant is refused before anything is served."""
    server = ResourceServer(issuer="https://as.example.test", audience="api", strategy="jwks")
    with pytest.raises(ConfigurationError) as refused:
        ForwardAuth(server, **options)
    assert message in str(refused.value)
