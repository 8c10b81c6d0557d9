"""Step-up, authorization details, scopes that include others, and metadata, with a real authorization server."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import pytest

from mock_as import MockAS
from resource_server import Principal
from resource_server.fastapi import require
from resource_server.requirements import detail
from tests.support.answer import Answer
from tests.support.api import API
from tests.support.asgi import call
from tests.support.headers import parse_challenges
from tests.support.promises import assert_keeps_secrets

pytestmark = pytest.mark.anyio

RESOURCE = "https://api.example.test"
PAYMENT = {"type": "payment", "actions": ["initiate"], "amount": {"currency": "EUR", "value": "10.00"}}
FORMATS = pytest.mark.parametrize("token_format", ["jwt", "opaque"])
STRATEGIES = pytest.mark.parametrize(
    ("token_format", "strategy"),
    [("jwt", "jwks"), ("jwt", "introspect"), ("opaque", "introspect")],
    ids=["jwt verified", "jwt introspected", "opaque"],
)


def api_of(mock_as: MockAS, **options: Any) -> API:
    """Make an API with routes that demand more than scopes."""
    api = API(mock_as, **({"resource": RESOURCE} | options))
    app = api.app

    @app.get("/gold", dependencies=[require("read", acr_values="gold")])
    async def gold() -> str:
        return "gold"

    @app.get("/fresh", dependencies=[require(max_age=60)])
    async def fresh() -> str:
        return "fresh"

    @app.get("/pay")
    async def pay(
        principal: Annotated[Principal, require(details=detail("payment", actions=["initiate"]))],
    ) -> list[Any]:
        return list(principal.authorization_details)

    @app.get("/orders", dependencies=[require("orders.read")])
    async def orders() -> str:
        return "orders"

    return api


async def get(api: API, path: str, token: str) -> Answer:
    """Send a request; its token is not in the answer."""
    answer = await call(api.app, "GET", path, token=token)
    assert_keeps_secrets(repr(answer))
    return answer


def params(answer: Answer) -> dict[str, str]:
    """Return the parameters of the one challenge."""
    [challenge] = parse_challenges(answer.header("www-authenticate") or "")
    return dict(challenge.params)


@pytest.mark.rfc("9470-3-a", "9470-6-a")
@pytest.mark.attack("A-C-3")
@STRATEGIES
async def test_authentication_context(mock_as: MockAS, token_format: Any, strategy: str) -> None:
    """RFC 9470 §6: acr is read from the JWT or from introspection, and judged by each route on every request."""
    api = api_of(mock_as, strategy=strategy)
    good = mock_as.token("alice", format=token_format, claims={"acr": "gold"})
    weak = mock_as.token("alice", format=token_format, claims={"acr": "silver"})
    for _ in range(2):
        assert (await get(api, "/gold", good.value)).status == 200
        assert (await get(api, "/things", weak.value)).status == 200
        refused = await get(api, "/gold", weak.value)
        assert refused.status == 401
        assert params(refused)["error"] == "insufficient_user_authentication"
        assert params(refused)["acr_values"] == "gold"
        assert params(refused)["resource_metadata"] == f"{RESOURCE}/.well-known/oauth-protected-resource"


@pytest.mark.rfc("9470-3-a", "9470-6-a")
@STRATEGIES
async def test_age_of_authentication(mock_as: MockAS, token_format: Any, strategy: str) -> None:
    """RFC 9470 §3: a token grows too old for a route while it is known, and is good for others."""
    api = api_of(mock_as, strategy=strategy)
    now = int(mock_as.clock.now())
    token = mock_as.token("alice", format=token_format, claims={"auth_time": now}, expires_in=3600)
    assert (await get(api, "/fresh", token.value)).status == 200
    mock_as.clock.advance(61)
    refused = await get(api, "/fresh", token.value)
    assert (refused.status, params(refused)["max_age"]) == (401, "60")
    assert (await get(api, "/things", token.value)).status == 200
    again = mock_as.token("alice", format=token_format, claims={"auth_time": now + 61})
    assert (await get(api, "/fresh", again.value)).status == 200


@pytest.mark.rfc("9470-6-a")
@pytest.mark.parametrize("claims", [{"auth_time": "x"}, {"auth_time": None}, {"auth_time": 10**11}, {"auth_time": []}])
@STRATEGIES
async def test_no_time(mock_as: MockAS, token_format: Any, strategy: str, claims: dict[str, Any]) -> None:
    """RFC 9470 §6: without a time, with one that is none, or with one to come the route is not entered: step-up."""
    api = api_of(mock_as, strategy=strategy)
    token = mock_as.token("alice", format=token_format, claims=claims)
    refused = await get(api, "/fresh", token.value)
    assert (refused.status, params(refused)["error"]) == (401, "insufficient_user_authentication")
    assert (await get(api, "/things", token.value)).status == 200


@pytest.mark.rfc("9396-9-a", "9396-9-b")
@STRATEGIES
async def test_details(mock_as: MockAS, token_format: Any, strategy: str) -> None:
    """RFC 9396 §9: details reach the application by JWT and by introspection as they were granted."""
    api = api_of(mock_as, strategy=strategy)
    details = [PAYMENT, {"type": "account", "nested": [{"a": [1, None, True]}]}]
    token = mock_as.token("alice", format=token_format, claims={"authorization_details": details})
    answer = await get(api, "/pay", token.value)
    assert (answer.status, answer.json()) == (200, details)
    for wrong in ([], [PAYMENT | {"type": "x"}], PAYMENT, "payment", [{"actions": ["initiate"]}]):
        other = mock_as.token("alice", format=token_format, claims={"authorization_details": wrong})
        refused = await get(api, "/pay", other.value)
        assert (refused.status, params(refused)["error"]) == (403, "insufficient_scope")


@pytest.mark.rfc("mcp-4")
@FORMATS
async def test_hierarchy(mock_as: MockAS, token_format: Any) -> None:
    """A scope lets in whoever has one that includes it."""
    api = api_of(mock_as, scope_strategy="hierarchic", implied_scopes={"admin": ["orders"]})
    for scope, status in (("orders.read", 200), ("orders", 200), ("admin", 200), ("orders.write", 403)):
        token = mock_as.token("alice", scope=scope, format=token_format)
        answer = await get(api, "/orders", token.value)
        assert answer.status == status
        assert status == 200 or params(answer)["scope"] == "orders.read"


@pytest.mark.rfc("8707-2-b", "mcp-1")
@FORMATS
async def test_another_resource(mock_as: MockAS, token_format: Any) -> None:
    """RFC 8707 §2: a token that was asked for one resource is refused by another one."""
    ours = api_of(mock_as, audience=RESOURCE)
    theirs = api_of(mock_as, audience="https://other.example.test", resource="https://other.example.test")
    for audience, statuses in (
        ([RESOURCE], (200, 401)),
        (["https://other.example.test"], (401, 200)),
        ([RESOURCE, "https://other.example.test"], (200, 200)),
    ):
        token = mock_as.token("alice", format=token_format, aud=audience)
        answers = [await get(api, "/things", token.value) for api in (ours, theirs)]
        assert tuple(answer.status for answer in answers) == statuses


@pytest.mark.rfc("mcp-2", "9728-2-b")
async def test_from_nothing_to_a_token(mock_as: MockAS) -> None:
    """RFC 9728 §5: who knows nothing but the URL finds the metadata, in them the issuer, and is let in by its token."""
    api = api_of(mock_as, scopes_supported="read write")
    refused = await call(api.app, "GET", "/things")
    assert (refused.status, params(refused)["scope"]) == (401, "read")
    metadata = await call(api.app, "GET", urlsplit(params(refused)["resource_metadata"]).path)
    assert metadata.json() == {
        "resource": RESOURCE,
        "authorization_servers": [mock_as.issuer],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    }
    token = mock_as.token("alice", scope=params(refused)["scope"])
    assert (await get(api, "/things", token.value)).status == 200
