"""For tests of your own service: act as a principal, and look at refusals as a client would.

Scopes, audiences and everything else a route requires are still judged: only the token is taken on trust.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from resource_server._protocol.challenge import CHALLENGE_HEADER, Challenge, parse_challenges
from resource_server._protocol.claims import ClaimRules, judge_claims
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import ConfigurationError, Scheme
from resource_server.principal import Assurance, Principal
from resource_server.server import ResourceServer

if TYPE_CHECKING:
    from resource_server.settings import Settings

__all__ = ["assert_challenge", "principal_override"]


class _Response(Protocol):
    """As much of an httpx (or requests, or Starlette) response as is looked at."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


@contextmanager
def principal_override(
    server: ResourceServer | BlockingResourceServer,
    *,
    subject: str | None = "test-subject",
    client_id: str | None = "test-client",
    scopes: str = "",
    assurance: Assurance = Assurance.INTROSPECTED,
    **claims: Any,  # noqa: ANN401 - claims are JSON
) -> Generator[Principal, None, None]:
    """Treat every request as this principal's, whatever token it carries or lacks. Unsafe by design: for tests only.

    It says so in the log when it begins.

    Args:
        server: the resource server under test.
        subject: ``sub``; ``None`` leaves it out.
        client_id: ``client_id``; ``None`` leaves it out.
        scopes: scope tokens separated by spaces.
        assurance: which rung of the ladder is pretended to have answered.
        claims: further claims, such as ``acr``, ``auth_time`` and ``authorization_details``; ``iss``, ``aud`` and
            ``exp`` default to the server's first issuer, its audience and an hour from now.

    Yields:
        The principal the application will see.

    Raises:
        ConfigurationError: the claims would not be accepted in a real token either.
    """
    settings = _options_of(server, claims.get("iss"))
    expires_at = server._clock.wall() + 3600  # noqa: SLF001 - the server's own time
    members = {"iss": settings.issuer, "aud": list(settings.audience), "exp": expires_at, "scope": scopes}
    named = {"sub": subject, "client_id": client_id}
    members |= {name: value for name, value in named.items() if value is not None} | claims
    rules = ClaimRules(issuer=settings.issuer, audience=frozenset(settings.audience))
    principal = judge_claims(members, rules, assurance)
    if isinstance(principal, str):
        message = f"these claims would be refused as {principal}"
        raise ConfigurationError(message)
    logging.getLogger("resource_server").warning("principal_override is on: requests are not authenticated")
    intake = server._intake  # noqa: SLF001 - the switch is hidden on purpose
    previous, intake.acting_principal = intake.acting_principal, principal
    try:
        yield principal
    finally:
        intake.acting_principal = previous


def _options_of(server: ResourceServer | BlockingResourceServer, issuer: object) -> Settings:
    """Return the options of one of the server's issuers; of the first where none is named, or not one of them."""
    units = server.settings.units()
    return next((unit for unit in units if unit.issuer == issuer), (*units, server.settings)[0])


def assert_challenge(
    response: _Response,
    *,
    status: int | None = None,
    error: str | None = None,
    scope: str | None = None,
    scheme: Scheme = "Bearer",
) -> Challenge:
    """Assert that a response carries one correct challenge of a scheme, and return it parsed.

    Where there are several challenges, the error stands in that of the scheme that the request has used.

    Args:
        response: what a client received.
        status: the status expected, or ``None`` for any.
        error: the error code expected, or ``None`` where there must be none.
        scope: the scope tokens expected, separated by spaces, in any order; ``None`` for any.
        scheme: the authentication scheme.

    Raises:
        AssertionError: something is not as expected; the message says what came instead.
    """
    header = response.headers.get(CHALLENGE_HEADER)
    _expect(header is not None, f"no WWW-Authenticate in a {response.status_code}")
    try:
        found = [challenge for challenge in parse_challenges(header or "") if challenge.scheme == scheme.lower()]
    except ValueError as fault:
        raise AssertionError(f"the challenge is malformed, {fault}: {header}") from None
    _expect(len(found) == 1, f"not exactly one {scheme} challenge: {header}")
    _expect(bool(found[0].params), f"a {scheme} challenge needs a parameter: {header}")
    challenge = found[0]
    _expect(status in (None, response.status_code), f"status is {response.status_code}, not {status}")
    _expect(challenge.params.get("error") == error, f"error is {challenge.params.get('error')}, not {error}")
    got = challenge.params.get("scope", "")
    _expect(scope is None or set(got.split()) == set(scope.split()), f"scope is {got!r}, not {scope!r}")
    return challenge


def _expect(condition: bool, message: str) -> None:  # noqa: FBT001 - an assertion with a message
    if not condition:
        raise AssertionError(message)
