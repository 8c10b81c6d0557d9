"""A protected API and the mock authorization server that it asks, both in this process."""

from collections import Counter
from typing import Annotated, Any

from fastapi import Body, FastAPI

from mock_as import Client, MockAS, Token
from resource_server import Clock, Event, Principal, ResourceServer
from resource_server.fastapi import install, require
from tests.support.answer import Answer
from tests.support.asgi import RawHeaders, call
from tests.support.promises import CLIENT_SECRET, PRESENTED, assert_promises
from tests.support.told import noting

RS = Client(id="rs", secret=CLIENT_SECRET, introspect=True, auth_methods=("client_secret_basic", "client_secret_post"))
"""The resource server as the authorization server knows it, with a secret that can be looked for."""


def application(entered: Counter[str]) -> FastAPI:
    """Make an application with a public route and routes that need scopes.

    Args:
        entered: counts the calls of each endpoint.
    """
    app = FastAPI()

    @app.api_route("/public", methods=["GET", "POST"])
    async def public() -> str:
        entered["/public"] += 1
        return "public"

    @app.api_route("/things", methods=["GET", "HEAD", "PUT", "PATCH", "DELETE"])
    async def things(principal: Annotated[Principal, require("read")]) -> dict[str, Any]:
        entered["/things"] += 1
        return {"subject": principal.subject, "assurance": principal.assurance, "scopes": sorted(principal.scopes)}

    @app.post("/things", dependencies=[require("read")])
    async def create(n: Annotated[int, Body(embed=True)]) -> int:
        entered["/things"] += 1
        return n

    @app.get("/both", dependencies=[require("read", "write")])
    async def both() -> str:
        entered["/both"] += 1
        return "both"

    return app


class API:
    """The application, its server, and everything that happened to both.

    Args:
        mock_as: the authorization server; its clock is the resource server's too, so that one move moves both.
        options: options of the resource server.
    """

    def __init__(self, mock_as: MockAS, **options: Any) -> None:
        """Install the server; nothing is asked yet."""
        self.mock_as = mock_as
        self.entered: Counter[str] = Counter()
        self.events: list[Event] = []
        self.app = application(self.entered)
        client_id, secret = mock_as.credentials("rs")
        defaults: dict[str, Any] = {
            "issuer": mock_as.issuer,
            "audience": mock_as.options.audience,
            "client_id": client_id,
            "client_secret": secret,
            "transport": mock_as.transport(),
            "clock": Clock(wall=mock_as.clock.now, monotonic=mock_as.clock.now),
            "observer": noting(self.events),
            "retries": 0,  # a fault that is to be met once is met once
        }
        self.server = ResourceServer(**(defaults | options))
        install(self.app, self.server)

    async def send(
        self,
        method: str = "GET",
        path: str = "/things",
        token: Token | str | None = None,
        *,
        authorization: bytes | None = None,
        headers: RawHeaders = (),
        **sent: Any,
    ) -> Answer:
        """Send a request, and hold the answer to what holds for every answer."""
        if authorization is not None:
            PRESENTED.add(authorization.partition(b" ")[2].decode("latin-1"))
            headers = [*headers, (b"authorization", authorization)]
        value = token.value if isinstance(token, Token) else token
        answer = await call(self.app, method, path, token=value, headers=headers, **sent)
        assert_promises(answer)
        return answer

    @property
    def asked(self) -> int:
        """How often the authorization server was asked for anything at all."""
        return self.mock_as.requests().count

    @property
    def introspections(self) -> int:
        """How often it was asked about a token."""
        return self.mock_as.requests("introspect").count
