"""An authorization request that has been judged, wherever it came from: the browser, PAR, or a test.

References: RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC 8707 section 2, RFC 9396 section 2,
OpenID Connect Core 1.0 section 3.1.2.1
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, OAuth2Error, UnauthorizedClientError

from mock_as.clients import OPENID_SCOPES, Client
from mock_as.messages import Form
from mock_as.oauth.redirection import RESPONSE_MODES, WayBack, is_registered

PROMPTS = ("none", "login", "consent", "select_account")
"""What a client may say about what the end user shall be asked."""
CHALLENGE_METHODS = ("S256",)
"""How a code may be bound to the client that asked for it; ``plain`` protects nothing that can be read."""
LONGEST = 64 * 1024
"""How many characters a request may have: it is kept for minutes, and anybody can send one."""
REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
"""What the reference of a pushed request begins with: RFC 9126 section 2.2."""
_CHALLENGE = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_LONGEST_NUMBER = 12
_ONCE_ONLY_FOR_THE_WAY = frozenset({"client_id", "redirect_uri"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asks an end user for."""

    client_id: str
    way: WayBack
    names_redirect_uri: bool
    """Whether the request named its redirect URI, so that the token request has to repeat it."""
    scopes: tuple[str, ...]
    resources: tuple[str, ...] = ()
    authorization_details: tuple[Mapping[str, Any], ...] = ()
    nonce: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    """How old the authentication of the end user may be, in seconds."""
    login_hint: str | None = None
    acr: str | None = None
    """The first of the authentication contexts that the client would like."""
    code_challenge: str | None = None
    dpop_jkt: str | None = None
    """The thumbprint of the key that the code is bound to."""


def find_way_back(clients: Mapping[str, Client], parameters: Form) -> WayBack:
    """Find out where an answer may go: until that is known no error may be sent anywhere.

    Args:
        clients: the registered clients by their ids.
        parameters: the request.

    Raises:
        OAuth2Error: the client or its redirect URI is not good, which the end user has to be told.

    References: RFC 6749 section 4.1.2.1
    """
    if parameters.length > LONGEST:
        raise InvalidRequestError(f"The parameters may have {LONGEST} characters together.")
    if parameters.repeated() & _ONCE_ONLY_FOR_THE_WAY:
        raise InvalidRequestError("The client_id or the redirect_uri is there more than once.")
    client = clients.get(parameters.get("client_id", ""))
    if client is None:
        raise OAuth2Error("There is no such client.", error="invalid_client")
    mode = parameters.get("response_mode") or "query"
    return WayBack(
        redirect_uri=_redirect_uri(client, parameters.get("redirect_uri")),
        response_mode=mode if mode in RESPONSE_MODES else "query",
        state=parameters.get("state") or None,
    )


def _redirect_uri(client: Client, asked: str | None) -> str:
    if asked:
        if not is_registered(asked, client.redirect_uris):
            raise InvalidRequestError(
                "The redirect_uri is not one that the client is registered with; the console takes others."
            )
        return asked
    if len(client.redirect_uris) != 1:
        raise InvalidRequestError("The redirect_uri is missing.")
    return client.redirect_uris[0]


def judge(client: Client, way: WayBack, parameters: Form) -> AuthorizationRequest:
    """Judge an authorization request whose client and redirect URI are good.

    Args:
        client: who asks.
        way: where the answer goes.
        parameters: the request.

    Raises:
        OAuth2Error: something is wrong with it, which the client has to be told.
    """
    _judge_form(parameters)
    _judge_response(client, parameters)
    prompts = _prompts(parameters.get("prompt", ""))
    return AuthorizationRequest(
        client_id=client.id,
        way=way,
        names_redirect_uri=bool(parameters.get("redirect_uri")),
        scopes=requested_scopes(client, parameters.get("scope")),
        resources=requested_resources(parameters),
        authorization_details=requested_details(parameters.get("authorization_details")),
        nonce=parameters.get("nonce") or None,
        prompts=prompts,
        max_age=_max_age(parameters.get("max_age")),
        login_hint=parameters.get("login_hint") or None,
        acr=next(iter(parameters.get("acr_values", "").split()), None),
        code_challenge=_code_challenge(client, parameters),
        dpop_jkt=parameters.get("dpop_jkt") or None,
    )


def _judge_form(parameters: Form) -> None:
    if parameters.repeated() - {"resource"}:
        raise InvalidRequestError("A parameter is there more than once.")
    for name in ("request", "registration"):
        if parameters.get(name):
            raise OAuth2Error(f"The parameter {name} is not supported.", error=f"{name}_not_supported")


def _judge_response(client: Client, parameters: Form) -> None:
    wanted = parameters.get("response_type")
    if not wanted:
        raise InvalidRequestError("The response_type is missing.")
    if wanted != "code":
        raise OAuth2Error("The only response_type is code.", error="unsupported_response_type")
    if (parameters.get("response_mode") or "query") not in RESPONSE_MODES:
        raise InvalidRequestError(f"The response_mode must be one of {', '.join(RESPONSE_MODES)}.")
    if not client.check_grant_type("authorization_code"):
        raise UnauthorizedClientError("The client is not registered for the grant authorization_code.")


def _prompts(value: str) -> frozenset[str]:
    prompts = frozenset(value.split())
    if not prompts <= set(PROMPTS) or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequestError(f"The prompt must be none, or some of {', '.join(PROMPTS[1:])}.")
    return prompts


def _max_age(value: str | None) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER):
        raise InvalidRequestError("The max_age must be a number of seconds.")
    return int(value)


def _code_challenge(client: Client, parameters: Form) -> str | None:
    challenge = parameters.get("code_challenge")
    if not challenge:
        if client.is_public:
            raise InvalidRequestError("A public client has to send a code_challenge.")
        if parameters.get("code_challenge_method"):
            raise InvalidRequestError("The code_challenge is missing.")
        return None
    # Without a method it would be plain.
    if parameters.get("code_challenge_method") not in CHALLENGE_METHODS:
        raise InvalidRequestError("The code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequestError("The code_challenge must be 43 to 128 unreserved characters.")
    return challenge


def requested_scopes(client: Client, scope: str | None) -> tuple[str, ...]:
    """Return the scopes that a client asks for; by default all that it may have, but for those of OpenID Connect.

    Args:
        client: who asks.
        scope: the parameter.

    Raises:
        InvalidScopeError: the client may not have one of them.
    """
    asked = tuple(dict.fromkeys(part for part in (scope or "").split(" ") if part))
    if not set(asked) <= set(client.scopes):
        raise InvalidScopeError("The client may not have one of these scopes.")
    return asked or tuple(scope for scope in client.scopes if scope not in OPENID_SCOPES)


def requested_resources(parameters: Form) -> tuple[str, ...]:
    """Return the resources that a token shall be for.

    Args:
        parameters: the request.

    Raises:
        OAuth2Error: one of them is not an absolute URI without a fragment.

    References: RFC 8707 section 2
    """
    resources = tuple(dict.fromkeys(resource for resource in parameters.get_all("resource") if resource))
    for resource in resources:
        if not _is_resource(resource):
            raise OAuth2Error("The resource must be an absolute URI without a fragment.", error="invalid_target")
    return resources


def _is_resource(resource: str) -> bool:
    try:
        parts = urlsplit(resource)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and "#" not in resource


def requested_details(text: str | None) -> tuple[Mapping[str, Any], ...]:
    """Return the authorization details that a client asks for.

    Args:
        text: the parameter, a JSON array of objects that have a type.

    Raises:
        OAuth2Error: it is something else.

    References: RFC 9396 sections 2 and 5
    """
    if not text:
        return ()
    try:
        details = json.loads(text)
    except (ValueError, RecursionError):
        details = None
    if not isinstance(details, list) or not all(_is_detail(detail) for detail in details):
        raise OAuth2Error(
            "The authorization_details must be a JSON array of objects with a type.",
            error="invalid_authorization_details",
        )
    return tuple(details)


def _is_detail(detail: object) -> bool:
    return isinstance(detail, dict) and isinstance(detail.get("type"), str)
