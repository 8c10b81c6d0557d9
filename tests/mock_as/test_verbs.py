"""The verbs: the same tests for a mock in this process and for one that is driven over HTTP."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mock_as import MockAS, MockASClient, Token, UsageError
from mock_as.clients import Client
from mock_as.clock import Clock
from mock_as.journal import Requests
from mock_as.keys import KeyRing
from mock_as.keys.of_clients import key_pair
from mock_as.latches import Gate
from mock_as.remote.clock import RemoteClock
from mock_as.remote.faults import RemoteGate
from mock_as.remote.keys import RemoteKeys
from mock_as.remote.requests import RemoteRequests
from mock_as.tokens.resources import Resource
from mock_as.users import User

Driver = MockAS | MockASClient

HERE_ONLY = {"app", "authority", "configure", "mount", "release", "serve", "text_of", "tls", "transport"}
"""What needs the object itself: the ways to reach it, and what only this package calls."""
THERE_ONLY = {"close"}


@pytest.fixture(scope="module")
def server() -> Iterator[MockAS]:
    """Serve one mock for all tests of the module."""
    mock = MockAS(issuer="auto")
    with mock.serve():
        yield mock


@pytest.fixture(params=["here", "there"])
def mock(request: pytest.FixtureRequest, server: MockAS) -> Iterator[Driver]:
    """Drive the served mock as the object that it is, or over HTTP."""
    server.reset()
    if request.param == "here":
        yield server
        return
    with MockASClient(server.issuer) as client:
        yield client


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """Make a client of the OAuth endpoints."""
    with httpx.Client(trust_env=False) as client:
        yield client


def introspect(browser: httpx.Client, mock: Driver, token: Token) -> dict[str, Any]:
    """Ask what the server says of a token."""
    answer = browser.post(mock.url.introspection, data={"token": token.value}, auth=mock.credentials("rs"))
    document: dict[str, Any] = answer.json()
    return document


def public(kind: type) -> set[str]:
    """Return the public names of a class."""
    return {name for name in dir(kind) if not name.startswith("_")}


def test_both_have_the_same_verbs() -> None:
    """Every verb of the mock is one of the client too, and the other way round."""
    assert public(MockAS) - HERE_ONLY == public(MockASClient) - THERE_ONLY


@pytest.mark.parametrize(
    ("here", "there"),
    [
        *((getattr(MockAS, name), getattr(MockASClient, name)) for name in sorted(public(MockASClient) - THERE_ONLY)),
        *((getattr(Clock, name), getattr(RemoteClock, name)) for name in sorted(public(RemoteClock))),
        *((getattr(KeyRing, name), getattr(RemoteKeys, name)) for name in sorted(public(RemoteKeys))),
        *((getattr(Requests, name), getattr(RemoteRequests, name)) for name in ("count", "last", "clear", "wait")),
        *((getattr(Gate, name), getattr(RemoteGate, name)) for name in sorted(public(RemoteGate))),
    ],
    ids=lambda verb: getattr(verb, "__qualname__", None) or verb.fget.__qualname__,
)
def test_verbs_take_the_same_arguments(here: Any, there: Any) -> None:
    """A verb takes the same arguments, with the same defaults, in this process and over HTTP."""
    if isinstance(here, property):
        assert isinstance(there, property)
        return
    assert inspect.signature(here).parameters == inspect.signature(there).parameters


def test_every_part_is_there(server: MockAS) -> None:
    """The client has every part that tests use: clock, keys, clients, users and resources, with the same verbs."""
    with MockASClient(server.issuer) as client:
        assert public(type(server.clock)) - {"dump", "load"} == public(type(client.clock))
        kept_here = {"dump", "load", "document", "find", "previous", "reset", "signing", "unpublished"}
        assert public(type(server.keys)) - kept_here == public(type(client.keys))
        for name in ("clients", "users", "resources"):
            assert list(getattr(client, name)) == list(getattr(server, name))
        assert repr(client) == f"MockASClient({server.issuer!r})"


def test_token(mock: Driver, browser: httpx.Client) -> None:
    """A token is what was ordered, and introspection knows it."""
    token = mock.token("alice", scope=["read", "write"], aud=("https://a.test", "https://b.test"), expires_in=60)
    assert (token.format, token.header["alg"], token.claims["sub"]) == ("jwt", "ES256", "alice")
    assert token.claims["aud"] == ["https://a.test", "https://b.test"]
    assert token.claims["exp"] - token.claims["iat"] == 60
    said = introspect(browser, mock, token)
    assert (said["active"], said["scope"], said["iss"]) == (True, "read write", mock.issuer)
    assert token.value not in repr(token)


def test_what_is_known_of_a_token(mock: Driver, browser: httpx.Client) -> None:
    """What introspection says of a token is edited, and a token is forgotten, once."""
    token = mock.token("alice", scope="read")
    mock.tokens.edit(token, scope=["write"], claims={"tenant": "acme"}, exp=2_000_000_000)
    said = introspect(browser, mock, token)
    assert (said["scope"], said["tenant"], said["exp"]) == ("write", "acme", 2_000_000_000)
    assert len(mock.tokens) == 1
    assert [mock.tokens.remove(token), mock.tokens.remove(token)] == [True, False]
    assert introspect(browser, mock, token) == {"active": False}


def test_metadata_say_something_else(mock: Driver, browser: httpx.Client) -> None:
    """The metadata are edited member by member, and one edit is taken back without the others."""
    url = mock.url.metadata
    mock.metadata_edits.update(jwks_uri=None, more=[1])
    document = browser.get(url).json()
    assert ("jwks_uri" in document, document["more"], dict(mock.metadata_edits)) == (
        False,
        [1],
        {"jwks_uri": None, "more": [1]},
    )
    del mock.metadata_edits["jwks_uri"]
    assert (browser.get(url).json()["jwks_uri"], len(mock.metadata_edits)) == (mock.url.jwks, 1)
    assert mock.metadata_edits["more"] == [1]


def test_token_that_is_forged(mock: Driver) -> None:
    """What mints can forge too: a header and a payload exactly as given, signed with whatever key."""
    other = MockAS().keys.signing()
    token = mock.token.forge(header={"alg": "ES256", "kid": other.kid}, payload=b"no JSON", key=other)
    assert token.header == {"alg": "ES256", "kid": other.kid}
    assert token.value == mock.token.forge(token.header, b"no JSON").value + token.value.rpartition(".")[2]
    assert "Mint an access token" in str(mock.token.__doc__)


def test_verb_that_mints_is_a_method(server: MockAS) -> None:
    """The verb can be called at the class as well, as methods can, and says what it takes."""
    assert MockAS.token(server, "alice").claims["sub"] == "alice"
    assert list(inspect.signature(server.token).parameters)[:2] == ["sub", "client_id"]


def test_token_with_a_defect(mock: Driver) -> None:
    """A token can be wrong, and says how."""
    token = mock.token(defect="alg_none", claims={"tenant": "acme"})
    assert (token.defect, token.header["alg"], token.claims["tenant"]) == ("alg_none", "none", "acme")
    with pytest.raises(UsageError, match="alg_none") as refused:
        mock.token(defect="alg_nine")
    assert refused.value.field == "defect"


@pytest.mark.parametrize("verb", ["revoke", "expire"])
def test_tokens_end(mock: Driver, browser: httpx.Client, verb: str) -> None:
    """Tokens are ended by themselves, their ids, subject or client, or all of them; a nameless wish is an error."""
    tokens = [mock.token(), mock.token("alice"), mock.token(client_id="web"), mock.token(format="opaque")]
    end = getattr(mock, verb)
    assert end(sid="session") == 0
    assert (end(tokens[0]), end(sub="alice"), end(client_id="web"), end("unknown")) == (1, 1, 1, 0)
    assert [introspect(browser, mock, token)["active"] for token in tokens] == [False, False, False, True]
    assert end(everything=True) == 4
    assert introspect(browser, mock, tokens[3]) == {"active": False}
    with pytest.raises(UsageError):
        end()


def test_token_that_is_bound_to_a_key(mock: Driver) -> None:
    """A token of type DPoP makes its own proofs, wherever it was minted."""
    token = mock.token(token_type="DPoP")
    assert token.prover is not None
    assert token.claims["cnf"] == {"jkt": token.prover.thumbprint}
    assert set(token.dpop("GET", "https://api.example.test/")) == {"Authorization", "DPoP"}


def test_forged_token(mock: Driver) -> None:
    """A token can be anything at all."""
    token = mock.token.forge({"alg": "none"}, {"sub": "alice"})
    assert (token.value.count("."), token.header, token.claims) == (2, {"alg": "none"}, {"sub": "alice"})


def test_login(mock: Driver) -> None:
    """Somebody logs in without a browser, and the client gets its answer."""
    answer = parse_qs(urlsplit(mock.authorize(client_id="web", sub="bob", scope=["read"], state="s")).query)
    assert (set(answer), answer["state"], answer["iss"]) == ({"code", "iss", "state"}, ["s"], [mock.issuer])
    denied = parse_qs(urlsplit(mock.authorize(client_id="web", decision="deny")).query)
    assert denied["error"] == ["access_denied"]
    with pytest.raises(UsageError, match="disabled"):
        mock.authorize(client_id="web", sub="mallory")


# ------------------------------------------------------------------------------------------------------ clock and keys


def test_clock(mock: Driver, browser: httpx.Client) -> None:
    """The clock is moved instead of waiting."""
    token = mock.token(expires_in=60)
    mock.clock.freeze()
    assert mock.clock.frozen
    mock.clock.advance(61)
    assert mock.clock.offset == 61
    assert introspect(browser, mock, token) == {"active": False}
    mock.clock.reset()
    assert (mock.clock.frozen, mock.clock.offset) == (False, 0)
    mock.clock.shift(-5)
    mock.clock.freeze(1_700_000_000)
    assert mock.clock.now() == 1_700_000_000


def test_keys(mock: Driver, browser: httpx.Client) -> None:
    """Keys are staged, published, used, replaced and forgotten."""

    def published() -> list[str]:
        return [key["kid"] for key in browser.get(mock.url.jwks).json()["keys"]]

    [old] = published()
    [new] = mock.keys.rotate()
    assert published() == [old, new]
    [latest] = mock.keys.rotate("ES256", overlap=False)
    assert published() == [latest] == [key["kid"] for key in mock.keys.jwks()["keys"]]
    mock.keys.stage()
    staged = mock.keys.describe()[-1]["kid"]
    assert staged not in published()
    mock.keys.activate(staged)
    assert mock.token().header["kid"] == staged
    mock.keys.publish(staged)
    assert published() == [latest, staged]
    mock.keys.unpublish(latest)
    mock.keys.delete(latest)
    assert published() == [staged]
    mock.keys.replace(staged)
    assert published() == [staged]
    with pytest.raises((UsageError, LookupError)):
        mock.keys.publish("unknown")


# ------------------------------------------------------------------------------------------------------ misbehaviour


def test_faults(mock: Driver, browser: httpx.Client) -> None:
    """A fault happens as often as it was to, counts, and is left while it has not happened."""
    token, other = mock.token(), mock.token()
    fault = mock.fault("introspect", 503, retry_after=7, times=1, token=token, headers={"x-cause": "test"})
    assert [left.id for left in mock.faults_left] == [fault.id]
    assert introspect(browser, mock, other)["active"]
    answer = browser.post(mock.url.introspection, data={"token": token.value}, auth=mock.credentials("rs"))
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-cause"]) == (503, "7", "test")
    assert (fault.applied, mock.faults_left) == (1, ())
    assert token.value not in repr(fault)
    mock.fault("jwks", body=b'{"keys": []}')
    assert browser.get(mock.url.jwks).json() == {"keys": []}
    mock.clear_faults()
    assert browser.get(mock.url.jwks).json() == mock.keys.jwks()
    with pytest.raises(UsageError, match="did you mean 'introspect'"):
        mock.fault("introspection", 503)


def test_release(mock: Driver) -> None:
    """What a fault has left hanging is answered when it is released."""
    fault, url = mock.fault("jwks", "hang", times=1), mock.url.jwks
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(httpx.get, url)
        mock.requests("jwks", fault="hang").wait()
        fault.release()
        assert hanging.result().status_code == 200
    assert (fault.describe()["left"], fault.applied) == (0, 1)


def test_hold(mock: Driver) -> None:
    """Requests are held until they are released, and the gate tells how many have come."""
    url = mock.url.jwks
    with ThreadPoolExecutor(3) as pool, mock.hold("jwks") as gate:
        asked = [pool.submit(httpx.get, url) for _ in range(3)]
        gate.wait_for(3)
        assert gate.count == 3
        assert not any(future.done() for future in asked)
        with pytest.raises(TimeoutError):
            gate.wait_for(4, timeout=0.01)
        gate.release()
        assert {future.result().status_code for future in asked} == {200}
    assert httpx.get(url).status_code == 200
    mock.assert_called("jwks", times=4)


# --------------------------------------------------------------------------------------------------------- the journal


def test_requests(mock: Driver, browser: httpx.Client) -> None:
    """The journal tells what was asked by whom, and is filtered, counted and forgotten."""
    token = mock.token()
    introspect(browser, mock, token)
    browser.get(mock.url.jwks)
    view = mock.requests("introspect")
    assert (view.count, len(view), len(list(view))) == (1, 1, 1)
    entry = view.last
    assert (entry.endpoint, entry.method, entry.client_id, entry.status) == ("introspect", "POST", "rs", 200)
    assert "token" in entry.form
    assert dict(entry.headers)["authorization"] == "Basic ***"
    assert view[0].number == entry.number
    assert mock.requests(token=token).count == mock.requests("introspect", token=token.id).count == 1
    assert mock.requests(client_id="svc").count == 0
    browser.post(mock.url.introspection, data={"token": "x", "token_type_hint": "access_token"})
    assert [found.status for found in mock.requests(token="x", token_type_hint="access_token")] == [401]
    assert mock.requests(token_type_hint="refresh_token").count == 0
    assert [found.endpoint for found in mock.requests(since=entry.number)] == ["jwks", "introspect"]
    assert repr(mock.requests("jwks")) == "jwks: GET /jwks → 200"
    view.clear()
    assert [found.endpoint for found in mock.requests()] == ["jwks"]
    with pytest.raises(UsageError, match="did you mean 'introspect'"):
        _ = mock.requests("introspection").count


def test_waiting_for_requests(mock: Driver) -> None:
    """A test waits for requests that another thread sends, and learns how many came if they were too few."""
    url = mock.url.jwks
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: [httpx.get(url) for _ in range(2)])
        assert mock.requests("jwks").wait(2).count == 2
        asked.result()
    with pytest.raises(TimeoutError, match="2 of 3 requests"):
        mock.requests("jwks").wait(3, timeout=0.01)


def test_assert_called(mock: Driver, browser: httpx.Client) -> None:
    """A test can insist on calls and on their number; the error shows the journal."""
    mock.assert_called("jwks", times=0)
    with pytest.raises(AssertionError, match="jwks was asked 0 times, not at least once"):
        mock.assert_called("jwks")
    browser.get(mock.url.jwks)
    mock.assert_called("jwks")
    with pytest.raises(AssertionError, match="jwks was asked 1 times, not 2 times\njwks: GET /jwks"):
        mock.assert_called("jwks", times=2)


def test_clients(mock: Driver) -> None:
    """Clients are registered, changed and forgotten while the server runs."""
    mock.clients["orders"] = Client(id="orders", secret="s", scopes=("read",), claims={"tenant": "acme"})
    assert mock.clients["orders"] == Client(id="orders", secret="s", scopes=("read",), claims={"tenant": "acme"})
    assert mock.credentials("orders") == ("orders", "s")
    assert len(mock.clients) == len(list(mock.clients))
    del mock.clients["orders"]
    assert "orders" not in mock.clients
    with pytest.raises(KeyError):
        del mock.clients["orders"]
    with pytest.raises(UsageError) as refused:
        mock.credentials("orders")
    assert refused.value.field == "client_id"


def test_client_key(mock: Driver) -> None:
    """A test gets the keys that play a client, and learns which client has none made for it."""
    here, there = key_pair("rs.jwe"), mock.client_key("rs.jwe")
    assert there.describe() == here.describe()
    assert there.key.thumbprint() == here.key.thumbprint()
    for name, message in (("svc", "without key_pair"), ("svc.jtw", "did you mean")):
        with pytest.raises(UsageError, match=message) as refused:
            mock.client_key(name)
        assert refused.value.field == "client_id"


def test_users_and_resources(mock: Driver) -> None:
    """So are users and resources, whose names may have slashes in them."""
    mock.users["dave/1"] = User(sub="dave/1", scopes=("read",))
    assert mock.users["dave/1"].scopes == ("read",)
    del mock.users["dave/1"]
    uri = "https://api.example.test/orders?x=1"
    mock.resources[uri] = Resource(uri=uri, lifetime=5)
    assert mock.resources[uri] == Resource(uri=uri, lifetime=5)
    assert list(mock.resources) == [uri]


def test_reset(mock: Driver) -> None:
    """A reset leaves nothing but what is to be kept."""
    mock.clients["orders"] = Client(id="orders", secret="s")
    mock.users["dave"] = User(sub="dave")
    mock.clock.advance(100)
    mock.fault("jwks", 503)
    mock.reset(keep=["clients"])
    assert ("orders" in mock.clients, "dave" in mock.users) == (True, False)
    assert (mock.clock.offset, mock.faults_left) == (0, ())
    mock.reset()
    assert "orders" not in mock.clients
    with pytest.raises(UsageError, match="did you mean 'clients'"):
        mock.reset(keep=["client"])


def test_snapshot(mock: Driver, browser: httpx.Client) -> None:
    """A state that was remembered comes back, more than once."""
    token = mock.token()
    name = mock.snapshot()
    for _ in range(2):
        mock.revoke(token)
        mock.clock.advance(7)
        mock.restore(name)
        assert introspect(browser, mock, token)["active"]
        assert mock.clock.offset == 0
    with pytest.raises(UsageError):
        mock.restore("unknown")


def test_seed(mock: Driver) -> None:
    """What is random comes again after the same seed."""
    mock.seed(42)
    first = mock.token(format="opaque").value
    mock.seed(42)
    assert mock.token(format="opaque").value == first
    mock.seed(None)
    assert mock.token(format="opaque").value != first


def test_profile(mock: Driver) -> None:
    """The behaviour of a real server is put on by its name."""
    mock.use_profile("canaille")
    mock.use_profile("strict")
    with pytest.raises(UsageError):
        mock.use_profile("canary")


def test_tenants(mock: Driver, browser: httpx.Client) -> None:
    """A tenant is an issuer with everything of its own."""
    tenant = mock.tenant()
    assert tenant.issuer.startswith(f"{mock.issuer}/t/")
    token = tenant.token()
    assert introspect(browser, mock, token) == {"active": False}
    assert browser.get(tenant.url.metadata).json()["issuer"] == tenant.issuer
    assert (tenant.requests().count, mock.requests("discovery").count) == (1, 0)
    named = mock.tenant("acme")
    named.reset()
    named.clock.advance(5)
    assert (mock.tenant("acme").clock.offset, mock.clock.offset) == (5, 0)
    with pytest.raises(UsageError):
        mock.tenant("not a name")


def read_notice(browser: httpx.Client, mock: Driver, text: str) -> Any:
    """Verify a token with the keys that are published, and return its header and its claims."""
    keys = KeySet.import_key_set(browser.get(mock.url.jwks).json())
    return jwt.decode(text, keys, algorithms=["ES256", "RS256"])


def test_security_event(mock: Driver, browser: httpx.Client) -> None:
    """RFC 8417 §2: a Security Event Token has its type, its event and its subject, and nothing of an access token."""
    mock.clock.freeze()
    read = read_notice(browser, mock, mock.security_event(sub="alice", jti="e-1"))
    assert read.header["typ"] == "secevent+jwt"
    assert read.claims == {
        "iss": mock.issuer,
        "aud": "https://api.example.test",
        "iat": int(mock.clock.now()),
        "jti": "e-1",
        "sub_id": {"format": "iss_sub", "iss": mock.issuer, "sub": "alice"},
        "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
    }
    assert len(mock.tokens) == 0


def test_subjects_and_events(mock: Driver, browser: httpx.Client) -> None:
    """RFC 9493 §3: the subject is a session, a user's session, or whatever a test says; so is the event."""

    def claims(*args: Any, **kwargs: Any) -> dict[str, Any]:
        read: dict[str, Any] = read_notice(browser, mock, mock.security_event(*args, **kwargs)).claims
        return read

    session = {"format": "opaque", "id": "s-1"}
    assert claims(sid="s-1")["sub_id"] == session
    both = claims(sub="alice", sid="s-1")["sub_id"]
    assert (both["format"], both["session"], both["user"]["sub"]) == ("complex", session, "alice")
    email = {"format": "email", "email": "alice@example.test"}
    assert claims(subject=email)["sub_id"] == email
    disabled = claims("account-disabled", sub="alice", details={"reason": "hijacking"})["events"]
    assert disabled == {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {"reason": "hijacking"}}
    assert claims("https://events.example.test/x", sub="alice")["events"] == {"https://events.example.test/x": {}}


def test_logout_token(mock: Driver, browser: httpx.Client) -> None:
    """OpenID Connect Back-Channel Logout §2.4: a logout token names a subject or a session, and has no nonce."""
    mock.clock.freeze()
    read = read_notice(browser, mock, mock.logout_token(sub="alice", sid="s-1", aud="rs", jti="l-1"))
    now = int(mock.clock.now())
    assert read.header["typ"] == "logout+jwt"
    assert read.claims == {
        "iss": mock.issuer,
        "aud": "rs",
        "iat": now,
        "exp": now + 120,
        "jti": "l-1",
        "sub": "alice",
        "sid": "s-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }
    only_session = read_notice(browser, mock, mock.logout_token(sid="s-1", expires_in=5)).claims
    assert ("sub" in only_session, only_session["exp"] - only_session["iat"]) == (False, 5)


def test_wrong_notices(mock: Driver, browser: httpx.Client) -> None:
    """What is wrong with such a token is said by its claims, its header, its key and its times."""
    mock.clock.freeze()
    event = mock.security_event(sub="alice", claims={"jti": None, "exp": 1}, header={"typ": "JWT"}, iat_in=-60)
    read = read_notice(browser, mock, event)
    assert (read.header["typ"], "jti" in read.claims, read.claims["exp"]) == ("JWT", False, 1)
    assert read.claims["iat"] == int(mock.clock.now()) - 60
    logout = mock.logout_token(sub="alice", claims={"nonce": "n"}, alg="RS256")
    assert read_notice(browser, mock, logout).claims["nonce"] == "n"
    for forged in (mock.security_event(sub="alice", key="unpublished"), mock.logout_token(sub="a", key="unpublished")):
        with pytest.raises(JoseError):
            read_notice(browser, mock, forged)


def test_notices_that_say_nothing(mock: Driver) -> None:
    """A token about nobody, or about an event of an unknown short name, is refused with the argument's name."""
    made: list[tuple[Callable[[], str], str]] = [
        (mock.security_event, "sub"),
        (mock.logout_token, "sub"),
        (lambda: mock.security_event("session-revokd", sub="alice"), "event"),
    ]
    for make, field in made:
        with pytest.raises(UsageError) as refused:
            make()
        assert refused.value.field == field


def test_notices_over_http(mock: Driver, browser: httpx.Client) -> None:
    """The control plane makes them too, for tests in other languages."""
    for path, body, typ in (
        ("security-events", {"event": "credential-change", "sub": "alice", "details": {"x": 1}}, "secevent+jwt"),
        ("logout-tokens", {"sid": "s-1", "expires_in": 60}, "logout+jwt"),
    ):
        answer = browser.post(f"{mock.issuer}/_mock/{path}", json=body)
        assert answer.status_code == 201
        assert read_notice(browser, mock, answer.json()["token"]).header["typ"] == typ
    refused = browser.post(f"{mock.issuer}/_mock/logout-tokens", json={})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "sub")
