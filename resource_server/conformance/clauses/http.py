"""RFC 9110 and its neighbours: methods, caches, problem documents, metadata, and hidden resources."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from resource_server.conformance.clause import Outcome, clause, judged, undecided
from resource_server.conformance.expect import CHALLENGED, GRANTED, REFUSED, UNAUTHORIZED
from resource_server.conformance.stand import Stand
from resource_server.conformance.wire import Answer, Connection

_METHODS = ("POST", "PUT", "PATCH", "DELETE")
_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_ANNOUNCED = 20_000_000
_SOON = 3.0


@clause("9110-9.3.2-a", "RFC 9110 section 9.3.2", "critical", "MUST", "HEAD is protected as GET is")
def head(stand: Stand) -> Outcome:
    """Ask by HEAD without a token."""
    answer = stand.ask(method="HEAD")
    met = CHALLENGED.met(answer) or answer.status in {404, 405}
    return judged(met=met, expected="401 with a challenge, or that there is no HEAD", observed=answer.text)


@clause("9110-15.5.2-a", "RFC 9110 section 15.5.2", "critical", "MUST", "No method lets anybody in without a token")
def every_method(stand: Stand) -> Outcome:
    """Ask by all methods without a token."""
    answers = [(method, stand.ask(method=method)) for method in _METHODS]
    wrong = [f"{method}: {answer.text}" for method, answer in answers if GRANTED.met(answer) or answer.status == 0]
    met = not wrong
    return judged(met=met, expected="a refusal", observed="; ".join(wrong) or answers[0][1].text)


@clause("9110-5.5-a", "RFC 9110 section 5.5", "high", "MUST", "Letters beyond ASCII in a token break nothing")
def odd_bytes(stand: Stand) -> Outcome:
    """Ask with bytes that are no ASCII, and with one that is no UTF-8."""
    return REFUSED.of_each((repr(text), stand.ask(text)) for text in ("caf\xe9", "\xc3\xa9", "\xff\xfe"))


@clause("9110-5.5-b", "RFC 9110 section 5.5", "medium", "MUST", "Blanks after the value do not belong to it")
def trailing_blanks(stand: Stand) -> Outcome:
    """Ask with blanks behind a good token."""
    return GRANTED.of(stand.ask(stand.token().text + "  \t"))


@clause(
    "9111-3.5-a", "RFC 9111 section 3.5", "high", "MUST", "What a token was needed for is not open to shared caches"
)
def not_for_shared_caches(stand: Stand) -> Outcome:
    """Look at Cache-Control of what was let in."""
    said = stand.ask(stand.token()).value("cache-control")
    met = not {"public", "s-maxage"} & {part.partition("=")[0].strip().lower() for part in said.split(",")}
    return judged(met=met, expected="neither public nor s-maxage", observed=said or "no Cache-Control")


@clause("9111-5.2.2-a", "RFC 9111 section 5.2.2.5", "medium", "practice", "A refusal is stored by nobody")
def refusals_are_not_stored(stand: Stand) -> Outcome:
    """Look at Cache-Control of a 401, and of a 403 where there is one."""
    answers = [stand.ask(), stand.ask("unknown")]
    if "write" in stand.target.routes:
        answers.append(stand.ask(stand.token(), "write"))
    wrong = [answer for answer in answers if "no-store" not in answer.value("cache-control").lower()]
    told = ", ".join(
        f"{answer.status} with {answer.value('cache-control') or 'nothing'}" for answer in wrong or answers
    )
    return judged(met=not wrong, expected="Cache-Control: no-store", observed=told)


# -------------------------------------------------------------------------------------------------------------- bodies


@clause(
    "field-malformed-body",
    "practice",
    "high",
    "practice",
    "Who has no token is not told what is wrong with a body",
    "route:post",
)
def malformed_body(stand: Stand) -> Outcome:
    """Send what is no JSON without a token, and with a bad one."""
    fields = [("Content-Type", "application/json")]
    tokens = {"no token": None, "a bad token": "unknown"}
    return UNAUTHORIZED.of_each(
        (name, stand.ask(token, "post", fields=fields, body=b'{"a": ')) for name, token in tokens.items()
    )


@clause(
    "field-large-body", "practice", "high", "practice", "Who has no token is answered before the body", "route:post"
)
def large_body(stand: Stand) -> Outcome:
    """Announce 20 MB without a token, and send none of it."""
    fields = [("Content-Type", "application/json")]
    return UNAUTHORIZED.of(stand.ask(None, "post", fields=fields, announced=_ANNOUNCED, timeout=_SOON))


@clause("field-body", "practice", "medium", "practice", "With a good token the body arrives", "route:post")
def body_arrives(stand: Stand) -> Outcome:
    """Send JSON with a good token."""
    fields = [("Content-Type", "application/json")]
    return GRANTED.of(stand.ask(stand.token(scope="write"), "post", fields=fields, body=b'{"item": "tea"}'))


@clause("field-public", "practice", "low", "practice", "What is public needs no token", "route:public")
def public(stand: Stand) -> Outcome:
    """Ask without a token."""
    return GRANTED.of(stand.ask(route="public"))


# -------------------------------------------------------------------------------------------------------------- hidden


@clause(
    "9110-15.5.4-a",
    "RFC 9110 section 15.5.4",
    "medium",
    "practice",
    "What is hidden looks as if it was not there",
    "route:hidden",
    "route:missing",
)
def hidden(stand: Stand) -> Outcome:
    """Compare the answer for what is hidden with that for what is not there."""
    token = stand.token()
    seen, missing = stand.ask(token, "hidden"), stand.ask(token, "missing")
    met = seen.status == missing.status == 404 and seen.body == missing.body  # noqa: PLR2004 - Not Found
    return judged(met=met, expected="two equal 404", observed=f"{seen.text}, and {missing.text}")


@clause(
    "9110-15.5.5-a",
    "RFC 9110 section 15.5.5",
    "medium",
    "practice",
    "A 404 that hides is stored by nobody",
    "route:hidden",
)
def hidden_is_not_stored(stand: Stand) -> Outcome:
    """Look at Cache-Control of what is hidden."""
    said = stand.ask(stand.token(), "hidden").value("cache-control")
    return judged(met="no-store" in said, expected="Cache-Control: no-store", observed=said or "no Cache-Control")


@clause("9470-3-a", "RFC 9470 section 3", "high", "MUST", "Who must authenticate better is told how", "route:step_up")
def step_up(stand: Stand) -> Outcome:
    """Ask with a good token whose user has authenticated in no way that counts."""
    answer = stand.ask(stand.token(), "step_up")
    params = {} if answer.bearer is None else answer.bearer.params
    met = answer.status == 401 and params.get("error") == "insufficient_user_authentication"  # noqa: PLR2004
    met = met and bool({"acr_values", "max_age"} & params.keys())
    return judged(
        met=met, expected="401 insufficient_user_authentication with acr_values or max_age", observed=answer.text
    )


@clause(
    "9470-9-a", "RFC 9470 section 9", "medium", "SHOULD", "Who has no good token is not told how to", "route:step_up"
)
def step_up_is_not_told_to_everybody(stand: Stand) -> Outcome:
    """Ask with a bad token."""
    answer = stand.ask("unknown", "step_up")
    params = {} if answer.bearer is None else answer.bearer.params
    met = not {"acr_values", "max_age"} & params.keys()
    return judged(met=met, expected="neither acr_values nor max_age", observed=answer.text)


# ----------------------------------------------------------------------------------------------- problems and metadata


def members(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object; none where the body is something else."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


@clause("9457-3-a", "RFC 9457 section 3", "low", "SHOULD", "A problem document tells the status", "problem_json")
def problem_document(stand: Stand) -> Outcome:
    """Look at the bodies of a 401 without and with a token."""
    fields = [("Accept", "application/problem+json")]
    answers = [stand.ask(fields=fields), stand.ask("unknown", fields=fields)]
    kinds = [answer.value("content-type").partition(";")[0] for answer in answers]
    statuses = [members(answer.body).get("status") for answer in answers]
    met = kinds == ["application/problem+json"] * 2 and statuses == [answer.status for answer in answers]
    return judged(met=met, expected="problem+json whose status is the response's", observed=f"{kinds} {statuses}")


@clause("9457-3-b", "RFC 9457 section 4", "medium", "practice", "Header and body tell the same code", "problem_json")
def same_code(stand: Stand) -> Outcome:
    """Compare the code in the challenge and in the body."""
    answer = stand.ask("unknown", fields=[("Accept", "application/problem+json")])
    said = members(answer.body).get("error")
    return judged(met=said in answer.errors, expected="the same code", observed=f"{answer.text}; body: {said}")


def _metadata_url(answer: Answer) -> str:
    return next(
        (found.params["resource_metadata"] for found in _challenges(answer) if "resource_metadata" in found.params), ""
    )


def _challenges(answer: Answer) -> list[Any]:
    try:
        return list(answer.challenges)
    except ValueError:
        return []


@clause("9728-5.1-a", "RFC 9728 section 5.1", "medium", "MUST", "The challenge says where the metadata are", "metadata")
def challenge_names_metadata(stand: Stand) -> Outcome:
    """Look for the URL in the challenge of a request without a token."""
    answer = stand.ask()
    met = _WELL_KNOWN in _metadata_url(answer)
    return judged(met=met, expected=f"resource_metadata with {_WELL_KNOWN}", observed=answer.text)


@clause(
    "9728-3.3-a", "RFC 9728 section 3.3", "high", "MUST", "The metadata are there, and name the resource", "metadata"
)
def metadata(stand: Stand) -> Outcome:
    """Fetch what the challenge names, from the target, without a token."""
    url = _metadata_url(stand.ask())
    if not url:
        return undecided("metadata that name the resource", "no challenge says where they are")
    path = urlsplit(url).path
    origin = urlsplit(stand.target.url)
    answer = Connection(f"{origin.scheme}://{origin.netloc}").send("GET", path)
    resource = members(answer.body).get("resource")
    parts = urlsplit(str(resource))
    met = answer.status == 200 and path == _WELL_KNOWN + parts.path.rstrip("/") and bool(parts.netloc)  # noqa: PLR2004
    return judged(
        met=met,
        expected="200 and the resource that the URL is made of",
        observed=f"{answer.status}, resource: {resource}",
    )


@clause(
    "9728-3.3-b",
    "RFC 9728 section 7.3",
    "high",
    "MUST",
    "Fields of a request do not say where the metadata are",
    "metadata",
)
def metadata_url_is_our_own(stand: Stand) -> Outcome:
    """Ask with fields that name another host."""
    fields = [("X-Forwarded-Host", "evil.example.test"), ("Forwarded", "host=evil.example.test")]
    answer = stand.ask(fields=fields)
    return judged(met="evil" not in answer.text, expected="no trace of the other host", observed=answer.text)


@clause(
    "9110-7.2-a", "RFC 9110 section 11.6.1", "low", "practice", "A request that refuses all formats is refused rightly"
)
def nothing_acceptable(stand: Stand) -> Outcome:
    """Ask without a token for a format that nobody makes."""
    return CHALLENGED.of(stand.ask(fields=[("Accept", "image/x-nobody")]))


CLAUSES = (
    head,
    every_method,
    odd_bytes,
    trailing_blanks,
    not_for_shared_caches,
    refusals_are_not_stored,
    malformed_body,
    large_body,
    body_arrives,
    public,
    hidden,
    hidden_is_not_stored,
    step_up,
    step_up_is_not_told_to_everybody,
    problem_document,
    same_code,
    challenge_names_metadata,
    metadata,
    metadata_url_is_our_own,
    nothing_acceptable,
)
