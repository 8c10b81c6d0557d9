"""What a client cannot make true behind any proxy: who it is, what it has asked for, and where a request ends."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote

import pytest

from mock_as import MockAS
from tests.support.live import connection, exchange, request
from tests.support.proxies import IDENTITY, Stand, bearer, who

DOTTED = ["X.Auth.{}", "X-Auth.{}", "x.auth-{}", "X_Auth.{}"]
SPELLINGS = ["X-Auth-{}", "x-auth-{}", "X_Auth_{}", "x_auth_{}", "X-Auth_{}", "X_AUTH-{}", "X-AUTH-{}", *DOTTED]


@pytest.mark.attack("A-FA-1")
@pytest.mark.rfc("9700-4.13-a")
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_an_identity_of_the_clients_own(twice: bool, behind: Stand, mock_as: MockAS) -> None:  # noqa: FBT001 - a case
    """No field of identity that the client has written reaches the application, in whatever spelling, or how often."""
    token = mock_as.token(sub="alice", scope="orders:read")
    for spelling in SPELLINGS:
        names = [spelling.format(name.title()) for name in IDENTITY]
        fields = [f"{name}: mallory".encode() for name in names for _ in range(1 + twice)]
        answer = behind.ask("/orders", *fields, token=token)
        # Two fields of a list are one; some proxies refuse other doubles, or names with an underscore, altogether.
        assert answer.status in {200, 400}
        if answer.status == 200:
            told = who(behind.upstream.last.headers)
            assert told["x-auth-subject"] == "alice"
        answer = behind.ask("/healthz", *fields)
        assert answer.status in {200, 400}
    assert not any("mallory" in value for got in behind.upstream.received for _, value in got.headers)


@pytest.mark.attack("A-FA-1")
@pytest.mark.parametrize("spelling", ["X-Auth-{}", "x_auth_{}"])
@pytest.mark.parametrize("first", ["", "close, ", "keep-alive, Authorization, ", "Upgrade, "])
def test_an_identity_for_one_connection_only(first: str, spelling: str, behind: Stand, mock_as: MockAS) -> None:
    """A client cannot have the proxy drop who it is, or what was done with its token, by naming it in Connection."""
    names = ", ".join(spelling.format(name) for name in IDENTITY)
    answer = behind.ask(
        "/orders", f"Connection: {first}{names}".encode(), token=mock_as.token(sub="alice", scope="orders:read")
    )
    for got in behind.upstream.received:
        assert got.header("x-auth-subject") == "alice"
        assert got.header("x-auth-scopes") == "orders:read"
        assert got.header("authorization") in (None, "")
        assert "auth" not in (got.header("connection") or "").lower()
    refused = {(400, 0), (401, 0)} if "Authorization" in first else set[tuple[int, int]]()
    assert (answer.status, len(behind.upstream.received)) in {(200, 1), *refused}


@pytest.mark.attack("A-R-11")
@pytest.mark.parametrize("upgrade", [[b"h2c"], [b"websocket, h2c"], [b"websocket", b"h2c"], [b"h2c", b"websocket"]])
def test_no_connection_becomes_another(upgrade: list[bytes], behind: Stand, mock_as: MockAS) -> None:
    """Nobody gets a connection to the application on which requests of HTTP/2 pass without being judged."""
    fields = [
        b"Connection: Upgrade, HTTP2-Settings",
        b"HTTP2-Settings: AAMAAABk",
        *(b"Upgrade: " + to for to in upgrade),
    ]
    behind.ask("/orders", *fields, token=mock_as.token(scope="orders:read"))
    preflight = [b"Origin: https://shop.example.test", b"Access-Control-Request-Method: GET"]
    behind.ask("/orders", *fields, *preflight, method="OPTIONS")
    assert not any("h2c" in value for got in behind.upstream.received for value in got.all("upgrade"))


@pytest.mark.attack("A-FA-2")
def test_an_address_of_the_clients_own(behind: Stand, mock_as: MockAS) -> None:
    """Who claims to be somebody else each time is still one client, and has asked too often."""
    with behind.gateway(mock_as, rate_limit=0.1, rate_limit_burst=1):
        statuses: list[int] = []
        for number in range(3):
            address = b"198.51.100.%d" % number
            fields = [b"X-Forwarded-For: " + address, b"X-Real-IP: " + address, b"Forwarded: for=" + address]
            statuses.append(behind.ask("/orders", b"Authorization: Bearer unknown-%d" % number, *fields).status)
    assert statuses == [401, 429, 429]


SPOOFS = {
    "a public path": [b"X-Forwarded-Uri: /healthz"],
    "a public URL": [b"X-Original-URL: http://api.example.test/healthz"],
    "a public URI": [b"X-Original-URI: /healthz"],
    "a rewritten URL": [b"X-Rewrite-URL: /healthz"],
    "an underscore": [b"X_Forwarded_Uri: /healthz", b"X_Forwarded_Method: OPTIONS"],
    "a prefix": [b"X-Forwarded-Prefix: /healthz"],
    "a preflight": [
        b"X-Forwarded-Method: OPTIONS",
        b"Origin: https://shop.example.test",
        b"Access-Control-Request-Method: GET",
    ],
    "an original preflight": [
        b"X-Original-Method: OPTIONS",
        b"Origin: https://shop.example.test",
        b"Access-Control-Request-Method: GET",
    ],
    "another method": [b"X-HTTP-Method-Override: OPTIONS"],
    "twice": [b"X-Forwarded-Uri: /healthz", b"X-Forwarded-Uri: /healthz"],
    "another host": [b"X-Forwarded-Host: other.example.test", b"Forwarded: host=other.example.test"],
    "this machine": [b"X-Forwarded-For: 127.0.0.1", b"X-Real-IP: 127.0.0.1"],
    "a connection's own": [b"Connection: X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host, Authorization"],
}


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_request_of_the_clients_own_telling(spoof: str, behind: Stand, mock_as: MockAS) -> None:
    """What a client tells of its request changes nothing: a protected path stays what it is."""
    weak = mock_as.token(scope="orders:read")
    assert behind.ask("/orders", *SPOOFS[spoof]).status in {400, 401, 403}
    assert behind.ask("/admin/orders", *SPOOFS[spoof], token=weak).status in {400, 401, 403, 404}
    assert behind.upstream.received == []


@pytest.mark.attack("A-F-8")
@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_preflight_that_is_to_be_another_method(name: str, behind: Stand) -> None:
    """What the application may take for a DELETE passes as no preflight."""
    fields = [b"Origin: https://shop.example.test", b"Access-Control-Request-Method: GET", f"{name}: DELETE".encode()]
    assert behind.ask("/orders", *fields, method="OPTIONS").status == 401
    assert behind.upstream.received == []


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL"])
def test_another_path_for_the_application(name: str, behind: Stand) -> None:
    """On a public path nobody tells an application that it is another one."""
    assert behind.ask("/healthz", f"{name}: /admin/orders".encode()).status == 200
    assert behind.upstream.last.all(name.lower()) == []


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize("query", ["scope=admin", "hide=404&dpop=off", "nonsense", "dpop=required&dpop=off", "?", ""])
def test_a_query_of_the_clients_own(query: str, behind: Stand, mock_as: MockAS) -> None:
    """The words of a policy are no words in the client's query: it demands nothing, and takes no demand back."""
    assert behind.ask(f"/orders?{query}", token=mock_as.token(scope="orders:read")).status == 200
    assert behind.ask(f"/orders?{query}").status == 401


STRANGE = [
    "//admin/orders",
    "/admin//orders",
    "/./admin/orders",
    "/admin/./orders",
    "/healthz/../admin/orders",
    "/healthz/..;/admin/orders",
    "/healthz/%2e%2e/admin/orders",
    "/healthz%2f..%2fadmin/orders",
    "/healthz%2f%2e%2e%2fadmin/orders",
    "/%61dmin/orders",
    "/%2561dmin/orders",
    "/admin%2forders",
    "/admin%2Forders",
    "/admin%5corders",
    "/%5cadmin/orders",
    "/admin;a=b/orders",
    "/;/admin/orders",
    "/admin/orders;",
    "/ADMIN/orders",
    "/admin/orders/",
    "/admin/orders/.",
    "/admin/orders%00",
    "/admin/orders%20",
    "/admin/orders?x=/healthz",
    "/healthz?/../admin/orders",
    "/healthz#/../admin/orders",
    "/healthz/",
    "/healthz;",
    "//healthz",
    "/healthz%2f",
    "/%68ealthz",
    "http://api.example.test/admin/orders",
    "http://other.example.test/admin/orders",
]


def read_alike(target: bytes) -> str:
    """Read a path as the most forgiving application does."""
    path = target.decode("latin-1").partition("?")[0]
    for _ in range(3):
        path = unquote(path)
    path = "/".join(segment.partition(";")[0] for segment in path.replace("\\", "/").split("/"))
    return normpath("/" + path.lstrip("/")).lower().strip("\x00 ")


@pytest.mark.attack("A-F-6")
@pytest.mark.attack("A-FA-2")
def test_no_path_is_a_way_around(behind: Stand, mock_as: MockAS) -> None:
    """No spelling of a path brings a request to it that lacks a token, or what the path demands."""
    weak = mock_as.token(scope="orders:read")
    for path in STRANGE:
        for token in (None, weak):
            with suppress(EOFError, ConnectionError):  # some are no HTTP, and the proxy hangs up
                behind.ask(path, token=token)
    for got in behind.upstream.received:
        anonymous = not who(got.headers).get("x-auth-subject")
        assert not read_alike(got.target).startswith("/admin")
        assert not anonymous or read_alike(got.target) == "/healthz"


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize(
    "host",
    [b"api.example.test", b"API.Example.TEST", b"api.example.test:80", b"api.example.test.", b"other.example.test"],
)
def test_no_host_is_a_way_around(host: bytes, behind: Stand, mock_as: MockAS, tmp_path: Path) -> None:
    """A rule for a host holds in each spelling of its name, and nobody is let in by a name that no rule is for."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rules]]\nhost = "api.example.test"\npath = "/orders/*"\nscope = "admin"\n')
    fields = bearer(mock_as.token(scope="orders:read"))
    with behind.gateway(mock_as, {"policy": policy}):
        answer = exchange(behind.port, request("GET", "/orders", *fields, host=host))
    assert answer.status in {400, 403}
    assert behind.upstream.received == []


@pytest.mark.attack("A-FA-2")
def test_a_host_in_two_places(behind: Stand, mock_as: MockAS, tmp_path: Path) -> None:
    """Of a host in the request line and another one in a field, the one that the application sees is judged."""
    policy = tmp_path / "policy.toml"
    rule = '[[rules]]\nhost = "{}.example.test"\npath = "/orders"\nscope = "{}"\n'
    policy.write_text(rule.format("admin", "admin") + rule.format("shop", "orders:read"))
    fields = bearer(mock_as.token(scope="orders:read"))
    with behind.gateway(mock_as, {"policy": policy}):
        for first, second in (("admin", "shop"), ("shop", "admin")):
            target, host = f"http://{first}.example.test/orders", f"{second}.example.test".encode()
            answer = exchange(behind.port, request("GET", target, *fields, host=host))
            assert answer.status in ({400, 403} if first == "admin" else {200, 400, 403})
    assert all(got.header("host") == "shop.example.test" for got in behind.upstream.received)


@pytest.mark.attack("A-R-2")
def test_two_tokens_in_two_fields(behind: Stand, mock_as: MockAS) -> None:
    """Two fields with a token are a refusal, whichever of them is good."""
    good = bearer(mock_as.token(scope="orders:read"))
    for fields in ([*good, b"Authorization: Bearer bad"], [b"authorization: Basic YTpi", *good], [*good, *good]):
        assert behind.ask("/orders", *fields).status in {400, 401}
    assert behind.upstream.received == []


SMUGGLED = request("GET", "/admin/orders")
FRAMES = {
    "both": [b"Content-Length: %d" % (len(SMUGGLED) + 5), b"Transfer-Encoding: chunked"],
    "both, turned": [b"Transfer-Encoding: chunked", b"Content-Length: %d" % (len(SMUGGLED) + 5)],
    "spaced": [b"Content-Length: %d" % (len(SMUGGLED) + 5), b"Transfer-Encoding : chunked"],
    "unknown": [b"Content-Length: %d" % (len(SMUGGLED) + 5), b"Transfer-Encoding: xchunked"],
    "two lengths": [b"Content-Length: 5", b"Content-Length: %d" % (len(SMUGGLED) + 5)],
    "a sign": [b"Content-Length: +5"],
}


@pytest.mark.attack("A-R-11")
@pytest.mark.parametrize("frame", FRAMES)
def test_a_smuggled_request(frame: str, behind: Stand, mock_as: MockAS) -> None:
    """What one side may take for a second request never reaches the application without being judged."""
    token = mock_as.token(scope="orders:read orders:write")
    head = request("POST", "/orders", *bearer(token), *FRAMES[frame])
    with connection(behind.port) as wire, suppress(EOFError, ConnectionError):
        wire.send(head + b"0\r\n\r\n" + SMUGGLED)
        wire.read()
        wire.read()
    assert [got.target for got in behind.upstream.received if b"admin" in got.target] == []
