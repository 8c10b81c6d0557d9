"""Whatever is sent: an answer that somebody meant, a challenge that parses, no token shown, no wrong accept."""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.requests import Request, Requests
from tests.fuzz.target import BOUND, GOOD, PROOF, Target
from tests.support.jwt import AUDIENCE

pytestmark = pytest.mark.anyio

COUNT = 52_000 if os.environ.get("CI_NO_SKIP") == "1" else 10_000
"""How many requests are sent to all forms of the application together."""
BATCH = 100
"""How many of them are made from one seed: to draw each from hypothesis takes longer than to answer it."""
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bound tokens": {
        "dpop": "optional",
        "external_url": AUDIENCE,
        "mtls": "optional",
        "certificate_header": "Client-Cert",
        "trusted_proxies": ["127.0.0.1"],
    },
    "nonces": {"dpop": "optional", "external_url": AUDIENCE, "dpop_nonce": True, "dpop_secret": "x" * 32},
    "every method": {"query_token": True, "form_token": True, "verbose_errors": True},
}
TARGETS = {name: Target(**options) for name, options in FORMS.items()}

_FIELD_NAMES = st.sampled_from([b"authorization", b"dpop", b"client-cert", b"cookie", b"accept", b"x"])
_VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"Bearer " + GOOD,
            b"DPoP " + GOOD,
            b"DPoP " + BOUND[0],
            GOOD,
            PROOF,
            b"Bearer",
            b"Bearer a b",
            b", ,",
            b"Basic eDp5",
        ]
    ),
)


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=COUNT // BATCH // len(FORMS))
@given(seed=st.integers(min_value=0, max_value=2**64))
async def test_flood(form: str, seed: int) -> None:
    """A flood of requests, most of them nearly good: every answer is one of ours, and only the good token opens."""
    requests = Requests(Random(seed), GOOD, BOUND, PROOF)  # noqa: S311 - the same ones in every run
    for _ in range(BATCH):
        request = requests.make()
        try:
            await TARGETS[form].send(request)
        except Exception as error:
            error.add_note(repr(request))
            raise


async def test_flood_is_varied() -> None:
    """The flood meets every kind of answer, and a few of its requests are let in."""
    target, requests = Target(), Requests(Random(1), GOOD, BOUND, PROOF)  # noqa: S311 - as above
    entered = Counter[str]()
    for _ in range(10 * BATCH):
        await target.send(requests.make())
        entered.update(target.entered)
    assert target.statuses >= {200, 307, 400, 401, 403, 404, 405, 422}
    assert entered.keys() >= {"/things", "/public"}


@given(
    fields=st.lists(st.tuples(_FIELD_NAMES, _VALUES), max_size=4),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    body=st.binary(max_size=20),
)
async def test_any_fields(fields: list[tuple[bytes, bytes]], method: str, body: bytes) -> None:
    """Any header fields at all, in any number and order, one step from what a client sends."""
    await TARGETS["bound tokens"].send(Request(method, "/things", b"", fields, (body,)))


async def test_good_proof() -> None:
    """The flood's one proof makes its token good where proofs are taken, and only once."""
    target = Target(dpop="optional", external_url=AUDIENCE)
    fields = [(b"authorization", b"DPoP " + BOUND[0]), (b"dpop", PROOF)]
    for expected in ({200}, {200, 401}):
        await target.send(Request("GET", "/things", b"", fields, ()))
        assert target.statuses == expected


async def test_good_request() -> None:
    """The flood's one good token does open, so that refusing everything would be noticed."""
    target = Target()
    await target.send(Request("GET", "/things", b"", [(b"authorization", b"Bearer " + GOOD)], ()))
    assert target.statuses == {200}
    assert target.entered == {"/things": 1}
