"""What a mint adds to tokens: numbers, randomness, and whether anybody is to know them."""

from __future__ import annotations

import base64

import pytest

from mock_as import Client, MockAS


def test_ten_thousand_opaque_tokens_are_unguessable_and_distinct() -> None:
    """An opaque token has 256 random bits: no two are equal, and none looks like a JWT."""
    mock = MockAS(token_format="opaque")
    tokens = [mock.token().value for _ in range(10_000)]
    assert len(set(tokens)) == 10_000
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}
    assert not any("." in token for token in tokens)


def test_every_token_has_its_own_id_and_jti(mock: MockAS) -> None:
    """Ids count up, and no two tokens share a `jti`."""
    tokens = [mock.token() for _ in range(100)]
    assert [token.id for token in tokens[:3]] == ["tok-1", "tok-2", "tok-3"]
    assert len({token.jti for token in tokens}) == 100


def test_seed_makes_tokens_reproducible() -> None:
    """Two mocks with one seed make the same tokens, a third with another makes others, and a reset begins again."""
    one, same, other = MockAS(seed=42), MockAS(seed=42), MockAS(seed=43)
    first = [one.token(format="opaque").value for _ in range(3)]
    assert [same.token(format="opaque").value for _ in range(3)] == first
    assert other.token(format="opaque").value != first[0]
    one.reset()
    assert [one.token(format="opaque").value for _ in range(3)] == first


def test_without_a_seed_nothing_repeats() -> None:
    """Two mocks without a seed never make the same token, not even after a reset."""
    mock = MockAS()
    first = mock.token(format="opaque").value
    mock.reset()
    assert first != mock.token(format="opaque").value != MockAS().token(format="opaque").value


@pytest.mark.parametrize(
    ("usual", "client_id", "asked", "expected"),
    [
        ("jwt", "svc", None, "jwt"),
        ("opaque", "svc", None, "opaque"),
        ("jwt", "svc.opaque", None, "opaque"),
        ("opaque", "orders", None, "jwt"),
        ("jwt", "svc.opaque", "jwt", "jwt"),
        ("opaque", "nobody", None, "opaque"),
    ],
)
def test_format_is_asked_for_or_the_clients_or_the_servers(
    usual: str, client_id: str, asked: str | None, expected: str
) -> None:
    """The format is what the test asks for, else what the client has, else what the server has."""
    mock = MockAS(token_format=usual, clients=[Client(id="orders", secret="s", token_format="jwt")])  # type: ignore[arg-type]
    assert mock.token(client_id=client_id, format=asked).format == expected  # type: ignore[arg-type]


def test_lifetime_is_asked_for_or_the_clients_or_the_servers() -> None:
    """The lifetime is what the test asks for, else what the client has, else what the server has."""
    mock = MockAS(lifetime=100)

    def lifetime(client_id: str, expires_in: float | None = None) -> int:
        claims = mock.token(client_id=client_id, expires_in=expires_in).claims
        return int(claims["exp"] - claims["iat"])

    assert (lifetime("svc"), lifetime("svc.short"), lifetime("svc.short", 7)) == (100, 2, 7)


@pytest.mark.parametrize("defect", [None, "expired", "wrong_aud", "no_scope", "refresh_token"])
def test_server_knows_what_it_could_have_issued(mock: MockAS, defect: str | None) -> None:
    """The server knows a token that is right, or wrong in a way that it could have issued."""
    assert mock.tokens.find(mock.token(defect=defect)) is not None


@pytest.mark.parametrize("defect", ["bad_signature", "alg_none", "wrong_iss", "id_token", "two_parts", "no_kid"])
def test_server_does_not_know_a_forgery(mock: MockAS, defect: str) -> None:
    """The server does not know a token that it would never have issued, unless it is told to."""
    assert mock.tokens.find(mock.token(defect=defect)) is None
    assert mock.tokens.find(mock.token(defect=defect, known=True)) is not None


def test_server_can_be_kept_from_knowing(mock: MockAS) -> None:
    """A token that is right in every way can be one that the server has never heard of."""
    assert mock.tokens.find(mock.token(known=False)) is None


def test_jti_is_the_one_the_token_has(mock: MockAS) -> None:
    """A `jti` that the test sets is the token's."""
    assert mock.token(claims={"jti": "mine"}).jti == "mine"
