"""The JWKS endpoint."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.reading import directives, is_json

pytestmark = pytest.mark.anyio


@pytest.mark.rfc("as-3")
async def test_keys_are_those_of_the_ring(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The endpoint publishes what the ring says is published, also after a rotation."""
    mock.token(alg="Ed25519")
    mock.keys.rotate("ES256", overlap=False)
    response = await client.get("/jwks")
    assert (response.status_code, is_json(response)) == (200, True)
    assert response.json() == mock.keys.jwks()
    assert len(response.json()["keys"]) == 2


@pytest.mark.parametrize(("age", "expected"), [(None, "300"), (5, "5"), (0, "0")])
async def test_keys_may_be_kept_for_a_while(age: int | None, expected: str) -> None:
    """The answer says for how long the keys may be kept, as it was configured."""
    mock = MockAS() if age is None else MockAS(jwks_max_age=age)
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        response = await client.get(mock.url.jwks)
    assert directives(response)["max-age"] == expected


async def test_head_says_the_same_without_a_body(client: httpx.AsyncClient) -> None:
    """HEAD is answered as GET is, without the body."""
    got, headed = await client.get("/jwks"), await client.head("/jwks")
    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"]


async def test_keys_are_read_only(client: httpx.AsyncClient) -> None:
    """Whoever wants to write is told what the endpoint takes."""
    response = await client.post("/jwks")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_keys_that_are_known_are_not_sent_again(mock: MockAS, client: httpx.AsyncClient, form: str) -> None:
    """Whoever has the keys already is told so, until they change: RFC 9110 section 13.1.2."""
    tag = (await client.get("/jwks")).headers["etag"]
    known = {"If-None-Match": form.format(tag)}
    response = await client.get("/jwks", headers=known)
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert directives(response)["max-age"] == "300"
    mock.keys.rotate()
    if form != "*":
        again = await client.get("/jwks", headers=known)
        assert (again.status_code, len(again.json()["keys"])) == (200, 2)
        assert again.headers["etag"] != tag
