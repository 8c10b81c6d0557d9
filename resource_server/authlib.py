"""Authlib: ``install(require_oauth, server)``, and a ``ResourceProtector`` of Flask or Django judges as ours does.

Authlib looks at the ``Authorization`` field itself before it asks a validator, and writes refusals itself. ``install``
takes the place of both, by two methods of the one protector that it is given: ``validate_request``, and in Flask
``raise_error_response``, which Authlib offers for that. Decorators, ``current_token`` and signals stay Authlib's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Never

from authlib.oauth2 import OAuth2Error, ResourceProtector
from authlib.oauth2.rfc6749 import MissingAuthorizationError, TokenValidator

from resource_server._hosts import form_length, header, hides, may_hold_token, refuse_proofs_for_nowhere, render
from resource_server._protocol.messages import RequestParts
from resource_server._protocol.problem import ErrorResponse
from resource_server._wsgi import PRINCIPAL, expect_blocking, header_fields, request_parts
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import BearerTokenError, ConfigurationError, MissingToken, VerificationUnavailable
from resource_server.principal import FrozenDict, Principal
from resource_server.requirements import Demands, Requirement, all_of, any_of

__all__ = ["BearerTokenValidator", "Token", "install"]

REMEMBERED = 1024
"""How many different demands are kept as requirements: those of an application that makes none up as it runs."""
_JUDGED = "resource_server.judged"
_SEQUENCES = ("acr_values", "details")


class Token(FrozenDict):
    """What ``current_token`` is: the claims, with the methods that Authlib's own tokens have, and the principal.

    Its members are those of RFC 7662 section 2.2, whoever has told them: ``active``, ``sub``, ``client_id``, ``scope``
    and ``iss`` are there for a JWT too.
    """

    principal: Principal
    """Who is calling."""

    def __init__(self, principal: Principal | None = None) -> None:
        """Begin empty, where the principal is not known yet."""
        super().__init__()
        if principal is not None:
            _fill(self, principal)

    def get_scope(self) -> str:
        """Return the scope tokens granted, with spaces between them."""
        return " ".join(sorted(self.principal.scopes))

    def check_client(self, client: Any) -> bool:  # noqa: ANN401 - a model of the application
        """Tell whether a client is the one that has this token.

        Args:
            client: anything with a ``client_id``.
        """
        return self.principal.client_id is not None and self.principal.client_id == client.client_id

    def is_expired(self) -> bool:
        """Tell whether the token has expired since it was judged."""
        return self.principal.expires_at is not None and self.principal.expires_at <= time.time()

    def is_revoked(self) -> bool:
        """Say no: a request with a revoked token does not come as far as this."""
        return False

    def __repr__(self) -> str:
        """Show what the principal shows: claims are personal data."""
        return f"Token({getattr(self, 'principal', None)!r})"

    def __reduce__(self) -> tuple[type[Token], tuple[Principal]]:  # type: ignore[override]  # more than a dictionary
        """Copy and pickle with the principal."""
        return Token, (self.principal,)


def _fill(token: Token, principal: Principal) -> None:
    told = {
        "active": True,
        "sub": principal.subject,
        "client_id": principal.client_id,
        "scope": " ".join(sorted(principal.scopes)),
        "iss": principal.issuer,
    }
    dict.update(token, principal.claims)
    dict.update(token, {name: value for name, value in told.items() if value is not None})
    token.principal = principal


class BearerTokenValidator(TokenValidator):
    """A validator for ``ResourceProtector.register_token_validator``; :func:`install` registers it, and does more.

    Registered by hand it judges every request whose ``Authorization`` field begins with ``Bearer``, with the status and
    the challenge of this server. Requests without such a field Authlib then refuses itself.

    Args:
        server: what judges.

    Raises:
        ConfigurationError: the server is not a ``BlockingResourceServer``, or takes tokens in the query: the response
            to such a request needs a field that Authlib has no place for (RFC 6750 section 2.3).
    """

    def __init__(self, server: BlockingResourceServer) -> None:
        """Keep what judges."""
        expect_blocking(server)
        if server.token_methods.query:
            raise ConfigurationError("query_token: Authlib cannot tell caches to leave such responses alone")
        super().__init__(server.settings.realm)
        self.server = server
        self._requirement = lru_cache(REMEMBERED)(self._make_requirement)

    def authenticate_token(self, token_string: str) -> Token:  # noqa: ARG002 - judged with the request it came in
        """Return a token of which nothing is known until :meth:`validate_token` has judged it."""
        return Token()

    def validate_token(self, token: Token, scopes: Sequence[str] | None, request: Any, **demands: Any) -> None:  # noqa: ANN401 - Authlib's own, of either framework
        """Judge the request, and fill the token in.

        Args:
            token: what :meth:`authenticate_token` has returned.
            scopes: each with one or more scope tokens; one of them must be granted whole.
            request: Authlib's request.
            demands: what else the view demands.

        Raises:
            OAuth2Error: the request is refused.
        """
        _fill(token, self.judge(scopes, request, **demands).principal)

    def judge(self, scopes: Sequence[str] | None, request: Any, **demands: Any) -> Token:  # noqa: ANN401 - as above
        """Judge a request, whatever is in its ``Authorization`` field.

        Args:
            scopes: each with one or more scope tokens; one of them must be granted whole. ``None`` demands none.
            request: Authlib's request.
            demands: what else the view demands, in the words of :class:`~resource_server.Requirement`.

        Returns:
            The claims.

        Raises:
            MissingAuthorizationError: there is no access token.
            OAuth2Error: the request is refused.
            ConfigurationError: a demand is none.
        """
        original = _original(request)
        requirement = self._requirement(tuple(scopes or ()), *((name, _plain(name, demands[name])) for name in demands))
        parts = _parts(self.server, original)
        try:
            return Token(_authenticate(self.server, original, parts, requirement))
        except (BearerTokenError, VerificationUnavailable) as error:
            if hides(error, requirement):
                _raise_not_found(original)
            rendered = render(self.server, header_fields(_environ(original)), error, requirement)
            raise (_MissingError if isinstance(error, MissingToken) else _RefusedError)(rendered) from None

    def _make_requirement(self, scopes: tuple[str, ...], *demands: tuple[str, Any]) -> Requirement:
        said: Demands = dict(demands)  # type: ignore[assignment]  # judged here
        unknown = sorted(said.keys() - Demands.__optional_keys__)
        if unknown:
            raise ConfigurationError(f"require_oauth knows no {', '.join(unknown)}")
        alternatives = [all_of(*scope.split()) for scope in scopes]
        requirement = Requirement.of(*[any_of(*alternatives)] if alternatives else [], **said)
        refuse_proofs_for_nowhere(self.server, [("of require_oauth", [requirement])])
        return requirement


def install(protector: ResourceProtector, server: BlockingResourceServer) -> None:
    """Let a protector judge as this server does, and answer refusals with its bytes.

    Views say ``@require_oauth("read write")`` for all of several scopes and ``@require_oauth(["read", "write"])`` for
    one of them, as before, and may demand what ``resource_server.flask.require`` knows besides, for instance
    ``@require_oauth("read", unavailable_status=503)``. The protector then asks nobody else: validators that were
    registered with it are not used any more.

    Args:
        protector: Authlib's, of Flask or of Django.
        server: what judges.

    Raises:
        ConfigurationError: the protector has a server already, or this one cannot judge for Authlib.
    """
    if "validate_request" in vars(protector):
        raise ConfigurationError("install(require_oauth, server) comes once per ResourceProtector")
    validator = BearerTokenValidator(server)
    protector.register_token_validator(validator)
    vars(protector)["validate_request"] = validator.judge
    if hasattr(protector, "raise_error_response"):
        vars(protector)["raise_error_response"] = _answer


class _Rendered:
    """A refusal whose bytes are ready, in the form that Authlib takes one apart."""

    def __init__(self, rendered: ErrorResponse) -> None:
        super().__init__()
        self.rendered = rendered
        self.status_code = rendered.status

    def get_body(self) -> list[Any]:
        """Return the members of the body. Django's ``JsonResponse`` writes them as they were written here."""
        return list(json.loads(self.rendered.body).items())

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the fields."""
        return [(name.decode("ascii"), value.decode("ascii")) for name, value in self.rendered.headers]


class _RefusedError(_Rendered, OAuth2Error):
    """There is a token, and it is not good enough; or it cannot be verified."""


class _MissingError(_Rendered, MissingAuthorizationError):
    """There is no token: a view with ``optional=True`` runs all the same."""


def _answer(error: _RefusedError | _MissingError) -> None:
    """Let Flask answer with the bytes as they are: its own way to write JSON sorts them."""
    from authlib.integrations.flask_oauth2.errors import (  # noqa: PLC0415 - where Flask is there
        raise_http_exception,
    )

    raise_http_exception(error.status_code, error.rendered.body, error.get_headers())


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 - of whatever type a demand has
    """Take a demand out of the list that Authlib puts texts in, and make it one that can be looked up."""
    if not isinstance(value, list):
        return value
    return value[0] if len(value) == 1 and name not in _SEQUENCES else tuple(value)


def _original(request: Any) -> Any:  # noqa: ANN401 - of either framework
    """Return the framework's request. Authlib's has copied too little of it."""
    found = request.payload._request  # noqa: SLF001 - there is no public way to it, and tests watch over this one
    unwrap = getattr(found, "_get_current_object", None)  # Flask's stands for whichever request is being answered
    return found if unwrap is None else unwrap()


def _environ(original: Any) -> dict[str, Any]:  # noqa: ANN401 - of either framework
    """Return the environment, or what Django makes to look like one."""
    environ: dict[str, Any] = original.META if _is_django(original) else original.environ
    return environ


def _is_django(original: Any) -> bool:  # noqa: ANN401 - of either framework
    return hasattr(original, "META")


def _authenticate(server: BlockingResourceServer, original: Any, parts: RequestParts, demand: Requirement) -> Principal:  # noqa: ANN401 - of either framework
    """Judge a request; a proof is good once, and may have been used for this very request by an outer decorator."""
    # No variable holds the environment, whose repr shows the token, while an exception may take this frame along.
    known = _environ(original).get(_JUDGED) == (server, parts)
    principal = server.authenticate(parts._replace(proven=known), demand)
    _environ(original).update({_JUDGED: (server, parts), PRINCIPAL: principal})
    return principal


def _parts(server: BlockingResourceServer, original: Any) -> RequestParts:  # noqa: ANN401 - of either framework
    """Collect what is judged: no body, but a short form where a token may be in it, kept for the view."""
    parts = request_parts(_environ(original))
    if not (server.token_methods.form and may_hold_token(parts)):
        return parts
    if form_length(header(parts.headers, b"content-length")) is None:
        return parts
    body: bytes = original.body if _is_django(original) else original.get_data()
    return parts._replace(form=body if body.isascii() else None)


def _raise_not_found(original: Any) -> Never:  # noqa: ANN401 - of either framework
    """Let the framework answer as where there is nothing."""
    if _is_django(original):
        from django.http import Http404  # noqa: PLC0415 - where Django is there

        raise Http404 from None
    from werkzeug.exceptions import NotFound  # noqa: PLC0415 - where Flask is there

    raise NotFound from None
