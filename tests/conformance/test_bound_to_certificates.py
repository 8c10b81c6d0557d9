"""RFC 8705 as a client meets it: an API that sees certificates itself, or has a proxy in front that does."""

from __future__ import annotations

import ssl
from base64 import b64decode, urlsafe_b64decode
from typing import Any
from urllib.parse import quote

import pytest

from mock_as import MockAS
from tests.support.api import API
from tests.support.promises import assert_refused
from tests.support.vectors import example

pytestmark = pytest.mark.anyio

CERTIFICATE = b64decode(example(8705)["certificate"])
PEM = ssl.DER_cert_to_PEM_cert(CERTIFICATE)
THUMBPRINT: str = example(8705)["confirmation"]["x5t#S256"]
FIELD = b":" + example(8705)["certificate"].encode() + b":"
ESCAPED = quote(PEM, safe="").encode()
HUGE = 1_000_000


def api_of(mock_as: MockAS, **options: Any) -> API:
    """Make an API behind a proxy that passes certificates on."""
    behind = {"certificate_header": "Client-Cert", "trusted_proxies": ["127.0.0.0/8"], "mtls": "optional"}
    return API(mock_as, **(behind | options))


@pytest.mark.rfc("8705-3-a")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
@pytest.mark.parametrize("strategy", ["introspect", "jwks_then_introspect"])
async def test_the_certificate_of_the_standard(token_format: Any, strategy: Any, mock_as: MockAS) -> None:
    """RFC 8705 appendix A: a token is good with its certificate, hit or miss, and not without or with another."""
    api = api_of(mock_as, strategy=strategy)
    token = mock_as.token(scope="read", cnf={"x5t#S256": THUMBPRINT}, format=token_format)
    another = b":" + FIELD[1:-1].replace(b"MII", b"MIJ", 1) + b":"
    for _ in range(2):
        assert_refused(await api.send(token=token), 401, "invalid_token")
        assert_refused(await api.send(token=token, headers=[(b"client-cert", another)]), 401, "invalid_token")
        assert (await api.send(token=token, headers=[(b"client-cert", FIELD)])).status == 200


@pytest.mark.rfc("8705-3.1-a")
@pytest.mark.parametrize(
    "thumbprint",
    [
        f"{THUMBPRINT}=",
        THUMBPRINT.lower(),
        THUMBPRINT.upper(),
        THUMBPRINT[:-1],
        f" {THUMBPRINT}",
        f"{THUMBPRINT}\n",
        THUMBPRINT[:-1] + "1",  # the same bytes, by a decoder that forgives the bits that encode nothing
        urlsafe_b64decode(f"{THUMBPRINT}=").hex(),
        "",
        "é",
        [THUMBPRINT],
        {THUMBPRINT: True},
        None,
        0,
    ],
)
async def test_a_thumbprint_that_is_spelled_otherwise(thumbprint: object, mock_as: MockAS) -> None:
    """RFC 8705 §3.1: a thumbprint is base64url without padding, to the character; another binds to nothing we see."""
    api = api_of(mock_as)
    token = mock_as.token(scope="read", claims={"cnf": {"x5t#S256": thumbprint}})
    assert_refused(await api.send(token=token, headers=[(b"client-cert", FIELD)]), 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.rfc("8705-3-b", "8705-3.1-b")
@pytest.mark.parametrize(
    ("mtls", "confirmation"),
    [
        ("off", {"x5t#S256": THUMBPRINT}),
        ("optional", {"x5t#S256": THUMBPRINT, "kid": "a key"}),
        ("optional", {"x5t": THUMBPRINT}),
        ("optional", {"X5T#S256": THUMBPRINT}),
        ("optional", {"jwk": {"kty": "EC"}}),
        ("optional", {}),
    ],
)
async def test_what_nobody_judges(mtls: str, confirmation: dict[str, Any], mock_as: MockAS) -> None:
    """RFC 8705 §3: a token that is bound to what nobody looks at, or understands, is refused whatever is shown."""
    api = api_of(mock_as, mtls=mtls)
    token = mock_as.token(scope="read", claims={"cnf": confirmation})
    assert_refused(await api.send(token=token, headers=[(b"client-cert", FIELD)]), 401, "invalid_token")


@pytest.mark.rfc("8705-7.5-a")
@pytest.mark.parametrize("name", ["Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert"])
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"::",
        b":*:",
        FIELD[:-1],
        FIELD[:40] + b":",
        PEM.replace("\n", " ").encode()[:80],
        ESCAPED[:100],
        ESCAPED * 2,
        b"%",
        b"%zz",
        b'Cert="' + ESCAPED[:100],
        b'Cert="' + ESCAPED + b'",Cert="' + ESCAPED + b'"',
        b"Hash=00",
        b"\xff" * 100,
        b":" + b"A" * HUGE + b":",
        b"%2D" * (HUGE // 3),
        b'Cert="' * (HUGE // 6),
    ],
    ids=range(17),
)
async def test_a_field_that_holds_no_certificate(name: str, value: bytes, mock_as: MockAS) -> None:
    """RFC 8705 §7.5: whatever comes in the place of a certificate, the answer is a refusal, and no accident."""
    api = api_of(mock_as, certificate_header=name)
    token = mock_as.token(scope="read", cnf={"x5t#S256": THUMBPRINT})
    headers = [(name.lower().encode(), value)]
    assert_refused(await api.send(token=token, headers=headers), 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.rfc("8705-3-a")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Client-Cert", FIELD),
        ("X-SSL-Client-Cert", ESCAPED),
        ("X-Forwarded-Client-Cert", b'By=spiffe://a/b;Cert="' + ESCAPED + b'"'),
    ],
)
async def test_the_fields_of_proxies(name: str, value: bytes, mock_as: MockAS) -> None:
    """RFC 9440, Envoy and nginx: each passes the certificate on in its own way, and the token is good with it."""
    api = api_of(mock_as, certificate_header=name)
    token = mock_as.token(scope="read", cnf={"x5t#S256": THUMBPRINT})
    assert (await api.send(token=token, headers=[(name.lower().encode(), value)])).status == 200
