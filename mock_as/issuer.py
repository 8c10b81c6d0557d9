"""One issuer: its keys, clients, tokens, clock, faults and journal, and the verbs that change them.

Everything is in memory and belongs to one object, whichever way it is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from mock_as.clients import Client, registry
from mock_as.clock import Clock
from mock_as.errors import UsageError, unknown
from mock_as.fault_book import Fault, FaultBook, Wish, make_plan
from mock_as.identity import Identity, URLs
from mock_as.journal import ENDPOINTS, Journal, Requests
from mock_as.keys import DEFAULT_ALGORITHM, KeyRing
from mock_as.latches import Gate, Gates
from mock_as.mint import House, Mint
from mock_as.minting import Order, as_audience
from mock_as.store import TokenRecord, TokenStore
from mock_as.tokens import FORMATS, Token, TokenFormat

DEFAULT_AUDIENCE = "https://api.example.test"

_EVERYWHERE = ENDPOINTS | {"*"}


class Issuer:
    """The state of an authorization server, and everything a test can do to it.

    The arguments are those of :class:`mock_as.MockAS`.
    """

    def __init__(  # noqa: PLR0913 - each is an option, documented where users construct it
        self,
        *,
        issuer: str | None = None,
        audience: str | Iterable[str] = DEFAULT_AUDIENCE,
        clients: Iterable[Client] = (),
        token_format: TokenFormat = "jwt",  # noqa: S107 - no secret
        lifetime: int = 3600,
        seed: int | None = None,
        clock: Clock | Callable[[], float] | None = None,
        refuse_jwt_introspection: bool = False,
        jwks_max_age: int = 300,
    ) -> None:
        if token_format not in FORMATS:
            raise unknown("token_format", token_format, FORMATS)
        self.identity = Identity(issuer)
        self.audience = as_audience(audience)
        self.clients = registry(clients)
        self.lifetime = _at_least(1, "lifetime", lifetime)
        self.refuse_jwt_introspection = refuse_jwt_introspection
        self.jwks_max_age = _at_least(0, "jwks_max_age", jwks_max_age)
        self.clock = clock if isinstance(clock, Clock) else Clock(clock) if clock else Clock()
        self.keys = KeyRing()
        self.tokens = TokenStore(self.clock.now)
        self.journal = Journal(self.text_of)
        self.faults = FaultBook()
        self.gates = Gates(_EVERYWHERE)
        house = House(
            identity=self.identity,
            audience=self.audience,
            clients=self.clients,
            usual_format=token_format,
            lifetime=lifetime,
            clock=self.clock,
            keys=self.keys,
            store=self.tokens,
        )
        self._mint = Mint(house, seed)

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
        alg: str = DEFAULT_ALGORITHM,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        key: str | None = None,
        known: bool | None = None,
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
            alg: the algorithm of the signature, as joserfc names it; its key is made and published at the first use.
            claims: what else it says, or says differently; a value of ``None`` removes a claim.
            header: the same for the JOSE header.
            key: the key that signs: ``unpublished``, ``previous``, or a ``kid``; by default the one that signs now.
            known: whether introspection knows the token; by default unless the server would never have issued it.
            defect: what is wrong with it, one of :data:`mock_as.minting.DEFECTS`.

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
                known=known,
                defect=defect,
            )
        )

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
        everything: bool = False,
    ) -> int:
        """Revoke tokens: introspection calls them inactive from now on.

        Args:
            token: the token, its text or its id.
            sub: every token of a subject.
            client_id: every token issued to a client.
            everything: every token there is.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """
        records = self._named(token, sub, client_id, everything=everything)
        for record in records:
            record.revoked = True
        return len(records)

    def expire(
        self,
        token: Token | str | None = None,
        *,
        sub: str | None = None,
        client_id: str | None = None,
        everything: bool = False,
    ) -> int:
        """Let tokens expire now, as introspection sees it; what a JWT says of itself cannot be changed.

        Args:
            token: the token, its text or its id.
            sub: every token of a subject.
            client_id: every token issued to a client.
            everything: every token there is.

        Returns:
            How many the server knew.

        Raises:
            UsageError: nothing was named.
        """
        records = self._named(token, sub, client_id, everything=everything)
        for record in records:
            record.expires_at = self.clock.now()
        return len(records)

    def text_of(self, token: Token | str) -> str:
        """Return the text of a token, however it is named.

        Args:
            token: the token, its text or its id.
        """
        if isinstance(token, Token):
            return token.value
        record = self.tokens.find(token)
        return token if record is None else record.token.value

    def _named(
        self, token: Token | str | None, sub: str | None, client_id: str | None, *, everything: bool
    ) -> list[TokenRecord]:
        facts = {name: fact for name, fact in (("sub", sub), ("client_id", client_id)) if fact is not None}
        if token is not None:
            record = self.tokens.find(token)
            return [] if record is None else [record]
        if not facts and not everything:
            raise UsageError("token", "say which: a token, a sub, a client_id, or everything")
        return self.tokens.select(**facts)

    # ------------------------------------------------------------------------------------------------ misbehaviour

    def fault(  # noqa: PLR0913 - each is something that can be wrong with an answer
        self,
        endpoint: str,
        action: str | int | None = None,
        *,
        status: int | None = None,
        retry_after: float | str | None = None,
        times: int | None = None,
        body: str | bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **match: Any,  # noqa: ANN401 - as the facts of a request are
    ) -> Fault:
        """Misbehave from now on; of several faults that concern a request, the one set first happens.

        Args:
            endpoint: ``discovery``, ``jwks``, ``introspect``, ``token``, ``revoke``, or ``*`` for all of them.
            action: what happens, one of :data:`mock_as.faults.ACTIONS` or :data:`mock_as.faults.NETWORK`; those that
                take an argument have it in parentheses, such as ``redirect(https://example.com/)``.
            status: the status, in the place of the one that the action has.
            retry_after: the header field, as seconds or as text.
            times: how often; by default until the faults are cleared.
            body: the body, in the place of the one that the action has; a mapping is written as JSON.
            headers: further header fields.
            match: only to requests with these facts: ``client_id``, ``token``, ``sub``, ``kid``, ``method``.

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

    # -------------------------------------------------------------------------------------------------------- life

    def reset(self) -> None:
        """Go back to how it all was after construction; the first keys stay as they are."""
        self.faults.reset()
        self.gates.clear()
        self.clock.reset()
        self.keys.reset()
        self.tokens.clear()
        self.journal.clear()
        self._mint.reset()

    def release(self) -> None:
        """Let every request go on that is held, or left hanging by a fault."""
        self.gates.clear()
        for fault in self.faults:
            fault.release()


def _at_least(least: int, field: str, value: int) -> int:
    if value < least:
        raise UsageError(field, f"{value} is less than {least}")
    return value
