"""RFC 9700, what attacks have taught: tokens that are bound to their sender, and fields that only a proxy may write."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from tests.support.api import API
from tests.support.asgi import RawHeaders, call
from tests.support.headers import parse_challenges
from tests.support.promises import PRESENTED, assert_keeps_secrets, assert_refused
from tests.support.vectors import example

pytestmark = pytest.mark.anyio

BASE = "https://api.example.test"
US = "127.0.0.1"
"""The address that requests come from."""
CERTIFICATE = example(8705)["certificate"].encode()
BOUND: dict[str, str] = example(8705)["confirmation"]
FIELD = b":" + CERTIFICATE + b":"


def api_of(mock_as: MockAS, **options: Any) -> API:
    """Make an API behind a proxy that passes certificates on, which takes every kind of token."""
    behind = {"certificate_header": "Client-Cert", "trusted_proxies": [US], "external_url": BASE}
    return API(mock_as, **(behind | {"dpop": "optional", "mtls": "optional"} | options))


@pytest.mark.rfc("9700-2.2.1-a", "8705-3-a")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_tokens_that_are_bound_to_their_sender(token_format: Any, mock_as: MockAS) -> None:
    """RFC 9700 §2.2.1: with a key or a certificate a token is good, and where it is demanded with nothing else."""
    api = api_of(mock_as, sender_constrained=True)
    key = mock_as.token(scope="read", token_type="DPoP", format=token_format)
    assert key.prover is not None
    for _ in range(2):
        proof = key.prover.proof("GET", f"{BASE}/things", token=key.value)
        PRESENTED.add(proof)
        headers: RawHeaders = [(b"dpop", proof.encode())]
        assert (await api.send(authorization=b"DPoP " + key.value.encode(), headers=headers)).status == 200
    certified = mock_as.token(scope="read", cnf=BOUND, format=token_format)
    for _ in range(2):
        assert (await api.send(token=certified, headers=[(b"client-cert", FIELD)])).status == 200
    entered = api.entered.total()
    for token in (key, certified, mock_as.token(scope="read", format=token_format)):
        answer = await api.send(token=token)
        assert answer.status == 401
        assert answer.json()["error"] == "invalid_token"
    assert api.entered.total() == entered


STRANGERS: list[RawHeaders] = [
    [(b"client-cert", FIELD)],
    [(b"Client-Cert", FIELD)],
    [(b"client_cert", FIELD)],
    [(b"x-ssl-client-cert", CERTIFICATE)],
    [(b"x-forwarded-client-cert", b'Cert="' + CERTIFICATE + b'"')],
    [(b"client-cert", FIELD), (b"x-forwarded-for", b"192.0.2.1"), (b"forwarded", b"for=192.0.2.1")],
    [(b"client-cert", FIELD), (b"x-real-ip", b"192.0.2.1"), (b"x-forwarded-for", b"192.0.2.1, 127.0.0.1")],
]


@pytest.mark.rfc("9700-4.13-a", "8705-6.5-a")
@pytest.mark.attack("A-D-10")
@pytest.mark.parametrize("headers", STRANGERS)
@pytest.mark.parametrize("name", ["Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert"])
async def test_a_certificate_that_a_client_has_written_itself(name: str, headers: RawHeaders, mock_as: MockAS) -> None:
    """RFC 9700 §4.13: who is no trusted proxy shows no certificate by a field, whatever else it says of itself."""
    api = api_of(mock_as, dpop="off", certificate_header=name, trusted_proxies=["192.0.2.0/24", "2001:db8::/32"])
    token = mock_as.token(scope="read", cnf=BOUND)
    for _ in range(2):
        assert_refused(await api.send(token=token, headers=headers), 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.rfc("9700-4.13-a")
@pytest.mark.attack("A-D-10")
@pytest.mark.parametrize(
    "headers",
    [
        [(b"client-cert", FIELD), (b"client-cert", FIELD)],
        [(b"client-cert", FIELD + b", " + FIELD)],
        [(b"client_cert", FIELD)],
        [(b"client-cert", FIELD), (b"client_cert", FIELD)],
        [(b"x-forwarded-client-cert", b'Cert="' + CERTIFICATE + b'"')],
    ],
    ids=["twice", "joined", "misspelt", "in two spellings", "another field"],
)
async def test_a_field_that_came_through_a_proxy(headers: RawHeaders, mock_as: MockAS) -> None:
    """RFC 9700 §4.13: of a trusted proxy too only its own field counts, where it stands alone."""
    api = api_of(mock_as, dpop="off")
    assert_refused(await api.send(token=mock_as.token(scope="read", cnf=BOUND), headers=headers), 401, "invalid_token")


@pytest.mark.attack("A-D-4")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_a_token_that_is_bound_twice(token_format: Any, mock_as: MockAS) -> None:
    """RFC 9449 §6, RFC 8705 §3: a token that is bound to a key and to a certificate is good with both, and no less."""
    api = api_of(mock_as)
    prover = mock_as.token(token_type="DPoP").prover
    assert prover is not None
    token = mock_as.token(scope="read", cnf={"jkt": prover.thumbprint, **BOUND}, format=token_format).value
    shown: RawHeaders = [(b"client-cert", FIELD)]
    for _ in range(2):
        proofs = [prover.proof("GET", f"{BASE}/things", token=token).encode() for _ in range(2)]
        PRESENTED.update(proof.decode() for proof in proofs)
        by_dpop = b"DPoP " + token.encode()
        assert (await api.send(authorization=by_dpop, headers=[*shown, (b"dpop", proofs[0])])).status == 200
        for scheme, headers in (
            (b"DPoP ", [(b"dpop", proofs[1])]),
            (b"DPoP ", shown),
            (b"Bearer ", [*shown, (b"dpop", proofs[1])]),
            (b"Bearer ", shown),
        ):
            fields = [*headers, (b"authorization", scheme + token.encode())]
            answer = await call(api.app, "GET", "/things", headers=fields)
            assert answer.status == 401
            first, *others = parse_challenges(answer.header("www-authenticate") or "")
            assert first.scheme == scheme.decode().strip().lower()
            assert first.params["error"] in {"invalid_token", "invalid_dpop_proof"}
            assert all("error" not in challenge.params for challenge in others)
            assert_keeps_secrets(repr(answer))
    assert api.entered.total() == 2
