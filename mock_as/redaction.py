"""What of a request and its answer may be shown: no secret, and tokens by their ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mock_as.journal import Entry
from mock_as.messages import Answer, Form

IdOf = Callable[[str], str | None]
"""Returns the id of a token, if it is one that is known."""

_HIDDEN = "***"
_HARMLESS = frozenset(
    {
        "acr_values", "actor_token_type", "audience", "client_assertion_type", "client_id", "code_challenge",
        "code_challenge_method", "display", "grant_type", "max_age", "post_logout_redirect_uri", "prompt",
        "redirect_uri", "requested_token_type", "resource", "response_mode", "response_type", "scope",
        "subject_token_type", "token_type_hint", "ui_locales",
    }
)  # fmt: skip
"""The parameters that are shown as they are; of others nobody knows what they hold."""
_TOKENS = frozenset({"token", "subject_token", "actor_token", "refresh_token", "access_token"})
_SECRETS = frozenset(
    {
        "access_token", "client_secret", "code", "device_code", "id_token", "issued_token", "refresh_token",
        "registration_access_token", "request_uri", "user_code", "verification_uri_complete",
        "d", "dp", "dq", "k", "p", "q", "qi",
    }
)  # fmt: skip
"""The members of an answer that nobody else may know: RFC 6749, RFC 7517, RFC 7591, RFC 8628, RFC 9126."""
_DEEP = 16
_LONG = 4096
_WELL_KNOWN = frozenset({"discovery", "jwks"})
"""The endpoints that always answer the same, and at length."""
_LINE = 400


def public_entry(entry: Entry, id_of: IdOf) -> dict[str, Any]:
    """Return a request and what became of it, as they may be shown.

    Args:
        entry: the entry of the journal.
        id_of: returns the id of a token that is known.
    """
    request = {"endpoint": entry.endpoint, "method": entry.method, "path": entry.path, "client_id": entry.client_id}
    outcome = {"status": entry.status, "fault": entry.fault, "at": entry.at, "duration": entry.duration}
    parameters = {"query": public_form(entry.query, id_of), "form": public_form(entry.form, id_of)}
    answer = None if entry.answer is None else public_answer(entry.answer, id_of)
    return {"number": entry.number, **request, **outcome, "headers": entry.headers, **parameters, "answer": answer}


def written_down(entries: Iterable[Entry], id_of: IdOf) -> str:
    """Write requests down for somebody whose test has failed.

    Args:
        entries: the entries of the journal.
        id_of: returns the id of a token that is known.

    Returns:
        Two lines for each, the second of which is the answer where that says something.
    """
    shown = (public_entry(entry, id_of) for entry in entries)
    return "\n".join(line for entry in shown for line in _lines(entry)) or "no request"


def _lines(entry: Mapping[str, Any]) -> list[str]:
    parameters = [f"{name}={value}" for name, value in {**entry["query"], **entry["form"]}.items()]
    client = [f"by {entry['client_id']}"] if entry["client_id"] is not None else []
    outcome = "no answer" if entry["status"] is None else str(entry["status"])
    fault = [f"fault={entry['fault']}"] if entry["fault"] else []
    request = [f"{entry['endpoint']}: {entry['method']} {entry['path']}", *client, *parameters]
    line = " ".join([*request, "→", outcome, *fault])
    says_something = entry["answer"] is not None and (fault or entry["endpoint"] not in _WELL_KNOWN)
    return [line, f"    {_shortened(entry['answer'])}"] if says_something else [line]


def _shortened(answer: object) -> str:
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def public_form(form: Form, id_of: IdOf) -> dict[str, str]:
    """Return parameters as they may be shown.

    Args:
        form: the parameters.
        id_of: returns the id of a token that is known.
    """
    return {name: _parameter(name, value, id_of) for name, value in form.items()}


def _parameter(name: str, value: str, id_of: IdOf) -> str:
    if name in _HARMLESS:
        return value
    unknown = "unknown token" if name == "token" else _HIDDEN
    return id_of(value) or unknown if name in _TOKENS else _HIDDEN


def public_answer(answer: Answer, id_of: IdOf) -> Any:  # noqa: ANN401 - JSON holds any value
    """Return the document that was answered, as it may be shown; of anything but JSON only how long it is.

    Args:
        answer: the answer.
        id_of: returns the id of a token that is known.
    """
    if len(answer.body) <= _LONG:
        try:
            return _public(json.loads(answer.body), id_of, _DEEP)
        except (ValueError, RecursionError):
            pass
    content_type = dict(answer.headers).get("content-type", "nothing in particular")
    return f"{len(answer.body)} bytes of {content_type}"


def _public(value: Any, id_of: IdOf, depth: int) -> Any:  # noqa: ANN401 - JSON holds any value
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        return {name: _member(name, item, id_of, depth) for name, item in value.items()}
    if isinstance(value, list):
        return [_public(item, id_of, depth - 1) for item in value]
    return id_of(value) or value if isinstance(value, str) else value


def _member(name: str, value: Any, id_of: IdOf, depth: int) -> Any:  # noqa: ANN401 - JSON holds any value
    if name in _SECRETS:
        return (id_of(value) if isinstance(value, str) else None) or _HIDDEN
    return _public(value, id_of, depth - 1)
