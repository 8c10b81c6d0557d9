"""The table of actions, and what each does to answers that are not what it expects."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import KeySet

from mock_as import Clock, MockAS, UsageError
from mock_as.faults import ACTIONS, FAMILIES, LATE, NETWORK, TLS, Scene
from mock_as.faults.documents import SIGNED, read_members, sign
from mock_as.journal import ENDPOINTS
from mock_as.messages import Answer, encode_json, json_answer, oauth_error
from mock_as.profiles import PROFILES
from tests.mock_as.conftest import Post

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
ISSUER = "https://as.example.test"


class Stage:
    """A mock whose clock the test moves, and the scene of a request to it."""

    def __init__(self) -> None:
        self.mock = MockAS(issuer=ISSUER, clock=Clock(lambda: NOW))
        self.token = self.mock.token(sub="alice")

    def scene(self, action: str, argument: str | None = None) -> Scene:
        """Return where and when an action spoils an answer."""
        default = ACTIONS[action].argument
        return Scene(
            issuer=ISSUER,
            now=NOW,
            keys=self.mock.keys,
            tokens=self.mock.tokens,
            ask=lambda _token: json_answer({"active": False}),
            caller="rs",
            token=self.token.value,
            argument=argument or (default and default.default) or "503",
            since=NOW,
        )


STAGE = Stage()


def test_every_action_is_described() -> None:
    """Each action is in one family, says in one sentence what happens, and can happen somewhere."""
    assert sum(map(len, FAMILIES.values())) == len(ACTIONS)
    for name, action in ACTIONS.items():
        assert action.description[-1] == ".", name
        assert action.description[:-1].count(". ") == 0, name
        assert action.endpoints, name
        assert action.endpoints <= ENDPOINTS, name
        assert (action.spoil is None) == (name in NETWORK), name


def test_network_faults_have_an_exception_or_an_answer() -> None:
    """A fault of the network is an exception to a client in this process, unless there is an answer all the same."""
    without = {name for name, action in NETWORK.items() if action.error is None}
    assert without == LATE | {"hold"}
    assert set(NETWORK) > TLS
    for action in NETWORK.values():
        assert action.error is None or issubclass(getattr(httpx, action.error), httpx.TransportError)


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.argument is not None])
def test_default_is_a_possible_argument(name: str) -> None:
    """What an argument is where it is left out is something that it can be."""
    argument = ACTIONS[name].argument
    assert argument is not None
    if argument.default is not None:
        argument.judge(name, argument.default)


# ------------------------------------------------------------------------------------------------------- odd answers

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
members = st.sampled_from(
    ["active", "exp", "iat", "nbf", "iss", "aud", "sub", "scope", "keys", "issuer", "jwks_uri", "token_introspection"]
)
documents = st.dictionaries(members, json_values, max_size=4)
bodies = st.one_of(
    documents.map(encode_json),
    json_values.map(encode_json),
    st.binary(max_size=20),
    st.just(b"[" * 100_000),
    st.sampled_from([b"..", b"a.b.c", b"e30.e30.", b"e30.eyJ0b2tlbl9pbnRyb3NwZWN0aW9uIjp7fX0.x"]),
    documents.map(lambda claims: sign(json_answer({}), STAGE.scene("flap"), claims).body),
)
answers = st.builds(
    Answer,
    st.sampled_from([200, 204, 302, 304, 400, 401, 404, 502]),
    st.sampled_from([(), (("content-type", "application/json"),), (("content-type", SIGNED),), (("etag", "x"),)]),
    bodies,
)


@given(answers)
def test_no_action_stumbles_over_an_answer(answer: Answer) -> None:
    """Whatever the honest answer is, each action makes an answer of it that can be sent."""
    for name, action in ACTIONS.items():
        check_sendable(action(answer, STAGE.scene(name)))


@given(answers)
def test_no_profile_stumbles_over_an_answer(answer: Answer) -> None:
    """Whatever the honest answer is, each profile makes an answer of it that can be sent."""
    for profile in PROFILES.values():
        for endpoint in ENDPOINTS:
            check_sendable(profile.behave(endpoint, answer, lambda: STAGE.scene("flap")))


def check_sendable(answer: Answer) -> None:
    """Insist that an answer can be written on the wire."""
    assert 200 <= answer.status <= 599
    assert isinstance(answer.body, bytes)
    for name, value in answer.headers:
        assert name == name.lower()
        assert value.encode("latin-1").isascii() or "\n" not in value


# ------------------------------------------------------------------------------------------------- particular answers


def signed(**said: Any) -> Answer:
    """Make a signed answer of introspection."""
    claims = {"iss": ISSUER, "aud": "rs", "iat": NOW, "token_introspection": {"active": True, **said}}
    return sign(json_answer({}), STAGE.scene("flap"), claims)


@pytest.mark.parametrize(
    ("action", "said"),
    [("iss_other", {"iss": "https://other-as.example.test"}), ("active_int", {"active": 1}), ("sub_missing", {})],
)
def test_meaning_is_spoilt_inside_a_signature(action: str, said: dict[str, Any]) -> None:
    """A signed answer that means something else has a good signature nevertheless."""
    spoilt = ACTIONS[action](signed(sub="alice"), STAGE.scene(action))
    token = jws.deserialize_compact(spoilt.body, KeySet.import_key_set(STAGE.mock.keys.jwks()))  # type: ignore[arg-type]
    claims = json.loads(token.payload)
    expected = {"active": True, **({} if action == "sub_missing" else {"sub": "alice"}), **said}
    assert claims == {"iss": ISSUER, "aud": "rs", "iat": NOW, "token_introspection": expected}


@pytest.mark.parametrize(
    ("action", "media_type", "active"),
    [
        ("inactive", SIGNED, False),
        ("flap", SIGNED, True),
        ("wrong_iss", SIGNED, True),
        ("plain_json", "application/json", True),
        ("error_200", "application/json", None),
    ],
)
async def test_answer_that_was_to_be_signed(
    mock: MockAS, client: httpx.AsyncClient, action: str, media_type: str, active: object
) -> None:
    """An answer to somebody who gets signed ones is spoilt as one, and stays signed unless that is the fault."""
    form = {"token": mock.token(sub="alice").value}
    mock.fault("introspect", action)
    response = await client.post("/introspect", data=form, auth=mock.credentials("rs.jwt"), headers={"accept": SIGNED})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    answer = Answer(200, (("content-type", media_type),), response.content)
    assert (read_members(answer) or {}).get("active") == active


async def test_encrypted_answer_stays_as_it_is(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An answer that only its reader can decrypt cannot be made to say something else."""
    mock.fault("introspect", "iss_other", times=1)
    mock.fault("introspect", "wrong_iss", times=1)
    form = {"token": mock.token(sub="alice").value}
    for _ in range(2):
        response = await client.post(
            "/introspect", data=form, auth=mock.credentials("rs.jwe"), headers={"accept": SIGNED}
        )
        assert response.content.count(b".") == 4


def test_signature_stays_by_the_same_algorithm() -> None:
    """A signed answer that means something else is signed by a key of the algorithm that it was signed by."""
    answer = sign(
        signed(), STAGE.scene("flap"), {"token_introspection": {}}, kid=STAGE.mock.keys.signing("Ed25519").kid
    )
    spoilt = ACTIONS["iss_other"](answer, STAGE.scene("iss_other"))
    assert jws.extract_compact(spoilt.body).headers()["alg"] == "Ed25519"


def test_downgrade_says_the_same() -> None:
    """Without its signature, a signed answer says what it said with it."""
    plain = ACTIONS["plain_json"](signed(sub="alice"), STAGE.scene("plain_json"))
    assert dict(plain.headers)["content-type"] == "application/json"
    assert plain.json() == {"active": True, "sub": "alice"}


@pytest.mark.parametrize(("action", "expected"), [("active_string", "false"), ("active_int", 0)])
async def test_type_is_spoilt_and_not_the_truth(mock: MockAS, introspect: Post, action: str, expected: object) -> None:
    """An inactive token stays inactive in the wrong type: the text "false" is true to a careless reader."""
    mock.fault("introspect", action)
    assert (await introspect("unknown")).json() == {"active": expected}


@pytest.fixture
def clock() -> Clock:
    """Make a clock that the test moves."""
    return Clock(lambda: NOW)


@pytest.fixture
def mock(clock: Clock) -> MockAS:
    """Make a mock with that clock."""
    return MockAS(issuer=ISSUER, clock=clock)


async def actives(introspect: Post, token: object, times: int) -> list[bool]:
    """Ask about a token several times, and return what was said."""
    return [(await introspect(token)).json()["active"] for _ in range(times)]


async def test_flapping_goes_on(mock: MockAS, introspect: Post) -> None:
    """A token that flaps is active, inactive, active and so on; one that is inactive stays so."""
    mock.fault("introspect", "flap", times=4)
    assert await actives(introspect, mock.token(), 4) == [True, False, True, False]
    mock.fault("introspect", "flap", times=2)
    assert await actives(introspect, "unknown", 2) == [False, False]


async def test_stale_answer_becomes_right_in_time(mock: MockAS, introspect: Post) -> None:
    """A revocation is noticed so many seconds after the first, and no later; what was not revoked is as it is."""
    token = mock.token(sub="alice")
    mock.fault("introspect", "stale", seconds=30)
    mock.revoke(token)
    mock.clock.advance(29)
    mock.revoke(token)
    assert await actives(introspect, token, 1) == [True]
    assert mock.tokens.find(token).revoked is True  # type: ignore[union-attr]
    mock.clock.advance(1)
    assert await actives(introspect, token, 1) == [False]
    assert await actives(introspect, "unknown", 1) == [False]
    assert await actives(introspect, mock.token(), 1) == [True]


async def test_answer_about_nobody_in_particular(mock: MockAS, introspect: Post) -> None:
    """Where there is no other token to talk about, one is made up; an inactive one is not taken for another."""
    token, gone = mock.token(sub="alice"), mock.token(sub="bob")
    mock.revoke(gone)
    mock.fault("introspect", "other_tokens_answer")
    document = (await introspect(token)).json()
    assert (document["active"], document["sub"], document["jti"]) == (True, "somebody-else", "another-token")


def test_other_token_that_nobody_may_see() -> None:
    """A token that the caller is told nothing about is not one whose answer it could get."""
    stage = Stage()
    stage.mock.token(sub="bob")
    spoilt = ACTIONS["other_tokens_answer"](json_answer({"active": True}), stage.scene("other_tokens_answer"))
    assert spoilt.json()["sub"] == "somebody-else"


def test_list_of_audiences_stays_one() -> None:
    """An audience that is a list already is not put into another."""
    answer = json_answer({"active": True, "aud": ["https://api.example.test"]})
    assert ACTIONS["aud_list"](answer, STAGE.scene("aud_list")) == answer


async def test_late_key_is_published_in_time(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A key that signs is published so many seconds after the fault was set; one that no longer signs is there."""
    (before,) = [key["kid"] for key in mock.keys.jwks()["keys"]]
    mock.keys.rotate()
    mock.fault("jwks", "late_publish", seconds=5)
    assert [key["kid"] for key in (await client.get("/jwks")).json()["keys"]] == [before]
    mock.clock.advance(5)
    assert (await client.get("/jwks")).json() == mock.keys.jwks()


async def test_key_set_never_changes(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Whoever fetches the keys once gets a name for them by which they never seem to change."""
    mock.fault("jwks", "etag_304")
    first = await client.get("/jwks")
    mock.keys.rotate(overlap=False)
    again = await client.get("/jwks", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)


@pytest.mark.parametrize("action", ["same_kid_new_key", "private_parts", "alg_mismatch"])
async def test_every_key_is_spoilt(mock: MockAS, client: httpx.AsyncClient, action: str) -> None:
    """What is wrong with keys is wrong with all of them, and each stays under its name."""
    mock.keys.signing("RS256")
    honest = {key["kid"]: key for key in mock.keys.jwks()["keys"]}
    mock.fault("jwks", action)
    spoilt = {key["kid"]: key for key in (await client.get("/jwks")).json()["keys"]}
    assert list(spoilt) == list(honest)
    assert all(spoilt[kid] != honest[kid] for kid in honest)


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
@pytest.mark.parametrize("action", ["status(503)", "html_error", "reset", "empty_body", "not_json"])
async def test_general_actions_spoil_every_endpoint(
    mock: MockAS, client: httpx.AsyncClient, endpoint: str, action: str
) -> None:
    """An action that is not about what an endpoint says can happen at any of them, and ends with the fault."""
    fault = mock.fault(endpoint, action)
    assert fault.plan.endpoint == endpoint
    assert mock.faults_left == (fault,)
    mock.clear_faults()
    assert (await client.get("/jwks")).status_code == 200


@pytest.mark.parametrize("action", ["alg_none", "10k_keys", "json_array", "deep_json", "duplicate_keys", "iss_other"])
def test_error_page_stays_an_error_page(action: str) -> None:
    """An action that changes a document leaves what is none as it is."""
    page = Answer(502, (("content-type", "text/html"),), b"<h1>Bad Gateway</h1>")
    assert ACTIONS[action](page, STAGE.scene(action)) == page


def test_private_parts_of_an_unknown_key() -> None:
    """A key that is not the server's has no private parts to publish."""
    answer = json_answer({"keys": [{"kty": "oct", "kid": "strange"}]})
    assert ACTIONS["private_parts"](answer, STAGE.scene("private_parts")) == answer


def test_status_says_whose_fault_it_is() -> None:
    """The error document of a status is one that fits it."""
    errors = [
        ACTIONS["status"](json_answer({}), STAGE.scene("status", str(code))).json()["error"] for code in (400, 500)
    ]
    assert errors == [oauth_error("invalid_request", "").json()["error"], "server_error"]


async def test_empty_is_the_set_at_jwks(mock: MockAS, client: httpx.AsyncClient) -> None:
    """`empty` is a set without keys where keys are asked for, and a connection without a byte elsewhere."""
    mock.fault("jwks", "empty")
    mock.fault("introspect", "empty")
    assert (await client.get(mock.url.jwks)).json() == {"keys": []}
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(mock.url.introspection)


@pytest.mark.parametrize("date", ["date", "HTTP-date", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_retry_after_a_date(mock: MockAS, client: httpx.AsyncClient, date: str) -> None:
    """Retry-After has a date, one to come or the one that was named: RFC 9110 section 10.2.3."""
    mock.fault("jwks", f"retry_after({date})")
    field = (await client.get(mock.url.jwks)).headers["retry-after"]
    assert parsedate_to_datetime(field).tzinfo is not None
    assert "," not in date or field == date


async def test_facts_by_themselves_or_together(mock: MockAS, introspect: Post) -> None:
    """What is asked of a request may be said fact by fact, or as one, as the control plane has it."""
    token = mock.token()
    mock.fault("introspect", 503, client_id="rs", match={"token": token})
    assert [(await introspect(value)).status_code for value in (token.value, "other")] == [503, 200]
    with pytest.raises(UsageError, match="did you mean 'client_id'"):
        mock.fault("introspect", 503, match={"clientid": "rs"})
