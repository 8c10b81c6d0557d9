"""The registered clients."""

from __future__ import annotations

import pytest

from mock_as import Client, MockAS, UsageError
from mock_as.clients import READY_MADE


def test_ready_made_clients_follow_one_rule() -> None:
    """Whoever knows the name of a ready-made client knows its secret."""
    assert {client.id for client in READY_MADE} == {
        "svc", "svc.post", "svc.opaque", "svc.readonly", "svc.short", "rs", "rs.denied",
    }  # fmt: skip
    assert all(client.secret == f"{client.id}-secret" for client in READY_MADE)


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
        ({"id": "a", "secret": "s", "token_format": "jwe"}, "token_format: 'jwe' is unknown"),
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
