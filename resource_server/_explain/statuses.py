"""What a status means where no error code says more.

References: RFC 9110 section 15, RFC 6585, RFC 6750 section 3.1
"""

from __future__ import annotations

from collections.abc import Mapping

from resource_server._explain.words import Action, Advice, Turn

_KEEP = "Keep the access token: nothing was said about it."
NO_TOKEN = Advice(
    Action.GET_TOKEN,
    "The request carries no access token that this resource takes.",
    ("RFC 6750 section 3.1", "RFC 9110 section 15.5.2"),
    (
        "Get an access token for this resource from its authorization server.",
        "Send it as 'Authorization: Bearer' and the token, over TLS, and in no other place.",
    ),
)
NOT_SEEN = Advice(
    Action.CHECK_DELIVERY,
    "A token was sent, and the answer does not say that it is bad: perhaps it has not arrived.",
    ("RFC 6750 section 3.1",),
    (
        "Look whether a proxy or a redirect has dropped the Authorization field on the way.",
        "Look whether the scheme of the field is one that the challenge names.",
        "If the token has arrived: get a new one, once. This server does not say what is wrong with a token.",
    ),
    otherwise=Turn.API_OPERATOR,
)
NOT_GOOD = Advice(
    Action.RENEW_TOKEN,
    "The access token is not accepted; the error code is one of the server's own.",
    ("RFC 6750 section 3.1", "RFC 9110 section 15.5.2"),
    (
        "Drop this access token and get another one.",
        "Repeat the request once. If a new token gets the same answer, ask whoever runs the API what the code means.",
    ),
)
OTHER_CREDENTIALS = Advice(
    Action.USE_OTHER_CREDENTIALS,
    "This resource asks for credentials of another kind, not for an access token.",
    ("RFC 9110 section 11.6.1",),
    ("Look at the scheme of the challenge: whoever set this resource up says what is to be sent.",),
)
_STATUSES: Mapping[int, Advice] = {
    304: Advice(Action.NONE, "What the client has in its cache is still good.", ("RFC 9110 section 15.4.5",)),
    400: Advice(
        Action.CORRECT_REQUEST,
        "The request is malformed; the answer does not say that it is about the access token.",
        ("RFC 9110 section 15.5.1",),
        ("Read the body of the answer. Do not repeat the request as it is.",),
    ),
    401: NO_TOKEN,
    403: Advice(
        Action.DO_NOT_RETRY,
        "The server understands, and refuses; the answer does not say that another token would help.",
        ("RFC 9110 section 15.5.4",),
        (
            "Do not repeat the request with the same token.",
            "Ask whoever runs the API what is needed: a scope, a role, another user, another network.",
        ),
    ),
    404: Advice(
        Action.CHECK_ADDRESS,
        "There is nothing at this address, or this caller may not know of it.",
        ("RFC 9110 section 15.5.5", "RFC 9110 section 15.5.4"),
        (
            "Look at method, host and path.",
            "If they are right, the token may grant too little: some servers say 404 in place of 403.",
        ),
    ),
    405: Advice(
        Action.CHECK_ADDRESS,
        "There is something at this address, for another method.",
        ("RFC 9110 section 15.5.6",),
        ("Look at the field Allow.",),
    ),
    407: Advice(
        Action.USE_OTHER_CREDENTIALS,
        "A proxy between client and API wants credentials of its own; the API was not asked.",
        ("RFC 9110 section 15.5.8",),
        ("Look at Proxy-Authenticate. The access token is not for the proxy.",),
    ),
    429: Advice(
        Action.WAIT,
        "Too many requests have come, and this one was not looked at.",
        ("RFC 6585 section 4",),
        (_KEEP, "Repeat the request after the time that is named, and send fewer."),
    ),
    431: Advice(
        Action.CORRECT_REQUEST,
        "A field of the request is too long; often that is a very long access token, or many cookies.",
        ("RFC 6585 section 5",),
        ("Ask for fewer scopes and claims, or for an opaque token.",),
    ),
    500: Advice(
        Action.REPORT,
        "The API has failed, or a proxy that could not make sense of what it was told.",
        ("RFC 9110 section 15.6.1",),
        (_KEEP, "Tell the operator when it happened. Do not repeat a request that changes something."),
        turn=Turn.API_OPERATOR,
    ),
    502: Advice(
        Action.WAIT,
        "A proxy got no good answer from the API.",
        ("RFC 9110 section 15.6.3",),
        (_KEEP, "Repeat the request later, with pauses that grow."),
    ),
    503: Advice(
        Action.WAIT,
        "The API cannot answer at the moment; perhaps it cannot ask its authorization server about the token.",
        ("RFC 9110 section 15.6.4",),
        (_KEEP, "Repeat the request after the time that is named."),
    ),
    504: Advice(
        Action.WAIT,
        "A proxy has waited too long for the API.",
        ("RFC 9110 section 15.6.5",),
        (_KEEP, "Repeat the request later, with pauses that grow. It may have been carried out all the same."),
    ),
}
_CLASSES: Mapping[int, Advice] = {
    2: Advice(Action.NONE, "The request was answered.", ("RFC 9110 section 15.3",), turn=Turn.NOBODY),
    3: Advice(
        Action.FOLLOW_REDIRECT,
        "What was asked for is at another address.",
        ("RFC 9110 section 15.4",),
        ("Use the other address from now on. Send the token to no other host than the one it is meant for.",),
    ),
    4: Advice(
        Action.CORRECT_REQUEST,
        "The request is not acceptable; the answer does not say that it is about the access token.",
        ("RFC 9110 section 15.5",),
        ("Read the body of the answer. Do not repeat the request as it is.",),
    ),
    5: Advice(
        Action.REPORT,
        "The server has failed.",
        ("RFC 9110 section 15.6",),
        (_KEEP, "Tell the operator when it happened."),
        turn=Turn.API_OPERATOR,
    ),
}


def advice_for(status: int) -> Advice:
    """Return what a status means by itself.

    Args:
        status: 200 to 599.
    """
    return _STATUSES.get(status) or _CLASSES[status // 100]
