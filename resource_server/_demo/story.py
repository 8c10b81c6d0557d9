"""The story: what is sent to the orders API, in order, and what is expected to come of it.

A token that must be unknown to the API is a new one, and every wait is for something to happen: no row depends on a
time to live running out. The API's options are the defaults; a yes is remembered for 60 seconds, and all of this takes
a few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from resource_server._demo.rows import Calls, Outcome
from resource_server._demo.stage import Stage

ORDER = b'{"item": "tea", "quantity": 2}'
HALF_AN_ORDER = b'{"item": '

_READER = {"sub": "alice", "scope": "orders:read"}
TOKENS: dict[str, dict[str, Any]] = {
    "opaque": {"format": "opaque", **_READER},
    "jwt": {"format": "jwt", **_READER},
    "expired": {"format": "opaque", **_READER, "expires_in": -60},
    "writer": {"format": "opaque", "sub": "alice", "scope": "orders:read orders:write"},
}
"""The kinds of tokens. The first word of a token's name is its kind."""
_ATTEMPTS = 3
"""How often the API asks before it takes an answer for an outage: once, and its `retries`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of the story."""

    title: str
    expected: Outcome
    note: str = ""
    """What else the reader should know."""
    before: Callable[[Stage], None] | None = None
    """What happens first."""
    method: Literal["GET", "POST"] = "GET"
    path: str = "/orders"
    carries: str | None = None
    """The name of the token it carries; a name of no known kind is sent as it is."""
    body: bytes | None = None


def token_of(stage: Stage, name: str) -> str:
    """Return the token of this name; a name of no known kind stands for itself."""
    wishes = TOKENS.get(name.partition(" ")[0])
    return name if wishes is None else stage.token(name, wishes)


def accepted(*, now: bool, status: int = 200) -> Outcome:
    """Expect a yes of the authorization server: given now, or remembered."""
    return _decided(now, status, assurance="introspected")


def refused(*, now: bool, status: int, challenge: str = "") -> Outcome:
    """Expect a refusal that rests on what the authorization server says of the token now, or said before."""
    return _decided(now, status, challenge=challenge)


def _decided(now: bool, status: int, **more: str) -> Outcome:  # noqa: FBT001 - the two above name it
    if now:
        return Outcome(status=status, answered="AS", calls=Calls(introspection=1), **more)
    return Outcome(status=status, answered="cache", calls=Calls(), **more)


def unasked(challenge: str) -> Outcome:
    """Expect a 401 where there is no token to ask about."""
    return Outcome(status=401, challenge=challenge, answered="nobody", calls=Calls())


def _revoke(name: str) -> Callable[[Stage], None]:
    return lambda stage: stage.control.revoke(token_of(stage, name))


def _rotate_keys(stage: Stage) -> None:
    stage.control.rotate_keys()
    stage.control.fail("introspect", _ATTEMPTS)


def _kill(stage: Stage) -> None:
    """Take the authorization server away, once it has issued what the outage needs."""
    token_of(stage, "jwt unseen")
    token_of(stage, "opaque unseen")
    stage.kill_authorization_server()


_GOOD_AND_BAD = (
    Step(title="no token", expected=unasked("Bearer scope=orders:read")),
    Step(title="an opaque token", carries="opaque", expected=accepted(now=True)),
    Step(title="the same again", carries="opaque", expected=accepted(now=False)),
    Step(title="a JWT", carries="jwt", expected=accepted(now=True)),
    Step(
        title="a token that may only read",
        method="POST",
        carries="opaque",
        body=ORDER,
        expected=refused(now=False, status=403, challenge="insufficient_scope scope=orders:write"),
    ),
    Step(
        title="an expired token", carries="expired", expected=refused(now=True, status=401, challenge="invalid_token")
    ),
    Step(
        title="a revoked token",
        before=_revoke("opaque revoked"),
        carries="opaque revoked",
        expected=refused(now=True, status=401, challenge="invalid_token"),
        note="one that the API has not seen before",
    ),
    Step(
        title="the same JWT, revoked",
        before=_revoke("jwt"),
        carries="jwt",
        expected=accepted(now=False),
        note="what was accepted is remembered: a revocation is noticed within cache_ttl, here 60 s",
    ),
    Step(title="garbage", carries="garbage", expected=refused(now=True, status=401, challenge="invalid_token")),
)
_BODIES = (
    Step(
        title="malformed JSON, no token",
        method="POST",
        body=HALF_AN_ORDER,
        expected=unasked("Bearer scope=orders:write"),
        note="judged before the body is read",
    ),
    Step(
        title="malformed JSON, good token",
        method="POST",
        carries="writer",
        body=HALF_AN_ORDER,
        expected=refused(now=True, status=422),
    ),
    Step(title="an order", method="POST", carries="writer", body=ORDER, expected=accepted(now=False, status=201)),
    Step(
        title="a token without admin",
        path="/admin/orders",
        carries="opaque curious",
        expected=refused(now=True, status=404),
        note="hide=True: not 403, and no challenge",
    ),
)
_OUTAGES = (
    Step(
        title="a JWT by a new key",
        before=_rotate_keys,
        carries="jwt rotated",
        expected=Outcome(status=200, assurance="local", answered="JWKS", calls=Calls(_ATTEMPTS, jwks=1)),
        note="introspection answers 503 here, each time it is asked; the new key is fetched at once",
    ),
    Step(
        title="another JWT",
        before=_kill,
        carries="jwt unseen",
        expected=Outcome(status=200, assurance="local", answered="JWKS", calls=None),
        note="the authorization server is dead from here on",
    ),
    Step(
        title="the first opaque token",
        carries="opaque",
        expected=Outcome(status=200, assurance="introspected", answered="cache", calls=None),
        note="within cache_ttl",
    ),
    Step(
        title="another opaque token",
        carries="opaque unseen",
        expected=Outcome(status=401, challenge="invalid_token", answered="nobody", calls=None),
    ),
    Step(
        title="the same",
        path="/orders/live",
        carries="opaque unseen",
        expected=Outcome(status=503, challenge="Retry-After: 5", answered="nobody", calls=None),
        note="unavailable_status=503",
    ),
    Step(
        title="a new opaque token",
        before=lambda stage: stage.restore_authorization_server(),
        carries="opaque later",
        expected=accepted(now=True),
        note="the authorization server is back",
    ),
)
STORY = (*_GOOD_AND_BAD, *_BODIES, *_OUTAGES)
"""All of it, in order."""
