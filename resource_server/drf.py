"""Django REST framework: ``BearerTokenAuthentication``, and ``require("scope")`` among the permission classes.

With the middleware of :mod:`resource_server.django` a request is judged before REST framework sees it, and what is
here finds the judgement. Without it these judge by themselves, and ``exception_handler`` sends the refusals.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Unpack

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, ErrorDetail, NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from resource_server._hosts import header, hides, render
from resource_server._protocol.challenge import CHALLENGE_HEADER
from resource_server.django._call import Demanded, RefusalCode, Refused, admit, call_of, refuse, request_parts
from resource_server.django._demands import DEMANDS, demands_of
from resource_server.django._servers import blocking_server
from resource_server.errors import BearerTokenError, MissingToken, VerificationUnavailable
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Demands, Requirement, Scopes

__all__ = ["BearerTokenAuthentication", "TokenUser", "exception_handler", "require"]


class TokenUser:
    """Who is calling, as REST framework's own permissions and throttles want a user.

    There is no account behind it: it is nobody's staff, and has none of Django's permissions.

    Args:
        principal: who was let in.
    """

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False

    def __init__(self, principal: Principal) -> None:
        """Keep the principal."""
        self.principal = principal

    def __str__(self) -> str:
        """Return the subject, or the client where it acts for nobody."""
        return self.get_username()

    def __eq__(self, other: object) -> bool:
        """Tell whether this is the same caller."""
        return isinstance(other, TokenUser) and self.pk == other.pk

    def __hash__(self) -> int:
        """Agree with ``==``."""
        return hash(self.pk)

    @property
    def pk(self) -> str:
        """What tells callers apart, for throttles: a digest of issuer, subject and client."""
        named = repr((self.principal.issuer, self.principal.subject, self.principal.client_id))
        return urlsafe_b64encode(sha256(named.encode("utf-8", "surrogatepass")).digest()).decode("ascii")

    def get_username(self) -> str:
        """Return the subject, or the client where it acts for nobody."""
        return self.principal.subject or self.principal.client_id or ""

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """Have none of Django's permissions."""
        return False

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """Have none of Django's permissions."""
        return not list(perm_list)


class BearerTokenAuthentication(BaseAuthentication):
    """Authenticate by access token: ``request.auth`` is the principal, ``request.user`` a :class:`TokenUser`.

    A request without a token is left to other authentication classes, and refused by ``require``.
    """

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        """Return the user and the principal, or ``None`` where there is no token.

        Raises:
            APIException: the token is not good for this view.
        """
        try:
            principal = _admit(request, _demanded(request))
        except _Refusal as refusal:
            if isinstance(refusal.error, MissingToken):
                return None
            raise
        return self.user(principal), principal

    def user(self, principal: Principal) -> Any:  # noqa: ANN401 - a user is whatever the project takes for one
        """Return what ``request.user`` is to be: for a subclass to say, where there are accounts."""
        return TokenUser(principal)

    def authenticate_header(self, request: Request) -> str | None:
        """Return the challenge, for what others refuse because nobody has authenticated."""
        try:
            _admit(request, _demanded(request))
        except _Refusal as refusal:
            return refusal.auth_header
        return None


class _Permission(BasePermission):
    """Lets in whoever has what the class demands."""

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002 - REST framework's signature
        _admit(request, getattr(self, DEMANDS))
        return True


def require(*scopes: str | Scopes, **demands: Unpack[Demands]) -> type[BasePermission]:
    """Make a permission class that demands a token, and of it these scopes.

    Args:
        scopes: scope tokens, all of which are needed, or requirements made with ``all_of`` and ``any_of``.
        demands: what else the view demands, as for :func:`resource_server.django.require`.

    Raises:
        ConfigurationError: a scope is not a scope token, or another argument has no such value.
    """
    return type("BearerTokenPermission", (_Permission,), {DEMANDS: (Requirement.of(*scopes, **demands),)})


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """Answer a refusal, for REST framework's setting ``EXCEPTION_HANDLER`` where the middleware is not there.

    Args:
        exc: what was raised.
        context: where; as REST framework tells it.

    Returns:
        The response; of anything else that was raised, what REST framework makes of it.
    """
    # REST framework's views import what its settings name, which may be this module.
    from rest_framework import views  # noqa: PLC0415 - see above

    error, demands = (exc.error, exc.demands) if isinstance(exc, _Refusal) else (exc, ())
    if not isinstance(error, BearerTokenError | VerificationUnavailable):
        return views.exception_handler(error, context)
    views.set_rollback()
    return refuse(_django_request(context["request"]), error, demands)


class _Refusal(APIException):
    """A refusal on its way through REST framework, which could answer it by itself at need."""

    def __init__(self, error: Refused, request: HttpRequest, demands: Demanded) -> None:
        call = call_of(request)
        server = call.server or blocking_server()
        rendered = render(server, request_parts(request).headers, error, call.whole(demands))
        code = RefusalCode(getattr(error, "error", None) or "unauthorized")
        code.error, code.demands = error, demands
        super().__init__(ErrorDetail(HTTPStatus(rendered.status).phrase, code))
        self.error, self.demands = error, demands
        self.status_code = rendered.status
        self.auth_header = header(rendered.headers, CHALLENGE_HEADER.encode("ascii")).decode("ascii")
        self.wait = int(header(rendered.headers, b"retry-after") or 0)


def _admit(request: Request, demands: Demanded) -> Principal:
    """Judge a request, or find it judged."""
    inner = _django_request(request)
    try:
        return admit(inner, demands)
    except (BearerTokenError, VerificationUnavailable) as error:
        if hides(error, call_of(inner).whole(demands)):
            raise NotFound from None  # what the browsable pages take for a no when they ask what somebody may do
        raise _Refusal(error, inner, demands) from None


def _demanded(request: Request) -> Demanded:
    """Return what the view is known to demand."""
    inner = _django_request(request)
    callback = getattr(inner.resolver_match, "func", None)
    return demands_of(callback, inner.method) or (ANY_TOKEN,)


def _django_request(request: Request) -> HttpRequest:
    return request._request  # noqa: SLF001 - where Django's own request is, for as long as REST framework exists
