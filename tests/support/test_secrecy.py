"""The watch over a test's own secrets knows each kind of them, looks everywhere, and repeats none."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from resource_server import (
    AuthorizationServer,
    InsufficientScope,
    InvalidToken,
    Principal,
    RequestParts,
    ResourceServer,
    ResourceServerError,
    Settings,
)
from resource_server._protocol.bearer import TokenMethods, extract_credential
from resource_server._protocol.client_auth import ClientCredentials, authenticated, bearer_proof, client_proof
from resource_server._protocol.jwe import JWE, read_nested
from resource_server._protocol.messages import HTTPRequest, HTTPResponse
from resource_server._protocol.problem import ErrorStyle, render_error
from resource_server._protocol.token_request import process_token_response, token_request
from resource_server._runtime.observe import notify
from resource_server._validation.nonce import Nonces
from resource_server._validation.signed_answer import read_answer
from resource_server._validation.vault import Vault
from resource_server.events import ConfigurationFault
from resource_server.principal import bind
from resource_server.requirements import ANY_TOKEN
from tests.support.jwt import signing_key
from tests.support.play import World, options
from tests.support.secrecy import Ledger
from tests.support.wiretap import TALKERS, listening

pytestmark = pytest.mark.attack("A-S-1")

ONE = "Kz8mXK1EalYznwH.of-this-test_alone~32-bytes"
BYTES = ONE.encode()
KEY = signing_key("ES256", "secrecy")
PEM = KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CLIENT = ClientCredentials("rs", ONE)
QUESTION = HTTPRequest("POST", "https://as.example.com/token", "token", 100, body=b"grant_type=x")


def extracted(*headers: tuple[bytes, bytes], query: bytes = b"") -> None:
    """Take a token out of a request."""
    extract_credential(RequestParts("GET", headers, query), TokenMethods(query=True))


def malformed() -> None:
    """Send a token with a character that no token has."""
    with pytest.raises(InvalidToken):
        extracted((b"authorization", b"Bearer \x01" + BYTES))


def configured(**changes: Any) -> None:
    """Make the settings of a resource server."""
    Settings.build(**options(resource="https://rs.example.com", **changes))


def assertion() -> str:
    """Make an assertion and send it."""
    made = client_proof(
        ClientCredentials("rs", ONE, "client_secret_jwt"), audience="https://as.example.com", now=0.0, jti="1"
    )
    authenticated(QUESTION, made)
    return dict(made.form)["client_assertion"]


def basic() -> str:
    """Send a secret as RFC 7617 has it."""
    made = client_proof(CLIENT, audience="https://as.example.com", now=0.0, jti="1")
    authenticated(QUESTION, made)
    return made.headers[0][1].removeprefix("Basic ")


def passed(use: Callable[[], object], secret: str = ONE) -> Callable[[], str]:
    """Let a known secret pass through the resource server."""

    def run() -> str:
        use()
        return secret

    return run


def granted() -> object:
    """Have a token granted."""
    body = json.dumps({"access_token": ONE, "token_type": "Bearer"}).encode()
    return process_token_response(HTTPResponse(200, (("content-type", "application/json"),), body), 0.0)


def answered() -> object:
    """Have an introspection answer read."""
    response = HTTPResponse(200, (("content-type", "application/token-introspection+jwt"),), BYTES)
    return read_answer(World().state, response)


def exchanged(name: str, value: str = ONE) -> object:
    """Ask the token endpoint for something."""
    return authenticated(token_request(QUESTION.url, [(name, value)]), bearer_proof("short"))


SECRETS: dict[str, Callable[[], str]] = {
    "a token": passed(lambda: extracted((b"authorization", b"Bearer " + BYTES))),
    "what is no token": passed(malformed),
    "a proof": passed(lambda: extracted((b"dpop", BYTES))),
    "a token in the query": passed(lambda: extracted(query=b"access_token=" + BYTES)),
    "our secret": passed(lambda: client_proof(CLIENT, audience="x", now=0.0, jti="1")),
    "our secret as it is sent": basic,
    "an assertion": assertion,
    "a token of our own": passed(lambda: authenticated(QUESTION, bearer_proof(ONE))),
    "a token that is exchanged": passed(lambda: exchanged("subject_token")),
    "one as it is sent": passed(lambda: exchanged("subject_token", f"{ONE}+"), f"{ONE}%2B"),
    "an actor's token": passed(lambda: exchanged("actor_token")),
    "a token that was granted": passed(granted),
    "a signed answer": passed(answered),
    "what was encrypted": passed(lambda: read_nested(JWE("a", "b", {}, b"", (0, 0, 0)), BYTES, "at+jwt")),
    "the option client_secret": passed(lambda: configured(client_secret=ONE)),
    "the option cache_secret": passed(lambda: configured(cache_secret=ONE)),
    "the option dpop_secret": passed(lambda: configured(dpop_secret=ONE)),
    "a password": passed(lambda: configured(cache_url=f"redis://:{ONE}@127.0.0.1")),
    "a private key": passed(lambda: configured(metadata_key=PEM), KEY.private_jwk()["d"]),
    "a private key in PEM": passed(lambda: configured(metadata_key=PEM), PEM.splitlines()[2]),
    "a private JWK": passed(lambda: configured(metadata_key=json.dumps(KEY.private_jwk())), KEY.private_jwk()["d"]),
    "one issuer's secret": passed(lambda: AuthorizationServer(issuer="https://as.example.com", client_secret=ONE)),
    "what the store is sealed with": passed(lambda: Vault(BYTES, ("x",)), BYTES.hex()),
    "what nonces are made from": passed(lambda: Nonces(BYTES, 60.0), repr(BYTES)),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_each_kind_is_known(secret: Callable[[], str]) -> None:
    """A secret that has passed through is found where it is shown, and what is said of that does not repeat it."""
    with listening() as ledger:
        shown = secret()
        assert ledger.leaks() == []
        ledger.see("a place", f"a text with {shown}, which nobody should read")
    [said] = ledger.leaks()
    assert "in a place: a text with" in said
    assert shown not in said


LOGGER = logging.getLogger("tests.secrecy")


def log_exception() -> None:
    """Log an exception that belongs to somebody else."""
    try:
        raise RuntimeError(ONE)  # noqa: TRY301 - the one that the line below is about
    except RuntimeError:
        LOGGER.debug("a failure", exc_info=True)


def refuse() -> None:
    """Refuse a request in a frame that has a token in a variable."""
    code = compile(
        "def judge(core, error, requirement):\n  token = secret\n  core._refuse(error, requirement, None, None)",
        "/elsewhere/resource_server/judge.py",
        "exec",
    )
    names: dict[str, Any] = {"secret": ONE}
    exec(code, names)  # noqa: S102 - a frame of the package that does what none of its own does
    names["judge"](World().server._judge, InvalidToken("expired"), ANY_TOKEN)


PLACES: dict[str, Callable[[], object]] = {
    "a message": lambda: LOGGER.debug("a line with %s", ONE),
    "an argument": lambda: LOGGER.debug("a line of %(length)s", {"length": 7, "token": ONE}),
    "an exception in the log": log_exception,
    "the log of a library": lambda: logging.getLogger("httpcore.http11").debug(ONE),
    "an event": lambda: notify(lambda _: None, ConfigurationFault("token", ONE, "https://as.example.com")),
    "a challenge": lambda: render_error(InsufficientScope(scope=(ONE,)), ErrorStyle()),
    "an exception": lambda: ResourceServerError(ONE),
    "the text of a principal": lambda: bind(Principal(acr=ONE), cast("Any", None)),
    "the text of settings": lambda: configured(realm=ONE),
    "the text of a server": lambda: ResourceServer(**options(issuer=f"https://{ONE}.example.com")),
    "a variable": refuse,
}


@pytest.mark.parametrize("leak", PLACES.values(), ids=PLACES)
def test_every_place_is_looked_at(leak: Callable[[], object]) -> None:
    """A secret is found in whatever others can read, whether it was known before it was shown or not."""
    with listening() as before, listening() as ledger:
        leak()
        ledger.keep("a secret", ONE)
    assert ledger.leaks()
    assert all(ONE not in said for said in ledger.leaks())
    assert before.seen == {}


def test_what_is_no_leak() -> None:
    """What the authorization server says of a token is for everybody to know; so is what could be anything."""
    ledger = Ledger()
    for text in ("short", "0000000000", "metadata", "introspection"):
        ledger.keep("a token", text)
        ledger.see("a place", f"a text with {text}")
    assert ledger.secrets == {}
    with listening() as told:
        told.keep("a token", ONE)
        bind(Principal(subject=f"the holder of {ONE}"), cast("Any", None))
    assert told.leaks() == []


def test_part_of_a_token() -> None:
    """The claims and the signature of a JWT are as secret as all of it; the header is everybody's."""
    ledger = Ledger()
    head, payload, signature = "eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJzb21lYm9keSJ9", "MEUCIQDnYvtMm8xq5mVJv3"
    ledger.keep("a token", f"{head}.{payload}.{signature}")
    for text in (head, payload, signature):
        ledger.see(f"a place with {text}", text)
    assert len(ledger.leaks()) == 2


def test_loggers_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """What a logger would not pass on is heard and goes nowhere; servers and clients that tell all are not heard."""
    with listening() as ledger:
        LOGGER.debug("a detail")
        LOGGER.warning("a warning")
        for name in TALKERS:
            assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
            logging.getLogger(name).warning("a talker")
    assert list(ledger.seen) == ["a detail ()", "a warning ()"]
    assert "a detail" not in caplog.messages
