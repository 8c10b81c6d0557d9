"""Answers of introspection that mean something else than they should.

References: RFC 7662 section 2.2
"""

from __future__ import annotations

from typing import Any

from mock_as.faults.action import DAY, HOUR, SECONDS, Action, Scene, Spoil
from mock_as.faults.documents import (
    Document,
    always,
    changed,
    read_claims,
    read_members,
    with_member,
    with_value,
    without,
)
from mock_as.messages import Answer, json_answer, oauth_error
from mock_as.tokens.defects import OTHER_AUDIENCE, OTHER_ISSUER
from mock_as.tokens.store import as_time

_HERE = frozenset({"introspect"})
_TOKENS = frozenset({"introspect", "revoke"})
_CLIENTS = frozenset({"introspect", "revoke", "token", "par", "device", "register"})

_INVALID_CLIENT = oauth_error(
    "invalid_client", "The mock was told to refuse this client.", 401, {"www-authenticate": 'Basic realm="mock-as"'}
)
_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
_THOUSAND = 1000


def _exp(value: Any, scene: Scene) -> int:  # noqa: ANN401 - a member holds any value
    return int(as_time(value, None) or scene.now + HOUR)


def _as_list(value: Any, _scene: Scene) -> list[Any]:  # noqa: ANN401 - see above
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _scope_list(value: Any, _scene: Scene) -> list[Any]:  # noqa: ANN401 - see above
    return value.split() if isinstance(value, str) else []


def _inactive(answer: Answer, scene: Scene) -> Answer:
    """Say so to whoever asks; whoever gets signed answers gets this one signed."""
    if read_claims(answer) is None:
        return json_answer({"active": False})
    return changed(lambda _document, _scene: {"active": False})(answer, scene)


def _flap(document: Document, scene: Scene) -> Document:
    return document if scene.count % 2 else {"active": False}


def _stale(answer: Answer, scene: Scene) -> Answer:
    """Go on as before until the revocation is so many seconds old."""
    record = scene.tokens.get(scene.token)
    if record is None or record.revoked_at is None or scene.now - record.revoked_at >= scene.seconds:
        return answer
    revoked_at, record.revoked_at = record.revoked_at, None
    try:
        return scene.ask(scene.token)
    finally:
        record.revoked_at = revoked_at


def _other_token(answer: Answer, scene: Scene) -> Answer:
    """Answer about the token that was issued last, if it is not this one."""
    for record in reversed(scene.tokens.select()):
        if record.token.value != scene.token and record.is_active(scene.now):
            other = scene.ask(record.token.value)
            if (read_members(other) or {}).get("active") is True:
                return other
    return _made_up(answer, scene)


_made_up = changed(
    lambda document, scene: {
        **document,
        "active": True,
        "sub": "somebody-else",
        "jti": "another-token",
        "exp": int(scene.now) + HOUR,
    }
)


def _member(description: str, spoil: Spoil) -> Action:
    return Action(description, spoil, _HERE)


def _lacks(name: str) -> Action:
    return _member(f"There is no `{name}`.", without(name))


def _is(name: str, description: str, value: object) -> Action:
    return _member(description, with_value(name, value))


ACTIONS: dict[str, Action] = {
    # errors of OAuth
    "invalid_client": Action("The client is refused: 401.", always(_INVALID_CLIENT), _CLIENTS),
    "forbidden": Action(
        "The request is forbidden: 403.", always(oauth_error("access_denied", "The mock was told to forbid this.", 403))
    ),
    "unsupported_token_type": Action(
        "Tokens of this kind are not supported: 400.",
        always(oauth_error("unsupported_token_type", "The mock was told not to support this token.")),
        _TOKENS,
    ),
    "error_200": _member(
        "An error document comes with 200.",
        always(json_answer({"error": "server_error", "error_description": "The mock was told to fail so."})),
    ),
    # active
    "inactive": _member("Every token is inactive.", _inactive),
    "active_missing": _lacks("active"),
    "active_null": _is("active", "`active` is null.", None),
    "active_string": _member(
        "`active` is a text.", with_member("active", lambda active, _scene: str(bool(active)).lower())
    ),
    "active_int": _member("`active` is 0 or 1.", with_member("active", lambda active, _scene: int(bool(active)))),
    "flap": _member("Every second answer is that the token is inactive.", changed(_flap)),
    "stale": Action("A revoked token stays active for so many seconds.", _stale, _HERE, SECONDS),
    "other_tokens_answer": _member("The answer is about another token.", _other_token),
    # times
    "exp_missing": _lacks("exp"),
    "exp_past": _member(
        "The token is active, and has expired an hour ago.",
        with_member("exp", lambda _exp, scene: int(scene.now) - HOUR),
    ),
    "exp_string": _member("`exp` is a text.", with_member("exp", lambda exp, scene: str(_exp(exp, scene)))),
    "exp_float": _member(
        "`exp` has a fraction, which is legal.", with_member("exp", lambda exp, scene: _exp(exp, scene) + 0.5)
    ),
    "exp_ms": _member("`exp` is in milliseconds.", with_member("exp", lambda exp, scene: _exp(exp, scene) * _THOUSAND)),
    "nbf_future": _member(
        "The token is active, and becomes valid tomorrow.",
        with_member("nbf", lambda _nbf, scene: int(scene.now) + DAY),
    ),
    # whose it is, and for whom
    "iss_missing": _lacks("iss"),
    "iss_other": _is("iss", "`iss` is another issuer.", OTHER_ISSUER),
    "aud_missing": _lacks("aud"),
    "aud_other": _is("aud", "`aud` is another API.", OTHER_AUDIENCE),
    "aud_list": _member("`aud` is a list, which is legal.", with_member("aud", _as_list)),
    "sub_missing": _lacks("sub"),
    "client_other": _is("client_id", "`client_id` is another client.", "another-client"),
    # what it allows
    "scope_missing": _lacks("scope"),
    "scope_list": _member("`scope` is a list.", with_member("scope", _scope_list)),
    "scope_other": _is("scope", "`scope` is another scope.", "something-else"),
    # what it is
    "token_type_missing": _lacks("token_type"),
    "token_type_dpop": _is("token_type", "`token_type` is DPoP, and the token is not bound.", "DPoP"),
    "token_type_access_token": _is(
        "token_type", "`token_type` is access_token, as some real servers say.", "access_token"
    ),
    "cnf_missing": _lacks("cnf"),
    "cnf_other": _is("cnf", "The token is bound to a key that nobody has.", {"jkt": _THUMBPRINT}),
}
