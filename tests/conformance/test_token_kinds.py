"""RFC 8725 §3.12: what the authorization server signs for another purpose is no access token, however good it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mock_as import MockAS
from tests.support.api import API
from tests.support.promises import assert_refused

pytestmark = [pytest.mark.anyio, pytest.mark.rfc("8725-3.12-a", "8725-3.11-a", "9068-4-a")]

Kind = dict[str, Any]
NO_ACCESS = {"scope": None, "client_id": None}
KINDS: dict[str, Callable[[MockAS], Kind]] = {
    "ID token": lambda _: {"header": {"typ": "JWT"}, "claims": {**NO_ACCESS, "nonce": "n", "at_hash": "h"}},
    "ID token with typ": lambda _: {"header": {"typ": "id_token+jwt"}, "claims": {"nonce": "n"}},
    "logout token": lambda _: {"header": {"typ": "logout+jwt"}, "claims": {"events": {"logout": {}}, "sid": "s"}},
    "introspection response": lambda mock_as: {
        "header": {"typ": "token-introspection+jwt"},
        "claims": {"token_introspection": {"active": True, "scope": "read", "aud": mock_as.options.audience}},
    },
    "client assertion": lambda _: {"header": {"typ": "JWT"}, "claims": {"iss": "svc", "sub": "svc", **NO_ACCESS}},
    "client assertion of the server's": lambda _: {"header": {"typ": "client-authentication+jwt"}},
    "DPoP proof": lambda mock_as: {
        "header": {"typ": "dpop+jwt", "jwk": mock_as.keys.signing().public()},
        "claims": {"htm": "GET", "htu": "https://api.example.test/things"},
    },
    "security event": lambda _: {"header": {"typ": "secevent+jwt"}, "claims": {"events": {"https://e.test": {}}}},
    "userinfo response": lambda _: {"header": {"typ": "JWT"}, "claims": {**NO_ACCESS, "email": "a@example.test"}},
    "request object": lambda _: {"header": {"typ": "oauth-authz-req+jwt"}, "claims": {"response_type": "code"}},
    "authorization response": lambda _: {"header": {"typ": "JWT"}, "claims": {"code": "c", "state": "s"}},
    "refresh token": lambda _: {"header": {"typ": "JWT"}, "claims": {"typ": "Refresh"}},
    "refresh token as at+jwt": lambda _: {"claims": {"typ": "Refresh"}},
    "no typ": lambda _: {"header": {"typ": None}},
    "entity statement": lambda _: {"header": {"typ": "entity-statement+jwt"}},
}


@pytest.mark.rfc("9701-8.1-a", "9449-11.5-a")
@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize("kind", KINDS)
async def test_no_access_token(kind: str, mock_as: MockAS) -> None:
    """RFC 8725 §3.12: validly signed, of the right issuer, for the right audience, and a 401: it is no access token."""
    api = API(mock_as, strategy="jwks")
    answer = await api.send(token=mock_as.token(**KINDS[kind](mock_as)))
    assert_refused(answer, 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize("kind", KINDS)
async def test_no_access_token_in_an_outage(kind: str, mock_as: MockAS) -> None:
    """The fallback is no way in either: in an outage these are as little an access token as ever."""
    api = API(mock_as)
    mock_as.fault("introspect", "timeout")
    assert (await api.send(token=mock_as.token())).json()["assurance"] == "local"
    answer = await api.send(token=mock_as.token(**KINDS[kind](mock_as)))
    assert_refused(answer, 401, "invalid_token")


@pytest.mark.attack("A-I-10")
@pytest.mark.parametrize(
    "members",
    [
        {"token_type": "refresh_token"},
        {"token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"token_use": "id"},
        {"token_use": "refresh_token"},
        {"typ": "Refresh"},
        {"typ": "ID"},
        {"typ": "Offline"},
        {"at_hash": "h"},
        {"events": {}},
        {"token_type": ["Bearer"]},
        {"token_type": 1},
    ],
)
async def test_active_and_no_access_token(members: Kind, api: API, mock_as: MockAS) -> None:
    """Some servers call every token of theirs active: what shows itself to be another kind is refused all the same."""
    answer = {"active": True, "aud": mock_as.options.audience, "scope": "read", **members}
    mock_as.fault("introspect", body=answer, times=1)
    assert_refused(await api.send(token=mock_as.token(format="opaque")), 401, "invalid_token")


@pytest.mark.rfc("7662-2.2-g", "9449-7.2-a", "8705-3-b", "8705-3.1-b")
@pytest.mark.attack("A-D-3")
@pytest.mark.parametrize(
    "members",
    [
        {"token_type": "DPoP"},
        {"cnf": {"jkt": "thumbprint"}},
        {"cnf": {"x5t#S256": "thumbprint"}},
        {"cnf": {"jwk": {}}},
        {"cnf": {}},
        {"cnf": "thumbprint"},
        {"cnf": None},
    ],
)
async def test_bound_token_as_bearer(members: Kind, mock_as: MockAS) -> None:
    """RFC 9449 §7.2: a token that is bound to a key or a certificate is no bearer token, whoever vouches for it."""
    api = API(mock_as)
    answer = {"active": True, "aud": mock_as.options.audience, "scope": "read", **members}
    mock_as.fault("introspect", body=answer)
    token = mock_as.token(format="opaque")
    for headers in ([], [(b"dpop", b"proof")]):
        assert_refused(await api.send(token=token, headers=headers), 401, "invalid_token")
    mock_as.clear_faults()
    if members.get("cnf"):
        local = API(mock_as, strategy="jwks")
        assert_refused(await local.send(token=mock_as.token(claims=members)), 401, "invalid_token")


@pytest.mark.attack("A-J-11")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "application/AT+jwt"])
async def test_spellings(typ: str, mock_as: MockAS) -> None:
    """RFC 9068 §4: a media type is compared without case, and with or without `application/`."""
    api = API(mock_as, strategy="jwks")
    assert (await api.send(token=mock_as.token(header={"typ": typ}))).status == 200


@pytest.mark.attack("A-J-11")
@pytest.mark.parametrize("typ", ["at+jwt; x=1", " at+jwt", "at+jwt ", "at+JWT\x00", "at jwt", "", ["at+jwt"], 1, {}])
async def test_near_spellings(typ: Any, mock_as: MockAS) -> None:
    """RFC 9068 §4: what only resembles the type is another one."""
    api = API(mock_as, strategy="jwks")
    assert_refused(await api.send(token=mock_as.token(header={"typ": typ})), 401, "invalid_token")
