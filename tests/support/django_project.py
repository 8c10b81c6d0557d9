"""A Django project in this process: its settings are configured once, and overridden for each test.

Whoever has to do with Django in a test asks for ``configure`` first; nobody configures settings of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import django
import httpx
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

from tests.support import wsgi
from tests.support.answer import Answer
from tests.support.promises import PRESENTED

MIDDLEWARE = "resource_server.django.BearerTokenMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
DOORS = ("wsgi", "asgi")
"""The two ways into a Django project."""


def configure() -> None:
    """Configure Django, where nobody has done so yet."""
    if settings.configured:
        return
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "resource_server.django",
            "rest_framework",
        ],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[MIDDLEWARE, CSRF],
        ROOT_URLCONF=urlconf(),
        SECRET_KEY="made-up",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        USE_TZ=True,
    )
    django.setup(set_prefix=False)


def urlconf(*patterns: Any) -> ModuleType:
    """Make a module that lists routes."""
    module = ModuleType("urls")
    vars(module)["urlpatterns"] = list(patterns)
    return module


class Project:
    """The project under test, entered by one of its doors.

    Args:
        door: ``wsgi`` or ``asgi``.
    """

    def __init__(self, door: str) -> None:
        """Load the middleware."""
        self.door = door
        self.wsgi = WSGIHandler() if door == "wsgi" else None
        self.asgi = ASGIHandler() if door == "asgi" else None

    def call(
        self,
        method: str = "GET",
        path: str = "/things",
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> Answer:
        """Send one request."""
        if self.wsgi is not None:
            sent = wsgi.environment(
                method, path, token=token, headers=headers, query=query, body=body, content_type=content_type
            )
            return wsgi.send(self.wsgi, sent)
        fields = dict(headers or {})
        if token is not None:
            PRESENTED.add(token)
            fields["authorization"] = f"Bearer {token}"
        if content_type:
            fields["content-type"] = content_type
        url = f"http://api.example.test{path}" + (f"?{query}" if query else "")
        return asyncio.run(self.send(method, url, headers=fields, content=body))

    async def send(self, method: str, url: str, **sent: Any) -> Answer:
        """Send one request, in an event loop."""
        # Not by a client: that would write the query down in its log.
        transport = httpx.ASGITransport(cast("Any", self.asgi))
        response = await transport.handle_async_request(httpx.Request(method, url, **sent))
        await response.aread()
        return Answer.of(response)


Open = Callable[..., Project]


@contextmanager
def projects(door: str = "wsgi") -> Generator[Open]:
    """Open projects, one after the other, and leave no trace of them."""
    configure()
    entered: list[override_settings] = []

    def open_project(
        *patterns: Any, server: Any, middleware: Iterable[str] = (MIDDLEWARE, CSRF), **more: Any
    ) -> Project:
        overridden = override_settings(
            ROOT_URLCONF=urlconf(*patterns), MIDDLEWARE=list(middleware), RESOURCE_SERVER=server, **more
        )
        overridden.enable()
        entered.append(overridden)
        return Project(door)

    try:
        yield open_project
    finally:
        for overridden in reversed(entered):
            overridden.disable()
