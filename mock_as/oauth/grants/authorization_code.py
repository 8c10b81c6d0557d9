"""The authorization code grant with PKCE, and the codes it redeems.

References: RFC 6749 section 4.1, RFC 7636 section 4, RFC 9449 section 10, RFC 9700 section 2.1.1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError, OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from mock_as.clients import AUTH_METHODS
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.messages import Form
from mock_as.oauth.authorization_request import CHALLENGE_METHODS, requested_resources
from mock_as.oauth.grants.issue import issue, issue_refresh_token, revoke_family
from mock_as.oauth.grants.respond import Response, parameters, respond

CODE_LIFETIME = 60
"""How long a code can be redeemed, in seconds."""
_REMEMBERED_FOR = 600
_CODE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What an authorization code stands for, as Authlib asks for it."""

    granted: Granted
    redirect_uri: str | None
    """What the token request has to repeat."""
    code_challenge: str | None
    dpop_jkt: str | None
    expires_at: float
    spent: bool = False
    """Whether it has been redeemed: it is remembered, so that a second time is noticed."""

    @property
    def code_challenge_method(self) -> str:
        """How the verifier becomes the challenge; no other is accepted."""
        return "S256"

    def get_redirect_uri(self) -> str | None:
        """Return what the token request has to repeat."""
        return self.redirect_uri


def make_code(
    issuer: Issuer,
    granted: Granted,
    *,
    redirect_uri: str | None,
    code_challenge: str | None = None,
    dpop_jkt: str | None = None,
) -> str:
    """Make a code for what was granted.

    Args:
        issuer: who grants it.
        granted: what was granted.
        redirect_uri: what the token request has to repeat, if the authorization request named it.
        code_challenge: what the client proves to know the origin of, by S256.
        dpop_jkt: the thumbprint of the key that the client has to prove.

    Returns:
        The code.
    """
    code = issuer.chance.text(_CODE_BYTES)
    value = Code(
        granted=replace(granted, family=granted.family or issuer.chance.text(_CODE_BYTES // 2)),
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        dpop_jkt=dpop_jkt,
        expires_at=issuer.clock.now() + CODE_LIFETIME,
    )
    issuer.pending.codes.put(code, value, _REMEMBERED_FOR)
    return code


class AuthorizationCode(AuthorizationCodeGrant):
    """Redeems codes, each once."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def query_authorization_code(self, code: str, client: ClientMixin) -> Code | None:
        """Find a code; one that has been redeemed was stolen, and so is what it was redeemed for.

        References: RFC 6749 section 4.1.2
        """
        issuer: Issuer = self.server.issuer
        found: Code | None = issuer.pending.codes.get(code)
        if found is None or found.granted.client_id != client.get_client_id():
            return None
        if found.spent and found.granted.family is not None:
            revoke_family(issuer, found.granted.family)
        return None if found.spent or found.expires_at <= issuer.clock.now() else found

    def create_token_response(self) -> Response:
        """Redeem the code.

        References: RFC 6749 section 4.1.4, OpenID Connect Core 1.0 section 3.1.3.3
        """
        issuer: Issuer = self.server.issuer
        request: Any = self.request
        found: Code = request.authorization_code
        confirmation = self.server.confirmation(request)
        if found.dpop_jkt is not None and (confirmation or {}).get("jkt") != found.dpop_jkt:
            raise InvalidGrantError("The code is bound to another key.")
        narrowed = _narrowed(found.granted, parameters(request))
        issuer.pending.codes.put(request.form["code"], replace(found, spent=True), _REMEMBERED_FOR)
        document = issue(issuer, narrowed, confirmation=confirmation, id_token="openid" in narrowed.scopes)
        if request.client.check_grant_type("refresh_token"):
            document["refresh_token"] = issue_refresh_token(issuer, found.granted, confirmation)
        return respond(document)


def _narrowed(granted: Granted, form: Form) -> Granted:
    """Return what the access token is for, which can be less than what was granted: RFC 8707 section 2.2."""
    resources = requested_resources(form)
    if granted.resources and not set(resources) <= set(granted.resources):
        raise OAuth2Error("One of these resources was not granted.", error="invalid_target")
    return replace(granted, resources=resources or granted.resources)


class ProofKey(CodeChallenge):
    """PKCE with S256 only."""

    SUPPORTED_CODE_CHALLENGE_METHOD = list(CHALLENGE_METHODS)  # noqa: RUF012 - as the base class has it
