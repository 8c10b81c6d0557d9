"""The gateway behind ingress-nginx: its questions byte for byte, and its configuration's lines in a real nginx.

What is here was read in the template of the controller's configuration, and is written anew: the fields that it sets
for the question, in its order, and the lines that the annotations of deploy/kubernetes bring about.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from mock_as import MockAS
from tests.support.answer import Answer
from tests.support.auth_request import SNIPPETS, nginx, programs
from tests.support.gateway import Upstream, make_gateway, serve_upstream
from tests.support.live import exchange, request, serve
from tests.support.promises import assert_refused
from tests.support.proxies import Questions, Switch

MANIFEST = Path(__file__).parents[3] / "deploy/kubernetes/orders.yaml"
INGRESS: dict[str, Any] = next(iter(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))))
ANNOTATIONS: dict[str, str] = {
    name.partition("/")[2]: value for name, value in INGRESS["metadata"]["annotations"].items()
}
SERVICE = "resource-server.resource-server.svc.cluster.local"
POLICY = '[[rules]]\npath = "/admin/*"\nscope = "admin"\nhide = 404\n'
PROGRAMS = programs()


def question(method: str, target: str, *fields: str, query: str = "scope=orders:read") -> bytes:
    """Write the question about a request, as the controller's nginx does: its own fields, then the client's."""
    own = (
        f"X-Request-ID: {'0' * 32}",
        f"Host: {SERVICE}",
        f"X-Original-URL: https://api.example.com{target}",
        f"X-Original-Method: {method}",
        "X-Sent-From: nginx-ingress-controller",
        "X-Real-IP: 203.0.113.9",
        "X-Forwarded-For: 203.0.113.9",
        f"X-Auth-Request-Redirect: {target}",
        "Connection: close",
    )
    lines = [f"GET /auth/nginx?{query} HTTP/1.1", *own, "user-agent: curl/8.5.0", "accept: */*", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.fixture
def gateway(mock_as: MockAS, tmp_path: Path) -> Generator[int]:
    """Serve a gateway with a policy file."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    app, *_ = make_gateway(mock_as, {"policy": policy})
    with serve(app, "httptools", proxy_headers=False, ws="none") as port:
        yield port


def bearer(mock_as: MockAS, scope: str = "orders:read") -> str:
    """Write the credentials of somebody."""
    return f"authorization: Bearer {mock_as.token(sub='alice', scope=scope).value}"


def test_a_yes_to_the_byte(gateway: int, mock_as: MockAS) -> None:
    """The gateway understands the question, and each field that is passed on is there once."""
    answer = exchange(gateway, question("POST", "/orders?page=2", bearer(mock_as), "content-type: application/json"))
    assert (answer.status, answer.header("x-auth-subject"), answer.body) == (200, "alice", b"")
    names = [name.lower().replace("_", "-") for name, _ in answer.headers]
    assert {name.lower() for name in ANNOTATIONS["auth-response-headers"].split(",")} <= set(names)
    assert len(names) == len(set(names))


def test_each_no_is_one_that_nginx_knows(gateway: int, mock_as: MockAS) -> None:
    """A question is answered with 200, 401 or 403 and nothing else, and what is meant stands beside it."""
    cases = {
        question("GET", "/orders"): (401, "401"),
        question("GET", "/orders", bearer(mock_as, "other")): (403, "403"),
        question("GET", "/admin/orders", bearer(mock_as)): (403, "404"),
        question("GET", "/orders", bearer(mock_as), query="scopes=orders:read"): (403, "500"),
        question("GET", "/orders", bearer(mock_as), bearer(mock_as)): (403, "400"),
    }
    for asked, expected in cases.items():
        answer = exchange(gateway, asked)
        assert (answer.status, answer.header("x-error-status")) == expected
        assert answer.header("content-length") == "0"


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize(
    "field",
    ["X-Original-URI: /orders", "X-Original-URL: https://api.example.com/orders", "X-Original-Method: GET"],
)
def test_a_client_that_says_which_request_it_is(field: str, gateway: int, mock_as: MockAS) -> None:
    """The controller leaves a client's own field beside its own, where that has another name: nobody believes either.

    The policy file cannot tell which path it is, and lets nobody in.
    """
    answer = exchange(gateway, question("GET", "/admin/orders", bearer(mock_as, "orders:read admin"), field))
    assert (answer.status, answer.header("x-error-status")) == (403, "403")
    assert exchange(gateway, question("GET", "/admin/orders", bearer(mock_as, "orders:read admin"))).status == 200


def configuration(gateway: int) -> dict[str, str]:
    """Write the lines that the annotations bring about, with the gateway of the test in the place of the Service."""
    url = urlsplit(ANNOTATIONS["auth-url"])._replace(netloc=f"127.0.0.1:{gateway}").geturl()
    lines: list[str] = []
    for number, name in enumerate(ANNOTATIONS["auth-response-headers"].split(",")):
        variable = re.sub("-", "_", name).lower()
        lines += [
            f"auth_request_set $authHeader{number} $upstream_http_{variable};",
            f"proxy_set_header '{name}' $authHeader{number};",
        ]
    asking = f"""
        location = /_external-auth-orders {{
            internal;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Forwarded-Proto "";
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header Host {SERVICE};
            proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Sent-From "nginx-ingress-controller";
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Auth-Request-Redirect $request_uri;
            proxy_buffer_size 4k;
            proxy_buffers 4 4k;
            client_max_body_size 1m;
            proxy_http_version 1.1;
            set $target {url};
            proxy_pass $target;
        }}"""
    protected = f"""
        location / {{
            auth_request /_external-auth-orders;
            {" ".join(lines)}
            proxy_set_header Host $http_host;
            proxy_pass http://app;
        }}"""
    replayed = protected.replace("location /", "location /replayed").replace(
        "auth_request /", f"{snippet()} auth_request /"
    )
    return {"locations": asking + protected + replayed}


def snippet() -> str:
    """Take from our own files what the page puts into `configuration-snippet`."""
    lines = (SNIPPETS / "resource-server/protect.conf").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith(("error_page ", "auth_request_set ")))


@pytest.fixture(scope="module", params=range(len(PROGRAMS) or 1), ids=["nginx", "newer"][: len(PROGRAMS) or 1])
def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[int, Switch, Upstream]]:
    """Run an nginx with these lines, an application behind it, and a place for the gateway."""
    if not PROGRAMS:
        pytest.skip("nginx is not installed")
    switch = Switch()
    with ExitStack() as stack:
        gateway = stack.enter_context(serve(switch, "httptools", proxy_headers=False, ws="none"))
        behind, upstream = stack.enter_context(serve_upstream())
        folder = tmp_path_factory.mktemp("ingress")
        parts = configuration(gateway)
        port = stack.enter_context(nginx(PROGRAMS[request.param], folder, gateway=gateway, upstream=behind, **parts))
        yield port, switch, upstream


@pytest.fixture
def site(standing: tuple[int, Switch, Upstream], mock_as: MockAS, tmp_path: Path) -> Generator[tuple[int, Upstream]]:
    """Give the port of nginx, and the application behind it."""
    port, switch, upstream = standing
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    upstream.received.clear()
    with switch.to(Questions(make_gateway(mock_as, {"policy": policy})[0])):
        yield port, upstream


def send(port: int, path: str, *fields: str) -> Answer:
    """Send a request to nginx."""
    return exchange(port, request("GET", path, *(field.encode("latin-1") for field in fields)))


@pytest.mark.attack("A-FA-1")
def test_the_application_knows_who_is_calling(site: tuple[int, Upstream], mock_as: MockAS) -> None:
    """Each identity field is the gateway's, the client's own copies are gone, and so is its token."""
    port, upstream = site
    spoofed = [
        f"{name}: mallory" for name in ("X-Auth-Subject", "x_auth_subject", "X-Auth_Subject", "X-Auth-Assurance")
    ]
    assert send(port, "/orders", *spoofed, bearer(mock_as)).status == 200
    assert upstream.last.header("x-auth-subject") == "alice"
    assert upstream.last.header("x-auth-assurance") == "introspected"
    assert "mallory" not in repr(upstream.last)
    assert upstream.last.all("authorization") == []


def test_what_a_client_sees_of_a_no(site: tuple[int, Upstream], mock_as: MockAS) -> None:
    """Without snippets a 401 has its challenge, and everything else is a bare 403, in no case a yes."""
    port, upstream = site
    refused = send(port, "/orders")
    assert refused.status == 401
    assert refused.header("www-authenticate") == 'Bearer realm="api", scope="orders:read"'
    for path, scope in {"/orders": "other", "/admin/orders": "orders:read"}.items():
        bare = send(port, path, bearer(mock_as, scope))
        assert (bare.status, bare.all("www-authenticate")) == (403, [])
    assert upstream.received == []


def test_where_snippets_are_allowed(site: tuple[int, Upstream], mock_as: MockAS) -> None:
    """With the lines of our own files as snippets, what the gateway means arrives."""
    port, upstream = site
    assert_refused(send(port, "/replayed"), 401, scope="orders:read")
    refused = send(port, "/replayed", bearer(mock_as, "other"))
    assert_refused(refused, 403, "insufficient_scope", scope="orders:read")
    assert send(port, "/replayed/x/../../admin/orders", bearer(mock_as)).status in {403, 404}
    assert upstream.received == []
    assert send(port, "/replayed", bearer(mock_as)).status == 200
    assert upstream.last.header("x-auth-subject") == "alice"


@pytest.mark.attack("A-F-6")
def test_no_spelling_leads_past_the_policy(site: tuple[int, Upstream], mock_as: MockAS) -> None:
    """Whichever way the path is written, who may not see it does not."""
    port, upstream = site
    credentials = bearer(mock_as)
    spellings = ["//admin/orders", "/./admin/orders", "/%61dmin/orders", "/admin%2forders", "/x/../admin/orders"]
    spellings += [
        "/x/..;/admin/orders",
        "/admin;a=b/orders",
        "/ADMIN/orders",
        "/x%2f..%2fadmin/orders",
        "/admin//orders",
    ]
    for spelling in spellings:
        assert send(port, spelling, credentials).status in {400, 403}
    assert upstream.received == []
