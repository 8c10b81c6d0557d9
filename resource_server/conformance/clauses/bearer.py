"""RFC 6750: how a bearer token is sent, and what a refusal says."""

from __future__ import annotations

from resource_server.conformance.clause import Outcome, clause, judged
from resource_server.conformance.expect import (
    BARE,
    CHALLENGED,
    GRANTED,
    INSUFFICIENT_SCOPE,
    INVALID_REQUEST,
    INVALID_TOKEN,
    REFUSED,
    UNAUTHORIZED,
)
from resource_server.conformance.stand import SCOPES, Stand
from resource_server.conformance.wire import Answer

_ODD = ("a b", "a,b", "a;b", '"a"', "=", "a=b", "{}", "%00")
_UNKNOWN = "nobody-has-ever-minted-this-token"


@clause("6750-2.1-a", "RFC 6750 section 2.1", "critical", "MUST", "A good token in the Authorization field is let in")
def good_token(stand: Stand) -> Outcome:
    """Ask with a good token."""
    return GRANTED.of(stand.ask(stand.token()))


@clause("6750-2.1-b", "RFC 9110 section 11.1", "high", "MUST", "The name of the scheme may be in any case")
def scheme_in_any_case(stand: Stand) -> Outcome:
    """Ask with the scheme in lower and in upper case."""
    token = stand.token()
    return GRANTED.of_each((scheme, stand.ask(token, scheme=scheme)) for scheme in ("bearer", "BEARER"))


@clause("6750-2.1-c", "RFC 6750 section 2.1", "high", "MUST", "What cannot be a token is refused, and breaks nothing")
def not_a_token(stand: Stand) -> Outcome:
    """Ask with texts that break the grammar of a token."""
    return REFUSED.of_each((repr(text), stand.ask(text)) for text in _ODD)


@clause("6750-2.1-d", "RFC 9110 section 11.4", "medium", "MUST", "Several spaces may stand before the token")
def several_spaces(stand: Stand) -> Outcome:
    """Ask with two spaces between the scheme and the token."""
    return GRANTED.of(stand.ask(stand.token(), scheme="Bearer "))


@clause("6750-2.1-e", "RFC 6750 section 2.1", "high", "MUST", "A scheme without a token is refused, and breaks nothing")
def no_token_after_the_scheme(stand: Stand) -> Outcome:
    """Ask with the scheme alone, and with nothing in the field."""
    values = ("Bearer", "Bearer ", "")
    return REFUSED.of_each((repr(value), stand.ask(fields=[("Authorization", value)])) for value in values)


@clause("6750-2-a", "RFC 9110 section 11.6.2", "critical", "MUST", "Of two Authorization fields neither is taken")
def two_fields(stand: Stand) -> Outcome:
    """Ask with a good and a bad token, in both orders, and with a good one twice."""
    return REFUSED.of_each(_two_fields(stand))


@clause("6750-2-b", "RFC 6750 section 3.1", "medium", "SHOULD", "Two Authorization fields are an invalid_request")
def two_fields_are_an_invalid_request(stand: Stand) -> Outcome:
    """Ask as before, and look at the code."""
    return INVALID_REQUEST.of_each(_two_fields(stand))


def _two_fields(stand: Stand) -> list[tuple[str, Answer]]:
    good = f"Bearer {stand.token().text}"
    bad = f"Bearer {_UNKNOWN}"
    pairs = {"good, bad": (good, bad), "bad, good": (bad, good), "the same twice": (good, good)}
    return [(name, stand.ask(fields=[("Authorization", value) for value in pair])) for name, pair in pairs.items()]


@clause("6750-2.3-a", "RFC 9700 section 4.3.2", "high", "MUST", "A token in the query of the URL is not taken")
def token_in_the_query(stand: Stand) -> Outcome:
    """Ask with a good token in the query."""
    return REFUSED.of(stand.ask(query=f"access_token={stand.token().text}"))


@clause("6750-3-a", "RFC 6750 section 3", "critical", "MUST", "Without a token the answer is 401 with a challenge")
def no_token(stand: Stand) -> Outcome:
    """Ask without a token, wherever a scope is asked for."""
    routes = [name for name in SCOPES if name in stand.target.routes]
    return CHALLENGED.of_each((name, stand.ask(route=name)) for name in routes)


@clause("6750-3-b", "RFC 6750 section 3", "high", "MUST", "A challenge has at least one parameter")
def challenge_has_a_parameter(stand: Stand) -> Outcome:
    """Look at the challenge of a request without a token."""
    answer = stand.ask()
    met = answer.bearer is not None and bool(answer.bearer.params)
    return judged(met=met, expected="Bearer with at least one parameter", observed=answer.text)


@clause("6750-3.1-a", "RFC 6750 section 3.1", "high", "SHOULD", "Without a token there is no error code")
def no_token_no_error(stand: Stand) -> Outcome:
    """Ask without a token."""
    return BARE.of(stand.ask())


@clause("6750-3.1-b", "RFC 6750 section 3.1", "medium", "SHOULD", "With credentials of another scheme neither")
def other_scheme_no_error(stand: Stand) -> Outcome:
    """Ask with Basic and with a scheme that nobody knows."""
    values = ("Basic YTpi", "Unheard-of x")
    return BARE.of_each((value, stand.ask(fields=[("Authorization", value)])) for value in values)


@clause("6750-3.1-c", "RFC 6750 section 3.1", "high", "SHOULD", "An unknown token is an invalid_token")
def unknown_token(stand: Stand) -> Outcome:
    """Ask with a token that nobody knows."""
    return INVALID_TOKEN.of(stand.ask(_UNKNOWN))


@clause(
    "6750-3.1-d", "RFC 6750 section 3.1", "high", "SHOULD", "An expired token is a 401, so that its client renews it"
)
def expired_token(stand: Stand) -> Outcome:
    """Ask with a token that has expired an hour ago."""
    return INVALID_TOKEN.of(stand.ask(stand.token(expires_in=-3600)))


@clause(
    "6750-3.1-e", "RFC 6750 section 3.1", "critical", "MUST", "A token without the scope is not let in", "route:write"
)
def scope_is_asked_for(stand: Stand) -> Outcome:
    """Ask with a token for another scope."""
    return REFUSED.of(stand.ask(stand.token(), "write"))


@clause(
    "6750-3.1-f", "RFC 6750 section 3.1", "high", "SHOULD", "Too little scope is a 403 with its code", "route:write"
)
def insufficient_scope(stand: Stand) -> Outcome:
    """Ask with a token for another scope, and look at the code."""
    return INSUFFICIENT_SCOPE.of(stand.ask(stand.token(), "write"))


@clause(
    "6750-3.1-g", "RFC 6750 section 3.1", "medium", "practice", "A 403 names the scope that is needed", "route:write"
)
def needed_scope_is_named(stand: Stand) -> Outcome:
    """Look for the scope in the challenge."""
    return _names_scope(stand.ask(stand.token(), "write"), "write")


@clause("6750-3.1-h", "MCP authorization, scope challenges", "medium", "SHOULD", "All scopes at once", "route:both")
def all_needed_scopes_are_named(stand: Stand) -> Outcome:
    """Ask for what needs two scopes with one of them."""
    return _names_scope(stand.ask(stand.token(), "both"), "read write")


@clause("6750-3-c", "MCP authorization, protected resources", "low", "SHOULD", "A 401 names the scope", "scope_in_401")
def scope_in_401(stand: Stand) -> Outcome:
    """Look for the scope in the challenge of a request without a token."""
    return _names_scope(stand.ask(), "read")


def _names_scope(answer: Answer, scope: str) -> Outcome:
    named = "" if answer.bearer is None else answer.bearer.params.get("scope", "")
    met = set(named.split()) == set(scope.split())
    return judged(met=met, expected=f'scope="{scope}" in the challenge', observed=answer.text)


@clause(
    "6750-3.1-i",
    "RFC 9110 section 15.5.2",
    "high",
    "practice",
    "A bad token is a 401, whatever the route asks for",
    "route:write",
)
def authentication_before_scope(stand: Stand) -> Outcome:
    """Ask with a bad token for what needs another scope."""
    return UNAUTHORIZED.of(stand.ask(stand.token(expires_in=-3600), "write"))


@clause(
    "9700-2.3-a",
    "RFC 9700 section 2.3",
    "critical",
    "MUST",
    "A token that was let in elsewhere needs the scope",
    "route:write",
)
def scope_after_a_hit(stand: Stand) -> Outcome:
    """Ask for what the token is good for, and then for what it is not."""
    token = stand.token()
    stand.ask(token)
    return REFUSED.of(stand.ask(token, "write"))


@clause(
    "9700-2.3-b",
    "RFC 9700 section 2.3",
    "critical",
    "MUST",
    "What is known of one token says nothing of another",
    "route:write",
)
def tokens_are_kept_apart(stand: Stand) -> Outcome:
    """Ask with two tokens in turn, each of which is good for one route."""
    reads, writes = stand.token(), stand.token(scope="write")
    refused = [stand.ask(token, route) for token, route in ((reads, "write"), (writes, "read")) for _ in range(2)]
    granted = [stand.ask(token, route) for token, route in ((reads, "read"), (writes, "write")) for _ in range(2)]
    found = REFUSED.of(*refused)
    return found if found.verdict == "failed" else GRANTED.of(*granted)


@clause(
    "field-long-token", "practice", "medium", "practice", "A token of 6000 characters is refused, and breaks nothing"
)
def long_token(stand: Stand) -> Outcome:
    """Ask with a long text."""
    answer = stand.ask("a" * 6000)
    met = 400 <= answer.status < 500  # noqa: PLR2004 - any refusal
    return judged(met=met, expected="a 4xx status", observed=answer.text)


CLAUSES = (
    good_token,
    scheme_in_any_case,
    not_a_token,
    several_spaces,
    no_token_after_the_scheme,
    two_fields,
    two_fields_are_an_invalid_request,
    token_in_the_query,
    no_token,
    challenge_has_a_parameter,
    no_token_no_error,
    other_scheme_no_error,
    unknown_token,
    expired_token,
    scope_is_asked_for,
    insufficient_scope,
    needed_scope_is_named,
    all_needed_scopes_are_named,
    scope_in_401,
    authentication_before_scope,
    scope_after_a_hit,
    tokens_are_kept_apart,
    long_token,
)
