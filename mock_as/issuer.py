"""One issuer as tests use it: the verbs that change what it consists of."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from mock_as.errors import UsageError, unknown
from mock_as.faults.book import Fault, Wish, make_plan
from mock_as.identity import URLs
from mock_as.journal import Requests
from mock_as.keys.of_clients import KeyPair, key_pair
from mock_as.latches import Gate
from mock_as.state import State
from mock_as.tokens import Token
from mock_as.tokens.minting import Order
from mock_as.tokens.store import TokenRecord
from mock_as.verbs import End, Verbs


class Issuer(Verbs[Fault, Requests], State):
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

    def client_key(self, client_id: str) -> KeyPair:
        """Return the keys that the mock has made for a client, private parts included, and its certificate.

        Args:
            client_id: which one.

        Raises:
            UsageError: there is no such client, or it has keys of its own, if any.
        """
        if client_id not in self.clients:
            raise unknown("client_id", client_id, self.clients)
        if not self.clients[client_id].key_pair:
            raise UsageError(
                "client_id", f"the mock makes no keys for {client_id!r}: it is registered without key_pair"
            )
        return key_pair(client_id)

    # ----------------------------------------------------------------------------------------------------- tokens

    def mint(self, order: Order) -> Token:
        """Make a token and remember it.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """
        return self._mint.make(order)

    def end(self, how: End, token: Token | str | None, *, everything: bool = False, **facts: str | None) -> int:
        """End tokens, as introspection sees it; what a JWT says of itself cannot be changed.

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
        records = self._named(token, everything=everything, **facts)
        for record in records:
            if how == "revoke":
                record.revoke(self.clock.now())
            else:
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
