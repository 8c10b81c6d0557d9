"""Showing the authorization server who we are, with what there is to show at the moment."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc.jwk import ECKey

from resource_server import Event
from resource_server._protocol.client_auth import BearerCredentials, ClientCredentials
from resource_server._protocol.messages import HTTPRequest, HTTPResponse
from resource_server._validation.authenticate import _fetch, client_authentication, request_token
from resource_server._validation.own_token import OwnToken, read_token
from resource_server._validation.verdict import Active, Inactive, Unavailable
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.support.jwt import ISSUER, NOW, REMOVED
from tests.support.play import INTROSPECTION, REFUSED, SECRET, World, answer, no, yes

TOKEN_ENDPOINT = "https://as.example.com/token"
PEM = ECKey.generate_key("P-256").as_pem(private=True).decode()
UNAUTHORIZED = answer({}, status=401)


def world(**changes: Any) -> World:
    """Make a server that introspects every token, and has no secret unless a test says so."""
    return World(**({"strategy": "introspect", "client_secret": REMOVED, "token_endpoint": TOKEN_ENDPOINT} | changes))


def assertion(request: HTTPRequest) -> dict[str, Any]:
    """Return the claims of a request's assertion."""
    part = dict(parse_qsl(request.body.decode()))["client_assertion"].split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def shown(world: World) -> list[str | None]:
    """Return the ``Authorization`` field of each question that was asked last."""
    return [dict(request.headers).get("authorization") for request in world.requests]


def granted(value: str = "own-1", **changes: Any) -> HTTPResponse:
    """Answer a token request with a token."""
    members = {"access_token": value, "token_type": "Bearer", "expires_in": 100} | changes
    return answer({name: value for name, value in members.items() if value is not REMOVED})


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.attack("A-S-8")
@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_jwt"])
def test_each_attempt_has_an_assertion_of_its_own(method: str) -> None:
    """RFC 7523 §3: an assertion is good for one request, so that a question that is repeated has another ``jti``."""
    place = world(retries=2, client_auth_method=method, client_key=PEM, client_secret=SECRET)
    busy = answer({}, status=503)
    place.validate("opaque", ("introspection", busy), ("introspection", REFUSED), ("introspection", yes()))
    claims = [assertion(request) for request in place.requests]
    assert len({claim["jti"] for claim in claims}) == 3
    assert {claim["aud"] for claim in claims} == {ISSUER}
    assert all(claim["exp"] - claim["iat"] == 60 and claim["iat"] == int(place.time.wall) for claim in claims)
    assert all(request.url == INTROSPECTION for request in place.requests)


@pytest.mark.attack("A-S-8")
def test_the_audience_of_an_assertion() -> None:
    """RFC 7523 §3: the audience is the issuer, or where that is configured the endpoint it is sent to."""
    place = world(client_key=PEM, client_assertion_audience="endpoint")
    place.validate("opaque", ("introspection", yes()))
    assert assertion(place.requests[0])["aud"] == INTROSPECTION


@pytest.mark.attack("A-S-1", "A-S-8")
def test_nothing_of_an_assertion_is_shown() -> None:
    """Neither a question's representation nor an event shows an assertion, or the secret under it."""
    place = world(client_auth_method="client_secret_jwt", client_secret=SECRET)
    place.validate("opaque", ("introspection", UNAUTHORIZED))
    (request,) = place.requests
    sent = dict(parse_qsl(request.body.decode()))["client_assertion"]
    assert sent not in f"{request!r}{place.events!r}{place.server!r}"
    assert SECRET not in request.body.decode()


def test_one_token_cannot_turn_the_others_away() -> None:
    """The same question counts once against its endpoint, whatever assertion comes along with it."""
    place = world(client_key=PEM)
    for _ in range(30):
        place.validate("opaque", ("introspection", answer({}, status=500)))
    assert isinstance(place.validate("another", ("introspection", yes())), Active)


@pytest.mark.rfc("7662-2.1-c")
def test_certificates() -> None:
    """RFC 8705 §2: the form says which client it is whose certificate the connection has."""
    place = world(bearer_token="t")
    prove = place.play(
        client_authentication(place.state, ClientCredentials("rs", method="tls_client_auth"), INTROSPECTION)
    )
    assert prove().form == (("client_id", "rs"),)


@pytest.mark.rfc("7662-2.1-c")
def test_a_fixed_token() -> None:
    """RFC 7662 §2.1: a token of ours is shown in the header; where it is refused there is no other one."""
    place = world(bearer_token="canary-own")
    place.validate("opaque", ("introspection", yes()))
    assert shown(place) == ["Bearer canary-own"]
    assert dict(parse_qsl(place.requests[0].body.decode())).keys() == {"token", "token_type_hint"}
    assert place.validate("another", ("introspection", UNAUTHORIZED)) == Unavailable(
        "status_401", fault="configuration"
    )


@pytest.mark.rfc("7662-2.1-c")
def test_a_token_in_a_file(tmp_path: Path) -> None:
    """A file is read again when it changes, and what was in it last is used where it cannot be."""
    file = tmp_path / "token"
    file.write_text("first\n")
    place = world(bearer_token_file=file)
    seen: list[str | None] = []
    for number, content in enumerate((None, "second", "not a token", "third and more")):
        if content is not None:
            file.write_text(content)
        place.validate(f"t{number}", ("introspection", yes()))
        seen += shown(place)
    file.unlink()
    place.validate("t9", ("introspection", yes()))
    assert seen + shown(place) == ["Bearer first", "Bearer second", "Bearer second", "Bearer second", "Bearer second"]


def test_a_token_in_a_file_that_is_refused(tmp_path: Path) -> None:
    """Where the token is refused its file is read again, whatever it looks like; the question is asked once more."""
    file = tmp_path / "token"
    file.write_text("first")
    place = world(bearer_token_file=file)
    place.validate("one", ("introspection", UNAUTHORIZED), ("introspection", yes()))
    assert shown(place) == ["Bearer first", "Bearer first"]
    place.validate("two", ("introspection", UNAUTHORIZED))  # it was read just now
    place.time.advance(5.0)
    place.validate("three", ("introspection", UNAUTHORIZED), ("introspection", UNAUTHORIZED))
    assert place.events[-1] == ConfigurationFault("introspection", "status_401", ISSUER)


def test_no_token_at_all(tmp_path: Path) -> None:
    """Where there is no token and there never was, nothing is asked: somebody must mend that."""
    file = tmp_path / "token"
    file.write_text("first")
    place = world(bearer_token_file=file)
    file.unlink()
    assert place.validate("opaque") == Unavailable("no_bearer_token", fault="configuration")
    assert read_token(file) is None


def fetching(**changes: Any) -> World:
    """Make a server that gets its token at the token endpoint."""
    return world(client_auth_method="bearer", client_secret=SECRET, **changes)


@pytest.mark.rfc("7662-2.1-c")
def test_a_token_is_fetched_and_used_again() -> None:
    """RFC 6749 §4.4: a token of our own is asked for with our credentials, once, and used until it is to end."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", yes()))
    first, second = place.requests
    assert (first.method, first.url, first.priority) == ("POST", TOKEN_ENDPOINT, True)
    assert parse_qsl(first.body.decode()) == [("grant_type", "client_credentials")]
    assert dict(first.headers)["authorization"].startswith("Basic ")
    assert dict(second.headers)["authorization"] == "Bearer own-1"
    place.validate("two", ("introspection", yes()))
    assert shown(place) == ["Bearer own-1"]


def test_a_token_is_renewed_ahead_of_its_end() -> None:
    """Near its end one request starts a renewal in the background, and no request waits for it."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", yes()))
    place.time.advance(79.0)
    place.validate("two", ("introspection", yes()))
    assert place.background == []
    place.time.advance(1.0)
    place.validate("three", ("introspection", yes()))
    assert place.background == [(ISSUER, "own_token")]
    place.validate("four", ("introspection", yes()))
    assert place.background == []  # it has begun a moment ago
    place.time.advance(20.0)
    place.validate("five", ("token", granted("own-2")), ("introspection", yes()))
    assert shown(place)[1:] == ["Bearer own-2"]


def test_a_renewal_takes_the_place_of_what_is_in_use() -> None:
    """A renewal asks for another token though there is one; who waits for one takes what another has just fetched."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", yes()))
    assert place.play(_fetch(place.state, "own-1"), ("token", granted("own-2"))) == "own-2"
    assert place.play(_fetch(place.state, "own-1")) == "own-2"
    assert place.play(_fetch(place.state, None)) == "own-2"


def test_a_token_that_has_ended_before_its_time() -> None:
    """Where introspection answers 401, another token is fetched at once and the question asked again; not for ever."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", yes()))
    place.validate("two", ("introspection", UNAUTHORIZED), ("token", granted("own-2")), ("introspection", yes()))
    assert shown(place)[2:] == ["Bearer own-2"]
    verdict = place.validate("three", ("introspection", UNAUTHORIZED))
    assert verdict == Unavailable("status_401", fault="configuration")
    place.time.advance(5.0)
    place.validate("four", ("introspection", UNAUTHORIZED), ("token", REFUSED))
    assert AuthorizationServerUnavailable("token", "connect", None, ISSUER) in place.events


def test_a_403_fetches_nothing() -> None:
    """RFC 6750 §3.1: a token that grants too little would be no better if it were new."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", answer({}, status=403)))
    assert place.events[-1] == ConfigurationFault("introspection", "status_403", ISSUER)


NO_TOKEN: list[Any] = [
    pytest.param(REFUSED, AuthorizationServerUnavailable("token", "connect", None, ISSUER), id="down"),
    pytest.param(
        answer({"error": "invalid_scope"}, status=400), ConfigurationFault("token", "invalid_scope", ISSUER), id="no"
    ),
    pytest.param(
        answer({"error": "invalid_client"}, status=401), ConfigurationFault("token", "invalid_client", ISSUER), id="who"
    ),
    pytest.param(UNAUTHORIZED, ConfigurationFault("token", "status_401", ISSUER), id="no reason"),
    pytest.param(
        granted(token_type="DPoP"), ConfigurationFault("token", "unsupported_token", ISSUER), id="bound to a key"
    ),
]


@pytest.mark.parametrize(("response", "event"), NO_TOKEN)
def test_no_token_is_no_verdict(response: Any, event: Event) -> None:
    """Where there is no token of ours, the caller's is neither good nor bad, and it is told why."""
    place = fetching()
    assert isinstance(place.validate("opaque", ("token", response)), Unavailable)
    assert place.events[0] == event
    assert place.cached("opaque") is None


def test_no_token_endpoint() -> None:
    """RFC 8414 §2: the token endpoint comes from the metadata where it is not configured; it may be missing there."""
    place = fetching(token_endpoint=REMOVED)
    document = {"issuer": ISSUER, "introspection_endpoint": INTROSPECTION}
    assert place.validate("one", ("metadata", answer(document))) == Unavailable(
        "no_token_endpoint", fault="configuration"
    )


def test_no_credentials_at_the_token_endpoint() -> None:
    """Without credentials the token endpoint is not asked."""
    place = world(bearer_token="fixed")
    fault = Unavailable("no_client_credentials", fault="configuration")
    assert place.play(request_token(place.state, ())) == fault


def test_a_renewed_token_is_not_shown() -> None:
    """The representation of what is remembered shows no token."""
    own = OwnToken()
    own.accept("canary", 10.0, 0.0)
    assert "canary" not in repr(own)
    assert "canary" not in repr(BearerCredentials("canary"))


def test_a_no_is_still_a_no() -> None:
    """How we authenticate changes nothing about what is said."""
    assert fetching().validate("one", ("token", granted()), ("introspection", no())) == Inactive("inactive")


@pytest.mark.rfc("8414-2-b")
@pytest.mark.parametrize(
    ("changes", "listed", "is_fault"),
    [
        pytest.param({"client_key": PEM}, ["client_secret_basic"], True, id="not listed"),
        pytest.param({"client_key": PEM}, ["private_key_jwt", 7], False, id="listed"),
        pytest.param({"client_key": PEM}, None, False, id="no list"),
        pytest.param({"client_key": PEM}, "private_key_jwt", False, id="not a list"),
        pytest.param({"bearer_token": "t"}, ["Bearer"], False, id="a type of access token"),
        pytest.param({"bearer_token": "t"}, [], True, id="nothing is listed"),
    ],
)
def test_methods_of_the_metadata(changes: dict[str, Any], listed: Any, *, is_fault: bool) -> None:
    """RFC 8414 §2: a method that the metadata does not list is told, and tried all the same."""
    place = world(introspection_endpoint=REMOVED, **changes)
    document = {"issuer": ISSUER, "introspection_endpoint": INTROSPECTION}
    if listed is not None:
        document["introspection_endpoint_auth_methods_supported"] = listed
    verdict = place.validate("opaque", ("metadata", answer(document)), ("introspection", yes()))
    assert isinstance(verdict, Active)
    fault = ConfigurationFault("metadata", "client_auth_method_not_listed", ISSUER)
    assert (fault in place.events) is is_fault


def with_other_credentials(place: World, **credentials: Any) -> None:
    """Let a server have other credentials, for when those it uses are refused."""
    place.state.other_policy = lambda policy: replace(policy, **credentials)


def test_other_credentials_at_the_token_endpoint() -> None:
    """Where our credentials are refused there and others have replaced them, those are tried, once."""
    place = fetching()
    refused = answer({"error": "invalid_client"}, status=401)
    with_other_credentials(place, token_client=ClientCredentials("rs", "another"))
    place.validate("one", ("token", refused), ("token", granted()), ("introspection", yes()))
    assert len({dict(request.headers)["authorization"] for request in place.requests}) == 3
    place.time.advance(100.0)
    place.validate("two", ("token", refused), ("token", refused))
    with_other_credentials(place, token_client=None)
    place.validate("three", ("token", refused))
    with_other_credentials(place)
    place.validate("four", ("token", refused))


def test_other_credentials_that_are_the_same() -> None:
    """Where only the credentials at the token endpoint were replaced, introspection is not asked again."""
    place = world(client_secret=SECRET)
    with_other_credentials(place, token_client=None)
    place.validate("one", ("introspection", UNAUTHORIZED))


@pytest.mark.parametrize(
    ("other", "asked_again"), [(BearerCredentials(), 0), (BearerCredentials("t"), 1), (None, 0)], ids=str
)
def test_other_credentials_that_are_tokens(other: BearerCredentials | None, asked_again: int) -> None:
    """A fixed token is tried as a secret is; one that is fetched belongs to the policy that is in force."""
    place = world(client_secret=SECRET)
    with_other_credentials(place, client=other)
    place.validate("one", ("introspection", UNAUTHORIZED), *[("introspection", yes())] * asked_again)
    assert len(place.requests) == 1 + asked_again


def test_a_token_that_cannot_be_fetched_again() -> None:
    """Where another token cannot be had, that is what is wrong, and the question is not asked without one."""
    place = fetching()
    down = answer({}, status=500)
    place.validate("one", ("token", granted()), ("introspection", yes()))
    assert place.validate("two", ("introspection", UNAUTHORIZED), ("token", down)) == Unavailable("status_500")


def test_what_a_renewal_does() -> None:
    """The renewal in the background fetches another token, which is used from then on."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", yes()))
    place.time.advance(80.0)
    client = place.state.policy.client
    assert client is not None
    flow = client_authentication(place.state, client, INTROSPECTION)
    effect: Any = next(flow)
    flow.close()
    place.play(effect.flow(), ("token", granted("own-2")))
    place.validate("two", ("introspection", yes()))
    assert shown(place) == ["Bearer own-2"]


def test_one_fetch_for_all_who_wait() -> None:
    """Who needs a token of our own and has none waits for the one fetch there is for it."""
    place = fetching()
    client = place.state.policy.client
    assert client is not None
    flow = client_authentication(place.state, client, INTROSPECTION)
    effect: Any = next(flow)
    flow.close()
    assert (effect.key, effect.wait) == ((ISSUER, "own_token"), True)


def test_a_renewal_that_begins_after_the_end() -> None:
    """Where the token has ended before its renewal begins, another one is fetched all the same."""
    place = fetching()
    place.validate("one", ("token", granted()), ("introspection", yes()))
    place.time.advance(100.0)
    assert place.play(_fetch(place.state, "own-1"), ("token", granted("own-2"))) == "own-2"


def test_other_credentials_are_for_refused_ones() -> None:
    """RFC 6749 §5.2: another refusal than of the client is none of its credentials: no others are tried."""
    place = fetching()
    with_other_credentials(place, token_client=ClientCredentials("rs", "another"))
    place.validate("one", ("token", answer({"error": "invalid_scope"}, status=400)))
    assert len(place.requests) == 1


def test_the_audience_of_an_assertion_at_the_token_endpoint() -> None:
    """RFC 7523 §3: where the audience is the endpoint, it is the token endpoint for a request to it."""
    place = world(client_key=PEM, client_assertion_audience="endpoint")
    client = place.state.policy.client
    assert isinstance(client, ClientCredentials)
    place.state.policy = replace(place.state.policy, token_client=client)
    place.play(request_token(place.state, (("grant_type", "client_credentials"),)), ("token", granted()))
    assert assertion(place.requests[0])["aud"] == TOKEN_ENDPOINT


def test_the_token_endpoint_is_left_alone_until_a_date() -> None:
    """RFC 9110 §10.2.3: a ``Retry-After`` of the token endpoint may be a date."""
    place = fetching()
    busy = answer({}, status=503, retry_after=formatdate(NOW + 30, usegmt=True))
    assert place.validate("one", ("token", busy)) == Unavailable("status_503", 30.0)
