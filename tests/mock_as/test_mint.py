"""What a mint adds to tokens: numbers, randomness, and whether anybody is to know them."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_as import Client, MockAS, UsageError
from mock_as.tokens.defects import DEFECTS
from mock_as.tokens.minting import Order
from mock_as.tokens.resources import Resource
from tests.mock_as.jose import payload_of


@pytest.mark.rfc("6750-5.2-a")
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


@pytest.mark.rfc("as-6")
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
    mock = MockAS(token_format=usual, clients=[Client(id="orders", secret="s", format="jwt")])  # type: ignore[arg-type]
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


# ------------------------------------------------------------------------------------------------ clients, resources

RS = "https://rs.example.test"


def with_resource(**properties: Any) -> MockAS:
    """Make a mock that knows a resource."""
    return MockAS(resources=[Resource(uri=RS, **properties)], clients=[Client(id="own", secret="s", lifetime=50)])


def test_resource_decides_before_the_client() -> None:
    """A resource has a format, a lifetime and an algorithm of its own, which come before those of the client."""
    mock = with_resource(format="opaque", lifetime=7, alg="Ed25519")
    token = mock.mint(Order(client_id="own", aud=RS))
    assert (token.format, token.claims["exp"] - token.claims["iat"]) == ("opaque", 7)
    asked = mock.mint(Order(client_id="own", aud=["https://other.test", RS], format="jwt", expires_in=9))
    assert (asked.header["alg"], asked.claims["exp"] - asked.claims["iat"]) == ("Ed25519", 9)
    assert mock.mint(Order(aud=RS, format="jwt", alg="ES256")).header["alg"] == "ES256"
    assert mock.mint(Order(aud="https://other.test")).format == "jwt"


def test_resource_says_only_what_it_decides() -> None:
    """What a resource leaves open is decided by the client, or else by the server."""
    token = with_resource().mint(Order(client_id="own", aud=RS))
    assert (token.format, token.header["alg"], token.claims["exp"] - token.claims["iat"]) == ("jwt", "ES256", 50)


def test_resource_knows_its_scopes() -> None:
    """A grant gives a token for a resource no scope that it does not know; a test gets what it asks for."""
    mock = with_resource(scopes=("read", "list"))
    order = Order(aud=RS, scope="list write read")
    assert mock.mint(replace(order, grant_type="password")).claims["scope"] == "list read"
    assert mock.mint(replace(order, grant_type="password", aud="https://other.test")).claims["scope"] == order.scope
    assert mock.mint(order).claims["scope"] == order.scope


# ------------------------------------------------------------------------------------------------------------- names


def test_id_and_jti_can_be_chosen(mock: MockAS) -> None:
    """A test can name a token, in the journal and in the token itself."""
    token = mock.mint(Order(id="mine", jti="j-1"))
    assert (token.id, token.jti, token.claims["jti"]) == ("mine", "j-1", "j-1")
    assert mock.tokens.find("mine") is mock.tokens.get(token.value)


def test_refuses_an_id_that_is_taken(mock: MockAS) -> None:
    """Two tokens cannot have the same id, and the first keeps it."""
    first = mock.token()
    with pytest.raises(UsageError, match=r"^id: 'tok-1' is the id of another token"):
        mock.mint(Order(id=first.id))
    assert len(mock.tokens) == 1


def test_counted_ids_pass_over_those_that_are_taken(mock: MockAS) -> None:
    """A name that a test has chosen is never given to another token."""
    chosen = mock.mint(Order(id="tok-1"))
    assert mock.token().id == "tok-2"
    assert mock.tokens.find("tok-1") is mock.tokens.get(chosen.value)


# ------------------------------------------------------------------------------------------------- what is told of it


@pytest.mark.parametrize("order", [{}, {"expires_in": -1}, {"nbf_in": 60}, {"defect": "alg_none"}])
@pytest.mark.parametrize("active", [True, False])
def test_introspection_can_be_made_to_say_anything(mock: MockAS, order: dict[str, Any], active: bool) -> None:  # noqa: FBT001
    """A token can be called active, or inactive, whatever it is and whatever becomes of it."""
    token = mock.mint(Order(**order, active=active))
    record = mock.tokens.find(token)
    assert record is not None
    assert record.is_active(mock.clock.now()) is active
    mock.revoke(token)
    assert record.is_active(mock.clock.now()) is active


ORDERS = st.builds(
    Order,
    sub=st.none() | st.text(max_size=4),
    scope=st.none() | st.lists(st.sampled_from(["read", "write"]), max_size=2),
    aud=st.none() | st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=2),
    expires_in=st.none() | st.integers(-100, 10_000),
    nbf_in=st.none() | st.integers(-100, 10_000),
    claims=st.none()
    | st.dictionaries(st.sampled_from(["sub", "exp", "iss", "x"]), st.none() | st.integers() | st.text()),
    token_type=st.sampled_from(["Bearer", "DPoP"]),
    defect=st.none() | st.sampled_from([name for name, defect in DEFECTS.items() if not defect.jwt_only]),
)


@settings(max_examples=80, deadline=None)
@given(ORDERS)
def test_token_says_the_same_in_either_format(order: Order) -> None:
    """Whatever is ordered: a JWT says of itself what introspection says of the opaque token of the same order."""
    mock = MockAS(clock=lambda: 1_700_000_000.0)
    jwt, opaque = (mock.mint(replace(order, format=chosen, jti="j")) for chosen in ("jwt", "opaque"))
    assert payload_of(jwt.value) == jwt.claims
    differing = {"cnf"} if order.token_type == "DPoP" else set[str]()
    assert {
        name for name in {*jwt.claims, *opaque.claims} if jwt.claims.get(name) != opaque.claims.get(name)
    } <= differing


def test_mint_goes_on_counting_from_where_it_was() -> None:
    """What was dumped of a mint can be loaded: the next token has the number that it had then."""
    mock = MockAS()
    mock.token()
    snapshot = mock.snapshot()
    assert mock.token().id == "tok-2"
    mock.restore(snapshot)
    assert mock.token().id == "tok-2"
