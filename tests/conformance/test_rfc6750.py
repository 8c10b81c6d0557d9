"""RFC 6750, bearer token usage, as a client meets it over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from mock_as.tokens.defects import DEFECTS
from tests.support.api import API
from tests.support.headers import parse_challenges
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

EDGE_TOKENS = ["Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "a+/==", "x", "y=", "-._~+/"]


@pytest.mark.rfc("6750-2.1-a")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_authorization_header(token_format: Any, api: API, mock_as: MockAS) -> None:
    """RFC 6750 §2.1: a token in the Authorization field is accepted, whatever its format."""
    answer = await api.send(token=mock_as.token(sub="alice", scope="read write", format=token_format))
    expected = {"subject": "alice", "assurance": "introspected", "scopes": ["read", "write"]}
    assert (answer.status, answer.json()) == (200, expected)


@pytest.mark.rfc("6750-2.1-b")
@pytest.mark.parametrize("scheme", [b"bearer ", b"BEARER ", b"bEaReR ", b"Bearer  ", b"Bearer    "])
async def test_scheme_without_case(scheme: bytes, api: API, mock_as: MockAS) -> None:
    """RFC 9110 §11.1: the scheme is compared without case, and one or more spaces follow it."""
    value = scheme + mock_as.token().value.encode()
    assert (await api.send(authorization=value)).status == 200


@pytest.mark.rfc("6750-2.1-b")
@pytest.mark.parametrize("blank", [b"\t", b"", b" \t"])
async def test_scheme_with_another_blank(blank: bytes, api: API, mock_as: MockAS) -> None:
    """RFC 9110 §11.4: what follows the scheme without a space is no token, and nobody is asked about it."""
    answer = await api.send(authorization=b"Bearer" + blank + mock_as.token().value.encode())
    assert answer.status in {400, 401}
    assert api.introspections == 0


@pytest.mark.rfc("6750-2.1-d")
@pytest.mark.parametrize("token", EDGE_TOKENS)
async def test_edge_tokens(token: str, api: API, mock_as: MockAS) -> None:
    """RFC 6750 §2.1: every b64token is asked about to the letter, and accepted if it is active."""
    mock_as.fault("introspect", body={"active": True, "aud": mock_as.options.audience, "scope": "read"}, times=1)
    assert (await api.send(authorization=b"Bearer " + token.encode())).status == 200
    assert mock_as.requests("introspect").last.form["token"] == token


@pytest.mark.rfc("6750-2.1-c")
@pytest.mark.attack("A-R-8")
@pytest.mark.parametrize(
    ("token", "status"),
    [
        (b"", 400),
        (b" ", 400),
        (b"a b", 400),
        (b"a,b", 400),
        (b"a;b", 401),
        (b'"a"', 401),
        (b"=", 401),
        (b"a=b", 401),
        (b"\xe9", 401),
        (b"\xc3\xa9", 401),
        (b"a\x00b", 401),
        (b"a\x7fb", 401),
        (b'{"payload":"x"}', 401),
        (b"a%20b", 401),
    ],
)
async def test_not_a_token(token: bytes, status: int, api: API) -> None:
    """RFC 6750 §2.1: what cannot be a token is refused unasked: 400 for the field's structure, 401 for characters."""
    answer = await api.send(authorization=b"Bearer " + token)
    assert_refused(answer, status, "invalid_request" if status == 400 else "invalid_token")
    assert (api.asked, api.entered.total()) == (0, 0)


@pytest.mark.rfc("6750-2-b", "9110-11.6.2-a")
@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize("name", [b"authorization", b"Authorization", b"AUTHORIZATION"])
async def test_two_authorization_fields(name: bytes, api: API, mock_as: MockAS) -> None:
    """RFC 9110 §11.6.2: Authorization stands once; two of them are a 400, be they the same, and whatever they say."""
    token = mock_as.token()
    good = b"Bearer " + token.value.encode()
    for other in (good, b"Bearer other-token", b"Basic cnM6cnM=", b""):
        lowered = (name.lower(), other)  # a server hands names on in lower case
        answer = await api.send(token=token, headers=[lowered])
        assert_refused(answer, 400, "invalid_request")
    assert (api.asked, api.entered.total()) == (0, 0)


@pytest.mark.rfc("6750-3-a", "6750-3-b", "6750-3.1-d", "9110-11.6.1-a")
@pytest.mark.parametrize(
    "authorization", [None, b"", b" ", b"Basic cnM6cnM=", b"Negotiate abc", b"Digest a=b, c=d", b"DPoP abc", b"Bear x"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_no_bearer_token(method: str, authorization: bytes | None, api: API) -> None:
    """RFC 6750 §3.1: no token, or another scheme, is a 401 whose challenge has a parameter and no error information."""
    answer = await api.send(method, authorization=authorization)
    params = assert_refused(answer, 401, scope="read")
    assert params == {"realm": "api", "scope": "read"}
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert answer.json()["detail"] == "An access token is needed"
    assert (api.asked, api.entered.total()) == (0, 0)


# Right as they are, or wrong in a way that only one of the strategies can see.
OTHERS = {"exp_float", "far_future", "no_scope", "scope_list", "scp", "iat_future", "not_yet_valid", "no_exp", "no_kid"}
# No tokens at all: the syntax of RFC 6750 section 2.1 has no place for them.
NO_TOKENS = {"empty", "whitespace"}


@pytest.mark.rfc("6750-3-g", "6750-3.1-b", "9068-4-f")
@pytest.mark.parametrize("strategy", ["introspect_then_jwks", "jwks"])
@pytest.mark.parametrize("defect", sorted(DEFECTS.keys() - OTHERS - NO_TOKENS))
async def test_invalid_token(defect: str, strategy: str, mock_as: MockAS) -> None:
    """RFC 6750 §3.1: a token that is wrong in any way is a 401 `invalid_token`: never a 400, a 403 or a 500."""
    api = API(mock_as, strategy=strategy)
    answer = await api.send(token=mock_as.token(defect=defect))
    assert_refused(answer, 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.parametrize("defect", sorted(NO_TOKENS))
async def test_no_token_at_all(defect: str, api: API, mock_as: MockAS) -> None:
    """RFC 6750 §3.1: credentials that hold no token are a malformed request, about which nobody is asked."""
    assert_refused(await api.send(token=mock_as.token(defect=defect)), 400, "invalid_request")
    assert (api.asked, api.entered.total()) == (0, 0)


@pytest.mark.rfc("6750-3.1-b")
@pytest.mark.parametrize("defect", ["iat_future", "not_yet_valid", "no_exp"])
async def test_invalid_token_by_itself(defect: str, mock_as: MockAS) -> None:
    """RFC 9068 §4: a token that nobody is asked about is held to its own times, and needs all of its claims."""
    api = API(mock_as, strategy="jwks")
    assert_refused(await api.send(token=mock_as.token(defect=defect)), 401, "invalid_token")


@pytest.mark.attack("A-J-7")
async def test_token_without_a_key_id(mock_as: MockAS) -> None:
    """RFC 7515 §4.1.4: a key id is a hint; where few keys fit a token without one is verified with those."""
    api = API(mock_as, strategy="jwks")
    assert (await api.send(token=mock_as.token(defect="no_kid"))).status == 200
    unsigned = mock_as.token(defect="no_kid", key="unpublished")
    assert_refused(await api.send(token=unsigned), 401, "invalid_token")


@pytest.mark.rfc("6750-3.1-b")
async def test_revoked(api: API, mock_as: MockAS) -> None:
    """RFC 6750 §3.1: a revoked token is a 401 from the moment on when the cache may no longer answer for it."""
    token = mock_as.token()
    assert (await api.send(token=token)).status == 200
    mock_as.revoke(token)
    mock_as.clock.advance(61)
    assert_refused(await api.send(token=token), 401, "invalid_token")


@pytest.mark.rfc("6750-3.1-c", "9110-11.4-a", "mcp-3")
@pytest.mark.parametrize("scope", [None, "write", "read", "READ WRITE", "read:write", "reader writer"])
async def test_insufficient_scope(scope: str | None, api: API, mock_as: MockAS) -> None:
    """RFC 6750 §3.1: a good token that grants too little is a 403, and the challenge names all that the route needs."""
    answer = await api.send(path="/both", token=mock_as.token(scope=scope))
    params = assert_refused(answer, 403, "insufficient_scope", scope="read write")
    assert params["scope"] == answer.json()["scope"] == "read write"
    assert api.entered.total() == 0


@pytest.mark.rfc("6750-3.1-e")
@pytest.mark.parametrize("defect", ["expired", "bad_signature", "wrong_aud"])
async def test_authentication_before_scope(defect: str, api: API, mock_as: MockAS) -> None:
    """RFC 6750 §3.1: a bad token that also lacks the scope is a 401; what it says it grants is nobody's business."""
    answer = await api.send(path="/both", token=mock_as.token(defect=defect, scope="other"))
    assert_refused(answer, 401, "invalid_token")


@pytest.mark.rfc("6750-3-e", "9110-5.5-a")
@pytest.mark.parametrize("text", ['"', "\\", "é", "→", "\r\nX-Injected: 1", "\x00", '"\r\n\r\n<script>'])
async def test_foreign_text_stays_out(text: str, mock_as: MockAS) -> None:
    """RFC 6750 §3: whatever the authorization server or a token says, the challenge is ours alone."""
    api = API(mock_as, verbose_errors=True)
    mock_as.fault("introspect", status=400, body={"error": text, "error_description": text, "active": text}, times=1)
    refused = await api.send(token=mock_as.token(format="opaque"))
    assert_refused(refused, 401, "invalid_token")
    api = API(mock_as, strategy="jwks", verbose_errors=True)
    for crafted in (mock_as.token(header={"kid": text}), mock_as.token(header={"typ": text}), mock_as.token(aud=text)):
        refused = await api.send(token=crafted)
        assert_refused(refused, 401, "invalid_token")
        for name, value in refused.headers:
            assert text not in name
            assert text not in value or text in {'"', "\\"}


@pytest.mark.rfc("6750-3-b")
@pytest.mark.parametrize("realm", ["api", "orders & more", 'a "quoted" \\ realm', ""])
async def test_realm(realm: str, mock_as: MockAS) -> None:
    """RFC 9110 §11.5: the realm is sent as a quoted-string, whatever it has in it, and always there."""
    api = API(mock_as, realm=realm)
    answer = await api.send()
    [challenge] = answer.all("www-authenticate")
    assert parse_challenges(challenge)[0].params["realm"] == realm


@pytest.mark.rfc("6750-5.3-a")
async def test_no_cookie(api: API, mock_as: MockAS) -> None:
    """RFC 6750 §5.3: no answer sets a cookie, and no cookie is a token."""
    token = mock_as.token()
    cookie = [(b"cookie", b"access_token=" + token.value.encode())]
    for answer in (await api.send(token=token), await api.send(), await api.send(headers=cookie)):
        assert answer.header("set-cookie") is None
    assert api.entered.total() == 1


@pytest.mark.rfc("6750-3-c")
async def test_public_route(api: API, mock_as: MockAS) -> None:
    """A public route challenges nobody, with whatever token it is called."""
    for token in (None, mock_as.token(), mock_as.token(defect="expired"), "x"):
        answer = await api.send(path="/public", token=token)
        assert (answer.status, answer.all("www-authenticate")) == (200, [])
    assert api.asked == 0
