"""The example MCP server, called by real clients over real HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import fastmcp
import httpx
import httpx2
import pytest
from fastmcp.client.transports import StreamableHttpTransport
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent

from mock_as import MockAS
from resource_server.testing import assert_challenge
from tests.mcp.conftest import calling, client_of, post

pytestmark = pytest.mark.anyio

BOTH = "orders:read orders:write"
CALLBACK = "http://127.0.0.1/callback"
MODEL = {
    "id": "model",
    "secret": "model-secret",
    "redirect_uris": [CALLBACK],
    "scopes": [*BOTH.split(), "offline_access"],
    "grants": ["authorization_code", "refresh_token"],
}
"""A client that is registered already, for everything it may ever ask for."""
_DECIDED = {"response_type", "code_challenge_method"}
"""What a client says that is always the same."""


def said(result: Any) -> Any:
    """Read what a tool has returned."""
    assert not result.is_error, result.content
    content = result.content[0]
    assert isinstance(content, TextContent)
    return json.loads(content.text)


async def test_client_of_the_sdk(example: str, mock_as_server: MockAS) -> None:
    """A client with a good token lists the tools and calls them, and each knows who has called."""
    token = mock_as_server.token(sub="alice", scope=BOTH, aud=f"{example}/mcp")
    async with client_of(example, token) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["list_orders", "place_order"]
        listed = said(await client.call_tool("list_orders", {}))
        assert listed == {"caller": "alice", "assurance": "introspected", "orders": []}
        placed = said(await client.call_tool("place_order", {"item": "tea", "quantity": 2}))
        assert placed["order"] == {"item": "tea", "quantity": 2}


async def test_client_of_fastmcp(example: str, mock_as_server: MockAS) -> None:
    """So does the client of FastMCP."""
    token = mock_as_server.token(sub="alice", scope=BOTH, aud=f"{example}/mcp")
    async with fastmcp.Client(StreamableHttpTransport(f"{example}/mcp", auth=token.value)) as client:
        result = await client.call_tool("place_order", {"item": "tea"})
        assert result.structured_content == {
            "caller": "alice",
            "assurance": "introspected",
            "order": {"item": "tea", "quantity": 1},
        }


@pytest.mark.rfc("mcp-2", "9728-5.1-a")
def test_no_token(example: str) -> None:
    """Without a token the challenge names the scope and the metadata, and these can be read by everybody."""
    challenge = assert_challenge(post(example), status=401, error=None, scope="orders:read")
    where = challenge.params["resource_metadata"]
    assert where == f"{example}/.well-known/oauth-protected-resource/mcp"
    document = httpx.get(where).json()
    assert document["resource"] == f"{example}/mcp"
    assert httpx.get(f"{example}/healthz").json() == {"status": "ok"}


@pytest.mark.rfc("mcp-1")
@pytest.mark.parametrize("defect", ["expired", "wrong_aud", "bad_signature"])
def test_bad_tokens(defect: str, example: str, mock_as_server: MockAS) -> None:
    """A token that is not good, or for another resource, is a 401 with ``invalid_token``."""
    token = mock_as_server.token(sub="alice", scope=BOTH, aud=f"{example}/mcp", defect=defect)
    assert_challenge(post(example, token), status=401, error="invalid_token")


@pytest.mark.rfc("mcp-3")
def test_a_tool_needs_more(example: str, mock_as_server: MockAS) -> None:
    """A call of a tool that needs more is a 403 that names everything the call needs; other calls are not."""
    token = mock_as_server.token(sub="alice", scope="orders:read", aud=f"{example}/mcp")
    refused = post(example, token, json=calling("place_order", item="tea"))
    challenge = assert_challenge(refused, status=403, error="insufficient_scope", scope=BOTH)
    assert "resource_metadata" in challenge.params
    nothing = mock_as_server.token(sub="alice", scope="other", aud=f"{example}/mcp")
    assert_challenge(post(example, nothing), status=403, error="insufficient_scope", scope="orders:read")


def test_an_outage_is_no_bad_token(example: str, mock_as_server: MockAS) -> None:
    """A token that cannot be verified is a 503, so that no client throws it away."""
    token = mock_as_server.token(sub="alice", scope=BOTH, aud=f"{example}/mcp", format="opaque")
    mock_as_server.fault("introspect", 500)
    refused = post(example, token)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "www-authenticate" not in refused.headers


@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("other", 403)])
async def test_refusals_as_a_client_sees_them(
    scope: str | None, status: int, example: str, mock_as_server: MockAS
) -> None:
    """A client of the SDK is told by an error, and does not hang."""
    token = None if scope is None else mock_as_server.token(scope=scope, aud=f"{example}/mcp")
    seen: list[int] = []

    async def note(response: httpx2.Response) -> None:
        seen.append(response.status_code)

    with pytest.RaisesGroup(Exception, allow_unwrapped=True, flatten_subgroups=True):
        async with client_of(example, token, event_hooks={"response": [note]}):
            pass
    assert set(seen) == {status}


class Memory:
    """Where a client keeps its tokens, and who it is where that is known beforehand."""

    def __init__(self, client: OAuthClientInformationFull | None = None) -> None:
        """Keep no tokens yet."""
        self.tokens: OAuthToken | None = None
        self.client = client

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep them."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return who the client is."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep it."""
        self.client = client_info


class LogIn:
    """A person who logs in as alice and allows everything, and the client whose turn it is before and after."""

    def __init__(self, mock_as: MockAS, url: str, client: OAuthClientInformationFull | None = None) -> None:
        """Have been asked nothing yet."""
        self._mock_as = mock_as
        self._sent_to = ""
        self.asked: list[dict[str, str]] = []
        metadata = OAuthClientMetadata.model_validate({"client_name": "A model", "redirect_uris": [CALLBACK]})
        self.auth = OAuthClientProvider(url, metadata, Memory(client), self._go, self._come_back)

    @property
    def scopes(self) -> list[set[str]]:
        """What was asked for each time."""
        return [set(asked["scope"].split()) for asked in self.asked]

    async def _go(self, url: str) -> None:
        self.asked.append(dict(parse_qsl(urlsplit(url).query)))
        said: dict[str, Any] = {name: value for name, value in self.asked[-1].items() if name not in _DECIDED}
        self._sent_to = self._mock_as.authorize(sub="alice", **said)

    async def _come_back(self) -> AuthorizationCodeResult:
        query = dict(parse_qsl(urlsplit(self._sent_to).query))
        return AuthorizationCodeResult(code=query["code"], state=query["state"], iss=query.get("iss"))


@pytest.mark.rfc("mcp-2")
async def test_the_whole_way(example: str, mock_as_server: MockAS) -> None:
    """A client that knows the URL and nothing else finds its way to a token: it registers, and alice logs in."""
    login = LogIn(mock_as_server, f"{example}/mcp")
    async with client_of(example, auth=login.auth) as client:
        assert said(await client.call_tool("list_orders", {}))["caller"] == "alice"
    assert [asked["resource"] for asked in login.asked] == [f"{example}/mcp"]
    assert login.scopes == [{"orders:read", "offline_access"}]
    mock_as_server.assert_called("register", times=1)


@pytest.mark.rfc("mcp-3")
@pytest.mark.mock_as(clients=[MODEL])
async def test_a_client_asks_for_more(example: str, mock_as_server: MockAS) -> None:
    """A client that calls a tool which needs more is told so, asks for everything at once, and goes on."""
    told = {"client_id": "model", "client_secret": "model-secret", "redirect_uris": [CALLBACK]}
    told |= {"token_endpoint_auth_method": "client_secret_basic", "issuer": mock_as_server.url.issuer}
    known = OAuthClientInformationFull.model_validate(told)
    login = LogIn(mock_as_server, f"{example}/mcp", known)
    async with client_of(example, auth=login.auth) as client:
        assert said(await client.call_tool("list_orders", {}))["caller"] == "alice"
        assert said(await client.call_tool("place_order", {"item": "tea"}))["order"]["item"] == "tea"
    first = {"orders:read", "offline_access"}
    assert login.scopes == [first, first | {"orders:write"}]
