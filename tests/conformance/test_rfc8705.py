"""RFC 8705 as a client meets it: an API, its authorization server, and tokens that are bound to a certificate."""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import WebSocket

from mock_as import MockAS, Token
from resource_server.events import RequestRefused
from resource_server.fastapi import require
from tests.support.api import API
from tests.support.asgi import RawHeaders, call, handshake
from tests.support.headers import parse_challenges
from tests.support.jwt import thumbprint
from tests.support.promises import PRESENTED, assert_keeps_secrets, assert_refused
from tests.support.proofs import BASE, client_key, proof
from tests.support.vectors import example

pytestmark = pytest.mark.anyio

DER = b64decode(example(8705)["certificate"])
OURS = ssl.DER_cert_to_PEM_cert(DER)
"""The client's certificate: that of appendix A."""
X5T = str(example(8705)["confirmation"]["x5t#S256"])
THEIRS = MockAS().client_key("svc.mtls").certificate_pem
"""Somebody else's."""
PROXY = "10.0.0.1"
HEADERS = ("Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert")


def api_of(mock_as: MockAS, **options: Any) -> API:
    """Make an API that looks at certificates."""
    return API(mock_as, **({"mtls": "optional"} | options))


def bound(mock_as: MockAS, cnf: Any = None, **facts: Any) -> Token:
    """Mint a token that is bound to our certificate, or to what is said."""
    said: dict[str, Any] = {"sub": "alice", "scope": "read"}
    return mock_as.token(cnf={"x5t#S256": X5T} if cnf is None else cnf, **(said | facts))


def reasons(api: API) -> list[str | None]:
    """Return why requests were refused."""
    return [event.reason for event in api.events if isinstance(event, RequestRefused)]


@pytest.mark.rfc("8705-3-a")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
@pytest.mark.parametrize("mtls", ["optional", "required"])
async def test_the_certificate_of_the_connection(token_format: Any, mtls: str, mock_as: MockAS) -> None:
    """RFC 8705 §3: a bound token is good with the certificate it is bound to, and with no other, and not without."""
    api, token = api_of(mock_as, mtls=mtls), bound(mock_as, format=token_format)
    assert (await api.send(token=token, certificate=OURS)).status == 200
    assert_refused(await api.send(token=token, certificate=THEIRS), 401, "invalid_token")
    assert_refused(await api.send(token=token), 401, "invalid_token")
    assert reasons(api) == ["binding_mismatch"] * 2
    assert api.entered.total() == 1


@pytest.mark.rfc("8705-3-a", "8705-3-b")
@pytest.mark.parametrize("strategy", ["jwks", "introspect", "introspect_then_jwks", "jwks_then_introspect"])
async def test_every_way_to_validate(strategy: str, mock_as: MockAS) -> None:
    """RFC 8705 §3.2: the certificate is the one that the JWT or its introspection names, whichever is asked."""
    api, off, token = api_of(mock_as, strategy=strategy), API(mock_as, strategy=strategy), bound(mock_as)
    assert (await api.send(token=token, certificate=OURS)).status == 200
    for other, certificate in ((api, THEIRS), (api, None), (off, OURS), (off, None)):
        assert_refused(await other.send(token=token, certificate=certificate), 401, "invalid_token")


@pytest.mark.rfc("8705-3-a")
async def test_in_an_outage(mock_as: MockAS) -> None:
    """RFC 8705 §3: in an outage a bound token is as little a bearer token as ever."""
    api, token = api_of(mock_as), bound(mock_as)
    mock_as.fault("introspect", "timeout")
    answer = await api.send(token=token, certificate=OURS)
    assert (answer.status, answer.json()["assurance"]) == (200, "local")
    assert_refused(await api.send(token=token), 401, "invalid_token")


@pytest.mark.rfc("8705-3-a")
async def test_a_token_as_it_is_issued(mock_as: MockAS) -> None:
    """RFC 8705 §3: what the client gets with its certificate at the token endpoint is good with that certificate."""
    form = {"grant_type": "client_credentials", "client_id": "svc.mtls", "scope": "read"}
    shown = {"client-cert": f":{b64encode(ssl.PEM_cert_to_DER_cert(THEIRS)).decode()}:"}
    async with httpx.AsyncClient(transport=mock_as.transport()) as client:
        issued = (await client.post(f"{mock_as.issuer}/token", data=form, headers=shown)).raise_for_status().json()
    api = api_of(mock_as)
    assert (await api.send(token=issued["access_token"], certificate=THEIRS)).status == 200
    assert_refused(await api.send(token=issued["access_token"], certificate=OURS), 401, "invalid_token")


@pytest.mark.rfc("8705-3-b")
@pytest.mark.parametrize("certificate", [None, OURS])
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_where_nobody_looks_at_certificates(token_format: Any, certificate: str | None, mock_as: MockAS) -> None:
    """RFC 8705 §3: unless certificates are looked at, a bound token is refused, with its certificate and without."""
    api, token = API(mock_as), bound(mock_as, format=token_format)
    assert_refused(await api.send(token=token, certificate=certificate), 401, "invalid_token")
    assert (await api.send(token=mock_as.token(scope="read"), certificate=certificate)).status == 200


@pytest.mark.rfc("8705-3-a")
@pytest.mark.parametrize("option", [{"mtls": "required"}, {"sender_constrained": True}], ids=["mtls", "any"])
async def test_a_token_that_is_bound_to_nothing(option: dict[str, Any], mock_as: MockAS) -> None:
    """Where tokens must be bound, a bearer token is refused, whatever certificate comes with it."""
    api, plain = api_of(mock_as, **option), mock_as.token(scope="read")
    assert_refused(await api.send(token=plain, certificate=OURS), 401, "invalid_token")
    assert reasons(api) == ["not_bound"]
    assert (await api.send(token=bound(mock_as), certificate=OURS)).status == 200
    assert (await api_of(mock_as).send(token=plain, certificate=OURS)).status == 200


async def test_routes_of_their_own(mock_as: MockAS) -> None:
    """A route says for itself whether tokens must be bound, may be or are of no use, whatever its server does."""
    api = api_of(mock_as)

    @api.app.get("/strict", dependencies=[require("read", mtls="required")])
    async def strict() -> str:
        return "strict"

    @api.app.get("/plain", dependencies=[require("read", mtls="off")])
    async def plain() -> str:
        return "plain"

    for path, tied, loose in (("/strict", 200, 401), ("/plain", 401, 200)):
        assert (await api.send(path=path, token=bound(mock_as), certificate=OURS)).status == tied
        assert (await api.send(path=path, token=mock_as.token(scope="read"), certificate=OURS)).status == loose


@pytest.mark.rfc("8705-3-a")
async def test_websocket(mock_as: MockAS) -> None:
    """RFC 8705 §3: a handshake is a request like any other."""
    api, token = behind(mock_as, "Client-Cert", "127.0.0.1"), bound(mock_as).value

    @api.app.websocket("/feed", dependencies=[require("read")])
    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()

    assert (await handshake(api.app, "/feed", token=token, headers=[(b"client-cert", _client_cert(OURS))])).accepted
    refused = await handshake(api.app, "/feed", token=token, headers=[(b"client-cert", _client_cert(THEIRS))])
    assert refused.answer is not None
    assert_refused(refused.answer, 401, "invalid_token")


@pytest.mark.rfc("8705-3.1-a")
@pytest.mark.parametrize(
    "written",
    [
        f"{X5T}=",
        f"{X5T} ",
        X5T.swapcase(),
        f"{X5T}\n",
        X5T[:-1],
        f"{X5T[:-1]}1",  # the same bytes, by a decoder that forgives the bits that encode nothing
        "",
        sha256(DER).hexdigest(),
        b64encode(sha256(DER).digest()).decode(),
        urlsafe_b64encode(sha1(DER).digest()).decode(),  # noqa: S324 - what x5t has
        "\N{LATIN SMALL LETTER E WITH ACUTE}" * 43,
    ],
)
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_the_thumbprint_to_the_letter(token_format: Any, written: str, mock_as: MockAS) -> None:
    """RFC 8705 §3.1: a thumbprint is base64url without padding of the SHA-256 digest; nothing else is equal to it."""
    token = bound(mock_as, {"x5t#S256": written}, format=token_format)
    assert_refused(await api_of(mock_as).send(token=token, certificate=OURS), 401, "invalid_token")


@pytest.mark.rfc("8705-3.1-b")
@pytest.mark.parametrize(
    "cnf",
    [
        {"kid": "x"},
        {"jwk": {"kty": "EC"}},
        {"x5t": X5T},
        {"X5T#S256": X5T},
        {"x5t#S256": X5T, "kid": "x"},
        {"x5t#S256": [X5T]},
        {"x5t#S256": None},
        {"x5t#S256": 1},
        {},
    ],
)
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_what_is_not_understood(token_format: Any, cnf: Any, mock_as: MockAS) -> None:
    """RFC 8705 §3.1: a token that is bound in a way nobody knows is refused, also beside one that is known."""
    token = mock_as.token(scope="read", format=token_format, claims={"cnf": cnf})
    assert_refused(await api_of(mock_as).send(token=token, certificate=OURS), 401, "invalid_token")


@pytest.mark.attack("A-D-9")
@pytest.mark.rfc("8705-3-a")
async def test_what_is_remembered_is_no_decision(mock_as: MockAS) -> None:
    """RFC 8705 §3: the certificate is looked at with every request, also where the token is known."""
    api, token = api_of(mock_as), bound(mock_as)
    sent: list[tuple[str | None, int]] = [(OURS, 200), (THEIRS, 401), (None, 401), (OURS, 200)]
    for certificate, status in sent:
        assert (await api.send(token=token, certificate=certificate)).status == status
    assert api.introspections == 1


@pytest.mark.attack("A-D-4")
@pytest.mark.rfc("8705-3-a", "8705-3-b")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_bound_to_a_key_and_to_a_certificate(token_format: Any, mock_as: MockAS) -> None:
    """A token that is bound to both is good with both; where only one of them is looked at, it is good for nothing."""
    token = bound(mock_as, {"x5t#S256": X5T, "jkt": thumbprint(client_key())}, format=token_format)
    PRESENTED.add(token.value)
    dpop = {"dpop": "optional", "external_url": BASE}
    both, no_certificates, no_proofs = api_of(mock_as, **dpop), API(mock_as, **dpop), api_of(mock_as)

    async def send(api: API, certificate: str | None, key: str | None, scheme: bytes = b"DPoP") -> tuple[int, Any]:
        made = None if key is None else proof(client_key(key), token=token.value, iat=int(mock_as.clock.now()))
        proofs = [] if made is None else [(b"dpop", made.encode())]
        headers = [(b"authorization", scheme + b" " + token.value.encode()), *proofs]
        answer = await call(api.app, "GET", "/things", headers=headers, certificate=certificate)
        assert_keeps_secrets(repr(answer))
        challenges = parse_challenges(answer.header("www-authenticate") or "")
        return answer.status, challenges[0].params.get("error") if challenges else None

    assert await send(both, OURS, "client") == (200, None)
    for certificate in (THEIRS, None):
        assert await send(both, certificate, "client") == (401, "invalid_token")
    assert await send(both, OURS, "thief") == (401, "invalid_token")
    assert await send(both, OURS, None) == (401, "invalid_dpop_proof")
    assert await send(both, OURS, "client", b"Bearer") == (401, "invalid_token")
    assert await send(no_certificates, OURS, "client") == (401, "invalid_token")
    assert await send(no_proofs, OURS, "client", b"Bearer") == (401, "invalid_token")
    assert both.entered.total() == 1


def _client_cert(pem: str) -> bytes:
    return b":" + b64encode(ssl.PEM_cert_to_DER_cert(pem)) + b":"


def _envoy(pem: str) -> bytes:
    return b"By=spiffe://api;Hash=" + sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().encode()


def _escaped(pem: str) -> bytes:
    return quote(pem, safe="").encode()


FORMS: list[Any] = [
    pytest.param("Client-Cert", _client_cert, id="RFC 9440"),
    pytest.param("X-Forwarded-Client-Cert", _envoy, id="Envoy"),
    pytest.param("X-SSL-Client-Cert", _escaped, id="nginx"),
]
Write = Callable[[str], bytes]


def behind(mock_as: MockAS, header: str, *proxies: str) -> API:
    """Make an API behind a proxy that passes on certificates."""
    return api_of(mock_as, certificate_header=header, trusted_proxies=proxies or ("10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-3-a", "8705-6.5-a")
@pytest.mark.parametrize(("header", "write"), FORMS)
async def test_behind_a_proxy(header: str, write: Write, mock_as: MockAS) -> None:
    """RFC 8705 §6.5: of a trusted proxy its header counts, in each form, and its own certificate does not."""
    api, token, name = behind(mock_as, header), bound(mock_as), header.lower().encode()
    for peer in (PROXY, "2001:db8::7"):
        assert (await api.send(token=token, headers=[(name, write(OURS))], peer=peer)).status == 200
        assert_refused(await api.send(token=token, headers=[(name, write(THEIRS))], peer=peer), 401, "invalid_token")
        assert_refused(await api.send(token=token, certificate=OURS, peer=peer), 401, "invalid_token")


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
@pytest.mark.parametrize(("header", "write"), FORMS)
async def test_from_anybody_else(header: str, write: Write, mock_as: MockAS) -> None:
    """RFC 8705 §6.5: whoever is no trusted proxy shows nothing by a header, whatever its name and what it claims."""
    api, token = behind(mock_as, header), bound(mock_as)
    name = header.lower().encode()
    claims = [(b"x-forwarded-for", PROXY.encode()), (b"forwarded", f"for={PROXY}".encode())]
    for spelled in (name, name.replace(b"-", b"_")):
        sent = [(spelled, write(OURS)), *claims]
        assert_refused(await api.send(token=token, headers=sent, peer="192.0.2.1"), 401, "invalid_token")
        assert_refused(await api.send(token=token, headers=sent, certificate=THEIRS), 401, "invalid_token")
    assert (await api.send(token=token, headers=[(name, write(THEIRS))], certificate=OURS)).status == 200


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
async def test_without_a_proxy(mock_as: MockAS) -> None:
    """RFC 8705 §6.5: where no header is configured, none counts, whoever sends it."""
    api, token = api_of(mock_as), bound(mock_as)
    sent = [(header.lower().encode(), param.values[1](OURS)) for header, param in zip(HEADERS, FORMS, strict=True)]
    assert_refused(await api.send(token=token, headers=sent), 401, "invalid_token")


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
@pytest.mark.parametrize(("header", "write"), FORMS)
async def test_a_header_that_was_not_stripped(header: str, write: Write, mock_as: MockAS) -> None:
    """RFC 8705 §6.5: where a proxy passes on what the client has sent as well, nobody knows whose word it is."""
    api, token, name = behind(mock_as, header), bound(mock_as), header.lower().encode()
    ours, theirs = write(OURS), write(THEIRS)
    twin = name.replace(b"-", b"_")
    mixed: list[RawHeaders] = [
        [(name, ours), (name, theirs)],
        [(name, theirs), (name, ours)],
        [(name, ours), (name, ours)],
        [(name, ours), (twin, theirs)],
        [(twin, ours)],
        [(name, ours + b"," + theirs)],
        [(name, ours + b", " + ours)],
    ]
    for sent in mixed:
        assert_refused(await api.send(token=token, headers=sent, peer=PROXY), 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-7.5-a")
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\x00\x80", id="bytes"),
        pytest.param(b"(null)", id="null"),
        pytest.param(_escaped(OURS)[:-30], id="cut off"),
        pytest.param(_escaped(OURS + OURS), id="two"),
        pytest.param(quote(OURS.replace("CERTIFICATE", "PRIVATE KEY")).encode(), id="a key"),
        pytest.param(b":" + b64encode(DER)[:-4] + b"!!!!:", id="no base64"),
        pytest.param(_client_cert(OURS)[:-1], id="half a byte sequence"),
        pytest.param(b":" + b"A" * 1_000_000 + b":", id="1 MB of base64"),
        pytest.param(b"%2D" * 333_333, id="1 MB of escapes"),
        pytest.param(b"Hash=" + b"0" * 1_000_000, id="1 MB of a digest"),
        pytest.param(b'Cert="' + b"\\" * 1_000_000, id="1 MB of backslashes"),
    ],
)
async def test_what_is_no_certificate(value: bytes, header: str, mock_as: MockAS) -> None:
    """RFC 8705 §7.5: what is malformed, or longer than any certificate, shows none; nothing breaks."""
    token, sent = bound(mock_as), [(header.lower().encode(), value)]
    assert_refused(await behind(mock_as, header).send(token=token, headers=sent, peer=PROXY), 401, "invalid_token")


@pytest.mark.attack("A-D-10")
@pytest.mark.rfc("8705-6.5-a")
@pytest.mark.parametrize("line_break", [b"\n", b"\r\n\t", b" "])
async def test_line_breaks(line_break: bytes, mock_as: MockAS) -> None:
    """A PEM with line breaks, folded or not, is one where PEM is expected, and comes from a proxy."""
    token, value = bound(mock_as), OURS.encode().replace(b"\n", line_break)
    for header in HEADERS:
        api, sent = behind(mock_as, header), [(header.lower().encode(), value)]
        answer = await api.send(token=token, headers=sent, peer=PROXY)
        assert answer.status == (200 if header == "X-SSL-Client-Cert" else 401)
        assert (await api.send(token=token, headers=sent)).status == 401


@pytest.mark.rfc("8705-7.5-a")
@pytest.mark.parametrize("pem", ["", "no PEM", OURS[:-40], OURS + OURS, "\N{SNOWMAN}", "A" * 1_000_000])
async def test_what_is_no_certificate_in_a_connection(pem: str, mock_as: MockAS) -> None:
    """RFC 8705 §7.5: a server that tells something else than a certificate tells none."""
    assert_refused(await api_of(mock_as).send(token=bound(mock_as), certificate=pem), 401, "invalid_token")
