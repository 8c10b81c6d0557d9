"""What each OAuth error code means, and what a client does about it.

References: RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9, RFC 9470 section 3, RFC 6749 sections 4.1.2.1 and 5.2
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from resource_server._explain.words import Action, Advice, Turn

STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "invalid_request": 400,
        "invalid_token": 401,
        "insufficient_scope": 403,
        "insufficient_user_authentication": 401,
        "invalid_dpop_proof": 401,
        "use_dpop_nonce": 401,
        "insufficient_claims": 401,
    }
)
"""The error codes of a resource server, and the status that each belongs to."""
_RESOURCE_SERVER: Mapping[str, Advice] = {
    "invalid_request": Advice(
        Action.CORRECT_REQUEST,
        "The request is malformed: a parameter is missing or stands twice, or the access token was sent in two ways.",
        ("RFC 6750 section 3.1", "RFC 6750 section 2"),
        (
            "Send the access token once, in the Authorization field, and in no other place.",
            "Do not repeat it as it is.",
        ),
    ),
    "invalid_token": Advice(
        Action.RENEW_TOKEN,
        "The access token is not accepted: expired, revoked, malformed, or not meant for this resource.",
        ("RFC 6750 section 3.1",),
        (
            "Drop this access token.",
            "Get another one: by the refresh token if there is one, else anew.",
            "Repeat the request once. If a new token gets the same answer, stop: look at its audience and its issuer.",
        ),
    ),
    "insufficient_scope": Advice(
        Action.ASK_SCOPE,
        "The access token is good, and grants too little for this resource.",
        ("RFC 6750 section 3.1",),
        (
            "Ask the authorization server for a token with the scope that is named; the user may have to consent.",
            "Do not repeat the request with the same token, and do not refresh it: that gives the same scope again.",
        ),
        turn=Turn.USER,
    ),
    "insufficient_user_authentication": Advice(
        Action.STEP_UP,
        "The access token is good; its user must authenticate in another way, or more recently.",
        ("RFC 9470 section 3", "RFC 9470 section 4"),
        (
            "Send the user to the authorization server with the values that are named (acr_values, max_age).",
            "Repeat the request with the new token. A refreshed token has the old authentication.",
        ),
        turn=Turn.USER,
    ),
    "insufficient_claims": Advice(
        Action.STEP_UP,
        "The access token lacks claims: a policy at the authorization server must be met first (a claims challenge).",
        ("OpenID Connect Core 1.0 section 5.5",),
        (
            "Ask for a new token with the parameter claims as it is given here, with the user taking part.",
            "Do not take a token out of a cache meanwhile.",
        ),
        turn=Turn.USER,
        otherwise=Turn.AS_OPERATOR,
    ),
    "invalid_dpop_proof": Advice(
        Action.SEND_PROOF,
        "The DPoP proof is missing, or not valid for this request and this access token.",
        ("RFC 9449 section 7.1", "RFC 9449 section 4.3"),
        (
            "Send the token with the scheme DPoP, and in the field DPoP a new proof for this request and this token.",
            "Sign it with the key that the token is bound to. If all that is right, look at the client's clock.",
        ),
    ),
    "use_dpop_nonce": Advice(
        Action.SEND_NONCE,
        "The DPoP proof must have the nonce that this response gives.",
        ("RFC 9449 section 9",),
        (
            "Repeat the request at once with a new proof that has the claim nonce.",
            "Keep the nonce for what comes next, until another one is given.",
        ),
    ),
}
_TOKEN_ENDPOINT = "RFC 6749 section 5.2"  # noqa: S105 - a section of an RFC
_ELSEWHERE = "This is an error of an authorization server, not of an API:"
_AUTHORIZATION_SERVER: Mapping[str, Advice] = {
    "invalid_grant": Advice(
        Action.GET_TOKEN,
        f"{_ELSEWHERE} the code or the refresh token is used up, expired, revoked or another client's.",
        (_TOKEN_ENDPOINT,),
        ("Begin a new authorization: the user may have to take part.",),
        turn=Turn.USER,
        otherwise=Turn.AS_OPERATOR,
    ),
    "invalid_client": Advice(
        Action.CHECK_CREDENTIALS,
        f"{_ELSEWHERE} it does not know the client, or its credentials are wrong.",
        (_TOKEN_ENDPOINT,),
        ("Look at client_id, at the secret or key, and at the method they are sent with.",),
        otherwise=Turn.AS_OPERATOR,
    ),
    "unauthorized_client": Advice(
        Action.CHECK_CREDENTIALS,
        f"{_ELSEWHERE} this client may not use this grant.",
        (_TOKEN_ENDPOINT,),
        ("Have the client registered for it.",),
        turn=Turn.AS_OPERATOR,
        otherwise=Turn.AS_OPERATOR,
    ),
    "invalid_scope": Advice(
        Action.CORRECT_REQUEST,
        f"{_ELSEWHERE} the scope is unknown, malformed, or more than may be granted.",
        (_TOKEN_ENDPOINT,),
        ("Ask for a scope that the client is registered for.",),
        otherwise=Turn.AS_OPERATOR,
    ),
    "unsupported_grant_type": Advice(
        Action.CORRECT_REQUEST,
        f"{_ELSEWHERE} it has no such grant.",
        (_TOKEN_ENDPOINT,),
        ("Look at grant_types_supported in its metadata.",),
        otherwise=Turn.AS_OPERATOR,
    ),
    "access_denied": Advice(
        Action.DO_NOT_RETRY,
        f"{_ELSEWHERE} the user, or a policy, has said no.",
        ("RFC 6749 section 4.1.2.1",),
        ("Do without, or ask the user again when something has changed.",),
        turn=Turn.USER,
        otherwise=Turn.AS_OPERATOR,
    ),
    "temporarily_unavailable": Advice(
        Action.WAIT,
        "The server cannot say at the moment whether the request is all right.",
        ("RFC 6749 section 4.1.2.1", "RFC 9110 section 15.6.4"),
        ("Keep the access token: nothing was said about it.", "Repeat the request after the time that is named."),
        otherwise=Turn.AS_OPERATOR,
    ),
    "server_error": Advice(
        Action.REPORT,
        "The server has failed.",
        ("RFC 6749 section 4.1.2.1", "RFC 9110 section 15.6.1"),
        ("Keep the access token: nothing was said about it.", "Tell the operator when it happened."),
        turn=Turn.AS_OPERATOR,
        otherwise=Turn.AS_OPERATOR,
    ),
}


def advice_for(error: str) -> Advice | None:
    """Return what an error code means.

    Args:
        error: the code, to the letter.

    Returns:
        ``None`` for a code that no RFC has given a meaning.
    """
    return _RESOURCE_SERVER.get(error) or _AUTHORIZATION_SERVER.get(error)
