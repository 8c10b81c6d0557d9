"""The closed vocabulary of an explanation: what to do, whose turn it is, and what is wrong with a response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What the client does next; programs may rely on these words."""

    NONE = "none"
    """Nothing: the request was answered."""
    GET_TOKEN = "get_token"  # noqa: S105 - the name of an action
    """Get an access token for this resource, and send it."""
    RENEW_TOKEN = "renew_token"  # noqa: S105 - the name of an action
    """Drop this access token, get another one by the refresh token or anew, and repeat the request once."""
    CHECK_DELIVERY = "check_delivery"
    """Find out why the token that was sent was not seen."""
    ASK_SCOPE = "ask_scope"
    """Get a token with the scope that is named; the same token will not do."""
    STEP_UP = "step_up"
    """Take the user to the authorization server, with the values that are named."""
    SEND_PROOF = "send_proof"
    """Send the token with a new DPoP proof, for this request and this token."""
    SEND_NONCE = "send_nonce"
    """Repeat the request with a DPoP proof that has the nonce."""
    EXCHANGE_TICKET = "exchange_ticket"
    """Take the permission ticket to the authorization server for a token that has the permission."""
    USE_OTHER_CREDENTIALS = "use_other_credentials"
    """Access tokens are not what is asked for here."""
    CORRECT_REQUEST = "correct_request"
    """Send another request: the same one will fail again."""
    CHECK_ADDRESS = "check_address"
    """Look at method and path; to this caller there is nothing there."""
    CHECK_CREDENTIALS = "check_credentials"
    """The client's own credentials, not the user's token, are wrong."""
    LOG_IN_NOT_MEANT = "log_in_not_meant"
    """A login page for people stands before the API: have it let requests with a token pass."""
    FOLLOW_REDIRECT = "follow_redirect"
    """Ask at the other address; send the token there only if it is the same server."""
    WAIT = "wait"
    """Repeat the request with the same token, after the seconds that are named."""
    DO_NOT_RETRY = "do_not_retry"
    """The answer is no, and will be no again."""
    REPORT = "report"
    """Tell the operator: nothing the client can do will help."""


class Turn(StrEnum):
    """Whose turn it is."""

    NOBODY = "nobody"
    CLIENT = "client"
    USER = "user"
    API_OPERATOR = "api_operator"
    AS_OPERATOR = "as_operator"


class Severity(StrEnum):
    """How bad something about a response is."""

    WRONG = "wrong"
    """A clause is broken, or a secret is told."""
    NOTE = "note"
    """Allowed, and good to know."""


class Defect(StrEnum):
    """What can be wrong with the response itself, or odd."""

    NO_CHALLENGE = "no_challenge"
    CHALLENGE_DROPPED = "challenge_dropped"
    BARE_CHALLENGE = "bare_challenge"
    UNREADABLE_CHALLENGE = "unreadable_challenge"
    QUOTE_NOT_CLOSED = "quote_not_closed"
    SINGLE_QUOTES = "single_quotes"
    MISSING_COMMA = "missing_comma"
    REPEATED_PARAMETER = "repeated_parameter"
    NOT_QUOTED = "not_quoted"
    BAD_CHARACTER = "bad_character"
    UNKNOWN_ERROR = "unknown_error"
    WRONG_STATUS = "wrong_status"
    WRONG_SCHEME = "wrong_scheme"
    ERROR_WITHOUT_TOKEN = "error_without_token"  # noqa: S105 - the name of a defect
    NONCE_MISSING = "nonce_missing"
    NONCE_CACHEABLE = "nonce_cacheable"
    CHALLENGE_ON_OUTAGE = "challenge_on_outage"
    LOGIN_REDIRECT = "login_redirect"
    LOGIN_PAGE = "login_page"
    TOKEN_ECHOED = "token_echoed"  # noqa: S105 - the name of a defect
    METADATA_NOT_HTTPS = "metadata_not_https"
    WAIT_UNKNOWN = "wait_unknown"
    SEVERAL_SCHEMES = "several_schemes"
    REPEATED_SCHEME = "repeated_scheme"
    ERRORS_DIFFER = "errors_differ"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about the response itself."""

    defect: Defect
    says: str
    clause: str = ""
    severity: Severity = Severity.WRONG


@dataclass(frozen=True, slots=True)
class Advice:
    """What an answer means for its client."""

    action: Action
    says: str
    """What the server said, in plain words."""
    clauses: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    turn: Turn = Turn.CLIENT
    otherwise: Turn = Turn.API_OPERATOR
    """Whose turn it is when that does not help."""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the steps need, by the names of the RFCs; ``seconds`` for a time to wait."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about a paste; no secret of it is in here."""

    status: int
    reason: str
    error: str | None
    advice: Advice
    remarks: tuple[Remark, ...] = ()
    redirects: tuple[str, ...] = ()
    """What came before: a status and where it sent the client, without the query."""
    hidden: bool = False
    """There was a secret in the paste, which should be seen as known to whoever has seen the paste."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the response itself."""
        return all(remark.severity is not Severity.WRONG for remark in self.remarks)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        advice = self.advice
        return {
            "status": self.status,
            "reason": self.reason,
            "error": self.error,
            "says": advice.says,
            "clauses": list(advice.clauses),
            "action": advice.action,
            "turn": advice.turn,
            "otherwise": advice.otherwise,
            "steps": list(advice.steps),
            "values": dict(advice.values),
            "remarks": [
                {"defect": remark.defect, "severity": remark.severity, "says": remark.says, "clause": remark.clause}
                for remark in self.remarks
            ],
            "redirects": list(self.redirects),
            "secret_in_paste": self.hidden,
        }
