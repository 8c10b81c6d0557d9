"""What ``manage.py check`` says."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as Caution

from resource_server.django._audit import middleware_position, unprotected_routes
from resource_server.django._servers import any_server
from resource_server.errors import ConfigurationError

_CSRF = "django.middleware.csrf.CsrfViewMiddleware"


def check_options(**_named: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's signature
    """Say whether the options are acceptable."""
    try:
        any_server()
    except ConfigurationError as error:
        return [Error(str(error), id="resource_server.E001")]
    return []


def check_order(**_named: Any) -> list[CheckMessage]:  # noqa: ANN401 - as above
    """Say whether something reads bodies before tokens are judged."""
    position = middleware_position()
    if position is None or _CSRF not in settings.MIDDLEWARE[:position]:
        return []
    hint = "Put BearerTokenMiddleware before CsrfViewMiddleware in MIDDLEWARE."
    return [Caution("A request's body is read before its token is judged", hint=hint, id="resource_server.W001")]


def check_routes(**_named: Any) -> list[CheckMessage]:  # noqa: ANN401 - as above
    """Say which routes let everybody in."""
    opened = unprotected_routes()
    return [Info(f"No token is needed for {', '.join(opened)}", id="resource_server.I001")] if opened else []
