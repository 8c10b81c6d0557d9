"""The probes that Authlib's own introspection validator fails, at both of its doors: each is answered right here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

from resource_server import BlockingResourceServer
from resource_server.authlib import install
from tests.authlib.conftest import Door, FlaskDoor, ask
from tests.support.blocking import BlockingGate, outcomes, run
from tests.support.fastapi_app import NOBODY, ScriptedAS, active
from tests.support.jwt import thumbprint
from tests.support.promises import assert_refused, assert_unavailable
from tests.support.proofs import client_key, proof

MakeServer = Callable[..., BlockingResourceServer]
PROBE = "probe-canary"


def judged(door: Door, server: BlockingResourceServer, **demands: Any) -> Door:
    """Protect the view with a scope."""
    install(door.protector, server)
    door.protect("read", **demands)
    return door


def members(**changes: Any) -> dict[str, Any]:
    """Write an answer of the authorization server that is right but for the changes."""
    return active("read", exp=int(time.time()) + 60) | changes


@pytest.mark.rfc("7662-2.2-d")
@pytest.mark.attack("A-I-8")
@pytest.mark.parametrize(
    "told",
    [
        members(exp=1),
        members(active="false"),
        members(active="true"),
        {"sub": "alice", "scope": "read"},
        members(nbf=int(time.time()) + 3600),
        members(aud="https://other.example.com"),
    ],
    ids=["expired", "active is a text", "active is a text too", "active is missing", "not yet", "for another"],
)
def test_answers_that_are_no_yes(
    told: dict[str, Any], door: Door, make_server: MakeServer, authorization_server: ScriptedAS
) -> None:
    """An answer that is no plain yes for now and here is a 401 with its challenge, and never a 200 or a 500."""
    authorization_server.tokens[PROBE] = told
    judged(door, make_server())
    assert_refused(ask(door, PROBE), 401, "invalid_token")


@pytest.mark.attack("A-I-8")
def test_authlib_alone_says_yes() -> None:
    """What this is for: the expired token above is good for the validator that Authlib has itself."""

    class Alone(IntrospectTokenValidator):
        def introspect_token(self, token_string: str) -> dict[str, Any]:
            assert token_string == PROBE
            return members(exp=1)

    door = FlaskDoor()
    door.protector = ResourceProtector()
    door.protector.register_token_validator(Alone())
    door.protect("read", act=lambda token: token and token["sub"])
    assert ask(door, PROBE).status == 200


def test_insufficient_scope_has_a_challenge(door: Door, make_server: MakeServer) -> None:
    """RFC 6750 §3: the 403 for a missing scope has a challenge that names it."""
    judged(door, make_server())
    assert_refused(ask(door, NOBODY), 403, "insufficient_scope", scope="read")


@pytest.mark.attack("A-C-5")
@pytest.mark.parametrize(
    "response",
    [httpx.Response(500), httpx.Response(401, json={"error": "invalid_client"}), httpx.Response(200, text="{")],
    ids=["500", "our credentials are refused", "garbage"],
)
def test_outages(response: httpx.Response, door: Door, make_server: MakeServer) -> None:
    """An authorization server that fails is a 503 where that is wanted, and never a 500 or a bad token."""
    server = make_server(transport=httpx.MockTransport(lambda _: response), unavailable_status=503)
    judged(door, server)
    for _ in range(2):
        assert_unavailable(ask(door, PROBE))


def test_one_question_for_many(make_server: MakeServer, authorization_server: ScriptedAS) -> None:
    """Fifty requests with one token that nobody knows yet are one introspection, and ten with a bad one another."""
    authorization_server.tokens[PROBE] = members()
    gate = BlockingGate(authorization_server._answer)
    door = judged(FlaskDoor(), make_server(transport=httpx.MockTransport(gate)))
    running = [run(lambda: ask(door, PROBE).status) for _ in range(50)]
    gate.arrived()
    gate.open()
    assert outcomes(running) == [200] * 50
    assert authorization_server.introspections == 1
    assert [ask(door, "bad-canary").status for _ in range(10)] == [401] * 10
    assert authorization_server.introspections == 2


@pytest.mark.attack("A-D-3")
@pytest.mark.attack("A-D-9")
def test_proofs(door: Door, make_server: MakeServer, authorization_server: ScriptedAS) -> None:
    """RFC 9449: the whole request is judged, so that a bound token needs a proof for it each time."""
    authorization_server.tokens[PROBE] = members(token_type="DPoP", cnf={"jkt": thumbprint(client_key())})
    server = make_server(dpop="optional", external_url="https://rs.example.com")
    judged(door, server, act=lambda _: acquired_again(door))
    assert ask(door, PROBE).status == 401
    for _ in range(2):
        proven = proof(token=PROBE, iat=int(time.time()))
        sent: dict[str, Any] = {"HTTP_AUTHORIZATION": f"DPoP {PROBE}", "HTTP_DPOP": proven}
        assert ask(door, PROBE, **sent).status == 200
        assert ask(door, PROBE, **sent).status == 401


def acquired_again(door: Door) -> str | None:
    """Acquire a token in the view of the same request, where Authlib can: its proof was used already."""
    if not isinstance(door, FlaskDoor):
        return None
    with door.protector.acquire("read") as token:
        return str(token["sub"])
