"""What is sent to every front door, and the status that it gets: each case is a rule of the project, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_as import Token
from tests.parity.world import BASE, METADATA, Sent, World
from tests.support.promises import PRESENTED

Asked = Callable[[World], Sent | list[Sent]]


@dataclass(frozen=True, slots=True)
class Case:
    """A request, or several of which the last one is looked at."""

    asked: Asked
    """Makes what is sent, out of a world that it may bring into disorder."""
    status: int
    """That of FastAPI's door; other doors may differ where docs/front-doors.md says so."""
    error: str | None = None
    """The error code of the challenge, where there is one."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The resource server's, beyond the usual ones."""


def authorization(value: bytes) -> tuple[bytes, bytes]:
    """Write the field; what is in it is looked for afterwards in everything that others can read."""
    PRESENTED.add(value.partition(b" ")[2].decode("latin-1"))
    return b"authorization", value


def bearer(token: Token | str, path: str = "/things", method: str = "GET", **more: Any) -> Sent:
    """Send a token as most do."""
    value = token.value if isinstance(token, Token) else token
    return Sent(method, path, headers=(authorization(b"Bearer " + value.encode("latin-1")),), **more)


def with_token(path: str = "/things", method: str = "GET", **facts: Any) -> Asked:
    """Send a token of which something is said."""
    return lambda world: bearer(world.token(**facts), path, method)


def saying(*values: bytes, path: str = "/things", method: str = "GET") -> Asked:
    """Send these ``Authorization`` fields and no token that was ever issued."""
    return lambda _world: Sent(method, path, headers=tuple(map(authorization, values)))


def plain(method: str = "GET", path: str = "/things", *headers: tuple[bytes, bytes], **more: Any) -> Asked:
    """Send no token."""
    return lambda _world: Sent(method, path, headers=headers, **more)


def _revoked(world: World) -> Sent:
    token = world.token(format="opaque")
    world.mock_as.revoke(token)
    return bearer(token)


def _two(second: bytes | None) -> Asked:
    def asked(world: World) -> Sent:
        first = b"Bearer " + world.token().value.encode()
        return Sent(headers=(authorization(first), authorization(second or first)))

    return asked


def _joined(world: World) -> Sent:
    value = b"Bearer " + world.token().value.encode()
    return Sent(headers=(authorization(value + b", " + value),))


def _spelled(scheme: bytes) -> Asked:
    return lambda world: Sent(headers=(authorization(scheme + b" " + world.token().value.encode()),))


def proven(
    path: str = "/things",
    claimed: str = "/things",
    *,
    base: str = BASE,
    method: str = "GET",
    fields: tuple[bytes, ...] = (b"dpop",),
) -> Asked:
    """Send a bound token with a proof for one path to a path."""

    def asked(world: World) -> Sent:
        token = world.token(token_type="DPoP")
        pairs = [(name.lower().encode(), value.encode()) for name, value in token.dpop(method, base + claimed).items()]
        PRESENTED.update(value.decode() for name, value in pairs if name == b"dpop")
        kept = tuple((name, value) for name, value in pairs if name == b"authorization" or name in fields)
        return Sent(method, path, headers=kept)

    return asked


def _replayed(world: World) -> list[Sent]:
    sent = proven()(world)
    assert isinstance(sent, Sent)
    return [sent, sent]


def _downgraded(world: World) -> Sent:
    return bearer(world.token(token_type="DPoP"))


def _in_query(world: World) -> Sent:
    return Sent(query=b"access_token=" + world.token().value.encode())


def _in_form(world: World) -> Sent:
    body = b"access_token=" + world.token().value.encode()
    form = (b"content-type", b"application/x-www-form-urlencoded")
    return Sent("POST", headers=(form, (b"content-length", str(len(body)).encode())), body=body)


def _in_query_too(world: World) -> Sent:
    return bearer(world.token()).but(query=_in_query(world).query)


def _in_query_by_other_names(world: World) -> Sent:
    token = world.token().value.encode()
    names = (b"access_token[]", b"ACCESS_TOKEN", b"a=b;access_token", b"a=access_token", b"access_token%20")
    return Sent(query=b"&".join(name + b"=" + token for name in names))


def _in_form_too(world: World) -> Sent:
    return _in_form(world).plus(*bearer(world.token()).headers)


def _in_form_of(method: str) -> Asked:
    return lambda world: _in_form(world).but(method=method)


def _in_body(content_type: bytes, before: bytes, after: bytes) -> Asked:
    def asked(world: World) -> Sent:
        body = before + world.token().value.encode() + after
        fields = ((b"content-type", content_type), (b"content-length", str(len(body)).encode()))
        return Sent("POST", headers=fields, body=body)

    return asked


def _in_cookie(world: World) -> Sent:
    token = world.token().value.encode()
    return Sent(headers=((b"cookie", b"access_token=" + token + b"; Authorization=Bearer " + token),))


def _down(path: str = "/things", **facts: Any) -> Asked:
    def asked(world: World) -> Sent:
        token = world.token(**facts)
        world.mock_as.fault("introspect", status=503)
        return bearer(token, path)

    return asked


def _too_many(_world: World) -> list[Sent]:
    return [bearer(value) for value in ("one-unknown-token", "another-unknown-token", "yet-another-token")]


def _with_fields(*headers: tuple[bytes, bytes], path: str = "/things", **facts: Any) -> Asked:
    return lambda world: bearer(world.token(**facts), path).plus(*headers)


def _authenticated(ago: float) -> Asked:
    def asked(world: World) -> Sent:
        return bearer(world.token(claims={"auth_time": int(world.mock_as.clock.now() - ago)}), "/recent")

    return asked


def _sending(
    body: bytes, content_type: bytes, method: str = "PUT", path: str = "/things", *more: tuple[bytes, bytes]
) -> Asked:
    fields = ((b"content-type", content_type), (b"content-length", str(len(body)).encode()), *more)
    return plain(method, path, *fields, body=body)


JSON = b"application/json"
PREFLIGHT = (
    (b"origin", b"https://app.example.test"),
    (b"access-control-request-method", b"GET"),
    (b"access-control-request-headers", b"authorization"),
)
XHR = (b"x-requested-with", b"XMLHttpRequest")
DPOP = {"dpop": "optional"}
QUERY = {"query_token": True}
FORM = {"form_token": True}
LIMITED = {"rate_limit": 0.1, "rate_limit_burst": 2}

CASES: Mapping[str, Case] = {
    # What a token is.
    "no token": Case(plain(), 401),
    "a good token, a JWT": Case(with_token(), 200),
    "a good token, opaque": Case(with_token(format="opaque"), 200),
    "an expired token": Case(with_token(defect="expired"), 401, "invalid_token"),
    "a revoked token": Case(_revoked, 401, "invalid_token"),
    "a token for another audience": Case(with_token(defect="wrong_aud"), 401, "invalid_token"),
    "an ID token": Case(with_token(defect="id_token"), 401, "invalid_token"),
    "a token of another authorization server": Case(with_token(defect="wrong_iss"), 401, "invalid_token"),
    "a token with a bad signature": Case(with_token(defect="bad_signature"), 401, "invalid_token"),
    "a token that nobody issued": Case(saying(b"Bearer never-issued-by-anybody"), 401, "invalid_token"),
    "a token of 20 kB": Case(saying(b"Bearer " + b"x" * 20_000), 401, "invalid_token"),
    # How it is sent.
    "an empty Authorization": Case(saying(b""), 401),
    "a scheme without a token": Case(saying(b"Bearer"), 400, "invalid_request"),
    "a scheme, a space, no token": Case(saying(b"Bearer "), 400, "invalid_request"),
    "a token with bytes beyond ASCII": Case(saying(b"Bearer \xc3\xa9t\xc3\xa9-never-issued"), 401, "invalid_token"),
    "two words for a token": Case(saying(b"Bearer never issued"), 400, "invalid_request"),
    "two fields, the same": Case(_two(None), 400, "invalid_request"),
    "two fields, different": Case(_two(b"Bearer never-issued-by-anybody"), 400, "invalid_request"),
    "two fields, Bearer and Basic": Case(_two(b"Basic dXNlcjpwYXNzd29yZA=="), 400, "invalid_request"),
    "one field, two tokens with a comma": Case(_joined, 400, "invalid_request"),
    "bearer in lower case": Case(_spelled(b"bearer"), 200),
    "Basic": Case(saying(b"Basic dXNlcjpwYXNzd29yZA=="), 401),
    "a token in the query, which is off": Case(_in_query, 401),
    "a token in the query, which is on": Case(_in_query, 200, options=QUERY),
    "a token in the query and one in the field": Case(_in_query_too, 400, "invalid_request", QUERY),
    "a token in a form, which is off": Case(_in_form, 401),
    "a token in a form, which is on": Case(_in_form, 200, options=FORM),
    "a token in a form and one in the field": Case(_in_form_too, 400, "invalid_request", FORM),
    "a token in the form of a GET": Case(_in_form_of("GET"), 401, options=FORM),
    "a token in JSON": Case(_in_body(JSON, b'{"access_token": "', b'"}'), 401, options=FORM),
    "a token in plain text": Case(_in_body(b"text/plain", b"access_token=", b""), 401, options=FORM),
    "a token in a form of several parts": Case(
        _in_body(
            b"multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="access_token"\r\n\r\n',
            b"\r\n--b--\r\n",
        ),
        401,
        options=FORM,
    ),
    "a token in the query under another name": Case(_in_query_by_other_names, 401, options=QUERY),
    "a token in a cookie": Case(_in_cookie, 401),
    # Tokens that are bound to a key.
    "DPoP where it is off": Case(proven(), 401),
    "DPoP with a proof": Case(proven(), 200, options=DPOP),
    "DPoP without a proof": Case(proven(fields=()), 401, "invalid_dpop_proof", DPOP),
    "DPoP with a proof for another path": Case(proven(claimed="/both"), 401, "invalid_dpop_proof", DPOP),
    "DPoP with a proof that was used before": Case(_replayed, 401, "invalid_dpop_proof", DPOP),
    "a bound token as a bearer token": Case(_downgraded, 401, "invalid_token", DPOP),
    "no token where a proof is required": Case(plain("GET", "/bound"), 401),
    "DPoP where it is required": Case(proven("/bound", "/bound"), 200),
    "a token bound to a certificate that is not shown": Case(
        with_token(cnf={"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}), 401, "invalid_token"
    ),
    # What the route demands.
    "too little scope": Case(with_token(scope="write"), 403, "insufficient_scope"),
    "one of two scopes": Case(with_token("/both"), 403, "insufficient_scope"),
    "both of two scopes": Case(with_token("/both", scope="read write"), 200),
    "a hidden route, no token": Case(plain("GET", "/hidden"), 401),
    "a hidden route, too little scope": Case(with_token("/hidden"), 404),
    "a hidden route, enough scope": Case(with_token("/hidden", scope="admin"), 200),
    "another audience is demanded": Case(with_token("/elsewhere"), 401, "invalid_token"),
    "another audience is demanded and there": Case(
        with_token("/elsewhere", aud=["https://api.example.test", "https://other.example.test"]), 200
    ),
    "a class of authentication is demanded": Case(with_token("/gold"), 401, "insufficient_user_authentication"),
    "a class of authentication is demanded and there": Case(with_token("/gold", claims={"acr": "gold"}), 200),
    "authentication too long ago": Case(_authenticated(600), 401, "insufficient_user_authentication"),
    "authentication a moment ago": Case(_authenticated(10), 200),
    # What the client would rather have.
    "a script's request, no token": Case(plain("GET", "/ajax", XHR), 403),
    "a script's request, a bad token": Case(
        lambda _world: bearer("never-issued-by-anybody", "/ajax").plus(XHR), 403, "invalid_token"
    ),
    "a script's request, a good token": Case(_with_fields(XHR, path="/ajax"), 200),
    "a script's request elsewhere": Case(plain("GET", "/things", XHR), 401),
    "Accept: application/json": Case(_with_fields((b"accept", JSON), scope="write"), 403, "insufficient_scope"),
    "Accept: application/problem+json": Case(
        _with_fields((b"accept", b"application/problem+json"), scope="write"), 403, "insufficient_scope"
    ),
    # The authorization server is away.
    "an outage": Case(_down(format="opaque"), 401, "invalid_token"),
    "an outage, a route that says 503": Case(_down("/live", format="opaque"), 503),
    "an outage, a JWT": Case(_down(), 200),
    "an outage, a JWT, a route that wants to be sure": Case(_down("/asked"), 401, "invalid_token"),
    "too many tokens that nobody issued": Case(_too_many, 429, options=LIMITED),
    # Methods and bodies.
    "HEAD, no token": Case(plain("HEAD"), 401),
    "HEAD, a good token": Case(with_token(method="HEAD"), 200),
    "OPTIONS, no token": Case(plain("OPTIONS"), 401),
    "OPTIONS with an Origin alone": Case(plain("OPTIONS", "/things", PREFLIGHT[0]), 401),
    "a CORS preflight": Case(plain("OPTIONS", "/things", *PREFLIGHT), 401),
    "TRACE, no token": Case(plain("TRACE"), 401),
    "CONNECT, no token": Case(plain("CONNECT"), 401),
    "an unknown method, no token": Case(plain("BREW"), 401),
    "PUT with malformed JSON, no token": Case(_sending(b"{", JSON), 401),
    "PUT with 1 MB, no token": Case(_sending(b"x" * 1_000_000, b"application/octet-stream"), 401),
    "POST of a form, no token": Case(_sending(b"a=b", b"application/x-www-form-urlencoded", "POST"), 401),
    # Paths.
    "a public path, no token": Case(plain("GET", "/public"), 200),
    "a public path, a bad token": Case(saying(b"Bearer never-issued-by-anybody", path="/public"), 200),
    "a path that is not there, no token": Case(plain("GET", "/nowhere"), 404),
    "a path that is not there, a good token": Case(with_token("/nowhere"), 404),
    "a letter of the path escaped, no token": Case(plain("GET", "/%74hings"), 401),
    "a letter of the path escaped, a good token": Case(with_token("/%74hings"), 200),
    "a protected path with two slashes, no token": Case(plain("GET", "//things"), 404),
    "a public path with two slashes, no token": Case(plain("GET", "//public"), 404),
    "a public path with dots to a protected one, no token": Case(plain("GET", "/public/../things"), 404),
    "a public path and a slash, no token": Case(plain("GET", "/public/"), 404),
    "the metadata": Case(plain("GET", METADATA), 200),
    "the metadata, HEAD": Case(plain("HEAD", METADATA), 200),
    "the metadata, POST": Case(plain("POST", METADATA), 405),
    "the metadata, a bad token": Case(saying(b"Bearer never-issued-by-anybody", path=METADATA), 200),
}
