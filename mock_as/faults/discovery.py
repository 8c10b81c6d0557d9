"""Metadata that leads a client astray.

References: RFC 8414 section 3.3 (what a client checks)
"""

from __future__ import annotations

from collections.abc import Callable

from mock_as.faults.action import Action, Scene
from mock_as.faults.documents import always, with_member, with_value, without
from mock_as.messages import json_answer
from mock_as.tokens.defects import ATTACKER, OTHER_ISSUER

_HERE = frozenset({"discovery"})
_NOT_FOUND = json_answer({"title": "Not Found", "status": 404}, 404, {"content-type": "application/problem+json"})


def _at_attacker(url: object, _scene: Scene) -> str:
    return f"{ATTACKER}/{_after_scheme(url).partition('/')[2]}"


def _insecure(url: object, _scene: Scene) -> str:
    return f"http://{_after_scheme(url)}"


def _after_scheme(url: object) -> str:
    return str(url or "").partition("://")[2]


def _moved(name: str, description: str, move: Callable[[object, Scene], str] = _at_attacker) -> Action:
    return Action(description, with_member(name, move), _HERE)


ACTIONS: dict[str, Action] = {
    "issuer_other": Action("The issuer is another.", with_value("issuer", OTHER_ISSUER), _HERE),
    "issuer_trailing_slash": Action(
        "The issuer has a slash at its end that it should not have.",
        with_member("issuer", lambda issuer, _scene: f"{issuer}/"),
        _HERE,
    ),
    "jwks_uri_missing": Action("It is not said where the keys are.", without("jwks_uri"), _HERE),
    "jwks_uri_other_host": _moved("jwks_uri", "The keys are said to be at a host of somebody else."),
    "jwks_uri_http": _moved("jwks_uri", "The keys are said to be fetched without TLS.", _insecure),
    "introspection_missing": Action("It is not said where introspection is.", without("introspection_endpoint"), _HERE),
    "introspection_other_host": _moved(
        "introspection_endpoint", "Introspection is said to be at a host of somebody else."
    ),
    "auth_methods_absent": Action(
        "It is not said how clients authenticate.",
        without(
            "token_endpoint_auth_methods_supported",
            "introspection_endpoint_auth_methods_supported",
            "revocation_endpoint_auth_methods_supported",
        ),
        _HERE,
    ),
    "not_found": Action("There is no metadata: 404.", always(_NOT_FOUND), _HERE),
}
