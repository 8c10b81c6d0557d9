"""Finding an issuer's endpoints in its metadata, and what is done where there is none."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from resource_server._protocol.messages import HTTPResponse
from resource_server._protocol.metadata import Metadata
from resource_server._validation.discover import _fetch, discover, find_endpoint
from resource_server._validation.verdict import Active, Unavailable
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.support.jwt import ISSUER, NOW, REMOVED, access_token, signing_key
from tests.support.play import INTROSPECTION, JWKS, REFUSED, Answer, World, answer, key_set, yes

FIRST = "https://as.example.com/.well-known/oauth-authorization-server"
SECOND = "https://as.example.com/.well-known/openid-configuration"
NOT_FOUND = answer({}, status=404)


def document(**changes: Any) -> HTTPResponse:
    """Answer with a metadata document, changed as asked."""
    members = {"issuer": ISSUER, "introspection_endpoint": INTROSPECTION, "jwks_uri": JWKS} | changes
    return answer({name: value for name, value in members.items() if value is not REMOVED})


@pytest.fixture
def world() -> World:
    """A server that knows its issuer and nothing else."""
    return World(introspection_endpoint=REMOVED, jwks_uri=REMOVED)


@pytest.mark.rfc("8414-3-a", "9700-2.6-a")
def test_endpoints_are_found_once(world: World) -> None:
    """RFC 8414 §3: the metadata is asked for once, and its endpoints are used from then on."""
    verdict = world.validate("opaque", ("metadata", document()), ("introspection", yes()))
    assert isinstance(verdict, Active)
    assert [request.url for request in world.requests] == [FIRST, INTROSPECTION]
    assert world.server.metadata == Metadata(issuer=ISSUER, introspection_endpoint=INTROSPECTION, jwks_uri=JWKS)
    world.validate("another", ("introspection", yes()))


def test_a_configured_endpoint_wins(world: World) -> None:
    """What is configured is not asked for."""
    world = World(introspection_endpoint="https://as.example.com/configured", jwks_uri=REMOVED)
    world.validate("opaque", ("introspection", yes()))
    assert [request.url for request in world.requests] == ["https://as.example.com/configured"]


def test_the_key_set_is_found_the_same_way(world: World) -> None:
    """``jwks_uri`` comes from the same document, which is not fetched twice."""
    verdict = world.validate(
        access_token(),
        ("metadata", document()),
        ("introspection", REFUSED),
        ("jwks", key_set(signing_key())),
    )
    assert isinstance(verdict, Active)
    assert [request.url for request in world.requests] == [FIRST, INTROSPECTION, JWKS]


@pytest.mark.rfc("8414-3-a")
def test_not_found_tries_the_second_place(world: World) -> None:
    """RFC 8414 §3.1 and OpenID Connect Discovery §4: the second well-known place is for who is not at the first."""
    world.validate("opaque", ("metadata", NOT_FOUND), ("metadata", document()), ("introspection", yes()))
    assert [request.url for request in world.requests] == [FIRST, SECOND, INTROSPECTION]


@pytest.mark.rfc("8414-3.2-a")
def test_not_found_anywhere(world: World) -> None:
    """An issuer without metadata and without configured endpoints is a configuration fault, and a loud one."""
    verdict = world.validate("opaque", ("metadata", NOT_FOUND), ("metadata", NOT_FOUND))
    fault = Unavailable("status_404", fault="configuration")
    assert verdict == fault
    assert world.events[0] == ConfigurationFault("metadata", "status_404", ISSUER)


@pytest.mark.rfc("8414-3.3-a", "8414-2-a", "8414-3.2-a", "8414-4-a", "9068-4-h")
@pytest.mark.attack("A-K-7", "A-I-4")
@pytest.mark.parametrize(
    ("reply", "cause", "is_fault"),
    [
        pytest.param(document(issuer=ISSUER + "/"), "issuer_mismatch", True, id="issuer with a slash"),
        pytest.param(document(issuer="https://AS.example.com"), "issuer_mismatch", True, id="issuer in capitals"),
        pytest.param(document(issuer=[ISSUER]), "issuer_mismatch", True, id="issuer is a list"),
        pytest.param(document(issuer=REMOVED), "issuer_mismatch", True, id="no issuer"),
        pytest.param(document(jwks_uri="http://as.example.com/jwks"), "insecure_endpoint", True, id="http"),
        pytest.param(document(jwks_uri="file:///etc/passwd"), "insecure_endpoint", True, id="file"),
        pytest.param(document(introspection_endpoint=7), "insecure_endpoint", True, id="a number"),
        pytest.param(answer([]), "not_json", False, id="an array"),
        pytest.param(answer(b"<html>", content_type="text/html"), "content_type", False, id="html"),
        pytest.param(HTTPResponse(204), "status_204", False, id="204"),
        pytest.param(answer({}, status=401), "status_401", True, id="401"),
        pytest.param(answer({}, status=503), "status_503", False, id="503"),
        pytest.param(HTTPResponse(302, (("location", "https://x.example.com"),)), "status_302", True, id="302"),
        pytest.param(REFUSED, "connect", False, id="refused"),
    ],
)
def test_nothing_of_a_bad_document_is_used(world: World, reply: Answer, cause: str, is_fault: bool) -> None:  # noqa: FBT001 - a parameter
    """RFC 8414 §3.3: metadata that does not name its issuer to the letter, or is no metadata, is not used at all."""
    verdict = world.validate("opaque", ("metadata", reply))
    assert verdict == Unavailable(cause, fault="configuration" if is_fault else "outage")
    assert world.server.metadata is None
    expected = ConfigurationFault if is_fault else AuthorizationServerUnavailable
    assert {type(event) for event in world.events} == {expected}


def test_an_insecure_endpoint_by_choice() -> None:
    """``http`` beyond this machine is talked only where the operator says so."""
    world = World(introspection_endpoint=REMOVED, jwks_uri=REMOVED, allow_insecure_http=True)
    found = document(introspection_endpoint="http://as.example.com/introspect")
    world.validate("opaque", ("metadata", found), ("introspection", yes()))
    assert world.requests[-1].url == "http://as.example.com/introspect"


@pytest.mark.parametrize("name", ["introspection_endpoint", "jwks_uri"])
def test_an_endpoint_that_is_not_offered(world: World, name: Any) -> None:
    """An authorization server without the endpoint that is needed is a configuration fault."""
    found = world.play(find_endpoint(world.state, name), ("metadata", document(**{name: REMOVED})))
    assert found == Unavailable(f"no_{name}", fault="configuration")
    assert world.events == [ConfigurationFault("metadata", f"no_{name}", ISSUER)]


def test_what_is_known_is_renewed_in_the_background(world: World) -> None:
    """Metadata that has aged is used while new is fetched: no request waits for what hardly ever changes."""
    known = world.play(discover(world.state), ("metadata", document()))
    world.time.advance(3599)
    assert world.play(discover(world.state)) is known
    assert world.background == []
    world.time.advance(1)
    assert world.play(discover(world.state)) is known
    assert world.background == [(ISSUER, "metadata")]


def renew(world: World, *replies: Answer) -> Any:
    """Do what the background does: run the flow that was begun."""
    flow = discover(world.state)
    effect: Any = next(flow)
    return world.play(effect.flow(), *(("metadata", reply) for reply in replies))


@pytest.mark.rfc("8414-3.3-a")
@pytest.mark.parametrize(
    "replies",
    [
        [REFUSED],
        [answer({}, status=500)],
        [document(issuer="https://evil.example.com", jwks_uri="https://evil.example.com/jwks")],
        [NOT_FOUND, NOT_FOUND],
    ],
    ids=["refused", "500", "another issuer", "gone"],
)
def test_the_last_good_document_is_kept(world: World, replies: list[Answer]) -> None:
    """RFC 8414 §3.3: a failed renewal changes nothing, is reported, and is not repeated at once."""
    known = world.play(discover(world.state), ("metadata", document()))
    world.time.advance(3600)
    assert renew(world, *replies) is known
    assert len(world.events) == 1
    assert world.play(discover(world.state)) is known
    assert world.background == []
    world.time.advance(30)
    assert world.play(discover(world.state)) is known
    assert world.background == [(ISSUER, "metadata")]


def test_a_new_document_replaces_the_old(world: World) -> None:
    """After the renewal its endpoints are the ones in use."""
    world.play(discover(world.state), ("metadata", document()))
    world.time.advance(3600)
    renew(world, document(introspection_endpoint="https://as.example.com/moved"))
    world.validate("opaque", ("introspection", yes()))
    assert world.requests[-1].url == "https://as.example.com/moved"


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://as.example.com/t1", "https://as.example.com/.well-known/oauth-authorization-server/t1"),
        ("https://as.example.com/t1/", "https://as.example.com/.well-known/oauth-authorization-server/t1"),
    ],
)
@pytest.mark.rfc("8414-3-a")
def test_an_issuer_with_a_path(issuer: str, url: str) -> None:
    """RFC 8414 §3.1: the well-known string stands between the host and the issuer's path."""
    world = World(issuer=issuer, introspection_endpoint=REMOVED)
    world.validate("opaque", ("metadata", document(issuer=issuer)), ("introspection", yes()))
    assert world.requests[0].url == url


def test_metadata_that_another_thread_has_found(world: World) -> None:
    """Who comes to fetch the metadata when it has just been fetched asks nobody."""
    found = world.play(discover(world.state), ("metadata", document()))
    assert world.play(_fetch(world.state)) is found


@pytest.mark.parametrize("reply", [REFUSED, answer({}, status=503, retry_after="30")], ids=["connect", "503"])
def test_an_outage_is_no_reason_to_look_elsewhere(world: World, reply: Answer) -> None:
    """A place that cannot be asked is not a place without metadata: the second one is not tried for it."""
    verdict = world.validate("opaque", ("metadata", reply))
    assert isinstance(verdict, Unavailable)
    assert [request.url for request in world.requests] == [FIRST]


def test_metadata_is_left_alone_as_asked(world: World) -> None:
    """``Retry-After`` holds for the metadata too, and callers learn how long that is."""
    world.validate("opaque", ("metadata", answer({}, status=503, retry_after="30")))
    world.time.advance(10.0)
    assert world.validate("opaque") == Unavailable("circuit_open", 20.0)
    world.time.advance(20.0)
    assert isinstance(world.validate("opaque", ("metadata", document()), ("introspection", yes())), Active)


def test_one_search_for_all_who_wait(world: World) -> None:
    """Who needs metadata that are not there waits for the one search there is for them."""
    flow = discover(world.state)
    effect: Any = next(flow)
    flow.close()
    assert (effect.key, effect.wait) == ((ISSUER, "metadata"), True)


def test_methods_do_not_matter_without_credentials() -> None:
    """A server that has no credentials cares for no way to show them."""
    world = World(strategy="jwks", client_id=REMOVED, client_secret=REMOVED, jwks_uri=REMOVED)
    found = document(introspection_endpoint_auth_methods_supported=["private_key_jwt"])
    assert isinstance(world.play(discover(world.state), ("metadata", found)), Metadata)
    assert world.events == []


def test_metadata_are_left_alone_until_a_date(world: World) -> None:
    """RFC 9110 §10.2.3: a ``Retry-After`` may be a date, and callers learn how many seconds that is."""
    reply = answer({}, status=503, retry_after=formatdate(NOW + 30, usegmt=True))
    assert world.validate("opaque", ("metadata", reply)) == Unavailable("status_503", 30.0)
