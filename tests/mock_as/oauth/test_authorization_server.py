"""The honest server: whatever comes, it answers, and its answers are those of the RFCs.

References: RFC 6749 section 5.2
"""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_as import MockAS
from mock_as.clients import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from mock_as.granted import Granted
from mock_as.messages import Form, Request
from mock_as.oauth.authorization_server import HonestServer
from mock_as.oauth.grants.issue import issue
from tests.mock_as.asking import ASSERTION_TYPE, assertion

TEXT = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
MOCK = MockAS(password_grant=True)
SERVER = HonestServer(MOCK)
GRANTS = (
    "client_credentials", "authorization_code", "refresh_token", "password", DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE,
)  # fmt: skip
TOKENS = [
    MOCK.token().value,
    MOCK.token(format="opaque").value,
    issue(MOCK, Granted(client_id="web", grant_type="password", sub="alice"), refresh=True)["refresh_token"],
]
NAMES = (
    "grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "assertion", "code",
    "redirect_uri", "code_verifier", "refresh_token", "device_code", "username", "password", "scope", "resource",
    "audience", "authorization_details", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
    "requested_token_type", "token", "token_type_hint",
)  # fmt: skip
VALUES = st.sampled_from(
    [
        *GRANTS,
        *TOKENS,
        *MOCK.clients,
        *(f"{client_id}-secret" for client_id in MOCK.clients),
        ASSERTION_TYPE,
        assertion(MOCK),
        "alice",
        "alice-password",
        "read",
        "https://a.test",
        "[{}]",
        "urn:ietf:params:oauth:token-type:access_token",
    ]
)
FORMS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES | st.text()), max_size=8)
BASIC = st.sampled_from(["svc:svc-secret", "web:web-secret", "rs:rs-secret", "svc:wrong", ":"]).map(
    lambda text: ("authorization", f"Basic {base64.b64encode(text.encode()).decode()}")
)
HEADERS = st.lists(
    BASIC | st.tuples(st.sampled_from(["authorization", "dpop", "client-cert"]), VALUES | st.text()), max_size=2
)


@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
@given(
    headers=HEADERS,
    form=FORMS,
    grant=st.none() | st.tuples(st.just("grant_type"), st.sampled_from(GRANTS)).map(lambda pair: (pair,)),
)
def test_whatever_comes(endpoint: str, headers: list[tuple[str, str]], form: list[Any], grant: Any) -> None:
    """Every request is answered, a refusal with an error that is one."""
    request = Request("POST", f"/{endpoint}", tuple(headers), Form((*(grant or ()), *form)))
    answer = getattr(SERVER, endpoint)(request)
    assert answer.status in {200, 400, 401}
    assert dict(answer.headers)["cache-control"] == "no-store"
    if answer.status != 200:
        document = answer.json()
        assert set(document) <= {"error", "error_description"}
        assert document["error"].replace("_", "").isalpha()
        assert TEXT.fullmatch(document.get("error_description", "none"))
