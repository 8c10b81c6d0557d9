"""What a route can demand beyond scopes to the letter: scopes that include others, step-up, details, proofs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket

from resource_server import ConfigurationError, Principal, any_of
from resource_server.fastapi import install, require
from resource_server.requirements import detail
from tests.support.answer import Answer
from tests.support.asgi import call, handshake
from tests.support.fastapi_app import ScriptedAS, active
from tests.support.headers import parse_challenges
from tests.support.promises import assert_keeps_secrets

pytestmark = pytest.mark.anyio

PAYMENT = {"type": "payment", "actions": ["initiate", "status"], "amount": 100}
BOUND = {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}


def api(authorization_server: ScriptedAS, **options: Any) -> FastAPI:
    """Make an application with routes that demand more."""
    app, router = FastAPI(), APIRouter(dependencies=[require(max_age=300)])

    @app.get("/orders", dependencies=[require(any_of("orders.read", "reports"))])
    async def orders() -> str:
        return "orders"

    @app.get("/gold", dependencies=[require("read", acr_values="gold platinum")])
    async def gold() -> str:
        return "gold"

    @router.get("/both", dependencies=[require("read", acr_values=["gold"], max_age=3600)])
    async def both() -> str:
        return "both"

    @app.get("/pay")
    async def pay(
        principal: Annotated[
            Principal,
            require("read", details=detail("payment", actions=["initiate"], amount=lambda amount: amount <= 100)),
        ],
    ) -> list[Any]:
        return list(principal.authorization_details)

    @app.get("/bearer", dependencies=[require(dpop="off")])
    async def bearer() -> str:
        return "bearer"

    @app.get("/proof", dependencies=[require(dpop="required")])
    async def proof() -> str:
        return "proof"

    @app.get("/certificate", dependencies=[require(mtls="required")])
    async def certificate() -> str:
        return "certificate"

    @app.websocket("/stream")
    async def stream(websocket: WebSocket, _: Annotated[Principal, require(acr_values="gold")]) -> None:
        await websocket.accept()

    app.include_router(router)
    install(app, authorization_server.server(**options))
    return app


async def get(app: FastAPI, path: str) -> Answer:
    """Send a request with the token of this test."""
    answer = await call(app, "GET", path, token="token-of-the-test")
    assert_keeps_secrets(repr(answer))
    return answer


def knowing(scope: str = "read", **claims: Any) -> ScriptedAS:
    """Make an authorization server that knows one token."""
    return ScriptedAS({"token-of-the-test": active(scope, **claims)})


def challenge(answer: Answer, status: int, error: str) -> dict[str, str]:
    """Assert a refusal with one challenge, and return its parameters."""
    assert answer.status == status
    [found] = parse_challenges(answer.header("www-authenticate") or "")
    assert (found.scheme, found.params["error"]) == ("bearer", error)
    assert answer.json()["error"] == error
    return dict(found.params)


@pytest.mark.rfc("mcp-4", "mcp-3", "6750-3.1-c")
@pytest.mark.parametrize(
    ("options", "granted", "status"),
    [
        ({}, "orders.read", 200),
        ({}, "reports", 200),
        ({}, "orders", 403),
        ({"scope_strategy": "hierarchic"}, "orders", 200),
        ({"scope_strategy": "hierarchic"}, "ordersx", 403),
        ({"scope_strategy": "wildcard"}, "orders.*", 200),
        ({"scope_strategy": "wildcard"}, "*", 403),
        ({"implied_scopes": {"admin": ["orders.read", "reports"]}}, "admin", 200),
        ({"implied_scopes": "owner=admin;admin=reports"}, "owner", 200),
        ({"implied_scopes": "owner=admin;admin=reports"}, "reader", 403),
    ],
)
async def test_scopes_that_include_others(options: dict[str, Any], granted: str, status: int) -> None:
    """A token is let in by what its scopes include; a refusal names what is needed, not what would include it."""
    answer = await get(api(knowing(granted), **options), "/orders")
    assert answer.status == status
    if status == 403:
        assert challenge(answer, 403, "insufficient_scope")["scope"] == "orders.read"


@pytest.mark.rfc("9470-3-a", "9470-3-b")
@pytest.mark.parametrize("acr", ["silver", None, ["gold"], 1])
async def test_authentication_context(acr: Any) -> None:
    """RFC 9470 §3: a token of a weaker authentication is refused with the classes that are enough."""
    answer = await get(api(knowing(acr=acr)), "/gold")
    params = challenge(answer, 401, "insufficient_user_authentication")
    assert params["acr_values"] == "gold platinum"
    assert {"scope", "max_age"}.isdisjoint(params)
    assert (answer.json()["acr_values"], answer.header("cache-control")) == ("gold platinum", "no-store")
    assert (await get(api(knowing(acr="platinum")), "/gold")).status == 200


@pytest.mark.rfc("9470-3-a", "9470-6-a", "9470-3-b")
@pytest.mark.parametrize("auth_time", ["x", "1700000000", None, 1, True, [1]])
async def test_age_of_authentication(auth_time: Any) -> None:
    """RFC 9470 §3: the smaller of two ages is demanded; no time, or one that is none, is not recent."""
    members = {} if auth_time is None else {"auth_time": auth_time}
    params = challenge(await get(api(knowing(acr="gold", **members)), "/both"), 401, "insufficient_user_authentication")
    assert (params["acr_values"], params["max_age"]) == ("gold", "300")
    assert (await get(api(knowing(acr="gold", auth_time=time.time() - 60)), "/both")).status == 200


@pytest.mark.rfc("9470-3-c")
async def test_authentication_and_scope() -> None:
    """RFC 9470 §3: where both are lacking, one challenge says both."""
    params = challenge(await get(api(knowing("other")), "/gold"), 401, "insufficient_user_authentication")
    assert (params["acr_values"], params["scope"]) == ("gold platinum", "read")


@pytest.mark.rfc("9470-9-a")
@pytest.mark.parametrize("path", ["/gold", "/both"])
async def test_nothing_is_told_to_strangers(path: str) -> None:
    """RFC 9470 §9: who has no good token does not learn how its user would have to authenticate."""
    app = api(ScriptedAS({}))
    for token, error in ((None, None), ("unknown-token", "invalid_token")):
        answer = await call(app, "GET", path, token=token)
        [found] = parse_challenges(answer.header("www-authenticate") or "")
        assert (answer.status, found.params.get("error")) == (401, error)
        assert {"acr_values", "max_age"}.isdisjoint(found.params)
        assert "gold" not in answer.body.decode()


@pytest.mark.rfc("9470-3-a", "9110-11.6.1-a")
async def test_authentication_of_a_websocket() -> None:
    """RFC 9470 §3: a handshake is refused with the same challenge."""
    token = "token-of-the-test"
    answer = (await handshake(api(knowing()), "/stream", token=token)).answer
    assert answer is not None
    assert challenge(answer, 401, "insufficient_user_authentication")["acr_values"] == "gold"
    assert (await handshake(api(knowing(acr="gold")), "/stream", token=token)).accepted


@pytest.mark.rfc("9396-9-a")
@pytest.mark.parametrize(
    "details",
    [
        None,
        "payment",
        PAYMENT,
        [],
        [PAYMENT | {"type": "other"}],
        [PAYMENT | {"actions": ["status"]}],
        [PAYMENT | {"amount": 101}],
        [PAYMENT | {"amount": "100"}],
        [PAYMENT, {"actions": ["initiate"]}],
        [PAYMENT, "x"],
    ],
)
async def test_details_refused(details: Any) -> None:
    """RFC 9396 §9: without the detail that is needed the answer is a 403, whatever stands in its place."""
    answer = await get(api(knowing(authorization_details=details)), "/pay")
    assert challenge(answer, 403, "insufficient_scope")["scope"] == "read"


@pytest.mark.rfc("9396-9-a")
async def test_details() -> None:
    """RFC 9396 §9: with it the route is entered, and sees all details that were granted."""
    details = [{"type": "account"}, PAYMENT]
    answer = await get(api(knowing(authorization_details=details)), "/pay")
    assert (answer.status, answer.json()) == (200, details)


@pytest.mark.rfc("9449-7.2-a", "9449-7.2-b", "9449-7.2-c")
@pytest.mark.parametrize(
    ("path", "claims", "status", "schemes"),
    [
        ("/bearer", {}, 200, []),
        ("/bearer", BOUND, 401, ["bearer"]),
        ("/proof", {}, 401, ["dpop"]),
        ("/proof", BOUND, 401, ["dpop"]),
        ("/certificate", {}, 401, ["bearer", "dpop"]),
        ("/certificate", {"cnf": {"x5t#S256": "x" * 43}}, 401, ["bearer", "dpop"]),
    ],
)
async def test_proofs(path: str, claims: dict[str, Any], status: int, schemes: list[str]) -> None:
    """RFC 9449 §7.2: a route has its own word on proofs, and its challenge offers what it takes."""
    app = api(knowing(**claims), dpop="optional", mtls="optional", resource="https://api.example.test")
    answer = await get(app, path)
    assert answer.status == status
    found = parse_challenges(answer.header("www-authenticate") or "")
    assert [challenge.scheme for challenge in found] == schemes
    assert ["error" in challenge.params for challenge in found] == [True, False][: len(found)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"acr_values": 'go"ld'},
        {"acr_values": ["gold silver"]},
        {"max_age": -1},
        {"max_age": "300"},
        {"dpop": "yes"},
        {"mtls": "no"},
        {"details": ["payment"]},
    ],
    ids=repr,
)
def test_mistakes(wrong: dict[str, Any]) -> None:
    """A demand that makes no sense is refused when the route is declared, by its name."""
    [name] = wrong
    with pytest.raises(ConfigurationError, match=name):
        require(**wrong)


@pytest.mark.parametrize(("mode", "options"), [("required", {}), ("optional", {}), ("off", None)])
async def test_proofs_for_an_address_that_nobody_knows(mode: Any, options: dict[str, Any] | None) -> None:
    """RFC 9449 §4.3: an application whose routes take proofs does not start without the URL these are for."""

    def application(**more: Any) -> FastAPI:
        app = FastAPI()
        app.get("/proof", dependencies=[require("read"), require(dpop=mode)])(lambda: None)
        install(app, knowing().server(**more))
        return app

    for more in ({"external_url": "https://api.example.test"}, {"resource": "https://api.example.test"}, options):
        app = application(**(more or {}))
        if more == {}:
            with pytest.raises(ConfigurationError, match="route '/proof' takes DPoP proofs"):
                await anext(aiter(started(app)))
        else:
            assert [_ async for _ in started(app)] == [None]


async def test_proofs_are_the_business_of_who_judges_them() -> None:
    """A mounted application that has a server of its own is judged by that one."""
    outer, inner = FastAPI(), FastAPI()
    inner.get("/proof", dependencies=[require(dpop="required")])(lambda: None)
    install(inner, knowing().server(external_url="https://api.example.test/inner"))
    outer.mount("/inner", inner)
    install(outer, knowing().server())
    assert [_ async for _ in started(outer)] == [None]


async def started(app: FastAPI) -> AsyncGenerator[None]:
    """Run the lifespan of an application."""
    async with app.router.lifespan_context(app):
        yield None


@pytest.mark.rfc("8707-2-b", "9068-4-c")
async def test_a_token_of_another_resource() -> None:
    """RFC 8707 §2: a token for one resource is refused by another; one for several is good at each of them."""
    one, other = "https://a.example.test", "https://b.example.test"
    for audience, name, status in (
        (one, one, 200),
        (one, other, 401),
        ([one, other], one, 200),
        ([one, other], other, 200),
        (f"{one}/", one, 401),
    ):
        answer = await get(api(knowing(aud=audience), audience=name, resource=name), "/bearer")
        assert answer.status == status
        if status == 401:
            assert challenge(answer, 401, "invalid_token")["resource_metadata"].startswith(name)
