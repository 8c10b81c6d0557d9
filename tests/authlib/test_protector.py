"""Authlib's protectors judge as the server does, and answer with its bytes."""

from __future__ import annotations

import copy
import json
import pickle
import time
from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from authlib.integrations.flask_oauth2 import ResourceProtector
from django.core.handlers.asgi import ASGIRequest

from resource_server import (
    BlockingResourceServer,
    ConfigurationError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    Principal,
)
from resource_server.authlib import BearerTokenValidator, Token, install
from tests.authlib.conftest import DjangoDoor, Door, FlaskDoor, ask, members, refusal, same
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS, active
from tests.support.jwt import access_token, signing_key
from tests.support.promises import assert_promises, assert_refused, assert_unavailable

MakeServer = Callable[..., BlockingResourceServer]
BASIC = "Basic dXNlcjpwYXNzd29yZA=="
FORM = "application/x-www-form-urlencoded"


def protected(door: Door, server: BlockingResourceServer, *args: Any, **demands: Any) -> Door:
    """Install a server, and protect the view."""
    install(door.protector, server)
    door.protect(*args, **demands)
    return door


def test_good_token(door: Door, make_server: MakeServer) -> None:
    """Who has a good token is let in, and the view knows who it is."""
    protected(door, make_server(), "read")
    answer = ask(door, WRITER)
    assert (answer.status, members(answer)) == (200, {"sub": "alice", "scope": "read write"})


@pytest.mark.parametrize(
    ("scopes", "token", "challenged"),
    [
        (None, NOBODY, None),
        ("", NOBODY, None),
        ([], NOBODY, None),
        ("read", NOBODY, "read"),
        ("read write", READER, "read write"),
        ("read write", WRITER, None),
        (["read write"], READER, "read write"),
        (["admin", "read write"], WRITER, None),
        (["admin", "read write"], READER, "admin"),
        (["read", "write"], READER, None),
    ],
)
def test_scopes(scopes: Any, token: str, challenged: str | None, door: Door, make_server: MakeServer) -> None:
    """Scopes mean what they mean in Authlib: all of a text, one of a list; and a challenge names what is needed."""
    protected(door, make_server(), scopes)
    answer = ask(door, token)
    if challenged is None:
        assert answer.status == 200
    else:
        assert_refused(answer, 403, "insufficient_scope", scope=challenged)


def test_a_view_without_brackets(door: Door, make_server: MakeServer) -> None:
    """``@require_oauth`` alone demands a token and nothing of it."""
    install(door.protector, make_server())
    door.protect()
    assert ask(door, NOBODY).status == 200
    assert_refused(ask(door), 401)


@pytest.mark.rfc("6750-3-a", "6750-3.1-a")
@pytest.mark.parametrize("authorization", [None, "", BASIC, "Bearer", "bearer"])
def test_no_token_is_the_same_everywhere(authorization: str | None, door: Door, make_server: MakeServer) -> None:
    """Where Authlib would refuse before it asks a validator, the answer is this server's too, to the byte."""
    server = make_server()
    protected(door, server, "read")
    sent: dict[str, Any] = {} if authorization is None else {"HTTP_AUTHORIZATION": authorization}
    answer = ask(door, **sent)
    error: Any = MissingToken(scope=("read",))
    if authorization in ("Bearer", "bearer"):
        error = InvalidRequest()
    assert answer.status == error.status
    assert_promises(answer)
    assert same(answer, refusal(server, error))


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_refusals_byte_for_byte(accept: str, door: Door, make_server: MakeServer) -> None:
    """A bad token and one that grants too little are refused with the server's bytes, as the client wants them."""
    server = make_server()
    protected(door, server, "read")
    for token, error in (("unknown-canary", InvalidToken()), (NOBODY, InsufficientScope(scope=("read",)))):
        answer = ask(door, token, HTTP_ACCEPT=accept)
        assert same(answer, refusal(server, error, accept=accept.encode()))
        assert answer.status == error.status


@pytest.mark.attack("A-R-2")
def test_two_tokens(door: Door, make_server: MakeServer) -> None:
    """Two fields are one with a comma here, and a malformed request."""
    server = make_server()
    protected(door, server, "read")
    answer = ask(door, None, HTTP_AUTHORIZATION=f"Bearer {READER}, Bearer {WRITER}")
    assert answer.status == 400
    assert_promises(answer)


def test_outage_as_demanded(door: Door, make_server: MakeServer, authorization_server: ScriptedAS) -> None:
    """A token that cannot be verified is a 503 with Retry-After where that is demanded, and never a 500."""
    protected(door, make_server(), "read", unavailable_status=503)
    authorization_server.outage = 500
    assert_unavailable(ask(door, "unknown-canary"))


def test_outage_by_default(door: Door, make_server: MakeServer, authorization_server: ScriptedAS) -> None:
    """A token that cannot be verified is a 401 by default."""
    protected(door, make_server(), "read")
    authorization_server.outage = 500
    assert_refused(ask(door, "unknown-canary"), 401, "invalid_token")


def test_optional(door: Door, make_server: MakeServer) -> None:
    """An optional token may be missing; a bad one is refused all the same."""
    protected(door, make_server(), "read", optional=True)
    assert members(ask(door)) == {"anonymous": True}
    assert members(ask(door, READER))["sub"] == "alice"
    assert_refused(ask(door, "unknown-canary"), 401, "invalid_token")
    assert_refused(ask(door, NOBODY), 403, "insufficient_scope", scope="read")


def test_hidden(door: Door, make_server: MakeServer) -> None:
    """A view that hides answers 404 in place of 403, and nothing else."""
    protected(door, make_server(), "admin", hide=True)
    answer = ask(door, READER)
    assert answer.status == 404
    assert answer.header("www-authenticate") is None
    assert ask(door, ADMIN).status == 200
    assert_refused(ask(door), 401, scope="admin")


def test_hidden_looks_like_nothing(make_server: MakeServer) -> None:
    """In Flask the 404 of a hidden view is that of a path where there is nothing, the application's own included."""
    door = FlaskDoor()
    door.app.register_error_handler(404, lambda _: ("nothing here", 404))
    protected(door, make_server(), "admin", hide=True)
    hidden, nothing = ask(door, READER), ask(door, READER, PATH_INFO="/nothing")
    assert (hidden, hidden.body) == (nothing, b"nothing here")


def test_ajax(door: Door, make_server: MakeServer) -> None:
    """A view may answer 403 in place of 401 to a script."""
    protected(door, make_server(), ajax_forbidden=True)
    assert_refused(ask(door, HTTP_X_REQUESTED_WITH="XMLHttpRequest"), 403, forbidden=True)
    assert_refused(ask(door), 401)


def test_step_up(door: Door, make_server: MakeServer, authorization_server: ScriptedAS) -> None:
    """RFC 9470: a view may demand how its user has authenticated; a list of classes stays one."""
    authorization_server.tokens["strong-canary"] = active("read", acr="gold")
    protected(door, make_server(), "read", acr_values=["gold", "silver"])
    assert ask(door, "strong-canary").status == 200
    answer = ask(door, READER)
    assert answer.status == 401
    assert 'acr_values="gold silver"' in (answer.header("www-authenticate") or "")


@pytest.mark.parametrize(
    "demands", [{"colour": "red"}, {"dpop": "required"}, {"assurance": "certain"}, {"unavailable_status": 500}]
)
def test_bad_demands(demands: dict[str, Any], door: Door, make_server: MakeServer) -> None:
    """A demand that is none, or that could not be met, lets nobody in: Authlib tells it with the first request."""
    protected(door, make_server(), "read", **demands)
    if isinstance(door, FlaskDoor):
        door.app.config["PROPAGATE_EXCEPTIONS"] = True
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            ask(door, READER)


@pytest.mark.parametrize(
    ("length", "status"),
    [(None, 200), ("70000", 401), ("many", 401), ("9" * 5_000, 401)],
    ids=["short", "too long", "no number", "no number for Python"],
)
def test_form(length: str | None, status: int, door: Door, make_server: MakeServer) -> None:
    """RFC 6750 §2.2: a token in a short form is found where that is enabled, and the view still has the form."""
    protected(door, make_server(form_token=True), "read")
    changed = {} if length is None else {"CONTENT_LENGTH": length}
    body = f"a=b&access_token={READER}".encode()
    answer = ask(door, method="POST", body=body, CONTENT_TYPE=FORM, **changed)
    assert answer.status == status


def test_form_is_none_elsewhere(door: Door, make_server: MakeServer) -> None:
    """A form that is not ASCII, or a request without one, has no token in it."""
    protected(door, make_server(form_token=True), "read")
    assert ask(door, READER).status == 200
    body = f"a=\xe4&access_token={READER}".encode()
    assert_refused(ask(door, method="POST", body=body, CONTENT_TYPE=FORM), 401, scope="read")


def test_acquire_inside(make_server: MakeServer) -> None:
    """A view of Flask may acquire more inside, with ``require_oauth.acquire(...)``, and is refused in the same way."""
    server, door = make_server(), FlaskDoor()

    def act(_: Token | None) -> Any:
        with door.protector.acquire("admin") as token:
            return token["sub"]

    protected(door, server, "read", act=act)
    assert members(ask(door, ADMIN)) == "alice"
    assert same(ask(door, READER), refusal(server, InsufficientScope(scope=("admin",))))


def test_current_token(door: Door, make_server: MakeServer) -> None:
    """The token is the claims, with Authlib's methods, whatever of them the authorization server has told."""
    seen: list[Token] = []

    def act(token: Token | None) -> Any:
        assert token is not None
        seen.append(token)
        return dict(token)

    protected(door, make_server(), "read", act=act)
    told = members(ask(door, WRITER))
    assert {name: told[name] for name in ("active", "sub", "client_id", "scope")} == {
        "active": True,
        "sub": "alice",
        "client_id": "app",
        "scope": "read write",
    }
    token = seen[0]
    assert token.principal.subject == token["sub"] == token.get("sub") == "alice"
    assert token.check_client(SimpleNamespace(client_id="app"))
    assert not token.check_client(SimpleNamespace(client_id="other"))
    assert not token.is_expired()
    assert not token.is_revoked()
    assert "alice" in repr(token)
    assert repr(Token()) == "Token(None)"


def test_jwt_has_the_same_members(door: Door, make_server: MakeServer) -> None:
    """A JWT that was verified here has the members of an introspection answer too."""
    value = access_token(signing_key("ES256"), now=time.time(), scope="read", client_id="app")
    protected(door, make_server(strategy="jwks"), "read", act=lambda token: dict(token or {}))
    told = members(ask(door, value))
    assert (told["active"], told["scope"], told["client_id"]) == (True, "read", "app")


def test_tokens_are_values() -> None:
    """A token can be copied, pickled and written as JSON, and not be changed; nobody's client is no client's."""
    token = Token(Principal(subject="alice", expires_at=1.0, claims={"sub": "alice", "email": "alice@example.com"}))
    assert token.is_expired()
    for twin in (copy.copy(token), copy.deepcopy(token), pickle.loads(pickle.dumps(token))):  # noqa: S301 - our own
        assert (twin, twin.principal) == (token, token.principal)
    assert json.loads(json.dumps(token)) == {"active": True, "sub": "alice", "scope": "", "email": "alice@example.com"}
    with pytest.raises(TypeError):
        token["sub"] = "mallory"
    assert not token.check_client(SimpleNamespace(client_id=None))
    assert "example.com" not in repr(token)


def test_registered_by_hand(door: Door, make_server: MakeServer) -> None:
    """Registered by hand the validator judges the same, with the status and the challenge of the server."""
    server = make_server()
    door.protector.register_token_validator(BearerTokenValidator(server))
    door.protect("read")
    assert members(ask(door, READER))["sub"] == "alice"
    wanted = refusal(server, InsufficientScope(scope=("read",)))
    found = ask(door, NOBODY)
    assert (found.status, found.header("www-authenticate")) == (403, wanted.header("www-authenticate"))
    assert members(found) | {"instance": None} == json.loads(wanted.body) | {"instance": None}
    assert ask(door).status == 401


def test_install_once(make_server: MakeServer) -> None:
    """A protector has one server."""
    protector, server = ResourceProtector(), make_server()
    install(protector, server)
    with pytest.raises(ConfigurationError, match="once"):
        install(protector, server)


def test_servers_that_cannot(make_server: MakeServer, authorization_server: ScriptedAS) -> None:
    """An asynchronous server cannot judge here, and Authlib has no place for what a token in the query needs."""
    wrong: Any = authorization_server.server()
    with pytest.raises(ConfigurationError, match="BlockingResourceServer"):
        BearerTokenValidator(wrong)
    with pytest.raises(ConfigurationError, match="query_token"):
        install(ResourceProtector(), make_server(query_token=True))


def test_django_under_asgi(make_server: MakeServer) -> None:
    """Django's requests under ASGI hold the same, although they have no environment."""
    door = DjangoDoor()
    protected(door, make_server(), "read")
    fields = [(b"host", b"rs.example.com"), (b"authorization", f"Bearer {READER}".encode())]
    scope = {"method": "GET", "path": "/things", "query_string": b"", "headers": fields, "client": ("127.0.0.1", 1)}
    assert members(door.answer_to(ASGIRequest(scope, BytesIO())))["sub"] == "alice"
    assert_refused(door.answer_to(ASGIRequest(scope | {"headers": fields[:1]}, BytesIO())), 401, scope="read")
