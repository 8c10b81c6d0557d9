"""Django: ``BearerTokenMiddleware`` in ``MIDDLEWARE``, ``@require("scope")`` at a view, ``@public`` where all may come.

The middleware denies by default. It judges when the view of a request is known and before it runs, by what that view
demands: no path is compared with anything. The options are the setting ``RESOURCE_SERVER``, or the environment.
"""

from resource_server.django._audit import unprotected_routes
from resource_server.django._call import principal_of
from resource_server.django._demands import public, require
from resource_server.django._servers import async_server, blocking_server
from resource_server.django.middleware import BearerTokenMiddleware

__all__ = [
    "BearerTokenMiddleware",
    "async_server",
    "blocking_server",
    "principal_of",
    "public",
    "require",
    "unprotected_routes",
]
