"""Routes behind what FastMCP puts before an MCP endpoint: its token verifier, and its RequireAuthMiddleware.

FastMCP demands the same scopes of its whole endpoint. To see more than one requirement, the routes here are plain ones
of Starlette, each behind the middleware that FastMCP makes for its own.
"""

import os

from fastmcp.server.auth.middleware import RequireAuthMiddleware
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier
from fastmcp.server.auth.providers.jwt import JWTVerifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

if os.environ.get("VERIFIER") == "jwt":
    verifier = JWTVerifier(
        jwks_uri=os.environ["JWKS_URI"], issuer=os.environ["ISSUER"], audience=os.environ["AUDIENCE"]
    )
else:
    verifier = IntrospectionTokenVerifier(
        introspection_url=os.environ["INTROSPECTION_ENDPOINT"],
        client_id=os.environ["CLIENT_ID"],
        client_secret=os.environ["CLIENT_SECRET"],
        audience=os.environ["AUDIENCE"],
        cache_ttl_seconds=int(os.environ.get("CACHE_SECONDS", "60")),
    )


answer = JSONResponse({"ok": True})


async def public(_request):
    """Answer everybody."""
    return answer


async def create(scope, receive, send):
    """Take a body from those who may."""
    thing = await Request(scope, receive).json()
    await JSONResponse({"item": thing["item"]}, 201)(scope, receive, send)


routes = [
    Route("/read", RequireAuthMiddleware(answer, ["read"]), methods=["GET"]),
    Route("/write", RequireAuthMiddleware(answer, ["write"]), methods=["GET"]),
    Route("/both", RequireAuthMiddleware(answer, ["read", "write"]), methods=["GET"]),
    Route("/things", RequireAuthMiddleware(create, ["write"]), methods=["POST"]),
    Route("/public", public),
]
app = Starlette(routes=routes, middleware=verifier.get_middleware())
