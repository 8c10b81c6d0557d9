"""What an environment says of a request: its fields as bytes, the path as it was sent, and a form read ahead."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from mock_as import MockAS
from resource_server import ANY_TOKEN, InvalidDPoPProof, RequestParts, Requirement
from resource_server._hosts import MAX_FORM_BYTES
from resource_server._protocol.bearer import TokenMethods
from resource_server._wsgi import PRINCIPAL, authenticate, read_parts, request_parts, routed_path
from tests.parity.world import BASE, World
from tests.support.wsgi import environment

FORM = "application/x-www-form-urlencoded"
FORMS = TokenMethods(form=True)


def test_fields() -> None:
    """Names are lower case and have dashes; the two fields without prefix are among them, and nothing else is."""
    environ = environment(headers={"X-Some-Thing": "caf\xe9"}, content_type="text/plain", body=b"abc", MADE_UP="no")
    assert dict(request_parts(environ).headers) == {
        b"host": b"api.example.test",
        b"content-type": b"text/plain",
        b"content-length": b"3",
        b"x-some-thing": b"caf\xe9",
    }


def test_fields_that_decide() -> None:
    """Where only a judgement is made of them, those fields are read by which one is made, and no other."""
    sent = {"Authorization": "Bearer t", "DPoP": "proof", "X-Client-Cert": "pem", "X-Some-Thing": "no"}
    environ = environment(headers=sent, content_type="text/plain")
    decide = {b"authorization": b"Bearer t", b"dpop": b"proof", b"content-type": b"text/plain"}
    assert dict(read_parts(environ, TokenMethods()).headers) == decide
    assert dict(read_parts(environ, TokenMethods(), "X-Client-Cert").headers) == decide | {b"x-client-cert": b"pem"}


def test_what_no_server_sends() -> None:
    """A character beyond Latin-1, which PEP 3333 forbids, becomes one that no token has."""
    parts = request_parts(environment(headers={"Authorization": "Bearer \u20ac"}, query="a=\u20ac"))
    assert dict(parts.headers)[b"authorization"] == b"Bearer ?"
    assert parts.query == b"a=?"


@pytest.mark.attack("A-D-10")
def test_connection() -> None:
    """Address and certificate are the connection's: a header field that is called like either is a header field."""
    environ = environment(headers={"Remote-Addr": "10.0.0.1", "SSL-Client-Cert": "forged"}, query="a=b")
    assert request_parts(environ) == RequestParts("GET", request_parts(environ).headers, b"a=b", peer="127.0.0.1")
    parts = request_parts(environ | {"SSL_CLIENT_CERT": "-----BEGIN", "REMOTE_ADDR": ""})
    assert (parts.peer, parts.certificate) == (None, "-----BEGIN")


@pytest.mark.attack("A-D-5", "A-F-11")
def test_judged_before() -> None:
    """A proof is asked for again by another server, and of what has become another request; nobody stays let in."""
    world = World(MockAS(audience="https://api.example.test"))
    ours, others = [world.blocking(dpop="optional", external_url=url) for url in (BASE, "https://other.example.test")]
    token = world.token(scope="read", token_type="DPoP")
    environ = environment(headers=token.dpop("GET", f"{BASE}/things"))
    known = authenticate(ours, environ, ANY_TOKEN)
    assert authenticate(ours, environ, Requirement.of("read")) is environ[PRINCIPAL] is known
    with pytest.raises(InvalidDPoPProof):
        authenticate(others, environ, ANY_TOKEN)
    assert PRINCIPAL not in environ
    authenticate(ours, environ, ANY_TOKEN)
    with pytest.raises(InvalidDPoPProof):
        authenticate(ours, environ | {"PATH_INFO": "/others"}, ANY_TOKEN)


@pytest.mark.parametrize(
    ("path", "told", "expected"),
    [
        ("/a/b", {}, b"/a/b"),
        ("/a b/\u00e9", {}, b"/a%20b/%C3%A9"),
        ("/a/b", {"RAW_URI": "/a%2Fb?x=/c"}, b"/a%2Fb"),
        ("/a/b", {"REQUEST_URI": "/a%2fb"}, b"/a%2fb"),
        ("/a/b", {"REQUEST_URI": "https://evil.example/a%2Fb?x"}, b"/a%2Fb"),
        ("/b", {"SCRIPT_NAME": "/a", "RAW_URI": "/a%2Fb"}, b"/a%2Fb"),
        ("/b", {"SCRIPT_NAME": "/a"}, b"/a/b"),
        ("/rewritten", {"RAW_URI": "/a%2Fb"}, b"/rewritten"),
        ("/b", {"SCRIPT_NAME": "/prefix", "RAW_URI": "/b"}, b"/prefix/b"),
        ("/a;b/(c)", {}, b"/a;b/(c)"),
        ("", {"RAW_URI": "*"}, b""),
    ],
)
def test_path_as_sent(path: str, told: dict[str, Any], expected: bytes) -> None:
    """The path is that of the request line where the server tells it and nobody has rewritten it since."""
    assert request_parts(environment(path=path, headers={"DPoP": "proof"}, **told)).path == expected


@pytest.mark.parametrize(
    ("told", "expected"), [("/a", "/a"), ("/\xc3\xa9", "/\u00e9"), ("/\xff", "/\ufffd"), ("a", "a"), ("", "")]
)
def test_routed_path(told: str, expected: str) -> None:
    """The path is decoded as frameworks do."""
    assert routed_path({"PATH_INFO": told}) == expected


def test_routed_path_is_missing() -> None:
    """A server may leave the path out where it is empty."""
    assert routed_path({}) == ""


@pytest.mark.attack("A-R-5")
@pytest.mark.parametrize(
    ("methods", "method", "content_type"),
    [(TokenMethods(), "POST", FORM), (FORMS, "GET", FORM), (FORMS, "POST", "multipart/form-data")],
    ids=["off", "get", "multipart"],
)
def test_body_is_left_alone(methods: TokenMethods, method: str, content_type: str) -> None:
    """Where no token can be in it, not a byte of the body is read."""
    environ = environment(method, body=b"access_token=a", content_type=content_type)
    assert read_parts(environ, methods).form is None
    assert environ["wsgi.input"].reads == 0


def test_form() -> None:
    """A form is read whole, and the application reads it again."""
    environ = environment("POST", body=b"access_token=a", content_type=FORM)
    assert read_parts(environ, FORMS).form == b"access_token=a"
    assert read_parts(environ, FORMS).form == b"access_token=a"
    assert environ["wsgi.input"].read() == b"access_token=a"


@pytest.mark.parametrize(
    ("body", "changes", "left"),
    [
        (b"a" * (MAX_FORM_BYTES + 1), {}, MAX_FORM_BYTES + 1),
        (b"a=b", {"CONTENT_LENGTH": "-3"}, 3),
        (b"a=b", {"CONTENT_LENGTH": "\u00b3"}, 3),
        (b"a=b", {"CONTENT_LENGTH": "9"}, 3),
        (b"a=b", {"CONTENT_LENGTH": "9" * 5_000}, 3),
        (b"a=\xff", {}, 3),
        (b"a=b", {"HTTP_TRANSFER_ENCODING": "chunked"}, 3),
    ],
    ids=["long", "negative", "superscript", "cut short", "no number for Python", "not ASCII", "of no length"],
)
def test_no_token_in_it(body: bytes, changes: dict[str, Any], left: int) -> None:
    """In what is too long, cut short, no form or of unknown length no token is looked for; all of it is still there."""
    environ = environment("POST", body=body, content_type=FORM, **changes)
    assert read_parts(environ, FORMS).form is None
    assert len(environ["wsgi.input"].read()) == left


def test_no_length() -> None:
    """Without a length there is no body, as frameworks see it."""
    assert read_parts(environment("POST", content_type=FORM, CONTENT_LENGTH=""), FORMS).form == b""


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"access_token=a", b"access_token=a"),
        (b"a=\xff", None),
        (b"a" * MAX_FORM_BYTES, b"a" * MAX_FORM_BYTES),
        (b"a" * (MAX_FORM_BYTES + 1), None),
        (b"a" * (3 * MAX_FORM_BYTES), None),
    ],
    ids=["short", "not ASCII", "longest", "too long", "much too long"],
)
def test_chunks(body: bytes, form: bytes | None) -> None:
    """A form in chunks is read as far as a token is looked for, and the application reads it from its beginning."""
    chunked: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "Chunked", "wsgi.input_terminated": True}
    environ = environment("POST", body=b"", content_type=FORM, **chunked) | {"wsgi.input": BytesIO(body)}
    assert read_parts(environ, FORMS).form == form
    assert environ["wsgi.input"].read(5) == body[:5]
    assert environ["wsgi.input"].read() == body[5:]
