"""RFC 9068 and what stands under it: access tokens that are verified by their signature."""

from __future__ import annotations

from typing import Any

from resource_server.conformance.canary import Canary
from resource_server.conformance.clause import Clause, Level, Outcome, Severity, clause, judged
from resource_server.conformance.expect import GRANTED, INVALID_TOKEN, REFUSED, Expectation
from resource_server.conformance.stand import Stand

_NO_CRASH = Expectation("any answer but a crash", lambda answer: 200 <= answer.status < 500)  # noqa: PLR2004
_FLOOD, _FEW = 20, 5


def _defect(  # noqa: PLR0913 - the columns of a table
    name: str, severity: Severity, defect: str, title: str, *, level: Level = "MUST", need: str = "jwks"
) -> Clause:
    """Make a clause about a JWT with one of the mock's defects; the authorization server itself calls it inactive."""

    def probe(stand: Stand) -> Outcome:
        return REFUSED.of(stand.ask(stand.token(defect=defect, active=False)))

    document, section, _ = name.split("-")
    return clause(name, f"RFC {document} section {section}", severity, level, title, "jwt", need)(probe)


_DEFECTS = (
    _defect("9068-2.1-a", "critical", "alg_none", "alg: none is refused"),
    _defect("8725-3.1-a", "critical", "hs256_with_public_key", "HS256 with the public key is refused"),
    _defect("8725-3.1-b", "critical", "alg_confusion", "A key is used with its own algorithm only"),
    _defect("9068-4-d", "critical", "bad_signature", "A wrong signature is refused"),
    _defect("9068-4-g", "critical", "other_key", "A signature by another key is refused"),
    _defect("7515-5.2-c", "critical", "two_parts", "A missing signature is refused"),
    _defect("7515-5.2-a", "high", "bad_base64", "A letter that is none of base64url's is refused"),
    _defect("7519-7.2-a", "high", "payload_array", "Claims that are an array are refused"),
    _defect("7519-7.2-b", "high", "payload_not_json", "Claims that are not JSON are refused"),
    _defect("9068-4-e", "critical", "expired", "An expired JWT is refused"),
    _defect("7519-4.1.5-a", "critical", "not_yet_valid", "A JWT before its nbf is refused"),
    _defect("7519-4.1.4-a", "critical", "exp_string", "An exp that is a text is refused"),
    _defect("9068-4-b", "critical", "wrong_iss", "Another issuer is refused"),
    _defect("9068-4-h", "critical", "iss_slash", "An issuer with a slash too many is another"),
    _defect("9068-4-c", "critical", "wrong_aud", "Another audience is refused"),
    _defect("9068-4-i", "critical", "no_aud", "A JWT for no audience is refused"),
    _defect("9068-2.2-a", "critical", "no_exp", "A JWT that never expires is refused", need="rfc9068"),
    _defect(
        "9068-4-a", "critical", "wrong_typ", "A JWT that does not say it is an access token is refused", need="rfc9068"
    ),
    _defect("8725-3.12-a", "critical", "id_token", "An ID token is no access token"),
    _defect("8725-3.12-b", "critical", "logout_token", "A logout token is no access token"),
    _defect("7515-4.1.11-a", "critical", "crit_unknown", "An unknown extension in crit is refused"),
    _defect("7797-7-a", "high", "b64_false", "An unencoded payload is refused"),
    _defect("7515-4.1.3-a", "critical", "jwk_header", "A key that the token brings along is not used"),
    _defect("8725-3.10-a", "high", "unknown_kid", "A kid that nobody has is refused"),
    _defect("9068-4-f", "high", "jwe", "An encrypted token is refused by who has no key", level="SHOULD"),
    _defect(
        "7800-3.1-a",
        "high",
        "cnf_unsupported",
        "A token bound to what nobody understands is refused",
        level="practice",
        need="rfc9068",
    ),
)


def _variant(
    name: str, severity: Severity, title: str, expectation: Expectation, *orders: dict[str, Any], need: str = "jwks"
) -> Clause:
    """Make a clause about JWTs that differ from a good one in what the orders say."""

    def probe(stand: Stand) -> Outcome:
        return expectation.of_each([(str(order), stand.ask(stand.jwt(**order))) for order in orders])

    document, section, _ = name.split("-")
    return clause(name, f"RFC {document} section {section}", severity, "MUST", title, "jwt", need)(probe)


def _typed(*types: str, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    return [{"header": {"typ": typ}, **more} for typ in types]


_ODD_KEYS = ({"header": {"kid": kid}} for kid in (5, ["a"], "../../etc/passwd"))
_OTHER_TYPES = ("dpop+jwt", "token-introspection+jwt", "logout+jwt", "secevent+jwt")
_VARIANTS = (
    _variant("9068-2.1-b", "critical", "A good JWT is let in", GRANTED, {}),
    _variant(
        "9068-4-j",
        "medium",
        "The type may have application/ in front, and any case",
        GRANTED,
        *_typed("application/at+jwt", "AT+JWT"),
        need="rfc9068",
    ),
    _variant(
        "8725-3.11-a",
        "critical",
        "Other types of JWT are no access tokens",
        REFUSED,
        *_typed(*_OTHER_TYPES, active=False),
        need="rfc9068",
    ),
    _variant(
        "7515-4-a",
        "high",
        "Unknown header parameters are ignored",
        GRANTED,
        {"header": {"nonce": "n", "x-private": [1]}},
    ),
    _variant(
        "7519-4-b",
        "medium",
        "Unknown claims are ignored",
        GRANTED,
        {"claims": {"https://example.test/c": {"a": [None, 1.5, "é"]}}},
    ),
    _variant("7519-2-a", "low", "A time may have a fraction", GRANTED, {"defect": "exp_float"}),
    _variant("7515-4.1.4-a", "high", "A kid that is no text breaks nothing", _NO_CRASH, *_ODD_KEYS),
)


@clause("7519-4.1.3-a", "RFC 7519 section 4.1.3", "high", "MUST", "The audience may be a list", "jwt", "jwks")
def audience_in_a_list(stand: Stand) -> Outcome:
    """Ask with a token for two audiences, of which we are the second."""
    return GRANTED.of(stand.ask(stand.jwt(claims={"aud": ["https://other.example.test", stand.target.audience]})))


@clause(
    "7519-4.1.3-b",
    "RFC 7519 section 4.1.3",
    "critical",
    "MUST",
    "An audience that only begins like ours is another",
    "jwt",
    "jwks",
)
def audience_is_compared_whole(stand: Stand) -> Outcome:
    """Ask with tokens for an audience that is longer, and one that is shorter."""
    ours = stand.target.audience
    tokens = [stand.jwt(aud=other, active=False) for other in (f"{ours}.evil.example", ours[:-1])]
    return REFUSED.of(*stand.ask_all(tokens))


@clause("9068-4-k", "RFC 9068 section 4", "high", "SHOULD", "An expired JWT is an invalid_token", "jwt", "jwks")
def expired_jwt(stand: Stand) -> Outcome:
    """Ask with a JWT that has expired."""
    return INVALID_TOKEN.of(stand.ask(stand.jwt(expires_in=-3600)))


@clause(
    "8725-3.10-b",
    "RFC 8725 section 3.10",
    "critical",
    "MUST",
    "What a token says of keys is not fetched",
    "jwt",
    "jwks",
)
def keys_are_not_fetched_from_a_token(stand: Stand) -> Outcome:
    """Say in the header where the key is, and see whether somebody comes for it."""
    with Canary() as canary:
        headers = [{name: canary.url} for name in ("jku", "x5u")]
        answers = [stand.ask(stand.jwt(header=header, key="unpublished", active=False)) for header in headers]
        heard = len(canary.heard)
    met = not heard and all(REFUSED.met(answer) for answer in answers)
    told = ", ".join(answer.text for answer in answers)
    return judged(met=met, expected="a refusal, and no request to the URL", observed=f"{heard} requests; {told}")


@clause(
    "7515-4.1.4-b",
    "RFC 7517 section 4.5",
    "high",
    "practice",
    "A new key is known as soon as it is published",
    "jwt",
    "jwks",
)
def new_key(stand: Stand) -> Outcome:
    """Publish a key after the others were fetched, and ask with a token that it has signed."""
    stand.ask(stand.jwt())
    kid = stand.server.new_key(stand.target.alg)
    return GRANTED.of(stand.ask(stand.jwt(key=kid)))


@clause(
    "field-unknown-keys", "practice", "high", "practice", "Unknown keys do not make us ask without end", "jwt", "jwks"
)
def unknown_keys(stand: Stand) -> Outcome:
    """Ask with many tokens of keys that nobody has, and count how often the key set was fetched."""
    before = stand.server.last_number()
    for number in range(_FLOOD):
        stand.ask(stand.jwt(header={"kid": f"unknown-{number}"}, key="unpublished", active=False))
    count = len(stand.server.questions("jwks", since=before))
    return judged(met=count <= _FEW, expected=f"at most {_FEW} fetches", observed=f"{count} for {_FLOOD} tokens")


@clause("field-good-keys", "practice", "high", "practice", "... and do not make us forget the good ones", "jwt", "jwks")
def good_keys_stay(stand: Stand) -> Outcome:
    """Ask with a good JWT after the flood of unknown keys."""
    stand.ask(stand.jwt(header={"kid": "one-more-unknown"}, key="unpublished", active=False))
    return GRANTED.of(stand.ask(stand.jwt()))


CLAUSES = (
    # Before the keys that nobody has, of which a target may have enough after a while.
    new_key,
    *_VARIANTS,
    *_DEFECTS,
    expired_jwt,
    audience_in_a_list,
    audience_is_compared_whole,
    keys_are_not_fetched_from_a_token,
    unknown_keys,
    good_keys_stay,
)
