"""Tokens and secrets stay where they are used: not in what is remembered, told, logged or shown."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from resource_server import (
    AuthorizationServer,
    BearerTokenError,
    BlockingResourceServer,
    ConfigurationError,
    LoggingObserver,
    Principal,
    RequestParts,
    ResourceServer,
    ResourceServerError,
)
from resource_server._validation.state import IssuerState
from tests.support.canary import log_text, text_of
from tests.support.jwe import encrypt, encryption_key
from tests.support.jwt import ISSUER, access_token, signing_key, thumbprint
from tests.support.origin import Origin, Reply, publishes, says, says_no, says_yes
from tests.support.play import INTROSPECTION, OPTIONS, SECRET, Time, active_members, options
from tests.support.proofs import BASE, client_key, proof, proven
from tests.support.stage import Stage, bearer
from tests.support.two import SHARED
from tests.support.wiretap import listening

pytestmark = pytest.mark.anyio

OPAQUE = "canary-opaque-token"
JWT = access_token(sub="canary-subject", email="canary@example.com")


def texts(value: Any, seen: dict[int, Any]) -> Iterator[str | bytes]:
    """Find every text in an object and in all that it holds."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, str | bytes):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from texts(name, seen)
            yield from texts(member, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            yield from texts(member, seen)
    elif type(value).__module__.startswith(("resource_server", "cachetools")):
        members = [getattr(value, name) for name in getattr(type(value), "__slots__", ())]
        yield from texts([*members, getattr(value, "__dict__", {})], seen)


def remembers(state: IssuerState, canary: str) -> bool:
    """Tell whether a text is anywhere in what a server remembers."""
    return any(canary in (text if isinstance(text, str) else text.decode("latin-1")) for text in texts(state, {}))


@pytest.mark.rfc("9700-4.9.3-a")
@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("token", [OPAQUE, JWT], ids=["opaque", "JWT"])
@pytest.mark.parametrize("reply", [says_yes(sub="canary-subject"), says_no(), says(503)], ids=["yes", "no", "outage"])
async def test_no_token_is_remembered(token: str, reply: Reply) -> None:
    """RFC 9700 §4.9.3: what a server remembers of a token is a digest under a key of its own, and never its text."""
    stage = Stage(introspect=reply, jwks=publishes(signing_key()))
    with suppress(BearerTokenError):
        principal = await stage.server.authenticate(bearer(token))
        assert remembers(stage.server._core.state, principal.subject or "nobody")
    await stage.server.aclose()
    for canary in (token, *(part for part in token.split(".") if part != access_token().split(".", maxsplit=1)[0])):
        assert not remembers(stage.server._core.state, canary)


@pytest.mark.rfc("7662-5-a", "9700-4.9.3-a")
@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("token", [OPAQUE, JWT], ids=["opaque", "JWT"])
@pytest.mark.parametrize(
    "reply",
    [
        says_yes(sub="canary-subject", email="canary@example.com", username="canary"),
        says(200, {"active": False, "email": "canary@example.com"}),
        says(400, {"error": "canary-error", "error_description": f"{OPAQUE} {JWT} {SECRET}"}),
        says(401, {"error": "invalid_client", "error_description": SECRET}),
        says(503, {"error": OPAQUE}),
        says(200, active_members(sub="canary-subject", iss=f"https://{OPAQUE}")),
        says(200, active_members(sub="canary-subject", jti="canary-jti")),
    ],
    ids=["yes", "no", "400", "401", "503", "another issuer", "another token"],
)
async def test_nothing_personal_is_told(token: str, reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7662 §5: neither the token nor what the answer says of somebody is in an event, a log line or a refusal."""
    caplog.set_level(logging.DEBUG)
    told: list[object] = []
    logs = LoggingObserver()

    def observer(event: Any) -> None:
        told.append(event)
        logs(event)

    origin = Origin(introspect=reply, jwks=publishes(signing_key()))
    server = ResourceServer(transport=origin, clock=Time().clock, observer=observer, **OPTIONS)
    outcome = ""
    for _ in range(2):
        try:
            outcome += repr(await server.authenticate(bearer(token))).replace("subject='canary-subject'", "")
        except BearerTokenError as error:
            outcome += text_of(error) + repr(server.render(error))
    assert told
    everything = outcome + repr(told) + log_text(caplog) + repr(server) + repr(server.settings)
    for canary in (token, token.rpartition(".")[2], SECRET, "canary@example.com", "canary-error"):
        assert canary not in everything
    assert not any(canary in repr(told) + log_text(caplog) for canary in ("canary-subject", "canary-jti"))


@pytest.mark.attack("A-S-1")
async def test_the_loggers_of_the_libraries(caplog: pytest.LogCaptureFixture, respx_mock: respx.MockRouter) -> None:
    """With every logger at DEBUG, those of httpx and httpcore too, our own connections log no token and no secret."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "resource_server", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    respx_mock.post(INTROSPECTION).respond(200, json=active_members())
    for trust_env in (False, True):
        server = ResourceServer(clock=Time().clock, **options(trust_env=trust_env))
        assert isinstance(await server.authenticate(bearer(OPAQUE)), Principal)
        await server.aclose()
    assert caplog.records
    assert not any(canary in log_text(caplog) for canary in (OPAQUE, SECRET))


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout])
async def test_a_refusal_keeps_no_frame_of_the_library(error: type[httpx.RequestError]) -> None:
    """The traceback of a refusal leads through this package only, and no local variable in it shows the token."""

    def reply(request: httpx.Request) -> httpx.Response:
        raise error(OPAQUE, request=request)

    stage = Stage(introspect=reply)
    with pytest.raises(BearerTokenError) as refused:
        await stage.server.authenticate(bearer(OPAQUE))
    frames = [str(entry.path) for entry in refused.traceback][1:]
    assert frames
    assert all("/resource_server/" in path for path in frames)
    assert OPAQUE not in text_of(refused.value)


async def raised_by(asked: Awaitable[object]) -> ResourceServerError:
    """Return what is raised in the place of an answer."""
    with pytest.raises(ResourceServerError) as caught:
        await asked
    return caught.value


LONG = "canary-opaque-token-of-a-client"


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize(
    "request_",
    [
        RequestParts("GET", [(b"authorization", b"Bearer " + LONG.encode() + b"\x01")]),
        RequestParts("GET", [(b"authorization", b"Bearer " + LONG.encode() + b", Bearer other")]),
        RequestParts("GET", [(b"authorization", b"Bearer " + LONG.encode())] * 2),
        RequestParts("GET", [(b"authorization", b"Bearer " + LONG.encode())], b"access_token=" + LONG.encode()),
        RequestParts("GET", [], b"access_token=" + LONG.encode() + b"%01"),
        RequestParts("GET", [], b"", b"access_token=" + LONG.encode() + b"&access_token=canary"),
    ],
    ids=["no token", "two in one", "two fields", "two places", "no token in the query", "two in the form"],
)
async def test_a_malformed_request(request_: RequestParts) -> None:
    """What is wrong with how a token was sent is told without the token, in the variables of every frame too."""
    server = Stage({"query_token": True, "form_token": True}).server
    assert "canary" not in text_of(await raised_by(server.authenticate(request_)))


DPOP: dict[str, Any] = {"dpop": "optional", "external_url": BASE, "dpop_nonce": True}


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize(
    "proofs",
    [
        (),
        ("canary-of-no-proof",),
        (proof(token=LONG),) * 2,
        (proof(token=LONG),),
        (proof(client_key("other"), token=LONG),),
    ],
    ids=["none", "garbage", "two", "without a nonce", "of another key"],
)
async def test_a_proof_that_is_refused(proofs: tuple[str, ...]) -> None:
    """Neither the token nor the proof nor what nonces are made from is in anything that hangs on the refusal."""
    stage = Stage(DPOP, introspect=says_yes(sub="someone", cnf={"jkt": thumbprint(client_key())}))
    request = proven(*proofs, token=LONG)
    with listening() as ledger:
        text = text_of(await raised_by(stage.server.authenticate(request)))
        ledger.see("a traceback", text)
    assert {LONG, *proofs} <= ledger.secrets.keys()
    assert ledger.leaks() == []
    assert "canary" not in text


KEY = encryption_key("RSA")
ASSERTING = {"client_auth_method": "client_secret_jwt"}


@pytest.mark.attack("A-S-1", "A-S-8")
@pytest.mark.parametrize(
    ("changes", "replies", "token"),
    [
        (ASSERTING, {"introspect": says(401, {"error": "invalid_client"})}, LONG),
        (ASSERTING, {"introspect": says(503)}, LONG),
        ({"client_auth_method": "bearer", "bearer_token": "canary-of-our-own"}, {"introspect": says(401)}, LONG),
        ({"client_auth_method": "bearer"}, {"introspect": says_yes(), "token": says(400, {"error": SECRET})}, LONG),
        ({"signed_introspection": "required"}, {"introspect": says_yes(sub="canary")}, LONG),
        ({"encrypted_tokens": "required", "decryption_key": KEY.pem(), "strategy": "jwks"}, {}, encrypt(JWT, KEY)[:-4]),
        ({"encrypted_tokens": "required", "decryption_key": KEY.pem(), "strategy": "jwks"}, {}, encrypt("canary", KEY)),
        ({"encrypted_tokens": "required", "decryption_key": KEY.pem(), "strategy": "jwks"}, {}, encrypt(JWT, KEY)),
        ({"mtls": "required"}, {"introspect": says_yes(sub="someone", cnf={"x5t#S256": "another"})}, LONG),
    ],
    ids=[
        "an assertion is refused",
        "an assertion in an outage",
        "our token is refused",
        "there is no token for us",
        "an answer that is not signed",
        "what cannot be decrypted",
        "what is no JWT inside",
        "no key for what is inside",
        "no certificate was shown",
    ],
)
async def test_what_hangs_on_a_refusal(changes: dict[str, Any], replies: dict[str, Reply], token: str) -> None:
    """No secret of ours and nothing that was sent is in a traceback, its variables, an event or a line of the log."""
    with listening() as ledger:
        stage = Stage({"token_endpoint": f"{ISSUER}/token", **changes}, **replies)
        text = text_of(await raised_by(stage.server.authenticate(bearer(token))))
        ledger.see("a traceback", text)
        await stage.server.aclose()
    assert token in ledger.secrets
    assert ledger.leaks() == []
    assert "canary" not in text


@pytest.mark.attack("A-S-1")
async def test_what_an_application_raises() -> None:
    """What a resolver raises is the application's own, and goes no further: it may hold anything."""

    async def resolve(issuer: str) -> None:
        raise OSError(f"canary {issuer} {SECRET}")

    events: list[object] = []
    server = ResourceServer(authorization_servers=resolve, observer=events.append, **SHARED)
    text = text_of(await raised_by(server.authenticate(bearer(JWT))))
    assert not any(canary in text + repr(events) for canary in ("canary", *JWT.split(".")[1:]))


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize(
    "replies",
    [
        {"token": says(400, {"error": "invalid_grant", "error_description": LONG})},
        {"token": says(503, {"error": LONG})},
        {"token": says(200, {"access_token": LONG, "token_type": "Bearer"})},
    ],
    ids=["refused", "an outage", "the same token"],
)
async def test_an_exchange_that_comes_to_nothing(replies: dict[str, Reply]) -> None:
    """What is raised in the place of a token for another service shows neither of the two."""
    stage = Stage({"token_endpoint": f"{ISSUER}/token"}, **replies)
    auth = stage.server.exchange(LONG, audience="https://stock.example.com", actor_token="canary-of-an-actor")
    async with httpx.AsyncClient(auth=auth) as client:
        text = text_of(await raised_by(client.get("https://stock.example.com")))
    assert "canary" not in text + repr(auth) + repr(stage.events)


@pytest.mark.attack("A-S-1")
async def test_an_exchange_that_fails_the_second_time() -> None:
    """Where a token was refused and no other is given, what is raised does not show the first one."""
    answers = iter([says(200, {"access_token": "canary-of-the-first", "token_type": "Bearer"}), says(503)])

    def answer(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        return next(answers)(request)

    stage = Stage({"token_endpoint": f"{ISSUER}/token"}, token=answer)

    def refuse(_: httpx.Request) -> httpx.Response:
        stage.time.advance(10)
        return httpx.Response(401)

    auth = stage.server.exchange(LONG, audience="https://stock.example.com")
    async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(refuse)) as client:
        text = text_of(await raised_by(client.get("https://stock.example.com")))
    assert next(answers, None) is None
    assert "canary" not in text


WRONG: dict[str, Any] = {"issuer": "https://as.example.com", "client_id": "rs", "client_secret": SECRET}


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("server", [ResourceServer, BlockingResourceServer])
@pytest.mark.parametrize("wrong", [{"cache_ttl": -1}, {"client_key": "canary"}, {"bearer_token": "canary 1"}, {"x": 1}])
def test_options_that_are_refused(server: Any, wrong: dict[str, Any]) -> None:
    """What is said of bad options shows no secret among the good ones, in the variables of our frames either."""
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        server(**WRONG, **wrong)
    assert "canary" not in text_of(caught.value)


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("options_", [{"client_secret": SECRET}, {**WRONG, "x": 1}, {**WRONG, "cache_ttl": -1}])
def test_options_of_one_issuer_that_are_refused(options_: dict[str, Any]) -> None:
    """The same holds for what is said of one of several authorization servers."""
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        ResourceServer(audience="https://rs.example.com", authorization_servers=[AuthorizationServer(**options_)])
    assert "canary" not in text_of(caught.value)


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize("server", [ResourceServer, BlockingResourceServer])
@pytest.mark.parametrize("wrong", ["issuer = 'ftp://as.example.com'", "unknown = 1"])
def test_options_in_a_file_that_are_refused(server: Any, wrong: str, tmp_path: Path) -> None:
    """The same holds for options that were read from a file, and for those that go with it."""
    file = tmp_path / "options.toml"
    file.write_text(f"client_secret = '{SECRET}'\n{wrong}\n")
    with pytest.raises(ConfigurationError) as caught:
        server.from_env(env_file=None, toml_file=file, bearer_token=OPAQUE)
    assert "canary" not in text_of(caught.value)
