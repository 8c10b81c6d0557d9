"""Who may use the control plane: everybody, those who know its token, or nobody.

References: RFC 6750 section 2.1, RFC 7617 section 2
"""

from __future__ import annotations

import base64

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio


def reach(mock: MockAS) -> httpx.AsyncClient:
    """Return a client that reaches a mock in this process."""
    return httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer)


def basic(text: str) -> str:
    """Return credentials of HTTP Basic."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("authorization", ["Bearer s3cret", "bearer  s3cret", basic("admin:s3cret"), basic(":s3cret")])
async def test_token_opens_the_control_plane(authorization: str) -> None:
    """Whoever knows the token may do everything, a browser by sending it as the password."""
    async with reach(MockAS(admin_token="s3cret")) as client:
        answer = await client.get("/_mock/state", headers={"Authorization": authorization})
    assert answer.status_code == 200


@pytest.mark.rfc("as-5")
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", "Bearer s3cretx", "DPoP s3cret", "Basic s3cret", "Basic ***", basic("s3cret")],
)
async def test_without_the_token_there_is_nothing(authorization: str | None) -> None:
    """Whoever does not know the token learns what is asked for, and changes nothing."""
    mock = MockAS(admin_token="s3cret")
    mock.tenant("acme")
    headers = {} if authorization is None else {"Authorization": authorization}
    async with reach(mock) as client:
        for path in ("/_mock/tokens", "/t/acme/_mock/tokens"):
            refused = await client.post(path, json={}, headers=headers)
            assert refused.status_code == 401
            challenges = [value.partition(" ")[0] for value in refused.headers.get_list("www-authenticate")]
            assert challenges == ["Bearer", "Basic"]
            assert problem(refused)["title"]
        assert (await client.get("/_mock/docs", headers=headers)).status_code == 401
        assert (await client.get("/_mock/ui", headers=headers)).status_code == 401
    assert len(mock.tokens) == len(mock.tenant("acme").tokens) == 0


async def test_two_credentials_are_none() -> None:
    """Two header fields of credentials are not tried one after the other."""
    async with reach(MockAS(admin_token="s3cret")) as client:
        headers = [("Authorization", "Bearer wrong"), ("Authorization", "Bearer s3cret")]
        assert (await client.get("/_mock/state", headers=headers)).status_code == 401


async def test_health_is_for_everybody() -> None:
    """Whoever waits for the server needs no token; nor do the endpoints of OAuth."""
    for mock in (MockAS(admin_token="s3cret"), MockAS(admin=False)):
        async with reach(mock) as client:
            assert (await client.get("/_mock/health")).json()["status"] == "ok"
            assert (await client.get("/jwks")).status_code == 200


@pytest.mark.rfc("as-5")
async def test_no_control_plane() -> None:
    """Without a control plane there is nothing but its health."""
    mock = MockAS(admin=False)
    mock.tenant("acme")
    async with reach(mock) as client:
        for path in ("/_mock/state", "/_mock/docs", "/_mock/ui", "/_mock/openapi.json", "/t/acme/_mock/state"):
            missing = await client.get(path)
            assert (missing.status_code, problem(missing)["path"]) == (404, path)
