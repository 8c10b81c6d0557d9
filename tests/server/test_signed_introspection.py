"""Signed introspection from end to end: an API, and an authorization server that signs what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mock_as import MockAS
from resource_server import BlockingResourceServer, Clock, InvalidToken
from resource_server.events import ConfigurationFault
from tests.support.api import API
from tests.support.stage import bearer

pytestmark = pytest.mark.anyio

FAULTS = {
    "plain_json": "not_signed",
    "bad_signature": "answer_bad_signature",
    "wrong_typ": "answer_wrong_type",
    "wrong_aud": "answer_wrong_audience",
    "wrong_iss": "answer_wrong_issuer",
    "alg_none": "answer_algorithm",
    "unknown_kid": "answer_unknown_key",
    "not_nested": "answer_not_nested",
    "jwe_unknown_key": "answer_not_jwt",
    "old_iat": "answer_stale",
}


@pytest.fixture
def mock() -> MockAS:
    """An authorization server that signs answers for ``rs.jwt``, and encrypts them for ``rs.jwe``."""
    return MockAS()


def options(mock: MockAS, client: str = "rs.jwt", **changes: Any) -> dict[str, Any]:
    """Write the options of a resource server that is registered as a client."""
    client_id, secret = mock.credentials(client)
    chosen: dict[str, Any] = {"client_id": client_id, "client_secret": secret, "signed_introspection": "required"}
    return chosen | ({"decryption_key": private_key(mock)} if client == "rs.jwe" else {}) | changes


def private_key(mock: MockAS) -> str:
    """Write the key that decrypts what is encrypted for ``rs.jwe``."""
    return json.dumps(mock.client_key("rs.jwe").encryption_key.as_dict(private=True))


@pytest.mark.rfc("9701-4-a", "9701-5-a", "9701-5-b", "9701-5-d")
@pytest.mark.parametrize("client", ["rs.jwt", "rs.jwe"])
@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_signed_and_encrypted(mock: MockAS, client: str, form: Any) -> None:
    """RFC 9701 §5: what the server says signed, encrypted or not, lets in and keeps out like what it says plainly."""
    api = API(mock, **options(mock, client))
    token = mock.token(sub="alice", scope="read", format=form)
    answer = await api.send(token=token)
    assert (answer.status, answer.json()["subject"], answer.json()["assurance"]) == (200, "alice", "introspected")
    revoked = mock.token(scope="read", format=form)
    mock.revoke(revoked)
    assert (await api.send(token=revoked)).status == 401
    assert api.introspections == 2
    assert mock.requests("jwks").count == 1


@pytest.mark.rfc("9701-5-a", "9701-5-b", "9701-5-c", "9701-5-d", "9701-5-e")
@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks"])
@pytest.mark.parametrize(("fault", "cause"), FAULTS.items(), ids=FAULTS)
async def test_whatever_is_wrong_with_it(mock: MockAS, strategy: str, fault: Any, cause: str) -> None:
    """RFC 9701 §5: an answer that is not signed as agreed lets nobody in, also where the token's signature would."""
    api = API(mock, **options(mock, strategy=strategy, decryption_key=private_key(mock)))
    mock.fault("introspect", fault, times=1)
    token = mock.token(sub="alice", scope="read")
    assert (await api.send(token=token)).status == 401
    assert [event.cause for event in api.events if isinstance(event, ConfigurationFault)] == [cause]
    assert (await api.send(token=token)).status == 200, "it was not the token's fault, and is not held against it"


@pytest.mark.rfc("9701-5-e")
@pytest.mark.parametrize(("fault", "status"), [(fault, 200 if fault == "plain_json" else 401) for fault in FAULTS])
async def test_optional(mock: MockAS, fault: Any, status: int) -> None:
    """Where a signature is optional, its absence is no fault; one that is wrong is as wrong as ever."""
    api = API(mock, **options(mock, signed_introspection="optional"))
    mock.fault("introspect", fault, times=1)
    assert (await api.send(token=mock.token(scope="read"))).status == status


async def test_a_server_that_does_not_sign(mock: MockAS) -> None:
    """A server that has never heard of signed answers serves where they are optional, and not where required."""
    optional, required = (API(mock, signed_introspection=mode) for mode in ("optional", "required"))
    token = mock.token(scope="read")
    assert (await optional.send(token=token)).status == 200
    assert (await required.send(token=token)).status == 401


async def test_keys_are_fetched_ahead(mock: MockAS) -> None:
    """Where answers are to be signed, the keys that verify them are there before the first request."""
    api = API(mock, **options(mock, strategy="introspect"))
    async with api.server:
        assert mock.requests("jwks").count == 1
        assert {check.name for check in api.server.health().checks} >= {"introspection", "jwks"}


def test_in_threads(mock: MockAS) -> None:
    """The same rules hold without an event loop."""
    client_id, secret = mock.credentials("rs.jwt")
    with mock.serve() as url:
        server = BlockingResourceServer(
            issuer=url,
            audience=mock.options.audience,
            client_id=client_id,
            client_secret=secret,
            signed_introspection="required",
            clock=Clock(wall=mock.clock.now, monotonic=mock.clock.now),
        )
        token = mock.token(sub="alice")
        with server:
            assert server.authenticate(bearer(token.value)).subject == "alice"
            mock.fault("introspect", "plain_json", times=1)
            with pytest.raises(InvalidToken):
                server.authenticate(bearer(mock.token().value))
