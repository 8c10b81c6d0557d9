"""Clients that authenticate by the JWTs that they sign.

References: RFC 7521 section 4.2, RFC 7523 sections 2.2 and 3
"""

from __future__ import annotations

import hmac
import math
from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.base64url import base64url
from mock_as.keys.of_clients import key_pair
from mock_as.keys.signing import SigningKey, generate_key
from mock_as.messages import encode_json
from tests.mock_as.asking import CLIENT_CREDENTIALS, ask, assert_refused, assertion, record_of, with_assertion

pytestmark = pytest.mark.anyio

ED25519 = generate_key("Ed25519")
ED_DSA = generate_key("EdDSA")
ES384 = generate_key("ES384")


@pytest.fixture
def mock() -> MockAS:
    """Make a mock with clients of several keys, and with one that signs with its secret."""
    return MockAS(
        clients=[
            Client(
                id="keys",
                auth_methods=("private_key_jwt",),
                jwks={"keys": [{"kty": "unheard-of"}, *(key.public() for key in (ED25519, ED_DSA, ES384))]},
            ),
            Client(id="hmac", secret="short", auth_methods=("client_secret_jwt",)),
            Client(id="both", secret="s", auth_methods=("private_key_jwt", "client_secret_jwt"), key_pair=True),
        ]
    )


def mac(secret: bytes, claims: dict[str, Any], alg: str = "HS256") -> str:
    """Sign claims with a secret."""
    message = f"{base64url(encode_json({'alg': alg}))}.{base64url(encode_json(claims))}"
    return f"{message}.{base64url(hmac.digest(secret, message.encode(), f'sha{alg[2:]}'))}"


def claims_of(mock: MockAS, client_id: str, **claims: Any) -> dict[str, Any]:
    """Return good claims, but for what is said differently."""
    now = int(mock.clock.now())
    return {"iss": client_id, "sub": client_id, "aud": mock.issuer, "exp": now + 60, "jti": "1", **claims}


async def test_client_signs_with_its_key(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An assertion signed with the private key of a client authenticates it."""
    response = await ask(client, with_assertion(assertion(mock)))
    assert record_of(mock, response).client_id == "svc.jwt"
    assert mock.requests("token").last.client_id == "svc.jwt"


@pytest.mark.parametrize("key", [ED25519, ED_DSA, ES384], ids=lambda key: key.alg)
async def test_every_key_of_a_client_will_do(mock: MockAS, client: httpx.AsyncClient, key: SigningKey) -> None:
    """Any key in the JWKS of the client may sign, and one that nobody can read is passed over."""
    assert record_of(mock, await ask(client, with_assertion(assertion(mock, "keys", key)))).client_id == "keys"


async def test_key_need_not_be_named(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Without a kid every key of the client is tried: RFC 7515 section 4.1.4 makes it optional."""
    anonymous = assertion(mock, "keys", ES384, header={"kid": None})
    assert (await ask(client, with_assertion(anonymous))).status_code == 200


@pytest.mark.parametrize("endpoint", ["issuer", "token", "introspection", "pushed_authorization"])
async def test_audience_may_be_any_name_of_the_server(mock: MockAS, client: httpx.AsyncClient, endpoint: str) -> None:
    """The audience is the issuer, or the URL of an endpoint that takes assertions; beside others too."""
    url = getattr(mock.url, endpoint)
    assert (await ask(client, with_assertion(assertion(mock, aud=url)))).status_code == 200
    assert (await ask(client, with_assertion(assertion(mock, aud=["https://other.test", url])))).status_code == 200


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
async def test_client_signs_with_its_secret(mock: MockAS, client: httpx.AsyncClient, alg: str) -> None:
    """An assertion authenticated with the secret of a client authenticates the client."""
    text = mac(b"short", claims_of(mock, "hmac"), alg)
    assert record_of(mock, await ask(client, with_assertion(text))).client_id == "hmac"


async def test_client_may_have_a_key_and_a_secret(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Of a client that may do both, the algorithm says which it does."""
    assert (await ask(client, with_assertion(assertion(mock, "both")))).status_code == 200
    assert (await ask(client, with_assertion(mac(b"s", claims_of(mock, "both"))))).status_code == 200


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
async def test_assertions_work_at_every_endpoint(mock: MockAS, client: httpx.AsyncClient, path: str) -> None:
    """Introspection and revocation take assertions as well."""
    form = with_assertion(assertion(mock), {"token": mock.token(client_id="svc.jwt").value})
    assert (await ask(client, form, path=path)).status_code == 200


async def test_client_id_may_be_named_beside(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client_id beside the assertion must be the same: RFC 7521 section 4.2."""
    form = with_assertion(assertion(mock))
    assert (await ask(client, {**form, "client_id": "svc.jwt"})).status_code == 200
    other = {**with_assertion(assertion(mock)), "client_id": "svc"}
    assert_refused(await ask(client, other), "invalid_client", 401, "iss and sub")


@pytest.mark.attack("A-S-8")
@pytest.mark.parametrize(
    ("claims", "about"),
    [
        ({"iss": "svc"}, "iss and sub"),
        ({"sub": "svc"}, "iss and sub"),
        ({"sub": None}, "iss and sub"),
        ({"sub": 7, "iss": 7}, "iss and sub"),
        ({"iss": "nobody", "sub": "nobody"}, "signature"),
        ({"iss": "svc", "sub": "svc"}, "signature"),
        ({"aud": None}, "not meant"),
        ({"aud": "https://other.test"}, "not meant"),
        ({"aud": ["https://other.test"]}, "not meant"),
        ({"aud": [["https://as.example.test"]]}, "not meant"),
        ({"exp": None}, "no exp"),
        ({"exp": 1}, "expired"),
        ({"exp": "9999999999"}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": -math.inf}, "expired"),
        ({"nbf": 9999999999}, "future"),
        ({"iat": 9999999999}, "future"),
        ({"iat": "now"}, "future"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 1}, "jti"),
    ],
)
async def test_wrong_claims(mock: MockAS, client: httpx.AsyncClient, claims: dict[str, Any], about: str) -> None:
    """An assertion that is another's, for another, not of now, or without a name is refused: RFC 7523 section 3."""
    key = key_pair("svc.jwt").key
    response = await ask(client, with_assertion(assertion(mock, "svc.jwt", key, **claims)))
    assert_refused(response, "invalid_client", 401, about)


@pytest.mark.attack("A-S-8")
async def test_assertion_comes_once(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An assertion is not taken a second time, for as long as it would be good."""
    form = with_assertion(assertion(mock, exp=int(mock.clock.now()) + 600))
    assert (await ask(client, form)).status_code == 200
    assert_refused(await ask(client, form), "invalid_client", 401, "before")
    mock.clock.advance(659)
    assert_refused(await ask(client, form), "invalid_client", 401, "before")
    mock.clock.advance(2)
    assert_refused(await ask(client, form), "invalid_client", 401, "expired")


async def test_clocks_may_differ_a_little(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A minute of difference between the clocks does no harm."""
    now = int(mock.clock.now())
    old, new = assertion(mock, exp=now - 50), assertion(mock, iat=now + 50, nbf=now + 50)
    assert [(await ask(client, with_assertion(text))).status_code for text in (old, new)] == [200, 200]


async def test_time_is_the_clock_of_the_mock(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Assertions are judged by the clock that tests move."""
    mock.clock.advance(-86400)
    assert (await ask(client, with_assertion(assertion(mock)))).status_code == 200
    form = with_assertion(assertion(mock))
    mock.clock.advance(86400)
    assert_refused(await ask(client, form), "invalid_client", 401, "expired")


def tampered(mock: MockAS) -> str:
    """Change the claims of an assertion after it was signed."""
    header, _, signature = assertion(mock).split(".")
    payload = base64url(encode_json(claims_of(mock, "svc.jwt", jti="2")))
    return f"{header}.{payload}.{signature}"


def of_no_algorithm(mock: MockAS) -> str:
    """Leave an assertion unsigned."""
    return f"{base64url(encode_json({'alg': 'none'}))}.{base64url(encode_json(claims_of(mock, 'svc.jwt')))}."


def of_the_public_key(mock: MockAS) -> str:
    """Take the public key, which everybody knows, for a secret."""
    public = key_pair("svc.jwt").key.jwk.as_pem(private=False)
    return mac(public, claims_of(mock, "svc.jwt"))


FORGERIES: dict[str, Any] = {
    "another key": lambda mock: assertion(mock, key=generate_key("ES256")),
    "another key of the same name": lambda mock: assertion(
        mock, key=generate_key("ES256"), header={"kid": key_pair("svc.jwt").key.kid}
    ),
    "a key in the header": lambda mock: assertion(mock, key=ES384, header={"jwk": ES384.public()}),
    "the key of another client": lambda mock: assertion(mock, key=ES384),
    "an unknown kid": lambda mock: assertion(mock, header={"kid": "unknown"}),
    "another alg in the header": lambda mock: assertion(mock, header={"alg": "RS256"}),
    "a critical parameter": lambda mock: assertion(mock, header={"crit": ["b64"], "b64": False}),
    "tampered": tampered,
    "alg none": of_no_algorithm,
    "the public key as a secret": of_the_public_key,
    "the secret of a client that signs with a key": lambda mock: mac(b"svc.jwt-secret", claims_of(mock, "svc.jwt")),
    "an access token of the server": lambda mock: mock.token(sub="svc.jwt", client_id="svc.jwt").value,
    "an empty secret": lambda mock: mac(b"", claims_of(mock, "keys")),
    "another secret": lambda mock: mac(b"shorter", claims_of(mock, "hmac")),
    "the secret of nobody": lambda mock: mac(b"", claims_of(mock, "nobody")),
    "garbage": lambda _mock: "garbage",
    "two parts": lambda _mock: "e30.e30",
    "no JSON": lambda _mock: "AAAA.AAAA.AAAA",
    "an array": lambda _mock: "W10.W10.AAAA",
    "no base64url": lambda _mock: "e30=.e30.AAAA",
    "an impossible length": lambda _mock: "A.e30.AAAA",
    "no header": lambda _mock: "e30.e30.AAAA",
    "too deep": lambda _mock: f"{base64url(b'[' * 100_000)}.e30.AAAA",
    "a kid that is no text": lambda mock: assertion(mock, header={"kid": [{}]}),
    "an alg that is no text": lambda mock: assertion(mock, header={"alg": ["ES256"]}),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_forged_assertion(mock: MockAS, client: httpx.AsyncClient, forge: Any) -> None:
    """An assertion that the client has not signed, as it is registered to, proves nothing."""
    assert_refused(await ask(client, with_assertion(forge(mock))), "invalid_client", 401, "assertion")


async def test_method_must_be_registered(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that is registered for a secret does not get in with an assertion over it."""
    text = mac(b"svc-secret", claims_of(mock, "svc"))
    assert_refused(await ask(client, with_assertion(text)), "invalid_client", 401)


async def test_type_of_the_assertion_must_be_named(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An assertion of another type, or of none, is no assertion of RFC 7523."""
    for kind in ("", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"):
        form = {**with_assertion(assertion(mock)), "client_assertion_type": kind}
        assert_refused(await ask(client, form), "invalid_client", 401)


async def test_one_way_at_a_time(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An assertion beside a secret is one way too many: RFC 6749 section 2.3."""
    form = with_assertion(assertion(mock))
    assert_refused(await ask(client, form, ("svc", "svc-secret")), "invalid_request")
    assert_refused(await ask(client, {**form, "client_secret": "s"}), "invalid_request")


async def test_open_clients_need_a_secret_all_the_same(client: httpx.AsyncClient, mock: MockAS) -> None:
    """Where anybody may come, an assertion of nobody is still refused: there is no key that could judge it."""
    mock.configure(open_clients=True)
    assert_refused(await ask(client, with_assertion(mac(b"any", claims_of(mock, "nobody")))), "invalid_client", 401)
    assert (await ask(client, CLIENT_CREDENTIALS, ("nobody", "anything"))).status_code == 200
