"""The mock authorization server as tests use it: its state, and the ways to reach it.

What carries it, be it httpx or uvicorn, is loaded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mock_as.clients import Client
from mock_as.clock import Clock
from mock_as.errors import UsageError
from mock_as.faults.plan import Plan, Wish, make_plan
from mock_as.identity import Identity
from mock_as.keys.files import read_keys
from mock_as.members import all_made
from mock_as.options import DEFAULT_AUDIENCE, IntrospectionOffer, Options
from mock_as.state import Blueprint
from mock_as.tenants import Landlord
from mock_as.tokens import TokenFormat
from mock_as.tokens.minting import as_audience
from mock_as.tokens.resources import Resource
from mock_as.tokens.rules import Rule
from mock_as.users import User

if TYPE_CHECKING:
    import ssl

    import httpx
    import respx

    from mock_as.app import Application
    from mock_as.tls import Authority
    from mock_as.transport import InProcessTransport


class MockAS(Landlord):
    """A mock OAuth 2.0 authorization server; honest until it is told otherwise.

    Every argument is a keyword and has a default. Clients, users, resources, rules and faults may be given as tables
    too, which have the names that a configuration has: ``clients=[{"id": "orders", "secret": "s"}]``.

    Args:
        issuer: the issuer identifier, an http(s) URL; ``auto`` for the address that each request is sent to. Without
            one it is the address it is served under, and ``https://as.example.test`` while it is not served.
        front_url: where browsers reach it, if not at the issuer's host: scheme, host and port.
        back_url: where other servers reach it: likewise.
        audience: the audience of tokens that name no other, or several.
        clients: clients beside the ready-made ones.
        users: people beside the ready-made ones.
        resources: resources whose tokens differ from the rest.
        rules: claims that tokens get by what they are for.
        keys: a file of private keys, as a JWKS or PEM, so that they outlive the server.
        faults: what goes wrong from the start, and again after each reset.
        token_format: ``jwt`` or ``opaque``, for clients and resources that say neither.
        lifetime: how long access tokens live, in seconds.
        seed: make every id and opaque token reproducible; for nothing but tests.
        clock: the clock, or what tells the time in seconds since the epoch.
        profile: whose behaviour is put on, one of :data:`mock_as.profiles.PROFILES`.
        refuse_jwt_introspection: answer 400 ``unsupported_token_type`` for JWTs, as some real servers do.
        introspection: ``json+jwt`` to answer every caller of introspection that asks for it with a JWT, registered for
            that or not.
        jwks_max_age: how long the keys may be cached, in seconds.
        open_clients: let clients that are not registered authenticate with any secret.
        rotate_refresh_tokens: replace a refresh token whenever it is used.
        password_grant: offer the grant of passwords, which no new server should.
        admin_token: what the control plane asks for as a bearer token; by default it asks for nothing.
        admin: whether there is a control plane over HTTP.

    Raises:
        UsageError: an argument is not one that can be used.
    """

    def __init__(  # noqa: PLR0913 - each is an option that somebody would miss
        self,
        *,
        issuer: str | None = None,
        front_url: str | None = None,
        back_url: str | None = None,
        audience: str | Iterable[str] = DEFAULT_AUDIENCE,
        clients: Iterable[Client | Mapping[str, Any]] = (),
        users: Iterable[User | Mapping[str, Any]] = (),
        resources: Iterable[Resource | Mapping[str, Any]] = (),
        rules: Iterable[Rule | Mapping[str, Any]] = (),
        keys: str | Path | None = None,
        faults: Iterable[Wish | Mapping[str, Any]] = (),
        token_format: TokenFormat = "jwt",  # noqa: S107 - no secret
        lifetime: int = 3600,
        seed: int | None = None,
        clock: Clock | Callable[[], float] | None = None,
        profile: str = "strict",
        refuse_jwt_introspection: bool = False,
        introspection: IntrospectionOffer = "json",
        jwks_max_age: int = 300,
        open_clients: bool = False,
        rotate_refresh_tokens: bool = True,
        password_grant: bool = False,
        admin_token: str | None = None,
        admin: bool = True,
    ) -> None:
        options = Options(
            audience=as_audience(audience),
            token_format=token_format,
            lifetime=lifetime,
            seed=seed,
            profile=profile,
            refuse_jwt_introspection=refuse_jwt_introspection,
            introspection=introspection,
            jwks_max_age=jwks_max_age,
            open_clients=open_clients,
            rotate_refresh_tokens=rotate_refresh_tokens,
            password_grant=password_grant,
        )
        blueprint = Blueprint(
            options=options,
            clients=all_made(Client, clients, "clients"),
            users=all_made(User, users, "users"),
            resources=all_made(Resource, resources, "resources"),
            rules=all_made(Rule, rules, "rules"),
            keys=() if keys is None else read_keys(keys),
            faults=tuple(_plan(number, wish) for number, wish in enumerate(all_made(Wish, faults, "faults"))),
        )
        time = clock if isinstance(clock, Clock) else Clock(clock) if clock else Clock()
        identity = Identity(issuer, front_url, back_url)
        super().__init__(identity, blueprint, time, admin=admin, admin_token=admin_token)

    @cached_property
    def app(self) -> Application:
        """The ASGI application, with the control plane under ``/_mock``."""
        from mock_as.app import Application  # noqa: PLC0415 - FastAPI is slow to load, and not every use needs it

        return Application(self)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport for ``httpx.AsyncClient`` that answers in this process, for the issuer's hosts only."""
        return self._transport()

    def mount(self, router: respx.Router) -> respx.Route:
        """Answer in this process what a router of respx is asked for the issuer's hosts.

        Args:
            router: such as the fixture ``respx_mock``.

        Returns:
            The route, which counts the calls.
        """
        return self._transport().mount(router)

    def _transport(self) -> InProcessTransport:
        from mock_as.transport import InProcessTransport  # noqa: PLC0415 - httpx is not needed to serve

        return InProcessTransport(self.app, self.issuer, self.identity.front, self.identity.back)

    @cached_property
    def authority(self) -> Authority:
        """Who issues the certificates that are shown in TLS; its ``pem`` is what a client has to trust."""
        from mock_as.tls import Authority  # noqa: PLC0415 - only TLS needs it

        return Authority(*sorted(self.identity.hosts))

    def tls(self) -> ssl.SSLContext:
        """Return the settings of TLS to serve with; faults of handshakes happen, whichever issuer has them."""
        return self.authority.server_context(self._handshake_fault)

    def _handshake_fault(self) -> str | None:
        books = [self.faults, *(tenant.faults for tenant in self.tenants.values())]
        return next(filter(None, (book.take_handshake() for book in books)), None)

    @contextmanager
    def serve(
        self, host: str = "127.0.0.1", port: int = 0, *, http: str | None = None, tls: bool = False
    ) -> Generator[str]:
        """Serve over a socket, from a thread, while the block runs.

        Args:
            host: the name or the address to listen at.
            port: the port; 0 for any that is free.
            http: the implementation of HTTP, ``h11`` or ``httptools``; by default the latter where it is installed.
            tls: serve https, with a certificate by :attr:`authority`.

        Yields:
            The URL, without a slash at its end.

        Raises:
            OSError: the address is taken.
            UsageError: there is no such implementation of HTTP, or it is not installed.
        """
        from mock_as.server import bind, serve_in_thread, url_of  # noqa: PLC0415 - uvicorn is slow to load

        listener = bind(host, port)
        url = url_of(listener, "https" if tls else "http")
        context = self.tls() if tls else None
        with self.identity.served_at(url), serve_in_thread(self.app, listener, http=http, tls=context):
            try:
                yield url
            finally:
                self.release()


def _plan(number: int, wish: Wish) -> Plan:
    try:
        return make_plan(wish)
    except UsageError as error:
        raise UsageError(f"faults[{number}].{error.field}", error.message) from None
