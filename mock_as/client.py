"""A mock authorization server in another process: the verbs of :class:`mock_as.MockAS`, over HTTP."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from mock_as.faults.plan import Wish
from mock_as.identity import TENANTS, URLs
from mock_as.keys.files import parse_keys
from mock_as.keys.of_clients import KeyPair, read_key_pair
from mock_as.logins import Login
from mock_as.messages import encode_json
from mock_as.remote.channel import Channel, differences, segment, text_of
from mock_as.remote.clock import RemoteClock
from mock_as.remote.faults import RemoteFault, RemoteGate
from mock_as.remote.identities import RemoteClients, RemoteRegistry
from mock_as.remote.keys import RemoteKeys
from mock_as.remote.records import RemoteEdits, RemoteTokens
from mock_as.remote.requests import ASKABLE, RemoteRequests
from mock_as.tokens import Token
from mock_as.tokens.minting import Order
from mock_as.tokens.proofs import Prover
from mock_as.tokens.resources import Resource
from mock_as.users import User
from mock_as.verbs import End, Verbs

_ENDED: dict[End, str] = {"revoke": "revoked", "expire": "expired"}


class MockASClient(Verbs[RemoteFault, RemoteRequests]):
    """Drives a mock authorization server over HTTP, from any thread; the verbs are those of :class:`mock_as.MockAS`.

    Args:
        url: where the server is, or an issuer of it.
        admin_token: what its control plane asks for, if anything.
        client: sends the requests; by default a client of its own, which :meth:`close` closes.
    """

    def __init__(self, url: str, *, admin_token: str | None = None, client: httpx.Client | None = None) -> None:
        self._client = client or httpx.Client(trust_env=False)
        self._is_own = client is None
        self._admin_token = admin_token
        self._base = url.rstrip("/")
        self._channel = channel = Channel(self._client, self._base, admin_token)
        self.clock = RemoteClock(channel)
        self.keys = RemoteKeys(channel)
        self.clients = RemoteClients(channel)
        self.users = RemoteRegistry(channel, User, "/users", "sub")
        self.resources = RemoteRegistry(channel, Resource, "/resources", "uri")
        self.tokens = RemoteTokens(channel)
        self.metadata_edits = RemoteEdits(channel)

    def close(self) -> None:
        """Close the connections, unless somebody else's client keeps them."""
        if self._is_own:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MockASClient({self._base!r})"

    # ------------------------------------------------------------------------------------------------- what it is

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        return self.url.issuer

    @property
    def url(self) -> URLs:
        """Where the endpoints are, as the metadata says it."""
        return URLs(**self._channel.ask("GET", "/version")["url"])

    def credentials(self, client_id: str) -> tuple[str, str]:
        """Return the id and the secret of a client.

        Args:
            client_id: which one.

        Raises:
            UsageError: there is no such client.
        """
        answer = self._channel.ask("GET", f"/clients/{segment(client_id)}/credentials")
        return answer["client_id"], answer["client_secret"]

    def client_key(self, client_id: str) -> KeyPair:
        """Return the keys that the mock has made for a client, private parts included, and its certificate.

        Args:
            client_id: which one.

        Raises:
            UsageError: there is no such client, or it has keys of its own, if any.
        """
        return read_key_pair(client_id, self._channel.ask("GET", f"/clients/{segment(client_id)}/key"))

    def tenant(self, name: str | None = None) -> MockASClient:
        """Return the issuer of a name, made at the first use, with a clock, keys, tokens and faults of its own.

        Args:
            name: its name in its URL; by default one that nobody has used.

        Raises:
            UsageError: it cannot be in a URL.
        """
        method, path = ("POST", "/issuers") if name is None else ("PUT", f"/issuers/{segment(name)}")
        made = self._channel.ask(method, path)["name"]
        landlord = self._base.partition(TENANTS)[0]
        return MockASClient(f"{landlord}{TENANTS}{made}", admin_token=self._admin_token, client=self._client)

    # ----------------------------------------------------------------------------------------------------- tokens

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
        named = {"token": None if token is None else text_of(token), "all": everything, **facts}
        selection = {name: fact for name, fact in named.items() if fact not in (None, False)}
        return int(self._channel.ask("POST", f"/tokens/{how}", selection)[_ENDED[how]])

    def log_in(self, login: Login) -> str:
        """Log in without a browser.

        Args:
            login: what is asked and decided.

        Returns:
            The URL that a browser would be sent to.

        Raises:
            UsageError: there is no such client, address or error, or the person may not log in.
        """
        said = differences(login)
        parameters = said.pop("parameters", {})
        return str(self._channel.ask("POST", "/authorize", {**said, **parameters})["redirect"])

    # ------------------------------------------------------------------------------------------------ misbehaviour

    def set_fault(self, wish: Wish) -> RemoteFault:
        """Misbehave from now on.

        Args:
            wish: how.

        Raises:
            UsageError: there is no such endpoint, action or fact.
        """
        return RemoteFault(self._channel, self._channel.ask("POST", "/faults", differences(wish)))

    def clear_faults(self) -> None:
        """Behave again, and release every connection that a fault left hanging."""
        self._channel.ask("DELETE", "/faults")

    @property
    def faults_left(self) -> tuple[RemoteFault, ...]:
        """The faults that have not happened as often as they were to: a test that leaves one has not tested it."""
        answer = self._channel.ask("GET", "/faults")
        left = [facts for facts in answer["faults"] if facts["id"] in answer["left"]]
        return tuple(RemoteFault(self._channel, facts) for facts in left)

    @contextmanager
    def hold(self, endpoint: str) -> Generator[RemoteGate]:
        """Hold the requests to an endpoint, so that a test can see many of them under way at once.

        Args:
            endpoint: which one, or ``*`` for all of them.

        Yields:
            The gate, which tells when requests have arrived and releases them; leaving the block does so too.

        Raises:
            UsageError: there is no such endpoint.
        """
        gate = RemoteGate(self._channel, self.fault(endpoint, "hold"))
        try:
            yield gate
        finally:
            gate.release()

    # -------------------------------------------------------------------------------------------------- the journal

    def requests(self, endpoint: str | None = None, **match: Any) -> RemoteRequests:  # noqa: ANN401 - as the facts are
        """Return the requests that came in, as far as they are remembered; the view follows what happens.

        Args:
            endpoint: to which endpoint; by default to any.
            match: only those with these facts: ``client_id``, ``method``, ``path``, ``status``, ``fault``, ``since``,
                and parameters of the request; ``token`` takes a token, its text or its id.

        Raises:
            UsageError: there is no such endpoint.
        """
        facts = {name: text_of(fact) if isinstance(fact, Token) else fact for name, fact in match.items()}
        parameters = [f"{name}={fact}" for name, fact in facts.items() if name not in ASKABLE]
        known = {name: fact for name, fact in facts.items() if name in ASKABLE}
        return RemoteRequests(self._channel, {**known, "endpoint": endpoint, "parameter": parameters})

    # -------------------------------------------------------------------------------------------------------- life

    def reset(self, *, keep: Iterable[str] = ()) -> None:
        """Go back to how it all was after construction; the first keys stay as they are.

        Args:
            keep: what stays as it is, such as ``clients`` and ``keys``.

        Raises:
            UsageError: something else is to be kept.
        """
        self._channel.ask("POST", "/reset", {"keep": list(keep)})

    def snapshot(self) -> str:
        """Remember how everything is, except for the journal, which tells what has happened.

        Returns:
            The name to restore it by.
        """
        return str(self._channel.ask("POST", "/snapshot")["snapshot"])

    def restore(self, snapshot: str | None = None) -> str:
        """Go back to how everything was; it can be done again.

        Args:
            snapshot: the name of a snapshot; by default the latest.

        Returns:
            The name.

        Raises:
            UsageError: there is none of that name.
        """
        return str(self._channel.ask("POST", "/restore", {"snapshot": snapshot})["restored"])

    def seed(self, seed: int | None) -> None:
        """Make everything random follow from a number from now on.

        Args:
            seed: the number; ``None`` to be unpredictable.
        """
        self._channel.ask("POST", "/seed", {"seed": seed})

    def use_profile(self, name: str) -> None:
        """Behave as a real server does, from now on.

        Args:
            name: its name.

        Raises:
            UsageError: there is no such profile.
        """
        self._channel.ask("PUT", "/profile", {"profile": name})
