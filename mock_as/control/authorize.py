"""Log in without a browser, over HTTP."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mock_as.control.context import State, new_router
from mock_as.control.models import Members, Model
from mock_as.logins import Choice

router = new_router("authorize")


class Authorization(Model):
    """What a client asks for, and what a person decides."""

    client_id: str
    sub: str = "alice"
    scope: str | list[str] | None = None
    redirect_uri: str | None = None
    decision: Choice = "allow"
    granted_scope: str | list[str] | None = None
    error: str | None = None
    claims: Members | None = None
    code_challenge: str | None = None
    code_challenge_method: str | None = None
    state: str | None = None
    nonce: str | None = None
    acr_values: str | None = None
    authorization_details: str | None = None
    max_age: str | None = None
    prompt: str | None = None
    request_uri: str | None = None
    resource: str | None = None
    response_mode: str | None = None


@router.post("/authorize")
async def log_in(issuer: State, wanted: Authorization) -> dict[str, Any]:
    """Ask for authorization as a client does, decide as a person does, and show where the browser would be sent."""
    asked = {name: value for name, value in wanted.said().items() if value is not None}
    redirect = issuer.authorize(**asked)
    parts = urlsplit(redirect)
    return {"redirect": redirect, "parameters": dict(parse_qsl(parts.query or parts.fragment))}
