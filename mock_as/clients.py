"""The clients that are registered, and those that come ready-made.

References: RFC 6749 section 2, RFC 7591 section 2
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mock_as.errors import UsageError, unknown
from mock_as.keys.of_clients import key_pair
from mock_as.registry import Registry
from mock_as.tokens import FORMATS, TokenFormat

DEFAULT_SCOPES = ("read", "write", "admin", "orders:read", "orders:write")
OPENID_SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access")
SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
CONFIDENTIAL_METHODS = (*SECRET_METHODS, "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
"""The ways to authenticate that prove something: RFC 6749 section 2.3, RFC 7523 section 2.2, RFC 8705 section 2."""
AUTH_METHODS = (*CONFIDENTIAL_METHODS, "none")
CERTIFICATE_NAMES = ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email")
"""What can be registered about a certificate: RFC 8705 section 2.1.2."""
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - no secret
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

IntrospectionResponse = Literal["json", "jwt", "jwe"]

_CLIENT_ID = "${client_id}"
_KEY_METHODS = {"private_key_jwt", "self_signed_tls_client_auth"}
PRIVATE_MEMBERS = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})
"""The members of a JWK that only its owner may know: RFC 7518 sections 6.2.2, 6.3.2 and 6.4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client as it is registered.

    The methods are those that Authlib asks of a client.
    """

    id: str
    secret: str = field(default="", repr=False)
    description: str = ""
    """What it is for."""
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    """How it may authenticate; ``none`` for a public client."""
    grants: tuple[str, ...] = ("client_credentials",)
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    """What it may ask for, and what it gets if it asks for nothing in particular."""
    redirect_uris: tuple[str, ...] = ()
    """Where people may come back to; of a loopback address any port will do: RFC 8252 section 7.3."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where people may come back to when they have logged out."""
    jwks: Mapping[str, Any] | None = None
    """Its public keys, as a JWKS: they verify its assertions, and encrypt what is meant for it."""
    key_pair: bool = False
    """Whether the mock makes keys for it, private parts included, for the tests that play it."""
    certificate: Mapping[str, str] = field(default_factory=dict[str, str])
    """What its certificate says, one of :data:`CERTIFICATE_NAMES`: how ``tls_client_auth`` knows it."""
    format: TokenFormat | None = None
    """The format of its tokens; by default the server's."""
    lifetime: int | None = None
    """How long its tokens live, in seconds; by default as long as the server says."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What every token issued to it says beside; ``${client_id}`` in a text stands for its id."""
    dpop_bound: bool = False
    """Whether it gets no token without a proof of possession: RFC 9449 section 5.2."""
    dpop_nonce: bool = False
    """Whether its proofs must repeat a nonce of the server: RFC 9449 section 8."""
    mtls_bound: bool = False
    """Whether its tokens are bound to its certificate: RFC 8705 section 3."""
    introspect: bool = False
    """Whether it may introspect; one that may not is told that every token is inactive."""
    response: IntrospectionResponse = "json"
    """What it is registered to get from introspection: plain JSON, or a JWT of RFC 9701, encrypted or not."""
    audiences: tuple[str, ...] = ()
    """The audiences whose tokens it may introspect; empty for all."""

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        if not self.id or (not self.secret and not set(SECRET_METHODS).isdisjoint(self.auth_methods)):
            raise UsageError("clients", "a client needs an id and a secret")
        for method in self.auth_methods:
            if method not in AUTH_METHODS:
                raise unknown("auth_methods", method, AUTH_METHODS)
        if self.format is not None and self.format not in FORMATS:
            raise unknown("format", self.format, FORMATS)
        if self.response not in get_args(IntrospectionResponse):
            raise unknown("response", self.response, get_args(IntrospectionResponse))
        self._judge_keys()
        self._judge_certificate()

    def _judge_keys(self) -> None:
        keys = [] if self.jwks is None else self.jwks.get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, Mapping) for key in keys):
            raise UsageError("jwks", 'must be {"keys": [...]}')
        if any(not PRIVATE_MEMBERS.isdisjoint(key) for key in keys):
            raise UsageError("jwks", "must have the public parts only")
        needy = [method for method in self.auth_methods if method in _KEY_METHODS]
        if self.response == "jwe":
            needy.append("jwe")
        if needy and not keys and not self.key_pair:
            raise UsageError("jwks", f"{needy[0]} needs a public key")

    def _judge_certificate(self) -> None:
        for name in self.certificate:
            if name not in CERTIFICATE_NAMES:
                raise unknown("certificate", name, CERTIFICATE_NAMES)
        if "tls_client_auth" in self.auth_methods and len(self.certificate) != 1:
            raise UsageError("certificate", f"tls_client_auth needs exactly one of {', '.join(CERTIFICATE_NAMES)}")

    @property
    def is_public(self) -> bool:
        """Whether it proves nothing about itself: RFC 6749 section 2.1."""
        return "none" in self.auth_methods

    def public_keys(self) -> list[dict[str, Any]]:
        """Return its public keys as JWKs, those that the mock has made for it included."""
        given = [] if self.jwks is None else [dict(key) for key in self.jwks["keys"]]
        return [*given, *key_pair(self.id).public_jwks] if self.key_pair else given

    def own_claims(self) -> dict[str, Any]:
        """Return what every token issued to it says beside."""
        return {name: _substitute(value, self.id) for name, value in self.claims.items()}

    def get_client_id(self) -> str:
        """Return the id."""
        return self.id

    def check_client_secret(self, secret: str) -> bool:
        """Tell whether a secret is this client's, in a time that says nothing about it."""
        said, known = (text.encode(errors="surrogatepass") for text in (secret, self.secret))
        return bool(known) and hmac.compare_digest(said, known)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Tell whether the client is registered with an authentication method."""
        return method in self.auth_methods

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether the client is registered for a grant."""
        return grant_type in self.grants

    def may_see(self, audience: object) -> bool:
        """Tell whether the client may know about the tokens of an audience.

        Args:
            audience: the ``aud`` of the token, in either of its shapes.
        """
        if not self.audiences:
            return self.introspect
        values = audience if isinstance(audience, list) else [audience]
        return self.introspect and not set(self.audiences).isdisjoint(map(str, values))


class OpenClient(Client):
    """A client that nobody has registered, where :attr:`mock_as.options.Options.open_clients` lets it in."""

    __slots__ = ()

    def check_client_secret(self, secret: str) -> bool:  # noqa: ARG002 - that is the point
        """Take any secret."""
        return True


def open_client(client_id: str) -> Client:
    """Return a client that may do what needs no registration.

    Args:
        client_id: what it calls itself.
    """
    methods, grants = ("client_secret_basic", "client_secret_post"), ("client_credentials", TOKEN_EXCHANGE)
    return OpenClient(id=client_id, secret="any", auth_methods=methods, grants=grants, introspect=True)  # noqa: S106


def _substitute(value: Any, client_id: str) -> Any:  # noqa: ANN401 - a claim holds any value
    if isinstance(value, str):
        return value.replace(_CLIENT_ID, client_id)
    if isinstance(value, Mapping):
        return {name: _substitute(part, client_id) for name, part in value.items()}
    return [_substitute(part, client_id) for part in value] if isinstance(value, (list, tuple)) else value


def _ready_made(client_id: str, description: str, **properties: object) -> Client:
    return Client(
        id=client_id,
        secret=f"{client_id}-secret",
        description=description,
        **properties,  # type: ignore[arg-type] # each has the type of its field
    )


_MACHINE = ("client_credentials", TOKEN_EXCHANGE)
_PERSON = ("authorization_code", "refresh_token")
_PERSON_SCOPES = (*OPENID_SCOPES, *DEFAULT_SCOPES)
_LOOPBACK = ("http://127.0.0.1", "http://[::1]", "http://localhost")
_REDIRECT_URIS = (
    "https://app.example.test/callback",
    *(f"{host}{path}" for host in _LOOPBACK for path in ("/callback", "/cb", "/")),
)
_LOGOUT_URIS = ("https://app.example.test/", *(f"{host}/" for host in _LOOPBACK))
_APP: dict[str, object] = {
    "scopes": _PERSON_SCOPES,
    "redirect_uris": _REDIRECT_URIS,
    "post_logout_redirect_uris": _LOGOUT_URIS,
}
_BASIC_OR_POST = ("client_secret_basic", "client_secret_post")

READY_MADE = (
    _ready_made("svc", "a service that authenticates with HTTP Basic", grants=_MACHINE),
    _ready_made(
        "svc.post", "a service that sends its secret in the form", auth_methods=("client_secret_post",), grants=_MACHINE
    ),
    _ready_made(
        "svc.jwt",
        "a service that signs an assertion with its own key",
        auth_methods=("private_key_jwt",),
        grants=(*_MACHINE, JWT_BEARER),
        key_pair=True,
    ),
    _ready_made("svc.dpop", "a service whose tokens are bound to a key by DPoP", dpop_bound=True, grants=_MACHINE),
    _ready_made(
        "svc.dpop.nonce",
        "the same, and its proofs must repeat a nonce of the server",
        dpop_bound=True,
        dpop_nonce=True,
        grants=_MACHINE,
    ),
    _ready_made(
        "svc.mtls",
        "a service that shows a certificate, to which its tokens are bound",
        auth_methods=("tls_client_auth", "self_signed_tls_client_auth"),
        certificate={"san_dns": "svc.mtls"},
        mtls_bound=True,
        key_pair=True,
        grants=_MACHINE,
    ),
    _ready_made("svc.short", "a service whose tokens live for 2 seconds", lifetime=2),
    _ready_made("svc.opaque", "a service whose tokens are opaque", format="opaque"),
    _ready_made("svc.readonly", "a service that may only read", scopes=("read", "orders:read")),
    _ready_made(
        "web",
        "a web application with a secret, where people log in",
        auth_methods=_BASIC_OR_POST,
        grants=(*_PERSON, "password"),
        **_APP,
    ),
    _ready_made(
        "spa", "a public client in a browser, which must use PKCE", auth_methods=("none",), grants=_PERSON, **_APP
    ),
    _ready_made(
        "device",
        "a public client without a browser of its own",
        auth_methods=("none",),
        grants=(DEVICE_CODE, "refresh_token"),
        scopes=_PERSON_SCOPES,
    ),
    _ready_made(
        "rs", "a resource server that introspects", introspect=True, auth_methods=_BASIC_OR_POST, grants=_MACHINE
    ),
    _ready_made(
        "rs.jwt",
        "a resource server that gets introspection as a signed JWT",
        introspect=True,
        response="jwt",
        auth_methods=_BASIC_OR_POST,
    ),
    _ready_made(
        "rs.jwe",
        "the same, encrypted as well",
        introspect=True,
        response="jwe",
        auth_methods=_BASIC_OR_POST,
        key_pair=True,
    ),
    _ready_made(
        "rs.denied", "a resource server that is told that every token is inactive", auth_methods=_BASIC_OR_POST
    ),
)


def registry(extra: Iterable[Client]) -> Registry[Client]:
    """Return the registered clients by their ids.

    Args:
        extra: clients beside the ready-made ones; one of the same id takes its place.
    """
    return Registry({client.id: client for client in (*READY_MADE, *extra)})
