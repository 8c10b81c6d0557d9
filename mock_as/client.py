"""A mock authorization server in another process: the verbs of :class:`mock_as.MockAS`, over HTTP."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from mock_as.faults.plan import Wish
from mock_as.identity import TENANTS, URLs
from mock_as.remote.channel import Channel, differences, segment, text_of
from mock_as.remote.faults import RemoteFault, RemoteGate
from mock_as.remote.identities import RemoteClients, RemoteRegistry
from mock_as.remote.keys import RemoteKeys
from mock_as.remote.requests import FACTS, RemoteRequests
from mock_as.remote.tokens import TokenVerbs
from mock_as.tokens import Token
from mock_as.tokens.resources import Resource
from mock_as.users import User


class MockASClient(TokenVerbs):
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
        channel = Channel(self._client, self._base, admin_token)
        super().__init__(channel)
        self.keys = RemoteKeys(channel)
        self.clients = RemoteClients(channel)
        self.users = RemoteRegistry(channel, User, "/users", "sub")
        self.resources = RemoteRegistry(channel, Resource, "/resources", "uri")

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
    ) -> RemoteFault:
        """Misbehave from now on; the arguments are those of :meth:`mock_as.MockAS.fault`.

        Returns:
            The fault, which counts how often it has happened.

        Raises:
            UsageError: there is no such endpoint, action or fact.
        """
        return self.set_fault(
            Wish(
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
        )

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
        parameters = [f"{name}={fact}" for name, fact in facts.items() if name not in FACTS]
        known = {name: fact for name, fact in facts.items() if name in FACTS}
        return RemoteRequests(self._channel, {**known, "endpoint": endpoint, "parameter": parameters})

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

    def restore(self, snapshot: str) -> None:
        """Go back to how everything was; it can be done again.

        Args:
            snapshot: the name of a snapshot.

        Raises:
            UsageError: there is none of that name.
        """
        self._channel.ask("POST", "/restore", {"snapshot": snapshot})

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
