"""The verbs of a test, told as arguments: the same ones for an issuer in this process and for one in another.

Each becomes a value here, an order, a wish or a login; how that is carried out is the only thing the two do
differently.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from mock_as.faults.plan import Wish
from mock_as.journal import View
from mock_as.logins import Choice, Login
from mock_as.tokens import Token, TokenFormat, TokenType
from mock_as.tokens.forge import minting
from mock_as.tokens.minting import Order
from mock_as.tokens.notices import Notices

End = Literal["revoke", "expire"]
"""How a token can end."""

_Fault = TypeVar("_Fault")
_Requests = TypeVar("_Requests", bound=View[Any])


class Verbs(Notices, ABC, Generic[_Fault, _Requests]):
    """What a test can do to an issuer by naming it argument by argument."""

    # ----------------------------------------------------------------------------------------------------------- tokens

    @minting
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
        """Mint an access token, right or wrong.

        Args:
            sub: the subject; by default the client itself, and otherwise a person.
            client_id: whom it is issued to; need not be registered.
            scope: the scopes, as one text or several; ``None`` for a token without.
            format: ``jwt`` or ``opaque``; by default as the client, or else the server, is configured.
            aud: the audience, or several; by default the server's.
            expires_in: how long it lives, in seconds; negative for one that has expired.
            nbf_in: when it becomes valid, in seconds from now; without it there is no ``nbf``.
            iat_in: when it was issued, in seconds from now.
            alg: the algorithm of the signature, as joserfc names it; its key is made and published at the first use. By
                default as the resource has it, or else ES256.
            claims: what else it says, or says differently; a value of ``None`` removes a claim.
            header: the same for the JOSE header.
            key: the key that signs: ``unpublished``, ``previous``, or a ``kid``; by default the one that signs now.
            token_type: ``DPoP`` for a token that is bound to a key made for it; the token then makes the proofs too.
            cnf: what the token is bound to, where that is not a key made for it.
            active: what introspection says of it, whatever the truth is; by default the truth.
            known: whether introspection knows the token; by default unless the server would never have issued it.
            id: its name in the journal and in the control plane; by default they are numbered.
            jti: its name in the token itself.
            grant_type: the grant that it is as if issued by, for the rules that ask for one.
            defect: what is wrong with it, one of :data:`mock_as.tokens.defects.DEFECTS`.

        Returns:
            The token.

        Raises:
            UsageError: a value is not one of what there is.
        """
        return self.mint(
            Order(
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
        )

    def revoke(
        self,
        token: Token | str | None = None,
        *,
        sub: str | None = None,
        client_id: str | None = None,
        sid: str | None = None,
        everything: bool = False,
    ) -> int:
        """Revoke tokens: introspection calls them inactive from now on.

        Args:
            token: the token, its text or its id.
            sub: every token of a subject.
            client_id: every token issued to a client.
            sid: every token of a session.
            everything: every token there is.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """
        return self.end("revoke", token, sub=sub, client_id=client_id, sid=sid, everything=everything)

    def expire(
        self,
        token: Token | str | None = None,
        *,
        sub: str | None = None,
        client_id: str | None = None,
        sid: str | None = None,
        everything: bool = False,
    ) -> int:
        """Let tokens expire now, as introspection sees it; what a JWT says of itself cannot be changed.

        Args:
            token: the token, its text or its id.
            sub: every token of a subject.
            client_id: every token issued to a client.
            sid: every token of a session.
            everything: every token there is.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """
        return self.end("expire", token, sub=sub, client_id=client_id, sid=sid, everything=everything)

    # ------------------------------------------------------------------------------------------------------- logins

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
        """Log in without a browser: ask for authorization as a client does, and decide as a person does.

        Args:
            client_id: which client asks.
            sub: who decides; need not be registered.
            scope: what the client asks for; by default all that it may have, but for the scopes of OpenID Connect.
            redirect_uri: where the answer goes; by default the first address that the client is registered with.
            decision: ``allow`` or ``deny``.
            granted_scope: what of it is granted; by default all that the person may grant.
            error: the code of an error that the client gets in the place of a code.
            claims: what the tokens shall say beside.
            code_challenge: the challenge of PKCE, by S256.
            parameters: further parameters of the request, such as ``nonce``, ``state``, ``acr_values``, ``resource``;
                with a ``request_uri`` the request is the one that was pushed, and only the decision counts.

        Returns:
            The URL that a browser would be sent to.

        Raises:
            UsageError: there is no such client, address, decision or error, or the person may not log in.

        References: RFC 6749 sections 4.1.1 and 4.1.2
        """
        login = Login(
            client_id=client_id,
            sub=sub,
            scope=scope,
            redirect_uri=redirect_uri,
            decision=decision,
            granted_scope=granted_scope,
            error=error,
            claims=claims,
            code_challenge=code_challenge,
            parameters=parameters,
        )
        return self.log_in(login)

    # ----------------------------------------------------------------------------------------------------- misbehaviour

    def fault(  # noqa: PLR0913 - each is something that can be wrong with an answer
        self,
        endpoint: str,
        action: str | int | None = None,
        *,
        status: int | None = None,
        retry_after: float | str | None = None,
        times: int | None = None,
        after: int = 0,
        every: int = 1,
        probability: float = 1.0,
        sequence: Sequence[str | int | None] | None = None,
        seconds: float | None = None,
        body: str | bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **match: Any,  # noqa: ANN401 - as the facts of a request are
    ) -> _Fault:
        """Misbehave from now on; of several faults that concern a request, the one set first happens.

        Args:
            endpoint: one of :data:`mock_as.journal.ENDPOINTS`, or ``*`` for all of them.
            action: what happens, one of :data:`mock_as.faults.ACTIONS`, or a status; those that take an argument have
                it in parentheses, such as ``redirect(https://example.com/)``.
            status: the status, in the place of the one that the action has.
            retry_after: the header field, as seconds or as text.
            times: how often; by default until the faults are cleared.
            after: how many requests are left alone before.
            every: 3 for every third request.
            probability: how likely it is at each request, more than 0, at most 1; a seed makes it reproducible.
            sequence: what happens to one request after the other, once or ``times`` times, in the place of an action;
                ``honest`` or ``None`` where nothing does.
            seconds: the argument of an action that takes a duration, in seconds.
            body: the body, in the place of the one that the action has; a mapping is written as JSON.
            headers: further header fields.
            match: only to requests with these facts: ``client_id``, ``token``, ``sub``, ``kid``, ``method``, and
                ``header`` with the values of header fields by their names; or ``match`` with all of them.

        Returns:
            The fault, which counts how often it has happened.

        Raises:
            UsageError: there is no such endpoint, action or fact.
        """
        wish = Wish(
            endpoint=endpoint,
            action=action,
            status=status,
            retry_after=retry_after,
            times=times,
            after=after,
            every=every,
            probability=probability,
            sequence=sequence,
            seconds=seconds,
            body=body,
            headers=headers,
            match=match,
        )
        return self.set_fault(wish)

    # ------------------------------------------------------------------------------------------------------ the journal

    def assert_called(self, endpoint: str, *, times: int | None = None) -> None:
        """Insist that an endpoint was asked.

        Args:
            endpoint: which one.
            times: how often exactly; by default at least once.

        Raises:
            AssertionError: it was asked more or less often; the message shows the journal.
            UsageError: there is no such endpoint.
        """
        count = self.requests(endpoint).count
        if count != times if times is not None else not count:
            wanted = "at least once" if times is None else f"{times} times"
            raise AssertionError(f"{endpoint} was asked {count} times, not {wanted}\n{self.requests()!r}")

    # --------------------------------------------------------------------------------- what each side does its own way

    @abstractmethod
    def mint(self, order: Order) -> Token:
        """Make a token and have it remembered.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """

    @abstractmethod
    def end(self, how: End, token: Token | str | None, *, everything: bool = False, **facts: str | None) -> int:
        """End tokens.

        Args:
            how: whether they are revoked or expire.
            token: the token, its text or its id.
            everything: every token there is.
            facts: every token with these: ``sub``, ``client_id``, ``sid``.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """

    @abstractmethod
    def log_in(self, login: Login) -> str:
        """Log in without a browser.

        Args:
            login: what is asked and decided.

        Returns:
            The URL that a browser would be sent to.

        Raises:
            UsageError: there is no such client, address or error, or the person may not log in.
        """

    @abstractmethod
    def set_fault(self, wish: Wish) -> _Fault:
        """Misbehave from now on.

        Args:
            wish: how.

        Raises:
            UsageError: there is no such endpoint, action or fact.
        """

    @abstractmethod
    def requests(self, endpoint: str | None = None, **match: Any) -> _Requests:  # noqa: ANN401 - as the facts are
        """Return the requests that came in, as far as they are remembered; the view follows what happens.

        Args:
            endpoint: to which endpoint; by default to any.
            match: only those with these facts: ``client_id``, ``method``, ``path``, ``status``, ``fault``, ``since``,
                and parameters of the request; ``token`` takes a token, its text or its id.

        Raises:
            UsageError: there is no such endpoint.
        """
