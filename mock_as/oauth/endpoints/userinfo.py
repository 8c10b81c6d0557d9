"""What is said about the person whom an access token is for.

References: OpenID Connect Core 1.0 section 5.3, RFC 6750 sections 2 and 3, RFC 9449 section 7
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from mock_as.base64url import base64url
from mock_as.issuer import Issuer
from mock_as.jwts import read
from mock_as.messages import Answer, Request, json_answer, oauth_error
from mock_as.oauth.client_certificate import shown_certificate, thumbprint
from mock_as.oauth.dpop import PROOF_ALGORITHMS, PROOF_LIFETIME, Expected, ProofError, judge_proof
from mock_as.oauth.replay import first_time
from mock_as.tokens.drafts import as_scope
from mock_as.tokens.store import TokenRecord
from mock_as.users import PERSONAL_CLAIMS, claims_for

_REALM = 'realm="mock-as"'


class _NotHeldError(ValueError):
    """Whoever has sent a token has not shown to be the one that it is bound to; the message says why."""


def answer(issuer: Issuer, request: Request) -> Answer:
    """Answer a client that has an access token.

    Args:
        issuer: whose endpoint.
        request: the request.
    """
    ways = _tokens(request)
    if not ways:
        challenge = f"Bearer {_REALM}, DPoP {_algorithms()}"
        return oauth_error("invalid_request", "The token is missing.", 401, {"www-authenticate": challenge})
    if len(ways) > 1:
        return _refusal("invalid_request", "The token must be sent once.", 400)
    scheme, token = ways[0]
    record = issuer.tokens.get(token)
    if record is None or record.kind != "access_token" or not record.is_active(issuer.clock.now()):
        return _refusal("invalid_token", "The token is unknown, has expired, or was revoked.", 401)
    try:
        _judge_possession(issuer, request, scheme, record)
    except _NotHeldError as error:
        return _refusal("invalid_token", str(error), 401, f", {_algorithms()}", scheme="DPoP")
    if "openid" not in _scopes(record):
        return _refusal("insufficient_scope", "The token needs the scope openid.", 403, ', scope="openid"')
    return json_answer(claims_about(issuer, record))


def claims_about(issuer: Issuer, record: TokenRecord) -> dict[str, Any]:
    """Return what may be said to somebody who has a token.

    Args:
        issuer: who says it.
        record: the token.

    References: OpenID Connect Core 1.0 sections 5.3.2 and 5.4
    """
    said = record.token.claims
    user = issuer.users.get(str(record.subject))
    person = {} if user is None else user.personal
    personal = {**person, **{name: value for name, value in said.items() if name in PERSONAL_CLAIMS}}
    more = {} if record.granted is None else record.granted.claims
    others = {name: value for name, value in more.items() if name not in PERSONAL_CLAIMS}
    return {**others, **claims_for(_scopes(record), personal), "sub": record.subject}


def _scopes(record: TokenRecord) -> list[str]:
    scope = record.token.claims.get("scope")
    return as_scope(scope).split() if isinstance(scope, (str, list)) else []


def _judge_possession(issuer: Issuer, request: Request, scheme: str, record: TokenRecord) -> None:
    """Insist on the key or the certificate that a token is bound to.

    Raises:
        _NotHeldError: it was not shown.

    References: RFC 8705 section 3, RFC 9449 section 7.1
    """
    bound = record.token.claims.get("cnf")
    confirmation: Mapping[str, Any] = bound if isinstance(bound, Mapping) else {}
    if ("jkt" in confirmation) is not (scheme == "dpop"):
        raise _NotHeldError("The token was sent with the scheme of another type.")
    if "jkt" in confirmation and _proven(issuer, request, record) != confirmation["jkt"]:
        raise _NotHeldError("The proof is of another key.")
    if "x5t#S256" in confirmation:
        certificate = shown_certificate(request)
        if certificate is None or thumbprint(certificate) != confirmation["x5t#S256"]:
            raise _NotHeldError("The certificate that the token is bound to was not shown.")


def _proven(issuer: Issuer, request: Request, record: TokenRecord) -> str:
    proofs = [value for name, value in request.headers if name == "dpop"]
    if len(proofs) != 1:
        raise _NotHeldError("There has to be one proof.")
    expected = Expected(method=request.method, url=issuer.url.userinfo, now=issuer.clock.now())
    try:
        proof = judge_proof(proofs[0], expected)
    except ProofError as error:
        raise _NotHeldError(f"The proof is not good. {error}") from None
    if read(proofs[0]).claims.get("ath") != base64url(hashlib.sha256(record.token.value.encode()).digest()):
        raise _NotHeldError("The proof is for another token.")
    lifetime = 2 * PROOF_LIFETIME
    if not first_time(issuer.pending.seen, "proof", proof.thumbprint, proof.jti, lifetime=lifetime):
        raise _NotHeldError("The proof was used before.")
    return proof.thumbprint


def _tokens(request: Request) -> list[tuple[str, str]]:
    """Return the tokens that a request has, each with its scheme, in every way that it can have one."""
    scheme, _, credentials = (request.header("authorization") or "").partition(" ")
    sent = [(scheme.lower(), credentials.strip())] if scheme.lower() in {"bearer", "dpop"} else []
    form = [] if request.form is None else request.form.get_all("access_token")
    return [(scheme, token) for scheme, token in (*sent, *(("bearer", token) for token in form)) if token]


def _algorithms() -> str:
    return f'algs="{" ".join(PROOF_ALGORITHMS)}"'


def _refusal(error: str, description: str, status: int, more: str = "", *, scheme: str = "Bearer") -> Answer:
    challenge = f'{scheme} {_REALM}, error="{error}", error_description="{description}"{more}'
    return oauth_error(error, description, status, {"www-authenticate": challenge})
