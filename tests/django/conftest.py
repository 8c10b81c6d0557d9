"""What the tests of Django and of Django REST framework share."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.django_project import DOORS, Open, configure, projects
from tests.support.fastapi_app import ISSUER, ScriptedAS
from tests.support.jwt import AUDIENCE
from tests.support.promises import CLIENT_SECRET, logs_keep_secrets

__all__ = ["logs_keep_secrets"]

configure()


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows a few tokens."""
    return ScriptedAS()


@pytest.fixture
def options(authorization_server: ScriptedAS) -> dict[str, Any]:
    """Give the setting by which a project asks that authorization server."""
    return {
        "transport": authorization_server.transport(),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "client_id": "rs",
        "client_secret": CLIENT_SECRET,
        "introspection_endpoint": f"{ISSUER}/introspect",
        "jwks_uri": f"{ISSUER}/jwks",
    }


@pytest.fixture(params=DOORS)
def open_project(request: pytest.FixtureRequest) -> Generator[Open]:
    """Open projects, by each of the two doors."""
    with projects(request.param) as opened:
        yield opened


@pytest.fixture
def open_wsgi() -> Generator[Open]:
    """Open projects for WSGI."""
    with projects("wsgi") as opened:
        yield opened


@pytest.fixture
def open_asgi() -> Generator[Open]:
    """Open projects for ASGI."""
    with projects("asgi") as opened:
        yield opened
