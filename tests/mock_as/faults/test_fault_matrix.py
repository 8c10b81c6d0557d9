"""Every action over every transport: what the client really sees."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import httpx
import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mock_as import Clock, MockAS
from mock_as.faults import ACTIONS, TLS
from mock_as.tokens import Token

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
ISSUER = "https://as.example.test"
PATIENCE = 10.0
"""How long the clients wait for an answer that comes, in seconds."""
IMPATIENCE = 0.1
"""How long they wait for one that does not."""
METADATA = "/.well-known/oauth-authorization-server"
SIGNED = "application/token-introspection+jwt"


@dataclass(frozen=True)
class Place:
    """A mock, and a way to it."""

    name: str
    mock: MockAS
    url: str
    secure: str
    trust: ssl.SSLContext

    @property
    def in_process(self) -> bool:
        """Whether there is no socket."""
        return self.name == "in-process"

    def client(self, base: str, patience: float = PATIENCE) -> httpx.AsyncClient:
        """Make a client that waits so many seconds."""
        if self.in_process:
            return httpx.AsyncClient(transport=self.mock.transport(), base_url=ISSUER, timeout=patience)
        return httpx.AsyncClient(base_url=base, timeout=patience, verify=self.trust)


@pytest.fixture(scope="module", params=["in-process", "httptools", "h11"])
def served(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Make one mock for each way to it; it is served twice, with TLS and without."""
    mock = MockAS(issuer=ISSUER, clock=Clock(lambda: NOW))
    with ExitStack() as stack:
        url = secure = ISSUER
        if request.param != "in-process":
            url, secure = (stack.enter_context(mock.serve(http=request.param, tls=tls)) for tls in (False, True))
        yield Place(request.param, mock, url, secure, mock.authority.client_context())


@pytest.fixture
def place(served: Place) -> Place:
    """Bring the mock back to its beginnings."""
    served.mock.reset()
    return served


@dataclass(frozen=True)
class Seen:
    """What a client saw."""

    place: Place
    token: Token
    honest: httpx.Response
    outcome: httpx.Response | Exception

    @property
    def response(self) -> httpx.Response:
        """The answer, if there was one."""
        assert isinstance(self.outcome, httpx.Response), self.outcome
        return self.outcome

    @property
    def document(self) -> Any:
        """What an answer with 200 says."""
        assert self.response.status_code == 200
        return self.response.json()

    @property
    def changes(self) -> dict[str, Any]:
        """The members that are not what they honestly are; an ellipsis for those that are missing."""
        before, after = self.honest.json(), self.document
        changed = {name for name in {*before, *after} if not same(before.get(name, ...), after.get(name, ...))}
        return {name: after.get(name, ...) for name in changed}

    @property
    def keys(self) -> list[dict[str, Any]]:
        """The keys of the JWKS."""
        keys: list[dict[str, Any]] = self.document["keys"]
        return keys

    @property
    def honest_keys(self) -> list[dict[str, Any]]:
        """The keys there should be."""
        keys: list[dict[str, Any]] = self.honest.json()["keys"]
        return keys


def same(one: object, other: object) -> bool:
    """Tell whether two values of JSON are the same, and not only equal as 1 and true are."""
    return (type(one), one) == (type(other), other)


Check: TypeAlias = Callable[[Seen], object]


def _nothing(_mock: MockAS, _token: Token) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Expected:
    """What the client sees, and what it takes to see it."""

    check: Check
    endpoint: str = "introspect"
    prepare: Callable[[MockAS, Token], object] = _nothing
    headers: tuple[tuple[str, str], ...] = ()
    before: int = 0
    """How many requests come before that one."""
    secure: bool = False
    patience: float = PATIENCE


# ------------------------------------------------------------------------------------------------ ways to look at it


def fails(error: type[Exception], over_socket: type[Exception] | None = None) -> Expected:
    """Expect an exception, and another one where there is a socket if that is said."""

    def check(seen: Seen) -> bool:
        wanted = error if seen.place.in_process else over_socket or error
        return type(seen.outcome) is wanted

    return Expected(check, patience=IMPATIENCE if error is httpx.ReadTimeout else PATIENCE)


def shakes(words: str) -> Expected:
    """Expect that the handshake fails, and why."""

    def check(seen: Seen) -> bool:
        assert type(seen.outcome) is httpx.ConnectError
        return seen.place.in_process or words in str(seen.outcome)

    return Expected(check, secure=True)


def unspoilt(seen: Seen) -> bool:
    """Tell whether the answer is the honest one."""
    return (seen.response.status_code, seen.document) == (seen.honest.status_code, seen.honest.json())


def error(status: int, code: str) -> Expected:
    """Expect an error of OAuth."""
    return Expected(lambda seen: (seen.response.status_code, seen.response.json()["error"]) == (status, code))


def says(endpoint: str = "introspect", **members: Any) -> Expected:
    """Expect that these members, and no others, are different from what they should be."""
    return Expected(lambda seen: same(seen.changes, members) and all(map(same, *value_pairs(seen, members))), endpoint)


def value_pairs(seen: Seen, members: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the values that are different, and what they should be, in the same order."""
    return [seen.changes[name] for name in members], list(members.values())


def body(check: Callable[[bytes], object]) -> Expected:
    """Expect something of the body of an answer with 200."""
    return Expected(lambda seen: seen.response.status_code == 200 and check(seen.response.content))


def keys(check: Check, prepare: Callable[[MockAS, Token], object] = _nothing) -> Expected:
    """Expect something of the key set."""
    return Expected(check, "jwks", prepare)


def parts(response: httpx.Response) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a signed answer, whatever its signature."""
    assert response.headers["content-type"] == SIGNED
    found = jws.extract_compact(response.content)
    return found.headers(), json.loads(found.payload)


def verifies(seen: Seen) -> bool:
    """Tell whether the signature of an answer is by a published key."""
    try:
        jws.deserialize_compact(seen.response.content, KeySet.import_key_set(seen.place.mock.keys.jwks()))  # type: ignore[arg-type]
    except (JoseError, ValueError):
        return False
    return True


def signed(*, valid: bool = True, header: dict[str, Any] | None = None, **claims: Any) -> Expected:
    """Expect a signed answer with these members of its header and these claims."""

    def check(seen: Seen) -> bool:
        found_header, found_claims = parts(seen.response)
        wanted = {"typ": "token-introspection+jwt", **(header or {})}
        assert {name: found_header.get(name) for name in wanted} == wanted
        usual = {"iss": ISSUER, "aud": "rs", "iat": NOW, "token_introspection": seen.honest.json(), **claims}
        assert found_claims == usual
        return verifies(seen) == valid

    return Expected(check)


def is_nested(content: bytes) -> bool:
    """Tell whether a body is JSON too deep for a reader that recurses."""
    with pytest.raises(RecursionError):
        json.loads(content)
    return content.endswith(b"]}")


def truths(content: bytes) -> list[Any]:
    """Return every value that ``active`` has, in order."""
    return [value for name, value in json.loads(content, object_pairs_hook=list) if name == "active"]


def not_nested(seen: Seen) -> bool:
    """Tell whether a signed answer says what it should, one level too high."""
    _, claims = parts(seen.response)
    return verifies(seen) and claims == {**seen.honest.json(), "iss": ISSUER, "aud": "rs", "iat": NOW}


def is_encrypted(seen: Seen) -> bool:
    """Tell whether an answer is a JWE."""
    return seen.response.headers["content-type"] == SIGNED and seen.response.content.count(b".") == 4


def kids(found: list[dict[str, Any]]) -> list[Any]:
    """Return the names of keys."""
    return [key.get("kid") for key in found]


def about_bob(seen: Seen) -> bool:
    """Tell whether the answer is about the token of somebody else."""
    return bool(seen.document["active"] is True and seen.document["sub"] == "bob")


def has_date(seen: Seen) -> bool:
    """Tell whether the client is to come back at a date to come."""
    return parsedate_to_datetime(seen.response.headers["retry-after"]).timestamp() == NOW + 120


def retry(value: str) -> Expected:
    """Expect 503 with a Retry-After."""
    return Expected(lambda seen: (seen.response.status_code, seen.response.headers["retry-after"]) == (503, value))


def discovery(check: Check) -> Expected:
    """Expect something of the metadata."""
    return Expected(check, "discovery")


def lacks(*names: str) -> Expected:
    """Expect metadata without some members."""
    return discovery(lambda seen: seen.changes == dict.fromkeys(names, ...))


ATTACKER = "https://attacker.example.test"

EXPECTED: dict[str, Expected] = {
    # network
    "refused": fails(httpx.ConnectError, httpx.ReadError),
    "reset": fails(httpx.ReadError),
    "empty": fails(httpx.RemoteProtocolError),
    "garbage": fails(httpx.RemoteProtocolError),
    "truncated": fails(httpx.RemoteProtocolError),
    "bad_chunk": fails(httpx.RemoteProtocolError),
    "hang": fails(httpx.ReadTimeout),
    "timeout": fails(httpx.ReadTimeout),
    "hold": Expected(unspoilt),
    "slow(1)": Expected(unspoilt),
    "slow(1-2)": Expected(unspoilt),
    "slow(9999)": fails(httpx.ReadTimeout),
    "drip(0.1)": Expected(unspoilt),
    "drip(9999)": fails(httpx.ReadTimeout),
    "huge(1000000)": Expected(lambda seen: unspoilt(seen) and len(seen.response.content) > 1_000_000),
    "tls_expired": shakes("certificate has expired"),
    "tls_wrong_host": shakes("is not valid for"),
    "tls_unknown_ca": shakes("unable to get local issuer certificate"),
    # HTTP
    "status(503)": error(503, "server_error"),
    "status(429)": error(429, "invalid_request"),
    "204": Expected(lambda seen: (seen.response.status_code, seen.response.content) == (204, b"")),
    "retry_after(30)": retry("30"),
    "retry_after(garbage)": retry("soon"),
    "retry_after(date)": Expected(has_date),
    "redirect": Expected(lambda seen: seen.response.headers["location"] == f"{ISSUER}/elsewhere"),
    "redirect(https://attacker.example.test/)": Expected(
        lambda seen: (seen.response.status_code, seen.response.headers["location"]) == (302, f"{ATTACKER}/")
    ),
    "html_error": Expected(
        lambda seen: (
            (seen.response.status_code, seen.response.headers["content-type"]) == (502, "text/html; charset=utf-8")
        )
    ),
    "wrong_content_type": Expected(
        lambda seen: unspoilt(seen) and seen.response.headers["content-type"] == "text/plain; charset=utf-8"
    ),
    "no_content_type": Expected(lambda seen: unspoilt(seen) and "content-type" not in seen.response.headers),
    "empty_body": body(lambda content: content == b""),
    "not_json": body(lambda content: content == b"not JSON"),
    "malformed": body(lambda content: content == b"not JSON"),
    "json_array": Expected(lambda seen: seen.document == [seen.honest.json()]),
    "json_nan": body(lambda content: json.loads(content)["exp"] != json.loads(content)["exp"]),
    "duplicate_keys": body(lambda content: truths(content) == [True, False]),
    "deep_json": body(is_nested),
    "bom": body(lambda content: json.loads(content.removeprefix(b"\xef\xbb\xbf"))["active"] is True),
    "utf16": body(lambda content: json.loads(content.decode("utf-16"))["active"] is True),
    "gzip": Expected(lambda seen: unspoilt(seen) and seen.response.headers["content-encoding"] == "gzip"),
    "gzip_bomb": Expected(
        lambda seen: int(seen.response.headers["content-length"]) < 100_000 and len(seen.response.content) > 2**25
    ),
    "cache_control": Expected(lambda seen: seen.response.headers["cache-control"] == "no-store", "jwks"),
    "cache_control(max-age=9)": Expected(lambda seen: seen.response.headers["cache-control"] == "max-age=9", "jwks"),
    # introspection
    "invalid_client": error(401, "invalid_client"),
    "forbidden": error(403, "access_denied"),
    "unsupported_token_type": error(400, "unsupported_token_type"),
    "error_200": error(200, "server_error"),
    "inactive": Expected(lambda seen: seen.document == {"active": False}),
    "active_missing": says(active=...),
    "active_null": says(active=None),
    "active_string": says(active="true"),
    "active_int": says(active=1),
    "flap": Expected(lambda seen: seen.document == {"active": False}, before=1),
    "stale(5)": Expected(unspoilt, prepare=lambda mock, token: mock.revoke(token)),
    "other_tokens_answer": Expected(about_bob, prepare=lambda mock, _token: mock.token(sub="bob")),
    "exp_missing": says(exp=...),
    "exp_past": says(exp=NOW - 3600),
    "exp_string": says(exp=str(NOW + 3600)),
    "exp_float": says(exp=NOW + 3600.5),
    "exp_ms": says(exp=(NOW + 3600) * 1000),
    "nbf_future": says(nbf=NOW + 86400),
    "iss_missing": says(iss=...),
    "iss_other": says(iss="https://other-as.example.test"),
    "aud_missing": says(aud=...),
    "aud_other": says(aud="https://other-api.example.test"),
    "aud_list": says(aud=["https://api.example.test"]),
    "sub_missing": says(sub=...),
    "client_other": says(client_id="another-client"),
    "scope_missing": says(scope=...),
    "scope_list": says(scope=["read"]),
    "scope_other": says(scope="something-else"),
    "token_type_missing": says(token_type=...),
    "token_type_dpop": says(token_type="DPoP"),
    "token_type_access_token": says(token_type="access_token"),
    "cnf_missing": Expected(unspoilt),
    "cnf_other": Expected(lambda seen: list(seen.changes) == ["cnf"] and list(seen.document["cnf"]) == ["jkt"]),
    # signed introspection
    "plain_json": Expected(lambda seen: unspoilt(seen) and seen.response.headers["content-type"] == "application/json"),
    "bad_signature": signed(valid=False),
    "wrong_typ": signed(header={"typ": "at+jwt"}),
    "wrong_aud": signed(aud=ATTACKER),
    "wrong_iss": signed(iss="https://other-as.example.test"),
    "alg_none": signed(valid=False, header={"alg": "none"}),
    "unknown_kid": signed(valid=False),
    "not_nested": Expected(not_nested),
    "jwe_unknown_key": Expected(is_encrypted),
    "old_iat": signed(iat=NOW - 86400),
    # JWKS
    "empty_set": keys(lambda seen: seen.keys == []),
    "no_keys_member": keys(lambda seen: seen.document == {}),
    "missing_kid": keys(lambda seen: kids(seen.keys) == [None] and seen.keys[0]["x"] == seen.honest_keys[0]["x"]),
    "duplicate_kid": keys(
        lambda seen: kids(seen.keys) == kids(seen.honest_keys) * 2 and seen.keys[0]["x"] != seen.keys[1]["x"]
    ),
    "same_kid_new_key": keys(
        lambda seen: kids(seen.keys) == kids(seen.honest_keys) and seen.keys[0]["x"] != seen.honest_keys[0]["x"]
    ),
    "rotated_away": keys(lambda seen: len(seen.keys) == 1 and kids(seen.keys) != kids(seen.honest_keys)),
    "late_publish(5)": keys(lambda seen: seen.keys == []),
    "late_publish(0)": keys(lambda seen: seen.keys == seen.honest_keys),
    "unknown_kty": keys(lambda seen: seen.keys[1:] == seen.honest_keys and seen.keys[0]["kty"] == "unheard-of"),
    "use_enc": keys(lambda seen: seen.keys == [{**key, "use": "enc"} for key in seen.honest_keys]),
    "alg_mismatch": keys(lambda seen: seen.keys == [{**key, "alg": "RS256"} for key in seen.honest_keys]),
    "oct_key": keys(lambda seen: seen.keys[1:] == seen.honest_keys and seen.keys[0]["kty"] == "oct"),
    "weak_rsa_1024": keys(lambda seen: seen.keys[1:] == seen.honest_keys and len(seen.keys[0]["n"]) == 171),
    "private_parts": keys(lambda seen: all("d" in key for key in seen.keys)),
    "10k_keys": keys(lambda seen: seen.keys[10_000:] == seen.honest_keys and len(set(kids(seen.keys))) == 10_001),
    "etag_304": Expected(
        lambda seen: (seen.response.status_code, seen.response.content) == (304, b""),
        "jwks",
        headers=(("if-none-match", '"anything"'),),
    ),
    # discovery
    "issuer_other": says("discovery", issuer="https://other-as.example.test"),
    "issuer_trailing_slash": says("discovery", issuer=f"{ISSUER}/"),
    "jwks_uri_missing": lacks("jwks_uri"),
    "jwks_uri_other_host": says("discovery", jwks_uri=f"{ATTACKER}/jwks"),
    "jwks_uri_http": says("discovery", jwks_uri="http://as.example.test/jwks"),
    "introspection_missing": lacks("introspection_endpoint"),
    "introspection_other_host": says("discovery", introspection_endpoint=f"{ATTACKER}/introspect"),
    "auth_methods_absent": lacks(
        "token_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_methods_supported",
    ),
    "not_found": Expected(lambda seen: seen.response.status_code == 404, "discovery"),
}


@pytest.mark.rfc("as-4")
def test_every_action_is_expected_to_do_something() -> None:
    """No action is without a row here, and no row is about an action that there is not."""
    assert {written.partition("(")[0].replace("204", "status") for written in EXPECTED} == set(ACTIONS)


async def ask(client: httpx.AsyncClient, mock: MockAS, expected: Expected, token: Token) -> httpx.Response:
    """Ask an endpoint what a resource server asks it."""
    headers = dict(expected.headers)
    if expected.endpoint == "introspect":
        form = {"token": token.value}
        return await client.post("/introspect", data=form, auth=mock.credentials("rs"), headers=headers)
    return await client.get("/jwks" if expected.endpoint == "jwks" else METADATA, headers=headers)


@pytest.mark.rfc("as-4")
@pytest.mark.parametrize("action", EXPECTED)
async def test_client_sees_what_the_action_says(place: Place, action: str) -> None:
    """Each action does what its name says, to a client in the same process and over both implementations of HTTP."""
    mock, expected = place.mock, EXPECTED[action]
    token = mock.token(sub="alice")
    async with place.client(place.url) as client:
        honest = await ask(client, mock, Expected(bool, expected.endpoint), token)
    async with place.client(place.secure if expected.secure else place.url, expected.patience) as client:
        expected.prepare(mock, token)
        fault = mock.fault(expected.endpoint, action)
        outcome: httpx.Response | Exception
        try:
            for _ in range(expected.before):
                await ask(client, mock, expected, token)
            asking = asyncio.create_task(ask(client, mock, expected, token))
            if action == "hold":
                await applied(fault)
                fault.release()
            outcome = await asking
        except httpx.TransportError as problem:
            outcome = problem
    assert expected.check(Seen(place, token, honest, outcome)), outcome
    assert (fault.applied, list(mock.faults_left)) == (expected.before + 1, [])


async def applied(fault: Any) -> None:
    """Let others go on until a fault has happened."""
    while not fault.applied:  # noqa: ASYNC110 - another thread counts, and knows nothing of this loop
        await asyncio.sleep(0)


async def test_gzip_is_one(place: Place) -> None:
    """A compressed body is one that decompresses to the honest one, also when the client did not ask for it."""
    async with place.client(place.url) as client:
        honest = (await client.get("/jwks")).content
        place.mock.fault("jwks", "gzip")
        async with client.stream("GET", "/jwks", headers={"accept-encoding": "identity"}) as response:
            raw = b"".join([piece async for piece in response.aiter_raw()])
    assert gzip.decompress(raw) == honest


def test_handshakes_are_those_that_are_named_so() -> None:
    """The faults of handshakes are the three of the table."""
    assert {"tls_expired", "tls_wrong_host", "tls_unknown_ca"} == TLS
