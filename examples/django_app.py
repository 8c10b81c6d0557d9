"""An orders API on Django and Django REST framework: one file, which is its settings, its URLs and its views.

Tell RESOURCE_SERVER_ISSUER and its like, then run `gunicorn examples.django_app:application`.
"""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["resource_server.django", "rest_framework"],
    MIDDLEWARE=["resource_server.django.BearerTokenMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["resource_server.drf.BearerTokenAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
)

from rest_framework.decorators import api_view, permission_classes  # noqa: E402 - it reads the settings at once
from rest_framework.request import Request  # noqa: E402 - as above
from rest_framework.response import Response  # noqa: E402 - as above
from rest_framework.views import APIView  # noqa: E402 - as above

from resource_server import drf  # noqa: E402 - as above
from resource_server.django import principal_of, public, require  # noqa: E402 - as above


class Orders(APIView):
    """The orders; each method says what it demands."""

    @method_decorator(require("orders:read"))
    def get(self, request: Request) -> Response:
        """List the orders."""
        caller = principal_of(request)
        return Response({"caller": caller.subject, "assurance": caller.assurance, "orders": []})

    @method_decorator(require("orders:write"))
    def post(self, request: Request) -> Response:
        """Place an order; its body is not read before the token is judged."""
        caller = principal_of(request)
        placed = {"caller": caller.subject, "assurance": caller.assurance, "order": request.data}
        return Response(placed, status=201)


@api_view(["GET"])
@permission_classes([drf.require("admin", hide=True)])
def review_orders(request: Request) -> Response:
    """Review all orders; for everybody else this view does not exist."""
    caller = principal_of(request)
    return Response({"caller": caller.subject, "assurance": caller.assurance, "orders": []})


@public
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """Be well, for everybody."""
    return JsonResponse({"status": "ok"})


urlpatterns = [
    path("orders", Orders.as_view()),
    path("admin/orders", review_orders),
    path("healthz", healthz),
]
application = get_wsgi_application()
