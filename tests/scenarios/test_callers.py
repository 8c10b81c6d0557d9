"""Resource servers that introspect in other ways: with an assertion of their own, and for an answer that is signed.

References: RFC 7523 section 2.2, RFC 9701 sections 4 and 5
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.pytest_plugin import MockASFactory
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.scenarios.conftest import MakeApi
from tests.scenarios.judges import Judge, OIDCProvider, mock_judge
from tests.support.jwt import REMOVED, signing_key
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

ASSERTS = Client(id="rs-pkjwt", auth_methods=("private_key_jwt",), introspect=True, key_pair=True)
SIGNED = [
    ("oidc-provider", "RS256", "rs-jwt"),
    ("oidc-provider", "ES256", "rs-jwt-es256"),
    ("oidc-provider", "Ed25519", "rs-jwt-ed25519"),
    ("oidc-provider", "EdDSA", "rs-jwt-eddsa"),
    ("mock-as", "RS256", "rs.jwt"),
]
"""Who is told in signed answers, by the algorithm of the signature."""


@pytest.fixture
def mock(mock_as_factory: MockASFactory) -> MockAS:
    """Make a mock that knows a resource server with a key of its own."""
    return mock_as_factory(issuer="auto", clients=[ASSERTS])


@pytest.fixture(params=["mock-as", "oidc-provider"])
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """Give each judge in turn, the mock with one resource server more."""
    if request.param == "oidc-provider":
        yield request.getfixturevalue("provider")
    else:
        with mock_judge(request.getfixturevalue("mock")) as judge:
            yield judge


@pytest.fixture
def key(judge: Judge, mock: MockAS) -> dict[str, Any]:
    """Return the private key of the resource server that asserts."""
    if isinstance(judge, OIDCProvider):
        found: dict[str, Any] = httpx.get(f"{judge.issuer}/_/client-key", trust_env=False).raise_for_status().json()
        return found
    return mock.client_key(ASSERTS.id).private_jwk


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize("audience", ["issuer", "endpoint"])
async def test_private_key_jwt(audience: str, judge: Judge, key: dict[str, Any], make_api: MakeApi) -> None:
    """A resource server with a key introspects as one with a secret does, whichever audience its assertions have."""
    api = make_api(
        strategy="introspect",
        client_id=ASSERTS.id,
        client_secret=REMOVED,
        client_auth_method="private_key_jwt",
        client_key=json.dumps(key),
        client_assertion_audience=audience,
    )
    for _ in range(2):  # an assertion is good once
        assert (await api.get(judge.token("opaque"))).status == 200
    assert_refused(await api.get("never-issued"), 401, "invalid_token")


async def test_private_key_jwt_with_another_key(judge: Judge, make_api: MakeApi) -> None:
    """An assertion that is signed with another key is our own fault, and never the caller's."""
    api = make_api(
        strategy="introspect",
        client_id=ASSERTS.id,
        client_secret=REMOVED,
        client_key=json.dumps(signing_key("ES256", "not-registered").private_jwk()),
    )
    assert_unavailable(await api.get(judge.token("opaque")))
    assert api.saw(ConfigurationFault)


@pytest.mark.rfc("9701-4-a")
@pytest.mark.parametrize(("judge", "algorithm", "client_id"), SIGNED, indirect=["judge"])
async def test_signed_answer(judge: Judge, algorithm: str, client_id: str, make_api: MakeApi) -> None:
    """RFC 9701: an answer that is signed is believed as a plain one is, of good tokens and of bad ones."""
    api = make_api(
        strategy="introspect", client_id=client_id, client_secret=f"{client_id}-secret", signed_introspection="required"
    )
    good, revoked = judge.token("opaque"), judge.token("opaque")
    answer = await api.get(good)
    assert answer.status == 200
    assert answer.json()["scopes"] == ["read"]
    judge.revoke(revoked)
    for bad in (revoked, "never-issued", judge.token_for_another("opaque")):
        assert_refused(await api.get(bad), 401, "invalid_token")
    assert not api.saw(AuthorizationServerUnavailable)


async def test_optional_signature(judge: Judge, make_api: MakeApi) -> None:
    """Where a signature is optional, a server that signs for whoever asks and one that does not are both believed."""
    api = make_api(strategy="introspect", signed_introspection="optional")
    assert (await api.get(judge.token("opaque"))).status == 200
    assert_refused(await api.get("never-issued"), 401, "invalid_token")


@pytest.mark.rfc("9701-5-e")
@pytest.mark.parametrize("judge", ["mock-as"], indirect=True)
async def test_plain_answer_where_a_signed_one_is_required(judge: Judge, make_api: MakeApi) -> None:
    """An authorization server that answers in plain JSON has not said what was asked for: nothing is believed."""
    api = make_api(strategy="introspect", signed_introspection="required")
    assert_unavailable(await api.get(judge.token("opaque")))
