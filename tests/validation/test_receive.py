"""What the authorization server tells unasked is believed only with its signature."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.security_event import NoticeRules
from resource_server._validation.receive import receive
from tests.support.jwt import AUDIENCE, ISSUER, ecdsa_twin, jwks, sign, signing_key, with_signature
from tests.support.notices import event_claims, logout_token, security_event
from tests.support.play import REFUSED, Player, Script, World, answer, key_set

RULES = NoticeRules(
    issuer=ISSUER, audience=frozenset({AUDIENCE}), algorithms=frozenset({"ES256", "RS256"}), memory=3600.0
)
KEY = signing_key("ES256")
OTHER = signing_key("ES256", "other")


def received(world: World, token: str | bytes, *script: Any) -> Any:
    """Receive a token, while the network answers by the script."""
    exact = token.encode() if isinstance(token, str) else token
    return world.play(receive(world.state, exact, RULES), *script)


FETCH: Script = [("jwks", key_set(KEY))]


@pytest.mark.parametrize("token", [security_event(), logout_token()], ids=["security event", "logout"])
def test_signed_by_the_issuer(token: str) -> None:
    """RFC 8417 §2.3: the keys are fetched where there are none, and vouch for the token; then they are at hand."""
    world = World()
    [first] = received(world, token, *FETCH)
    assert received(world, token) == (first,)


def test_signed_by_somebody_else() -> None:
    """RFC 8935 §2.4: a signature that is not the key's is no authentication."""
    forged = sign({"typ": "secevent+jwt", "alg": "ES256", "kid": KEY.kid}, event_claims(), OTHER)
    assert received(World(), forged, *FETCH) == "authentication_failed"


def test_unsigned() -> None:
    """A token whose signature was taken away is refused."""
    assert received(World(), with_signature(security_event(), b""), *FETCH) == "authentication_failed"


def test_new_key() -> None:
    """RFC 8935 §2.4: a key that is not known is looked for, once; then it is not acceptable."""
    world = World()
    token = security_event(key=OTHER)
    assert received(world, token, *FETCH) == "invalid_key"
    world.time.advance(2)
    [revocation] = received(world, token, ("jwks", key_set(KEY, OTHER)))
    assert revocation.value == "alice"


@pytest.mark.attack("A-S-7")
def test_flood_of_unknown_keys() -> None:
    """However many tokens name keys that do not exist, few fetches are made for them."""
    world, player = World(), Player(FETCH * 5)
    for number in range(200):
        head = {"typ": "secevent+jwt", "alg": "ES256", "kid": f"unknown-{number}"}
        token = sign(head, event_claims(), OTHER).encode()
        assert player.run(receive(world.state, token, RULES)) == "invalid_key"
        world.time.advance(0.2)
    assert len(player.requests) <= 3


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (b"", "invalid_request"),
        (b"not a token", "invalid_request"),
        (b"a.b.c", "invalid_request"),
        (security_event(iss="https://other.example.com"), "invalid_issuer"),
        (security_event(aud="https://other.example.com"), "invalid_audience"),
        (security_event(key=signing_key("ES384")), "invalid_key"),
        (security_event(typ="at+jwt"), "invalid_request"),
    ],
    ids=["nothing", "garbage", "no JWS", "issuer", "audience", "algorithm", "type"],
)
def test_what_cannot_be_good_asks_nothing(token: str | bytes, error: str) -> None:
    """Nobody makes us fetch keys with a token that is refused whatever its signature says."""
    assert received(World(), token) == error


def test_keys_cannot_be_had() -> None:
    """An outage is no refusal: the sender is to try again."""
    assert received(World(), security_event(), ("jwks", REFUSED)) == Unavailable("no_recent_keys")


def test_twin_of_the_signature() -> None:
    """The other spelling of an ECDSA signature says the same, and so it says nothing new."""
    world = World()
    token = security_event()
    first = received(world, token, *FETCH)
    signature = KEY.sign(token.rpartition(".")[0].encode())
    twin = with_signature(token, ecdsa_twin(signature, KEY))
    assert received(world, twin) == first


def test_keys_for_encryption_do_not_vouch() -> None:
    """A key that is published for another use signs no events."""
    published = answer(jwks(KEY.jwk(use="enc"), signing_key("RS256")))
    assert received(World(), security_event(), ("jwks", published)) == "invalid_key"
