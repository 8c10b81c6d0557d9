"""No way of writing a path leads past nginx and the gateway."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.nginx_site import PROTECTED, Build, Site

PUBLIC = "/healthz"
CONFUSING = [
    "//orders", "/./orders", "/x/../orders", "/%6frders", "/orders%2f1", "/orders/%2e%2e/healthz", "/healthz/../orders",
    "/healthz%2f..%2forders", "/healthz/..%2forders", "/healthz/%2e%2e/orders", "/healthz;/../orders", "/..;/orders",
    "/healthz/..;/orders", "/healthz;x=1", "/healthz/", "/healthz//", "//healthz", "/HEALTHZ", "/healthz%00",
    "/healthz%20", "/healthz%09", "/healthz%3f", "/healthz%23", "/healthz#x", "/healthz/.", "/healthz\\..\\orders",
    "/healthz%5c..%5corders",
    "/ORDERS", "/orders;a=b", "/orders/.", "/orders%00", "/orders?x=/healthz", "/.%2fhealthz", "/%2fhealthz",
    "/healthz%252f..%252forders", "http://api.example.test/orders", "http://other/healthz/../orders", "/%C0%AFhealthz",
    "/healthz%EF%BC%8F..%EF%BC%8Forders",
]  # fmt: skip


@pytest.mark.attack("A-F-6")
def test_no_spelling_leads_past_the_gateway(site: Site) -> None:
    """Without a token nothing reaches the application but the public path, exactly as it is written there."""
    for path in CONFUSING:
        site.send(path)
    assert {received.target for received in site.upstream.received} <= {PUBLIC.encode()}
    assert site.send(PUBLIC).status == 200
    assert site.upstream.last.target == PUBLIC.encode()


@pytest.mark.attack("A-F-6")
def test_no_spelling_leads_past_a_policy(build: Build, tmp_path: Path) -> None:
    """With a token for less, no spelling of a path reaches the application that a router could take for the path."""
    policy = tmp_path / "policy.toml"
    policy.write_text('public = ["/healthz"]\n[[rules]]\npath = "/orders/*"\nscope = "admin"\n')
    site = build({"policy": policy}, {"locations": f"location / {{ {PROTECTED} }}"})
    token = site.token
    for path in CONFUSING:
        site.send(path, token=token)
    reached = {received.target.lower() for received in site.upstream.received}
    assert {target for target in reached if b"orders" in target} <= set()


PIECES = st.sampled_from(
    ["orders", "healthz", "x", "ORDERS", "%6frders", "orders%2f1", ".", "..", "%2e", "%2e%2e", "..;", "..;a=b", ".;",
     "", ";a=b", "orders;a=b", "%2f", "%5c", "\\", "%252e%252e", "%00", "orders%20", "orders.", "%2f..%2forders"]
)  # fmt: skip
PATHS = st.lists(st.tuples(st.sampled_from(["/", "//", "/./", "%2f"]), PIECES), min_size=1, max_size=5)


def readings(target: str) -> set[str]:
    """Read a path as an application might: decoded once or twice or not, with its matrix parameters or without."""
    path = target.partition("?")[0]
    decoded = {path, unquote(path), unquote(unquote(path))}
    plain = {re.sub(r";[^/]*", "", text.replace("\\", "/")) for text in decoded} | decoded
    return {normpath("/" + text.lstrip("/")).lower() for text in plain}


@pytest.mark.attack("A-F-6")
def test_no_path_that_anybody_thinks_of(build: Build, tmp_path: Path) -> None:
    """Nothing that can be read as the path of others is reached with a token for less, and nothing without one."""
    policy = tmp_path / "policy.toml"
    policy.write_text('public = ["/healthz"]\n[[rules]]\npath = "/orders/*"\nscope = "admin"\n')
    site = build({"policy": policy})
    token = site.mock_as.token(scope="orders:read").value

    @given(PATHS)
    @settings(max_examples=200)
    def probe(pieces: list[tuple[str, str]]) -> None:
        path = "/" + "".join(map("".join, pieces)).removeprefix("/")
        site.upstream.received.clear()
        site.send(path)
        assert {received.target for received in site.upstream.received} <= {b"/healthz"}
        site.upstream.received.clear()
        site.send(path, token=token)
        reached = [received.target.decode() for received in site.upstream.received]
        assert not any(re.match("/orders(/|$)", read) for target in reached for read in readings(target))

    probe()
