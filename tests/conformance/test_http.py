"""RFC 9110, 9111 and 9457: the answers of a protected API as HTTP sees them."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS, Token
from tests.support.answer import Answer
from tests.support.api import API
from tests.support.headers import parse_challenges
from tests.support.instance import instance_in
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


async def refusals(api: API, mock_as: MockAS, **sent: Any) -> list[Answer]:
    """Provoke one refusal of each kind: no token, a malformed request, a bad token, too little scope."""
    tokens: list[Token | str | None] = [None, "a b", mock_as.token(defect="bad_signature"), mock_as.token(scope=None)]
    return [await api.send(token=token, **sent) for token in tokens]


@pytest.mark.rfc("9110-11.6.1-a", "9110-11.4-a")
@pytest.mark.parametrize("method", METHODS)
async def test_every_method(method: str, api: API, mock_as: MockAS) -> None:
    """RFC 9110 §11.6.1: refusals have the same status and challenge for every method, and no body for HEAD."""
    answers = await refusals(api, mock_as, method=method)
    expected = [(401, None), (400, "invalid_request"), (401, "invalid_token"), (403, "insufficient_scope")]
    for answer, (status, error) in zip(answers, expected, strict=True):
        scope = "read" if error in {None, "insufficient_scope"} else None
        assert_refused(answer, status, error, scope=scope)
        assert bool(answer.body) == (method != "HEAD")
    assert api.entered.total() == 0


@pytest.mark.rfc("9110-11.2-a", "9110-11.5-a", "9110-11.6.1-b", "6750-3-c")
async def test_one_challenge(api: API, mock_as: MockAS) -> None:
    """RFC 9110 §11.6.1: there is one WWW-Authenticate field with one challenge, and no parameter in it stands twice."""
    for answer in await refusals(api, mock_as):
        [value] = answer.all("www-authenticate")
        [challenge] = parse_challenges(value)
        assert (challenge.scheme, challenge.token68) == ("bearer", None)


@pytest.mark.rfc("9111-5.2.2.7-a", "9111-3.5-a")
async def test_refusals_are_not_stored(mock_as: MockAS) -> None:
    """RFC 9111 §5.2.2.5: no refusal and no 503 may be stored by anybody."""
    api = API(mock_as, unavailable_status=503)
    answers = await refusals(api, mock_as)
    mock_as.fault("introspect", status=500, times=1)
    outage = await api.send(token=mock_as.token(format="opaque"))
    assert_unavailable(outage)
    for answer in [*answers, outage]:
        assert answer.all("cache-control") == ["no-store"]


@pytest.mark.rfc("9111-3.5-a")
async def test_successes_are_left_alone(api: API, mock_as: MockAS) -> None:
    """RFC 9111 §3.5: an answer to a request with Authorization is shared only if it says so; the library never does."""
    answer = await api.send(token=mock_as.token())
    assert answer.status == 200
    assert {name for name, _ in answer.headers} == {"content-length", "content-type"}


@pytest.mark.rfc("9110-12.5.5-a")
async def test_vary(mock_as: MockAS) -> None:
    """RFC 9110 §12.5.5: what selects the form of an answer is named in Vary; what does not is not."""
    for answer in await refusals(API(mock_as), mock_as):
        assert answer.all("vary") == ["Accept"]
    for answer in await refusals(API(mock_as, error_format="problem"), mock_as):
        assert answer.all("vary") == []


@pytest.mark.rfc("9457-3-a", "9457-3-b", "9457-x-a")
@pytest.mark.parametrize("accept", [b"application/problem+json", b"application/json"])
async def test_body_agrees(accept: bytes, api: API, mock_as: MockAS) -> None:
    """RFC 9457 §3: the body says what status line and challenge say: status, title, error, description and scope."""
    for answer in await refusals(api, mock_as, headers=[(b"accept", accept)]):
        [challenge] = parse_challenges(answer.header("www-authenticate") or "")
        body = answer.json()
        assert answer.header("content-type") == accept.decode()
        assert body.get("error") == challenge.params.get("error")
        if "error" in challenge.params:
            assert body.get("scope") == challenge.params.get("scope")
            text = body["detail"] if "detail" in body else body["error_description"]
            assert text == challenge.params["error_description"]
        if accept == b"application/problem+json":
            assert (body["type"], body["status"]) == ("about:blank", answer.status)


@pytest.mark.rfc("9457-4-a")
@pytest.mark.attack("A-H-2", "A-H-4")
@pytest.mark.parametrize("path", ["/things", "/both"])
async def test_body_tells_nothing(path: str, api: API, mock_as: MockAS) -> None:
    """RFC 9457 §4: no answer holds an exception's text, a claim, a key id, the request's URL or the server's."""
    secrets = [
        "subject-of-nobody",
        mock_as.issuer,
        mock_as.keys.signing().kid,
        "as.example.test",
        "Traceback",
        "joserfc",
    ]
    tokens = [
        mock_as.token(sub="subject-of-nobody", defect=defect, scope=None)
        for defect in (None, "expired", "bad_signature", "wrong_iss", "wrong_aud", "payload_not_json", "unknown_kid")
    ]
    for token in tokens:
        answer = await api.send(path=path, token=token, query=b"access_token=query-secret&x=query-secret")
        text = answer.body.decode() + repr(answer.headers)
        assert [secret for secret in [*secrets, "query-secret", path] if secret in text] == []


@pytest.mark.attack("A-H-3")
async def test_no_oracle(api: API, mock_as: MockAS) -> None:
    """All that is wrong with a token looks the same from outside: what it is stands in the log."""
    defects = ["expired", "bad_signature", "wrong_iss", "wrong_aud", "unknown_kid", "alg_none", "id_token", "two_parts"]
    revoked = mock_as.token()
    mock_as.revoke(revoked)
    tokens: list[Token | str] = [mock_as.token(defect=defect) for defect in defects]
    tokens += [revoked, mock_as.token(known=False), "unknown", "no*token", "x" * 20_000]
    answers = [await api.send(token=token) for token in tokens]
    assert len({instance_in(answer.body) for answer in answers}) == len(answers)
    assert len({answer.unnamed() for answer in answers}) == 1
    mock_as.fault("introspect", status=500, times=1)
    assert (await api.send(token=mock_as.token(format="opaque"))).unnamed() == answers[0].unnamed()


@pytest.mark.rfc("9110-5.5-b", "9110-5.5-c")
async def test_blanks_around_the_value(api: API, mock_as: MockAS) -> None:
    """RFC 9110 §5.5: blanks around a field's value do not belong to it, though some servers leave them there."""
    token = mock_as.token().value.encode()
    for value in (b"Bearer " + token + b"   ", b"  Bearer " + token, b"Bearer " + token + b" \t "):
        assert (await api.send(authorization=value)).status == 200
    assert api.introspections == 1


@pytest.mark.rfc("9110-11.6.1-b")
async def test_order_of_judgement(api: API, mock_as: MockAS) -> None:
    """A path that does not exist is a 404 for everybody, and a method that does not exist a 405: nobody is asked."""
    for token in (None, mock_as.token(), "unknown"):
        assert (await api.send(path="/nowhere", token=token)).status == 404
        assert (await api.send("PUT", path="/both", token=token)).status == 405
    assert api.asked == 0


@pytest.mark.rfc("9700-2.3-a", "9700-2.3-b")
async def test_every_request_is_judged(api: API, mock_as: MockAS) -> None:
    """RFC 9700 §2.3: audience and scope are judged on every request, whatever was remembered of the token before."""
    reader, other = mock_as.token(scope="read"), mock_as.token(defect="wrong_aud")
    for _ in range(2):
        assert (await api.send(path="/things", token=reader)).status == 200
        assert_refused(await api.send(path="/both", token=reader), 403, "insufficient_scope", scope="read write")
        assert_refused(await api.send(path="/things", token=other), 401, "invalid_token")
    assert api.introspections == 2


@pytest.mark.rfc("9700-2.3-a")
@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks"])
async def test_exp_ends_a_hit(strategy: str, mock_as: MockAS) -> None:
    """RFC 7662 §4: a remembered token is refused from the very moment at which it expires, outage or not."""
    api = API(mock_as, strategy=strategy, cache_ttl=3600, stale_if_error=3600)
    mock_as.clock.freeze(1_700_000_000)
    token = mock_as.token(expires_in=30)
    assert (await api.send(token=token)).status == 200
    mock_as.clock.advance(29)
    assert (await api.send(token=token)).status == 200
    mock_as.clock.advance(1)
    mock_as.fault("*", status=500)
    assert_refused(await api.send(token=token), 401, "invalid_token")
    mock_as.clear_faults()


@pytest.mark.attack("A-H-4", "A-F-7")
@pytest.mark.parametrize("host", [b"evil.example", b"", b"api.example.test:99999", b'a"b'])
async def test_host_has_no_say(host: bytes, api: API, mock_as: MockAS) -> None:
    """The Host field is the caller's: no decision and no byte of an answer depends on it."""
    usual = await refusals(api, mock_as)
    forwarded = [(b"host", host), (b"x-forwarded-host", host), (b"x-forwarded-proto", b"https"), (b"forwarded", host)]
    odd = await refusals(api, mock_as, headers=forwarded)
    assert [answer.unnamed() for answer in odd] == [answer.unnamed() for answer in usual]
