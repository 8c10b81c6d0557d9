"""Real authorization servers, as far as a resource server notices which of them it talks to.

A profile is what such a server does differently from the specifications, or from this one, in answers and metadata;
tokens stay as they are. A standing behaviour is no fault: it is not counted, and no test has to meet it.

References: RFC 7662 section 2.2 (what most of them are about)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mock_as.errors import unknown
from mock_as.faults import Scene
from mock_as.faults.action import HOUR
from mock_as.faults.documents import changed, read_members, without
from mock_as.messages import Answer, json_answer, oauth_error
from mock_as.tokens import looks_like_jwt
from mock_as.tokens.store import as_time

STRICT = "strict"
"""The profile that does nothing differently."""

Behaviour = Callable[[Answer, Scene], Answer]
_OK, _UNAUTHORIZED = 200, 401
_FRACTION = 0.352869


@dataclass(frozen=True, slots=True)
class Profile:
    """What a server does differently."""

    name: str
    description: str
    """What is emulated, in words."""
    behaviours: Mapping[str, tuple[Behaviour, ...]] = field(default_factory=dict[str, tuple[Behaviour, ...]])
    """What becomes of the honest answers, by endpoint and in this order."""

    def behave(self, endpoint: str, answer: Answer, scene: Callable[[], Scene]) -> Answer:
        """Return what the server would answer.

        Args:
            endpoint: which endpoint was asked.
            answer: the honest answer.
            scene: tells where and when; called only where it matters.
        """
        behaviours = self.behaviours.get(endpoint, ())
        if not behaviours:
            return answer
        where = scene()
        for behaviour in behaviours:
            answer = behaviour(answer, where)
        return answer


def named(name: str) -> Profile:
    """Return a profile.

    Args:
        name: what it is called.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]


# --------------------------------------------------------------------------------------------- what they do otherwise


def _where_active(change: Callable[[dict[str, Any], Scene], dict[str, Any]]) -> Behaviour:
    """Say something else of active tokens."""
    return changed(lambda document, scene: change(document, scene) if document.get("active") is True else document)


def _kind(scene: Scene) -> str | None:
    record = scene.tokens.get(scene.token)
    return None if record is None else record.kind


def _client(scene: Scene) -> object:
    record = scene.tokens.get(scene.token)
    return record and record.client_id


def _refuses_jwts(answer: Answer, scene: Scene) -> Answer:
    if answer.status == _OK and looks_like_jwt(scene.token):
        return oauth_error("unsupported_token_type", "Structured tokens are not supported here.")
    return answer


def _wants_credentials(answer: Answer, scene: Scene) -> Answer:
    if answer.status == _UNAUTHORIZED and not scene.caller:
        return oauth_error("invalid_request", "There is no client authentication.")
    return answer


def _oidc_provider_members(document: dict[str, Any], scene: Scene) -> dict[str, Any]:
    left_out = {"jti", "sid"}
    if _kind(scene) == "refresh_token":
        left_out |= {"aud"}
    if document.get("sub") == _client(scene):
        left_out |= {"sub"}
    return {name: value for name, value in document.items() if name not in left_out}


def _float_times(document: dict[str, Any], _scene: Scene) -> dict[str, Any]:
    times = {name: as_time(document.get(name), None) for name in ("exp", "iat")}
    return {**document, **{name: time + _FRACTION for name, time in times.items() if time is not None}}


def _calls_all_access_tokens(document: dict[str, Any], _scene: Scene) -> dict[str, Any]:
    return {**document, "token_type": "access_token"}


def _audience_list(document: dict[str, Any], _scene: Scene) -> dict[str, Any]:
    audience = document.get("aud")
    return {**document, "aud": [audience]} if isinstance(audience, str) else document


def _subject_is_client(document: dict[str, Any], scene: Scene) -> dict[str, Any]:
    return document if "sub" in document else {**document, "sub": _client(scene)}


def _no_empty_scope(document: dict[str, Any], _scene: Scene) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "scope" or value}


def _anything_goes(answer: Answer, scene: Scene) -> Answer:
    if (read_members(answer) or {}).get("active") is True:
        return answer
    times = {"iat": int(scene.now), "exp": int(scene.now) + HOUR}
    return json_answer({"active": True, "iss": scene.issuer, "sub": "subject", "scope": "read write", **times})


def _keycloak_members(document: dict[str, Any], scene: Scene) -> dict[str, Any]:
    kind = "Refresh" if _kind(scene) == "refresh_token" else "Bearer"
    more = {"typ": kind, "azp": document.get("client_id"), "acr": "1"}
    return {**more, **document, "token_type": kind, "realm_access": {"roles": ["offline_access"]}}


def _keycloak_refusal(answer: Answer, _scene: Scene) -> Answer:
    if answer.status != _UNAUTHORIZED:
        return answer
    return oauth_error("invalid_request", "Authentication failed.", _UNAUTHORIZED)


def _empty_refusal(answer: Answer, _scene: Scene) -> Answer:
    return Answer(answer.status, (), b"") if answer.status == _UNAUTHORIZED else answer


def _okta_members(document: dict[str, Any], scene: Scene) -> dict[str, Any]:
    person = {"uid": f"00u{document['sub']}"} if document.get("sub") != _client(scene) and "sub" in document else {}
    return {**document, **person, "token_type": "Bearer"}


def _error_when_inactive(answer: Answer, _scene: Scene) -> Answer:
    if answer.status == _OK and (read_members(answer) or {}).get("active") is False:
        return oauth_error("access_denied", "The resource owner or authorization server denied the request.", 403)
    return answer


_no_token_type = without("token_type")
_no_method_of_introspection = without("introspection_endpoint_auth_methods_supported")

_ALL = (
    Profile(STRICT, "What the specifications say, and nothing else."),
    Profile(
        "oidc-provider",
        "panva's oidc-provider: introspection and revocation of JWTs is 400 `unsupported_token_type`, a request "
        "without credentials is 400 `invalid_request`, no token has `jti` or `sid`, those of clients have no `sub`, "
        "refresh tokens are active without `aud` and `token_type`, and the metadata do not say how a caller of "
        "introspection authenticates.",
        {
            "introspect": (_refuses_jwts, _wants_credentials, _where_active(_oidc_provider_members)),
            "revoke": (_refuses_jwts, _wants_credentials),
            "discovery": (_no_method_of_introspection,),
        },
    ),
    Profile(
        "canaille",
        "Canaille: times have a fraction, the audience is a list, and the type of every token, refresh tokens "
        "included, is `access_token`.",
        {
            "introspect": (
                _where_active(_float_times),
                _where_active(_audience_list),
                _where_active(_calls_all_access_tokens),
            )
        },
    ),
    Profile(
        "nanoidp",
        "nanoidp: the subject of a client's token is the client, and `scope` is left out where none was granted.",
        {"introspect": (_where_active(_subject_is_client), _where_active(_no_empty_scope))},
    ),
    Profile(
        "always-active",
        "A mock that calls everything active, whoever asks about whatever, as axa's does.",
        {"introspect": (_anything_goes,)},
    ),
    Profile(
        "keycloak",
        "Keycloak: introspection has `typ`, `azp`, `acr` and `realm_access` as well, refresh tokens are active with "
        "the type `Refresh`, and a caller whose credentials are wrong gets 401 `invalid_request`.",
        {"introspect": (_where_active(_keycloak_members), _keycloak_refusal)},
    ),
    Profile(
        "duende",
        "Duende IdentityServer: introspection has no `token_type`, and a caller whose credentials are wrong gets 401 "
        "without a body.",
        {
            "introspect": (
                _where_active(
                    lambda document, _scene: {name: value for name, value in document.items() if name != "token_type"}
                ),
                _empty_refusal,
            )
        },
    ),
    Profile(
        "okta",
        "Okta: introspection has `uid` for people, and the type of every token is `Bearer`.",
        {"introspect": (_where_active(_okta_members),)},
    ),
    Profile(
        "error-instead-of-inactive",
        "Janssen, at times: a token that is not active is answered with an error, 403 `access_denied`, and not with "
        "`active: false`.",
        {"introspect": (_error_when_inactive,)},
    ),
)
PROFILES: Mapping[str, Profile] = MappingProxyType({each.name: each for each in _ALL})
"""Every profile, by its name."""
