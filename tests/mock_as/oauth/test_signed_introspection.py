"""Introspection answered with a JWT.

References: RFC 9701
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from mock_as import Client, Clock, MockAS, UsageError
from mock_as.keys.of_clients import key_pair
from mock_as.messages import Request
from mock_as.oauth.signed_introspection import MEDIA_TYPE, encrypt, is_wanted
from tests.mock_as.conftest import Post
from tests.mock_as.jose import header_of, is_by, payload_of
from tests.mock_as.reading import directives, is_json

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
SIGNED = Client(id="c", secret="s", introspect=True, response="jwt")


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW + 0.5))


async def ask(mock: MockAS, client: httpx.AsyncClient, caller: str, accept: str, token: str) -> httpx.Response:
    """Ask about a token, for an answer of a media type."""
    auth, headers = mock.credentials(caller), {"Accept": accept}
    return await client.post("/introspect", data={"token": token}, auth=auth, headers=headers)


def read(response: httpx.Response) -> str:
    """Return the JWT of a response, which nobody may store."""
    assert (response.status_code, response.headers["content-type"]) == (200, MEDIA_TYPE)
    assert "no-store" in directives(response)
    return response.text


async def test_answer_is_a_signed_jwt(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """The JWT says who answers whom and when, and holds what the plain answer says: RFC 9701 section 5."""
    token = mock.token(sub="alice", scope="read write").value
    jwt = read(await ask(mock, client, "rs.jwt", MEDIA_TYPE, token))
    assert header_of(jwt) == {"typ": "token-introspection+jwt", "alg": "ES256", "kid": mock.keys.signing().kid}
    plain = (await introspect(token)).json()
    assert payload_of(jwt) == {"iss": mock.issuer, "aud": "rs.jwt", "iat": NOW, "token_introspection": plain}
    assert is_by(jwt, mock.keys.jwks())


@pytest.mark.rfc("9701-5-g")
async def test_inactive_token_says_nothing_else(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Of a token that is not active the JWT says just that."""
    jwt = read(await ask(mock, client, "rs.jwt", MEDIA_TYPE, "garbage"))
    assert payload_of(jwt)["token_introspection"] == {"active": False}


@pytest.mark.rfc("9701-5-g")
async def test_token_for_somebody_else_says_nothing_else() -> None:
    """Of a token for another resource server the JWT says as little as of one that does not exist: RFC 9701 section 5.

    The same caller is told everything about a token for itself.
    """
    caller = Client(id="c", secret="s", introspect=True, response="jwt", audiences=("https://one.example.test",))
    mock = MockAS(clients=[caller])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        mine = await ask(mock, client, "c", MEDIA_TYPE, mock.token(aud="https://one.example.test").value)
        others = await ask(mock, client, "c", MEDIA_TYPE, mock.token().value)
    assert payload_of(read(mine))["token_introspection"]["active"] is True
    assert payload_of(read(others))["token_introspection"] == {"active": False}


async def test_answer_follows_the_keys_and_the_clock(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The key that signs now signs the answer, and the mock's own clock dates it."""
    [kid] = mock.keys.rotate()
    mock.clock.advance(60)
    jwt = read(await ask(mock, client, "rs.jwt", MEDIA_TYPE, "garbage"))
    assert (header_of(jwt)["kid"], payload_of(jwt)["iat"]) == (kid, NOW + 60)


@pytest.mark.parametrize(
    ("caller", "accept"),
    [("rs.jwt", "application/json"), ("rs.jwt", "*/*"), ("rs", MEDIA_TYPE), ("rs.jwt", f"{MEDIA_TYPE};q=0")],
)
async def test_jwt_needs_registration_and_a_wish(
    mock: MockAS, client: httpx.AsyncClient, caller: str, accept: str
) -> None:
    """A caller that is not registered for it, or does not ask for it, gets plain JSON: RFC 9701 sections 4 and 6."""
    response = await ask(mock, client, caller, accept, mock.token().value)
    assert is_json(response)
    assert response.json()["active"] is True


async def test_jwt_for_everybody_who_asks(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Where both forms are offered, a caller that is registered for JSON gets a JWT as well if it asks for one."""
    mock.configure(introspection="json+jwt")
    token = mock.token().value
    assert payload_of(read(await ask(mock, client, "rs", MEDIA_TYPE, token)))["aud"] == "rs"
    assert is_json(await ask(mock, client, "rs", "application/json", token))


@pytest.mark.rfc("9701-5-f")
@pytest.mark.parametrize("token", ["", "x"])
async def test_errors_are_plain(mock: MockAS, client: httpx.AsyncClient, token: str) -> None:
    """A request that is malformed, or comes from nobody, is answered in JSON as ever."""
    auth = ("rs.jwt", "wrong") if token else mock.credentials("rs.jwt")
    response = await client.post("/introspect", data={"token": token}, auth=auth, headers={"Accept": MEDIA_TYPE})
    assert (response.status_code, is_json(response)) == ((401, True) if token else (400, True))


@pytest.mark.rfc("9701-7-a")
async def test_algorithms_are_those_that_work(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The metadata list the algorithm that answers are signed with, and what they are encrypted with: section 7."""
    document = (await client.get(mock.url.metadata)).json()
    jwt = read(await ask(mock, client, "rs.jwt", MEDIA_TYPE, mock.token().value))
    assert document["introspection_signing_alg_values_supported"] == [header_of(jwt)["alg"]]
    response = await ask(mock, client, "rs.jwe", MEDIA_TYPE, mock.token().value)
    header = header_of(read(response))
    assert header["alg"] in document["introspection_encryption_alg_values_supported"]
    assert header["enc"] in document["introspection_encryption_enc_values_supported"]


async def test_answer_can_be_encrypted(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """For a caller that wants it the signed JWT is encrypted to its key: RFC 7519 section 5.2."""
    token = mock.token(sub="alice")
    response = await ask(mock, client, "rs.jwe", MEDIA_TYPE, token.value)
    decrypted = jwe.decrypt_compact(
        read(response), key_pair("rs.jwe").encryption_key, algorithms=["ECDH-ES", "A256GCM"]
    )
    header = decrypted.headers()
    assert (header["cty"], header["alg"], header["enc"]) == ("JWT", "ECDH-ES", "A256GCM")
    assert header["kid"] == key_pair("rs.jwe").encryption_key.kid
    inner = (decrypted.plaintext or b"").decode()
    assert is_by(inner, mock.keys.jwks())
    assert payload_of(inner)["token_introspection"] == (await introspect(token)).json()


def with_key(jwk: dict[str, Any]) -> Client:
    """Register a caller with a key."""
    return Client(id="c", secret="s", introspect=True, response="jwe", jwks={"keys": [jwk]})


@pytest.mark.parametrize("alg", [None, "RSA-OAEP-256"])
def test_rsa_keys_are_encrypted_to_as_well(alg: str | None) -> None:
    """To a key of the type RSA the answer is encrypted with RSA-OAEP-256, whether or not the key says so."""
    key = RSAKey.generate_key(2048)
    jwk = {**key.as_dict(private=False), **({"alg": alg} if alg else {})}
    decrypted = jwe.decrypt_compact(encrypt(with_key(jwk), "a.b.c"), key, algorithms=["RSA-OAEP-256", "A256GCM"])
    assert decrypted.plaintext == b"a.b.c"
    assert decrypted.headers()["alg"] == "RSA-OAEP-256"
    assert "kid" not in decrypted.headers()


def test_key_for_signatures_is_not_encrypted_to() -> None:
    """A caller whose only key is for signatures cannot be answered, and the error names it."""
    jwk = ECKey.generate_key("P-256", {"use": "sig"}).as_dict(private=False)
    with pytest.raises(UsageError, match=r"^jwks: 'c' has no key"):
        encrypt(with_key(dict(jwk)), "a.b.c")


def accepting(value: str) -> Request:
    """Make a request with an Accept header field."""
    return Request("POST", "/introspect", (("accept", value),), None)


PARTS = st.lists(st.sampled_from(["*/*", "application/json", "text/html;q=0.5", "", " "]), max_size=3)
QUALITY = st.sampled_from(["", ";q=1", "; q=0.001", ";v=1;q=0.9"])


@given(PARTS, PARTS, QUALITY)
def test_wish_is_found_wherever_it_stands(before: list[str], after: list[str], quality: str) -> None:
    """The media type may stand anywhere in the list, in any case, with any quality but zero."""
    assert is_wanted(SIGNED, accepting(",".join([*before, MEDIA_TYPE.upper() + quality, *after])))
    assert not is_wanted(SIGNED, accepting(", ".join([*before, f"{MEDIA_TYPE}; q=0.000", *after])))
    assert not is_wanted(SIGNED, accepting(",".join([*before, *after])))


def test_no_accept_is_no_wish() -> None:
    """A caller that accepts anything gets JSON."""
    assert not is_wanted(SIGNED, Request("POST", "/introspect", (), None))
