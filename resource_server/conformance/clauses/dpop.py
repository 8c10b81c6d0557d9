"""RFC 9449: tokens that are bound to a key, and the proofs that it is at hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resource_server.conformance.authorization_server import Token
from resource_server.conformance.clause import Clause, Outcome, Severity, clause, judged
from resource_server.conformance.expect import GRANTED, UNAUTHORIZED, Expectation
from resource_server.conformance.proofs import new_key, proof
from resource_server.conformance.stand import Stand
from resource_server.conformance.wire import Answer

_HOUR = 3600
_REFUSED = Expectation("400 or 401", lambda answer: answer.status in {400, 401})


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What is wrong with a proof."""

    header: Mapping[str, Any] | None = None
    claims: Mapping[str, Any] | None = None
    other_key: bool = False
    text: str | None = None
    """What stands there in its place."""


def _route(stand: Stand) -> str:
    return "dpop" if "dpop" in stand.target.routes else "read"


def _bound(stand: Stand) -> Token:
    """Mint a token that is bound to a key; the mock makes the key."""
    return stand.token(token_type="DPoP")  # noqa: S106 - the type, not a secret


def _proof(stand: Stand, token: Token, wrong: _Wrong) -> str:
    place = stand.target.routes[_route(stand)]
    key = new_key() if wrong.other_key or token.proof_key is None else token.proof_key
    url = stand.target.url + place.path.partition("?")[0]
    return proof(key, place.method, url, token.text, header=wrong.header, claims=wrong.claims)


def _ask(stand: Stand, token: Token, *proofs: str) -> Answer:
    return stand.ask(token, _route(stand), scheme="DPoP", fields=[("DPoP", text) for text in proofs])


@clause("9449-7.1-a", "RFC 9449 section 7.1", "high", "MUST", "A bound token with its proof is let in", "dpop")
def good_proof(stand: Stand) -> Outcome:
    """Ask with a right proof."""
    token = _bound(stand)
    return GRANTED.of(_ask(stand, token, _proof(stand, token, _Wrong())))


@clause("9449-7.2-a", "RFC 9449 section 7.2", "critical", "MUST", "A bound token is no bearer token", "dpop")
def bound_token_as_bearer(stand: Stand) -> Outcome:
    """Ask with a bound token under the scheme Bearer, without and with a proof."""
    token = _bound(stand)
    fields = [("DPoP", _proof(stand, token, _Wrong()))]
    return UNAUTHORIZED.of(stand.ask(token, _route(stand)), stand.ask(token, _route(stand), fields=fields))


@clause(
    "9449-7.2-b",
    "RFC 9449 section 7.2",
    "critical",
    "MUST",
    "A bearer token is not taken under the scheme DPoP",
    "dpop",
)
def bearer_token_as_bound(stand: Stand) -> Outcome:
    """Ask with a token that is bound to nothing, and a proof of some key."""
    token = stand.token()
    return UNAUTHORIZED.of(_ask(stand, token, _proof(stand, token, _Wrong())))


@clause("9449-4.3-a", "RFC 9449 section 4.3", "critical", "MUST", "A bound token without a proof is refused", "dpop")
def no_proof(stand: Stand) -> Outcome:
    """Ask with a bound token alone."""
    return _REFUSED.of(_ask(stand, _bound(stand)))


@clause("9449-4.3-b", "RFC 9449 section 4.3", "critical", "MUST", "Two proofs are refused", "dpop")
def two_proofs(stand: Stand) -> Outcome:
    """Ask with two right proofs."""
    token = _bound(stand)
    return _REFUSED.of(_ask(stand, token, _proof(stand, token, _Wrong()), _proof(stand, token, _Wrong())))


@clause("9449-11.1-a", "RFC 9449 section 11.1", "high", "SHOULD", "A proof is good once", "dpop")
def replayed_proof(stand: Stand) -> Outcome:
    """Ask twice with one proof."""
    token = _bound(stand)
    text = _proof(stand, token, _Wrong())
    first, second = _ask(stand, token, text), _ask(stand, token, text)
    met = GRANTED.met(first) and UNAUTHORIZED.met(second)
    return judged(met=met, expected="a 2xx status, then 401", observed=f"{first.text}, then {second.text}")


def _wrong(name: str, severity: Severity, title: str, wrong: _Wrong) -> Clause:
    def probe(stand: Stand) -> Outcome:
        token = _bound(stand)
        return _REFUSED.of(_ask(stand, token, wrong.text or _proof(stand, token, wrong)))

    return clause(name, "RFC 9449 section 4.3", severity, "MUST", title, "dpop")(probe)


def _stale(name: str, title: str, seconds: int) -> Clause:
    def probe(stand: Stand) -> Outcome:
        token = _bound(stand)
        return _REFUSED.of(_ask(stand, token, _proof(stand, token, _Wrong(claims={"iat": int(time.time()) + seconds}))))

    return clause(name, "RFC 9449 section 11.1", "high", "MUST", title, "dpop")(probe)


CLAUSES = (
    good_proof,
    bound_token_as_bearer,
    bearer_token_as_bound,
    no_proof,
    two_proofs,
    _wrong("9449-4.3-c", "high", "What is no JWT is no proof", _Wrong(text="nonsense")),
    _wrong("9449-4.3-d", "critical", "A proof of another key is refused", _Wrong(other_key=True)),
    _wrong("9449-4.3-e", "critical", "A proof for another method is refused", _Wrong(claims={"htm": "DELETE"})),
    _wrong(
        "9449-4.3-f", "critical", "A proof for another URL is refused", _Wrong(claims={"htu": "https://evil.example/"})
    ),
    _wrong("9449-4.3-g", "critical", "A proof for another token is refused", _Wrong(claims={"ath": "AAAA"})),
    _wrong("9449-4.3-h", "critical", "A proof without the token's hash is refused", _Wrong(claims={"ath": None})),
    _wrong("9449-4.3-i", "critical", "A JWT of another type is no proof", _Wrong(header={"typ": "JWT"})),
    _wrong("9449-4.3-j", "high", "A proof without jti is refused", _Wrong(claims={"jti": None})),
    _stale("9449-4.3-k", "A proof of an hour ago is refused", -_HOUR),
    _stale("9449-4.3-l", "A proof of tomorrow is refused", 24 * _HOUR),
    replayed_proof,
)
