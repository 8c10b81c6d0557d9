"""Answers that are not a resource server's by the RFCs, as gateways, login proxies and clouds give them.

Each function recognizes one kind by its documented marks, or returns ``None``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from resource_server._explain.answer import Answer
from resource_server._explain.words import Action, Advice, Turn
from resource_server._protocol.challenge import Challenge

_LOGIN_PATH = re.compile(
    r"(?i)/(?:log-?in|sign[-_]?in|sso|saml2?|authorize|oauth2/(?:start|sign_in|auth)|cdn-cgi/access|cas)(?:[/.?]|$)"
)
_LOGIN_QUERY = re.compile(r"(?i)(?:^|&)(?:response_type|samlrequest|returnurl|redirect_uri)=")
_LOGIN_HOSTS = (".cloudflareaccess.com", "login.microsoftonline.com", "accounts.google.com")
_LOGIN_BODY = re.compile(
    r"(?is)<input[^>]{1,300}type=[\"']?password|cloudflareaccess\.com|action=[\"'][^\"']{0,300}/(?:oauth2/sign_in|oauth2/start|login)"
)
_AWS = "the developer guide of Amazon API Gateway"
_AWS_ERRORS: Mapping[str, Advice] = {
    "unauthorizedexception": Advice(
        Action.GET_TOKEN,
        "API Gateway has found no token, or one that its authorizer does not accept; it does not say which.",
        (_AWS,),
        (
            "Look whether the request has the field that the authorizer reads (its identity source).",
            "If it has: get a new token, once; then look at the issuer and audience that the authorizer expects.",
        ),
    ),
    "accessdeniedexception": Advice(
        Action.DO_NOT_RETRY,
        "The authorizer of API Gateway knows the caller, and its policy says no.",
        (_AWS,),
        ("Ask the operator what the policy demands; it may be an answer that API Gateway has cached.",),
        turn=Turn.API_OPERATOR,
    ),
    "forbiddenexception": Advice(
        Action.DO_NOT_RETRY,
        "API Gateway refuses before it asks the API: an API key, a firewall rule, or the host name.",
        (_AWS,),
        ("Look at x-api-key, and at the name that the request was sent to.",),
        turn=Turn.API_OPERATOR,
    ),
    "missingauthenticationtokenexception": Advice(
        Action.CHECK_ADDRESS,
        "API Gateway knows no such method and path; its words about a missing token are misleading.",
        (_AWS,),
        ("Look at the stage, the path and the method.",),
    ),
    "incompletesignatureexception": Advice(
        Action.USE_OTHER_CREDENTIALS,
        "API Gateway expects a request that is signed by AWS credentials, and takes the token for such a signature.",
        (_AWS,),
        ("The method has another authorizer than you think, or the path is wrong.",),
        turn=Turn.API_OPERATOR,
    ),
    "invalidsignatureexception": Advice(
        Action.USE_OTHER_CREDENTIALS,
        "The AWS signature of the request is wrong; no access token was looked at.",
        (_AWS,),
        ("Sign the request again, with a clock that is right.",),
    ),
    "throttledexception": Advice(
        Action.WAIT,
        "API Gateway takes no more requests at the moment.",
        (_AWS, "RFC 6585 section 4"),
        ("Keep the access token.", "Repeat the request later, with pauses that grow."),
    ),
}
_LOGIN = Advice(
    Action.LOG_IN_NOT_MEANT,
    "A login for people stands before the API: a program gets its page in place of a 401.",
    ("RFC 9110 section 15.5.2", "RFC 6750 section 3"),
    (
        "Have the proxy let requests with an access token pass, or judge them itself and answer 401.",
        "If it can tell programs from browsers: send 'Accept: application/json'.",
    ),
    turn=Turn.API_OPERATOR,
)
_UMA = Advice(
    Action.EXCHANGE_TICKET,
    "The token lacks a permission, and the challenge has a permission ticket (UMA).",
    ("UMA 2.0 Grant for OAuth 2.0 Authorization section 3.2",),
    ("Take the ticket to the token endpoint of as_uri, with the grant urn:ietf:params:oauth:grant-type:uma-ticket.",),
    otherwise=Turn.AS_OPERATOR,
)


def advice_for(answers: Sequence[Answer], challenges: Sequence[Challenge]) -> Advice | None:
    """Return what an answer means that follows other rules.

    Args:
        answers: all of them; the last one counts.
        challenges: those of the last one.

    Returns:
        ``None`` where it is an answer like any other.
    """
    kinds: tuple[Callable[[], Advice | None], ...] = (
        lambda: _login(answers),
        lambda: _UMA if any(item.scheme == "uma" for item in challenges) and answers[-1].status in (401, 403) else None,
        lambda: None if challenges else _of_aws(answers[-1]),
    )
    return next((advice for advice in (kind() for kind in kinds) if advice is not None), None)


def leads_to_login(answer: Answer) -> bool:
    """Tell whether an answer sends the client to a page where people log in."""
    if answer.status not in (301, 302, 303, 307, 308):
        return False
    location = split(answer.first("location"))
    host = location.hostname or ""
    known = any(host == name.lstrip(".") or host.endswith(name) for name in _LOGIN_HOSTS)
    return known or bool(_LOGIN_PATH.search(location.path) or _LOGIN_QUERY.search(location.query))


def is_login_page(answer: Answer) -> bool:
    """Tell whether an answer is such a page."""
    return answer.first("content-type").lower().startswith("text/html") and bool(_LOGIN_BODY.search(answer.body))


def split(url: str) -> SplitResult:
    """Take a URL apart; one that cannot be is nothing."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _login(answers: Sequence[Answer]) -> Advice | None:
    last = answers[-1]
    after = last.status < 300 and any(map(leads_to_login, answers[:-1]))  # noqa: PLR2004 - the class of 2xx
    return _LOGIN if leads_to_login(last) or is_login_page(last) or after else None


def _of_aws(answer: Answer) -> Advice | None:
    # The name may have a namespace after a colon.
    return _AWS_ERRORS.get(answer.first("x-amzn-errortype").partition(":")[0].strip().lower())
