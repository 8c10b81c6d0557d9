"""The routes of the Django project that is measured: each once as it is, and once with what it demands."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from resource_server import drf
from resource_server.django import require

ORDERS = {"subject": "nobody"}


def orders(_request: HttpRequest) -> JsonResponse:
    """List the orders."""
    return JsonResponse(ORDERS)


class Bare(APIView):
    """The orders, for everybody."""

    def get(self, _request: Request) -> Response:
        """List them."""
        return Response(ORDERS)


class Protected(Bare):
    """The orders, for who may read them."""

    authentication_classes = (drf.BearerTokenAuthentication,)
    permission_classes = (drf.require("orders:read"),)


urlpatterns = [
    path("bare", orders),
    path("orders", require("orders:read")(orders)),
    path("rest/bare", Bare.as_view()),
    path("rest/orders", Protected.as_view()),
]
