"""Authenticate clients by the JWTs that they sign.

Authlib has a class for it, but that reads the time from the machine, and takes an assertion of any algorithm that fits
the key.

References: RFC 7521 section 4.2, RFC 7523 sections 2.2 and 3
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc7523.client import ASSERTION_TYPE
from joserfc.jwk import OctKey

from mock_as.clients import Client
from mock_as.identity import URLs
from mock_as.issuer import Issuer
from mock_as.jwts import (
    JWT,
    LEEWAY,
    MAC_ALGORITHMS,
    SIGNATURE_ALGORITHMS,
    JWTError,
    import_keys,
    judge_audience,
    judge_times,
    read,
    verify,
)
from mock_as.oauth.client_authentication import FindClient, Message, NotAuthenticatedError
from mock_as.oauth.replay import first_time
from mock_as.tokens.store import as_time


def audiences(urls: URLs) -> frozenset[str]:
    """Return what an assertion may name this server by: its issuer identifier, and where assertions are sent.

    Args:
        urls: where the server is.

    References: RFC 7523 section 3, RFC 9126 section 2
    """
    endpoints = (urls.token, urls.introspection, urls.revocation, urls.pushed_authorization, urls.device_authorization)
    return frozenset({urls.issuer, *endpoints})


def judge_assertion(issuer: Issuer, jwt: JWT) -> None:
    """Insist that an assertion whose signature is right is meant for this server, now, and for the first time.

    Args:
        issuer: the server.
        jwt: the assertion.

    Raises:
        JWTError: it is not.

    References: RFC 7523 section 3
    """
    now = issuer.clock.now()
    judge_times(jwt.claims, now)
    judge_audience(jwt.claims, audiences(issuer.url))
    jti = jwt.claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise JWTError("It has no jti.")
    lifetime = (as_time(jwt.claims["exp"], now) or now) + LEEWAY - now
    if not first_time(issuer.pending.seen, "assertion", str(jwt.claims["iss"]), jti, lifetime=lifetime):
        raise JWTError("It was used before.")


class AssertionAuthentication:
    """The methods ``private_key_jwt`` and ``client_secret_jwt``.

    Args:
        issuer: whom the clients authenticate to.
    """

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def private_key_jwt(self, find: FindClient, message: Message) -> Client | None:
        """Return the client whose key has signed the assertion."""

        def judge(jwt: JWT, client: Client | None) -> None:
            keys = [] if client is None else import_keys(client.public_keys(), jwt.header.get("kid"))
            verify(jwt, keys, SIGNATURE_ALGORITHMS)

        return self._authenticated(find, message, "private_key_jwt", judge)

    def client_secret_jwt(self, find: FindClient, message: Message) -> Client | None:
        """Return the client whose secret has signed the assertion."""

        def judge(jwt: JWT, client: Client | None) -> None:
            secret = client.secret.encode() if client else b""
            # Not imported: joserfc warns of short secrets, and the ready-made ones are meant to be typed.
            verify(jwt, [OctKey(secret, secret)] if secret else [], MAC_ALGORITHMS)

        return self._authenticated(find, message, "client_secret_jwt", judge)

    def _authenticated(
        self, find: FindClient, message: Message, method: str, judge: Callable[[JWT, Client | None], None]
    ) -> Client | None:
        assertion = message.form.get("client_assertion")
        if message.form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
            return None
        try:
            jwt = read(assertion)
            client = find(_client_id(jwt.claims, message.form.get("client_id")))
            judge(jwt, client if client and method in client.auth_methods else None)
            judge_assertion(self._issuer, jwt)
        except JWTError as error:
            raise NotAuthenticatedError(f"The assertion is not good. {error}") from None
        return client


def _client_id(claims: dict[str, Any], named: str | None) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or claims.get("iss") != subject or named not in {None, subject}:
        raise JWTError("Its iss and sub are not the id of the client.")
    return subject
