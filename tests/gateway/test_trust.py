"""Whom the gateway believes: about the request, about its sender's certificate, and about its sender's address."""

from __future__ import annotations

import ssl
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mock_as import Token
from tests.gateway.door import PROXY, STRANGER, Door, forwarded, identity, is_nobody, original
from tests.support.asgi import call
from tests.support.jwt import b64url
from tests.support.promises import PRESENTED
from tests.support.proofs import BASE

pytestmark = pytest.mark.anyio

POLICY = """
public = ["/healthz"]
[[rules]]
path = "/admin/*"
scope = "admin"
"""


def door_with(policy: str, folder: Path, **options: Any) -> Door:
    """Make a gateway with a policy file."""
    file = folder / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    return Door({"policy": file}, **options)


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize(("path", "told"), [("/auth", forwarded), ("/auth/nginx", original)])
async def test_only_proxies_tell_of_requests(path: str, told: Any, tmp_path: Path) -> None:
    """What a policy says of a path holds for the path that a listed proxy tells; nobody else gets an answer by it."""
    door = door_with(POLICY, tmp_path)
    token = door.mock_as.token(scope="profile")
    public = await door.ask(path, headers=told("/healthz?verbose"))
    assert public.status == 200
    assert is_nobody(public)
    assert (await door.ask(path, headers=told("/orders"))).status == 401
    assert (await door.ask(path, token, headers=told("/orders"))).status == 200
    assert (await door.ask(path, token, headers=told("/admin/x"))).status == 403
    assert door.faults == []
    assert (await door.ask(path, token, headers=told("/healthz"), peer=STRANGER)).status == 403
    assert door.faults == ["untrusted_proxy"]
    # The fields of the others' endpoints say nothing here, and a second one takes away what the first has said.
    other = forwarded if told is original else original
    assert (await door.ask(path, token, headers=other("/healthz"))).status == 403
    assert (await door.ask(path, token, headers=[*told("/healthz"), *told("/orders")])).status == 403
    assert (await door.ask(path, token)).status == 403


BY_METHOD = """
public = ["/healthz"]
[[rules]]
path = "/orders/*"
methods = ["POST"]
scope = "orders:write"
dpop = "off"
[[rules]]
path = "/orders/*"
methods = ["DELETE"]
scope = "admin"
[[rules]]
path = "/orders/*"
methods = ["PATCH"]
dpop = "required"
"""


@pytest.mark.attack("A-FA-2", "A-R-10")
@pytest.mark.parametrize(
    ("overrides", "status"),
    [
        ([], 200),
        ([(b"x-http-method-override", b"POST")], 200),
        ([(b"x-http-method-override", b"GET")], 200),
        ([(b"x-http-method-override", b"DELETE")], 403),
        ([(b"x-http-method", b" delete ")], 403),
        ([(b"x_method_override", b"Delete")], 403),
        ([(b"x-method-override", b"PATCH")], 403),
        ([(b"x-method-override", b"")], 403),
        ([(b"x-method-override", b"POST, DELETE")], 403),
        ([(b"x-method-override", b"POST"), (b"x-http-method", b"POST")], 403),
    ],
)
async def test_another_method(overrides: list[tuple[bytes, bytes]], status: int, tmp_path: Path) -> None:
    """Where an application may take a request for one with another method, what is demanded of both holds."""
    door = door_with(BY_METHOD, tmp_path, external_url="https://api.example.test")
    token = door.mock_as.token(scope="orders:write")
    for path, told in (("/auth", forwarded), ("/auth/nginx", original)):
        assert (await door.ask(path, token, headers=[*told("/orders/1", "POST"), *overrides])).status == status
        assert (await door.ask(path, headers=[*told("/healthz"), *overrides])).status == 200
    envoy = await door.ask("/auth/envoy/orders/1", token, method="POST", headers=overrides)
    assert envoy.status == status
    assert door.faults == []


async def test_envoy_tells_by_its_question(tmp_path: Path) -> None:
    """Behind Envoy's prefix stands the path, and no field can say another one."""
    door = door_with(POLICY, tmp_path)
    spoofed = [*forwarded("/healthz"), *original("/healthz"), (b"x-envoy-original-path", b"/healthz")]
    assert (await door.ask("/auth/envoy/healthz")).status == 200
    assert (await door.ask("/auth/envoy/orders", headers=spoofed)).status == 401
    assert (await door.ask("/auth/envoy/admin", door.mock_as.token(scope="a"), headers=spoofed)).status == 403
    assert (await door.ask("/auth/envoy/admin", door.mock_as.token(scope="admin"))).status == 200


async def test_place_and_file_hold_together(tmp_path: Path) -> None:
    """What a place in the proxy's configuration demands, and what the file does, hold both; on public paths too."""
    door = door_with(POLICY, tmp_path)
    both = door.mock_as.token(scope="admin orders:read")
    one = door.mock_as.token(scope="admin")
    headers = forwarded("/admin/x")
    assert (await door.ask("/auth", both, headers=headers, query="scope=orders:read")).status == 200
    assert (await door.ask("/auth", one, headers=headers, query="scope=orders:read")).status == 403
    public = forwarded("/healthz")
    assert (await door.ask("/auth", headers=public, query="scope=orders:read")).status == 401
    assert (await door.ask("/auth", headers=public)).status == 200


async def test_place_and_file_contradict(tmp_path: Path) -> None:
    """Where they contradict each other nobody is let in, and it is told loudly."""
    door = door_with('[[rules]]\npath = "/*"\naudience = "a"\n', tmp_path)
    answer = await door.ask("/auth", door.mock_as.token(), headers=forwarded(), query="audience=b")
    assert answer.status == 500
    assert door.faults == ["contradiction"]


async def test_hosts(tmp_path: Path) -> None:
    """Where rules name hosts, a host that none of them names is refused; nginx tells it with the whole URL only."""
    door = door_with('[[rules]]\nhost = "api.example.test"\npath = "/*"\nscope = "a"\n', tmp_path)
    token = door.mock_as.token(scope="a")
    url = [(b"x-original-method", b"GET"), (b"x-original-url", b"https://api.example.test/orders")]
    assert (await door.ask("/auth", token, headers=forwarded())).status == 200
    assert (await door.ask("/auth/nginx", token, headers=url)).status == 200
    assert (await door.ask("/auth", token, headers=forwarded(host="other.example.test"))).status == 403
    assert (await door.ask("/auth/nginx", token, headers=original())).status == 403
    assert door.faults == []


async def test_a_path_too_long_to_tell(tmp_path: Path) -> None:
    """A path that no router needs so long is refused, and none of that length is kept."""
    door = door_with(POLICY, tmp_path)
    token = door.mock_as.token()
    assert (await door.ask("/auth", token, headers=forwarded("/" + "%2e" * 2000))).status == 400
    assert (await door.ask("/auth", token, headers=forwarded("/" + "a" * 2000))).status == 200
    assert door.app._questions._remembered.cache_info().currsize == 0


async def test_a_unix_socket(tmp_path: Path) -> None:
    """The other end of a Unix socket counts as this machine: the rights of its file decide who may open it."""
    door = door_with(POLICY, tmp_path, trusted_proxies=["127.0.0.1"])
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/auth", "query_string": b"", "headers": forwarded("/healthz")}
    await door.app(scope | {"client": None, "server": ("/run/gateway.sock", None)}, receive, send)
    await door.app(scope | {"client": None, "server": ("10.0.0.1", 80)}, receive, send)
    assert [message["status"] for message in sent if "status" in message] == [200, 403]


async def test_who_is_charged() -> None:
    """Questions about unknown tokens are charged to the client that a listed proxy tells, not to the proxy."""
    door = Door(rate_limit=0.001, rate_limit_burst=1, rate_limited_status=429)
    ours = [(b"x-forwarded-for", b"198.51.100.1, 192.0.2.1")]
    made_up = [(b"x-forwarded-for", b"203.0.113.5, 192.0.2.1, 10.0.0.8")]
    other = [(b"x-forwarded-for", b"192.0.2.2")]
    assert (await door.ask("/auth", "unknown-canary-1", headers=ours)).status == 401
    limited = await door.ask("/auth/nginx", "unknown-canary-2", headers=made_up)
    assert (limited.status, limited.header("x-error-status")) == (403, "429")
    assert int(limited.header("retry-after") or "") >= 1
    assert (await door.ask("/auth", "unknown-canary-3", headers=other)).status == 401
    # A list that is too long counts as none: then it is the proxy that is charged.
    long = [(b"x-forwarded-for", b"198.51.100.1," * 100 + b"192.0.2.3")]
    assert (await door.ask("/auth", "unknown-canary-6", headers=long)).status == 401
    assert (await door.ask("/auth", "unknown-canary-7")).status == 429
    # Who is not listed is charged himself, whatever he tells.
    assert (await door.ask("/auth", "unknown-canary-4", headers=other, peer=STRANGER)).status == 401
    assert (await door.ask("/auth", "unknown-canary-5", headers=ours, peer=STRANGER)).status == 429


async def test_certificates() -> None:
    """A certificate counts where a listed proxy tells of it; that of the proxy's own connection never does."""
    door = Door(mtls="optional", certificate_header="Client-Cert")
    pem = door.mock_as.client_key("svc.mtls").certificate_pem
    der = ssl.PEM_cert_to_DER_cert(pem)
    token = door.mock_as.token(cnf={"x5t#S256": b64url(sha256(der).digest())})
    shown = [(b"client-cert", b":" + b64encode(der) + b":")]
    assert (await door.ask("/auth", token, headers=shown)).status == 200
    assert (await door.ask("/auth", token, headers=shown, peer=STRANGER)).status == 401
    answer = await call(door.app, "GET", "/auth", token=token.value, certificate=pem, peer=PROXY)
    assert answer.status == 401


@pytest.mark.rfc("9449-4.3-8", "9449-4.3-9")
@pytest.mark.parametrize(("path", "told"), [("/auth", forwarded), ("/auth/nginx", original)])
async def test_proofs(path: str, told: Any) -> None:
    """A proof is for the request that the proxy tells, and not for the proxy's question."""
    door = Door(dpop="optional", external_url=BASE, dpop_nonce=True)
    token = bound(door)
    nonce = (await door.ask(path, headers=[*told("/orders?a=b"), *sent(token, "GET", "/orders")])).header("dpop-nonce")
    assert nonce is not None
    good = await door.ask(path, headers=[*told("/orders?a=b"), *sent(token, "GET", "/orders", nonce=nonce)])
    assert good.status == 200
    assert good.header("dpop-nonce") is not None
    assert identity(good)["subject"] == "alice"
    for method, target in (("POST", "/orders"), ("GET", "/other"), ("GET", path)):
        wrong = await door.ask(path, headers=[*told("/orders"), *sent(token, method, target, nonce=nonce)])
        assert wrong.status == 401
    proof = sent(token, "GET", "/orders", nonce=nonce)
    assert (await door.ask(path, headers=[*told("/orders"), *proof], peer=STRANGER)).status == 403
    assert (await door.ask(path, headers=proof)).status == 403


async def test_proofs_for_nowhere() -> None:
    """Where a place takes proofs and nobody has said where the applications are reached, it is told loudly."""
    door = Door()
    token = bound(door)
    answer = await door.ask("/auth", headers=[*forwarded(), *sent(token, "GET", "/orders")], query="dpop=required")
    assert answer.status == 500
    assert door.faults == ["no_external_url"]


def bound(door: Door) -> Token:
    """Mint a token that is bound to a key made for it."""
    token = door.mock_as.token(sub="alice", token_type="DPoP")
    PRESENTED.add(token.value)
    return token


def sent(token: Token, method: str, target: str, **claims: Any) -> list[tuple[bytes, bytes]]:
    """Write the header fields that send a token with a new proof."""
    assert token.prover is not None
    proof = token.prover.proof(method, BASE + target, token=token.value, **claims)
    return [(b"authorization", b"DPoP " + token.value.encode()), (b"dpop", proof.encode())]
