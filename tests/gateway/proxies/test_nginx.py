"""The gateway behind a real nginx, by the snippets of examples/nginx and nothing else."""

from __future__ import annotations

import json
import socket
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from resource_server import parse_challenges
from tests.support.answer import Answer
from tests.support.jwt import thumbprint
from tests.support.live import connection, exchange, request
from tests.support.nginx_site import Build, Site, write_request
from tests.support.promises import assert_refused, assert_unavailable
from tests.support.proofs import client_key, proof
from tests.support.sockets import raw_server

IDENTITY = ("subject", "client", "scopes", "issuer", "assurance", "claims")


def test_the_application_knows_who_is_calling(site: Site) -> None:
    """The request reaches the application as it was sent, with the caller's identity in the place of the token."""
    answer = site.send("/orders/1?page=%32", token=site.token)
    assert (answer.status, answer.body) == (200, b"the application")
    got = site.upstream.last
    assert (got.method, got.target) == ("GET", b"/orders/1?page=%32")
    told = {name: got.header(f"x-auth-{name}") for name in IDENTITY}
    issuer = site.mock_as.issuer
    assert told["subject"] == "alice"
    assert (told["scopes"], told["issuer"], told["assurance"]) == ("orders:read", issuer, "introspected")
    assert json.loads(told["claims"] or "")["sub"] == "alice"
    assert got.all("authorization") == []


@pytest.mark.attack("A-FA-1")
def test_a_clients_own_identity_reaches_nobody(build: Build) -> None:
    """What a client says of itself is dropped in each spelling, also where nginx is told to let underscores through."""
    site = build(configuration={"server": "underscores_in_headers on;"})
    spellings = ["X-Auth-Subject", "x-auth-subject", "X_Auth_Subject", "X-Auth_Subject", "X_AUTH-SUBJECT"]
    fields = [f"{name.replace('Subject', known.title())}: mallory" for known in IDENTITY for name in spellings]
    assert site.send("/things", *fields, "X-Auth-Subject: mallory", token=site.token).status == 200
    told = {name: value for name, value in site.upstream.last.headers if name.replace("_", "-").startswith("x-auth-")}
    assert told["x-auth-subject"] == "alice"
    assert set(told) <= {f"x-auth-{name}" for name in IDENTITY}
    assert "mallory" not in repr(site.upstream.last)


@pytest.mark.attack("A-FA-1", "A-FA-2")
def test_on_a_public_path_nobody_is_somebody(build: Build) -> None:
    """Where nobody is asked, a client's word about itself, or about its path, is dropped as everywhere."""
    site = build(configuration={"server": "underscores_in_headers on;"})
    names = ["X-Auth-Subject", "X_Auth_Scopes", "X-Auth_Claims", "X-Original-URL", "X-Rewrite-URL", "Authorization"]
    assert site.send("/healthz", *(f"{name}: mallory" for name in names)).status == 200
    assert "mallory" not in repr(site.upstream.last)
    assert site.send("/things", "X-Original-URL: /mallory", "X-Rewrite-URL: /mallory", token=site.token).status == 200
    assert "mallory" not in repr(site.upstream.last)


@pytest.mark.attack("A-FA-2")
def test_a_host_in_two_places(build: Build, tmp_path: Path) -> None:
    """The host that is judged is the one by which nginx has chosen the server, and the application sees no other."""
    policy = tmp_path / "policy.toml"
    rule = '[[rules]]\nhost = "{0}.example.test"\npath = "/things"\nscope = "{1}"\n'
    policy.write_text(rule.format("admin", "admin") + rule.format("shop", "orders:read"))
    site = build({"policy": policy})
    token = f"Authorization: Bearer {site.token}".encode()
    for first, second, status in (("admin", "shop", 403), ("shop", "admin", 200)):
        target, host = f"http://{first}.example.test/things", f"{second}.example.test:8080".encode()
        assert exchange(site.port, request("GET", target, token, host=host)).status == status
    [got] = site.upstream.received
    assert (got.header("host"), got.header("x-forwarded-host")) == ("shop.example.test:8080",) * 2


@pytest.mark.attack("A-R-11")
@pytest.mark.parametrize("upgrade", ["h2c", "websocket, h2c", "H2C"])
def test_no_connection_becomes_another(upgrade: str, site: Site) -> None:
    """Nobody gets a connection to the application on which requests of HTTP/2 pass without being judged."""
    fields = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk", f"Upgrade: {upgrade}")
    assert site.send("/things", *fields, token=site.token).status == 200
    assert site.upstream.last.all("upgrade") == []
    assert site.send("/healthz", *fields).status == 200
    assert site.upstream.last.all("upgrade") == []


REFUSALS = [
    pytest.param("/things", "", None, 401, id="no token"),
    pytest.param("/things", "", "made-up-canary", 401, id="unknown token"),
    pytest.param("/orders", "scope=orders:read", "write", 403, id="too little scope"),
    pytest.param("/hidden", "scope=admin&hide=404", "write", 404, id="hidden"),
    pytest.param("/recent", "max_age=60", "write", 401, id="step-up"),
    pytest.param("/misspelt", "scopes=orders:read", "write", 500, id="configuration fault"),
]


@pytest.mark.parametrize(("path", "query", "token", "status"), REFUSALS)
def test_refusals_arrive_as_they_were_meant(path: str, query: str, token: str | None, status: int, site: Site) -> None:
    """Status, challenge, body and every other field are those of the gateway, to the byte; nothing passes."""
    value = site.mock_as.token(scope="orders:write").value if token == "write" else token
    for accept in ("Accept: */*", "Accept: application/json"):
        refused = site.send(path, accept, token=value)
        meant = site.ask(path, accept, query=query, token=value)
        assert refused.status == meant.status == status
        assert comparable(refused) == comparable(meant)
    assert site.upstream.received == []


FIELDS = (
    "www-authenticate",
    "content-type",
    "content-length",
    "cache-control",
    "retry-after",
    "vary",
    "dpop-nonce",
    "access-control-expose-headers",
)


def comparable(answer: Answer) -> dict[str, Any]:
    """Reduce an answer to what is the gateway's in it."""
    fields: dict[str, Any] = {name: answer.header(name) for name in FIELDS}
    return fields | {"status": answer.status, "body": answer.unnamed().body}


@pytest.mark.attack("A-R-2")
def test_credentials_that_stand_twice(site: Site) -> None:
    """Two sets of credentials are a bad request, and nobody is taken for anybody, whoever notices it."""
    fields = [f"Authorization: Bearer {site.token}", "Authorization: Bearer another-canary"]
    assert site.send("/things", *fields).status == 400
    joined = site.send("/things", ", ".join([fields[0], "Bearer another-canary"]))
    assert joined.status in {400, 401}
    assert site.upstream.received == []


RAW = {
    "folded": [b"Authorization: Bearer", b" folded-canary"],
    "not ASCII": [b"Authorization: Bearer t\xc3\xb6ken-canary"],
    "a control character": [b"Authorization: Bearer a\x01canary"],
    "NUL": [b"Authorization: Bearer a\x00canary"],
    "another scheme": [b"Authorization: Basic bWU6Y2FuYXJ5"],
    "in a cookie": [b"Cookie: access_token=canary-in-a-cookie"],
    "in a subprotocol": [b"Sec-WebSocket-Protocol: bearer, canary-in-a-protocol"],
    "length and chunks": [b"Content-Length: 4", b"Transfer-Encoding: chunked"],
    "too long": [b"Authorization: Bearer " + b"canary" * 10_000],
}


@pytest.mark.attack("A-R-3", "A-R-8", "A-R-9", "A-R-11")
@pytest.mark.parametrize("fields", RAW.values(), ids=RAW)
def test_what_is_no_request_with_a_token(fields: list[bytes], site: Site) -> None:
    """Credentials that are none, and a request that two servers would read differently, reach nobody."""
    refused = exchange(site.port, request("POST", "/things", *fields))
    assert refused.status in {400, 401}
    assert b"canary" not in refused.body
    assert site.upstream.received == []


@pytest.mark.attack("A-R-5", "A-R-6")
def test_a_token_elsewhere(site: Site) -> None:
    """A token in the query or in a form is not taken, and not passed on either."""
    token = site.token
    for name in ("access_token", "access_token[]", "ACCESS_TOKEN", "%61ccess_token"):
        assert site.send(f"/things?{name}={token}").status == 401
    form = f"access_token={token}".encode()
    fields = (b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % len(form))
    assert exchange(site.port, request("POST", "/things", *fields), form).status == 401
    assert site.upstream.received == []


@pytest.mark.attack("A-FA-4")
def test_a_name_that_is_no_field_value(site: Site) -> None:
    """Whatever a subject is made of, it is one field with one value, and no field more."""
    subject = "a,b;c\r\nX-Auth-Client: root\x00é%"
    token = site.mock_as.token(sub=subject).value
    assert site.send("/things", token=token).status == 200
    assert unquote(site.upstream.last.header("x-auth-subject") or "") == subject
    assert json.loads(site.upstream.last.header("x-auth-claims") or "")["sub"] == subject
    assert site.upstream.last.header("x-auth-client") != "root"


def test_an_outage_is_told_apart(site: Site) -> None:
    """Where a location asks for it, a token that cannot be verified is a 503 with Retry-After, and else a 401."""
    tokens = [site.mock_as.token(format="opaque").value for _ in range(2)]
    site.mock_as.fault("introspect", status=503)
    assert_unavailable(site.send("/live", token=tokens[0]))
    assert_refused(site.send("/things", token=tokens[1]), 401, "invalid_token")
    assert site.upstream.received == []


def test_too_many_unknown_tokens(build: Build) -> None:
    """Who sends one unknown token after the other is told when to come back: 429, through nginx too."""
    site = build(rate_limit=0.001, rate_limit_burst=1)
    statuses = [site.send("/things", token=f"made-up-canary-{number}").status for number in range(2)]
    assert statuses == [401, 429]
    refused = site.send("/things", token="made-up-canary-3")
    assert int(refused.header("retry-after") or 0) >= 1
    assert json.loads(refused.body)["status"] == 429


def test_a_script_is_not_sent_to_a_login(site: Site) -> None:
    """Where a location asks for it, a script gets 403 in the place of 401, with the same challenge."""
    refused = site.send("/ajax", "X-Requested-With: XMLHttpRequest")
    assert_refused(refused, 403, forbidden=True)
    assert_refused(site.send("/ajax"), 401)


@pytest.mark.attack("A-R-10")
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH", "PROPFIND"])
def test_every_method_needs_a_token(method: str, site: Site) -> None:
    """A request is judged whatever its method, and what is said of it is what is said of GET."""
    refused = site.send("/orders", method=method)
    assert refused.status == 401
    assert (refused.body == b"") == (method == "HEAD")
    assert site.upstream.received == []
    assert site.send("/orders", method=method, token=site.token).status == 200
    assert site.upstream.last.method == method


@pytest.mark.attack("A-R-10")
def test_trace_echoes_nothing(site: Site) -> None:
    """TRACE with a token is answered by nobody: nginx refuses it before anyone is asked."""
    refused = site.send("/orders", method="TRACE", token=site.token)
    assert refused.status == 405
    assert b"Bearer" not in refused.body
    assert site.upstream.received == []


@pytest.mark.attack("A-F-8")
def test_a_preflight_passes_and_an_option_does_not(site: Site) -> None:
    """A browser's question before a request of another origin has no token and passes, as nobody; no other does."""
    question = ("Origin: https://app.example.test", "Access-Control-Request-Method: GET")
    assert site.send("/orders", *question, "X-Auth-Subject: mallory", method="OPTIONS").status == 200
    assert site.upstream.last.all("x-auth-subject") == []
    for method, fields in {"OPTIONS": question[:1], "GET": question}.items():
        assert site.send("/orders", *fields, method=method).status == 401
    assert len(site.upstream.received) == 1


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize(
    "field",
    [
        "X-Original-URL: http://api.example.test/healthz",
        "X-Original-URI: /healthz",
        "X-Original-Method: OPTIONS",
        "X-Forwarded-Uri: /healthz",
        "X-Forwarded-Method: OPTIONS",
        "X-Forwarded-Host: other.example.test",
        "X_Original_URL: http://api.example.test/healthz",
        "X-Rewrite-URL: /healthz",
    ],
)
def test_a_client_cannot_say_which_request_it_is(field: str, build: Build, tmp_path: Path) -> None:
    """What tells the gateway of the request is nginx's word alone: a policy for a path holds whatever a client adds."""
    policy = tmp_path / "policy.toml"
    policy.write_text('public = ["/healthz"]\n[[rules]]\npath = "/things"\nscope = "admin"\n')
    site = build({"policy": policy})
    preflight = ("Origin: https://app.example.test", "Access-Control-Request-Method: GET")
    assert site.send("/things", field, *preflight).status == 401
    assert_refused(site.send("/things", field, token=site.token), 403, "insufficient_scope", scope="admin")
    assert site.upstream.received == []


@pytest.mark.attack("A-F-2")
@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
def test_no_body_is_waited_for(expect: tuple[str, ...], site: Site) -> None:
    """Without a token a large upload is refused before a byte of it was sent, and nobody is asked to send it."""
    with connection(site.port) as wire:
        wire.send(write_request("POST", "/upload", ("Content-Length: 5000000000", *expect), None))
        assert_refused(wire.read(), 401)
    assert site.upstream.received == []


def test_a_body_reaches_the_application_and_not_the_gateway(site: Site) -> None:
    """The gateway is asked about the request without its body, and the application gets it whole."""
    head = write_request("POST", "/orders", ("Content-Length: 300000",), site.token)
    assert exchange(site.port, head, b"x" * 300_000).status == 200
    assert site.upstream.last.body == b"x" * 300_000


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_the_applications_own_answers_stay_its_own(status: int, site: Site) -> None:
    """What the application itself refuses is passed on as it is."""
    answer = site.send("/things", f"X-Answer: {status}", token=site.token)
    assert (answer.status, answer.body) == (status, b"the application")
    assert answer.all("www-authenticate") == []


def test_nginxs_own_refusals_stay_its_own(site: Site) -> None:
    """What nginx refuses by itself is no refusal of a token."""
    refused = site.send("/closed", token=site.token)
    assert (refused.status, refused.all("www-authenticate")) == (403, [])
    assert site.upstream.received == []


def test_nobody_asks_from_outside(site: Site) -> None:
    """The question's own address is nothing to clients."""
    for path in ("/.resource-server/check", "/.resource-server/check?scope=admin", "/%2eresource-server/check"):
        assert site.send(path, token=site.token).status == 404
    assert site.upstream.received == []


def test_no_gateway_no_entry(build: Build) -> None:
    """While the gateway does not answer nobody comes in, and no token is called bad."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = unused.getsockname()[1]
    site = build(gateway=nobody)
    for token in (None, site.token):
        assert_unavailable(site.send("/things", token=token), retry_after=5)
    assert site.send("/healthz").status == 200
    assert len(site.upstream.received) == 1


def test_a_gateway_that_talks_nonsense(build: Build) -> None:
    """An answer that nobody can read lets nobody in."""
    with raw_server(b"HTTP/1.1 200 OK\r\nX-Auth-Claims: " + b"x" * 100_000 + b"\r\n\r\n") as nonsense:
        site = build(gateway=nonsense.port)
        assert_unavailable(site.send("/things", token=site.token))
    assert site.upstream.received == []


def test_a_websocket(site: Site) -> None:
    """A handshake is a request: without a token it is refused with a challenge, with one the connection opens."""
    url = f"ws://127.0.0.1:{site.port}/things"
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass
    assert parse_challenges(refused.value.response.headers["WWW-Authenticate"])[0].scheme.lower() == "bearer"
    assert refused.value.response.status_code == 401
    with connect(url, additional_headers={"Authorization": f"Bearer {site.token}"}) as opened:
        opened.send("hello")
        assert opened.recv() == "hello"
    assert site.upstream.last.header("x-auth-subject") == "alice"


def test_over_http2(build: Build) -> None:
    """The version of HTTP makes no difference."""
    site = build(configuration={"listen": " http2"})
    with httpx.Client(base_url=f"http://127.0.0.1:{site.port}", http1=False, http2=True) as client:
        refused = client.get("/orders")
        assert (refused.http_version, refused.status_code) == ("HTTP/2", 401)
        assert_refused(Answer.of(refused), 401, scope="orders:read")
        assert client.get("/orders", headers={"Authorization": f"Bearer {site.token}"}).status_code == 200
    assert site.upstream.last.header("x-auth-subject") == "alice"


@pytest.mark.rfc("9449-4.3-8", "9449-4.3-9")
def test_proofs_are_for_the_request_of_the_client(build: Build) -> None:
    """RFC 9449 §4.3: a DPoP proof names the client's method and URL, and not those of nginx's question."""
    site = build(external_url="https://api.example.test", dpop="optional")
    key = client_key()
    token = site.mock_as.token(scope="orders:read", cnf={"jkt": thumbprint(key)}, token_type="DPoP").value
    now = int(site.mock_as.clock.now())

    def send(method: str, uri: str) -> Answer:
        made = proof(key, "POST", uri, token, iat=now)
        return site.send("/orders?page=2", f"Authorization: DPoP {token}", f"DPoP: {made}", method=method)

    assert send("POST", "https://api.example.test/orders").status == 200
    assert send("POST", "https://api.example.test/auth/nginx").status == 401
    assert send("PUT", "https://api.example.test/orders").status == 401
    assert site.send("/orders", token=token).status == 401
    assert len(site.upstream.received) == 1


@pytest.mark.rfc("9449-9-a")
def test_a_nonce_reaches_the_client(build: Build) -> None:
    """RFC 9449 §9: the nonce for the next proof is in the response, which no cache may keep."""
    site = build(external_url="https://api.example.test", dpop="optional", dpop_nonce=True, dpop_secret="x1" * 20)
    key = client_key()
    token = site.mock_as.token(cnf={"jkt": thumbprint(key)}, token_type="DPoP").value

    def send(**claims: Any) -> Answer:
        made = proof(key, "GET", "https://api.example.test/things", token, iat=int(site.mock_as.clock.now()), **claims)
        return site.send("/things", f"Authorization: DPoP {token}", f"DPoP: {made}")

    refused = send()
    nonce = refused.header("dpop-nonce")
    assert (refused.status, nonce is None) == (401, False)
    assert send(nonce=nonce or "").status == 200


def test_a_token_of_the_gateways_own(build: Build) -> None:
    """The application gets a token that is made for it, in the place of the one that came."""
    site = build({"credential": "replace", "internal_issuer": "https://gateway.test", "internal_audience": "orders"})
    came = site.token
    assert site.send("/things", token=came).status == 200
    scheme, _, got = (site.upstream.last.header("authorization") or "").partition(" ")
    header, claims, _ = got.split(".")
    assert (scheme, b64json(header)["typ"]) == ("Bearer", "at+jwt")
    assert (b64json(claims)["aud"], b64json(claims)["sub"]) == ("orders", "alice")
    assert came not in repr(site.upstream.last)


def b64json(part: str) -> dict[str, Any]:
    """Decode a part of a JWT."""
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=="))
    return decoded


def test_questions_share_connections(site: Site) -> None:
    """There is no new connection to the gateway for each question, whether the answer is yes or no."""
    for _ in range(3):
        assert site.send("/things", token=site.token).status == 200
        assert site.send("/things").status == 401
    assert len(site.questions.asked) == 6
    assert len({asked.peer for asked in site.questions.asked}) == 1
