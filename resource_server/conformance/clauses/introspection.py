"""RFC 7662: what is asked of the authorization server, and how its answers are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resource_server.conformance.authorization_server import CLIENT_ID
from resource_server.conformance.canary import Canary
from resource_server.conformance.clause import Clause, Level, Outcome, Severity, clause, judged
from resource_server.conformance.expect import GRANTED, NOT_GRANTED, Expectation
from resource_server.conformance.stand import Stand

_NEEDS = "introspection"
_FORM = "application/x-www-form-urlencoded"
_NO_CRASH = Expectation("any answer but 500", lambda answer: answer.status not in {0, 500})


@clause(
    "7662-2.1-a", "RFC 7662 section 2.1", "critical", "MUST", "A question is a POST of a form with the token", _NEEDS
)
def question_is_a_form(stand: Stand) -> Outcome:
    """Look at the question in the authorization server's journal."""
    token = stand.token()
    stand.ask(token)
    questions = stand.server.questions("introspect", token)
    seen = [(one["method"], dict(one["headers"]).get("content-type", "").partition(";")[0]) for one in questions]
    met = bool(seen) and all(one == ("POST", _FORM) for one in seen)
    return judged(met=met, expected=f"POST with {_FORM} and the whole token", observed=f"{seen or 'no question'}")


@clause("7662-2.1-b", "RFC 7662 section 2.1", "critical", "MUST", "Whoever asks authenticates", _NEEDS)
def asker_authenticates(stand: Stand) -> Outcome:
    """Look at who has asked."""
    token = stand.token()
    stand.ask(token)
    seen = {str(one["client_id"]) for one in stand.server.questions("introspect", token)}
    return judged(met=seen == {CLIENT_ID}, expected=f"the client {CLIENT_ID}", observed=str(sorted(seen)))


@clause("7662-2.1-c", "RFC 7662 section 4", "critical", "MUST", "The token is not in the URL of the question", _NEEDS)
def token_not_in_the_url(stand: Stand) -> Outcome:
    """Look at the query of each question about a token that was never seen before."""
    before = stand.server.last_number()
    stand.ask(stand.token())
    seen = [one for one in stand.server.questions("introspect", since=before) if one["query"]]
    return judged(met=not seen, expected="no query", observed=f"{len(seen)} questions with a query")


def _answer(
    name: str,
    severity: Severity,
    level: Level,
    title: str,
    expectation: Expectation,
    **said: Any,  # noqa: ANN401 - JSON
) -> Clause:
    """Make a clause about one answer to a question about a token that was never seen before."""

    def probe(stand: Stand) -> Outcome:
        token = stand.token()
        with stand.trouble("introspect", token=token, **said):
            return expectation.of(stand.ask(token))

    return clause(name, f"RFC 7662 section {name.split('-')[1]}", severity, level, title, _NEEDS)(probe)


_INACTIVE = {"active": False, "scope": "read write", "exp": 99999999999, "sub": "alice"}

_ANSWERS = (
    _answer("7662-2.2-a", "critical", "MUST", 'active: "true" is not active', NOT_GRANTED, action="active_string"),
    _answer("7662-2.2-b", "critical", "MUST", "active: 1 is not active", NOT_GRANTED, action="active_int"),
    _answer("7662-2.2-c", "critical", "MUST", "An answer without active is none", NOT_GRANTED, action="active_missing"),
    _answer("7662-2.2-d", "critical", "MUST", "active: null is not active", NOT_GRANTED, action="active_null"),
    _answer(
        "7662-2.2-e",
        "critical",
        "MUST",
        "active: false is a no, whatever else is said",
        NOT_GRANTED,
        status=200,
        body=_INACTIVE,
    ),
    _answer(
        "7662-2.2-f", "critical", "MUST", "What has expired is not let in though active", NOT_GRANTED, action="exp_past"
    ),
    _answer("7662-2.2-g", "critical", "MUST", "Nor is what is not yet valid", NOT_GRANTED, action="nbf_future"),
    _answer(
        "7662-2.2-h", "critical", "MUST", "A token for another audience is not let in", NOT_GRANTED, action="aud_other"
    ),
    _answer("7662-2.2-i", "high", "SHOULD", "Nor is one of another issuer", NOT_GRANTED, action="iss_other"),
    _answer("7662-2.2-j", "critical", "MUST", "A token without scope has none", NOT_GRANTED, action="scope_missing"),
    _answer("7662-2.2-k", "high", "MUST", "An audience may be a list", GRANTED, action="aud_list"),
    _answer(
        "7662-2.2-l", "medium", "practice", "A scope that is a list breaks nothing", _NO_CRASH, action="scope_list"
    ),
    _answer("7662-2.2-m", "medium", "practice", "An exp that is a text breaks nothing", _NO_CRASH, action="exp_string"),
    _answer(
        "7662-2.2-n", "medium", "practice", "An answer that is an array breaks nothing", _NO_CRASH, action="json_array"
    ),
)

_TROUBLE: dict[str, dict[str, Any]] = {
    "401 invalid_client": {"action": "invalid_client"},
    "400": {"status": 400},
    "403": {"status": 403},
    "500": {"status": 500},
    "503": {"status": 503},
    "no JSON": {"action": "not_json"},
    "no body": {"action": "empty_body"},
    "HTML": {"action": "html_error"},
    "a reset": {"action": "reset"},
}


def _in_trouble(stand: Stand, expectation: Expectation) -> Outcome:
    def ask(said: dict[str, Any]) -> Any:  # noqa: ANN401 - an Answer
        token = stand.token()
        with stand.trouble("introspect", token=token, **said):
            return stand.ask(token)

    return expectation.of_each([(name, ask(said)) for name, said in _TROUBLE.items()])


@clause(
    "7662-2.3-a", "RFC 7662 section 2.3", "critical", "MUST", "An error of the authorization server is no yes", _NEEDS
)
def errors_are_no_yes(stand: Stand) -> Outcome:
    """Ask with a good token while the authorization server answers in all ways but right."""
    granted: Callable[[Any], bool] = GRANTED.met
    return _in_trouble(stand, Expectation("anything but a grant", lambda answer: not granted(answer)))


@clause("7662-2.3-b", "practice", "high", "practice", "An error of the authorization server is no crash", _NEEDS)
def errors_are_no_crash(stand: Stand) -> Outcome:
    """Ask as before."""
    return _in_trouble(stand, _NO_CRASH)


@clause("field-redirect", "RFC 9700 section 4.12", "high", "practice", "A redirect does not carry tokens away", _NEEDS)
def redirect_is_not_followed(stand: Stand) -> Outcome:
    """Send the question elsewhere, and see whether the token arrives there."""
    token = stand.token()
    with Canary() as canary:
        with stand.trouble("introspect", token=token, status=307, headers={"Location": canary.url}):
            answer = stand.ask(token)
        heard = sum(token.text.encode() in request for request in canary.heard)
    met = not heard and not GRANTED.met(answer)
    return judged(met=met, expected="no token at the other place", observed=f"{heard} requests; {answer.text}")


@clause(
    "field-same-bad-token",
    "practice",
    "medium",
    "practice",
    "A bad token that comes again is not asked about anew",
    _NEEDS,
)
def same_bad_token(stand: Stand) -> Outcome:
    """Ask ten times with one bad token."""
    token = stand.token(active=False)
    for _ in range(10):
        stand.ask(token)
    count = stand.asked(token)
    return judged(met=count <= 2, expected="1 question, at most 2", observed=f"{count} questions")  # noqa: PLR2004


@clause("field-not-asked", "practice", "low", "practice", "What cannot be a token is not asked about", _NEEDS)
def malformed_is_not_asked_about(stand: Stand) -> Outcome:
    """Ask with a text that breaks the grammar, and count the questions."""
    before = stand.server.last_number()
    stand.ask('never,"a token"')
    count = len(stand.server.questions("introspect", since=before))
    return judged(met=count == 0, expected="no question", observed=f"{count} questions")


CLAUSES = (
    question_is_a_form,
    asker_authenticates,
    token_not_in_the_url,
    *_ANSWERS,
    errors_are_no_yes,
    errors_are_no_crash,
    redirect_is_not_followed,
    same_bad_token,
    malformed_is_not_asked_about,
)
