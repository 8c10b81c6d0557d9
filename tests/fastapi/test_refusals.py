"""What a refusal looks like, and what each route can say about that."""

import time
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from resource_server import Assurance, Clock, InsufficientScope, Principal
from resource_server.fastapi import install, require
from tests.support.answer import Answer
from tests.support.asgi import call
from tests.support.fastapi_app import ADMIN, NOBODY, READER, ScriptedAS, active
from tests.support.jwt import access_token, signing_key
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

PROBLEM, OAUTH = "application/problem+json", "application/json"
READ = require("read")
AJAX = [(b"x-requested-with", b"XMLHttpRequest")]


def api(**demands: Any) -> FastAPI:
    """Make an application with one protected route."""
    app = FastAPI()

    @app.get("/things")
    async def things(principal: Annotated[Principal, require("read", **demands)]) -> str:
        return principal.assurance

    return app


@pytest.mark.rfc("9457-3-a", "9457-3-b", "9457-4-a", "9457-x-a")
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, PROBLEM),
        ("", PROBLEM),
        ("*/*", PROBLEM),
        ("application/*", PROBLEM),
        ("text/html, */*;q=0.1", PROBLEM),
        ("application/json", OAUTH),
        ("APPLICATION/JSON", OAUTH),
        ("application/json, application/problem+json", PROBLEM),
        ("application/problem+json;q=0.5, application/json", OAUTH),
        ("application/json;q=0.4, application/problem+json;q=0.5", PROBLEM),
        ("application/json, */*", PROBLEM),
        ("application/json, */*;q=0.8", OAUTH),
        ("application/json;q=nonsense", PROBLEM),
        (", ".join(["text/plain"] * 500), PROBLEM),
    ],
)
async def test_accept(accept: str | None, content_type: str, authorization_server: ScriptedAS) -> None:
    """RFC 9457 §3: problem details, or OAuth's JSON where the client wants plain JSON more; both say the same."""
    app = api()
    install(app, authorization_server.server())
    headers = [] if accept is None else [(b"accept", accept.encode())]
    for token, status, error in ((None, 401, None), ("unknown-canary", 401, "invalid_token"), (NOBODY, 403, None)):
        answer = await call(app, "GET", "/things", token=token, headers=headers)
        scope = None if token == "unknown-canary" else "read"
        assert_refused(answer, status, "insufficient_scope" if status == 403 else error, scope=scope)
        assert answer.header("content-type") == content_type
        assert answer.header("vary") == "Accept"


@pytest.mark.parametrize(("error_format", "content_type"), [("problem", PROBLEM), ("oauth", OAUTH)])
async def test_fixed_format(error_format: str, content_type: str, authorization_server: ScriptedAS) -> None:
    """Where the format is configured the request has no say in it, and the answer does not vary."""
    app = api()
    install(app, authorization_server.server(error_format=error_format))
    for accept in (b"application/json", b"application/problem+json"):
        answer = await call(app, "GET", "/things", token=NOBODY, headers=[(b"accept", accept)])
        assert_refused(answer, 403, "insufficient_scope", scope="read")
        assert answer.header("content-type") == content_type
        assert answer.header("vary") is None


async def test_two_accept_fields(authorization_server: ScriptedAS) -> None:
    """RFC 9110 §5.3: several Accept fields are one list."""
    app = api()
    install(app, authorization_server.server())
    headers = [(b"accept", b"application/problem+json;q=0.1"), (b"accept", b"application/json")]
    answer = await call(app, "GET", "/things", headers=headers)
    assert_refused(answer, 401, scope="read")
    assert answer.header("content-type") == OAUTH


def shop(*, hide_route: bool) -> FastAPI:
    """Make an application in which one object is missing and another is not for everyone."""
    app = FastAPI()

    @app.api_route("/missing", methods=["GET", "HEAD", "POST"], dependencies=[READ])
    async def missing() -> None:
        raise HTTPException(404)

    @app.api_route("/hidden", methods=["GET", "HEAD"], dependencies=[require("admin", hide=hide_route)])
    async def hidden() -> str:
        return "hidden"

    @app.post("/hidden", dependencies=[require("admin", hide=hide_route)])
    async def hidden_body(body: dict[str, int]) -> int:
        return len(body)

    @app.get("/mine", dependencies=[require("read", hide=hide_route)])
    async def mine() -> None:
        raise InsufficientScope(scope=("owner",))

    return app


def comparable(answer: Answer) -> tuple[Any, ...]:
    """Reduce an answer to what a client can see of it."""
    return answer.status, answer.headers, answer.body


@pytest.mark.rfc("9110-15.5.4-a", "9110-15.5.5-a")
@pytest.mark.parametrize("level", ["route", "install"])
async def test_hide(level: str, authorization_server: ScriptedAS) -> None:
    """RFC 9110 §15.5.4: what is forbidden is answered as what is missing, to the last byte, and not to be cached."""
    app = shop(hide_route=level == "route")
    install(app, authorization_server.server(), hide=level == "install")
    sent: dict[str, Any] = {"body": b'{"broken', "content_type": "application/json"}
    for _ in range(2):
        for method, path in (("GET", "/hidden"), ("HEAD", "/hidden"), ("POST", "/hidden"), ("GET", "/mine")):
            missing = await call(app, method, "/missing", token=READER, **sent)
            hidden = await call(app, method, path, token=READER, **sent)
            assert missing.status == 404
            assert missing.header("cache-control") == "no-store"
            assert comparable(hidden) == comparable(missing)
    assert comparable(await call(app, "GET", "/nowhere")) == comparable(await call(app, "GET", "/hidden", token=READER))
    assert_refused(await call(app, "GET", "/hidden"), 401, scope="admin")
    assert_refused(await call(app, "GET", "/hidden", token="unknown-canary"), 401, "invalid_token")
    assert (await call(app, "GET", "/hidden", token=ADMIN)).status == 200


async def test_hide_with_an_own_404(authorization_server: ScriptedAS) -> None:
    """An application's own page for what is missing is also the page for what is hidden; its caching is its own."""
    app = shop(hide_route=True)

    @app.exception_handler(404)
    async def not_found(_: Any, __: Exception) -> Any:
        return HTMLResponse("<p>nothing here</p>", 404, headers={"cache-control": "max-age=5"})

    install(app, authorization_server.server())
    for path in ("/missing", "/hidden", "/mine", "/nowhere"):
        answer = await call(app, "GET", path, token=READER)
        assert (answer.status, answer.body) == (404, b"<p>nothing here</p>")
        assert answer.header("cache-control") == "max-age=5"


@pytest.mark.parametrize("level", ["route", "install"])
async def test_ajax_forbidden(level: str, authorization_server: ScriptedAS) -> None:
    """A script's request gets 403 where it would be 401, with the same challenge, and caches are told what decided."""
    app = api(ajax_forbidden=level == "route")
    install(app, authorization_server.server(), ajax_forbidden=level == "install")
    for token, error in ((None, None), ("unknown-canary", "invalid_token")):
        scope = None if token else "read"
        assert_refused(await call(app, "GET", "/things", token=token), 401, error, scope=scope)
        for value in (b"XMLHttpRequest", b"xmlhttprequest", b" XMLHttpRequest "):
            headers = [(b"x-requested-with", value)]
            answer = await call(app, "GET", "/things", token=token, headers=headers)
            assert_refused(answer, 403, error, scope=scope, forbidden=True)
            assert answer.header("vary") == "Accept, X-Requested-With"
        other = await call(app, "GET", "/things", token=token, headers=[(b"x-requested-with", b"fetch")])
        assert_refused(other, 401, error, scope=scope)
        assert other.header("vary") == "Accept, X-Requested-With"
    narrow = await call(app, "GET", "/things", token=NOBODY, headers=AJAX)
    assert_refused(narrow, 403, "insufficient_scope", scope="read")


async def test_ajax_is_not_forbidden_elsewhere(authorization_server: ScriptedAS) -> None:
    """Without that setting a script's request is answered like any other."""
    app = api()
    install(app, authorization_server.server())
    answer = await call(app, "GET", "/things", headers=AJAX)
    assert_refused(answer, 401, scope="read")
    assert answer.header("vary") == "Accept"


@pytest.mark.parametrize("server_status", [401, 503])
@pytest.mark.parametrize("route_status", [None, 401, 503])
async def test_unavailable_status(
    server_status: int, route_status: int | None, authorization_server: ScriptedAS
) -> None:
    """An outage is a 401 that says `invalid_token`, or a 503 with Retry-After and no challenge; a route can choose."""
    app = api(unavailable_status=route_status)
    install(app, authorization_server.server(unavailable_status=server_status))
    authorization_server.outage = 500
    answer = await call(app, "GET", "/things", token=READER)
    if (route_status or server_status) == 401:
        assert_refused(answer, 401, "invalid_token")
    else:
        assert_unavailable(answer, 5)
    authorization_server.outage = None
    assert (await call(app, "GET", "/things", token=READER)).json() == "introspected"


@pytest.mark.attack("A-C-3")
async def test_assurance(authorization_server: ScriptedAS) -> None:
    """A route that wants introspection does not take what the fallback lets in elsewhere, and calls it an outage."""
    app = FastAPI()

    @app.get("/sure", dependencies=[require("read", assurance=Assurance.INTROSPECTED, unavailable_status=503)])
    async def sure() -> str:
        return "sure"

    @app.get("/things")
    async def things(principal: Annotated[Principal, READ]) -> str:
        return principal.assurance

    authorization_server.outage = 502
    install(app, authorization_server.server())
    token = access_token(signing_key("ES256"), now=time.time())
    for _ in range(2):  # the second time from the cache
        assert (await call(app, "GET", "/things", token=token)).json() == "local"
        assert_unavailable(await call(app, "GET", "/sure", token=token))


async def test_stale_assurance(authorization_server: ScriptedAS) -> None:
    """An earlier yes can be good enough for one route in an outage, and not for another."""
    now = [1000.0]
    app = api(assurance=Assurance.STALE)

    @app.get("/sure", dependencies=[require("read", assurance=Assurance.INTROSPECTED)])
    async def sure() -> str:
        return "sure"

    clock = Clock(time.time, lambda: now[0])
    install(app, authorization_server.server(cache_ttl=60, stale_if_error=60, clock=clock))
    assert (await call(app, "GET", "/things", token=READER)).json() == "introspected"
    authorization_server.outage = 500
    now[0] += 61
    assert (await call(app, "GET", "/things", token=READER)).json() == "stale"
    assert_refused(await call(app, "GET", "/sure", token=READER), 401, "invalid_token")


@pytest.mark.rfc("9700-2.3-a", "9700-2.3-b")
@pytest.mark.attack("A-C-3")
async def test_audience(authorization_server: ScriptedAS) -> None:
    """RFC 9700 §2.3: a route can need an audience of its own, which is judged after every cache hit, as scopes are."""
    app = FastAPI()

    @app.get("/payments", dependencies=[require("read", audience="https://payments.example.test")])
    async def payments() -> str:
        return "payments"

    @app.get("/things", dependencies=[READ])
    async def things() -> str:
        return "things"

    @app.get("/admin", dependencies=[require("admin")])
    async def admin() -> str:
        return "admin"

    api_audience = active()["aud"]
    both = [api_audience, "https://payments.example.test"]
    authorization_server.tokens["paying-canary"] = {**active("read"), "aud": both}
    install(app, authorization_server.server())
    for _ in range(2):
        assert (await call(app, "GET", "/things", token=READER)).status == 200
        assert_refused(await call(app, "GET", "/payments", token=READER), 401, "invalid_token")
        assert_refused(await call(app, "GET", "/admin", token=READER), 403, "insufficient_scope", scope="admin")
        assert (await call(app, "GET", "/payments", token="paying-canary")).status == 200
    assert authorization_server.introspections == 2


@pytest.mark.attack("A-H-3")
async def test_one_description(authorization_server: ScriptedAS) -> None:
    """By default nothing tells a client why its token was refused: expired, unknown and misdirected look alike."""
    app = api()

    @app.get("/payments", dependencies=[require("read", audience="https://payments.example.test")])
    async def payments() -> str:
        return "payments"

    authorization_server.tokens |= REFUSED
    install(app, authorization_server.server())
    answers = [await call(app, "GET", "/things", token=token) for token in [*REFUSED, "malformed*canary"]]
    answers.append(await call(app, "GET", "/payments", token=READER))
    for answer in answers:
        assert_refused(answer, 401, "invalid_token")
    assert len({comparable(answer.unnamed()) for answer in answers}) == 1


async def test_verbose(authorization_server: ScriptedAS) -> None:
    """A server that is told to be verbose says why, in words of its own: a fixed text for each reason."""
    app = api()
    authorization_server.tokens |= REFUSED
    install(app, authorization_server.server(verbose_errors=True))
    told = {}
    for token in REFUSED:
        params = assert_refused(await call(app, "GET", "/things", token=token), 401, "invalid_token")
        told[token] = params["error_description"]
    assert told == {
        "inactive-canary": "The access token is not active",
        "expired-canary": "The access token expired",
        "early-canary": "The access token is not valid yet",
        "misdirected-canary": "The access token is meant for another resource server",
        "foreign-canary": "The access token is from another authorization server",
        "wrong-canary": "The token is not an access token",
        "bound-canary": "The access token is bound to a key or certificate that was not shown",
    }


REFUSED: dict[str, dict[str, Any]] = {
    "inactive-canary": {"active": False},
    "expired-canary": active("read", exp=1),
    "early-canary": active("read", nbf=time.time() + 3600),
    "misdirected-canary": active("read") | {"aud": "https://other.example.test"},
    "foreign-canary": active("read", iss="https://other.example.test"),
    "wrong-canary": active("read", token_use="id"),
    "bound-canary": active("read", cnf={"jkt": "thumbprint"}),
}
