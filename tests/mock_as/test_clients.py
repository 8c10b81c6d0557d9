"""The registered clients."""

from __future__ import annotations

import pytest

from mock_as import Client, MockAS, UsageError
from mock_as.clients import READY_MADE


def test_ready_made_clients_follow_one_rule() -> None:
    """Whoever knows the name of a ready-made client knows its secret."""
    assert {client.id for client in READY_MADE} == {
        "svc", "svc.post", "svc.jwt", "svc.dpop", "svc.dpop.nonce", "svc.mtls", "svc.short", "svc.opaque",
        "svc.readonly", "web", "spa", "device", "rs", "rs.jwt", "rs.jwe", "rs.denied",
    }  # fmt: skip
    assert all(client.secret == f"{client.id}-secret" for client in READY_MADE)
    assert all(client.description for client in READY_MADE)


def test_credentials_of_a_client(mock: MockAS) -> None:
    """The mock hands out the credentials of a client, and names the one that was meant where there is none."""
    assert mock.credentials("rs") == ("rs", "rs-secret")
    with pytest.raises(UsageError, match=r"did you mean 'rs\.denied'"):
        mock.credentials("rs-denied")


def test_own_client_takes_the_place_of_a_ready_made_one() -> None:
    """A client that is registered under a name that is taken replaces the other."""
    mock = MockAS(clients=[Client(id="rs", secret="other"), Client(id="orders", secret="s")])
    assert mock.credentials("rs") == ("rs", "other")
    assert mock.credentials("orders") == ("orders", "s")


def test_secret_does_not_show() -> None:
    """The secret of a client is not in its representation."""
    assert "s3cret" not in repr(Client(id="orders", secret="s3cret"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "", "secret": "s"}, "id and a secret"),
        ({"id": "a", "secret": ""}, "id and a secret"),
        ({"id": "a", "secret": "s", "auth_methods": ("client_secret_basik",)}, "did you mean 'client_secret_basic'"),
        ({"id": "a", "secret": "s", "format": "jwe"}, "format: 'jwe' is unknown"),
        ({"id": "a", "auth_methods": ("client_secret_jwt",)}, "id and a secret"),
        ({"id": "a", "auth_methods": ("private_key_jwt",)}, "jwks: private_key_jwt needs a public key"),
        ({"id": "a", "auth_methods": ("self_signed_tls_client_auth",)}, "jwks: self_signed_tls_client_auth needs"),
        ({"id": "a", "auth_methods": ("private_key_jwt",), "jwks": {"keys": []}}, "jwks: private_key_jwt needs"),
        ({"id": "a", "secret": "s", "response": "jwe"}, "jwks: jwe needs a public key"),
        ({"id": "a", "secret": "s", "response": "xml"}, "response: 'xml' is unknown"),
        ({"id": "a", "secret": "s", "jwks": {}}, "jwks: must be"),
        ({"id": "a", "secret": "s", "jwks": {"keys": ["key"]}}, "jwks: must be"),
        ({"id": "a", "secret": "s", "jwks": {"keys": [{"kty": "EC", "d": "AA"}]}}, "jwks: must have the public parts"),
        ({"id": "a", "auth_methods": ("tls_client_auth",)}, "certificate: tls_client_auth needs exactly one"),
        ({"id": "a", "secret": "s", "certificate": {"san_dsn": "a.test"}}, "did you mean 'san_dns'"),
        (
            {"id": "a", "auth_methods": ("tls_client_auth",), "certificate": {"san_dns": "a", "san_uri": "b"}},
            "certificate: tls_client_auth needs exactly one",
        ),
    ],
)
def test_refuses_a_client_that_could_never_work(wrong: dict[str, object], message: str) -> None:
    """A client that could never authenticate, or get a token, is refused when it is made."""
    with pytest.raises(UsageError, match=message):
        Client(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("audience", "expected"),
    [("https://a.test", True), (["https://b.test", "https://a.test"], True), ("https://b.test", False), (None, False)],
)
def test_caller_may_be_limited_to_audiences(audience: object, expected: bool) -> None:  # noqa: FBT001
    """A caller with audiences sees their tokens, in either shape of the claim, and no others."""
    client = Client(id="rs", secret="s", introspect=True, audiences=("https://a.test",))
    assert client.may_see(audience) is expected
    assert not Client(id="rs", secret="s", audiences=("https://a.test",)).may_see(audience)


def test_public_client_needs_no_secret() -> None:
    """A client that proves nothing has nothing to prove it with."""
    client = Client(id="app", auth_methods=("none",))
    assert client.is_public
    assert not client.check_client_secret("")
    assert client.get_client_id() == "app"


def test_claims_may_name_the_client() -> None:
    """In the claims of a client its id can be left to be filled in, however deep it stands."""
    claims = {"sub": "${client_id}", "tenant": {"names": ["of ${client_id}", 1]}, "n": 2}
    client = Client(id="orders", secret="s", claims=claims)
    assert client.own_claims() == {"sub": "orders", "tenant": {"names": ["of orders", 1]}, "n": 2}


def test_keys_of_a_client() -> None:
    """The public keys of a client are those it is registered with, and those that the mock has made for it."""
    jwk = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
    client = Client(id="keys", secret="s", jwks={"keys": [jwk]}, key_pair=True)
    assert client.public_keys()[0] == jwk
    assert [key["use"] for key in client.public_keys()[1:]] == ["sig", "enc"]
    assert Client(id="none", secret="s").public_keys() == []
    assert not any("d" in key for key in client.public_keys())
