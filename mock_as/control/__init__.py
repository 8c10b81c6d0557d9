"""The control plane under ``/_mock``: what a test can do in Python, over HTTP and in JSON.

Whatever is asked wrongly is answered with a problem document that names the field, and changes nothing.

References: RFC 9457
"""

from __future__ import annotations

from fastapi import FastAPI

from mock_as import console
from mock_as.control import (
    authorize,
    clock,
    faults,
    identities,
    issuers,
    keys,
    manual,
    notices,
    problems,
    requests,
    state,
    tokens,
)
from mock_as.control.context import PREFIX
from mock_as.control.guard import Guard
from mock_as.pages import HomePagesOnly
from mock_as.version import package_version

__all__ = ["CONCERNS", "create_control_app"]

CONCERNS = (state, tokens, keys, clock, faults, requests, identities, issuers, authorize, notices)
"""The modules of the control plane, each of which has a router."""


def create_control_app() -> FastAPI:
    """Build the control plane; it has no state, because each request says in its scope whose it is."""
    app = FastAPI(
        title="Mock authorization server",
        version=package_version(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    for concern in CONCERNS:
        app.include_router(concern.router, responses=problems.RESPONSES)
    manual.install(app)
    console.install(app)
    problems.install(app)
    app.add_middleware(Guard)
    app.add_middleware(HomePagesOnly)
    return app
