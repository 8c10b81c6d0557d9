"""The verbs that make tokens at an issuer in another process, and those that end them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mock_as.keys.files import parse_keys
from mock_as.keys.signing import SigningKey
from mock_as.messages import encode_json
from mock_as.remote.channel import Channel, differences, plain, text_of
from mock_as.remote.clock import RemoteClock
from mock_as.tokens import Token, TokenFormat, TokenType
from mock_as.tokens.forge import forge
from mock_as.tokens.minting import Order
from mock_as.tokens.proofs import Prover

if TYPE_CHECKING:
    # Authlib, which comes with it, is slow to load.
    from mock_as.oauth.headless import Choice


class TokenVerbs:
    """Mints, revokes and expires tokens.

    Args:
        channel: asks the issuer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.clock = RemoteClock(channel)

    def token(  # noqa: PLR0913 - each is something that a token has
        self,
        sub: str | None = None,
        *,
        client_id: str = "svc",
        scope: str | Iterable[str] | None = "read",
        format: TokenFormat | None = None,  # noqa: A002 - the word for it
        aud: str | Iterable[str] | None = None,
        expires_in: float | None = None,
        nbf_in: float | None = None,
        iat_in: float | None = None,
        alg: str | None = None,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        key: str | None = None,
        token_type: TokenType = "Bearer",  # noqa: S107 - no secret
        cnf: Mapping[str, Any] | None = None,
        active: bool | None = None,
        known: bool | None = None,
        id: str | None = None,  # noqa: A002 - the word for it
        jti: str | None = None,
        grant_type: str | None = None,
        defect: str | None = None,
    ) -> Token:
        """Mint an access token, right or wrong; the arguments are those of :meth:`mock_as.MockAS.token`.

        Returns:
            The token.

        Raises:
            UsageError: a value is not one of what there is.
        """
        order = Order(
            sub=sub,
            client_id=client_id,
            scope=scope,
            format=format,
            aud=aud,
            expires_in=expires_in,
            nbf_in=nbf_in,
            iat_in=iat_in,
            alg=alg,
            claims=claims,
            header=header,
            key=key,
            token_type=token_type,
            cnf=cnf,
            active=active,
            known=known,
            id=id,
            jti=jti,
            grant_type=grant_type,
            defect=defect,
        )
        return self.mint(order)

    def mint(self, order: Order) -> Token:
        """Make a token and have it remembered.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """
        answer = self._channel.ask("POST", "/tokens", differences(order))
        [key] = parse_keys(encode_json(answer["proof_key"])) if answer["proof_key"] else [None]
        names = ("id", "format", "jti", "claims", "header", "defect")
        prover = None if key is None else Prover(key, self.clock.now)
        return Token(answer["token"], **{name: answer[name] for name in names}, prover=prover)

    def forge(
        self, header: Mapping[str, Any], payload: bytes | Mapping[str, Any] = b"", key: SigningKey | bytes | None = None
    ) -> Token:
        """Write a JWS of which everything is as given; no rule has a say in it, and introspection does not know it.

        Args:
            header: the JOSE header, whole.
            payload: the bytes, or claims.
            key: a private key, a secret, or ``None`` for no signature.

        Returns:
            The token.

        Raises:
            UsageError: JSON has no such value.
        """
        return forge(header, payload, key)

    def revoke(
        self,
        token: Token | str | None = None,
        *,
        sub: str | None = None,
        client_id: str | None = None,
        sid: str | None = None,
        everything: bool = False,
    ) -> int:
        """Revoke tokens, which are inactive from now on; the arguments are those of :meth:`mock_as.MockAS.revoke`.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """
        return self._end("revoke", "revoked", token, sub=sub, client_id=client_id, sid=sid, all=everything)

    def expire(
        self,
        token: Token | str | None = None,
        *,
        sub: str | None = None,
        client_id: str | None = None,
        sid: str | None = None,
        everything: bool = False,
    ) -> int:
        """Let tokens expire now, as introspection sees it; the arguments are those of :meth:`mock_as.MockAS.expire`.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """
        return self._end("expire", "expired", token, sub=sub, client_id=client_id, sid=sid, all=everything)

    def _end(self, verb: str, counted: str, token: Token | str | None, **facts: object) -> int:
        named = {"token": None if token is None else text_of(token), **facts}
        selection = {name: fact for name, fact in named.items() if fact not in (None, False)}
        return int(self._channel.ask("POST", f"/tokens/{verb}", selection)[counted])

    def authorize(  # noqa: PLR0913 - each is something that a client asks for, or that a person decides
        self,
        *,
        client_id: str,
        sub: str = "alice",
        scope: str | Iterable[str] | None = None,
        redirect_uri: str | None = None,
        decision: Choice = "allow",
        granted_scope: str | Iterable[str] | None = None,
        error: str | None = None,
        claims: Mapping[str, Any] | None = None,
        code_challenge: str | None = None,
        **parameters: str,
    ) -> str:
        """Log in without a browser; the arguments are those of :func:`mock_as.oauth.headless.authorize`.

        Returns:
            The URL that a browser would be sent to.

        Raises:
            UsageError: there is no such client, address, decision or error, or the person may not log in.
        """
        asked = {
            "client_id": client_id,
            "sub": sub,
            "scope": scope,
            "redirect_uri": redirect_uri,
            "decision": decision,
            "granted_scope": granted_scope,
            "error": error,
            "claims": claims,
            "code_challenge": code_challenge,
            **parameters,
        }
        said = {name: plain(name, value) for name, value in asked.items() if value is not None}
        return str(self._channel.ask("POST", "/authorize", said)["redirect"])
