"""One issuer as tests use it: the verbs that change what it consists of."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mock_as.errors import UsageError, unknown
from mock_as.faults.book import Fault, Wish, make_plan
from mock_as.identity import URLs
from mock_as.journal import Requests
from mock_as.keys.signing import SigningKey
from mock_as.latches import Gate
from mock_as.state import State
from mock_as.tokens import Token, TokenFormat, TokenType
from mock_as.tokens.forge import forge
from mock_as.tokens.minting import Order
from mock_as.tokens.store import TokenRecord


class Issuer(State):
    """An authorization server, and everything a test can do to it."""

    # ------------------------------------------------------------------------------------------------- what it is

    @property
    def issuer(self) -> str:
        """The issuer identifier.

        Raises:
            RuntimeError: it is to be the address the server is served under, and the server is not.
        """
        return self.identity.issuer

    @property
    def url(self) -> URLs:
        """Where the endpoints are, as the metadata says it."""
        return self.identity.urls

    def credentials(self, client_id: str) -> tuple[str, str]:
        """Return the id and the secret of a client.

        Args:
            client_id: which one.

        Raises:
            UsageError: there is no such client.
        """
        if client_id not in self.clients:
            raise unknown("client_id", client_id, self.clients)
        return client_id, self.clients[client_id].secret

    # ----------------------------------------------------------------------------------------------------- tokens

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

    def forge(
        self, header: Mapping[str, Any], payload: bytes | Mapping[str, Any] = b"", key: SigningKey | bytes | None = None
    ) -> Token:
        """Write a JWS of which everything is as given; no rule has a say in it, and introspection does not know it.

        Args:
            header: the JOSE header, whole.
            payload: the bytes, or claims.
            key: a key such as ``keys.signing()``, a secret, or ``None`` for no signature.

        Returns:
            The token.

        Raises:
            UsageError: JSON has no such value.
        """
        return forge(header, payload, key)

    def mint(self, order: Order) -> Token:
        """Make a token and remember it.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """
        return self._mint.make(order)

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
        records = self._named(token, everything=everything, sub=sub, client_id=client_id, sid=sid)
        for record in records:
            record.revoked, record.revoked_at = True, self.clock.now()
        return len(records)

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
        records = self._named(token, everything=everything, sub=sub, client_id=client_id, sid=sid)
        for record in records:
            record.expires_at = self.clock.now()
        return len(records)

    def _named(self, token: Token | str | None, *, everything: bool, **facts: str | None) -> list[TokenRecord]:
        named = {name: fact for name, fact in facts.items() if fact is not None}
        if token is not None:
            record = self.tokens.find(token)
            return [] if record is None else [record]
        if not named and not everything:
            raise UsageError("token", "say which: a token, a sub, a client_id, a sid, or everything")
        return self.tokens.select(**named)

    # ------------------------------------------------------------------------------------------------ misbehaviour

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
    ) -> Fault:
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
                ``header`` with the values of header fields by their names.

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

    def set_fault(self, wish: Wish) -> Fault:
        """Misbehave from now on.

        Args:
            wish: how.

        Raises:
            UsageError: there is no such endpoint, action or fact.
        """
        plan = make_plan(wish)
        token = plan.match.get("token")
        return self.faults.set(plan if token is None else plan.only_for(token=self.text_of(token)))

    def use_profile(self, name: str) -> None:
        """Put on the behaviour of a real server, until the next reset.

        Args:
            name: one of :data:`mock_as.profiles.PROFILES`.

        Raises:
            UsageError: there is none of that name.
        """
        self.configure(profile=name)

    def clear_faults(self) -> None:
        """Behave again, and release every connection that a fault left hanging."""
        self.faults.clear()

    @property
    def faults_left(self) -> tuple[Fault, ...]:
        """The faults that have not happened as often as they were to: a test that leaves one has not tested it."""
        return tuple(fault for fault in self.faults if fault.left)

    @contextmanager
    def hold(self, endpoint: str) -> Generator[Gate]:
        """Hold the requests to an endpoint, so that a test can see many of them under way at once.

        Args:
            endpoint: which one, or ``*`` for all of them.

        Yields:
            The gate, which tells when requests have arrived and releases them; leaving the block does so too.

        Raises:
            UsageError: there is no such endpoint.
        """
        gate = self.gates.close(endpoint)
        try:
            yield gate
        finally:
            self.gates.remove(gate)

    # -------------------------------------------------------------------------------------------------- the journal

    def requests(self, endpoint: str | None = None, **match: Any) -> Requests:  # noqa: ANN401 - as the facts are
        """Return the requests that came in, as far as they are remembered; the view follows what happens.

        Args:
            endpoint: to which endpoint; by default to any.
            match: only those with these facts: ``client_id``, ``method``, ``path``, ``status``, ``fault``, and the
                parameters of the form; ``token`` takes a token, its text or its id.

        Raises:
            UsageError: there is no such endpoint.
        """
        return self.journal.requests(endpoint, match)

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
